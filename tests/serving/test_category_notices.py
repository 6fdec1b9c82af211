"""What is said of the categories' rhythms."""

from datetime import date

import pandas as pd
import pytest

from winback_features.config import BrandConfig, EngineConfig, SourceConfig
from winback_features.engine import open_engine
from winback_features.ingest import ingest
from winback_serving.category_notices import SHOWN, category_notices, unknown_categories

LENGTHS = {"sheets": {40: 900, 42: 500}, "pins": {40: 30}, "beds": {470: 190}}


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    day = date(2024, 1, 1)
    rows = [("a", "1", day, "beds", 9.0), ("a", "1", day, "pins", 1.0), ("b", "2", day, None, 1.0)]
    names = ["contact_id", "order_id", "ordered_at", "category", "amount"]
    pd.DataFrame(rows, columns=names).to_parquet(folder / "orders.parquet")
    with open_engine(EngineConfig()) as engine:
        source = SourceConfig(orders="orders.parquet")
        yield ingest(engine, source, BrandConfig(), today=date(2026, 1, 1), base_dir=folder)


def test_a_slow_category_is_named_until_days_are_set_for_it():
    (notice,) = category_notices(LENGTHS, {})
    assert notice.startswith("Who began with beds and came back took 470 days in the median (190 contacts).")
    assert category_notices(LENGTHS, {"beds": 2900.0}) == ()
    assert category_notices({}, {}) == ()


def test_the_slowest_are_named_first_and_not_all_of_many():
    many = {"sheets": {40: 5000}} | {f"bed {n}": {400 + n: 100} for n in range(9)}
    told = category_notices(many, {})
    assert len(told) == SHOWN
    assert "bed 8 " in told[0]


def test_a_name_that_no_line_has_is_told(tables):
    assert unknown_categories(tables, ["beds", "pins", "Beds", "bids"]) == ["Beds", "bids"]
    assert unknown_categories(tables, []) == []
    told = category_notices(LENGTHS, {"beds": 2900.0, "bids": 1.0, "zzz": 1.0}, ["bids", "zzz"])
    assert told[0].endswith("Did you mean beds?")
    assert told[1].endswith("There is: beds, pins, sheets.")
