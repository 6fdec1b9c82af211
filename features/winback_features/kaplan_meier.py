"""Kaplan-Meier estimates of waiting times in whole days, from counts of closed and of open waits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Z_95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Rate:
    """The share that has come by a day, with its 95 % interval.

    Attributes
    ----------
    rate, low, high : float
        Between 0 and 1.
    at_risk : int
        Waits that had neither come nor been cut off the day before.
    """

    rate: float
    low: float
    high: float
    at_risk: int


@dataclass(frozen=True)
class KaplanMeier:
    """The survival curve of a wait: a step at each day on which one closed.

    Attributes
    ----------
    days : ndarray of int, shape (k,)
        Days with at least one closed wait, ascending.
    at_risk : ndarray of int, shape (k,)
        Waits that lasted at least so long.
    survival : ndarray of float, shape (k,)
        Share still waiting after that day.
    spread : ndarray of float, shape (k,)
        Greenwood's sum of d / (n (n - d)); infinite where nobody is left.
    last_day : int
        The longest wait that was watched, closed or open; nothing is known beyond it.
    waits : ndarray of int, shape (last_day + 2,)
        How many waits, closed or open, lasted at least 0, 1, 2 … days.

    References
    ----------
    Kaplan, E. L. and Meier, P. (1958). Nonparametric estimation from incomplete observations. JASA 53, 457-481.
    """

    days: NDArray[np.int64]
    at_risk: NDArray[np.int64]
    survival: NDArray[np.float64]
    spread: NDArray[np.float64]
    last_day: int
    waits: NDArray[np.int64]

    def after(self, day: int) -> Rate | None:
        """Return the share that has come within ``day`` days; None beyond the longest wait watched.

        The interval is the log-log one, which stays between 0 and 1; where no wait has closed yet, or all
        have, it is no wider than the rate itself.
        """
        if not 0 <= day <= self.last_day:
            return None
        at_risk = int(self.waits[day])
        step = int(np.searchsorted(self.days, day, side="right")) - 1
        if step < 0:
            return Rate(0.0, 0.0, 0.0, at_risk)
        share = float(self.survival[step])
        if share in (0.0, 1.0):
            return Rate(1.0 - share, 1.0 - share, 1.0 - share, at_risk)
        width = Z_95 * math.sqrt(float(self.spread[step])) / abs(math.log(share))
        low, high = 1.0 - share ** math.exp(-width), 1.0 - share ** math.exp(width)
        return Rate(1.0 - share, low, high, at_risk)

    def quantile(self, share: float) -> int | None:
        """Return the first day by which at least ``share`` has come; None where that was not reached."""
        reached = np.flatnonzero(1.0 - self.survival >= share - 1e-12)
        return int(self.days[reached[0]]) if reached.size else None


def kaplan_meier(closed: Mapping[int, int], opened: Mapping[int, int]) -> KaplanMeier:
    """Estimate how long a wait lasts, from those that have ended and those that go on.

    Parameters
    ----------
    closed : mapping of int to int
        Length in days, at least 1 -> how many waits ended after so long.
    opened : mapping of int to int
        Whole days watched, at least 0 -> how many waits have not ended by then.

    Returns
    -------
    KaplanMeier

    Raises
    ------
    ValueError
        When a length is too small or a count negative.

    Examples
    --------
    Of four waits two ended, after 1 and 3 days; one was watched for 2 days, one for 5.

    >>> curve = kaplan_meier({1: 1, 3: 1}, {2: 1, 5: 1})
    >>> curve.after(2).rate, curve.after(3).rate, curve.quantile(0.5)
    (0.25, 0.625, 3)
    >>> curve.after(6) is None
    True
    """
    if any(day < 1 for day in closed) or any(day < 0 for day in opened):
        raise ValueError("a closed wait lasts at least 1 day, an open one is watched for at least 0")
    if any(count < 0 for count in (*closed.values(), *opened.values())):
        raise ValueError("there cannot be fewer than 0 waits")
    last = max((*closed, *opened, 0))
    ended, watched = np.zeros(last + 2, np.int64), np.zeros(last + 2, np.int64)
    for counts, given in ((ended, closed), (watched, opened)):
        for day, count in given.items():
            counts[day] += count
    waits = np.cumsum((ended + watched)[::-1])[::-1]
    days = np.flatnonzero(ended)
    n, d = waits[days], ended[days]
    with np.errstate(divide="ignore"):
        spread = np.cumsum(np.where(n > d, d / (n * np.maximum(n - d, 1.0)), np.inf))
    return KaplanMeier(days, n, np.asarray(np.cumprod(1.0 - d / n), np.float64), spread, last, waits)
