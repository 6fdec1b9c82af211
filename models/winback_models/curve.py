"""From hazards to answers: P(purchase within any d), and the day by which a share of such contacts has bought.

Inside the horizon the hazard is constant within each interval; beyond it the curve goes on as the BTYD model's does for a
contact that stayed silent so long.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from winback_models.btyd import Array, BtydModel


@dataclass(frozen=True)
class PurchaseCurve:
    """Curves of n contacts.

    Attributes
    ----------
    edges : ndarray, shape (m,)
        Ends of the intervals in days; the last is the horizon.
    log_survival : ndarray, shape (n, m)
        Log P(no purchase by each edge).
    btyd : BtydModel
    x, t_x, T : ndarray, shape (n,)
        The histories, in days, for the part beyond the horizon.
    """

    edges: Array
    log_survival: Array
    btyd: BtydModel
    x: Array
    t_x: Array
    T: Array

    def p_within(self, days: float) -> Array:
        """Return P(at least one purchase within the next ``days``), shape (n,); non-decreasing in ``days``."""
        if days <= self.edges[-1]:
            return np.asarray(-np.expm1(self._log_survival_at(days)))
        until, further = self._btyd_survival(float(self.edges[-1])), self._btyd_survival(days)
        # Too small for a number where a purchase by then is sure: there is nothing left to fall.
        ratio = np.divide(further, until, out=np.ones_like(until), where=until > 0.0)
        with np.errstate(divide="ignore"):
            return np.asarray(-np.expm1(self.log_survival[:, -1] + np.log(ratio)))

    def quantile(self, q: float) -> Array:
        """Return the days by which the next purchase has come with probability ``q``, shape (n,); inf where never."""
        target = float(np.log1p(-q))
        padded = np.column_stack([np.zeros(len(self.log_survival)), self.log_survival])
        ends = np.concatenate([[0.0], self.edges])
        k = np.clip((padded > target).sum(axis=1), 1, len(self.edges))
        row = np.arange(len(padded))
        above, below = padded[row, k - 1], padded[row, k]
        share = np.divide(above - target, above - below, out=np.ones_like(above), where=above - below > 1e-12)
        inside = ends[k - 1] + np.clip(share, 0.0, 1.0) * (ends[k] - ends[k - 1])
        beyond = self.log_survival[:, -1] > target
        wanted = 1.0 - (1.0 - q) * self._btyd_survival(float(self.edges[-1])) / np.exp(
            self.log_survival[:, -1]
        )
        tail = self.btyd.quantile(self.x, self.t_x, self.T, np.clip(wanted, 0.0, 1.0 - 1e-12))
        return np.asarray(np.where(beyond, np.maximum(tail, self.edges[-1]), inside))

    def _log_survival_at(self, days: float) -> Array:
        ends = np.concatenate([[0.0], self.edges])
        k = int(np.clip(np.searchsorted(ends, days, side="left"), 1, len(self.edges)))
        before = self.log_survival[:, k - 2] if k > 1 else np.zeros(len(self.log_survival))
        share = max(0.0, (days - ends[k - 1]) / (ends[k] - ends[k - 1]))
        return np.asarray(before + share * (self.log_survival[:, k - 1] - before))

    def _btyd_survival(self, days: float) -> Array:
        return np.asarray(1.0 - self.btyd.p_purchase(self.x, self.t_x, self.T, days))


def days_to_date(days: Array, as_of: np.datetime64, max_days: int) -> npt.NDArray[np.datetime64]:
    """Return the calendar day on which a purchase ``days`` ahead falls; NaT where it lies beyond ``max_days``.

    Examples
    --------
    >>> days_to_date(np.array([0.2, 1.0, 1.5, np.inf]), np.datetime64("2026-01-01"), 730)
    array(['2026-01-01', '2026-01-01', '2026-01-02', 'NaT'], dtype='datetime64[D]')
    """
    reached = np.isfinite(days) & (days <= max_days)
    whole = np.maximum(np.ceil(np.where(reached, days, 0.0)) - 1.0, 0.0).astype("timedelta64[D]")
    dates = as_of.astype("datetime64[D]") + whole
    dates[~reached] = np.datetime64("NaT")
    return np.asarray(dates)
