"""From sums per cell to what is said: arms, effects with intervals, balance, segments, and how it came in day by day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any

from winback_policy.outcomes.balance import Covariate, SampleRatio, covariate_balance, sample_ratio
from winback_policy.outcomes.cells import Cell, Metric, total
from winback_policy.outcomes.comparison import Comparison, compare
from winback_policy.outcomes.cost import Cost, costs
from winback_policy.outcomes.effects import CONFIDENCE, Interval, mean, wilson
from winback_policy.outcomes.moments import Sums
from winback_policy.outcomes.money import mean_of_money
from winback_policy.outcomes.multiple import heterogeneity, holm


@dataclass(frozen=True, slots=True)
class Plan:
    """What was agreed before anybody looked.

    Attributes
    ----------
    control : str
        The arm that the others are held against.
    metrics : tuple of Metric
        The first one decides; the others are read beside it.
    shares : mapping of str to float
        Of the contacts that each arm was to get; only their ratio counts.
    running : bool
        Whether more contacts come in, so that it is read more than once: then the bounds that hold at every reading decide.
    confidence : float
    """

    control: str
    metrics: tuple[Metric, ...]
    shares: Mapping[str, float]
    running: bool = True
    confidence: float = CONFIDENCE


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric of one arm, with its interval."""

    arm: str
    metric: str
    kind: str
    contacts: int
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Segment:
    """The deciding metric by the levels of one column.

    Attributes
    ----------
    by : str
    same_effect_p : float
        P-value of the effect being the same at all levels, of the arm where it is least.
    levels : tuple of (level, Comparison)
        ``p`` is by Holm, over all levels of all columns and all arms.
    """

    by: str
    same_effect_p: float
    levels: tuple[tuple[str, Comparison], ...]


@dataclass(frozen=True, slots=True)
class Point:
    """The deciding effect as known when the outcomes of a cohort had come in."""

    cohort: str
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class Month:
    """The share that came back, of those who entered in a month."""

    month: str
    arm: str
    contacts: int
    share: float


@dataclass(frozen=True, slots=True)
class Readout:
    """What came of it.

    Attributes
    ----------
    plan : Plan
    contacts : int
    arms : tuple of Measured
    effects : tuple of Comparison
    ratio : SampleRatio
    covariates : tuple of Covariate
    segments : tuple of Segment
    path : tuple of Point
        By cohort, oldest first; empty where there is one cohort.
    months : tuple of Month
    costs : tuple of Cost
    counts : mapping of str to mapping of str to float
        Arm to plain sums: messages, costs.
    """

    plan: Plan
    contacts: int
    arms: tuple[Measured, ...]
    effects: tuple[Comparison, ...]
    ratio: SampleRatio
    covariates: tuple[Covariate, ...] = ()
    segments: tuple[Segment, ...] = ()
    path: tuple[Point, ...] = ()
    months: tuple[Month, ...] = ()
    costs: tuple[Cost, ...] = ()
    counts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def balanced(self) -> bool:
        """Whether the arms are as agreed, and alike in what was known before."""
        return self.ratio.passed and all(c.passed for c in self.covariates)

    def effect(self, arm: str, metric: str) -> Comparison:
        """Return one comparison.

        Raises
        ------
        KeyError
            When there is none.
        """
        for found in self.effects:
            if (found.arm, found.metric) == (arm, metric):
                return found
        raise KeyError((arm, metric))

    def as_dict(self) -> dict[str, Any]:
        """Return the readout as a JSON-ready object."""
        return {**asdict(self), "balanced": self.balanced}


def read(
    cells: Sequence[Cell], plan: Plan, before: Mapping[str, Mapping[str, Sums]] | None = None
) -> Readout:
    """Read an experiment.

    Parameters
    ----------
    cells : sequence of Cell
        Of one scope.
    plan : Plan
    before : mapping of str to mapping of str to Sums, optional
        More covariates to check the balance of, by arm; those of the metrics are checked anyway.

    Examples
    --------
    >>> def arm(name, k): return Cell(name, metrics={"bought": Sums(1000, k, k)})
    >>> plan = Plan("holdout", (Metric("bought"),), {"holdout": 1, "mail": 1}, running=False)
    >>> found = read([arm("holdout", 30), arm("mail", 60)], plan)
    >>> found.effect("mail", "bought").verdict
    'better'
    """
    whole = [cell for cell in cells if not cell.by]
    first = plan.metrics[0]
    sums = total(whole, first.name)
    arms = [plan.control, *(arm for arm in sums if arm != plan.control)]
    counts = {arm: sums.get(arm, Sums()).n for arm in arms}
    shares = {arm: plan.shares.get(arm, 0.0) for arm in arms}
    measured = {m.name: total(whole, m.name) for m in plan.metrics}
    checked = {m.before: measured[m.name] for m in plan.metrics if m.before} | dict(before or {})
    checked = {name: by_arm for name, by_arm in checked.items() if plan.control in by_arm}
    plain = {arm: _counts(whole, arm) for arm in arms}
    effects = tuple(c for m in plan.metrics for c in _compared(measured[m.name], m, plan))
    return Readout(
        plan,
        sum(counts.values()),
        tuple(_measured(measured[m.name], m, arm, plan) for m in plan.metrics for arm in arms),
        effects,
        sample_ratio(counts, shares),
        covariate_balance(checked, plan.control),
        _segments(cells, plan),
        tuple(_path(whole, plan)),
        tuple(_months(whole, first.name)),
        costs(effects, plain, counts, plan.control, first.name),
        plain,
    )


def _compared(arms: Mapping[str, Sums], metric: Metric, plan: Plan) -> list[Comparison]:
    if metric.kind == "about" or plan.control not in arms:
        return []
    return compare(arms, metric, plan.control, running=plan.running, confidence=plan.confidence)


def _measured(arms: Mapping[str, Sums], metric: Metric, arm: str, plan: Plan) -> Measured:
    sums = arms.get(arm, Sums())
    if metric.kind == "share":
        found = wilson(sums.y, sums.n, plan.confidence)
    else:
        found = (mean_of_money if metric.kind == "money" else mean)(sums, plan.confidence)
    low, high = _finite(found.low), _finite(found.high)
    return Measured(arm, metric.name, metric.kind, sums.n, sums.mean, low, high)


def _segments(cells: Sequence[Cell], plan: Plan) -> tuple[Segment, ...]:
    first = plan.metrics[0]
    parts = sorted((c for c in cells if c.by), key=lambda c: (c.by, c.level))
    found = [
        (by, level, comparison)
        for (by, level), here in groupby(parts, key=lambda c: (c.by, c.level))
        for comparison in _compared(total(here, first.name), first, plan)
    ]
    together = holm([c.deciding_p(running=plan.running) for *_, c in found])
    read_ = [(by, level, c.at(p, plan.confidence)) for (by, level, c), p in zip(found, together, strict=True)]
    out = []
    for by, rows in groupby(read_, key=lambda row: row[0]):
        levels = tuple((level, c) for _, level, c in rows)
        arms = sorted({c.arm for _, c in levels})
        same = [
            heterogeneity([Interval(c.value, 0, 0, c.se) for _, c in levels if c.arm == arm and c.enough])
            for arm in arms
        ]
        out.append(Segment(by, min(holm(same)), levels))
    return tuple(out)


def _path(cells: Sequence[Cell], plan: Plan) -> list[Point]:
    """Return the effect as it came in; nothing where there is one cohort only."""
    first, so_far, points = plan.metrics[0], dict[str, Sums](), []
    known = sorted((c for c in cells if first.name in c.metrics), key=lambda c: c.cohort)
    for cohort, here in groupby(known, key=lambda c: c.cohort):
        for arm, sums in total(here, first.name).items():
            so_far[arm] = so_far.get(arm, Sums()) + sums
        points += [Point(cohort, c) for c in _compared(so_far, first, plan)]
    return points if len({p.cohort for p in points}) > 1 else []


def _months(cells: Sequence[Cell], metric: str) -> list[Month]:
    dated = sorted((c for c in cells if c.cohort), key=lambda c: c.cohort[:7])
    return [
        Month(month, arm, sums.n, sums.mean)
        for month, here in groupby(dated, key=lambda c: c.cohort[:7])
        for arm, sums in total(here, metric).items()
    ]


def _counts(cells: Sequence[Cell], arm: str) -> dict[str, float]:
    out: dict[str, float] = {}
    for cell in cells:
        if cell.arm == arm:
            for name, n in cell.counts.items():
                out[name] = out.get(name, 0.0) + n
    return dict(sorted(out.items()))


def _finite(value: float) -> float | None:
    return value if abs(value) != float("inf") else None
