"""Which few of many slopes there are: a spike and slab from sums alone, and the average of models by how well they foretell."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.special import expit, softmax, xlogy

from winback_models.btyd import Array

EXPECTED = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""So many slopes there may be, each number as likely as the others before the data."""

SIZES = (2.0, 6.0, 18.0, 54.0, 162.0)
"""So large they may be: variance of a slope, in units of that with which the data would tell it alone."""

RAREST, SUREST = 1e-4, 0.9
"""No slope is taken to be less or more likely before the data."""

NOTHING = 1e-100
"""A target that varies no more has nothing to explain."""

SWEEPS, SETTLED = 200, 1e-3
"""At most so many rounds; fewer where no slope moves by this part of its standard error."""


@dataclass(frozen=True)
class Products:
    """Weighted means and products of a regression: all that is needed of the rows.

    Attributes
    ----------
    rows : int
    means : ndarray of float, shape (d,)
    target_mean, variance : float
        Of the target.
    square : ndarray of float, shape (d, d)
        Of the centred columns, per row.
    cross : ndarray of float, shape (d,)
        With the centred target.
    """

    rows: int
    means: Array
    target_mean: float
    variance: float
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
        centred, rest = columns - means, target - target_mean
        weighed = centred * share[:, None]
        variance = float(share @ rest**2)
        return cls(len(target), means, target_mean, variance, weighed.T @ centred, weighed.T @ rest)


def sparse_slopes(sums: Products, likely: Array) -> tuple[float, Array]:
    """Return constant and slopes of a regression in which most slopes are nil, and nobody knows which.

    A slope is nil or normal. How many are not, and how large they are, is averaged over by the evidence; so no penalty is chosen.
    The posterior is found slope by slope, as if they were independent given the data.

    Parameters
    ----------
    sums : Products
    likely : ndarray of float, shape (d,)
        How likely each slope is before the data, above 0; only the ratios count.

    Returns
    -------
    float
    ndarray of float, shape (d,)
        Posterior means.

    References
    ----------
    Carbonetto, P. and Stephens, M. (2012). Scalable variational inference for Bayesian variable selection in regression, and its
    accuracy in genetic association studies. Bayesian Analysis 7(1), 73-108.

    Examples
    --------
    >>> rows = np.random.default_rng(0).standard_normal((1000, 20))
    >>> target = 1.0 + 0.5 * rows[:, 3] + np.random.default_rng(1).standard_normal(1000)
    >>> _, slopes = sparse_slopes(Products.of(rows, target, np.ones(1000)), np.ones(20))
    >>> round(float(slopes[3]), 1), bool(np.abs(np.delete(slopes, 3)).max() < 0.01)
    (0.5, True)
    """
    width = np.sqrt(np.diag(sums.square))
    width = np.where(width > 0, width, 1.0)
    if sums.variance <= NOTHING:
        return sums.target_mean, np.zeros(len(width))
    known = sums.rows / sums.variance
    square, cross = known * sums.square / np.outer(width, width), known * sums.cross / width
    expected, sizes = np.array(list(product(EXPECTED, SIZES))).T
    chance = np.clip(np.outer(expected, likely / likely.sum()), RAREST, SUREST)
    slopes, evidence = _posteriors(square, cross, chance, sizes[:, None] / known)
    found = softmax(evidence) @ slopes / width
    return float(sums.target_mean - sums.means @ found), found


def _posteriors(square: Array, cross: Array, chance: Array, spread: Array) -> tuple[Array, Array]:
    """Return the posterior means of all settings at once, shape (k, d), and how well each explains the data, shape (k,).

    Parameters
    ----------
    square, cross : ndarray of float, shapes (d, d) and (d,)
        In units of the noise.
    chance : ndarray of float, shape (k, d)
        Of a slope, before the data.
    spread : ndarray of float, shape (k, 1)
        Variance of a slope where there is one.
    """
    precision = np.diag(square)
    left = 1.0 / (precision + 1.0 / spread)
    odds = np.log(chance / (1.0 - chance)) + 0.5 * np.log(left / spread)
    there, size = chance.copy(), np.zeros_like(chance)
    slopes, explained = np.zeros_like(chance), np.zeros_like(chance)
    for _ in range(SWEEPS):
        before = slopes.copy()
        for j in range(len(cross)):
            size[:, j] = left[:, j] * (cross[j] - explained[:, j] + precision[j] * slopes[:, j])
            there[:, j] = expit(odds[:, j] + 0.5 * size[:, j] ** 2 / left[:, j])
            new = there[:, j] * size[:, j]
            explained += np.outer(new - slopes[:, j], square[j])
            slopes[:, j] = new
        if (np.abs(slopes - before) <= SETTLED * np.sqrt(left)).all():
            break
    second = left + size**2
    fit = slopes @ cross - 0.5 * ((slopes * explained) + precision * (there * second - slopes**2)).sum(1)
    surprise = xlogy(there, there / chance) + xlogy(1.0 - there, (1.0 - there) / (1.0 - chance))
    surprise -= 0.5 * there * (1.0 + np.log(left / spread) - second / spread)
    return slopes, fit - surprise.sum(1)


def pseudo_bma(foretold: Array, target: Array, weight: Array, odds: Array | None = None) -> Array:
    """Return what each model weighs, by its squared errors on rows that it has not seen.

    ``odds exp(-(loss - least) / (2 variance))``, normal errors with the variance that the best one leaves. Models that foretell
    alike weigh as they did before; one that is clearly best weighs all.

    Parameters
    ----------
    foretold : ndarray of float, shape (n, k)
    target, weight : ndarray of float, shape (n,)
    odds : ndarray of float, shape (k,), optional
        What each weighs before the data; all alike when absent.

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
    share = np.exp(-(loss - loss.min()) / (2.0 * variance)) * (1.0 if odds is None else odds)
    return np.asarray(share / share.sum(), dtype=np.float64)
