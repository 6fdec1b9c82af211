"""A contact's own cadence, shrunk to the base's where its gaps are few.

Gaps between purchase days are taken as log-normal around the contact's own usual gap. The base's mean and spread of
log-gaps are the prior: a contact with one gap is mostly the base, one with twenty is itself.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from winback_models.btyd import Array

LATE_SPREADS = float(ndtri(0.8))
"""How many spreads above its mean log-gap a contact is late: eight of ten of its gaps have closed by then."""


@dataclass(frozen=True, slots=True)
class RhythmModel:
    """The base's rhythm.

    Attributes
    ----------
    log_gap : float
        Mean log-gap over repeat buyers (log days).
    log_spread : float
        Spread of log-gaps within a contact.
    prior_gaps : float
        How many own gaps weigh as much as the base's rhythm.

    Examples
    --------
    >>> base = RhythmModel(log_gap=float(np.log(30)), log_spread=0.8, prior_gaps=2.0)
    >>> usual, late = base.cadence([0, 50], [np.nan, np.log(7)], [np.nan, 0.2])
    >>> [round(float(d)) for d in usual], [round(float(d)) for d in late]
    ([30, 7], [59, 9])
    """

    log_gap: float
    log_spread: float
    prior_gaps: float = 2.0

    def as_dict(self) -> dict[str, Any]:
        """Return the parameters as a JSON-ready object."""
        return asdict(self)

    def cadence(
        self,
        gaps: npt.ArrayLike,
        gap_log_mean: npt.ArrayLike,
        gap_log_sd: npt.ArrayLike,
        base_log_gap: npt.ArrayLike | None = None,
    ) -> tuple[Array, Array]:
        """Return the usual gap, and the gap by which eight of ten such gaps have closed, in days.

        Parameters
        ----------
        gaps : array_like, shape (n,)
            How many gaps the contact has; 0 gives the base's rhythm.
        gap_log_mean, gap_log_sd : array_like, shape (n,)
            Mean and population spread of the contact's log-gaps; nan where it has none.
        base_log_gap : array_like, shape (n,), optional
            What stands in the place of ``log_gap`` for each contact; nan where nothing does.
        """
        n = np.nan_to_num(np.asarray(gaps, dtype=np.float64))
        mean = np.nan_to_num(np.asarray(gap_log_mean, dtype=np.float64))
        sd = np.nan_to_num(np.asarray(gap_log_sd, dtype=np.float64))
        base = np.full(n.shape, self.log_gap)
        if base_log_gap is not None:
            base = np.where(np.isnan(base_log_gap), base, base_log_gap)
        own = (self.prior_gaps * base + n * mean) / (self.prior_gaps + n)
        spread = np.sqrt(
            (2.0 * self.prior_gaps * self.log_spread**2 + n * sd**2) / (2.0 * self.prior_gaps + n)
        )
        return np.exp(own), np.exp(own + LATE_SPREADS * spread)


def fit_rhythm(gaps: npt.ArrayLike, gap_log_mean: npt.ArrayLike, gap_log_sd: npt.ArrayLike) -> RhythmModel:
    """Fit the base's rhythm on repeat buyers; without any, a month with a wide spread."""
    n, mean, sd = (np.asarray(v, dtype=np.float64) for v in (gaps, gap_log_mean, gap_log_sd))
    has = (n >= 1) & np.isfinite(mean)
    if not has.any():
        return RhythmModel(float(np.log(30.0)), 1.0)
    several = has & (n >= 2) & np.isfinite(sd)
    freedom = float((n[several] - 1.0).sum())
    within = float((n[several] * sd[several] ** 2).sum()) / freedom if freedom > 0 else 0.64
    return RhythmModel(float(mean[has].mean()), float(np.sqrt(max(within, 0.01))))
