"""Fit the members of the hazard classifier that learn: boosted trees and a logistic regression, each of two kinds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from winback_models.btyd import Array
from winback_models.design import Design, Matrix, signed_log
from winback_models.linear import fit_linear
from winback_models.members import (
    DirectMember,
    Member,
    RolledMember,
    Slice,
    at_risk,
    feature_values,
    person_periods,
    step_matrix,
)
from winback_models.silence import SilentPath

Floats = TypeVar("Floats", Matrix, Array)


def fit_direct(design: Design, slices: Sequence[Slice], seed: int) -> dict[str, Member]:
    """Fit the direct members on the person-periods of all slices together."""
    parts, ys = [], []
    for s in slices:
        risk, bought = at_risk(design.edges, s.waits, s.untreated, s.shut)
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


def without_voids(x: Floats) -> Floats:
    """Return the rows to fit trees on, columns without a single known value filled with 0: trees cannot bin those.

    No split can fall on such a column, so what it holds when the trees are asked does not matter.
    """
    void = np.isnan(x).all(axis=0)
    return np.where(void, x.dtype.type(0.0), x) if void.any() else x


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
    parts = []
    for s in slices:
        values = feature_values(s.features, path.names)
        parts.append(step_matrix(path, step_days, s.features, values, s.models, 0.0, signed_log(values)))
    x = np.concatenate(parts)
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
