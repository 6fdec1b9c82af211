"""The holdout: a stable share of the flagged whom nobody writes to, so that the effect can be measured."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist
from typing import Any

import ibis

from winback_policy.config import PolicyConfig
from winback_policy.draw import drawn_below


def draw_arm(contact_id: Any, config: PolicyConfig) -> Any:
    """Return ``holdout`` or ``treatment`` for each contact; see `winback_policy.draw.drawn_below`."""
    held_out = drawn_below(contact_id, config.holdout_salt, config.holdout_share)
    return ibis.ifelse(held_out, "holdout", "treatment")


def detectable_effect(
    n_treated: int, n_holdout: int, base_rate: float, power: float = 0.8, alpha: float = 0.05
) -> float | None:
    """Return the smallest rise over the base rate that so many contacts would show.

    Two shares, two-sided z test, variances not pooled: the rise d solves
    ``d = (z_{1-alpha/2} + z_power) * sqrt(p (1-p) / n_holdout + (p+d) (1-p-d) / n_treated)``.

    Parameters
    ----------
    n_treated, n_holdout : int
    base_rate : float
        Share p of the held-out that buy.
    power : float
        Chance to find the rise if it is there.
    alpha : float
        Chance to find one if it is not.

    Returns
    -------
    float, optional
        In probability; None where an arm is empty, or no rise up to a share of 1 could be shown.

    References
    ----------
    Fleiss, Levin & Paik (2003), Statistical Methods for Rates and Proportions, ch. 4.

    Examples
    --------
    >>> round(detectable_effect(16130, 1792, 0.02), 4)
    0.01
    >>> round(detectable_effect(2776, 308, 0.03), 4)
    0.03
    """
    if n_treated < 1 or n_holdout < 1:
        return None
    z = NormalDist().inv_cdf(1 - alpha / 2) + NormalDist().inv_cdf(power)
    k = z * z / n_treated
    constant = z * z * base_rate * (1 - base_rate) * (1 / n_holdout + 1 / n_treated)
    linear = k * (1 - 2 * base_rate)
    rise = (linear + sqrt(linear**2 + 4 * (1 + k) * constant)) / (2 * (1 + k))
    return rise if base_rate + rise <= 1 else None
