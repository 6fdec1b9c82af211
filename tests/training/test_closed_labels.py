"""Days on which the shop was closed are no labels."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from winback_features.config import BrandConfig, EngineConfig, SourceConfig
from winback_features.engine import open_engine
from winback_features.ingest import ingest
from winback_training.dataset import LabelTimes

DAY, HORIZON = date(2024, 3, 1), 28


def test_a_label_time_knows_the_closed_days_that_reach_into_its_horizon(tmp_path: Path) -> None:
    lines = [f"c{n},o{n},{DAY - timedelta(days=n)},10" for n in range(1, 30)]
    (tmp_path / "orders.csv").write_text("\n".join(["contact_id,order_id,ordered_at,amount", *lines]))
    offsets = [(-40, -30), (-10, 0), (0, 2), (10, 20), (27, 28), (28, 35)]
    closed = tuple((DAY + timedelta(days=a), DAY + timedelta(days=b)) for a, b in offsets)
    with open_engine(EngineConfig(memory_limit="1GB")) as backend:
        brand = BrandConfig(closed=closed)
        tables = ingest(backend, SourceConfig("orders.csv"), brand, today=DAY, base_dir=tmp_path)
        times = LabelTimes(tables, HORIZON, [DAY], [DAY], 100, 100)
        found = times.at(DAY)
        assert times.seen_on(DAY + timedelta(days=7), DAY).shut == found.shut
    assert found.shut == ((0, 2), (10, 20), (27, 28))
    assert not found.shut_within(HORIZON)
    assert found.only((0.0, 5.0)).shut == found.shut
