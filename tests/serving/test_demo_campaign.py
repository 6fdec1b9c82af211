"""The demo's simulated campaign: entries by the rule, a share of made-up purchases among the treated, and the label."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from winback_features.config import BrandConfig, EngineConfig, SourceConfig
from winback_features.engine import open_engine
from winback_features.ingest import ingest
from winback_features.tables import Tables
from winback_serving.demo_campaign import WON, simulate_campaign
from winback_serving.outcomes_report import render_outcomes

END = date(2024, 6, 30)
PEOPLE = 900


@pytest.fixture
def tables(tmp_path: Path) -> Iterator[Tables]:
    """Everybody buys each week, stays away from March on, and every other one comes back three weeks after the last day."""
    rows = []
    for number in range(PEOPLE):
        last = date(2024, 3, 1) + timedelta(days=number % 20)
        days = [last - timedelta(weeks=back) for back in range(6)]
        days += [last + timedelta(days=21)] * (number % 2)
        rows += [
            {"contact_id": f"c{number}", "order_id": f"{number} {d}", "ordered_at": d, "amount": 10.0}
            for d in days
        ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "orders.parquet")
    with open_engine(EngineConfig(memory_limit="1GB")) as backend:
        yield ingest(backend, SourceConfig("orders.parquet"), BrandConfig(), today=END, base_dir=tmp_path)


def test_the_readout_finds_what_was_put_in(tables: Tables) -> None:
    campaign = simulate_campaign(tables, END, 14, "EUR")
    found = campaign.outcomes
    assert found.entered == PEOPLE, (
        "two usual gaps after the last purchase, or after the one they came back with"
    )
    assert found.readout is not None
    assert found.readout.balanced
    share = {m.arm: m.value for m in found.readout.arms if m.metric == "bought"}
    contacts = {m.arm: m.contacts for m in found.readout.arms if m.metric == "bought"}
    assert share["holdout"] == pytest.approx(0.5, abs=0.09), (
        "14 days after the last purchase, and 7 before they come back"
    )
    expected = 0.5 + 0.5 * WON
    assert share["treatment"] == pytest.approx(expected, abs=0.06)
    assert contacts["holdout"] / PEOPLE == pytest.approx(0.3, abs=0.05)
    lines = campaign.log.splitlines()
    assert lines[0].startswith("contact_id,sent_at")
    assert 0.93 * contacts["treatment"] < len(lines) - 1 <= contacts["treatment"]
    assert all(",simulated," in line for line in lines[1:])
    page = render_outcomes(found, "Shop")
    assert "Simulated: nobody was ever written to" in page


def test_it_is_the_same_each_time_and_leaves_the_shop_alone(tables: Tables) -> None:
    before = tables.orders.count().to_pyarrow().as_py()
    first, second = (simulate_campaign(tables, END, 14, "EUR") for _ in range(2))
    assert first == second
    assert tables.orders.count().to_pyarrow().as_py() == before
