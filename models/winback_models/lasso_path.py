"""A lasso at many penalties from sums alone, and the average of models by how well they foretell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import lasso_path

from winback_models.btyd import Array

PENALTIES = 25
"""Penalties from the one that leaves nothing down to a hundredth of it."""

_NOTHING = 1e-10


@dataclass(frozen=True)
class Products:
    """Weighted means and products of a regression: all that a lasso needs of the rows.

    Attributes
    ----------
    means : ndarray of float, shape (d,)
    target_mean : float
    square : ndarray of float, shape (d, d)
        Of the centred columns, per row.
    cross : ndarray of float, shape (d,)
        With the centred target.
    """

    means: Array
    target_mean: float
    square: Array
    cross: Array

    @classmethod
    def of(cls, columns: Array, target: Array, weight: Array) -> Products:
        """Sum up rows.

        Parameters
        ----------
        columns : ndarray of float, shape (n, d)
        target, weight : ndarray of float, shape (n,)
        """
        share = weight / weight.sum()
        means, target_mean = share @ columns, float(share @ target)
        centred = columns - means
        weighed = centred * share[:, None]
        return cls(means, target_mean, weighed.T @ centred, weighed.T @ (target - target_mean))

    def path(self, penalties: Array) -> tuple[Array, Array]:
        """Return the lasso's constants, shape (k,), and slopes, shape (d, k), at each penalty, the largest first."""
        values, vectors = np.linalg.eigh(self.square)
        known = values > _NOTHING * max(values.max(initial=0.0), _NOTHING)
        roots, basis = np.sqrt(values[known]), vectors[:, known]
        # The same problem in as many rows as there are columns.
        rows, right = roots[:, None] * basis.T, (basis.T @ self.cross) / roots
        size = max(len(rows), 1)
        if not len(rows):
            slopes = np.zeros((len(self.means), len(penalties)))
        else:
            slopes = lasso_path(
                rows * np.sqrt(size), right * np.sqrt(size), alphas=penalties, max_iter=20_000
            )[1]
        return self.target_mean - self.means @ slopes, slopes


def top_penalty(sums: Products) -> float:
    """Return the least penalty that leaves no slope."""
    return max(float(np.abs(sums.cross).max(initial=0.0)), _NOTHING)


def pseudo_bma(foretold: Array, target: Array, weight: Array) -> Array:
    """Return what each model weighs, by its squared errors on rows that it has not seen.

    ``exp(-(loss - least) / (2 variance))``, normal errors with the variance that the best one leaves. Models that foretell alike
    weigh alike; one that is clearly best weighs all.

    Parameters
    ----------
    foretold : ndarray of float, shape (n, k)
    target, weight : ndarray of float, shape (n,)

    Returns
    -------
    ndarray of float, shape (k,)
        They sum to 1.

    Examples
    --------
    >>> rows = np.array([[0.0, 0.0, 5.0], [1.0, 1.0, -5.0]])
    >>> pseudo_bma(rows, np.array([0.1, 0.9]), np.ones(2)).round(3).tolist()
    [0.5, 0.5, 0.0]
    """
    loss = weight @ (target[:, None] - foretold) ** 2
    least = np.finfo(np.float64)
    variance = max(float(loss.min()) / len(target), least.eps * float(loss.max()), least.tiny)
    share = np.exp(-(loss - loss.min()) / (2.0 * variance))
    return np.asarray(share / share.sum(), dtype=np.float64)
