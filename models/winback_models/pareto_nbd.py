"""The one integral the Pareto/NBD model needs, as a short quadrature that holds for any parameters.

While alive a contact buys at a rate drawn from Gamma(r, alpha); it dies at a rate drawn from Gamma(s, beta). Its likelihood
integrates over the unknown day of death, its next purchase over the wait: both times the chance ``(1 + u / A) ** -p`` that one
clock is still silent, times that of the other, ``(1 + u / B) ** -q``. The published forms are differences of hypergeometric
functions, which cancel or overflow at the parameters an optimiser passes through.

References
----------
Schmittlein, Morrison & Colombo (1987), Counting your customers, Management Science 33(1).
Fader & Hardie (2005), A note on deriving the Pareto/NBD model, equations 18 to 20 and 41.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

WHOLE, PIECE = 16, 6
"""Nodes of the integral in one go, and the fewest of a piece between two days of a curve; the fewer pieces, the more."""

NEGLIGIBLE = 20.0
"""Minus the log of the chance of silence beyond which nothing is added."""


def silent_days(p: Array, A: Array, q: Array, B: Array, days: Array) -> Array:
    """Return the integral of ``(1 + u / A) ** -p * (1 + u / B) ** -q`` for u from 0 to ``days``; the arguments broadcast.

    The mean time before either of two clocks strikes, cut off at ``days``. Within 1e-6 of the truth. Where the last axis is
    that of ``days`` alone, and they ascend, it is summed from day to day: quicker, and never falling.

    Examples
    --------
    >>> one = np.ones(1)
    >>> silent_days(one, 10 * one, one, 10 * one, 10 * one).round(6)  # 10 * (1 - 1 / 2)
    array([5.])
    """
    shape: tuple[int, ...] = np.broadcast_shapes(*(np.shape(v) for v in (p, A, q, B, days)))
    alone = all(np.shape(v)[-1:] in ((), (1,)) for v in (p, A, q, B))
    curve = alone and max(shape[-1:], default=1) > 1 and bool(np.all(np.diff(days, axis=-1) >= 0.0))
    total = np.zeros(shape)
    for *_, weight in silence(p, A, q, B, days, curve=curve):
        total += weight
    return np.cumsum(total, axis=-1) if curve else total


def silence(
    p: Array, A: Array, q: Array, B: Array, days: Array, *, curve: bool = False
) -> Iterator[tuple[Array, Array, Array, Array]]:
    """Yield, for each node ``u`` of that integral, ``u, log(1 + u / A), log(1 + u / B)`` and its weight, integrand included.

    With ``curve`` the nodes of each piece from one of the days, along the last axis, to the next.

    Gauss-Legendre in ``v`` with ``u = pace * (exp(v) - 1)``: fine where the clocks begin, coarse in their tails, and ended
    where silence has become negligible.
    """
    pace = 0.5 / (p / A + q / B)
    ends = np.log1p(days / pace)
    whole = ends[..., -1:] if curve else ends
    end = np.minimum(whole, np.log1p(2.0 * NEGLIGIBLE))  # never beyond the point sought: log(1 + c) <= c
    for _ in range(4):
        u = pace * np.expm1(end)
        missing = NEGLIGIBLE - p * np.log1p(u / A) - q * np.log1p(u / B)
        slope = (p / (A + u) + q / (B + u)) * (pace + u)
        end = np.minimum(whole, end + np.maximum(missing / slope, 0.0))
    end = np.minimum(ends, end)
    start = np.concatenate([np.zeros_like(end[..., :1]), end[..., :-1]], axis=-1) if curve else 0.0
    nodes = min(PIECE + 30 // ends.shape[-1], WHOLE) if curve else WHOLE
    for abscissa, weight in zip(*np.polynomial.legendre.leggauss(nodes), strict=True):
        u = pace * np.expm1(start + (end - start) * (abscissa + 1.0) / 2.0)
        by_A, by_B = np.log1p(u / A), np.log1p(u / B)
        yield u, by_A, by_B, weight / 2.0 * (end - start) * (pace + u) * np.exp(-p * by_A - q * by_B)


def log_dead(R: Array, alpha: float, s: float, beta: float, t_x: Array, T: Array) -> tuple[Array, Array]:
    """Return log of ``s * integral from t_x to T of (alpha + y)^-R (beta + y)^-(s + 1) dy``, and its gradient.

    The chance of having died on some day ``y`` since the last purchase, up to the factors it shares with being alive.

    Parameters
    ----------
    R : ndarray, shape (n,)
        ``r + x``.
    t_x, T : ndarray, shape (n,)

    Returns
    -------
    value : ndarray, shape (n,)
        ``-inf`` where ``t_x == T``.
    gradient : ndarray, shape (4, n)
        By ``R``, ``alpha``, ``s`` and ``beta``: differentiated under the integral. Finite where ``t_x == T``, too.
    """
    A, B, q = alpha + t_x, beta + t_x, np.full_like(R, s + 1.0)
    log_A, log_B = np.log(A), np.log(B)
    mass, gradient = np.zeros_like(R), np.zeros((4, len(R)))
    for u, by_A, by_B, weight in silence(R, A, q, B, T - t_x):
        mass += weight
        gradient[0] -= weight * by_A
        gradient[1] -= weight / (A + u)
        gradient[2] -= weight * by_B
        gradient[3] -= weight / (B + u)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.log(s) - R * log_A - q * log_B + np.log(mass)
        gradient = np.where(mass > 0.0, gradient / mass, 0.0)
    gradient[0] -= log_A
    gradient[1] *= R
    gradient[2] += 1.0 / s - log_B
    gradient[3] *= q
    return value, gradient


def p_purchase_if_alive(R: Array, A: Array, s: Array, B: Array, days: Array) -> Array:
    """Return P(a purchase within ``days``) of a contact alive now, whose rates are Gamma(R, A) and Gamma(s, B)."""
    return np.asarray(np.minimum(R / A * silent_days(R + 1.0, A, s, B, days), 1.0))


def wait_if_alive(R: Array, A: Array, s: Array, B: Array, q: Array) -> Array:
    """Return the days in which a contact alive now has bought with probability ``q``; inf where it never has.

    Newton's steps in log-time, inside a bracket that shrinks with each.
    """
    R, A, s, B, q = np.broadcast_arrays(R, A, s, B, q)
    pace = 1.0 / (R / A + s / B)
    low, high = np.zeros(q.shape), np.full(q.shape, LONGEST)
    reached = p_purchase_if_alive(R, A, s, B, pace * np.expm1(high)) > q
    at = np.log1p(np.minimum(q, 0.9))
    for _ in range(100):
        days = pace * np.expm1(at)
        short = q - p_purchase_if_alive(R, A, s, B, days)
        if np.all((np.abs(short) < 1e-10) | ~reached):
            break
        low, high = np.where(short > 0.0, at, low), np.where(short > 0.0, high, at)
        slope = R / A * (pace + days) * np.exp(-(R + 1.0) * np.log1p(days / A) - s * np.log1p(days / B))
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            step = at + short / slope
        at = np.where((step > low) & (step < high), step, (low + high) / 2.0)
    return np.asarray(np.where(reached, pace * np.expm1(at), np.inf))


LONGEST = 40.0
"""Log of the longest wait that is looked at, in units of the contact's own pace."""
