"""The buy-till-you-die models in scikit-learn's shape, for pipelines, searches and whoever is used to it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, check_is_fitted

from winback_models.btyd import Array, BtydKind, BtydModel
from winback_models.btyd_fit import KINDS, fit_each, likeliest

HISTORY = ("frequency", "recency_days", "T_days")


class BtydEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Fits buy-till-you-die models on purchase histories and keeps the likeliest; its fitted state is parameters only.

    Parameters
    ----------
    kinds : sequence of {"bg_nbd", "mbg_nbd", "mbg_cnbd", "pareto_nbd"}
        Which models to try.
    horizon_days : int
        What ``predict_proba`` looks ahead.
    log_gaps : float, optional
        Sum of the log of every gap (days) in the histories; ``mbg_cnbd`` is passed over without it.

    Attributes
    ----------
    model_ : BtydModel
        The likeliest of ``candidates_``; a base rate where none could be fitted.
    candidates_ : tuple of BtydModel
        Every model that could be fitted.

    Examples
    --------
    >>> histories = [[0, 0, 90], [2, 30, 80], [5, 60, 70], [1, 10, 90], [3, 70, 75], [0, 0, 40]] * 20
    >>> estimator = BtydEstimator(horizon_days=30).fit(histories)
    >>> p = estimator.predict_proba([[5, 60, 70], [5, 10, 70]])[:, 1]
    >>> bool(p[0] > p[1])  # the second has been silent much longer
    True
    """

    def __init__(
        self, kinds: Sequence[BtydKind] = KINDS, horizon_days: int = 90, log_gaps: float | None = None
    ) -> None:
        self.kinds = kinds
        self.horizon_days = horizon_days
        self.log_gaps = log_gaps

    def fit(
        self, X: pd.DataFrame | npt.ArrayLike, y: object = None, sample_weight: npt.ArrayLike | None = None
    ) -> BtydEstimator:
        """Fit on histories; ``y`` is not read.

        Parameters
        ----------
        X : DataFrame with ``frequency, recency_days, T_days``, or array_like of shape (n, 3) in that order
            In days.
        sample_weight : array_like, shape (n,), optional
            Number of contacts with that history.
        """
        x, t_x, age = _histories(X)
        self.candidates_: tuple[BtydModel, ...] = fit_each(
            x, t_x, age, sample_weight, kinds=self.kinds, log_gaps=self.log_gaps
        )
        self.model_: BtydModel = likeliest(self.candidates_)
        return self

    def predict_proba(self, X: pd.DataFrame | npt.ArrayLike) -> Array:
        """Return P(no purchase) and P(purchase) within ``horizon_days``, shape (n, 2)."""
        check_is_fitted(self, "model_")
        p = self.model_.p_purchase(*_histories(X), self.horizon_days)
        return np.column_stack([1.0 - p, p])

    def predict(self, X: pd.DataFrame | npt.ArrayLike) -> Array:
        """Return the expected number of purchases within ``horizon_days``, shape (n,)."""
        check_is_fitted(self, "model_")
        return self.model_.expected_purchases(*_histories(X), self.horizon_days)


def _histories(X: pd.DataFrame | npt.ArrayLike) -> tuple[Array, Array, Array]:
    """Return (frequency, recency, T); raises ValueError where a column is missing, or a value is not finite."""
    values = X[list(HISTORY)] if isinstance(X, pd.DataFrame) else X
    checked = check_array(values, dtype=np.float64, ensure_min_samples=0)
    return checked[:, 0], checked[:, 1], checked[:, 2]
