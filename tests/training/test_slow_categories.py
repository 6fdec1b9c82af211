"""A shop of sheets and beds: who bought a bed once is not late at the rhythm of sheets."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from winback_features.build import build_features
from winback_features.config import BrandConfig, EngineConfig, SourceConfig
from winback_features.engine import open_engine
from winback_features.ingest import ingest
from winback_models.config import ScoreConfig
from winback_training.config import TrainingConfig
from winback_training.train import train

pytestmark = pytest.mark.slow  # a whole training

START, THEN, DAY = date(2024, 1, 1), date(2025, 1, 1), date(2026, 1, 1)
SCORE = ScoreConfig(horizon_days=90, curve_days=(30, 90))


def orders(beds: str) -> pd.DataFrame:
    """Sheets every six weeks, beds every year and a half, by contacts of their own."""
    rng = np.random.default_rng(5)
    rows = []
    for i in range(600):
        name, usual = (beds, 500) if i % 2 else ("sheets", 42)
        day = int(rng.integers(0, 120))
        while day < (DAY - START).days:
            rows.append((f"{name[0]}{i}", f"o{len(rows)}", START + timedelta(days=day), name, 30.0))
            day += max(1, int(usual * rng.lognormal(0, 0.3)))
    return pd.DataFrame(rows, columns=["contact_id", "order_id", "ordered_at", "category", "amount"])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("beds")
    orders("beds").to_parquet(folder / "orders.parquet")
    with open_engine(EngineConfig()) as engine:
        tables = ingest(
            engine, SourceConfig(orders="orders.parquet"), BrandConfig(), today=DAY, base_dir=folder
        )
        result = train(tables, DAY, SCORE, TrainingConfig(cuts=2, origins=1))
        return result, build_features(tables, THEN).to_pyarrow().to_pandas()


def test_training_learns_the_slow_category_and_says_so(trained):
    result, _ = trained
    assert list(result.model.category_gap_days) == ["beds"]
    assert 400 < result.model.category_gap_days["beds"] < 550
    (notice,) = (n for n in result.notices if "beds" in n)
    assert notice.startswith("Seldom bought by nature: beds (4")


def test_who_bought_one_bed_is_not_late_at_the_rhythm_of_sheets(trained):
    result, features = trained
    once = features[(features["purchase_days"] == 1) & (features["last_category"] == "beds")]
    told = result.model.predict(once, THEN, SCORE)
    untold = replace(result.model, category_gap_days={}).predict(once, THEN, SCORE)
    assert len(once) > 20
    assert (untold["days_overdue"] > 0).mean() > 0.9
    assert (told["days_overdue"] < 0).all()


def test_who_buys_sheets_is_as_late_as_ever(trained):
    result, features = trained
    sheets = features[features["last_category"] == "sheets"]
    told = result.model.predict(sheets, THEN, SCORE)
    pd.testing.assert_frame_equal(
        told, replace(result.model, category_gap_days={}).predict(sheets, THEN, SCORE)
    )


def test_what_the_settings_say_comes_before_what_was_learned(trained):
    result, features = trained
    once = features[(features["purchase_days"] == 1) & (features["last_category"] == "beds")]
    told = result.model.predict(once, THEN, replace(SCORE, category_gap_days={"beds": 2900.0}))
    assert np.allclose(told["usual_gap_days"], 2900.0)


def test_the_bundle_keeps_what_was_learned(trained, tmp_path):
    result, _ = trained
    result.model.save(tmp_path)
    assert type(result.model).load(tmp_path).category_gap_days == result.model.category_gap_days
