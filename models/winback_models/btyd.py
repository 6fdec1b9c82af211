"""Buy-till-you-die models: BG/NBD, MBG/NBD, MBG/CNBD-k, Pareto/NBD, and a base rate for data that carry none of them.

While alive a contact buys at a rate of its own, Gamma(r, alpha) over the base; after each purchase it may die, with a
probability of its own, Beta(a, b) over the base. MBG/NBD lets it die at its first purchase too. MBG/CNBD-k has gaps more regular
than chance: k phases each (Erlang), whose rate is the one drawn. Pareto/NBD lets a contact die at any time, at a rate of
its own, Gamma(s, beta). Once the history (frequency x, recency t_x, age T, in days) is known, the rate's posterior is
Gamma(r + k x, alpha + T), and everything asked here follows without simulation.

References
----------
Fader, Hardie & Lee (2005), "Counting your customers" the easy way, Marketing Science 24(2).
Batislam, Denizel & Filiztekin (2007), Int. J. of Research in Marketing 24(3); Wagner & Hoppe (2008), 25(3).
Platzer & Reutterer (2016), Ticking away the moments, Marketing Science 35(5).
Schmittlein, Morrison & Colombo (1987), Counting your customers, Management Science 33(1).
"""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, betaincinv, hyp2f1

from winback_models.pareto_nbd import Array, p_purchase_if_alive, silent_days, wait_if_alive

__all__ = ["Array", "BtydKind", "BtydModel"]

BtydKind = Literal["bg_nbd", "mbg_nbd", "mbg_cnbd", "pareto_nbd", "base_rate"]


@dataclass(frozen=True, slots=True)
class BtydModel:
    """A fitted buy-till-you-die model; its whole state is these numbers, in days.

    Attributes
    ----------
    kind : {"bg_nbd", "mbg_nbd", "mbg_cnbd", "pareto_nbd", "base_rate"}
        ``base_rate`` never dies: one shared rate, shrunk to each history.
    r, alpha : float
        Shape and rate (days) of the Gamma that purchase rates are drawn from.
    a, b : float
        Parameters of the Beta that dropout probabilities are drawn from (not of Pareto/NBD).
    log_likelihood : float
        Of the fitted histories, without the prior; comparable between the kinds.
    n_contacts : int
    penalizer : float
        The prior's precision under which the fit was sane; 0 is maximum likelihood.
    path : tuple of str
        What was tried, in words.
    k : int
        Phases of a gap (MBG/CNBD-k); 1 is a gap without memory.
    s, beta : float
        Shape and rate (days) of the Gamma that Pareto/NBD draws death rates from.
    standard_errors : tuple of float
        Of the logarithms of the four fitted parameters, from the observed information; empty where nothing was fitted.

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
    k: int = 1
    s: float = 1.0
    beta: float = 1.0
    standard_errors: tuple[float, ...] = ()

    def __setstate__(self, state: list[Any]) -> None:
        """Take a pickled state; one written before the last attributes existed gets their defaults."""
        known = fields(self)
        later = [f.default for f in known[len(state) :]]
        if MISSING in later:
            raise ValueError(f"a BtydModel of {len(state)} values cannot be read")
        for field, value in zip(known, [*state, *later], strict=True):
            object.__setattr__(self, field.name, value)

    def as_dict(self) -> dict[str, Any]:
        """Return the parameters as a JSON-ready object."""
        return {**asdict(self), "path": list(self.path), "standard_errors": list(self.standard_errors)}

    def _odds_dead(self, x: Array, t_x: Array, T: Array) -> Array:
        """Odds of being dead now, given the history."""
        if self.kind == "base_rate":
            return np.zeros_like(T)
        R = self.r + self.k * x
        growth = R * (np.log(self.alpha + T) - np.log(self.alpha + t_x))
        if self.kind == "pareto_nbd":
            A, B = self.alpha + t_x, self.beta + t_x
            days = silent_days(R, A, np.asarray(self.s + 1.0), B, T - t_x)
            later = growth + self.s * (np.log(self.beta + T) - np.log(B))
            return np.asarray(np.exp(later) * self.s * days / B)
        if self.kind == "mbg_cnbd":
            growth = growth - np.log(self._phases(R, self.alpha + T, T - t_x))
        if self.kind != "bg_nbd":
            return np.asarray(np.exp(np.log(self.a / (self.b + x)) + growth))
        alive_at_first = np.asarray(x) == 0
        denominator = np.where(alive_at_first, 1.0, self.b + x - 1.0)
        return np.where(alive_at_first, 0.0, np.exp(np.log(self.a / denominator) + growth))

    def _phases(self, R: Array, A: Array, silence: Array) -> Array:
        """Sum over the phases passed in silence: ``(R)_j (silence / A)^j / j!`` for j < k."""
        term = total = np.ones(np.broadcast_shapes(np.shape(R), np.shape(A), np.shape(silence)))
        for j in range(1, self.k):
            term = term * (R + j - 1.0) * silence / (A * j)
            total = total + term
        return np.asarray(total)

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
        predictive (Lomax) waiting time, whatever happens after it. With k phases the silence so far counts too; under
        Pareto/NBD death must not come first.
        """
        x, t_x, T, days = _floats(x, t_x, T, days)
        R, A = self.r + self.k * x, self.alpha + T
        if self.kind == "pareto_nbd":
            alive_buys = p_purchase_if_alive(R, A, np.asarray(self.s), self.beta + T, days)
            return np.asarray(self.p_alive(x, t_x, T) * alive_buys)
        silent = -R * np.log1p(days / A)
        if self.kind == "mbg_cnbd":
            before, after = self._phases(R, A, T - t_x), self._phases(R, A + days, T - t_x + days)
            silent = np.minimum(silent + np.log(after) - np.log(before), 0.0)
        return np.asarray(self.p_alive(x, t_x, T) * -np.expm1(silent))

    def quantile(self, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike, q: npt.ArrayLike) -> Array:
        """Return the day by which the next purchase has come with probability ``q``; inf where it never reaches q."""
        x, t_x, T, q = _floats(x, t_x, T, q)
        R, A = self.r + self.k * x, self.alpha + T
        with np.errstate(divide="ignore"):
            share = q / self.p_alive(x, t_x, T)
        reached = share < 1.0
        share = np.where(reached, share, 0.5)
        with np.errstate(over="ignore", divide="ignore"):
            if self.kind == "pareto_nbd":
                wait = wait_if_alive(R, A, np.asarray(self.s), self.beta + T, share)
            elif self.kind == "mbg_cnbd":
                since = self.alpha + t_x
                silent = betainc(R, float(self.k), since / A) * (1.0 - share)
                wait = np.maximum(since / betaincinv(R, float(self.k), silent) - A, 0.0)
            else:
                wait = A * np.expm1(-np.log1p(-share) / R)
        return np.where(reached, wait, np.inf)

    def rate_if_alive(self, x: npt.ArrayLike, T: npt.ArrayLike) -> Array:
        """Return the expected purchases per day of a contact that stays: the posterior mean ``(r / k + x) / (alpha + T)``."""
        x, T = _floats(x, T)
        return np.asarray((self.r / self.k + x) / (self.alpha + T))

    def expected_purchases(
        self, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike, days: npt.ArrayLike
    ) -> Array:
        """Return the expected number of purchases in the next ``days``.

        The published formula, after Euler's transformation of the hypergeometric function: its arguments stay small
        however often a contact bought, where the usual form overflows. For MBG/CNBD-k an approximation: that of
        purchases at random with the same mean rate.
        """
        x, t_x, T, days = _floats(x, t_x, T, days)
        if self.kind == "base_rate":
            return np.asarray(self.rate_if_alive(x, T) * days)
        at_least = self.p_purchase(x, t_x, T, days)
        if self.kind == "pareto_nbd":
            lived = (self.beta + T) * _power_integral(np.log1p(days / (self.beta + T)), 1.0 - self.s)
            return np.asarray(
                np.maximum(self.p_alive(x, t_x, T) * self.rate_if_alive(x, T) * lived, at_least)
            )
        R, A = self.r + self.k * x, self.k * (self.alpha + T)
        shift = 1.0 if self.kind == "bg_nbd" else 0.0
        a = (
            self.a if abs(self.a - 1.0) > 1e-6 else 1.0 + 1e-6
        )  # the formula's removable singularities: a = 1 …
        c = a + self.b + x - shift
        c = np.where(np.abs(c) > 1e-6, c, 1e-6)  # … and c = 0
        z = days / (A + days)
        with np.errstate(invalid="ignore", over="ignore"):
            survived = np.exp((a - 1.0) * np.log1p(-z)) * hyp2f1(c - R, a - 1.0, c, z)
            expected = c / (a - 1.0) * (1.0 - survived) * self.p_alive(x, t_x, T)
        # the series gives up on contacts as good as dead
        return np.asarray(np.where(np.isfinite(expected), np.maximum(expected, at_least), at_least))


def _power_integral(log_end: Array, power: float) -> Array:
    """Return the integral of ``v ** (power - 1)`` for v from 1 to ``exp(log_end)``."""
    return np.asarray(log_end if abs(power) < 1e-9 else np.expm1(power * log_end) / power)


def _floats(*values: npt.ArrayLike) -> tuple[Array, ...]:
    return tuple(np.asarray(v, dtype=np.float64) for v in values)
