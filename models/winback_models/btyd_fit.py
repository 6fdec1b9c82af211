"""Fits buy-till-you-die models: lifetimes' likelihoods, under an optimiser that always comes back with sane numbers.

Each model is tried without a penalty, then under growing ones, until its optimiser stops at a minimum inside the bounds; the
likelier of BG/NBD and MBG/NBD is taken, and where neither has a sane minimum, a base rate. ``path`` records it. Time is scaled
so that the oldest contact is 50 units old, and identical histories are collapsed into one weighted row.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from winback_models.btyd import Array, BtydKind, BtydModel
from winback_models.likelihoods import find_minimum, lifetimes_likelihood

PENALIZERS = (0.0, 0.001, 0.01, 0.1)
STARTS = ((0.25, 4.0, 0.8, 2.5), (1.0, 10.0, 0.5, 5.0), (0.5, 1.0, 1.0, 1.0))
LIMIT = 9.2
"""Bound of the log-parameters, in scaled time."""

FITTERS = {"bg_nbd": "BetaGeoFitter", "mbg_nbd": "ModifiedBetaGeoFitter"}
OLDEST = 50.0


def fit_btyd(
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    *,
    kinds: Sequence[BtydKind] = ("bg_nbd", "mbg_nbd"),
) -> BtydModel:
    """Return the likeliest of ``kinds`` that has sane parameters, else a base rate.

    Parameters
    ----------
    frequency, recency, T : array_like, shape (n,)
        Repeat purchase days, age at the last purchase and age now, in days (any unit: parameters come back in it).
    weights : array_like, shape (n,), optional
        Number of contacts with that history.
    kinds : sequence of {"bg_nbd", "mbg_nbd"}

    Returns
    -------
    BtydModel

    Examples
    --------
    >>> fit_btyd([0, 0, 0], [0, 0, 0], [5, 5, 5]).kind  # nobody ever came back: nothing to learn a rhythm from
    'base_rate'
    """
    fitted = fit_each(frequency, recency, T, weights, kinds=kinds)
    return max(fitted, key=lambda model: model.log_likelihood)


def fit_each(
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    *,
    kinds: Sequence[BtydKind] = ("bg_nbd", "mbg_nbd"),
) -> tuple[BtydModel, ...]:
    """Return every one of ``kinds`` that has sane parameters; a base rate alone where none has. Arguments as ``fit_btyd``."""
    x, t_x, age, n = _collapse(frequency, recency, T, weights)
    learnable = len(x) > 1 and float((x * n).sum()) > 0 and float(age.max()) > 0
    fitted = tuple(m for kind in kinds if (m := _climb(kind, x, t_x, age, n))) if learnable else ()
    if fitted:
        return fitted
    reason = "no sane minimum at any penalty" if learnable else "no repeat purchase or a single history"
    purchases, exposure = float((x * n).sum()) + 0.5, float((age * n).sum()) + 1.0
    path = (f"{' and '.join(kinds)}: {reason}", "base_rate")
    return (BtydModel("base_rate", 1.0, exposure / purchases, n_contacts=int(n.sum()), path=path),)


def _climb(kind: BtydKind, x: Array, t_x: Array, T: Array, n: Array) -> BtydModel | None:
    """Return the model under the smallest penalty that gives sane parameters, in the caller's unit of time."""
    scale = float(T.max()) / OLDEST
    path: list[str] = []
    for penalizer in PENALIZERS:
        fitted = _fit_once(kind, penalizer, x, t_x / scale, T / scale, n)
        if fitted is None:
            path.append(f"{kind} with penalty {penalizer:g}: no sane minimum")
            continue
        (r, alpha, a, b), scaled = fitted
        log_likelihood = scaled - float((x * n).sum()) * float(np.log(scale))  # the density's unit of time
        steps = (*path, f"{kind} with penalty {penalizer:g}: fitted")
        return BtydModel(kind, r, alpha * scale, a, b, log_likelihood, int(n.sum()), penalizer, steps)
    return None


def _collapse(
    frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike, weights: npt.ArrayLike | None
) -> tuple[Array, Array, Array, Array]:
    """Return the distinct histories and how many contacts have each."""
    rows = np.column_stack([np.asarray(v, dtype=np.float64) for v in (frequency, recency, T)])
    counts = np.ones(len(rows)) if weights is None else np.asarray(weights, dtype=np.float64)
    distinct, where = np.unique(rows, axis=0, return_inverse=True)
    return (
        distinct[:, 0],
        distinct[:, 1],
        distinct[:, 2],
        np.bincount(where.ravel(), weights=counts).astype(np.float64),
    )


def _fit_once(
    kind: BtydKind, penalizer: float, x: Array, t_x: Array, T: Array, n: Array
) -> tuple[tuple[float, ...], float] | None:
    """Return (parameters, log-likelihood without the penalty), or None without a sane minimum."""
    likelihood = lifetimes_likelihood(FITTERS[kind])
    found = find_minimum(likelihood, STARTS, (x, t_x, T, n, penalizer), limit=LIMIT)
    if found is None:
        return None
    mean = float(likelihood(found[0], x, t_x, T, n, 0.0))
    return tuple(float(p) for p in np.exp(found[0])), -mean * float(n.sum())
