"""The hazard classifier's design matrix: one row per contact and interval, in scale-free columns.

Counts, money and days enter by their logarithm, so that one outlying shop card moves nothing; columns that tell nothing in
the training set (empty or constant) are left out and named. Per interval come the BTYD model's log-odds of a purchase in it,
and how late the contact will be at its start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from winback_features.order_features import YEAR_DAYS
from winback_models.btyd import Array
from winback_models.history import RhythmModels, cadence_scores, log_silence

Matrix = npt.NDArray[np.float32]

STEPS = 12
"""Steps in a horizon, about."""

CLOCKWORK = 0.6
"""Spread of a contact's own log-gaps up to which a base buys like clockwork: subscribers, invoices, a fixed day of the week. Its
hazard swings within two steps; in shops, whose spread is .8 to 1.2, it does not."""

CALENDAR = ("season_sin", "season_cos")
"""Left out unless a year has been seen, on less they only name the cut; and where the base buys like clockwork: a contact's own
silence then tells the day better than the calendar does."""

ELSEWHERE = ("T_days", "recency_days", "closed_days_in_silence")
"""Left out always. In a base of one cohort its age names the cut too: it speaks through the BTYD model. Closed days excuse a
contact from being late; they say nothing of whether it buys."""

YEAR = 365
"""Days of the calendar that must have been seen before a member is told the day of the year."""

INTERVAL_COLUMNS = ("btyd_log_odds", "btyd_log_odds_horizon", "lateness", "log_silence_at_start", "interval")


@dataclass(frozen=True)
class Design:
    """Which columns the classifier sees, and where its intervals end.

    Attributes
    ----------
    columns : tuple of str
        Feature columns used.
    left_out : tuple of str
        Columns that were empty or constant in training.
    edges : tuple of int
        Ends of the intervals in days; the last is the horizon.
    calendar : bool
        Whether it is told the day of the year on which each interval has its middle.
    """

    columns: tuple[str, ...]
    left_out: tuple[str, ...]
    edges: tuple[int, ...]
    calendar: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the matrix's columns in order."""
        return (*self.columns, *INTERVAL_COLUMNS, *self.told)

    @property
    def told(self) -> tuple[str, ...]:
        """Return the features that it reads to know the day of the year."""
        return CALENDAR if self.calendar else ()

    def static(self, features: pd.DataFrame) -> Matrix:
        """Return the per-contact part, shape (n, len(columns)); nan where unknown."""
        return signed_log(features[list(self.columns)].to_numpy(np.float64, na_value=np.nan)).astype(
            np.float32
        )

    def by_interval(self, features: pd.DataFrame, models: RhythmModels) -> npt.NDArray[np.float32]:
        """Return the per-interval part, shape (n, intervals, len(INTERVAL_COLUMNS)), with a calendar 2 more."""
        edges = np.asarray(self.edges, dtype=np.float64)
        starts = np.concatenate([[0.0], edges[:-1]])
        log_s = log_silence(features, models, edges)
        step = log_s - np.column_stack([np.zeros(len(features)), log_s[:, :-1]])
        silence = features["days_since_purchase"].to_numpy(np.float64)[:, None] + starts[None, :]
        whole = np.repeat(log_odds(-np.expm1(log_s[:, -1:])), len(edges), axis=1)
        parts = [
            log_odds(-np.expm1(step)),
            whole,
            cadence_scores(features, models, starts),
            np.log(np.maximum(silence, 0.5)),
            np.broadcast_to(np.arange(len(edges), dtype=np.float64), silence.shape),
        ]
        if self.calendar:
            now = features[list(CALENDAR)].to_numpy(np.float64)
            middles = ((starts + edges) / 2.0)[None, :]
            parts += turned(now[:, :1], now[:, 1:], middles)
        return np.stack(parts, axis=2).astype(np.float32)


def step_days(horizon_days: int) -> int:
    """Return the days of one step: a twelfth of the horizon, at least one day.

    >>> step_days(90), step_days(28)
    (7, 2)
    """
    return max(1, horizon_days // STEPS)


def steps_each(log_spread: float) -> int:
    """Return the steps that an interval holds, by the spread of a contact's own log-gaps: one where the base is clockwork."""
    return 1 if log_spread <= CLOCKWORK else 2


def interval_edges(horizon_days: int, steps: int = 2) -> tuple[int, ...]:
    """Return the intervals' ends in days: so many steps each, the last ends with the horizon.

    >>> interval_edges(28)
    (4, 8, 12, 16, 20, 24, 28)
    >>> interval_edges(28, steps=1)
    (2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28)
    """
    width = steps * step_days(horizon_days)
    return (*range(width, horizon_days, width), horizon_days)


def choose_columns(
    frames: Sequence[pd.DataFrame], candidates: Sequence[str], span_days: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return (columns that tell something, columns left out), judged over the training frames together."""
    used, left_out = [], []
    for name in candidates:
        values = np.concatenate([f[name].to_numpy(np.float64, na_value=np.nan) for f in frames])
        known = values[np.isfinite(values)]
        tells = len(known) >= 20 and bool(np.ptp(known) > 0)
        if tells and name not in ELSEWHERE and not (name in CALENDAR and span_days < YEAR):
            used.append(name)
        else:
            left_out.append(name)
    return tuple(used), tuple(left_out)


def turned(sin: npt.ArrayLike, cos: npt.ArrayLike, days: npt.ArrayLike) -> tuple[Array, Array]:
    """Return sine and cosine of the day of the year so many days later.

    >>> [round(float(x), 3) for x in turned(0.0, 1.0, YEAR_DAYS / 4)]
    [1.0, 0.0]
    """
    s, c = np.asarray(sin, np.float64), np.asarray(cos, np.float64)
    angle = 2.0 * np.pi * np.asarray(days, np.float64) / YEAR_DAYS
    return s * np.cos(angle) + c * np.sin(angle), c * np.cos(angle) - s * np.sin(angle)


def signed_log(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return ``log(1 + |v|)`` with the sign of each value, so that one outlying value moves nothing."""
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))


def log_odds(p: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return ``log(p / (1 - p))``, kept within what a float32 column holds."""
    p = np.clip(p, 1e-6, 1.0 - 1e-6)
    return np.asarray(np.log(p) - np.log1p(-p))
