"""Expected value of an order: Gamma-Gamma where its assumption holds, else an empirical-Bayes mean.

References
----------
Fader & Hardie (2013), "The Gamma-Gamma model of monetary value".
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from winback_models.btyd import Array
from winback_models.likelihoods import find_minimum, lifetimes_likelihood

MAX_CORRELATION = 0.30
STARTS = ((1.0, 1.0, 1.0), (6.0, 4.0, 15.0), (2.0, 3.0, 50.0))


@dataclass(frozen=True, slots=True)
class OrderValueModel:
    """A fitted model of spend per purchase; its whole state is these numbers, in the brand's currency.

    Attributes
    ----------
    kind : {"gamma_gamma", "empirical_bayes"}
    p, q, gamma : float
        Gamma-Gamma's parameters.
    base_mean, prior_orders : float
        The base's mean order value, and how many orders' weight it has in a contact's mean.
    correlation : float
        Between frequency and spend among repeat buyers; Gamma-Gamma assumes none.
    log_likelihood : float
    n_contacts : int
        Repeat buyers it was fitted on.

    Examples
    --------
    The published CDNOW parameters: one repeat order of 35 against an average of 35 over three.

    >>> model = OrderValueModel("gamma_gamma", p=6.25, q=3.74, gamma=15.44)
    >>> [round(float(v), 1) for v in model.expected([0, 1, 3], [0, 20.0, 20.0])]
    [35.2, 24.6, 21.9]
    """

    kind: Literal["gamma_gamma", "empirical_bayes"]
    p: float = float("nan")
    q: float = float("nan")
    gamma: float = float("nan")
    base_mean: float = 0.0
    prior_orders: float = 1.0
    correlation: float = 0.0
    log_likelihood: float = float("nan")
    n_contacts: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the parameters as a JSON-ready object."""
        return asdict(self)

    def expected(self, orders: npt.ArrayLike, mean_value: npt.ArrayLike) -> Array:
        """Return the expected value of the next order.

        Parameters
        ----------
        orders : array_like, shape (n,)
            How many orders ``mean_value`` averages; 0 gives the base's mean.
        mean_value : array_like, shape (n,)
            Mean spend per purchase; ignored (may be nan) where ``orders`` is 0.
        """
        n = np.asarray(orders, dtype=np.float64)
        mean = np.where(n > 0, np.asarray(mean_value, dtype=np.float64), 0.0)
        if self.kind == "gamma_gamma":
            return np.asarray(self.p * (self.gamma + n * mean) / (self.p * n + self.q - 1.0))
        return np.asarray((self.prior_orders * self.base_mean + n * mean) / (self.prior_orders + n))


def fit_order_value(orders: npt.ArrayLike, mean_value: npt.ArrayLike) -> OrderValueModel:
    """Fit Gamma-Gamma on repeat buyers, or say by ``kind`` that their spend calls for an empirical-Bayes mean.

    Parameters
    ----------
    orders, mean_value : array_like, shape (n,)
        Number of repeat orders with a known amount and their mean; rows with no order or no positive mean are passed over.
    """
    n, mean = np.asarray(orders, dtype=np.float64), np.asarray(mean_value, dtype=np.float64)
    usable = (n > 0) & np.isfinite(mean) & (mean > 0)
    n, mean = n[usable], mean[usable]
    if len(n) == 0:
        return OrderValueModel("empirical_bayes")
    varied = len(n) > 2 and np.ptp(n) > 0 and np.ptp(mean) > 0
    correlation = float(np.corrcoef(n, mean)[0, 1]) if varied else 0.0
    base_mean, prior = _empirical_bayes(n, mean)
    model = OrderValueModel(
        "empirical_bayes", base_mean=base_mean, prior_orders=prior, correlation=correlation, n_contacts=len(n)
    )
    fitted = _fit_gamma_gamma(n, mean) if varied and abs(correlation) < MAX_CORRELATION else None
    if fitted is None:
        return model
    (p, q, gamma), log_likelihood = fitted
    return replace(model, kind="gamma_gamma", p=p, q=q, gamma=gamma, log_likelihood=log_likelihood)


def _empirical_bayes(n: Array, mean: Array) -> tuple[float, float]:
    """Return the base's mean and the number of orders that weigh as much as it, by the method of moments."""
    base = float(mean.mean())
    if len(n) < 3:
        return base, 1.0
    between_and_within = float(mean.var())
    once = mean[n == n.min()]
    within = float(once.var()) * float(n.min()) if len(once) > 2 else between_and_within
    between = max(between_and_within - within * float((1.0 / n).mean()), 0.05 * between_and_within, 1e-12)
    return base, float(np.clip(within / between, 0.1, 50.0))


def _fit_gamma_gamma(n: Array, mean: Array) -> tuple[tuple[float, float, float], float] | None:
    """Return (p, q, gamma) and the log-likelihood, or None where no sane fit exists (the base's mean needs q > 1)."""
    scale = float(np.median(mean)) / 30.0
    data = (n, mean / scale, np.ones_like(n), 0.0)
    found = find_minimum(lifetimes_likelihood("GammaGammaFitter"), STARTS, data, limit=8.0)
    if found is None or np.exp(found[0][1]) <= 1.05:
        return None
    p, q, gamma = (float(v) for v in np.exp(found[0]))
    log_likelihood = -found[1] * len(n) - len(n) * float(np.log(scale))
    return (p, q, gamma * scale), log_likelihood
