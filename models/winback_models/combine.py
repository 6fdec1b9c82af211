"""How the members' voices become one: weights found on a later slice, and a recalibration of shape that must have lasted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq, minimize
from scipy.special import expit

from winback_models.btyd import Array

Mask = npt.NDArray[np.bool_]

STEADY = "btyd"
"""The member that needs no labels: with few of them it weighs more, and is dropped only where it surely fails."""

STEADY_PURCHASES = 400.0
"""With so many observed purchases, the steady member weighs as much as all the learned ones before any fitting."""

FAILS = 1.05
"""A member whose log-loss on the later slice is more than so many times the best member's is dropped."""

SURELY = 5.0
"""Standard errors of its loss above the best's by which a spared member fails whatever was hoped of it: among 100 to 1,500
contacts of four real shops it was 4.0 at most, where everybody buys by the calendar 15 and more."""


def prior_weights(names: list[str], purchases: float) -> dict[str, float]:
    """Return the weights before any fitting: equal, or more for the steady member where few purchases were seen.

    Examples
    --------
    >>> prior_weights(["direct", "rolled", "btyd"], 400)
    {'direct': 0.25, 'rolled': 0.25, 'btyd': 0.5}
    >>> {name: round(w, 2) for name, w in prior_weights(["direct", "rolled", "btyd"], 100_000).items()}
    {'direct': 0.33, 'rolled': 0.33, 'btyd': 0.33}
    """
    if STEADY not in names or len(names) == 1:
        return dict.fromkeys(names, 1.0 / len(names))
    steady = max(1.0 / len(names), STEADY_PURCHASES / (STEADY_PURCHASES + purchases))
    return {name: steady if name == STEADY else (1.0 - steady) / (len(names) - 1) for name in names}


def failing(said: Mapping[str, Array], y: Mask, spared: str | None = None) -> tuple[str, ...]:
    """Return the members that the later slice speaks clearly against; the spared one only where it fails far beyond noise."""
    losses = {name: log_loss(score, y) for name, score in said.items()}
    best = min(losses, key=losses.__getitem__)

    def surely(name: str) -> bool:
        worse = log_losses(said[name], y) - log_losses(said[best], y)
        return bool(worse.mean() > SURELY * worse.std() / np.sqrt(len(worse)))

    return tuple(
        name
        for name, loss in losses.items()
        if loss > FAILS * losses[best] and (name != spared or surely(name))
    )


def fit_weights(said: Mapping[str, Array], y: Mask, prior: Mapping[str, float]) -> dict[str, float]:
    """Return the members' weights that explain a later slice best, half-way shrunk to the prior ones.

    Parameters
    ----------
    said : mapping of str to ndarray, shape (rows,)
        Log-odds of each member for person-periods at risk.
    y : ndarray of bool, shape (rows,)
    prior : mapping of str to float
        Sums to 1.
    """
    names = list(said)
    start = np.array([prior[name] for name in names])
    stacked = np.column_stack([said[name] for name in names])

    def loss(weights: Array) -> tuple[float, Array]:
        score = stacked @ weights
        return log_loss(score, y), np.asarray((expit(score) - y) @ stacked / len(y))

    found: Any = minimize(
        loss,
        start,
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * len(names),
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1.0, "jac": lambda w: np.ones_like(w)},
        options={"ftol": 1e-10},
    )
    best = found.x / found.x.sum() if found.success and found.x.sum() > 0 else start
    return {name: 0.5 * float(best[i]) + 0.5 * float(start[i]) for i, name in enumerate(names)}


def calibration_that_holds(earlier: tuple[Array, Mask], newest: tuple[Array, Mask]) -> tuple[float, float]:
    """Return (intercept, slope) found on both slices, or (0, 1) where the earlier one's does harm to the newest.

    Parameters
    ----------
    earlier, newest : pair of ndarray
        Mean log-odds and outcomes, of times that the members were not fitted on.
    """
    mixed, y = newest
    intercept, slope = fit_calibration(*earlier)
    if log_loss(intercept + slope * mixed, y) >= log_loss(mixed, y):
        return 0.0, 1.0
    return fit_calibration(np.concatenate([earlier[0], mixed]), np.concatenate([earlier[1], y]))


def slope_that_holds(earlier: tuple[Array, Mask], newest: tuple[Array, Mask]) -> float:
    """Return the slope by which log-odds are stretched or drawn together, or 1 where that does harm.

    Only the shape is corrected: the level found on a past slice is that of its season, and members that were fitted again
    since have a newer one. The slope found in an earlier time must have helped in the newest, or none is carried to the days
    to come.

    Parameters
    ----------
    earlier, newest : pair of ndarray
        Mean log-odds and outcomes, of times that the members were not fitted on.
    """
    mixed, y = newest
    _, slope = fit_calibration(*earlier)
    level = fit_calibration(mixed, y, slope=1.0)[0]
    stretched = fit_calibration(slope * mixed, y, slope=1.0)[0]
    if log_loss(stretched + slope * mixed, y) >= log_loss(level + mixed, y):
        return 1.0
    both = np.concatenate([earlier[0], mixed]), np.concatenate([earlier[1], y])
    return fit_calibration(*both)[1]


def fit_calibration(
    mixed: Array, y: Mask, *, prior: float = 1000.0, slope: float | None = None
) -> tuple[float, float]:
    """Return (intercept, slope) of a logistic recalibration, drawn towards (0, 1) by a ridge of weight ``prior``.

    With ``slope`` given, only the intercept is found, without a ridge.
    """
    theta = np.array([0.0, 1.0 if slope is None else slope])
    free = np.array([True, slope is None])
    ridge = prior * np.eye(2) if slope is None else np.zeros((2, 2))
    x = np.column_stack([np.ones_like(mixed), mixed])
    for _ in range(50):
        p = expit(x @ theta)
        weight = p * (1 - p)
        gradient = x.T @ (y - p) - ridge @ (theta - [0.0, 1.0])
        information = (x * weight[:, None]).T @ x + ridge
        step = np.zeros(2)
        step[free] = np.linalg.solve(information[np.ix_(free, free)], gradient[free])
        theta = theta + np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-10:
            break
    return float(theta[0]), float(theta[1])


def level_kept(mixed: Array, slope: float) -> float:
    """Return the intercept under which ``slope`` leaves the mean probability as it was.

    Parameters
    ----------
    mixed : ndarray
        Mean log-odds of the rows to be scored.
    """
    if slope == 1.0:
        return 0.0
    wanted = float(expit(mixed).mean())
    return float(brentq(lambda a: float(expit(a + slope * mixed).mean()) - wanted, -20.0, 20.0))


def log_loss(score: Array, y: Mask) -> float:
    """Return the mean log-loss of log-odds."""
    return float(np.mean(log_losses(score, y)))


def log_losses(score: Array, y: Mask) -> Array:
    """Return the log-loss of each row's log-odds, shape (rows,)."""
    return np.asarray(np.logaddexp(0.0, np.where(y, -score, score)))
