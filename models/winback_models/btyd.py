"""Buy-till-you-die models in closed form: BG/NBD, MBG/NBD, and a base rate for data that carry neither.

While alive a contact buys at a rate of its own, Gamma(r, alpha) over the base; after each purchase it may die, with a
probability of its own, Beta(a, b) over the base. MBG/NBD lets it die at its first purchase too. Once the history
(frequency x, recency t_x, age T, in days) is known, the rate's posterior is Gamma(r + x, alpha + T), and everything asked
here follows without simulation.

References
----------
Fader, Hardie & Lee (2005), "Counting your customers" the easy way, Marketing Science 24(2).
Batislam, Denizel & Filiztekin (2007), Int. J. of Research in Marketing 24(3); Wagner & Hoppe (2008), 25(3).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.special import hyp2f1

Array = npt.NDArray[np.float64]
BtydKind = Literal["bg_nbd", "mbg_nbd", "base_rate"]


@dataclass(frozen=True, slots=True)
class BtydModel:
    """A fitted buy-till-you-die model; its whole state is these numbers, in days.

    Attributes
    ----------
    kind : {"bg_nbd", "mbg_nbd", "base_rate"}
        ``base_rate`` never dies: one shared rate, shrunk to each history.
    r, alpha : float
        Shape and rate (days) of the Gamma that purchase rates are drawn from.
    a, b : float
        Parameters of the Beta that dropout probabilities are drawn from.
    log_likelihood : float
        Of the fitted histories, without the penalty.
    n_contacts : int
    penalizer : float
        The penalty under which the fit was sane.
    path : tuple of str
        What was tried before, in words.

    Examples
    --------
    The published CDNOW parameters, in weeks: a contact with 2 repeat purchases, the last in week 30.43, aged 38.86 weeks.

    >>> model = BtydModel("bg_nbd", r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> round(float(model.p_alive(2, 30.43, 38.86)), 4)
    0.7266
    >>> round(float(model.expected_purchases(2, 30.43, 38.86, 39)), 3)
    1.226
    """

    kind: BtydKind
    r: float
    alpha: float
    a: float = 1.0
    b: float = 1.0
    log_likelihood: float = float("nan")
    n_contacts: int = 0
    penalizer: float = 0.0
    path: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the parameters as a JSON-ready object."""
        return {**asdict(self), "path": list(self.path)}

    def _odds_dead(self, x: Array, t_x: Array, T: Array) -> Array:
        """Odds of being dead now, given the history."""
        if self.kind == "base_rate":
            return np.zeros_like(T)
        growth = (self.r + x) * (np.log(self.alpha + T) - np.log(self.alpha + t_x))
        if self.kind == "mbg_nbd":
            return np.asarray(np.exp(np.log(self.a / (self.b + x)) + growth))
        alive_at_first = np.asarray(x) == 0
        denominator = np.where(alive_at_first, 1.0, self.b + x - 1.0)
        return np.where(alive_at_first, 0.0, np.exp(np.log(self.a / denominator) + growth))

    def p_alive(self, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike) -> Array:
        """Return P(alive now), shape of the broadcast arguments.

        BG/NBD says 1 for every one-time buyer at any age: information beside the score, never the ranking key.
        """
        x, t_x, T = _floats(x, t_x, T)
        with np.errstate(over="ignore"):
            return np.asarray(1.0 / (1.0 + self._odds_dead(x, t_x, T)))

    def p_purchase(
        self, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike, days: npt.ArrayLike
    ) -> Array:
        """Return P(at least one purchase within the next ``days``).

        ``p_alive * (1 - ((alpha + T) / (alpha + T + d)) ** (r + x))``: the next purchase comes at the rate's posterior
        predictive (Lomax) waiting time, whatever happens after it.
        """
        x, t_x, T, days = _floats(x, t_x, T, days)
        silent = -(self.r + x) * np.log1p(days / (self.alpha + T))
        return np.asarray(self.p_alive(x, t_x, T) * -np.expm1(silent))

    def quantile(self, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike, q: npt.ArrayLike) -> Array:
        """Return the day by which the next purchase has come with probability ``q``; inf where it never reaches q."""
        x, t_x, T, q = _floats(x, t_x, T, q)
        share = q / self.p_alive(x, t_x, T)
        reached = share < 1.0
        with np.errstate(over="ignore"):
            wait = (self.alpha + T) * np.expm1(-np.log1p(-np.where(reached, share, 0.5)) / (self.r + x))
        return np.where(reached, wait, np.inf)

    def rate_if_alive(self, x: npt.ArrayLike, T: npt.ArrayLike) -> Array:
        """Return the expected purchases per day of a contact that stays: the posterior mean ``(r + x) / (alpha + T)``."""
        x, T = _floats(x, T)
        return np.asarray((self.r + x) / (self.alpha + T))

    def expected_purchases(
        self, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike, days: npt.ArrayLike
    ) -> Array:
        """Return the expected number of purchases in the next ``days``.

        The published formula, after Euler's transformation of the hypergeometric function: its arguments stay small
        however often a contact bought, where the usual form overflows.
        """
        x, t_x, T, days = _floats(x, t_x, T, days)
        if self.kind == "base_rate":
            return np.asarray(self.rate_if_alive(x, T) * days)
        shift = 1.0 if self.kind == "bg_nbd" else 0.0
        a = (
            self.a if abs(self.a - 1.0) > 1e-6 else 1.0 + 1e-6
        )  # the formula's removable singularities: a = 1 …
        c = a + self.b + x - shift
        c = np.where(np.abs(c) > 1e-6, c, 1e-6)  # … and c = 0
        z = days / (self.alpha + T + days)
        with np.errstate(invalid="ignore", over="ignore"):
            survived = np.exp((a - 1.0) * np.log1p(-z)) * hyp2f1(a + self.b - self.r - shift, a - 1.0, c, z)
            expected = c / (a - 1.0) * (1.0 - survived) * self.p_alive(x, t_x, T)
        at_least = self.p_purchase(
            x, t_x, T, days
        )  # also where the series gives up, for contacts as good as dead
        return np.asarray(np.where(np.isfinite(expected), np.maximum(expected, at_least), at_least))


def _floats(*values: npt.ArrayLike) -> tuple[Array, ...]:
    return tuple(np.asarray(v, dtype=np.float64) for v in values)
