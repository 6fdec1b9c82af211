"""The effect of a treatment on a share or on money, with an interval, from sums alone."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from scipy.special import stdtr, stdtrit

from winback_policy.outcomes.moments import Sums

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its bounds.

    Attributes
    ----------
    value, low, high : float
    se : float
        Standard error; of a share's difference the plain one, variances not pooled.
    p : float
        Two-sided, of no difference; 1 where it cannot be told.
    """

    value: float
    low: float
    high: float
    se: float = 0.0
    p: float = 1.0


def wilson(successes: float, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Return a share with its score interval.

    References
    ----------
    Wilson (1927), Probable inference, the law of succession, and statistical inference. JASA 22.

    Examples
    --------
    >>> found = wilson(81, 263)
    >>> round(found.low, 4), round(found.high, 4)
    (0.2553, 0.3662)
    """
    if n < 1:
        return Interval(0.0, 0.0, 1.0)
    z, share = _z(confidence), successes / n
    centre = share + z * z / (2 * n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    whole = 1 + z * z / n
    low = 0.0 if successes == 0 else max(0.0, (centre - half) / whole)
    high = 1.0 if successes == n else min(1.0, (centre + half) / whole)
    return Interval(share, low, high, sqrt(share * (1 - share) / n))


def difference_of_shares(treated: Sums, control: Sums, confidence: float = CONFIDENCE) -> Interval:
    """Return the treated share minus the control's, with Newcombe's hybrid score interval.

    The p-value is that of the score test (variances pooled).

    References
    ----------
    Newcombe (1998), Interval estimation for the difference between independent proportions. Statistics in Medicine 17,
    method 10.

    Examples
    --------
    >>> found = difference_of_shares(Sums(70, 56, 56), Sums(80, 48, 48))
    >>> round(found.low, 4), round(found.high, 4)
    (0.0524, 0.3339)
    """
    if not (treated.n and control.n):
        return Interval(0.0, -1.0, 1.0)
    ours, theirs = wilson(treated.y, treated.n, confidence), wilson(control.y, control.n, confidence)
    value = ours.value - theirs.value
    low = value - sqrt((ours.value - ours.low) ** 2 + (theirs.high - theirs.value) ** 2)
    high = value + sqrt((ours.high - ours.value) ** 2 + (theirs.value - theirs.low) ** 2)
    pooled = (treated.y + control.y) / (treated.n + control.n)
    under_null = sqrt(pooled * (1 - pooled) * (1 / treated.n + 1 / control.n))
    p = 1.0 if under_null == 0 else 2 * NormalDist().cdf(-abs(value) / under_null)
    return Interval(value, low, high, sqrt(ours.se**2 + theirs.se**2), p)


def mean(sums: Sums, confidence: float = CONFIDENCE) -> Interval:
    """Return a mean with Student's interval.

    >>> found = mean(Sums.of([1, 2, 3]))
    >>> round(found.low, 2), round(found.high, 2)
    (-0.48, 4.48)
    """
    if sums.n < 2:
        return Interval(sums.mean, float("-inf"), float("inf"))
    se = sqrt(sums.variance / sums.n)
    half = float(stdtrit(sums.n - 1, (1 + confidence) / 2)) * se
    return Interval(sums.mean, sums.mean - half, sums.mean + half, se)


def difference_of_means(
    treated: Sums, control: Sums, confidence: float = CONFIDENCE, *, adjust: bool = True
) -> Interval:
    """Return the treated mean minus the control's, adjusted for the covariate (CUPED), with Welch's interval.

    With the slope ``t`` the difference is ``(y1 - y0) - t (x1 - x0)`` of the arms' means. The slope is the one that makes its
    variance least: ``t = (c1/n1 + c0/n0) / (v1/n1 + v0/n0)``, with c the covariances of outcome and covariate and v the
    variances of the covariate. A covariate that does not vary changes nothing.

    Parameters
    ----------
    treated, control : Sums
    confidence : float
    adjust : bool
        False leaves the covariate out.

    References
    ----------
    Deng, Xu, Kohavi & Walker (2013), Improving the sensitivity of online controlled experiments by utilizing pre-experiment
    data. WSDM. Welch (1947), Biometrika 34.

    Examples
    --------
    >>> found = difference_of_means(Sums.of([3, 5, 7]), Sums.of([1, 2, 3]))
    >>> found.value, found.low < 0 < found.high
    (3.0, True)
    """
    value, spread1, spread0 = adjusted(treated, control) if adjust else _plain(treated, control)
    se = sqrt(spread1 + spread0)
    if se == 0 or min(treated.n, control.n) < 2:
        return Interval(value, float("-inf"), float("inf"))
    degrees = (spread1 + spread0) ** 2 / (spread1**2 / (treated.n - 1) + spread0**2 / (control.n - 1))
    half = float(stdtrit(degrees, (1 + confidence) / 2)) * se
    return Interval(value, value - half, value + half, se, float(2 * stdtr(degrees, -abs(value) / se)))


def _plain(treated: Sums, control: Sums) -> tuple[float, float, float]:
    spread1, spread0 = (s.variance / max(s.n, 1) for s in (treated, control))
    return treated.mean - control.mean, spread1, spread0


def adjusted(treated: Sums, control: Sums) -> tuple[float, float, float]:
    """Return the difference of means that the covariate leaves (CUPED), and each arm's share of its variance."""
    arms = (treated, control)
    before = sum(s.variance_before / max(s.n, 1) for s in arms)
    slope = sum(s.covariance / max(s.n, 1) for s in arms) / before if before > 0 else 0.0
    value = treated.mean - control.mean - slope * (treated.mean_before - control.mean_before)
    spread1, spread0 = (
        max(s.variance - 2 * slope * s.covariance + slope**2 * s.variance_before, 0.0) / max(s.n, 1)
        for s in arms
    )
    return value, spread1, spread0


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)
