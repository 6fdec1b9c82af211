"""Retention against an oracle on untidy shops and on CDNOW, and the laws that its figures keep."""

import json
from collections import Counter
from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest
from feature_shop import Shop, cdnow_sample, forget_after, order, random_shop
from retention_oracle import first_waits, oracle_cohorts, oracle_lifecycle, purchases, survival

from winback_features.retention import retention

AS_OF = date(2024, 2, 29)


def check(found: dict, shop: Shop, as_of: date, horizon: int) -> None:
    bought = purchases(shop.orders, as_of)
    assert found["contacts"] == len(bought)
    check_cohorts(found, bought, as_of)
    assert {
        row["month"]: {k: v for k, v in row.items() if k not in ("month", "complete")}
        for row in found["lifecycle"]
    } == oracle_lifecycle(bought, as_of, horizon)
    for row in found["by_order_number"]:
        waits = [*first_waits(bought, as_of, row["order"]).values()]
        assert (row["contacts"], row["next"]) == (len(waits), sum(came for _, came in waits))
        for rate in row["rates"]:
            if rate["days"] > max(day for day, _ in waits):
                assert rate["rate"] is None
            else:
                assert rate["rate"] == pytest.approx(survival(waits, rate["days"]), abs=1e-6)
                assert rate["at_risk"] == sum(day >= rate["days"] for day, _ in waits)
    check_gaps(found["gaps"], bought, as_of)


def check_cohorts(found: dict, bought: dict, as_of: date) -> None:
    expected = [*oracle_cohorts(bought, as_of).items()][-36:]
    assert [row["month"] for row in found["cohorts"]] == [month for month, _ in expected]
    for row, (_, cells) in zip(found["cohorts"], expected, strict=True):
        assert row["active"] == [active for active, _ in cells]
        assert row["revenue"] == pytest.approx([money for _, money in cells], abs=0.011)
        assert row["share"] == pytest.approx([active / row["contacts"] for active, _ in cells], abs=1e-6)
        over = as_of.day == 1
        assert row["complete_months"] == len(cells) - (not over)


def check_gaps(gaps: dict, bought: dict, as_of: date) -> None:
    closed, waits = [], []
    for days in bought.values():
        ordered = sorted(days)
        closed += [(b - a).days for a, b in pairwise(ordered)]
        waits.append(((as_of - ordered[-1]).days - 1, False))
    waits += [(gap, True) for gap in closed]
    assert (gaps["closed"], gaps["open"]) == (len(closed), len(bought))
    for b in gaps["bins"]:
        assert b["gaps"] == sum(b["from"] <= gap <= b["to"] for gap in closed)
    assert sum(b["gaps"] for b in gaps["bins"]) == len(closed)
    for line in gaps["lines"]:
        if closed:
            day = line["closed_days"]
            assert sum(g <= day for g in closed) >= line["share"] * len(closed) > sum(g < day for g in closed)
        if line["days"] is not None:
            before, by = survival(waits, line["days"] - 1), survival(waits, line["days"])
            assert before < line["share"] <= by + 1e-9


@pytest.mark.parametrize("as_of", [date(2023, 3, 1), AS_OF, date(2024, 5, 15)], ids=str)
@pytest.mark.parametrize("horizon", [7, 45])
def test_random_shops_agree_with_the_oracle(shop_engine, as_of, horizon):
    for seed in (1, 2, 3):
        shop = random_shop(seed)
        check(retention(shop_engine.load(shop), as_of, horizon), shop, as_of, horizon)


def test_cdnow_agrees_with_the_oracle(shop_engine):
    shop, as_of = cdnow_sample(), date(1998, 7, 1)
    found = retention(shop_engine.load(shop), as_of, 60)
    check_cohorts(found, purchases(shop.orders, as_of), as_of)
    check_gaps(found["gaps"], purchases(shop.orders, as_of), as_of)
    assert [row["complete"] for row in found["lifecycle"]] == [True] * 18
    assert found["contacts"] == 2349  # 8 of the 2,357 only ever had orders of 0 dollars.
    # All joined in the first quarter of 1997 and were watched for more than a year: hardly anything is open.
    second = found["second_order"]
    year = next(rate for rate in second["rates"] if rate["days"] == 365)
    waits = first_waits(purchases(shop.orders, as_of), as_of).values()
    assert year["rate"] == pytest.approx(sum(c and d <= 365 for d, c in waits) / 2349, abs=1e-6)


def test_what_happens_later_changes_nothing(shop_engine):
    for seed in (4, 5):
        shop = random_shop(seed)
        found = retention(shop_engine.load(shop), AS_OF, 30)
        assert found == retention(shop_engine.load(forget_after(shop, AS_OF)), AS_OF, 30)
        turned = Shop(shop.orders[::-1], shop.lines[::-1], shop.events[::-1], shop.contacts[::-1])
        assert json.dumps(found) == json.dumps(retention(shop_engine.load(turned), AS_OF, 30))


def test_lifecycle_balances(shop_engine):
    found = retention(shop_engine.load(random_shop(6)), AS_OF, 10)["lifecycle"]
    before = 0
    for row in found:
        assert row["active"] == before + row["new"] + row["resurrecting"] - row["dormant"] >= 0
        before = row["active"]
    assert sum(row["resurrecting"] for row in found) > 0


def test_the_limit_of_dormancy_is_the_horizon_to_the_day(shop_engine):
    first = date(2024, 1, 5)
    cases = {29: (1, 0, 0), 30: (1, 0, 0), 31: (0, 1, 1)}
    for gap, (returning, resurrecting, dormant) in cases.items():
        shop = Shop([order("a", first), order("a", first + timedelta(days=gap))])
        months = retention(shop_engine.load(shop), date(2024, 2, 20), 30)["lifecycle"]
        total = Counter()
        for month in months:
            total.update({k: month[k] for k in ("returning", "resurrecting", "dormant")})
        assert (total["returning"], total["resurrecting"], total["dormant"]) == (
            returning,
            resurrecting,
            dormant,
        )
    silent = shop_engine.load(Shop([order("a", first)]))
    assert retention(silent, date(2024, 2, 4), 30)["lifecycle"][-1]["active"] == 1
    assert retention(silent, date(2024, 2, 5), 30)["lifecycle"][-1]["active"] == 0


def test_sources_are_told_apart_by_size(shop_engine):
    start = date(2024, 1, 1)
    orders, contacts = [], []
    for source in range(11):
        for member in range(source + 1):
            name = f"{source}-{member}"
            orders += [order(name, start), *([order(name, start + timedelta(days=5))] if member == 0 else [])]
            contacts.append({"contact_id": name, "acquisition_source": f"s{source:02}"})
    orders.append(order("nobody", start))
    # A contact row of a later day is not known yet.
    orders.append(order("later", start))
    row = {"contact_id": "later", "acquisition_source": "s10"}
    contacts.append(row | {"created_at": datetime(2025, 1, 1)})
    found = retention(shop_engine.load(Shop(orders, contacts=contacts)), AS_OF, 30)["sources"]
    named = [row for row in found if row["kind"] == "named"]
    assert [row["source"] for row in named] == [f"s{k:02}" for k in range(10, 2, -1)]
    assert [row["contacts"] for row in named] == list(range(11, 3, -1))
    assert [(row["kind"], row["contacts"], row["next"]) for row in found[8:]] == [
        ("other", 6, 3),
        ("unknown", 2, 0),
    ]
    for row in named:
        assert row["rates"][0]["rate"] == pytest.approx(1 / row["contacts"], abs=1e-6)
        assert row["curve"][1]["rate"] == row["rates"][0]["rate"]
        assert row["curve"][0]["rate"] == 0


def test_without_sources_there_are_no_curves_of_them(shop_engine):
    assert retention(shop_engine.load(Shop([order("a", date(2024, 1, 1))])), AS_OF, 30)["sources"] == []


def test_a_shop_without_purchases_has_an_empty_answer(shop_engine):
    found = retention(shop_engine.load(Shop([order("a", date(2024, 1, 1), amount=0)])), AS_OF, 30)
    assert (found["contacts"], found["cohorts"], found["lifecycle"], found["by_order_number"]) == (
        0,
        [],
        [],
        [],
    )
    assert found["second_order"]["naive_rate"] is None
    assert found["gaps"]["bins"] == []


def test_refuses_a_horizon_that_is_none(shop_engine):
    with pytest.raises(ValueError, match="horizon_days"):
        retention(shop_engine.load(Shop()), AS_OF, 0)


def test_long_gaps_get_wide_bars(shop_engine):
    days = [date(2010, 1, 1) + timedelta(days=k * 400) for k in range(12)]
    gaps = retention(shop_engine.load(Shop([order("a", day) for day in days])), AS_OF, 30)["gaps"]
    assert (gaps["bin_days"], len(gaps["bins"])) == (14, 29)
    assert gaps["bins"][-1] == {"from": 393, "to": 406, "gaps": 11, "share": 1.0}
