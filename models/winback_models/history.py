"""What a contact's purchase history says under the fitted rhythm models, as columns for the hazard classifier.

Nothing here sees a label. A *context* is one label time: the features known then, and the models fitted on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winback_models.btyd import Array, BtydKind, BtydModel
from winback_models.btyd_estimator import HISTORY, BtydEstimator
from winback_models.btyd_fit import ALL_KINDS
from winback_models.rhythm import LATE_SPREADS, RhythmModel, fit_rhythm

ACTIVE_HORIZONS = 2
"""A contact is on the active base while its last purchase is at most so many horizons ago."""

STEADY_KIND: BtydKind = "mbg_nbd"
TRAINED_KINDS: tuple[BtydKind, ...] = (STEADY_KIND,)
"""What is fitted at every label time that members learn from: the same kind at all of them, and the one scored with."""


@dataclass(frozen=True)
class RhythmModels:
    """The label-free models of one label time.

    Attributes
    ----------
    btyd : BtydModel
        MBG/NBD; the likeliest of ``candidates`` where it has no fit.
    rhythm : RhythmModel
    candidates : tuple of BtydModel
        Every BTYD model that could be fitted.
    """

    btyd: BtydModel
    rhythm: RhythmModel
    candidates: tuple[BtydModel, ...] = ()


def fit_rhythm_models(
    histories: pd.DataFrame, sample: pd.DataFrame, kinds: Sequence[BtydKind] = ALL_KINDS
) -> RhythmModels:
    """Fit the buy-till-you-die models and the base's rhythm at one label time.

    The score stands on MBG/NBD: in it a contact that bought once may have gone, and it costs a third of Pareto/NBD's time
    for curves as good. Regularity (MBG/CNBD-k) makes the BTYD curve better where buyers are like clockwork, but not the
    average of members that see each contact's own gaps. The others are fitted for comparison.

    Parameters
    ----------
    histories : DataFrame
        The distinct (``frequency, recency_days, T_days``) of all buyers, and in ``n`` how many have each.
    sample : DataFrame
        Features of buyers, all or a sample of them.
    kinds : sequence of str
        BTYD kinds to fit.
    """
    gaps = sample["frequency"].to_numpy(np.float64)
    has = (gaps > 0) & sample["gap_log_mean"].notna().to_numpy()
    log_gap = np.average(sample.loc[has, "gap_log_mean"], weights=gaps[has]) if has.any() else 0.0
    purchases = float((histories["frequency"] * histories["n"]).sum())
    estimator = BtydEstimator(kinds=kinds, log_gaps=float(log_gap) * purchases)
    fitted = estimator.fit(histories, sample_weight=histories["n"])
    steady = (model for model in fitted.candidates_ if model.kind == STEADY_KIND)
    return RhythmModels(
        next(steady, fitted.model_),
        fit_rhythm(sample["frequency"], sample["gap_log_mean"], sample["gap_log_sd"]),
        fitted.candidates_,
    )


def history(features: pd.DataFrame) -> tuple[Array, Array, Array]:
    """Return (frequency, recency, T) in days, each of shape (n,)."""
    x, t_x, age = (features[c].to_numpy(np.float64) for c in HISTORY)
    return x, t_x, age


def log_silence(features: pd.DataFrame, models: RhythmModels, edges: Array) -> Array:
    """Return the log-probability of no purchase within each of ``edges`` days, by the BTYD model; shape (n, len(edges))."""
    x, t_x, age = history(features)
    p = models.btyd.p_purchase(x[:, None], t_x[:, None], age[:, None], edges[None, :])
    return np.asarray(np.log1p(-np.minimum(p, 1.0 - 1e-12)))


def cadence_scores(features: pd.DataFrame, models: RhythmModels, ahead: Array) -> Array:
    """Return how late each contact will be after ``ahead`` more silent days, in spreads of its own log-gap.

    0: the silence is just as long as the usual gap. Shape (n, len(ahead)).
    """
    usual, late = models.rhythm.cadence(
        features["frequency"], features["gap_log_mean"], features["gap_log_sd"]
    )
    spread = np.maximum(np.log(late / usual) / LATE_SPREADS, 1e-3)
    silence = features["days_since_purchase"].to_numpy(np.float64)[:, None] + ahead[None, :]
    return np.asarray((np.log(np.maximum(silence, 0.5)) - np.log(usual)[:, None]) / spread[:, None])
