"""A regularised logistic regression that any batch of contacts can be scored with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from winback_models.btyd import Array
from winback_models.design import Matrix

STRENGTH = 0.01
"""Inverse of the ridge penalty, as scikit-learn's ``C``."""

TAIL = 0.001
"""This share of each column, on either side, counts as the value at its edge: no line runs far beyond the data."""

ROWS_FOR_QUANTILES = 30_000
"""Medians and tails are read off about so many evenly spaced rows."""


@dataclass(frozen=True)
class LinearModel:
    """A logistic regression on standardised columns; what is unknown counts as the column's median.

    Its sum runs along each row by itself, so that a contact's score does not depend on who else is in the batch.
    """

    fill: Array
    low: Array
    high: Array
    centre: Array
    scale: Array
    weights: Array
    intercept: float

    def decision_function(self, x: Matrix) -> Array:
        """Return log-odds, shape (rows,)."""
        known = np.where(np.isnan(x), self.fill, x)
        np.clip(known, self.low, self.high, out=known)
        known -= self.centre
        known /= self.scale
        known *= self.weights
        return np.asarray(known.sum(axis=1) + self.intercept)


def fit_linear(x: Matrix, y: npt.NDArray[np.bool_], sample_weight: Array | None = None) -> LinearModel:
    """Fit the regularised logistic regression.

    Parameters
    ----------
    x : ndarray, shape (rows, columns)
        nan where unknown.
    y : ndarray of bool, shape (rows,)
    sample_weight : ndarray, shape (rows,), optional
    """
    wide = x.astype(np.float64)
    fill = np.zeros(wide.shape[1])
    spacing = -(-len(wide) // ROWS_FOR_QUANTILES)
    some = wide[::spacing]
    told = ~np.isnan(some).all(axis=0)
    fill[told] = np.nanmedian(some[:, told], axis=0)
    known = np.where(np.isnan(wide), fill, wide)
    low, high = np.quantile(known[::spacing], [TAIL, 1.0 - TAIL], axis=0)
    known = np.clip(known, low, high)
    centre, spread = known.mean(axis=0), known.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    line = LogisticRegression(C=STRENGTH, solver="newton-cholesky")
    line.fit((known - centre) / scale, y, sample_weight)
    return LinearModel(fill, low, high, centre, scale, line.coef_[0], float(line.intercept_[0]))
