"""Which categories have a rhythm of their own: against pandas, and on a shop whose truth is known."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from winback_features.category_gaps import MIN_GAPS, count_category_gaps, slow_categories
from winback_features.config import BrandConfig, EngineConfig, SourceConfig
from winback_features.engine import open_engine
from winback_features.ingest import ingest

START, END = date(2024, 1, 1), date(2026, 1, 1)


def furniture_shop(seed: int = 5) -> pd.DataFrame:
    """Sheets every six weeks, beds every year and a half, by contacts of their own; some lines without a category."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(700):
        name, usual, price = ("beds", 500, 900) if i % 3 == 0 else ("sheets", 42, 40)
        day = int(rng.integers(0, 120))
        while day < 730:
            at = START + timedelta(days=day)
            rows.append((f"c{i}", f"o{len(rows)}", at, name, price))
            rows.append((f"c{i}", f"o{len(rows)}", at, None if i % 2 else "pins", 3))
            day += max(1, int(usual * rng.lognormal(0, 0.3)))
    return pd.DataFrame(rows, columns=["contact_id", "order_id", "ordered_at", "category", "amount"])


@pytest.fixture(scope="module")
def shop() -> pd.DataFrame:
    return furniture_shop()


@pytest.fixture(scope="module")
def tables(shop, tmp_path_factory):
    file = tmp_path_factory.mktemp("shop") / "orders.parquet"
    shop.to_parquet(file)
    with open_engine(EngineConfig()) as engine:
        source = SourceConfig(orders="orders.parquet")
        yield ingest(engine, source, BrandConfig(), today=END, base_dir=file.parent)


def in_pandas(shop: pd.DataFrame) -> dict[str, dict[int, int]]:
    """Count first gaps by the dearest category of the first day, another way."""
    out: dict[str, dict[int, int]] = {}
    for _, mine in shop.groupby("contact_id"):
        days = sorted(mine["ordered_at"].unique())
        first = mine[(mine["ordered_at"] == days[0]) & mine["category"].notna()]
        if len(days) > 1:
            name = first.groupby("category")["amount"].sum().idxmax()
            gap = (days[1] - days[0]).days
            out.setdefault(name, {}).setdefault(gap, 0)
            out[name][gap] += 1
    return out


def test_first_gaps_are_counted_by_what_cost_most_on_the_first_day(shop, tables):
    counted = count_category_gaps(tables, END)
    assert counted == in_pandas(shop)
    assert set(counted) == {"beds", "sheets"}


def test_purchases_of_the_day_itself_are_not_known_yet(shop, tables):
    day = date(2024, 6, 1)
    assert count_category_gaps(tables, day) == in_pandas(shop[shop["ordered_at"] < day])


def test_the_slow_category_is_found(tables):
    slow = slow_categories(count_category_gaps(tables, END))
    assert list(slow) == ["beds"]
    assert 400 < slow["beds"] < 550


def test_few_gaps_say_nothing():
    assert slow_categories({}) == {}
    few = {"sheets": {7: 500}, "beds": {400: MIN_GAPS - 1}}
    assert slow_categories(few) == {}
    assert slow_categories({**few, "beds": {400: MIN_GAPS}}) == {"beds": 400}


def test_twice_as_slow_is_slow_and_less_is_not():
    sheets = {"sheets": {20: 900}}
    assert slow_categories({**sheets, "beds": {40: MIN_GAPS}}) == {"beds": 40}
    assert slow_categories({**sheets, "beds": {39: MIN_GAPS}}) == {}


def test_what_was_cancelled_was_not_bought_first(tmp_path):
    """A bed ordered beside sheets, and called off a week later."""
    orders = pd.DataFrame(
        [
            ("c", "o1", START, "sheets", 40),
            ("c", "o2", START, "beds", 900),
            ("c", "o3", START + timedelta(days=7), "beds", -900),
            ("c", "o4", START + timedelta(days=30), "sheets", 40),
        ],
        columns=["contact_id", "order_id", "ordered_at", "category", "amount"],
    )
    orders.to_parquet(tmp_path / "orders.parquet")
    with open_engine(EngineConfig()) as engine:
        tables = ingest(engine, SourceConfig("orders.parquet"), BrandConfig(), today=END, base_dir=tmp_path)
        assert count_category_gaps(tables, END) == {"sheets": {30: 1}}
        assert count_category_gaps(tables, START + timedelta(days=31)) == {"sheets": {30: 1}}
