"""From files to features: what happens at the cut or later leaves no trace, netting included."""

import random
from datetime import date, datetime, time, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from winback_features.build import build_features
from winback_features.config import BrandConfig, EngineConfig, SourceConfig
from winback_features.engine import open_engine
from winback_features.ingest import ingest

CUT = date(2024, 3, 1)


def drawn_orders(seed: int) -> list[dict]:
    """Few amounts on few days, half of them negative, so that many orders cancel one another."""
    draw = random.Random(seed)
    start = datetime.combine(date(2024, 1, 1), time())
    return [
        {
            "contact_id": draw.choice("abcd"),
            "order_id": f"o{number}",
            "ordered_at": start + timedelta(hours=draw.randrange(24 * 120)),
            "amount": draw.choice([5.0, 5.0, -5.0, 8.0, -8.0]),
            "category": draw.choice(["tea", "cups"]),
        }
        for number in range(80)
    ]


def features_of(rows: list[dict], folder) -> pa.Table:
    pq.write_table(pa.Table.from_pylist(rows), folder / "orders.parquet")
    with open_engine(EngineConfig(), folder) as backend:
        source = SourceConfig(orders="orders.parquet")
        tables = ingest(backend, source, BrandConfig(), today=date(2024, 12, 31), base_dir=folder)
        return build_features(tables, CUT).to_pyarrow()


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_orders_from_the_cut_on_change_no_byte(tmp_path, seed):
    rows = drawn_orders(seed)
    before = [row for row in rows if row["ordered_at"].date() < CUT]
    changed = [row | {"amount": -row["amount"]} if row not in before else row for row in rows]
    expected = features_of(before, tmp_path)
    assert 0 < len(before) < len(rows)
    assert sum(expected["returns"].to_pylist()) > 0
    assert sum(expected["orders"].to_pylist()) < sum(row["amount"] > 0 for row in before)
    assert features_of(rows, tmp_path).equals(expected)
    assert features_of(changed[::-1], tmp_path).equals(expected)
