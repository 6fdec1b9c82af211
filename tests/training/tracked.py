"""A small real model and what its training found, quick enough to log many times."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from winback_models.btyd import BtydModel
from winback_models.first_purchase import base_rate_model
from winback_models.history import RhythmModels
from winback_models.lapse_model import LapseModel
from winback_models.order_value import OrderValueModel
from winback_models.rhythm import RhythmModel
from winback_training.evaluate import METRICS, Evaluation
from winback_training.train import TrainingResult

AS_OF = date(2024, 6, 30)
ORIGINS = (date(2024, 4, 1), date(2024, 1, 2))
MODELS = ("winback", "bg_nbd", "mbg_nbd", "recency")
FEATURES = (
    *("frequency", "recency_days", "T_days", "purchase_days", "days_since_purchase"),
    *("closed_days_in_silence", "gap_log_mean", "gap_log_sd", "monetary_value"),
)


def small_model(horizon_days: int = 90, **changes: Any) -> LapseModel:
    """Return a model without a classifier: CDNOW's parameters, in days."""
    btyd = BtydModel("bg_nbd", r=0.243, alpha=4.414 * 7, a=0.793, b=2.426)
    model = LapseModel(
        horizon_days=horizon_days,
        models=RhythmModels(btyd, RhythmModel(math.log(40.0), 0.8)),
        order_value=OrderValueModel("empirical_bayes", base_mean=35.0, n_contacts=10),
        hazard=None,
        reactivation=None,
        first_purchase=base_rate_model(0.001, horizon_days, "base rate"),
        feature_names=FEATURES,
        info={"status": "BTYD alone", "window": {"first": "2023-01-01"}, "members": ["btyd"], "seed": 0},
    )
    return replace(model, **changes)


def small_features(n: int = 6) -> pd.DataFrame:
    """Return features of ``n`` contacts; the last never bought."""
    days = np.arange(n, dtype=float)
    table = pd.DataFrame(dict.fromkeys(FEATURES, days + 1.0))
    table = table.assign(frequency=days, recency_days=days * 20, T_days=days * 20 + 30, gap_log_sd=0.3)
    table.loc[n - 1] = np.nan
    table.loc[n - 1, "purchase_days"] = 0.0
    table.insert(0, "contact_id", [f"c{i}" for i in range(n)])
    return table


def small_evaluation(**ours: float) -> Evaluation:
    """Return forward tests that pass the gate unless told otherwise."""
    rows = []
    for i, origin in enumerate(ORIGINS):
        for population in ("whole", "active"):
            for model in MODELS:
                found = dict.fromkeys(METRICS, math.nan) | {"n": 400.0, "auc": 0.70 - i / 10, "bias": 0.01}
                if model != "recency":
                    found |= {"brier": 0.18 + 0.02 * i, "brier_skill": 0.1}
                if model == "winback":
                    found |= ours
                rows.append({"origin": origin, "population": population, "model": model, **found})
    grid = np.linspace(0.05, 0.95, 10)
    calibration = pd.concat(
        [
            pd.DataFrame({"model": m, "bin": range(10), "n": 40, "predicted": grid, "observed": grid**1.1})
            for m in MODELS[:3]
        ]
    )
    lift = pd.concat(
        [pd.DataFrame({"model": m, "share": grid, "captured": grid**0.7, "lift": 1.0}) for m in MODELS]
    )
    return Evaluation(ORIGINS, 90, pd.DataFrame(rows), calibration, lift)


def small_result(model: LapseModel | None = None, **ours: float) -> TrainingResult:
    """Return what training would hand to the tracker."""
    fingerprints = {"orders": "ab" * 32}
    return TrainingResult(
        model or small_model(), small_evaluation(**ours), AS_OF, ("Model: BTYD alone.",), fingerprints
    )
