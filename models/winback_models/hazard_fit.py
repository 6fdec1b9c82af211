"""Fits the hazard classifier of one population: members, their weights on a later slice, a recalibration that lasted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from winback_models.btyd import Array
from winback_models.combine import STEADY, failing, fit_weights, level_kept, prior_weights, slope_that_holds
from winback_models.design import CALENDAR, YEAR, Design, choose_columns, interval_edges, step_days
from winback_models.hazard import HazardModel, mix
from winback_models.label_time import Before, LabelTime
from winback_models.member_fits import fit_direct, fit_rolled
from winback_models.members import BtydMember, Member, Slice, ask_all, at_risk
from winback_models.season import Season, Window, trust_in, turn_of
from winback_models.side_by_side import side_by_side
from winback_models.silence import SILENCE, SilentPath, movable

MIN_PURCHASES = 200
"""With fewer observed purchases a learned member is left out: the BTYD model's personal curve is safer."""

ROLLED_STEPS = 36
"""Rolled members look back so many steps; their weight has fallen to 1/e half-way."""

DIRECT_ROWS, ROLLED_ROWS = 30_000, 120_000
"""Contacts over all label times that each kind of member learns from."""

LATER_ROWS = 8_000
"""Contacts of the later slice that the weights are found on: a few numbers, from tens of thousands of intervals."""

Outcomes = tuple[dict[str, Array], npt.NDArray[np.bool_]]
"""Log-odds of each member for person-periods at risk, and which of them held a purchase."""


class Asked(NamedTuple):
    """Log-odds of each member for every contact and interval, which of these were at risk, and which held a purchase."""

    said: dict[str, Array]
    risk: npt.NDArray[np.bool_]
    bought: npt.NDArray[np.bool_]


Learnt = tuple[dict[str, Member], tuple[str, ...], float]
Check = tuple[dict[str, Array], npt.NDArray[np.bool_], list[Outcomes], float]


@dataclass(frozen=True)
class Plan:
    """What every fit of one training shares.

    Attributes
    ----------
    horizon_days : int
    numeric_features : tuple of str
        Candidate columns.
    silence : tuple of float
        The population: bounds of the silence in days.
    seed : int
    share : float
        Of ``DIRECT_ROWS`` and ``ROLLED_ROWS``.
    steps : int
        Steps that an interval holds.
    """

    horizon_days: int
    numeric_features: tuple[str, ...]
    silence: tuple[float, float]
    seed: int
    share: float = 1.0
    steps: int = 2

    @property
    def edges(self) -> tuple[int, ...]:
        """Ends of the intervals."""
        return interval_edges(self.horizon_days, self.steps)


@dataclass(frozen=True)
class FittedHazard:
    """A hazard classifier, or None, and in words and numbers how it came about."""

    model: HazardModel | None
    status: str
    info: dict[str, Any]


def fit_hazards(
    today: LabelTime, before: Before, plans: Sequence[Plan], last_year: Before = lambda day: ()
) -> list[FittedHazard]:
    """Fit the classifiers of several populations for a day from what could be seen on it.

    Parameters
    ----------
    today : LabelTime
        Its waits are not read.
    before : callable
        See ``Before``.
    plans : sequence of Plan
        One for each population, all with the same horizon; the largest first.
    last_year : callable
        Gives the label times around the same day of last year: some horizons before it, on it, and one horizon after.
    """
    times = before(today.as_of)
    closed = next((t for t in times if t.watched >= plans[0].horizon_days), None)
    if closed:
        before(closed.as_of)  # made once, before those who ask for it part
    learnt: list[Any] = side_by_side(
        *(partial(_members, times, plan) for plan in plans),
        *(partial(_later_slice, times, before, last_year, plan) for plan in plans),
    )
    parts = zip(plans, learnt[: len(plans)], learnt[len(plans) :], strict=True)
    return [_combined(today, times, last_year(today.as_of), *part) for part in parts]


def _combined(
    today: LabelTime,
    times: Sequence[LabelTime],
    last_year: Sequence[LabelTime],
    plan: Plan,
    learnt: Learnt,
    check: Check | None,
) -> FittedHazard:
    members, left_out, purchases = learnt
    if not members:
        return FittedHazard(None, _why_none([t.only(plan.silence) for t in times], plan.edges), {})
    members |= {STEADY: BtydMember(plan.edges)}
    prior = prior_weights(list(members), purchases)
    dropped: tuple[str, ...] = ()
    weights, intercept, slope, trust = prior, 0.0, 1.0, 0.0
    status = f"personal model with prior weights: no later slice to weigh {len(members)} members on"
    if check:
        said, y, between, trust = check
        known = [name for name in members if name in said]
        said = {name: said[name] for name in known}
        few = prior[STEADY] > min(prior.values())  # labels; then the steady member is not judged by them
        dropped = failing(said, y, spared=STEADY if few else None)
        kept = {name: prior[name] for name in members if name not in dropped}
        prior = {name: w / sum(kept.values()) for name, w in kept.items()}
        weights = _weights(said, y, prior)
        slope = _slope(between, weights)
        intercept = _level(today.only(plan.silence), members, weights, slope)
        status = f"personal model, {len(prior)} members weighted on a later slice"
        status += f", {', '.join(dropped)} dropped for failing there" if dropped else ""
        status += ", recalibrated in shape" if slope != 1.0 else ", no recalibration: none would have lasted"
    used = {name: member for name, member in members.items() if weights.get(name, 0.0) > 0.0}
    model = HazardModel(plan.edges, used, {name: weights[name] for name in used}, intercept, slope)
    if trust > 0.0 and (turn := _turn(model.members, model.weights, last_year, today.as_of, plan)):
        model = replace(model, season=turn.trusted(trust))
        status += f", with {100 * trust:.0f} % of last year's season"
    info = {
        "weights": dict(model.weights),
        "dropped": list(dropped),
        "calibration": {"intercept": intercept, "slope": slope},
        "season": model.season.as_dict() | {"trust": trust} if model.season else None,
        "edges": list(plan.edges),
        "left_out": list(left_out),
        "label_times": [t.as_of.isoformat() for t in times],
        "observed_purchases": int(purchases),
    }
    return FittedHazard(model, status, info)


def _members(label_times: Sequence[LabelTime], plan: Plan) -> Learnt:
    """Return the learned members that the label times can carry, the columns left out, and the purchases seen."""
    times = [t.only(plan.silence) for t in label_times]
    step = step_days(plan.horizon_days)
    ended = [t for t in times if t.watched >= plan.horizon_days and not t.shut_within(plan.horizon_days)]
    closed = _spaced(ended, 4 * step)
    stepped = [t for t in times if t.watched >= step and not t.shut_within(step)]
    recent = [t for t in stepped if _steps_back(t, times, step) <= ROLLED_STEPS]
    members: dict[str, Member] = {}
    left_out: tuple[str, ...] = ()
    counts = [0.0, 0.0]
    if enough(counted := [t.heard(plan.edges) for t in closed]):
        counts[0] = float(sum(c.sum() for c in counted))
        used, left_out = choose_columns([t.features for t in closed], plan.numeric_features, 0)
        calendar = _span(closed) + plan.horizon_days >= YEAR and {*CALENDAR} <= {*plan.numeric_features}
        left_out = tuple(name for name in left_out if not (calendar and name in CALENDAR))
        slices = [_slice(t, int(plan.share * DIRECT_ROWS) // len(closed), plan.seed) for t in closed]
        members |= fit_direct(Design(used, left_out, plan.edges, calendar), slices, plan.seed)
    if enough(counted := [t.heard((step,)) for t in recent]):
        counts[1] = float(sum(c.sum() for c in counted))
        used, _ = choose_columns([t.features for t in recent], plan.numeric_features, _span(recent) + step)
        names = tuple(dict.fromkeys((SILENCE, *(name for name in used if movable(name)))))
        slices = [
            _slice(
                t,
                int(plan.share * ROLLED_ROWS) // len(recent),
                plan.seed,
                weight=float(np.exp(-_steps_back(t, times, step) / (ROLLED_STEPS / 2.0))),
            )
            for t in recent
        ]
        members |= fit_rolled(SilentPath(names), step, plan.edges, slices, plan.seed)
    return members, left_out, max(counts)


def _later_slice(
    label_times: Sequence[LabelTime], before: Before, last_year: Before, plan: Plan
) -> Check | None:
    """Return what members fitted on the day of the newest closed label time said of what followed, and what did.

    Then come the same for its first half and, from a label time half-way, for its second half; and how much of last year's
    season came again, 0 where the history does not tell.
    """
    closed = next((t for t in label_times if t.watched >= plan.horizon_days), None)
    if closed is None or closed.shut_within(plan.horizon_days):
        return None
    lean = replace(plan, share=plan.share / 2.0)  # for weights alone, half the rows tell as much
    members, _, _ = _members(before(closed.as_of), lean)
    if not members:
        return None
    members |= {STEADY: BtydMember(plan.edges)}
    half = max(
        (t for t in label_times if 2 * t.watched <= plan.horizon_days), key=lambda t: t.watched, default=None
    )
    asked = _ask(members, closed, plan)
    said, y = _outcomes(asked, plan.edges, plan.horizon_days)
    if not len(y):
        return None  # everybody had been written to
    equal = dict.fromkeys(members, 1.0 / len(members))
    turn = _turn(members, equal, last_year(closed.as_of), closed.as_of, plan)
    trust = trust_in(turn, _window(asked, equal, closed.as_of), plan.edges) if turn else 0.0
    if half is None:
        return said, y, [], trust
    first = _outcomes(asked, plan.edges, plan.horizon_days - half.watched)
    second = _outcomes(_ask(members, half, plan), plan.edges, half.watched)
    return said, y, [first, second], trust


def _turn(
    members: Mapping[str, Member],
    weights: Mapping[str, float],
    last_year: Sequence[LabelTime],
    day: date,
    plan: Plan,
) -> Season | None:
    there = [time for time in last_year if len(time.only(plan.silence).waits)]
    windows = [_window(_ask(members, time, plan), weights, time.as_of) for time in there]
    return turn_of(windows, day, plan.edges)


def _ask(members: Mapping[str, Member], time: LabelTime, plan: Plan) -> Asked:
    """Ask the members about the horizon after a label time, of some of its contacts."""
    part = _slice(time.only(plan.silence), LATER_ROWS, plan.seed)
    risk, bought = at_risk(plan.edges, part.waits, part.untreated, part.shut)
    return Asked(ask_all(members, part.features, part.models), risk, bought)


def _window(asked: Asked, weights: Mapping[str, float], day: date) -> Window:
    """Return what the members, weighted, say of the horizon after a day, and what happened."""
    return Window(day, mix(asked.said, weights), asked.risk, asked.bought)


def _outcomes(asked: Asked, edges: Sequence[int], watched: int) -> Outcomes:
    """Return the members' log-odds and the outcomes of the person-periods that were at risk and seen to their end."""
    seen = asked.risk & (np.asarray(edges) <= watched)
    return {name: odds[seen] for name, odds in asked.said.items()}, asked.bought[seen]


def _weights(said: dict[str, Array], y: npt.NDArray[np.bool_], prior: dict[str, float]) -> dict[str, float]:
    """Return weights for all of ``prior``: fitted among the members heard on the later slice, the others keep theirs."""
    heard = {name: prior[name] for name in prior if name in said}
    share = sum(heard.values())
    fitted = fit_weights({n: said[n] for n in heard}, y, {n: w / share for n, w in heard.items()})
    return {name: fitted[name] * share if name in fitted else weight for name, weight in prior.items()}


def _slope(halves: Sequence[Outcomes], weights: dict[str, float]) -> float:
    if len(halves) < 2 or any(not 0 < y.sum() < len(y) for _, y in halves):
        return 1.0
    heard = {name: w for name, w in weights.items() if name in halves[0][0]}
    share = {name: w / sum(heard.values()) for name, w in heard.items()}
    earlier, newest = ((mix(said, share), y) for said, y in halves)
    return slope_that_holds(earlier, newest)


def _level(today: LabelTime, members: dict[str, Member], weights: dict[str, float], slope: float) -> float:
    """Return the intercept that keeps the level of today's contacts."""
    if slope == 1.0 or not len(today.features):
        return 0.0
    part = _slice(today, LATER_ROWS, 0)
    voices = {name: members[name] for name, weight in weights.items() if weight > 0}
    said = ask_all(voices, part.features, part.models)
    return level_kept(mix(said, weights), slope)


def enough(outcomes: Sequence[npt.NDArray[np.bool_]]) -> bool:
    """Say whether both outcomes were seen often enough to learn from."""
    bought = sum(int(o.sum()) for o in outcomes)
    return min(bought, sum(len(o) for o in outcomes) - bought) >= MIN_PURCHASES


def _spaced(closed: Sequence[LabelTime], days: int) -> list[LabelTime]:
    """Return the newest and then each at least so many days older than the one before."""
    out: list[LabelTime] = []
    for t in closed:
        if not out or (out[-1].as_of - t.as_of).days >= days:
            out.append(t)
    return out


def _steps_back(time: LabelTime, times: Sequence[LabelTime], step: int) -> int:
    """Return how many steps before today a label time lies; the newest lies one step back."""
    return 1 + (times[0].as_of - time.as_of).days // step


def _slice(time: LabelTime, rows: int, seed: int, *, weight: float = 1.0) -> Slice:
    """Return a label time for fitting, with a random part of its contacts where they are too many."""
    n = len(time.waits)
    if n <= rows:
        return Slice(time.features, time.waits, time.models, weight, time.untreated, time.shut)
    keep = np.sort(np.random.default_rng(seed + time.as_of.toordinal()).choice(n, rows, replace=False))
    untreated = None if time.untreated is None else time.untreated[keep]
    return Slice(time.features.iloc[keep], time.waits[keep], time.models, weight, untreated, time.shut)


def _span(times: Sequence[LabelTime]) -> int:
    return (times[0].as_of - times[-1].as_of).days


def _why_none(times: Sequence[LabelTime], edges: Sequence[int]) -> str:
    if not times:
        return "history too short for a label time: the BTYD model speaks alone"
    bought = int(sum(np.isfinite(t.waits).sum() for t in times))
    heard = int(sum(t.heard(edges).sum() for t in times))
    told = f", {heard} of them without a message," if heard < bought else ""
    return f"{bought} purchases after {len(times)} label times{told} are too few to learn from: BTYD alone"
