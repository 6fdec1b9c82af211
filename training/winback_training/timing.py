"""How good a prediction of *when* is: integrated Brier score, concordance, D-calibration. Pure functions.

Throughout ``waits`` are whole days to the next purchase, 0 on the cut itself, and inf where none came before the window closed;
all windows of one test close on the same day. Shape (n,).

References
----------
Harrell, Lee & Mark (1996), "Multivariable prognostic models", Statistics in Medicine 15(4): concordance.
Haider, Hoehn, Davis & Greiner (2020), "Effective ways to build and evaluate individual survival distributions", J. of Machine
Learning Research 21(85): D-calibration.
Czado, Gneiting & Held (2009), "Predictive model assessment for count data", Biometrics 65(4): the transform of whole days.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import chi2, kendalltau

from winback_models.btyd import Array

BINS = 10


def brier_losses(waits: Array, curves: Array, days: npt.ArrayLike) -> Array:
    """Return (P(purchase within d) - whether it came)² of each contact and day, shape (n, m).

    Parameters
    ----------
    waits : ndarray, shape (n,)
    curves : ndarray, shape (n, m)
        P(purchase within each of ``days``).
    days : array_like, shape (m,)
        None beyond the window: within it nothing is censored.
    """
    within = waits[:, None] < np.asarray(days, dtype=np.float64)[None, :]
    return np.asarray((curves - within) ** 2)


def integrated_brier(waits: Array, curves: Array, days: npt.ArrayLike) -> float:
    """Return the Brier score of P(purchase within d), averaged over ``days``; arguments as ``brier_losses``."""
    return float(np.mean(brier_losses(waits, curves, days))) if len(waits) else float("nan")


def concordance(waits: Array, score: Array) -> float:
    """Return the share of comparable pairs that ``score`` has in the right order, equal scores counting half.

    A pair is comparable when one of the two bought before the other did or before the window closed on it. As all windows
    close together, this is Kendall's concordance of score and wait among the pairs with different waits, in O(n log n).

    Parameters
    ----------
    waits : ndarray, shape (n,)
    score : ndarray, shape (n,)
        Higher for those who should buy sooner.

    Examples
    --------
    >>> round(concordance(np.array([0.0, 5.0, np.inf, np.inf]), np.array([0.9, 0.3, 0.4, 0.1])), 6)
    0.8
    """
    pairs = len(waits) * (len(waits) - 1) / 2.0
    comparable, unequal = pairs - _tied_pairs(waits), pairs - _tied_pairs(score)
    if comparable <= 0:
        return float("nan")
    if unequal <= 0:
        return 0.5
    tau = kendalltau(-waits, score).statistic
    return float(0.5 + 0.5 * tau * np.sqrt(unequal / comparable))


def _tied_pairs(values: Array) -> float:
    counts = np.unique(values, return_counts=True)[1].astype(np.float64)
    return float((counts * (counts - 1.0)).sum() / 2.0)


def survival_intervals(waits: Array, survival: Array) -> Array:
    """Return where the survival function stood when the purchase came, as [low, high]; shape (n, 2).

    A purchase somewhere in day t lies between S(t + 1) and S(t). One not seen by the window's end H lies between 0 and S(H).
    Under the true curves a uniform draw within these intervals is uniform over all contacts.

    Parameters
    ----------
    survival : ndarray, shape (n, H + 1)
        P(no purchase within d days) for d = 0, 1, … H.
    """
    row, last = np.arange(len(waits)), survival.shape[1] - 1
    day = np.where(np.isfinite(waits), waits, last).astype(np.int64)
    low = np.where(day < last, survival[row, np.minimum(day + 1, last)], 0.0)
    return np.column_stack([low, survival[row, day]])


def mass_below(intervals: Array, level: float) -> Array:
    """Return the share of each interval that lies below ``level``, shape (n,): its mass spread evenly, or at one point."""
    low, width = intervals[:, 0], intervals[:, 1] - intervals[:, 0]
    point = (low < level) | (level >= 1.0)
    spread = np.clip(level - low, 0.0, width) / np.where(width > 0, width, 1.0)
    return np.asarray(np.where(width > 0, spread, point))


def interval_coverage(intervals: Array, share: float = 0.8) -> float:
    """Return how much of the purchases fell between the curves' central quantiles; well predicted, it is ``share``.

    A contact not seen to buy counts by the chance that its purchase will still fall inside, given that it has not come.

    Parameters
    ----------
    intervals : ndarray, shape (n, 2)
        From ``survival_intervals``.

    Examples
    --------
    The first bought at a survival of .5, the second has not bought yet while it stands at .3: a third of .3 is below .1.

    >>> round(interval_coverage(np.array([[0.5, 0.5], [0.0, 0.3]])), 4)
    0.8333
    """
    if len(intervals) == 0:
        return float("nan")
    tail = (1.0 - share) / 2.0
    return float(np.mean(mass_below(intervals, 1.0 - tail) - mass_below(intervals, tail)))


def d_calibration(intervals: Array, bins: int = BINS) -> tuple[pd.DataFrame, float]:
    """Return the distribution of survival at purchase over equal bins, and the chi-square p-value of its being uniform.

    Parameters
    ----------
    intervals : ndarray, shape (n, 2)
        From ``survival_intervals``; an interval spreads its contact over the bins it touches.

    Returns
    -------
    table : DataFrame
        ``bin, low, high, n, share``: bin 1 holds the latest purchases (survival near 0), the last bin the earliest.
    p_value : float
        Small when the timing is off. Contacts spread over many bins make it cautious.
    """
    edges = np.linspace(0.0, 1.0, bins + 1)
    n = np.diff([mass_below(intervals, float(e)).sum() for e in edges])
    total = max(float(len(intervals)), 1.0)
    table = pd.DataFrame(
        {"bin": np.arange(1, bins + 1), "low": edges[:-1], "high": edges[1:], "n": n, "share": n / total}
    )
    expected = total / bins
    statistic = float(((n - expected) ** 2 / expected).sum())
    return table, float(chi2.sf(statistic, bins - 1)) if len(intervals) else float("nan")
