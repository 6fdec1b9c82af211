"""The members of the hazard classifier: each says, for every contact and interval, the log-odds of a purchase in it.

*Direct* members learn from label windows that have closed, with the interval as a column: they know how the hazard falls
along the horizon, and lag behind the season by one horizon. *Rolled* members learn one short step at a time, up to today,
and are asked along the silent path: they know the present level, and trust it to last. The BTYD model is the third voice.

References
----------
Singer & Willett (1993), "It's about time", J. of Educational Statistics 18(2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier

from winback_models.btyd import Array
from winback_models.design import Design, Matrix, log_odds, signed_log
from winback_models.history import RhythmModels, cadence_scores, history, log_silence
from winback_models.linear import fit_linear
from winback_models.silence import SILENCE, SilentPath

LIMIT = 14.0
"""No member is surer than so many log-odds."""


BLOCK_ROWS = 2_048
"""Rows that an estimator is asked at a time: few enough to stay in a processor's cache while tree after tree reads them."""


class Member(Protocol):
    """What the hazard classifier needs of a member."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Features it reads beside the purchase history."""

    def log_odds(self, features: pd.DataFrame, models: RhythmModels) -> Array:
        """Return the log-odds of a purchase in each interval that is entered without one, shape (n, intervals)."""


@dataclass(frozen=True)
class Slice:
    """One label time: who was there, what was known, and how long they then waited.

    Attributes
    ----------
    features : DataFrame, shape (n, …)
        Contacts with at least one purchase.
    waits : ndarray, shape (n,)
        Days to the next purchase (0 on the cut itself); inf where none came while it was watched.
    models : RhythmModels
        Fitted on what was known at the cut.
    weight : float
        How much each of its rows counts.
    untreated : ndarray, optional
        Days until a message reached each contact (see ``LabelTime``).
    """

    features: pd.DataFrame
    waits: Array
    models: RhythmModels
    weight: float = 1.0
    untreated: Array | None = None

    def watched_for(self, days: int) -> Slice:
        """Return it with the contacts that nobody had written to for so many days."""
        if self.untreated is None:
            return self
        keep = self.untreated >= days
        return replace(self, features=self.features[keep], waits=self.waits[keep], untreated=None)


@dataclass(frozen=True)
class BtydMember:
    """What the BTYD model says of each interval.

    Attributes
    ----------
    edges : tuple of int
        Ends of the intervals in days.
    """

    edges: tuple[int, ...]
    columns: tuple[str, ...] = ()

    def log_odds(self, features: pd.DataFrame, models: RhythmModels) -> Array:
        """Return log-odds, shape (n, intervals)."""
        log_s = log_silence(features, models, np.asarray(self.edges, dtype=np.float64))
        step = np.diff(log_s, axis=1, prepend=0.0)
        return np.asarray(np.clip(log_odds(-np.expm1(step)), -LIMIT, LIMIT))


@dataclass(frozen=True)
class DirectMember:
    """A classifier of person-periods in closed label windows.

    Attributes
    ----------
    design : Design
    estimator : object
        Its ``decision_function`` gives log-odds of rows of the design's matrix.
    """

    design: Design
    estimator: Any

    @property
    def columns(self) -> tuple[str, ...]:
        """Features it reads beside the purchase history."""
        return self.design.columns

    def log_odds(self, features: pd.DataFrame, models: RhythmModels) -> Array:
        """Return log-odds, shape (n, intervals)."""
        said = in_blocks(self.estimator, person_periods(self.design, features, models))
        return np.asarray(np.clip(said, -LIMIT, LIMIT).reshape(len(features), -1))


@dataclass(frozen=True)
class RolledMember:
    """A classifier of one step ahead, asked along the silent path.

    Attributes
    ----------
    path : SilentPath
        The features it sees.
    step_days : int
        Days that one step lasts.
    edges : tuple of int
        Ends of the intervals in days; an interval may hold several steps.
    estimator : object
        Its ``decision_function`` gives log-odds of a purchase within one step.
    """

    path: SilentPath
    step_days: int
    edges: tuple[int, ...]
    estimator: Any

    @property
    def columns(self) -> tuple[str, ...]:
        """Features it reads beside the purchase history."""
        return self.path.names

    def log_odds(self, features: pd.DataFrame, models: RhythmModels) -> Array:
        """Return log-odds, shape (n, intervals): the step in the middle of an interval stands for all of it."""
        values = feature_values(features, self.path.names)
        out, start = np.empty((len(features), len(self.edges))), 0
        for k, end in enumerate(self.edges):
            ahead = start + max(0.0, (end - start - self.step_days) / 2.0)
            x = step_matrix(self.path, self.step_days, features, values, models, ahead)
            hazard = expit(np.clip(in_blocks(self.estimator, x), -LIMIT, LIMIT))
            out[:, k] = log_odds(-np.expm1(np.log1p(-hazard) * (end - start) / self.step_days))
            start = end
        return out


def in_blocks(estimator: Any, x: Matrix) -> Array:
    """Return ``estimator.decision_function(x)``, shape (rows,), asked block by block: each row counts by itself.

    The same numbers to the last bit, in less than half the time: see `BLOCK_ROWS`.
    """
    starts = range(0, len(x), BLOCK_ROWS)
    said = [estimator.decision_function(x[start : start + BLOCK_ROWS]) for start in starts]
    return np.concatenate(said) if said else np.zeros(0)


def feature_values(features: pd.DataFrame, names: Sequence[str]) -> Array:
    """Return features as doubles, shape (n, len(names)); nan where unknown."""
    return np.asarray(features[list(names)].to_numpy(np.float64, na_value=np.nan))


def step_matrix(
    path: SilentPath,
    step_days: int,
    features: pd.DataFrame,
    values: Array,
    models: RhythmModels,
    ahead: float,
) -> Matrix:
    """Return the matrix of a rolled member after ``ahead`` days of silence, shape (n, len(path.names) + 5).

    Beside the features: the BTYD model's log-odds of a purchase in the step and of being alive at its start, how late
    the contact is by its own cadence, and its silence, in days and in own gaps.
    """
    x, t_x, age = history(features)
    log_s = log_silence(features, models, np.array([ahead, ahead + step_days]))
    late = cadence_scores(features, models, np.array([ahead]))
    usual, _ = models.rhythm.cadence(features["frequency"], features["gap_log_mean"], features["gap_log_sd"])
    silence = features[SILENCE].to_numpy(np.float64) + ahead
    return np.column_stack(
        [
            signed_log(path.at(values, ahead)),
            log_odds(-np.expm1(log_s[:, 1] - log_s[:, 0])),
            log_odds(models.btyd.p_alive(x, t_x, age + ahead)),
            late,
            np.log(np.maximum(silence, 0.5)),
            np.minimum(silence / usual, 50.0),
        ]
    ).astype(np.float32)


def person_periods(design: Design, features: pd.DataFrame, models: RhythmModels) -> Matrix:
    """Return the design matrix of every contact and interval, contact-major, shape (n * intervals, columns)."""
    static = design.static(features)
    varying = design.by_interval(features, models)
    n, intervals, width = varying.shape
    return np.hstack([np.repeat(static, intervals, axis=0), varying.reshape(n * intervals, width)])


def at_risk(
    edges: Sequence[int], waits: npt.ArrayLike, untreated: npt.ArrayLike | None = None
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return (interval was entered without a purchase, purchase fell in it), each of shape (n, intervals).

    With ``untreated``, intervals that had not ended when a message reached the contact are left out, bought in or not.
    """
    ends = np.asarray(edges, dtype=np.float64)
    starts = np.concatenate([[0.0], ends[:-1]])
    wait = np.asarray(waits, dtype=np.float64)[:, None]
    risk = wait >= starts
    if untreated is not None:
        risk &= ends <= np.asarray(untreated, dtype=np.float64)[:, None]
    return risk, risk & (wait < ends)


def fit_direct(design: Design, slices: Sequence[Slice], seed: int) -> dict[str, Member]:
    """Fit the direct members on the person-periods of all slices together."""
    parts, ys = [], []
    for s in slices:
        risk, bought = at_risk(design.edges, s.waits, s.untreated)
        parts.append(person_periods(design, s.features, s.models)[risk.ravel()])
        ys.append(bought[risk])
    x, y = np.concatenate(parts), np.concatenate(ys)
    boosting = HistGradientBoostingClassifier(
        learning_rate=0.1,
        max_iter=40,
        max_leaf_nodes=8,
        min_samples_leaf=max(20, min(400, len(y) // 100)),
        l2_regularization=5.0,
        max_features=0.5,
        early_stopping=False,
        random_state=seed,
    )
    return {
        "direct_boosting": DirectMember(design, boosting.fit(without_voids(x), y)),
        "direct_logistic": DirectMember(design, fit_linear(x, y)),
    }


def without_voids(x: Matrix) -> Matrix:
    """Return the rows to fit trees on, columns without a single known value filled with 0: trees cannot bin those.

    No split can fall on such a column, so what it holds when the trees are asked does not matter.
    """
    void = np.isnan(x).all(axis=0)
    return np.where(void, np.float32(0.0), x) if void.any() else x


def snapped(x: Matrix, values: int = 255) -> Matrix:
    """Return the columns with each value moved to the nearest of its quantiles, at most ``values`` of them.

    Trees bin their columns so in any case; of weighted rows scikit-learn seeks the bins one by one, which takes longer than
    growing the trees. Fitted trees read the unmoved values.
    """
    out = x.copy()
    for column in out.T:
        known = column[~np.isnan(column)]
        if len(known):
            grid = np.unique(np.quantile(known, np.linspace(0.0, 1.0, values)).astype(x.dtype))
            nearest = np.searchsorted((grid[1:] + grid[:-1]) / 2.0, known)
            column[~np.isnan(column)] = grid[nearest]
    return out


def fit_rolled(
    path: SilentPath, step_days: int, edges: tuple[int, ...], slices: Sequence[Slice], seed: int
) -> dict[str, Member]:
    """Fit the rolled members on one step of every slice; each must have been watched for a step."""
    slices = [s.watched_for(step_days) for s in slices]
    x = np.concatenate(
        [
            step_matrix(path, step_days, s.features, feature_values(s.features, path.names), s.models, 0.0)
            for s in slices
        ]
    )
    y = np.concatenate([s.waits < step_days for s in slices])
    weight = np.concatenate([np.full(len(s.waits), s.weight) for s in slices])
    boosting = HistGradientBoostingClassifier(
        learning_rate=0.1,
        max_iter=55,
        max_leaf_nodes=8,
        min_samples_leaf=max(20, min(400, len(y) // 100)),
        l2_regularization=20.0,
        max_features=0.5,
        early_stopping=False,
        random_state=seed,
    )
    return {
        "rolled_boosting": RolledMember(
            path, step_days, edges, boosting.fit(snapped(without_voids(x)), y, weight)
        ),
        "rolled_logistic": RolledMember(path, step_days, edges, fit_linear(x, y, weight)),
    }
