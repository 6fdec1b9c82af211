"""Judge flags on past days: lapses caught before they happened, and at what cost, beside two simpler rules.

What is judged is a *panel*: one row per contact of the active base and replayed day, with `PANEL_SCHEMA`.

- A *spell* is one silence: the days from one purchase of a contact to its next. Flags of one spell count once, by the first.
- A *true lapse* is a spell with a day on which the contact was on the active base, was not yet past the limit of its own rhythm
  (``days_overdue <= 0``), and then bought nothing within the horizon.
- A flag *catches* it when it falls on such a day. A flag is *unnecessary* when the contact bought within the horizon anyway,
  and *late* when the limit had passed.
- The first day of a replay only sets the stage: who is beyond a threshold on it is nobody's flag.

A *rule* gives every contact a number each day, and flags a spell on the first day on which the number reaches a threshold. Days
on which the contact may not be flagged at all (``may_flag``) are no rule's. So one pass over the panel tells the flags of a rule
at every threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import ibis

from winback_policy.config import PolicyConfig
from winback_policy.eligibility import in_its_time, open_silence
from winback_policy.ranking import best_first

PANEL_SCHEMA = {
    "contact_id": "string",
    "day": "date",
    "spell": "int64",
    "on_base": "boolean",
    "may_flag": "boolean",
    "entered": "boolean",
    "bought": "boolean",
    "days_since_purchase": "float64",
    "closed_days_in_silence": "float64",
    "days_overdue": "float64",
    "gap_mean": "float64",
    "usual_gap_days": "float64",
    "horizon_days": "float64",
    "p_lapse": "float64",
    "value_at_risk": "float64",
}
"""Columns of a panel. ``spell``: number of the day of the last purchase (``date.toordinal``); ``entered``: the policy flagged the
contact that day; ``bought``: it bought within the horizon."""

SPELL = ("contact_id", "spell")
CAPACITIES = (1, 2, 5, 10, 20, 50, 100)
"""Flags a day, at which precision is reported."""

COUNTS = ("flags", "caught", "unnecessary", "late")


@dataclass(frozen=True, slots=True)
class Rule:
    """A number that rises as a contact becomes more worth a flag, and its steps.

    Attributes
    ----------
    name : str
    measure : callable
        Panel to a float column; null where the rule is silent.
    steps : int
        Thresholds lie so close: so many to one unit of the measure.
    """

    name: str
    measure: Callable[[Any], Any]
    steps: int


@dataclass(frozen=True, slots=True)
class Point:
    """What a rule does at one threshold.

    Attributes
    ----------
    threshold : float
        In the rule's own unit.
    flags, caught, unnecessary, late : int
        Spells flagged; of these: true lapses caught, bought within the horizon anyway, flagged past the limit.
    """

    threshold: float
    flags: int
    caught: int
    unnecessary: int
    late: int


@dataclass(frozen=True, slots=True)
class Matched:
    """A rule brought to a given number of flags.

    Attributes
    ----------
    threshold : float
    flags : int
        What the rule flags at this threshold, before the cut.
    caught : float
        True lapses caught at the given number; expected ones where flags were cut by lot.
    """

    threshold: float
    flags: int
    caught: float


FIXED_WINDOW = Rule("fixed_window", lambda t: t.days_since_purchase, 1)
"""Flag when so many days have passed since the last purchase."""

OWN_GAP = Rule("own_gap", lambda t: t.days_since_purchase / t.gap_mean.nullif(0.0), 20)
"""Flag when the silence reaches so many of the contact's own mean gaps."""

RISK_ALONE = Rule("risk_alone", lambda t: t.p_lapse, 1000)
"""Flag when P(no purchase within the horizon) reaches so much, however early in the contact's rhythm."""


def risk_when_due(policy: PolicyConfig) -> Rule:
    """Return the policy's rule: the risk counts from the day on which the contact's own rhythm allows a flag."""
    return Rule("risk", lambda t: ibis.ifelse(in_its_time(t, open_silence(t), policy), t.p_lapse, None), 1000)


def verdicts(panel: Any) -> Any:
    """Say of every row of a panel what a flag on it would be: add ``caught``, ``unnecessary`` and ``late`` (bool).

    Days before the contact's second purchase day or beyond two horizons (not ``on_base``) catch nothing.
    """
    early = (panel.days_overdue <= 0).fill_null(False)
    return panel.mutate(
        caught=panel.on_base & early & ~panel.bought, unnecessary=panel.bought, late=panel.on_base & ~early
    )


def true_lapses(panel: Any) -> int:
    """Count the true lapses of a panel, flagged or not, after its first day."""
    found = _after_first_day(verdicts(panel))
    return _number(found.filter(found.caught).select(*SPELL).distinct().count())


def curve(panel: Any, rule: Rule) -> list[Point]:
    """Return what a rule does at every threshold at which it flags anything, lowest threshold first.

    A row flags its spell at each threshold above the spell's highest measure so far, up to the row's own. So every row counts
    once where its own measure begins and is taken back where the spell's earlier measure ends.

    Parameters
    ----------
    panel : ibis.Table
        `PANEL_SCHEMA`.
    rule : Rule

    Returns
    -------
    list of Point
        Does not depend on the order of rows.
    """
    t = panel.filter(panel.may_flag)
    notch = (rule.measure(t) * ibis.literal(rule.steps, "float64") + 1e-9).floor().cast("int64")
    t = verdicts(t.mutate(notch=ibis.greatest(notch, 0)))
    t = t.filter(t.notch.notnull())
    before = ibis.window(group_by=SPELL, order_by="day", rows=(None, -1))
    t = _after_first_day(t.mutate(reached=t.notch.max().over(before).fill_null(0)), panel)
    t = t.filter(t.notch > t.reached)
    t = t.mutate(flags=ibis.literal(True))
    sums = {name: t[name].cast("int64").sum() for name in COUNTS}
    begun = t.group_by("notch").aggregate(**sums).to_pyarrow().to_pylist()
    ended = t.group_by(notch=t.reached).aggregate(**sums).to_pyarrow().to_pylist()
    top = max((row["notch"] for row in begun), default=0)
    changes = {name: [0] * (top + 1) for name in COUNTS}
    for rows, sign in ((begun, 1), (ended, -1)):
        for row in rows:
            for name in COUNTS:
                changes[name][row["notch"]] += sign * row[name]
    totals = {name: list(accumulate(reversed(changes[name])))[::-1] for name in COUNTS}
    return [
        Point(notch / rule.steps, *(totals[name][notch] for name in COUNTS)) for notch in range(1, top + 1)
    ]


def best_at(points: Sequence[Point], flags: int) -> Matched:
    """Return a rule at its best threshold for a number of flags, chosen knowing the outcome.

    Where the rule flags more, as many are kept by lot: then the lapses caught are the expected ones. Where it flags fewer, what
    it catches stands. Both favour the rule, as does the choice of its threshold on the very days it is judged on.

    Examples
    --------
    >>> best_at([Point(10, 400, 100, 0, 0), Point(20, 150, 60, 0, 0)], flags=200)
    Matched(threshold=20, flags=150, caught=60.0)
    >>> best_at([Point(10, 400, 100, 0, 0), Point(20, 150, 30, 0, 0)], flags=200)
    Matched(threshold=10, flags=400, caught=50.0)
    """
    brought = [
        Matched(p.threshold, p.flags, p.caught * min(flags, p.flags) / p.flags) for p in points if p.flags
    ]
    return max(brought, key=lambda m: (m.caught, -m.flags), default=Matched(float("nan"), 0, 0.0))


def at_flags(points: Sequence[Point], flags: int) -> Matched:
    """Return a rule at the threshold that just gives a number of flags; what it flags above that is cut by lot.

    Examples
    --------
    >>> at_flags([Point(0.2, 400, 100, 0, 0), Point(0.3, 250, 75, 0, 0), Point(0.4, 90, 50, 0, 0)], flags=200)
    Matched(threshold=0.3, flags=250, caught=60.0)
    """
    there = [p for p in points if p.flags]
    if not there:
        return Matched(float("nan"), 0, 0.0)
    enough = [p for p in there if p.flags >= flags]
    near = min(enough, key=lambda p: (p.flags, -p.threshold)) if enough else max(there, key=lambda p: p.flags)
    return Matched(near.threshold, near.flags, near.caught * min(flags, near.flags) / near.flags)


def entries_judged(panel: Any) -> Any:
    """Return the policy's flags: the first entry of each spell after the panel's first day, with its verdicts.

    Returns
    -------
    ibis.Table
        The panel's columns, ``caught``, ``unnecessary``, ``late``, and ``lead_days``: days from the flag to the limit of the
        contact's own rhythm; null where it was late.
    """
    entered = panel.filter(panel.entered)
    first = ibis.row_number().over(group_by=SPELL, order_by=entered.day) == 0
    t = _after_first_day(verdicts(entered.mutate(first=first)), panel)
    t = t.filter(t.first)
    return t.mutate(lead_days=ibis.ifelse(t.late, None, -t.days_overdue)).drop("first")


def counts(entries: Any) -> Point:
    """Return the policy's flags as a point; its threshold is nan."""
    sums = {name: entries[name].cast("int64").sum().fill_null(0) for name in COUNTS[1:]}
    found = entries.aggregate(flags=entries.count(), **sums).to_pyarrow().to_pylist()[0]
    return Point(float("nan"), *(int(found[name]) for name in COUNTS))


def lead_times(entries: Any) -> dict[int, int]:
    """Return how many true lapses were caught so many days before the limit of the contact's own rhythm."""
    caught = entries.filter(entries.caught)
    days = caught.mutate(ahead=caught.lead_days.floor().cast("int64"))
    rows = days.group_by("ahead").aggregate(n=days.count()).order_by("ahead").to_pyarrow().to_pylist()
    return {row["ahead"]: row["n"] for row in rows}


def precision_at(entries: Any, capacities: Sequence[int] = CAPACITIES) -> list[dict[str, float]]:
    """Return, for so many flags a day taken best first as the policy ranks them, how many lapsed.

    Returns
    -------
    list of dict
        ``capacity``, ``flags``, and ``precision``: the share that bought nothing within the horizon. Capacities that no day fills
        are left out, save the first of them.
    """
    place = ibis.row_number().over(group_by=entries.day, order_by=best_first(entries))
    ranked = entries.mutate(place=place)
    by_place = ranked.group_by("place").aggregate(flags=ranked.count(), lapsed=(~ranked.bought).sum())
    rows = by_place.order_by("place").to_pyarrow().to_pylist()
    out: list[dict[str, float]] = []
    for capacity in capacities:
        kept = [row for row in rows if row["place"] < capacity]
        flags = sum(row["flags"] for row in kept)
        if flags:
            lapsed = sum(row["lapsed"] for row in kept)
            out.append({"capacity": capacity, "flags": flags, "precision": lapsed / flags})
        if len(rows) <= capacity:
            break
    return out


def flapping(panel: Any, exits: Any, cooldown_days: int) -> dict[str, Any]:
    """Tell how steady the list is.

    Parameters
    ----------
    panel : ibis.Table
    exits : ibis.Table
        Those of `winback_policy.decide` for all days.
    cooldown_days : int

    Returns
    -------
    dict
        ``entries``, ``contacts`` that entered, ``entries_per_contact``, ``entered_again`` (contacts with more than one entry),
        ``again_in_cooldown`` (entries within ``cooldown_days`` of an exit of the contact), ``again_in_spell`` (entries after the
        first of a spell), and ``exits`` by reason.
    """
    entered = panel.filter(panel.entered)
    by_contact = entered.group_by("contact_id").aggregate(n=entered.count())
    total = by_contact.aggregate(
        entries=by_contact.n.sum().fill_null(0),
        contacts=by_contact.count(),
        entered_again=by_contact.count(where=by_contact.n > 1),
    )
    found = {name: int(value) for name, value in total.to_pyarrow().to_pylist()[0].items()}
    spells = _number(entered.select(*SPELL).distinct().count())
    left = exits.select(left_id=exits.contact_id, exited_at=exits.exited_at)
    again = entered.join(
        left, [entered.contact_id == left.left_id, entered.day >= left.exited_at], how="inner"
    )
    soon = again.filter(again.day.delta(again.exited_at, unit="day") < cooldown_days)
    reasons = exits.group_by("exit_reason").aggregate(n=exits.count()).order_by("exit_reason")
    return {
        **found,
        "entries_per_contact": found["entries"] / found["contacts"] if found["contacts"] else 0.0,
        "again_in_cooldown": _number(soon.select("contact_id", "day").distinct().count()),
        "again_in_spell": found["entries"] - spells,
        "exits": {row["exit_reason"]: row["n"] for row in reasons.to_pyarrow().to_pylist()},
    }


def compared(ours: Point, curves: Mapping[str, Sequence[Point]]) -> dict[str, dict[str, float | None]]:
    """Set the policy's flags against rules at the same number of flags, each at its best threshold.

    Returns
    -------
    dict
        Rule to ``threshold``, ``flags`` (before the cut), ``caught``, and ``more``: our lapses caught over the rule's, minus one;
        None where the rule catches none.
    """
    out: dict[str, dict[str, float | None]] = {}
    for name, points in curves.items():
        best = best_at(points, ours.flags)
        more = ours.caught / best.caught - 1.0 if best.caught else None
        out[name] = {
            "threshold": best.threshold if best.flags else None,
            "flags": best.flags,
            "caught": best.caught,
            "more": more,
        }
    return out


def median_of(histogram: Mapping[int, int]) -> float | None:
    """Return the median of a histogram; None where it is empty.

    >>> median_of({0: 1, 3: 2, 9: 1}), median_of({1: 1, 2: 1}), median_of({})
    (3.0, 1.5, None)
    """
    total = sum(histogram.values())
    if not total:
        return None
    ends = [sum(n for day, n in histogram.items() if day <= at) for at in sorted(histogram)]
    low = next(d for d, end in zip(sorted(histogram), ends, strict=True) if 2 * end >= total)
    high = next(d for d, end in zip(sorted(histogram), ends, strict=True) if 2 * end > total)
    return (low + high) / 2


def _after_first_day(t: Any, panel: Any | None = None) -> Any:
    """Leave out the first day of the panel, which only sets the stage."""
    days = t if panel is None else panel
    return t.filter(t.day > days.day.min().as_scalar())


def _number(expression: Any) -> int:
    return int(expression.to_pyarrow().as_py())
