"""How sure a difference between two models is, when both are judged on the same contacts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winback_models.btyd import Array

RESAMPLES = 1000
CHUNK = 50
LEVEL = 0.95


def paired_bootstrap(
    differences: Array, contacts: npt.ArrayLike | None = None, *, seed: int = 0, resamples: int = RESAMPLES
) -> Array:
    """Return the mean of each column with its 95 % bootstrap interval, shape (k, 3): mean, low, high.

    Whole contacts are drawn, each counting Poisson(1) times: where a contact stands in several rows (one for each forward
    test) they come and go together, so that what the tests have in common is not taken for proof.

    Parameters
    ----------
    differences : ndarray, shape (n, k)
        Per row, the loss of one model minus the loss of another; k such pairs of models.
    contacts : array_like of int, shape (n,), optional
        Which contact each row belongs to; every row its own when absent.
    seed : int

    References
    ----------
    Hanley & MacGibbon (2006), "Creating non-parametric bootstrap samples using Poisson frequencies", Computer Methods and
    Programs in Biomedicine 83(1).

    Examples
    --------
    >>> mean, low, high = paired_bootstrap(np.array([[0.1], [0.3], [0.2], [0.2]]))[0]
    >>> bool(low < mean < high), round(float(mean), 6)
    (True, 0.2)
    """
    n, k = differences.shape
    if n == 0:
        return np.full((k, 3), np.nan)
    _, owner = np.unique(np.arange(n) if contacts is None else np.asarray(contacts), return_inverse=True)
    sums = np.column_stack([np.bincount(owner, weights=column) for column in differences.T])
    parts = np.column_stack([sums, np.bincount(owner)])
    rng = np.random.default_rng(seed)
    means = []
    for start in range(0, resamples, CHUNK):
        times = rng.poisson(1.0, (min(CHUNK, resamples - start), len(parts)))
        drawn = times.astype(np.float64) @ parts
        means.append(drawn[:, :k] / np.maximum(drawn[:, k:], 1.0))
    tails = [(1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0]
    low, high = np.quantile(np.concatenate(means), tails, axis=0)
    return np.column_stack([differences.mean(axis=0), low, high])
