"""The alternatives our score is always shown beside, each given the same label times.

``bg_nbd`` and ``mbg_nbd``: P(purchase) in closed form. ``boosting`` and ``logistic``: one classifier of the horizon's label.
``recency``: days since the last purchase alone. ``own_gap``: the vendors' rule, due one own mean gap after the last purchase.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from winback_models.btyd import Array
from winback_models.design import choose_columns
from winback_models.history import history
from winback_models.lapse_fit import LabelTime
from winback_training.dataset import bought_within

RANKINGS = ("recency",)
"""Baselines that rank but give no probability."""

RFM = ("days_since_purchase", "frequency", "T_days", "order_value_mean")


def baseline_scores(
    today: LabelTime,
    closed: Sequence[LabelTime],
    horizon_days: int,
    numeric_features: Sequence[str],
    seed: int,
) -> dict[str, Array]:
    """Return each baseline's P(purchase within the horizon) for the contacts of ``today``, each of shape (n,)."""
    said: dict[str, Array] = {
        m.kind: m.p_purchase(*history(today.features), horizon_days) for m in today.models.candidates
    }
    silence = today.features["days_since_purchase"].to_numpy(np.float64)
    said["recency"] = -silence
    gap = today.features["gap_mean"].fillna(np.exp(today.models.rhythm.log_gap)).to_numpy(np.float64)
    ahead = gap - silence
    said["own_gap"] = ((ahead >= 0) & (ahead < horizon_days)).astype(np.float64)
    labels = [bought_within(t.waits, horizon_days) for t in closed]
    y = np.concatenate(labels) if labels else np.array([])
    if len(y) and 0 < y.sum() < len(y):
        used, _ = choose_columns([t.features for t in closed], numeric_features, span_days=0)
        x = np.concatenate([_matrix(t.features, used) for t in closed])
        trees = HistGradientBoostingClassifier(
            learning_rate=0.05, max_iter=150, max_leaf_nodes=15, random_state=seed
        )
        said["boosting"] = trees.fit(x, y).predict_proba(_matrix(today.features, used))[:, 1]
        line = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
        line.fit(np.concatenate([_rfm(t.features) for t in closed]), y)
        said["logistic"] = line.predict_proba(_rfm(today.features))[:, 1]
    return said


def _matrix(features: pd.DataFrame, columns: Sequence[str]) -> Array:
    return features[list(columns)].to_numpy(np.float64, na_value=np.nan)


def _rfm(features: pd.DataFrame) -> Array:
    return np.log1p(np.maximum(np.nan_to_num(_matrix(features, RFM)), 0.0))
