"""A small real shop and a model quick enough to score it in a test."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from winback_models.config import ScoreConfig
from winback_serving.scorer import score_columns

CONFIG = """
[source]
orders = "orders.csv"
[brand]
name = "CDNOW"
timezone = "America/New_York"
currency = "USD"
horizon_days = 60
[policy]
quiet_days = 0
[engine]
memory_limit = "1GB"
"""


@dataclass
class RuleModel:
    """The interface of LapseModel over a rule of thumb: risk grows with the silence over the own mean gap."""

    horizon_days: int = 60
    version: str = "7"

    def curve(self, features: pd.DataFrame, days: Sequence[float]) -> np.ndarray:
        silence = features["days_since_purchase"].to_numpy(float)
        gap = np.nan_to_num(features["gap_mean"].to_numpy(float), nan=45.0)
        return np.exp(-silence / (2 * gap))[:, None].repeat(len(days), axis=1)

    def predict(self, features: pd.DataFrame, as_of: date, score: ScoreConfig) -> pd.DataFrame:
        silence = features["days_since_purchase"].to_numpy(float)
        gap = np.nan_to_num(features["gap_mean"].to_numpy(float), nan=45.0)
        days = features["purchase_days"].to_numpy(float)
        p = self.curve(features, [self.horizon_days])[:, 0]
        numbers = dict.fromkeys(score_columns(score.curve_days), p)
        next_date = pd.Timestamp(as_of) + pd.to_timedelta(np.round(gap), unit="D")
        recent = silence <= 2 * self.horizon_days
        base = np.select([days == 0, ~recent, days == 1], ["never_bought", "lapsed", "one_time"], "active")
        return pd.DataFrame(
            numbers
            | {
                "contact_id": features["contact_id"].to_numpy(),
                "as_of": as_of,
                "horizon_days": score.horizon_days,
                "model_version": self.version,
                "p_lapse": 1 - p,
                "next_purchase_date": next_date,
                "next_purchase_low": next_date,
                "next_purchase_high": next_date,
                "usual_gap_days": gap,
                "days_since_purchase": silence,
                "days_overdue": silence - np.ceil(gap),
                "value_at_risk": (1 - p) * 100,
                "base": base,
            }
        ).drop(columns="currency")


@pytest.fixture(scope="session")
def rule_model() -> type[RuleModel]:
    return RuleModel


def write_sample(folder: Path, every: int = 10, extra: str = "") -> Path:
    """Write each so-many-th of CDNOW's sample customers and a winback.toml; return its path."""
    package = find_spec("lifetimes")
    assert package is not None
    assert package.origin is not None
    source = Path(package.origin).parent / "datasets" / "CDNOW_sample.txt"
    lines = ["contact_id,order_id,ordered_at,amount"]
    for number, line in enumerate(source.read_text(encoding="ascii").splitlines()):
        if line.strip():
            contact, _, day, _, amount = line.split()
            if int(contact) % every == 0:
                lines.append(f"{contact},o{number},{day[:4]}-{day[4:6]}-{day[6:]},{amount}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "orders.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = folder / "winback.toml"
    config.write_text(CONFIG + extra, encoding="utf-8")
    return config


@pytest.fixture(scope="session")
def write_shop() -> Callable[..., Path]:
    """Give a function that writes a sample of CDNOW's customers and a winback.toml."""
    return write_sample
