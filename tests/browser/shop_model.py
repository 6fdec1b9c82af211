"""A model without training: the chance falls with the silence over the own mean gap."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from winback_models.config import ScoreConfig
from winback_serving.scorer import score_columns

FAR_DAYS = 300


@dataclass
class RuleModel:
    """What the batch scorer asks of a model."""

    horizon_days: int = 28
    version: str = "1"

    def curve(self, features: pd.DataFrame, days: Sequence[float]) -> np.ndarray:
        gap = np.nan_to_num(features["gap_mean"].to_numpy(float), nan=30.0).clip(1)
        silence = features["days_since_purchase"].fillna(FAR_DAYS).to_numpy(float)
        rate = np.exp(-silence / (4 * gap)) / gap
        return 1 - np.exp(-rate[:, None] * np.asarray(days, float)[None, :])

    def predict(self, features: pd.DataFrame, as_of: date, score: ScoreConfig) -> pd.DataFrame:
        silence = features["days_since_purchase"].to_numpy(float)
        gap = np.nan_to_num(features["gap_mean"].to_numpy(float), nan=30.0).clip(1)
        p = self.curve(features, [self.horizon_days])[:, 0]
        numbers = dict.fromkeys(score_columns(score.curve_days), p)
        for days in score.curve_days:
            numbers[f"p_within_{days}d"] = self.curve(features, [days])[:, 0]
        start = pd.Timestamp(as_of)
        count = features["purchase_days"].to_numpy(float)
        base = np.select(
            [count == 0, ~(silence <= 2 * self.horizon_days), count == 1],
            ["never_bought", "lapsed", "one_time"],
            "active",
        )
        columns = numbers | {
            "contact_id": features["contact_id"].to_numpy(),
            "as_of": as_of,
            "horizon_days": score.horizon_days,
            "model_version": self.version,
            "p_lapse": 1 - p,
            "p_alive": np.exp(-silence / (8 * gap)),
            "next_purchase_date": start + pd.to_timedelta(np.round(gap), unit="D"),
            "next_purchase_low": start + pd.to_timedelta(np.round(gap / 4), unit="D"),
            "next_purchase_high": start + pd.to_timedelta(np.round(gap * 3), unit="D"),
            "usual_gap_days": gap,
            "days_since_purchase": silence,
            "days_overdue": silence - np.ceil(1.6 * gap),
            "value_at_risk": (1 - p) * features["spend_total"].fillna(0).to_numpy(float),
            "base": base,
        }
        return pd.DataFrame(columns).drop(columns="currency")
