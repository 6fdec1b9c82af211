"""A message of win-back ends a label; without a log nothing changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ibis.util import gen_name

from winback_features.config import BrandConfig, EngineConfig, SourceConfig
from winback_features.engine import open_engine
from winback_features.errors import ConfigError
from winback_features.ingest import ingest
from winback_features.tables import Tables
from winback_models.config import ScoreConfig
from winback_models.members import at_risk
from winback_training.config import TrainingConfig
from winback_training.dataset import LabelTimes
from winback_training.train import train
from winback_training.treated import Treated

DAY = date(2024, 3, 1)
EDGES = (7, 14, 21, 28)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    folder = tmp_path_factory.mktemp("treated")
    lines = ["contact_id,order_id,ordered_at,amount"]
    for number in range(60):
        for n in range(12):
            day = date(2023, 10, 1) + timedelta(days=number % 7 + n * (14 + number % 5))
            lines.append(f"c{number},{number}-{n},{day},10")
    (folder / "orders.csv").write_text("\n".join(lines) + "\n")
    with open_engine(EngineConfig(memory_limit="1GB")) as backend:
        source = SourceConfig("orders.csv")
        yield ingest(backend, source, BrandConfig(), today=date(2024, 6, 1), base_dir=folder)


def with_log(shop: Tables, sent: dict[str, list[date]]) -> Tables:
    rows = {
        "contact_id": [c for c, days in sent.items() for _ in days],
        "sent_at": [datetime(d.year, d.month, d.day, 9) for days in sent.values() for d in days],
    }
    log = shop.backend.create_table(gen_name("log"), pa.table(rows), temp=True)
    return replace(shop, campaign_log=log)


def test_the_first_message_around_a_label_time_counts(shop: Tables) -> None:
    day = timedelta(days=1)
    tables = with_log(
        shop,
        {
            "c1": [DAY + 9 * day, DAY + 20 * day],
            "c2": [DAY - 5 * day],
            "c3": [DAY - 29 * day],
            "c4": [DAY + 28 * day],
        },
    )
    label_time = LabelTimes(tables, 28, [DAY], [DAY], 100, 100).at(DAY)
    untreated = dict(zip(label_time.features["contact_id"], label_time.untreated, strict=True))
    assert untreated["c1"] == 9
    assert untreated["c2"] == 0
    assert {untreated[c] for c in ("c0", "c3", "c4")} == {np.inf}


@pytest.mark.slow
def test_without_a_log_nothing_is_cut(shop: Tables) -> None:
    assert LabelTimes(shop, 28, [DAY], [DAY], 100, 100).at(DAY).untreated is None


def test_with_keep_nothing_is_cut(shop: Tables) -> None:
    tables = with_log(shop, {"c1": [DAY]})
    assert LabelTimes(tables, 28, [DAY], [DAY], 100, 100, keep_treated=True).at(DAY).untreated is None
    assert Treated(tables, [date(2023, 1, 1)], 28).get(date(2023, 1, 1), ["c1"]) is None


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=30),
)
def test_an_interval_counts_only_if_it_ended_before_the_message(pairs: list[tuple[int, int]]) -> None:
    waits, untreated = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
    risk, bought = at_risk(EDGES, waits, untreated)
    whole_risk, whole_bought = at_risk(EDGES, waits)
    for row, until in enumerate(untreated):
        seen = [end <= until for end in EDGES]
        assert risk[row].tolist() == [a and b for a, b in zip(whole_risk[row], seen, strict=True)]
        assert bought[row].tolist() == [a and b for a, b in zip(whole_bought[row], seen, strict=True)]


def test_another_word_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"training\.treated"):
        TrainingConfig(treated="drop")


@pytest.mark.slow
def test_a_shop_that_writes_to_everybody_steps_back_to_the_rhythm(shop: Tables) -> None:
    day, score = DAY + timedelta(days=40), ScoreConfig(horizon_days=28)
    weekly = [date(2023, 10, 1) + timedelta(days=7 * week) for week in range(40)]
    tables = with_log(shop, {f"c{number}": weekly for number in range(60)})
    found = train(tables, day, score, TrainingConfig(origins=0))
    assert "0 of them without a message, are too few to learn from: BTYD alone" in found.model.info["status"]
    assert found.model.hazard is None


def test_only_who_was_not_written_to_is_heard(shop: Tables) -> None:
    tables = with_log(shop, {"c1": [DAY + timedelta(days=3)], "c2": [DAY + timedelta(days=8)]})
    alone, told = (LabelTimes(t, 28, [DAY], [DAY], 100, 100).at(DAY) for t in (shop, tables))
    assert alone.heard(EDGES).tolist() == np.isfinite(alone.waits).tolist()
    others = ~told.features["contact_id"].isin(["c1", "c2"]).to_numpy()
    second = np.flatnonzero(told.features["contact_id"] == "c2")[0]
    expected = np.isfinite(alone.waits)
    expected[second] = alone.waits[second] < 7
    others[second] = True
    assert told.heard(EDGES).tolist() == expected[others].tolist()
