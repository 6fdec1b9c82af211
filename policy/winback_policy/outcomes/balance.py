"""Whether the arms were drawn as agreed, and are alike in what was known before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

from scipy.special import chdtrc

from winback_policy.outcomes.effects import difference_of_means
from winback_policy.outcomes.moments import Sums
from winback_policy.outcomes.multiple import holm

LEAST_P = 0.001
"""Below this the arms are called out of balance: once in a thousand by chance."""


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """Counts of the arms against the agreed shares.

    Attributes
    ----------
    counts, expected : mapping of str to number
        Contacts of each arm, as found and as agreed.
    p : float
        Of the chi-square test.
    passed : bool
    """

    counts: Mapping[str, int]
    expected: Mapping[str, float]
    p: float
    passed: bool


@dataclass(frozen=True, slots=True)
class Covariate:
    """How far apart two arms are in a number known before.

    Attributes
    ----------
    name, arm : str
    difference : float
        Of the means, in pooled standard deviations.
    p : float
        By Holm, over all arms and covariates asked for.
    passed : bool
    """

    name: str
    arm: str
    difference: float
    p: float
    passed: bool


def sample_ratio(counts: Mapping[str, int], shares: Mapping[str, float]) -> SampleRatio:
    """Test the counts of the arms against their shares (chi-square).

    Parameters
    ----------
    counts : mapping of str to int
    shares : mapping of str to float
        Any positive numbers; only their ratio counts.

    References
    ----------
    Fabijan et al. (2019), Diagnosing sample ratio mismatch in online controlled experiments. KDD.

    Examples
    --------
    >>> sample_ratio({"a": 821_588, "b": 815_482}, {"a": 1, "b": 1}).passed
    False
    >>> sample_ratio({"a": 905, "b": 95}, {"a": 9, "b": 1}).passed
    True
    """
    n, whole = sum(counts.values()), sum(shares[arm] for arm in counts)
    if not n or not whole:
        return SampleRatio(dict(counts), {}, 1.0, True)
    expected = {arm: n * shares[arm] / whole for arm in counts}
    impossible = any(counts[arm] and not expected[arm] for arm in counts)
    possible = [arm for arm in counts if expected[arm]]
    chi2 = sum((counts[arm] - expected[arm]) ** 2 / expected[arm] for arm in possible)
    p = 0.0 if impossible else float(chdtrc(len(possible) - 1, chi2)) if len(possible) > 1 else 1.0
    return SampleRatio(dict(counts), expected, p, p >= LEAST_P)


def covariate_balance(before: Mapping[str, Mapping[str, Sums]], control: str) -> tuple[Covariate, ...]:
    """Compare every arm with the control in every covariate.

    Parameters
    ----------
    before : mapping of str to mapping of str to Sums
        Covariate, then arm; the covariate stands in ``x`` and ``xx``. One that does not vary is left out.
    control : str
    """
    found = []
    for name, arms in before.items():
        theirs = _as_outcome(arms[control])
        for arm, sums in arms.items():
            if arm == control or min(sums.n, theirs.n) < 2:
                continue
            ours = _as_outcome(sums)
            gap = difference_of_means(ours, theirs, adjust=False)
            spread = sqrt((ours.variance + theirs.variance) / 2)
            if spread:
                found.append((name, arm, gap.value / spread, gap.p))
    together = holm([p for *_, p in found])
    return tuple(
        Covariate(name, arm, difference, p, p >= LEAST_P)
        for (name, arm, difference, _), p in zip(found, together, strict=True)
    )


def _as_outcome(sums: Sums) -> Sums:
    return Sums(sums.n, sums.x, sums.xx)
