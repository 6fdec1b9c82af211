"""The log-likelihood of one purchase history under each buy-till-you-die model, with its gradient.

All take the log-parameters, and the history as frequency ``x``, recency ``t_x`` and age ``T`` in one unit of time. Written
out, not differentiated automatically: a step over some thousand histories costs a millisecond or two. lifetimes' likelihoods
of the same models are the oracle of the tests.

References
----------
Fader, Hardie & Lee (2005), Marketing Science 24(2), equation 6 (BG/NBD).
Batislam, Denizel & Filiztekin (2007), Int. J. of Research in Marketing 24(3) (MBG/NBD).
Platzer & Reutterer (2016), Ticking away the moments, Marketing Science 35(5) (Erlang-k timing).
Fader & Hardie (2005), A note on deriving the Pareto/NBD model, equation 18.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.special import digamma, gammaln

from winback_models.pareto_nbd import Array, log_dead

LogLikelihood = Callable[[Array, Array, Array, Array], tuple[Array, Array]]


def log_likelihood(kind: str, k: int = 1) -> LogLikelihood:
    """Return the function of (log-parameters, x, t_x, T) that gives the values, shape (n,), and the gradient, (4, n).

    The parameters are ``r, alpha, a, b``; for ``pareto_nbd`` ``r, alpha, s, beta``. With ``k > 1`` the factor
    ``(k - 1) * sum(log gap)`` is left out: the same for all parameters.

    Examples
    --------
    >>> value, _ = log_likelihood("bg_nbd")(np.log([0.243, 4.414, 0.793, 2.426]), *np.array([[2.0], [30.43], [38.86]]))
    >>> value.round(3)
    array([-9.459])
    """
    if kind == "pareto_nbd":
        return _pareto
    return partial(_dies_at_purchases, dies_at_first=kind != "bg_nbd", k=k)


def _dies_at_purchases(
    theta: Array, x: Array, t_x: Array, T: Array, *, dies_at_first: bool, k: int
) -> tuple[Array, Array]:
    """Death by a coin of Beta(a, b) after each purchase; Erlang-k gaps whose phases come at a rate of Gamma(r, alpha)."""
    r, alpha, a, b = np.exp(theta)
    R = r + k * x
    tosses = x + 1.0 if dies_at_first else x
    log_then, log_now = np.log(alpha + t_x), np.log(alpha + T)
    silent, silent_by_r, silent_by_alpha = _phases(R, alpha + T, T - t_x, k)
    mortal = tosses > 0.0
    last = np.where(mortal, b + tosses - 1.0, 1.0)
    log_odds = np.where(mortal, np.log(a / last) + R * (log_now - log_then), -np.inf)
    either = np.logaddexp(np.log(silent), log_odds)
    dead = np.exp(log_odds - either)
    alive = np.exp(-either)  # times `silent` and its derivatives
    value = (
        gammaln(R)
        - gammaln(r)
        + r * np.log(alpha)
        - R * log_now
        + gammaln(b + tosses)
        - gammaln(b)
        + gammaln(a + b)
        - gammaln(a + b + tosses)
        + either
        - x * gammaln(k)
    )
    both = digamma(a + b) - digamma(a + b + tosses)
    gradient = np.stack(
        [
            digamma(R)
            - digamma(r)
            + np.log(alpha)
            - log_now
            + alive * silent_by_r
            + dead * (log_now - log_then),
            r / alpha
            - R / (alpha + T)
            + alive * silent_by_alpha
            + dead * R * (1.0 / (alpha + T) - 1.0 / (alpha + t_x)),
            both + dead / a,
            both + digamma(b + tosses) - digamma(b) - np.where(mortal, dead / last, 0.0),
        ]
    )
    return value, gradient * np.exp(theta)[:, None]


def _phases(R: Array, A: Array, silence: Array, k: int) -> tuple[Array, Array, Array]:
    """Return the sum over phases passed in silence, ``(R)_j (silence / A)^j / j!`` for j < k; by ``R``; and by ``A``."""
    term, by_R = np.ones_like(A), np.zeros_like(A)
    total, total_by_R, total_by_A = np.ones_like(A), np.zeros_like(A), np.zeros_like(A)
    for j in range(1, k):
        by_R = by_R + 1.0 / (R + j - 1.0)
        term = term * (R + j - 1.0) * silence / (A * j)
        total, total_by_R, total_by_A = total + term, total_by_R + term * by_R, total_by_A - term * j / A
    return total, total_by_R, total_by_A


def _pareto(theta: Array, x: Array, t_x: Array, T: Array) -> tuple[Array, Array]:
    """Death at a rate of its own, Gamma(s, beta), whenever it likes."""
    r, alpha, s, beta = np.exp(theta)
    R = r + x
    dead_now, by_dead = log_dead(R, alpha, s, beta, t_x, T)
    alive_now = -R * np.log(alpha + T) - s * np.log(beta + T)
    either = np.logaddexp(alive_now, dead_now)
    alive, dead = np.exp(alive_now - either), np.exp(dead_now - either)
    value = gammaln(R) - gammaln(r) + r * np.log(alpha) + s * np.log(beta) + either
    by_alive = -np.stack([np.log(alpha + T), R / (alpha + T), np.log(beta + T), s / (beta + T)])
    own = np.stack(
        [
            digamma(R) - digamma(r) + np.log(alpha),
            r / alpha + 0.0 * R,
            np.log(beta) + 0.0 * R,
            s / beta + 0.0 * R,
        ]
    )
    return value, (own + alive * by_alive + dead * by_dead) * np.exp(theta)[:, None]
