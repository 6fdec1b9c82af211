"""One arm against the control in one metric: the estimate, its two intervals, and what may be said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Literal

from winback_policy.holdout import detectable_effect
from winback_policy.outcomes.cells import Metric
from winback_policy.outcomes.effects import CONFIDENCE, difference_of_shares
from winback_policy.outcomes.moments import Sums
from winback_policy.outcomes.money import buyers, difference_of_money
from winback_policy.outcomes.multiple import holm
from winback_policy.outcomes.sequential import ENOUGH, always_valid

Verdict = Literal["better", "worse", "unclear", "too_few"]

LEAST = 5
"""The same as ``ENOUGH`` where the experiment is over and is read once."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The difference of an arm to the control.

    Attributes
    ----------
    arm, metric, kind : str
    contacts, control_contacts : int
    value : float
        Of the arm minus that of the control.
    low, high : float, optional
        The interval for one reading; none where there are too few.
    often_low, often_high : float, optional
        The interval for any number of readings.
    se : float
    p : float
        That by which ``verdict`` was found: by Holm over the arms, and always valid where the experiment runs.
    often_p : float
        The always-valid one, uncorrected.
    relative : float, optional
        ``value`` as a share of the control's.
    detectable : float, optional
        Of a share: the smallest rise that so many contacts would show at one reading four times in five.
    enough : bool
        Whether both arms hold enough contacts with and without.
    verdict : {"better", "worse", "unclear", "too_few"}
    """

    arm: str
    metric: str
    kind: str
    contacts: int
    control_contacts: int
    value: float
    low: float | None
    high: float | None
    often_low: float | None
    often_high: float | None
    se: float
    p: float
    often_p: float
    relative: float | None
    detectable: float | None
    enough: bool
    verdict: Verdict = "unclear"

    def deciding_p(self, *, running: bool) -> float:
        """Return the p-value that counts: of one reading, or of any number of them; 1 where there are too few."""
        return (self.often_p if running else self.p) if self.enough else 1.0

    def at(self, p: float, confidence: float) -> Comparison:
        """Return the comparison judged by a p-value that was corrected for how many are asked."""
        said: Verdict = "unclear" if p > 1 - confidence else "better" if self.value > 0 else "worse"
        return replace(self, p=p, verdict=said if self.enough else "too_few")


def compare(
    arms: Mapping[str, Sums],
    metric: Metric,
    control: str,
    *,
    running: bool,
    confidence: float = CONFIDENCE,
) -> list[Comparison]:
    """Hold every arm against the control in one metric.

    Parameters
    ----------
    arms : mapping of str to Sums
        With the control.
    metric : Metric
    control : str
    running : bool
        Whether it may be read again; then the bounds that hold at every reading decide.
    confidence : float

    Examples
    --------
    >>> arms = {"holdout": Sums(9102, 29, 29), "men": Sums(9165, 96, 96)}
    >>> (found,) = compare(arms, Metric("bought"), "holdout", running=False)
    >>> round(found.value, 4), found.verdict
    (0.0073, 'better')
    """
    theirs, others = arms[control], {arm: sums for arm, sums in arms.items() if arm != control}
    each = 1 - (1 - confidence) / max(len(others), 1)
    found = [_pair(arm, sums, theirs, metric, running, confidence, each) for arm, sums in others.items()]
    together = holm([c.deciding_p(running=running) for c in found])
    return [c.at(p, confidence) for c, p in zip(found, together, strict=True)]


def _pair(
    arm: str, ours: Sums, theirs: Sums, metric: Metric, running: bool, confidence: float, each: float
) -> Comparison:
    share = metric.kind == "share"
    once = (difference_of_shares if share else difference_of_money)(ours, theirs, confidence)
    often = always_valid(once, ours.n + theirs.n, each)
    base = theirs.mean
    known = ours.n > 1 and theirs.n > 1
    return Comparison(
        arm=arm,
        metric=metric.name,
        kind=metric.kind,
        contacts=ours.n,
        control_contacts=theirs.n,
        value=once.value,
        low=_bound(once.low, known),
        high=_bound(once.high, known),
        often_low=_bound(often.low, known),
        often_high=_bound(often.high, known),
        se=once.se,
        p=once.p,
        often_p=often.p,
        relative=once.value / base if base else None,
        detectable=detectable_effect(ours.n, theirs.n, base) if share else None,
        enough=all(_enough(s, ENOUGH if running else LEAST, share=share) for s in (ours, theirs)),
    )


def _enough(sums: Sums, least: int, *, share: bool) -> bool:
    """Say whether an arm holds enough contacts on either side; of money, enough contacts that spent any."""
    with_it = sums.y if share else buyers(sums)
    return with_it >= least and (not share or sums.n - sums.y >= least)


def _bound(value: float, known: bool) -> float | None:
    return value if known and isfinite(value) else None
