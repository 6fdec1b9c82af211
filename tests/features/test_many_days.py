"""Features and labels of many days at once: the same as each day by itself."""

from dataclasses import replace
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from feature_shop import CLOSED, random_shop

from winback_features import many_days
from winback_features.build import build_features
from winback_features.labels import build_labels
from winback_features.many_days import features_of_many_days, labels_of_many_days

DAYS = [date(2023, 3, 1), date(2024, 2, 29), date(2024, 1, 1), date(2024, 5, 15)]


@pytest.fixture
def tables(shop_engine):
    return shop_engine.load(random_shop(2))


@pytest.mark.parametrize(
    ("closed", "at_once", "days"),
    [(CLOSED, 10**9, DAYS), pytest.param((), 1, DAYS[:2], marks=pytest.mark.slow)],
    ids=["together, with closed days", "one by one"],
)
def test_every_day_is_as_if_built_by_itself(tables, closed, at_once, days, monkeypatch):
    monkeypatch.setattr(many_days, "ROWS_AT_ONCE", at_once)
    shop = replace(tables, closed=closed)
    found = [f.order_by("label_time", "contact_id").to_pyarrow() for f in features_of_many_days(shop, days)]
    assert len(found) == (1 if at_once > 1 else len(days))
    found = pa.concat_tables(found)
    for day in days:
        alone = build_features(shop, day).to_pyarrow()
        here = found.filter(pc.equal(found["label_time"], pa.scalar(day))).drop_columns("label_time")
        assert here.equals(alone)
        assert alone.num_rows > 0


def test_the_labels_of_every_day_are_as_if_built_by_itself(tables):
    found = labels_of_many_days(tables, DAYS, 45).to_pandas()
    assert found["label_time"].nunique() == 3  # the newest day is the last of all facts
    for day in DAYS:
        alone = build_labels(tables, day, 45).to_pyarrow().to_pandas()
        here = found[found["label_time"] == day].drop(columns="label_time").sort_values("contact_id")
        assert here.reset_index(drop=True).equals(alone)


def test_nothing_is_left_behind(tables):
    before = set(tables.backend.list_tables())
    for _ in features_of_many_days(tables, DAYS):
        pass
    labels_of_many_days(tables, DAYS, 30)
    assert set(tables.backend.list_tables()) == before
