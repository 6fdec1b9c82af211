"""How the season moves the whole base: this year's is expected to turn as last year's did.

The members learn from the last months and expect their level to last. Where the history holds the same days of last year, the
finished classifier is asked what it would have said then: how far its log-odds lay from what happened in the horizon that
followed, less how far they lay in the horizons before. What is left is the turn of the season, freed of whatever else has changed
since. It counts as much as it would have counted a horizon ago, where it is seen whether this year follows the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from winback_features.order_features import YEAR_DAYS
from winback_models.btyd import Array
from winback_models.design import CALENDAR

LAST_YEAR = 364
"""Days back to the same days of last year: whole weeks, so that weekdays fall on weekdays."""

HORIZONS_BEFORE = 3
FADING = 1.5
"""Members learn from about so many horizons; their weight falls to 1/e in so many."""

EARLIER = 30.0
"""A season may be asked about so many days before it was learned; further back is next year."""

LEVEL, INTERVAL = 4.0, 16.0
"""Ridge that draws the shift of a window to 0, and that of an interval to its window's: one over the variance expected."""

TRUST, TRUST_RIDGE = 0.5, 4.0
"""How much of last year's turn is expected to come again where there was none to see of it lately, and how firmly."""

CHANCE = 0.15
"""What moves the base from one interval to the next beside the season, in log-odds: a standard deviation."""


@dataclass(frozen=True)
class Season:
    """A shift of log-odds by calendar day.

    Attributes
    ----------
    learned_on : date
    ahead : tuple of float
        Days after that day, rising.
    shifts : tuple of float
        Log-odds to be added on them.
    """

    learned_on: date
    ahead: tuple[float, ...]
    shifts: tuple[float, ...]

    def at(self, features: pd.DataFrame, days: Array) -> Array:
        """Return the shift so many ``days`` after the features were taken, shape (n, len(days)); beyond its ends it stays.

        Parameters
        ----------
        features : DataFrame, shape (n, …)
            With `winback_models.design.CALENDAR`: they tell the day of the year.
        days : ndarray, shape (m,)
        """
        sin, cos = (features[name].to_numpy(np.float64) for name in CALENDAR)
        of_year = np.arctan2(sin, cos) / (2.0 * np.pi) * YEAR_DAYS
        passed = of_year - (self.learned_on.timetuple().tm_yday - 1)
        passed = np.mod(passed + EARLIER, YEAR_DAYS) - EARLIER
        return np.asarray(np.interp(passed[:, None] + days[None, :], self.ahead, self.shifts))

    def as_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {
            "learned_on": self.learned_on.isoformat(),
            "ahead": list(self.ahead),
            "shifts": list(self.shifts),
        }

    def trusted(self, share: float) -> Season:
        """Return the same, counted by a share."""
        return replace(self, shifts=tuple(share * shift for shift in self.shifts))


@dataclass(frozen=True)
class Window:
    """What was said of a horizon, and what happened.

    Attributes
    ----------
    as_of : date
        Its first day.
    odds : ndarray, shape (n, intervals)
        Log-odds of a purchase in each interval that is entered without one.
    risk, bought : ndarray of bool, shape (n, intervals)
        The interval was entered without a purchase; it held one.
    """

    as_of: date
    odds: Array
    risk: npt.NDArray[np.bool_]
    bought: npt.NDArray[np.bool_]

    def shifts(self) -> Array:
        """Return by how much more was bought in each interval than was said, in log-odds; shape (intervals,)."""
        whole = level(self.odds[self.risk], self.bought[self.risk], LEVEL)
        each = [
            level(odds[risk] + whole, bought[risk], INTERVAL)
            for odds, risk, bought in zip(self.odds.T, self.risk.T, self.bought.T, strict=True)
        ]
        return whole + np.asarray(each)


def level(odds: Array, y: npt.NDArray[np.bool_], ridge: float) -> float:
    """Return what must be added to log-odds to meet what happened, drawn to 0 by a ridge.

    Examples
    --------
    >>> round(level(np.zeros(1000), np.arange(1000) < 600, ridge=4.0), 3)
    0.399
    >>> level(np.zeros(0), np.zeros(0, bool), ridge=4.0)
    0.0
    """
    shift = 0.0
    for _ in range(50):
        p = expit(odds + shift)
        step = float(((y - p).sum() - ridge * shift) / ((p * (1.0 - p)).sum() + ridge))
        shift += float(np.clip(step, -1.0, 1.0))
        if abs(step) < 1e-9:
            break
    return shift


def turn_of(last_year: Sequence[Window], learned_on: date, edges: Sequence[int]) -> Season | None:
    """Return how the season turned after the same day of last year; None where that is not known.

    Parameters
    ----------
    last_year : sequence of Window
        A horizon from the same day of last year on, some of the horizons before it, and, where known, the one after it.
    learned_on : date
    edges : sequence of int
        Ends of the intervals in days.
    """
    same = learned_on.toordinal() - LAST_YEAR
    before = sorted((w for w in last_year if w.as_of.toordinal() < same), key=lambda w: w.as_of, reverse=True)
    since = sorted((w for w in last_year if w.as_of.toordinal() >= same), key=lambda w: w.as_of)
    if not before or not since:
        return None
    usual = np.average([w.shifts().mean() for w in before], weights=np.exp(-np.arange(len(before)) / FADING))
    middles = middles_of(edges)
    ahead = np.concatenate([w.as_of.toordinal() - same + middles for w in since])
    shifts = np.concatenate([w.shifts() - usual for w in since])
    return Season(learned_on, tuple(ahead.tolist()), tuple(shifts.tolist()))


def trust_in(turn: Season, seen: Window, edges: Sequence[int]) -> float:
    """Return how much of last year's turn came again: 0 nothing, 1 all of it.

    Parameters
    ----------
    turn : Season
        Of the day on which the window begins.
    seen : Window
        This year's.
    edges : sequence of int
    """
    told = np.interp(middles_of(edges), turn.ahead, turn.shifts)
    weight = 1.0 / CHANCE**2
    share = (weight * told @ seen.shifts() + TRUST_RIDGE * TRUST) / (weight * told @ told + TRUST_RIDGE)
    return float(np.clip(share, 0.0, 1.0))


def middles_of(edges: Sequence[int]) -> Array:
    """Return the middle of each interval in days.

    >>> middles_of((10, 20, 40)).tolist()
    [5.0, 15.0, 30.0]
    """
    ends = np.asarray(edges, dtype=np.float64)
    return np.asarray((np.concatenate([[0.0], ends[:-1]]) + ends) / 2.0)
