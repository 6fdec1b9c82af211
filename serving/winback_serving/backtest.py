"""What a replay of past days tells of the policy, as one object: counts, comparison at equal flags, lead times, steadiness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from winback_policy import judge
from winback_policy.config import PolicyConfig
from winback_policy.judge import Point, Rule
from winback_serving.replay import Replay

RIVALS = (judge.FIXED_WINDOW, judge.OWN_GAP)
"""What the policy is held against, each at its best threshold; knowing the outcome."""

STEPS = 24
"""Points of a curve over the number of flags."""

REACH = 4
"""The curves run to so many times the policy's flags, and at least to the best window's."""


@dataclass(frozen=True, slots=True)
class Backtest:
    """A judged replay.

    Attributes
    ----------
    trained_on, first_day, last_day : date
        The day the model was trained for, and the days that were judged.
    days, step_days, horizon_days : int
        Days judged, days from one to the next, days ahead.
    true_lapses : int
        Distinct ones that could have been caught.
    flags, caught, unnecessary, late : int
        Spells that the policy flagged; see `winback_policy.judge`.
    precision : float or None
        Share of the flags after which nothing was bought within the horizon.
    lead_days : mapping of int to int
        Lapses caught so many days before the limit of the contact's own rhythm.
    lead_days_median : float or None
    rules : mapping
        Each rival at the same number of flags: ``threshold, flags, caught, more``.
    curves : sequence of mapping
        ``flags``, and what each rule catches with so many.
    capacity : sequence of mapping
        Precision of the first so many flags of each day.
    flapping : mapping
    """

    trained_on: date
    first_day: date
    last_day: date
    days: int
    step_days: int
    horizon_days: int
    true_lapses: int
    flags: int
    caught: int
    unnecessary: int
    late: int
    precision: float | None
    lead_days: Mapping[int, int]
    lead_days_median: float | None
    rules: Mapping[str, Mapping[str, float | None]]
    curves: Sequence[Mapping[str, float]]
    capacity: Sequence[Mapping[str, float]]
    flapping: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return it JSON-ready, days as text."""
        fields = asdict(self)
        days = {name: fields[name].isoformat() for name in ("trained_on", "first_day", "last_day")}
        return {**fields, **days, "lead_days": {str(day): n for day, n in self.lead_days.items()}}


def judge_replay(
    replayed: Replay, days: Sequence[date], horizon_days: int, step_days: int, policy: PolicyConfig
) -> Backtest:
    """Judge a replay.

    Parameters
    ----------
    replayed : Replay
    days : sequence of date
        The days that were replayed; the first only sets the stage.
    horizon_days, step_days : int
    policy : PolicyConfig
        What was replayed.
    """
    entries = judge.entries_judged(replayed.panel)
    ours, ahead = judge.counts(entries), judge.lead_times(entries)
    by_risk = (judge.risk_when_due(policy), judge.RISK_ALONE)
    points = {rule.name: judge.curve(replayed.panel, rule) for rule in (*RIVALS, *by_risk)}
    return Backtest(
        trained_on=days[0],
        first_day=days[1],
        last_day=days[-1],
        days=len(days) - 1,
        step_days=step_days,
        horizon_days=horizon_days,
        true_lapses=judge.true_lapses(replayed.panel),
        flags=ours.flags,
        caught=ours.caught,
        unnecessary=ours.unnecessary,
        late=ours.late,
        precision=1.0 - ours.unnecessary / ours.flags if ours.flags else None,
        lead_days=ahead,
        lead_days_median=judge.median_of(ahead),
        rules=judge.compared(ours, {rule.name: points[rule.name] for rule in RIVALS}),
        curves=curves(points, ours.flags, RIVALS),
        capacity=judge.precision_at(entries),
        flapping=judge.flapping(replayed.panel, replayed.exits, policy.cooldown_days),
    )


def curves(
    points: Mapping[str, Sequence[Point]], flags: int, rivals: Sequence[Rule]
) -> list[dict[str, float]]:
    """Return what each rule catches at equal numbers of flags: rivals at their best threshold, the risk at the one that matches.

    The policy's own number is among them.

    Parameters
    ----------
    points : mapping of str to sequence of Point
        By rule.
    flags : int
        The policy's own.
    rivals : sequence of Rule
    """
    best = max(points[judge.FIXED_WINDOW.name], key=lambda p: p.caught / max(p.flags, 1), default=None)
    reach = max(REACH * flags, best.flags if best else 0)
    numbers = sorted({flags, *(round(reach * step / STEPS) for step in range(1, STEPS + 1))} - {0})
    chosen = {rule.name for rule in rivals}
    return [
        {
            "flags": n,
            **{
                name: (judge.best_at if name in chosen else judge.at_flags)(found, n).caught
                for name, found in points.items()
            },
        }
        for n in numbers
    ]
