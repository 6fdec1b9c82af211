"""Features of many days from one compiled query: the same as each day compiled for itself."""

from dataclasses import replace
from datetime import date

import pytest
from feature_shop import random_shop

from winback_features.build import build_features
from winback_features.many_days import FeaturesOfManyDays

DAYS = [date(2023, 3, 1), date(2024, 2, 29), date(2024, 1, 1), date(2024, 5, 15)]


def sorted_rows(table):
    return table.order_by("contact_id").to_pyarrow()


@pytest.fixture
def tables(shop_engine):
    return shop_engine.load(random_shop(2))


@pytest.mark.parametrize("closed", [(), ((date(2024, 1, 2), date(2024, 1, 9)),)], ids=["open", "closed"])
def test_every_day_is_as_if_compiled_for_itself(tables, closed):
    shop = replace(tables, closed=closed)
    many = FeaturesOfManyDays(shop)
    for i, day in enumerate(DAYS):
        assert sorted_rows(many.create(f"many_{len(closed)}_{i}", day)).equals(
            sorted_rows(build_features(shop, day))
        )


def test_one_query_serves_all_days_of_a_shop_that_never_closed(tables):
    many = FeaturesOfManyDays(replace(tables, closed=()))
    many.create("first_day", DAYS[0])
    assert many._template is not None
    assert many._query(DAYS[1]) == many._compiled(DAYS[1])
