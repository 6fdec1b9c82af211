"""The season in training: last year's turn is expected where the history holds it, and nothing changes where it does not."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from winback_features.config import BrandConfig, EngineConfig, SourceConfig
from winback_features.engine import open_engine
from winback_features.errors import ConfigError
from winback_features.ingest import ingest
from winback_models.config import ScoreConfig
from winback_training.config import TrainingConfig
from winback_training.train import train

HORIZON = 42
FIRST = date(2022, 1, 1)


def shop(n=500, days=704, seed=5):
    """Buyers that leave one day, and until then buy thrice as often from October to December as in the other months."""
    rng = np.random.default_rng(seed)
    rows = []
    for c in range(n):
        start, rate, stay = rng.uniform(0, 400), rng.gamma(3.0, 1 / 60), rng.exponential(700)
        asked = start + np.cumsum(rng.exponential(1 / rate, 200))
        season = np.where((asked % 365) > 273, 1.0, 1 / 3)
        bought = asked[(rng.random(200) < season) & (asked < min(days, start + stay))]
        for day in np.unique(np.append(bought, start).astype(int)):
            rows.append((f"c{c}", f"o{len(rows)}", FIRST + timedelta(days=int(day)), 30.0))
    return pd.DataFrame(rows, columns=["contact_id", "order_id", "ordered_at", "amount"])


def trained(folder, frame, day, season):
    frame.to_parquet(folder / "orders.parquet")
    with open_engine(EngineConfig()) as backend:
        today = date(2025, 1, 1)
        tables = ingest(
            backend, SourceConfig(orders="orders.parquet"), BrandConfig(), today=today, base_dir=folder
        )
        config = TrainingConfig(cuts=3, origins=1, season=season)
        return train(tables, day, ScoreConfig(horizon_days=HORIZON), config)


@pytest.mark.slow
def test_the_rise_of_last_year_is_expected_again(tmp_path):
    """The forward test's window lies from late October to early December; the months before it tell of no season."""
    day = FIRST + timedelta(days=704)
    plain, seasoned = (trained(tmp_path, shop(), day, season) for season in ("none", "last_year"))
    assert plain.evaluation.value("winback", "bias", "active") < -0.1, "or there was no rise to miss"
    assert abs(seasoned.evaluation.value("winback", "bias", "active")) < 0.06
    assert seasoned.evaluation.value("winback", "ibs") < 0.97 * plain.evaluation.value("winback", "ibs")
    assert plain.model.info["season"] is None
    found = seasoned.model.info["season"]
    assert 0.0 <= found["trust"] <= 1.0
    assert len(found["ahead"]) == len(found["shifts"]) > 0
    assert "of last year's season" in seasoned.model.info["status"]


@pytest.mark.slow
def test_a_history_without_last_year_makes_the_same_model_with_and_without(tmp_path):
    day = FIRST + timedelta(days=430)
    frame = shop(days=430)
    a, b = (trained(tmp_path, frame, day, season).model for season in ("none", "last_year"))
    assert a.info["season"] is None
    assert b.info["season"] is None
    assert a.feature_names == b.feature_names
    assert a.info["weights"] == b.info["weights"]


def test_an_unknown_season_is_named():
    with pytest.raises(ConfigError, match=r"training\.season.*last_year, none"):
        TrainingConfig(season="spring")
