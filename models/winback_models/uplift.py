"""What a message changes: the effect on P(purchase), contact by contact, from a randomised holdout.

An R-learner: the share that buys anyway is taken off first, then the rest is explained by having been written to, each contact
weighted by how little chance is in its outcome. The last stage is a smooth regression in which few features matter, those that
say who buys anyway more likely than others; a stepwise one joins it where it foretells better. ADR 15 says why this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import logit
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import QuantileTransformer

from winback_models.btyd import Array
from winback_models.member_fits import without_voids
from winback_models.uplift_slopes import Products, pseudo_bma, sparse_slopes

FOLDS = 5
INNER_FOLDS = 3

LEAF_SHARE = 50
"""A leaf of the stepwise stage holds at least the 50th part of all contacts."""

STEPS = 200
"""In so many steps of equal size the stepwise stage sees a feature."""

LEAST_CHANCE = 0.1
"""No contact's outcome is taken to hold less chance than this share of the mean: near-certain ones would outweigh all others."""

OF_ANY, OF_SQUARE = 0.1, 0.25
"""How likely the effect depends on a feature that says nothing of who buys anyway, against one that says most of it; and on the
square of a feature, against the feature itself."""

SMOOTH_ODDS = 10.0
"""The odds on the smooth regression alone, before the data: steps and corners have to show themselves."""

EVEN = 0.01
"""Features that go together share what they say of who buys anyway: a ridge, as a share of a column's variance."""


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
    ranks : fitted QuantileTransformer
    constant : float
    slopes : ndarray of float, shape (2 d,)
        Of the smooth regression on ranks and their squares.
    steps : fitted HistGradientBoostingRegressor
    smooth_share : float
        What the smooth regression weighs, 0 to 1; the stepwise one weighs the rest.
    """

    names: tuple[str, ...]
    ranks: QuantileTransformer
    constant: float
    slopes: Array
    steps: HistGradientBoostingRegressor
    smooth_share: float

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
        places = self.ranks.transform(features)
        smooth = self.constant + curved(places) @ self.slopes
        share = self.smooth_share
        return np.asarray(
            share * smooth + (1.0 - share) * self.steps.predict(stepped(places)), dtype=np.float64
        )


def rank_scale(features: Array) -> QuantileTransformer:
    """Fit the ranks of the features."""
    return QuantileTransformer(n_quantiles=min(200, len(features)), subsample=None).fit(
        without_voids(features)
    )


def curved(places: Array) -> Array:
    """Return ranks of 0..1 in -1..1 and their squares, shape (n, 2 d); 0, the middle, where unknown."""
    scaled = np.nan_to_num(2.0 * places - 1.0)
    return np.hstack([scaled, 1.5 * scaled**2 - 0.5])


def stepped(places: Array) -> Array:
    """Return ranks of 0..1 in so few steps that a boosting need not look for any: that is slow where rows have weights."""
    return np.round(STEPS * places)


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


def buys_anyway(data: Experiment, seed: int = 0) -> Array:
    """Predict P(purchase) without looking at the arm, each contact from the others.

    Returns
    -------
    ndarray of float, shape (n,)
    """
    found = np.empty(len(data))
    for others, part in data.folds(INNER_FOLDS, seed):
        model = HistGradientBoostingClassifier(
            max_iter=60, max_leaf_nodes=15, min_samples_leaf=50, early_stopping=False, random_state=seed
        )
        if np.ptp(data.bought[others]) == 0:
            found[part] = data.bought[others][0]
            continue
        model.fit(without_voids(data.features[others]), data.bought[others])
        found[part] = model.predict_proba(data.features[part])[:, 1]
    return found


def r_loss(data: Experiment, anyway: Array) -> tuple[Array, Array]:
    """Return what the effect is fitted to, and the weight of each contact, 1 on average.

    ``(y - m) / (w - e)``, weighted by ``(w - e)^2`` over the variance of a purchase, ``m (1 - m)``: the outcome of a contact that
    hardly ever buys says more of a message than that of one who may or may not.

    Parameters
    ----------
    data : Experiment
    anyway : ndarray of float, shape (n,)
        P(purchase) without a look at the arm.

    References
    ----------
    Fisher, A. (2024). The connection between R-learning and inverse-variance weighting for estimation of heterogeneous
    treatment effects. ICML 41.
    """
    surplus = data.treated - data.propensity
    chance = anyway * (1.0 - anyway)
    weight = surplus**2 / np.maximum(chance, max(LEAST_CHANCE * chance.mean(), 1e-9))
    return (data.bought - anyway) / surplus, weight / weight.mean()


def likely_slopes(columns: Array, anyway: Array) -> Array:
    """Return how likely the effect depends on each column, before it is looked at; only the ratios count.

    What says who buys at all more often also says who is moved by a message than what does not: how much it says is its slope in
    the log-odds of a purchase, arm not looked at.

    Parameters
    ----------
    columns : ndarray of float, shape (n, 2 d)
        The features, then their squares: `curved`.
    anyway : ndarray of float, shape (n,)
        P(purchase) without a look at the arm.

    Returns
    -------
    ndarray of float, shape (2 d,)
    """
    features = columns[:, : columns.shape[1] // 2]
    width = features.std(axis=0)
    scaled = (features - features.mean(axis=0)) / np.where(width > 0, width, 1.0)
    level = logit(np.clip(anyway, 0.001, 0.999))
    ridge = scaled.T @ scaled / len(scaled) + EVEN * np.eye(scaled.shape[1])
    says = np.abs(np.linalg.solve(ridge, scaled.T @ (level - level.mean()) / len(scaled)))
    likely = OF_ANY + says / max(says.max(initial=0.0), 1e-9)
    return np.concatenate([likely, OF_SQUARE * likely])


def fit_uplift(data: Experiment, names: tuple[str, ...], seed: int = 0) -> UpliftModel:
    """Fit the effect of the treatment.

    The smooth regression, the stepwise one, and the mean of both are judged on parts that they have not seen, and averaged by
    that (pseudo-BMA): where the data cannot tell which is right, the smooth one weighs most.

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
    Yao, Y. et al. (2018). Using stacking to average Bayesian predictive distributions. Bayesian Analysis 13(3), 917-1007.
    """
    anyway = buys_anyway(data, seed=seed)
    target, weight = r_loss(data, anyway)
    ranks = rank_scale(data.features)
    places = ranks.transform(data.features)
    columns, coarse = curved(places), stepped(places)
    likely = likely_slopes(columns, anyway)

    smooth, steps = np.empty(len(data)), np.empty(len(data))
    for others, part in data.folds(INNER_FOLDS, seed):
        constant, slopes = sparse_slopes(Products.of(columns[others], target[others], weight[others]), likely)
        smooth[part] = constant + columns[part] @ slopes
        stage = stepwise_stage(len(others), seed)
        stage.fit(without_voids(coarse[others]), target[others], sample_weight=weight[others])
        steps[part] = stage.predict(coarse[part])
    foretold = np.column_stack([smooth, steps, (smooth + steps) / 2.0])
    alone, _, mean = pseudo_bma(foretold, target, weight, np.array([SMOOTH_ODDS, 1.0, 1.0]))

    constant, slopes = sparse_slopes(Products.of(columns, target, weight), likely)
    stage = stepwise_stage(len(data), seed).fit(without_voids(coarse), target, sample_weight=weight)
    return UpliftModel(names, ranks, constant, slopes, stage, float(alone + mean / 2.0))


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
