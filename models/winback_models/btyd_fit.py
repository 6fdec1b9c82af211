"""Fits buy-till-you-die models: lifetimes' likelihoods, under an optimiser that always comes back with sane numbers.

Each model is tried without a penalty, then under growing ones, until its optimiser stops at a minimum inside the bounds; the
likelier of BG/NBD and MBG/NBD is taken, and where neither has a sane minimum, a base rate. ``path`` records it. Time is scaled
so that the oldest contact is 50 units old, and identical histories are collapsed into one weighted row.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from winback_models.btyd import Array, BtydKind, BtydModel

PENALIZERS = (0.0, 0.001, 0.01, 0.1)
STARTS = ((0.25, 4.0, 0.8, 2.5), (1.0, 10.0, 0.5, 5.0), (0.5, 1.0, 1.0, 1.0))
BOUND = 1e4
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
    """Return (parameters, log-likelihood) of the first start that ends at a sane minimum, or None."""
    likelihood, value_and_grad = _lifetimes_likelihood(kind)
    data = (x, t_x, T, n, penalizer)
    limit = np.log(BOUND)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # overflow on the optimiser's way; the end point is checked below
        for start in STARTS:
            found = minimize(
                value_and_grad(likelihood),
                np.log(start),
                args=data,
                jac=True,
                method="L-BFGS-B",
                bounds=[(-limit, limit)] * 4,
                options={"ftol": 1e-13, "gtol": 1e-7, "maxiter": 500},
            )
            sane = np.isfinite(found.fun) and np.abs(found.x).max() < limit - 0.7
            if sane and np.abs(found.jac).max() < 1e-3:
                plain = -float(likelihood(found.x, x, t_x, T, n, 0.0)) * float(n.sum())
                return tuple(float(p) for p in np.exp(found.x)), plain
    return None


def _lifetimes_likelihood(kind: BtydKind) -> tuple[Any, Any]:
    """Return lifetimes' negative mean log-likelihood of the log-parameters, and autograd's differentiator."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lifetimes is archived: its imports use deprecated spellings
        from autograd import value_and_grad
        from lifetimes import BetaGeoFitter, ModifiedBetaGeoFitter
    fitter = BetaGeoFitter if kind == "bg_nbd" else ModifiedBetaGeoFitter
    return fitter._negative_log_likelihood, value_and_grad
