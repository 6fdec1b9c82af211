"""Fits buy-till-you-die models by maximum likelihood, and always comes back with sane numbers.

Each kind is first climbed from several starts on a coarse picture of the base, some hundred weighted cells; the highest
of the peaks is then polished on all histories. Where there are tens of thousands, fine cells stand for them, and two of
Newton's steps on much finer ones bring the peak within a hundredth of theirs. Where the peak is no peak but a ridge along
which some parameter runs away, the same is done under a weak prior on the log-parameters, then under stronger ones, until the
information matrix says that every parameter is known. ``path`` records it. Where nothing repeats, there is a base rate. Time
is scaled so that the oldest contact is 50 units old.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from winback_models.btyd import Array, BtydKind, BtydModel
from winback_models.btyd_likelihoods import LogLikelihood, log_likelihood

KINDS: tuple[BtydKind, ...] = ("bg_nbd", "mbg_nbd")
ALL_KINDS: tuple[BtydKind, ...] = (*KINDS, "pareto_nbd", "mbg_cnbd")
PRECISIONS = (0.0, 0.05, 0.25, 1.0)
"""Of the prior, 1 / variance of a log-parameter: none, then spreads of 4.5, 2 and 1."""

PRIOR = {"pareto_nbd": (0.5, 10.0, 0.5, 10.0)}
USUAL = (0.5, 5.0, 1.0, 2.5)
"""The prior's medians, in scaled time: about what the published data sets gave."""

STARTS = ((1.0, 1.0, 1.0, 1.0), (3.0, 3.0, 0.5, 2.0), (0.5, 0.2, 1.0, 0.4), (1.0, 2.0, 0.1, 1.0))
"""Where a climb begins, in multiples of the prior's medians."""

LIMIT = 9.2
"""Bound of the log-parameters, in scaled time."""

UNKNOWN = 2.0
"""A standard error of a log-parameter from which on it is not known even by its order of magnitude: a ridge."""

OLDEST = 50.0
MOST_ROWS = 20_000
"""Distinct histories from which on they are gathered in cells."""

COARSE, FINE, FINEST = (8, 12), (16, 32), (40, 80)
"""Cells: bins of the age, and of the silence."""

NEWTON_STEPS = 2

MOST_PHASES = 4


@dataclass(frozen=True)
class Histories:
    """Weighted purchase histories in one unit of time: frequency, recency, age, and how many contacts have each."""

    x: Array
    t_x: Array
    T: Array
    n: Array

    @property
    def purchases(self) -> float:
        """Repeat purchases in all."""
        return float((self.x * self.n).sum())


def fit_btyd(
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    *,
    kinds: Sequence[BtydKind] = KINDS,
    log_gaps: float | None = None,
    most_rows: int = MOST_ROWS,
) -> BtydModel:
    """Return the likeliest of ``kinds`` that has sane parameters, else a base rate; see ``likeliest``.

    Parameters
    ----------
    frequency, recency, T : array_like, shape (n,)
        Repeat purchase days, age at the last purchase and age now, in days (any unit: parameters come back in it).
    weights : array_like, shape (n,), optional
        Number of contacts with that history.
    kinds : sequence of {"bg_nbd", "mbg_nbd", "mbg_cnbd", "pareto_nbd"}
    log_gaps : float, optional
        Sum of the log of every gap between purchase days, over all contacts, in the same unit. Without it the number
        of phases cannot be judged, and ``mbg_cnbd`` is passed over.
    most_rows : int
        More distinct histories than that are gathered in cells.

    Returns
    -------
    BtydModel

    Examples
    --------
    >>> fit_btyd([0, 0, 0], [0, 0, 0], [5, 5, 5]).kind  # nobody ever came back: nothing to learn a rhythm from
    'base_rate'
    """
    return likeliest(
        fit_each(frequency, recency, T, weights, kinds=kinds, log_gaps=log_gaps, most_rows=most_rows)
    )


def likeliest(models: Sequence[BtydModel]) -> BtydModel:
    """Return the model of the highest likelihood; one of several phases only where there is no other.

    Two purchases never fall on one day, so that daily data look regular to the likelihood whatever the silences do: on
    Complete Journey it prefers two phases by thousands, and P(purchase) is worse for it. Regularity has to prove itself forward.
    """
    memoryless = [model for model in models if model.k == 1]
    return max(memoryless or models, key=lambda model: model.log_likelihood)


def fit_each(
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    *,
    kinds: Sequence[BtydKind] = KINDS,
    log_gaps: float | None = None,
    most_rows: int = MOST_ROWS,
) -> tuple[BtydModel, ...]:
    """Return every one of ``kinds`` that has sane parameters; a base rate alone where none has. Arguments as ``fit_btyd``."""
    base = _distinct(frequency, recency, T, weights)
    if len(base.x) > most_rows:
        base = gather_in_cells(base, *FINEST)
    learnable = len(base.x) > 1 and base.purchases > 0 and float(base.T.max()) > 0
    with threadpool_limits(1, "blas"):  # four parameters: more threads only wait for each other
        tried = [_fit(kind, base, log_gaps, most_rows) for kind in kinds] if learnable else []
    fitted = tuple(model for model in tried if model is not None)
    if fitted:
        return fitted
    reason = "no sane maximum under any prior" if learnable else "no repeat purchase or a single history"
    exposure = float((base.T * base.n).sum()) + 1.0
    path = (f"{' and '.join(kinds)}: {reason}", "base_rate")
    rate = exposure / (base.purchases + 0.5)
    return (BtydModel("base_rate", 1.0, rate, n_contacts=round(float(base.n.sum())), path=path),)


def _fit(kind: BtydKind, base: Histories, log_gaps: float | None, most_rows: int) -> BtydModel | None:
    """Return the model of one kind; of MBG/CNBD-k with the number of phases at which the likelihood peaks."""
    if kind != "mbg_cnbd":
        return _climb(kind, 1, base, 0.0, most_rows)
    best: BtydModel | None = None
    for k in range(2, MOST_PHASES + 1) if log_gaps is not None else ():
        model = _climb(kind, k, base, float(log_gaps or 0.0), most_rows)
        if model is None or (best is not None and model.log_likelihood <= best.log_likelihood):
            break
        best = model
    return best


def _climb(kind: BtydKind, k: int, base: Histories, log_gaps: float, most_rows: int) -> BtydModel | None:
    """Return the model under the weakest prior that leaves no parameter unknown, in the caller's unit of time."""
    scale = float(base.T.max()) / OLDEST
    scaled = replace(base, t_x=base.t_x / scale, T=base.T / scale)
    fine = gather_in_cells(scaled, *FINE) if len(base.x) > most_rows else scaled
    coarse = gather_in_cells(fine, *COARSE) if len(fine.x) > 2 * COARSE[0] * COARSE[1] else fine
    name = f"{kind} with {k} phases" if k > 1 else kind
    path: list[str] = []
    likelihood, centre = log_likelihood(kind, k), np.log(PRIOR.get(kind, USUAL))
    starts = [centre + np.log(start) for start in STARTS]
    for precision in PRECISIONS:
        end, found, said = _peak(likelihood, centre, precision, starts, (coarse, fine, scaled))
        starts = [centre, end]
        path.append(f"{name}, prior precision {precision:g}: {said}")
        if found is None:
            continue
        errors, value = found
        value += (k - 1) * log_gaps - k * base.purchases * float(np.log(scale))  # the density's unit of time
        r, alpha, third, fourth = (float(p) for p in np.exp(end))
        tail = {"s": third, "beta": fourth * scale} if kind == "pareto_nbd" else {"a": third, "b": fourth}
        return BtydModel(
            kind,
            r=r,
            alpha=alpha * scale,
            log_likelihood=value,
            n_contacts=round(float(base.n.sum())),
            penalizer=precision,
            path=tuple(path),
            k=k,
            standard_errors=tuple(float(e) for e in errors),
            **tail,
        )
    return None


def _peak(
    likelihood: LogLikelihood,
    centre: Array,
    precision: float,
    starts: Sequence[Array],
    pictures: tuple[Histories, Histories, Histories],
) -> tuple[Array, tuple[Array, float] | None, str]:
    """Return the log-parameters; their standard errors and log-likelihood, or None where they are not sane; and why in words.

    ``pictures`` are the base in coarse cells, in fine ones, and as it is.
    """
    coarse, fine, whole = pictures
    with np.errstate(all="ignore"):  # overflow on the optimiser's way; the end point is checked below
        ends = [_descend(start, likelihood, coarse, centre, precision) for start in starts]
        best = min(ends, key=lambda end: end[1])[0]
        theta, minimum, slope = _descend(best, likelihood, fine, centre, precision)
        information = _information(theta, likelihood, fine, centre, precision)
    if not (np.isfinite(minimum) and np.isfinite(information).all()):
        return theta, None, "not finite"
    if np.abs(theta).max() > LIMIT - 0.5:
        return theta, None, "a parameter runs away"
    if np.abs(slope).max() > 1e-4:
        return theta, None, "no flat end"
    if np.linalg.eigvalsh(information).min() <= 0.0:
        return theta, None, "no peak"
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    if errors.max() > UNKNOWN and precision < PRECISIONS[-1]:
        return theta, None, "a ridge"
    for _ in range(NEWTON_STEPS if fine is not whole else 0):
        slope = _objective(theta, likelihood, whole, centre, precision)[1] * float(whole.n.sum())
        theta = theta - np.clip(np.linalg.solve(information, slope), -1.0, 1.0)
    return theta, (errors, float(likelihood(theta, whole.x, whole.t_x, whole.T)[0] @ whole.n)), "fitted"


def _descend(
    start: Array, likelihood: LogLikelihood, rows: Histories, centre: Array, precision: float
) -> tuple[Array, float, Array]:
    """Return where a descent from ``start`` ends, its value and its slope."""
    found: Any = minimize(
        _objective,
        start,
        args=(likelihood, rows, centre, precision),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-LIMIT, LIMIT)] * len(start),
        options={"ftol": 1e-13, "gtol": 1e-8, "maxiter": 500},
    )
    return np.asarray(found.x), float(found.fun), np.asarray(found.jac)


def _objective(
    theta: Array, likelihood: LogLikelihood, rows: Histories, centre: Array, precision: float
) -> tuple[float, Array]:
    """Return minus the log-posterior per contact, and its gradient."""
    value, gradient = likelihood(theta, rows.x, rows.t_x, rows.T)
    away, n = theta - centre, float(rows.n.sum())
    total = value @ rows.n - 0.5 * precision * float(away @ away)
    return -float(total) / n, -(gradient @ rows.n - precision * away) / n


def _information(
    theta: Array, likelihood: LogLikelihood, rows: Histories, centre: Array, precision: float
) -> Array:
    """Return the observed information of the log-parameters, shape (4, 4): central differences of the gradient."""
    step = 1e-4
    moved = [step * direction for direction in np.eye(len(theta))]
    columns = [
        _objective(theta + d, likelihood, rows, centre, precision)[1]
        - _objective(theta - d, likelihood, rows, centre, precision)[1]
        for d in moved
    ]
    matrix = np.stack(columns) * float(rows.n.sum()) / (2.0 * step)
    return np.asarray((matrix + matrix.T) / 2.0)


def _distinct(
    frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike, weights: npt.ArrayLike | None
) -> Histories:
    """Return the distinct histories and how many contacts have each."""
    x, t_x, age = (np.asarray(v, dtype=np.float64) for v in (frequency, recency, T))
    n = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=np.float64)
    order = np.lexsort((age, t_x, x))
    x, t_x, age, n = x[order], t_x[order], age[order], n[order]
    first = np.ones(len(x), dtype=bool)
    first[1:] = (np.diff(x) != 0) | (np.diff(t_x) != 0) | (np.diff(age) != 0)
    counts = np.asarray(np.bincount(np.cumsum(first) - 1, weights=n), dtype=np.float64)
    return Histories(x[first], t_x[first], age[first], counts)


def gather_in_cells(rows: Histories, ages: int, silences: int) -> Histories:
    """Return one weighted row, the mean, for each occupied cell of frequency, age and silence.

    Frequencies up to 12 stay apart, higher ones share bins that widen by a tenth. Ages are cut evenly in log(a tenth of the
    oldest + age), and silences in the arcsine of the root of their share of the age: the likelihood bends most where a
    contact is young, has just bought, or never came back.
    """
    few = np.minimum(rows.x, 12.0)
    many = np.floor(np.log(np.maximum(rows.x, 12.0) / 12.0) / np.log(1.1))
    oldest = max(float(rows.T.max()), 1e-12)
    age = np.log1p(10.0 * rows.T / oldest) / np.log(11.0)
    share = np.clip((rows.T - rows.t_x) / np.maximum(rows.T, 1e-12), 0.0, 1.0)
    silence = np.arcsin(np.sqrt(share)) * 2.0 / np.pi
    row, column = (
        np.minimum(value * bins, bins - 1).astype(np.int64)
        for value, bins in ((age, ages), (silence, silences))
    )
    cell = ((few + many).astype(np.int64) * ages + row) * silences + column
    n = np.bincount(cell, weights=rows.n)
    occupied = n > 0
    x, t_x, age = (
        np.asarray(np.bincount(cell, weights=rows.n * values)[occupied] / n[occupied])
        for values in (rows.x, rows.t_x, rows.T)
    )
    return Histories(x, t_x, age, np.asarray(n[occupied], dtype=np.float64))
