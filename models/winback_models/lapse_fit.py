"""Fits a ``LapseModel`` from label times: members on the older ones, weights and calibration on the newest closed one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from winback_models.btyd import Array
from winback_models.design import Design, choose_columns, choose_edges
from winback_models.hazard import (
    MEMBERS,
    HazardModel,
    Slice,
    calibration_that_holds,
    fit_members,
    fit_weights,
    mix,
    slice_log_odds,
)
from winback_models.history import RhythmModels
from winback_models.lapse_model import LapseModel
from winback_models.order_value import fit_order_value

MIN_PURCHASES = 200
"""With fewer observed purchases in the training windows the learned members are left out: a personal BTYD model is safer."""


@dataclass(frozen=True)
class LabelTime:
    """What one label time gives to training.

    Attributes
    ----------
    as_of : date
    features : DataFrame
        Contacts that had bought, all or a sample.
    waits : ndarray
        Days to the next purchase, inf where none within the horizon; shape (n,).
    models : RhythmModels
    never_bought, first_purchases : int
        Contacts without a purchase at the cut, and how many of them bought within the horizon.
    """

    as_of: date
    features: pd.DataFrame
    waits: Array
    models: RhythmModels
    never_bought: int = 0
    first_purchases: int = 0


def fit_lapse_model(
    today: LabelTime,
    closed: Sequence[LabelTime],
    *,
    horizon_days: int,
    numeric_features: Sequence[str],
    seed: int = 0,
) -> LapseModel:
    """Fit everything that the scores need.

    Parameters
    ----------
    today : LabelTime
        What is known at training; its waits are not read.
    closed : sequence of LabelTime
        Label times whose windows have closed by then, newest first.
    horizon_days : int
    numeric_features : sequence of str
        Candidate columns of the classifier.
    seed : int
    """
    hazard, status = _fit_hazard(closed, horizon_days, numeric_features, seed)
    buyers = today.features
    needed = [
        "frequency",
        "recency_days",
        "T_days",
        "purchase_days",
        "days_since_purchase",
        "closed_days_in_silence",
        "gap_log_mean",
        "gap_log_sd",
        "monetary_value",
    ]
    columns = hazard.design.columns if hazard else ()
    exposure = sum(t.never_bought for t in closed) * horizon_days
    first = sum(t.first_purchases for t in closed)
    model_info: dict[str, Any] = {
        "status": status,
        "trained_as_of": today.as_of.isoformat(),
        "label_times": [t.as_of.isoformat() for t in closed],
        "btyd_path": list(today.models.btyd.path),
    }
    if hazard:
        model_info |= {
            "weights": dict(hazard.weights),
            "calibration": {"intercept": hazard.intercept, "slope": hazard.slope},
            "edges": list(hazard.design.edges),
            "left_out": list(hazard.design.left_out),
        }
    return LapseModel(
        horizon_days=horizon_days,
        models=today.models,
        order_value=fit_order_value(buyers["frequency"], buyers["monetary_value"]),
        hazard=hazard,
        first_purchase_rate=(first + 0.5) / (exposure + 1.0) if exposure else 0.5 / (horizon_days * 100.0),
        feature_names=tuple(dict.fromkeys((*needed, *columns))),
        info=model_info,
    )


def _fit_hazard(
    closed: Sequence[LabelTime], horizon_days: int, numeric_features: Sequence[str], seed: int
) -> tuple[HazardModel | None, str]:
    """Return the classifier, or None and why there is none."""
    if not closed:
        return None, "history too short for a closed label window: the BTYD model speaks alone"
    waits = np.concatenate([t.waits for t in closed])
    if not _enough(closed):
        bought = int(np.isfinite(waits).sum())
        return None, f"{bought} purchases in {len(waits)} label windows are too few to learn from: BTYD alone"
    older = [t for t in closed if (closed[0].as_of - t.as_of).days >= horizon_days]
    older = older if _enough(older) else []
    span = (closed[0].as_of - closed[-1].as_of).days
    used, left_out = choose_columns([t.features for t in older or closed], numeric_features, span)
    design = Design(used, left_out, choose_edges(waits, horizon_days))
    slices = [_slice(t) for t in closed]
    weights = dict.fromkeys(MEMBERS, 1.0 / len(MEMBERS))
    intercept, slope = 0.0, 1.0
    status = "personal model with equal weights: no later slice to weigh its members on"
    if older:
        early = fit_members(design, [_slice(t) for t in older], seed)
        said, y = slice_log_odds(design, early, slices[0])
        weights = fit_weights(said, y)
        between, then = slice_log_odds(design, early, slices[len(closed) - len(older) - 1])
        intercept, slope = calibration_that_holds((mix(between, weights), then), (mix(said, weights), y))
        recalibrated = (
            "recalibrated" if slope != 1.0 else "its own calibration kept, a correction would not have lasted"
        )
        status = f"personal model, weighted on a later slice; {recalibrated}"
    members = fit_members(design, slices, seed)
    return HazardModel(design, members, weights, intercept, slope), status


def _enough(times: Sequence[LabelTime]) -> bool:
    """Say whether both outcomes were seen often enough to learn from."""
    bought = sum(int(np.isfinite(t.waits).sum()) for t in times)
    return min(bought, sum(len(t.waits) for t in times) - bought) >= MIN_PURCHASES


def _slice(time: LabelTime) -> Slice:
    return Slice(time.features, time.waits, time.models)
