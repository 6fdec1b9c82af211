"""The discrete-time hazard classifier: P(purchase in this interval | none before it), for every interval up to the horizon.

One model answers P within any d, the median date and its interval, all consistent with each other. Three members (boosted
trees, a regularised logistic regression, and the BTYD model itself) are averaged in log-odds with weights found on a later
slice than the members were fitted on, shrunk towards equal; a slope and an intercept recalibrate the mean where that has lasted.

References
----------
Singer & Willett (1993), "It's about time", J. of Educational Statistics 18(2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from winback_models.btyd import Array
from winback_models.design import Design, Matrix
from winback_models.history import RhythmModels

MEMBERS = ("boosting", "logistic", "btyd")
LIMIT = 14.0
"""No member is surer than so many log-odds."""

BTYD_COLUMN = -5
"""Position of the BTYD model's log-odds of the interval among the matrix's columns."""


@dataclass(frozen=True)
class Slice:
    """One label time: who was there, what was known, and how long they then waited.

    Attributes
    ----------
    features : DataFrame, shape (n, …)
        Contacts with at least one purchase.
    waits : ndarray, shape (n,)
        Days to the next purchase (0 on the cut itself); inf where none came within the horizon.
    models : RhythmModels
        Fitted on what was known at the cut.
    """

    features: pd.DataFrame
    waits: Array
    models: RhythmModels


@dataclass(frozen=True)
class HazardModel:
    """A fitted hazard classifier.

    Attributes
    ----------
    design : Design
    members : mapping
        ``boosting`` and ``logistic`` estimators.
    weights : mapping
        Weight of each of ``MEMBERS`` in the mean log-odds; they sum to 1.
    intercept, slope : float
        Calibration of the mean log-odds.
    """

    design: Design
    members: Mapping[str, Any]
    weights: Mapping[str, float]
    intercept: float = 0.0
    slope: float = 1.0

    def hazards(self, features: pd.DataFrame, models: RhythmModels) -> Array:
        """Return calibrated hazards, shape (n, intervals)."""
        x = person_periods(self.design, features, models)
        mixed = mix(member_log_odds(self.members, x), self.weights)
        return np.asarray(expit(self.intercept + self.slope * mixed)).reshape(len(features), -1)

    def log_survival(self, features: pd.DataFrame, models: RhythmModels) -> Array:
        """Return log P(no purchase by each edge), shape (n, intervals); non-increasing along a row."""
        return np.asarray(np.cumsum(np.log1p(-np.minimum(self.hazards(features, models), 1 - 1e-9)), axis=1))


def person_periods(design: Design, features: pd.DataFrame, models: RhythmModels) -> Matrix:
    """Return the design matrix of every contact and interval, contact-major, shape (n * intervals, columns)."""
    static = design.static(features)
    varying = design.by_interval(features, models)
    n, intervals, width = varying.shape
    return np.hstack([np.repeat(static, intervals, axis=0), varying.reshape(n * intervals, width)])


def at_risk(design: Design, waits: npt.ArrayLike) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return (interval was entered without a purchase, purchase fell in it), each of shape (n, intervals)."""
    edges = np.asarray(design.edges, dtype=np.float64)
    starts = np.concatenate([[0.0], edges[:-1]])
    wait = np.asarray(waits, dtype=np.float64)[:, None]
    return wait >= starts, (wait >= starts) & (wait < edges)


def member_log_odds(members: Mapping[str, Any], x: Matrix) -> dict[str, Array]:
    """Return each member's log-odds, each of shape (rows,)."""
    said = {name: np.clip(model.decision_function(x), -LIMIT, LIMIT) for name, model in members.items()}
    said["btyd"] = x[:, BTYD_COLUMN].astype(np.float64)
    return said


def mix(said: Mapping[str, Array], weights: Mapping[str, float]) -> Array:
    """Return the weighted mean of the members' log-odds."""
    return np.asarray(sum(weights[name] * said[name] for name in weights if weights[name] > 0))


def fit_members(design: Design, slices: Sequence[Slice], seed: int) -> dict[str, Any]:
    """Fit the learned members on the person-periods of all slices together."""
    x, y = _stack(design, slices)
    boosting = HistGradientBoostingClassifier(
        learning_rate=0.08,
        max_iter=80,
        max_leaf_nodes=15,
        min_samples_leaf=max(20, min(200, len(y) // 200)),
        l2_regularization=5.0,
        max_features=0.5,
        early_stopping=False,
        random_state=seed,
    )
    return {"boosting": boosting.fit(x, y), "logistic": fit_linear(x, y)}


@dataclass(frozen=True)
class LinearMember:
    """A logistic regression on standardised columns; what is unknown counts as the column's median.

    Its sum runs along each row by itself, so that a contact's score does not depend on who else is in the batch.
    """

    fill: Array
    centre: Array
    scale: Array
    weights: Array
    intercept: float

    def decision_function(self, x: Matrix) -> Array:
        """Return log-odds, shape (rows,)."""
        z = (np.where(np.isnan(x), self.fill, x) - self.centre) / self.scale
        return np.asarray((z * self.weights).sum(axis=1) + self.intercept)


def fit_linear(x: Matrix, y: npt.NDArray[np.bool_]) -> LinearMember:
    """Fit the regularised logistic regression."""
    fill = np.nanmedian(x.astype(np.float64), axis=0)
    known = np.where(np.isnan(x), fill, x)
    centre, spread = known.mean(axis=0), known.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    fitted = LogisticRegression(C=0.01, solver="newton-cholesky").fit((known - centre) / scale, y)
    return LinearMember(fill, centre, scale, fitted.coef_[0], float(fitted.intercept_[0]))


def fit_weights(said: Mapping[str, Array], y: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Return the members' weights that explain a later slice best, half-way shrunk to equal ones."""
    steps = [s for s in product(range(11), repeat=len(said)) if sum(s) == 10]
    losses = [_log_loss(mix(said, dict(zip(said, [v / 10 for v in s], strict=True))), y) for s in steps]
    best = steps[int(np.argmin(losses))]
    return {name: 0.5 * best[i] / 10 + 0.5 / len(said) for i, name in enumerate(said)}


def calibration_that_holds(
    earlier: tuple[Array, npt.NDArray[np.bool_]], newest: tuple[Array, npt.NDArray[np.bool_]]
) -> tuple[float, float]:
    """Return (intercept, slope) found on the newest slice, or (0, 1) where recalibrating does harm.

    Purchase rates drift. A correction found on an earlier slice must have helped on the newest one, or the newest one's own
    is not carried to the days to come.

    Parameters
    ----------
    earlier, newest : pair of ndarray
        Mean log-odds and outcomes, of slices that the members were not fitted on.
    """
    mixed, y = newest
    intercept, slope = fit_calibration(*earlier)
    helps = _log_loss(intercept + slope * mixed, y) < _log_loss(mixed, y)
    return fit_calibration(mixed, y) if helps else (0.0, 1.0)


def fit_calibration(mixed: Array, y: npt.NDArray[np.bool_], *, prior: float = 1000.0) -> tuple[float, float]:
    """Return (intercept, slope) of a logistic recalibration, drawn towards (0, 1) by a ridge of weight ``prior``."""
    theta = np.array([0.0, 1.0])
    x = np.column_stack([np.ones_like(mixed), mixed])
    for _ in range(50):
        p = expit(x @ theta)
        weight = p * (1 - p)
        gradient = x.T @ (y - p) - prior * (theta - [0.0, 1.0])
        step = np.linalg.solve((x * weight[:, None]).T @ x + prior * np.eye(2), gradient)
        theta = theta + step
        if np.abs(step).max() < 1e-10:
            break
    return float(theta[0]), float(theta[1])


def _stack(design: Design, slices: Sequence[Slice]) -> tuple[Matrix, npt.NDArray[np.bool_]]:
    """Return the person-periods that were at risk, and whether a purchase fell in them."""
    parts = [person_periods(design, s.features, s.models) for s in slices]
    risk, bought = zip(*(at_risk(design, s.waits) for s in slices), strict=True)
    entered = np.concatenate([r.ravel() for r in risk])
    return np.concatenate(parts)[entered], np.concatenate([b.ravel() for b in bought])[entered]


def slice_log_odds(
    design: Design, members: Mapping[str, Any], later: Slice
) -> tuple[dict[str, Array], npt.NDArray[np.bool_]]:
    """Return what the members say of a later slice's person-periods at risk, and what happened."""
    x, y = _stack(design, [later])
    return member_log_odds(members, x), y


def _log_loss(score: Array, y: npt.NDArray[np.bool_]) -> float:
    return float(np.mean(np.logaddexp(0.0, np.where(y, -score, score))))
