"""What a message changes: the effect on P(purchase), contact by contact, from a randomised holdout.

An R-learner: the share that buys anyway is taken off first, then the rest is explained by having been written to. Its last
stage is the mean of a smooth and of a stepwise regression. ADR 15 says why this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LassoCV
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, QuantileTransformer

from winback_models.btyd import Array

FOLDS = 5
INNER_FOLDS = 3
PENALTIES = 25
"""Penalties of the lasso among which cross-validation chooses."""

LEAF_SHARE = 50
"""A leaf of the stepwise stage holds at least the 50th part of all contacts."""


@dataclass(frozen=True)
class Experiment:
    """Contacts that were drawn to be written to or not, and what came of it.

    Attributes
    ----------
    features : ndarray of float, shape (n, d)
        Known on the day of entry; NaN where unknown.
    treated : ndarray of bool, shape (n,)
        The arm fixed at entry, whatever was sent afterwards.
    bought : ndarray of float, shape (n,)
        1 where there was a purchase within the window, else 0.
    propensity : ndarray of float, shape (n,)
        Share that was to be treated, strictly between 0 and 1: by design, not estimated.
    """

    features: Array
    treated: npt.NDArray[np.bool_]
    bought: Array
    propensity: Array

    def __post_init__(self) -> None:
        n = len(self.features)
        if self.features.ndim != 2 or {len(self.treated), len(self.bought), len(self.propensity)} != {n}:
            raise ValueError("features must be two-dimensional, and every column as long as they are")
        if n and not (self.propensity.min() > 0.0 and self.propensity.max() < 1.0):
            raise ValueError("propensity must lie strictly between 0 and 1")

    def __len__(self) -> int:
        return len(self.features)

    def take(self, rows: npt.NDArray[Any]) -> Experiment:
        """Return some of the contacts."""
        parts = (self.features, self.treated, self.bought, self.propensity)
        return Experiment(*(part[rows] for part in parts))

    def folds(self, n: int, seed: int) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """Split into ``n`` parts that are alike in arm and outcome: pairs of (the others, the part)."""
        kind = 2 * self.treated.astype(int) + (self.bought > 0)
        return list(StratifiedKFold(n, shuffle=True, random_state=seed).split(kind, kind))


@dataclass(frozen=True)
class UpliftModel:
    """The fitted effect.

    Attributes
    ----------
    names : tuple of str
        Columns of the features, in order.
    smooth, steps : fitted regressions
    """

    names: tuple[str, ...]
    smooth: Any
    steps: Any

    def effect(self, features: Array) -> Array:
        """Return by how much P(purchase) rises when the contact is written to; negative: it falls.

        Parameters
        ----------
        features : ndarray of float, shape (n, d)

        Returns
        -------
        ndarray of float, shape (n,)
        """
        if features.shape[1:] != (len(self.names),):
            message = f"{len(self.names)} features are needed, not {features.shape[1:]}"
            raise ValueError(message)
        return np.asarray(
            (self.smooth.predict(features) + self.steps.predict(features)) / 2.0, dtype=np.float64
        )


def _curved(ranks: Array) -> Array:
    """Return ranks in -1..1 and their squares; 0, the middle, where unknown."""
    ranks = np.nan_to_num(2.0 * ranks - 1.0)
    return np.hstack([ranks, 1.5 * ranks**2 - 0.5])


def smooth_stage(n: int) -> Pipeline:
    """Make a lasso on the ranks of the features and their squares: most features do not change an effect."""
    ranks = QuantileTransformer(n_quantiles=min(200, n), subsample=None)
    return make_pipeline(
        ranks, FunctionTransformer(_curved), LassoCV(alphas=PENALTIES, cv=FOLDS, precompute=True)
    )


def stepwise_stage(n: int, seed: int) -> HistGradientBoostingRegressor:
    """Make a boosting of small trees with large leaves."""
    return HistGradientBoostingRegressor(
        learning_rate=0.05,
        max_iter=50,
        max_leaf_nodes=5,
        min_samples_leaf=max(20, n // LEAF_SHARE),
        early_stopping=False,
        random_state=seed,
    )


def buys_anyway(data: Experiment, folds: int = INNER_FOLDS, seed: int = 0) -> Array:
    """Predict P(purchase) without looking at the arm, each contact from the others.

    Returns
    -------
    ndarray of float, shape (n,)
    """
    found = np.empty(len(data))
    for others, part in data.folds(folds, seed):
        model = HistGradientBoostingClassifier(
            max_iter=60, max_leaf_nodes=15, min_samples_leaf=50, early_stopping=False, random_state=seed
        )
        if np.ptp(data.bought[others]) == 0:
            found[part] = data.bought[others][0]
            continue
        model.fit(data.features[others], data.bought[others])
        found[part] = model.predict_proba(data.features[part])[:, 1]
    return found


def fit_uplift(data: Experiment, names: tuple[str, ...], seed: int = 0) -> UpliftModel:
    """Fit the effect of the treatment.

    Parameters
    ----------
    data : Experiment
    names : tuple of str
        Of the features.
    seed : int

    Returns
    -------
    UpliftModel

    References
    ----------
    Nie, X. and Wager, S. (2021). Quasi-oracle estimation of heterogeneous treatment effects. Biometrika 108(2), 299-319.
    """
    surplus = data.treated - data.propensity
    target = (data.bought - buys_anyway(data, seed=seed)) / surplus
    weight = surplus**2 / np.mean(surplus**2)
    smooth = smooth_stage(len(data))
    smooth.fit(data.features, target, lassocv__sample_weight=weight)
    steps = stepwise_stage(len(data), seed).fit(data.features, target, sample_weight=weight)
    return UpliftModel(names, smooth, steps)


def forward_fitted(data: Experiment, names: tuple[str, ...], parts: int = FOLDS, seed: int = 0) -> Array:
    """Predict the effect for each contact from contacts drawn before it.

    The contacts are put into parts at random; each part is predicted by a model fitted on the parts before it, and the first by
    none. Plain cross-fitting would use every pair of parts twice, once in each direction. Without any effect the two agree, so
    that a test on all parts would be surer of itself than it may be.

    Returns
    -------
    ndarray of float, shape (n,)
        NaN for the contacts of the first part.
    """
    found = np.full(len(data), np.nan)
    rows = [part for _, part in data.folds(parts, seed)]
    for k in range(1, parts):
        model = fit_uplift(data.take(np.concatenate(rows[:k])), names, seed)
        found[rows[k]] = model.effect(data.features[rows[k]])
    return found
