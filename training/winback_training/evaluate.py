"""Forward tests: at past days the whole training is repeated with what was known then, and judged on what came after."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from winback_models.lapse_fit import LabelTime
from winback_models.lapse_model import ACTIVE_HORIZONS, LapseModel
from winback_training.baselines import RANKINGS, baseline_scores
from winback_training.dataset import bought_within
from winback_training.metrics import (
    calibration_table,
    integrated_brier,
    interval_coverage,
    lift_table,
    score_metrics,
)

OURS = "winback"
METRICS = (
    "n", "prevalence", "auc", "pr_auc_churn", "brier", "brier_skill", "log_loss", "ece", "lift_10", "bias", "ibs",
    "coverage_80",
)  # fmt: skip


@dataclass(frozen=True)
class Evaluation:
    """What the forward tests found.

    Attributes
    ----------
    origins : tuple of date
        Days of the tests, newest first.
    horizon_days : int
    metrics : DataFrame
        ``origin, population, model`` and one column for each of ``METRICS``; nan where a model gives no such number.
        Populations: ``whole``, ``active`` (last purchase at most two horizons ago), and of those ``one_time`` and ``repeat``.
    calibration : DataFrame
        ``model, bin, n, predicted, observed`` on the active base of the newest test.
    lift : DataFrame
        ``model, share, captured, lift`` on the active base of the newest test.
    """

    origins: tuple[date, ...]
    horizon_days: int
    metrics: pd.DataFrame
    calibration: pd.DataFrame
    lift: pd.DataFrame

    def value(self, model: str, metric: str, population: str = "active", origin: str = "mean") -> float:
        """Return one number: the mean over the tests, or the ``newest`` test's alone; nan when there is none."""
        rows = self.metrics
        rows = rows[(rows["model"] == model) & (rows["population"] == population)]
        if origin == "newest" and self.origins:
            rows = rows[rows["origin"] == self.origins[0]]
        return float(rows[metric].mean()) if len(rows) else float("nan")

    def summary(self) -> dict[str, Any]:
        """Return the means over the tests as JSON-ready nested objects: population, model, metric; nan becomes None."""
        out: dict[str, Any] = {}
        for (population, model), rows in self.metrics.groupby(["population", "model"]):
            means = {m: float(rows[m].mean()) for m in METRICS}
            out.setdefault(str(population), {})[str(model)] = {
                k: v if math.isfinite(v) else None for k, v in means.items()
            }
        return {
            "origins": [o.isoformat() for o in self.origins],
            "horizon_days": self.horizon_days,
            "populations": out,
        }


def evaluate(
    origins: Sequence[date],
    horizon_days: int,
    label_time: Callable[[date], LabelTime],
    closed: Callable[[date], Sequence[LabelTime]],
    fit: Callable[[LabelTime, Sequence[LabelTime]], LapseModel],
    numeric_features: Sequence[str],
    seed: int = 0,
) -> Evaluation:
    """Repeat the training at each of ``origins`` and judge it, and the baselines, on the horizon that followed.

    Parameters
    ----------
    label_time : callable
        Gives the label time of a day.
    closed : callable
        Gives the label times whose windows had closed by a day.
    fit : callable
        Fits a model from (today, closed label times).
    """
    rows, calibration, lift = [], [], []
    for origin in origins:
        today, before = label_time(origin), closed(origin)
        model = fit(today, before)
        y = bought_within(today.waits, horizon_days)
        said = {OURS: model.curve(today.features, [horizon_days])[:, 0]}
        said |= baseline_scores(today, before, horizon_days, numeric_features, seed)
        masks = populations(today.features, horizon_days)
        timing = {name: _timing(model, today, mask, horizon_days) for name, mask in masks.items()}
        for name, p in said.items():
            for population, mask in masks.items():
                found = score_metrics(y[mask], p[mask], probability=name not in RANKINGS)
                extra = timing[population] if name == OURS else {}
                rows.append({"origin": origin, "population": population, "model": name, **found, **extra})
            if origin == origins[0] and masks["active"].any():
                active = masks["active"]
                lift.append(lift_table(y[active], p[active]).assign(model=name))
                if name not in RANKINGS:
                    calibration.append(calibration_table(y[active], p[active]).assign(model=name))
    return Evaluation(
        tuple(origins),
        horizon_days,
        pd.DataFrame(rows, columns=["origin", "population", "model", *METRICS]),
        _concat(calibration, ["model", "bin", "n", "predicted", "observed"]),
        _concat(lift, ["model", "share", "captured", "lift"]),
    )


def populations(features: pd.DataFrame, horizon_days: int) -> dict[str, Any]:
    """Return a mask of shape (n,) for each population that is reported apart."""
    active = features["days_since_purchase"].to_numpy(np.float64) <= ACTIVE_HORIZONS * horizon_days
    once = features["purchase_days"].to_numpy(np.float64) == 1
    return {
        "whole": np.ones(len(features), bool),
        "active": active,
        "one_time": active & once,
        "repeat": active & ~once,
    }


def _timing(model: LapseModel, today: LabelTime, mask: Any, horizon_days: int) -> dict[str, float]:
    """Return the integrated Brier score and the coverage of the 80 % interval on one population."""
    if not mask.any():
        return {}
    features, waits = today.features[mask], today.waits[mask]
    days = np.unique(np.linspace(1, horizon_days, 12).round())
    curves = model.curves(features)
    said = np.column_stack([curves.p_within(d) for d in days])
    low, high = np.ceil(curves.quantile(0.1)) - 1.0, np.ceil(curves.quantile(0.9))
    return {
        "ibs": integrated_brier(waits, said, days),
        "coverage_80": interval_coverage(waits, low, high, horizon_days),
    }


def _concat(frames: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)
