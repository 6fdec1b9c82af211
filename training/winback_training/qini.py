"""How well a ranking finds those whom a message moves: Qini and AUUC, with bootstrap intervals.

A gain is what treating a contact brings, in probability or money: the true effect where it is known (simulations), else its
unbiased score from a randomised experiment (`effect_scores`). Sorted by a ranking and summed, gains make the uplift curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from winback_models.btyd import Array

RESAMPLES = 500
CHUNK = 25
TAILS = (0.025, 0.975)


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Ranking:
    """What a ranking brings when the best are treated first.

    Attributes
    ----------
    qini : Estimate
        Area between the uplift curve and the diagonal, per contact: 0 for a random order.
    auuc : Estimate
        Area under the uplift curve, per contact: the Qini plus half the mean effect.
    """

    qini: Estimate
    auuc: Estimate


def effect_scores(treated: npt.NDArray[np.bool_], bought: Array, propensity: Array, anyway: Array) -> Array:
    """Return for each contact a noisy score whose mean over any group is that group's effect.

    ``(w - e) (y - m) / (e (1 - e))`` with w the arm, e the designed share of treated, y the outcome and m any guess of it that
    did not see the contact: the better the guess, the less noise. Unbiased because the arm was drawn.

    Returns
    -------
    ndarray of float, shape (n,)
    """
    return (treated - propensity) * (bought - anyway) / (propensity * (1.0 - propensity))


def qini(ranking: npt.ArrayLike, gains: npt.ArrayLike) -> float:
    """Return the area between the uplift curve and the diagonal, per contact.

    Parameters
    ----------
    ranking : array_like, shape (n,)
        Highest first; equals are taken in random order, on average.
    gains : array_like, shape (n,)

    Examples
    --------
    >>> qini([3, 2, 1, 0], [1, 1, 0, 0]), qini([0, 0, 0, 0], [1, 1, 0, 0]), qini([0, 1, 2, 3], [1, 1, 0, 0])
    (0.125, 0.0, -0.125)
    """
    order = _Groups.of(np.asarray(ranking, np.float64))
    return float(order.qini(np.ones((1, order.n)), np.asarray(gains, np.float64))[0])


def recovered(ranking: npt.ArrayLike, effects: npt.ArrayLike) -> float:
    """Return the share of the best possible Qini that a ranking reaches, by the true effects.

    >>> recovered([4, 1, 3, 0], [0.2, 0.1, 0.1, 0.0])
    1.0
    """
    return qini(ranking, effects) / qini(effects, effects)


def uplift_curve(ranking: npt.ArrayLike, gains: npt.ArrayLike, points: int = 20) -> list[tuple[float, float]]:
    """Return the summed gain per contact of the whole when the best share is treated, as (share, gain)."""
    order, values = np.argsort(-np.asarray(ranking), kind="stable"), np.asarray(gains, np.float64)
    total = np.concatenate([[0.0], np.cumsum(values[order])]) / max(len(values), 1)
    shares = np.linspace(0.0, 1.0, points + 1)
    return [(float(s), float(total[round(s * len(values))])) for s in shares]


def compare_rankings(
    rankings: Sequence[npt.ArrayLike], gains: npt.ArrayLike, *, seed: int = 0, resamples: int = RESAMPLES
) -> tuple[list[Ranking], list[Estimate]]:
    """Judge rankings of the same contacts, and the first one's lead over each.

    Parameters
    ----------
    rankings : sequence of array_like, each of shape (n,)
    gains : array_like, shape (n,)
        Scores from an experiment; `effect_scores`.
    seed, resamples : int
        Of the Poisson bootstrap over contacts, in which all rankings meet the same draws.

    Returns
    -------
    list of Ranking
    list of Estimate
        Qini of the first minus that of each: 0 for itself.

    References
    ----------
    Yadlowsky, S. et al. (2025). Evaluating treatment prioritization rules via rank-weighted average treatment effects. JASA 120.
    """
    values = np.asarray(gains, np.float64)
    orders = [_Groups.of(np.asarray(r, np.float64)) for r in rankings]
    n, rng = len(values), np.random.default_rng(seed)
    here = np.ones((1, n))
    points = np.array([order.qini(here, values)[0] for order in orders])
    drawn, means = [], []
    for start in range(0, resamples, CHUNK):
        times = rng.poisson(1.0, (min(CHUNK, resamples - start), n)).astype(np.float64)
        drawn.append(np.array([order.qini(times, values) for order in orders]))
        means.append(times @ values / times.sum(1) / 2.0)
    qinis, half = np.concatenate(drawn, axis=1), np.concatenate(means)
    judged = [
        Ranking(_estimate(point, boot), _estimate(point + values.mean() / 2.0, boot + half))
        for point, boot in zip(points, qinis, strict=True)
    ]
    return judged, [
        _estimate(points[0] - point, qinis[0] - boot) for point, boot in zip(points, qinis, strict=True)
    ]


def _estimate(value: float, boot: Array) -> Estimate:
    low, high = np.quantile(boot, TAILS)
    return Estimate(float(value), float(low), float(high))


@dataclass(frozen=True)
class _Groups:
    """Contacts sorted by a ranking, best first, those of equal rank in one group."""

    order: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, ranking: Array) -> _Groups:
        order = np.argsort(-ranking, kind="stable")
        ranked = ranking[order]
        starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
        return cls(order, starts)

    @property
    def n(self) -> int:
        return len(self.order)

    def qini(self, times: Array, gains: Array) -> Array:
        """Return the Qini of each row of ``times``, which says how often each contact counts."""
        ranked = times[:, self.order]
        weight = np.add.reduceat(ranked, self.starts, axis=1)
        gain = np.add.reduceat(ranked * gains[self.order], self.starts, axis=1)
        total = weight.sum(1, keepdims=True)
        place = (np.cumsum(weight, axis=1) - weight / 2.0) / total
        return np.asarray(((0.5 - place) * gain).sum(1) / total[:, 0], dtype=np.float64)
