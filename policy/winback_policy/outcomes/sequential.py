"""An interval that may be looked at every day: it covers the truth at all times at once.

A plain 95 % interval is wrong one time in twenty at one reading. Who reads it daily and stops when it pleases is wrong far more
often. The asymptotic confidence sequence here is wider, and may be read as often as one likes:

    half width(n) = se * sqrt( 2 (n r + 1) / (n r) * log( sqrt(n r + 1) / alpha ) )

with ``se`` the standard error of the estimate from ``n`` contacts, and ``r = rho^2`` the one free number. It is chosen so that
the interval is narrowest at ``PLANNED`` contacts, before any outcome is seen.

The same mixture gives an always-valid p-value: the smallest alpha whose sequence excludes zero now.

References
----------
Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2021), Time-uniform central limit theory and asymptotic confidence sequences,
theorem 2.2. Robbins (1970), Statistical methods related to the law of the iterated logarithm. Johari, Koomen, Pekelis & Walsh
(2017), Peeking at A/B tests.
"""

from __future__ import annotations

from math import exp, log, sqrt

from winback_policy.outcomes.effects import CONFIDENCE, Interval

PLANNED = 5_000
"""Contacts at which the sequence is narrowest; a factor of ten more or less widens it by about a tenth."""

ENOUGH = 20
"""Contacts with and without a purchase that each arm must have before anything is announced: the sequence is asymptotic."""


def always_valid(
    estimate: Interval, n: int, confidence: float = CONFIDENCE, planned: int = PLANNED
) -> Interval:
    """Return the estimate with bounds that hold at every reading.

    Parameters
    ----------
    estimate : Interval
        Its ``value`` and ``se`` are used.
    n : int
        Contacts in all arms together.
    confidence : float
    planned : int
        Contacts at which the sequence is narrowest.

    Examples
    --------
    >>> once = Interval(0.02, 0.0004, 0.0396, se=0.01)
    >>> often = always_valid(once, 5_000)
    >>> round(often.low, 3), round(often.high, 3), round(often.p, 2)
    (-0.01, 0.05, 0.51)
    """
    if n < 1 or estimate.se <= 0:
        return Interval(estimate.value, float("-inf"), float("inf"), estimate.se)
    alpha = 1 - confidence
    weight = n * _tuned(alpha, planned)
    half = estimate.se * sqrt(2 * (weight + 1) / weight * log(sqrt(weight + 1) / alpha))
    z = estimate.value / estimate.se
    p = min(1.0, sqrt(weight + 1) * exp(-z * z / 2 * weight / (weight + 1)))
    return Interval(estimate.value, estimate.value - half, estimate.value + half, estimate.se, p)


def _tuned(alpha: float, planned: int) -> float:
    """Return rho squared that makes the sequence about narrowest at ``planned`` contacts (first reference, appendix B.2)."""
    return (-2 * log(alpha) + log(-2 * log(alpha) + 1)) / planned
