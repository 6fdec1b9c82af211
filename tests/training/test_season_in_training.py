"""The season in training: last year's turn is expected where the history holds it, and nothing changes where it does not."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from winback_features.build import build_features
from winback_features.config import BrandConfig, EngineConfig, SourceConfig
from winback_features.engine import open_engine
from winback_features.errors import ConfigError
from winback_features.ingest import ingest
from winback_models.config import ScoreConfig
from winback_models.design import CALENDAR
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


def givers(day: date, seed: int = 3) -> pd.DataFrame:
    """Contacts that give every year in December, most of them, and some at any time."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(1500):
        year, any_day = int(rng.integers(2019, 2023)), rng.random() < 0.2
        while date(year, 1, 1) < day:
            at = (
                date(year, 1, 1) + timedelta(days=int(rng.integers(0, 365)))
                if any_day
                else date(year, 12, 1) + timedelta(days=int(rng.integers(0, 31)))
            )
            if at < day:
                rows.append((f"c{i}", f"o{len(rows)}", at, 20.0))
            if rng.random() < 0.25:
                break
            year += 1
    return pd.DataFrame(rows, columns=["contact_id", "order_id", "ordered_at", "amount"])


@pytest.mark.slow
def test_a_long_horizon_knows_the_month_in_which_people_give(tmp_path):
    """One year ahead, in May: nearly nothing until December, and then nearly everything."""
    day, score = date(2023, 5, 6), ScoreConfig(horizon_days=365, curve_days=(30, 200, 365))
    givers(day).to_parquet(tmp_path / "orders.parquet")
    with open_engine(EngineConfig()) as backend:
        tables = ingest(
            backend, SourceConfig(orders="orders.parquet"), BrandConfig(), today=day, base_dir=tmp_path
        )
        result = train(tables, day, score, TrainingConfig(origins=1))
        features = build_features(tables, day).to_pyarrow().to_pandas()
    recent = features[features["days_since_purchase"].between(120, 160)]
    said = result.model.predict(recent, day, score)
    assert len(recent) > 200
    assert said["p_within_200d"].mean() < 0.25
    assert 0.6 < said["p_purchase"].mean() < 0.8


@pytest.mark.slow
def test_members_of_a_long_horizon_are_told_the_day_of_the_year_unless_asked_not_to(tmp_path):
    shop(n=900, days=1000).to_parquet(tmp_path / "orders.parquet")
    day = FIRST + timedelta(days=1000)
    told = {}
    with open_engine(EngineConfig()) as backend:
        tables = ingest(
            backend, SourceConfig(orders="orders.parquet"), BrandConfig(), today=day, base_dir=tmp_path
        )
        for season, horizon in (("last_year", 180), ("none", 180), ("last_year", 90)):
            score = ScoreConfig(horizon_days=horizon, curve_days=(30,))
            model = train(tables, day, score, TrainingConfig(origins=0, season=season)).model
            told[season, horizon] = {
                name: set(CALENDAR) <= set(member.columns) for name, member in model.hazard.members.items()
            }
    assert any(name.startswith("direct") for name in told["last_year", 180])
    for name, calendar in told["last_year", 180].items():
        assert calendar == (name != "btyd"), name
    assert not any(told["none", 180].values())
    assert not any(told["last_year", 90].values())
