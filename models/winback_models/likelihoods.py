"""lifetimes' likelihoods, and the minimum of one: found from several starts, or said not to exist."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.optimize import minimize

from winback_models.btyd import Array

Likelihood = Callable[..., Any]


def lifetimes_likelihood(fitter: str) -> Likelihood:
    """Return the negative log-likelihood of a fitter of lifetimes, as a function of the log-parameters and the data."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lifetimes is archived: its imports use deprecated spellings
        import lifetimes
    likelihood: Likelihood = getattr(lifetimes, fitter)._negative_log_likelihood
    return likelihood


def find_minimum(
    likelihood: Likelihood, starts: Sequence[Sequence[float]], data: tuple[Any, ...], *, limit: float
) -> tuple[Array, float] | None:
    """Return (log-parameters, value) of the first start that ends at a sane minimum, or None.

    Sane: finite, flat, and inside the bounds.

    Parameters
    ----------
    starts : sequence
        Parameters to start from, not their logarithms.
    data : tuple
        Passed on after the log-parameters.
    limit : float
        Bound of every log-parameter, on both sides.
    """
    from autograd import value_and_grad

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # overflow on the optimiser's way; the end point is checked below
        for start in starts:
            found = minimize(
                value_and_grad(likelihood),
                np.log(start),
                args=data,
                jac=True,
                method="L-BFGS-B",
                bounds=[(-limit, limit)] * len(start),
                options={"ftol": 1e-13, "gtol": 1e-7, "maxiter": 500},
            )
            inside = np.isfinite(found.fun) and np.abs(found.x).max() < limit - 0.5
            if inside and np.abs(found.jac).max() < 1e-3:
                return found.x, float(found.fun)
    return None
