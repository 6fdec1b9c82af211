"""Bundles of earlier formats, in today's terms: what a shop has promoted keeps scoring, to the same numbers.

Format 1 (version 0.1.0) had one hazard classifier for all buyers, with one design for its members, and a base rate for
contacts that never bought.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from winback_models.btyd import Array, BtydModel
from winback_models.design import INTERVAL_COLUMNS, Design, Matrix
from winback_models.first_purchase import base_rate_model
from winback_models.hazard import HazardModel
from winback_models.linear import LinearModel
from winback_models.members import DirectMember


@dataclass(frozen=True)
class ColumnEstimator:
    """Log-odds that stand in a column of the design matrix.

    Attributes
    ----------
    position : int
        Of the column; counted from the end where negative.

    Examples
    --------
    >>> ColumnEstimator(-1).decision_function(np.array([[0.0, 2.0], [0.0, -1.0]], dtype=np.float32))
    array([ 2., -1.])
    """

    position: int

    def decision_function(self, x: Matrix) -> Array:
        """Return log-odds, shape (rows,)."""
        return np.asarray(x[:, self.position], dtype=np.float64)


def upgrade(state: dict[str, Any], described: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of today's ``LapseModel``, without ``info``, from those of format 1.

    Its one classifier speaks for lapsed contacts too.

    Parameters
    ----------
    state : dict
        What ``bundle.joblib`` holds.
    described : dict
        What ``bundle.json`` says.
    """
    old = dict(state)
    rate = old.pop("first_purchase_rate")
    status = f"base rate: all that version {described['winback']} learned"
    hazard = _hazard(**vars(old["hazard"])) if old["hazard"] else None
    models = old["models"]
    return {
        **old,
        "models": replace(
            models, btyd=_btyd(models.btyd), candidates=tuple(_btyd(c) for c in models.candidates)
        ),
        "hazard": hazard,
        "reactivation": hazard,
        "first_purchase": base_rate_model(rate, old["horizon_days"], status),
    }


def _btyd(model: BtydModel) -> BtydModel:
    """Return the same numbers; what format 1 did not know takes its default."""
    return BtydModel(**{f.name: getattr(model, f.name) for f in fields(model) if hasattr(model, f.name)})


def _hazard(
    design: Design, members: dict[str, Any], weights: dict[str, float], intercept: float, slope: float
) -> HazardModel:
    """Return format 1's classifier; its BTYD voice was a column of the design matrix."""
    btyd = ColumnEstimator(INTERVAL_COLUMNS.index("btyd_log_odds") - len(INTERVAL_COLUMNS))
    estimators = {**members, "logistic": _linear(**vars(members["logistic"])), "btyd": btyd}
    return HazardModel(
        edges=design.edges,
        members={name: DirectMember(design, estimators[name]) for name in weights},
        weights=weights,
        intercept=intercept,
        slope=slope,
    )


def _linear(fill: Array, centre: Array, scale: Array, weights: Array, intercept: float) -> LinearModel:
    """Return format 1's logistic regression; its columns had no bounds."""
    unbounded = np.full(len(fill), np.inf)
    return LinearModel(fill, -unbounded, unbounded, centre, scale, weights, intercept)
