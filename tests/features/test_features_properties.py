"""Properties of the features: what may change nothing, what must change, and closed forms."""

import math
import random
from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest
from feature_shop import (
    FIRST,
    Shop,
    ShopEngine,
    cdnow_sample,
    event,
    forget_after,
    order,
    random_shop,
    rows_of,
    small_shops,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from winback_features.dictionary import FEATURES
from winback_features.labels import build_labels

CUT = FIRST + timedelta(days=120)
few = settings(
    max_examples=settings.default.max_examples // 10,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def shuffled(shop: Shop, seed: int) -> Shop:
    draw = random.Random(seed)
    tables = {name: list(getattr(shop, name)) for name in ("orders", "lines", "events", "contacts")}
    for rows in tables.values():
        draw.shuffle(rows)
    return Shop(**tables)


def relabelled(shop: Shop, name) -> Shop:
    def mend(rows):
        return [row | {"contact_id": name(row["contact_id"])} for row in rows]

    return Shop(mend(shop.orders), mend(shop.lines), mend(shop.events), mend(shop.contacts))


@few
@given(shop=small_shops(), seed=st.integers(0, 99))
def test_the_order_of_rows_changes_no_byte(shop_engine, shop, seed):
    assert shop_engine.features(shop, CUT).equals(shop_engine.features(shuffled(shop, seed), CUT))
    assert shop_engine.status(shop, CUT).equals(shop_engine.status(shuffled(shop, seed), CUT))


@few
@given(shop=small_shops())
def test_the_names_of_contacts_change_nothing_but_the_names(shop_engine, shop):
    def name(contact):
        return contact[::-1] + "-x"

    before, after = (rows_of(shop_engine.features(s, CUT)) for s in (shop, relabelled(shop, name)))
    assert after == {name(c): row | {"contact_id": name(c)} for c, row in before.items()}


@few
@given(shop=small_shops())
def test_facts_from_the_cut_on_change_no_byte(shop_engine, shop):
    past = forget_after(shop, CUT)
    assert shop_engine.features(shop, CUT).equals(shop_engine.features(past, CUT))
    assert shop_engine.status(shop, CUT).equals(shop_engine.status(past, CUT))


@few
@given(shop=small_shops(), at=st.sampled_from([time(), time(12)]))
def test_facts_on_the_cut_itself_change_no_byte(shop_engine, shop, at):
    """Add to every contact, and to a new one, an order and an event at the cut."""
    people = {row["contact_id"] for row in shop.orders + shop.events} | {"new"}
    orders = [order(c, CUT, 99, at, order_id=f"late-{c}") for c in people]
    lines = [
        {"contact_id": o["contact_id"], "order_id": o["order_id"], "day": CUT, "category": "q"}
        for o in orders
    ]
    events = [
        event(c, CUT, kind, at) for c in people for kind in ("email_click", "email_sent", "unsubscribe")
    ]
    more = replace(shop, orders=shop.orders + orders, lines=shop.lines + lines, events=shop.events + events)
    assert shop_engine.features(shop, CUT).equals(shop_engine.features(more, CUT))
    assert shop_engine.status(shop, CUT).equals(shop_engine.status(more, CUT))


@few
@given(shop=small_shops())
def test_values_lie_where_they_must(shop_engine, shop):
    for row in rows_of(shop_engine.features(shop, CUT)).values():
        for feature in FEATURES:
            value = row[feature.name]
            assert value is not None or feature.null_meaning, feature.name
            assert not isinstance(value, float) or math.isfinite(value), feature.name
        for name in ("return_share", "return_amount_share", "coupon_share", "discount_share", "gift_share"):
            assert row[name] is None or 0 <= row[name] <= 1
        windows = [row[f"purchase_days_{w}d"] for w in (7, 14, 30, 60, 90, 180, 365)]
        assert windows == sorted(windows)
        assert windows[-1] <= row["purchase_days"]
        if row["purchase_days"]:
            assert row["T_days"] == row["recency_days"] + row["days_since_purchase"]
            assert row["days_since_purchase"] >= 1
            assert row["tenure_days"] >= row["T_days"]


@few
@given(shop=small_shops(), horizon=st.sampled_from([1, 20, 60]))
def test_a_closed_label_window_never_changes(shop_engine, shop, horizon):
    end = CUT + timedelta(days=horizon)
    now, later = (shop_engine.labels(s, CUT, horizon) for s in (forget_after(shop, end), shop))
    assert now.equals(later)
    assert all(0 <= days < horizon for days in now["days_to_purchase"].to_pylist())


def test_labels_refuse_an_empty_horizon(shop_engine):
    with pytest.raises(ValueError, match="horizon_days must be positive, not 0"):
        build_labels(shop_engine.tables, CUT, 0)


def test_a_shift_of_time_moves_nothing_but_the_calendar(shop_engine):
    shop, by = random_shop(7), timedelta(days=4)

    def move(row):
        return row | {k: v + by for k, v in row.items() if isinstance(v, date | datetime)}

    moved = Shop(*([move(r) for r in getattr(shop, n)] for n in ("orders", "lines", "events", "contacts")))
    cut = date(2024, 3, 1)
    calendar = ["season_sin", "season_cos", "closed_days_in_silence"]
    before = shop_engine.features(shop, cut).drop_columns(calendar)
    assert before.equals(shop_engine.features(moved, cut + by).drop_columns(calendar))


def test_the_number_of_threads_changes_no_byte(shop_engine):
    alone = ShopEngine(threads=1)
    try:
        shop, cut = cdnow_sample(), date(1998, 1, 1)
        assert shop_engine.features(shop, cut).equals(alone.features(shop, cut))
    finally:
        alone.close()


@pytest.mark.parametrize("gap", [1, 7, 45])
@pytest.mark.parametrize("purchases", [2, 3, 12])
def test_a_clockwork_buyer_has_closed_forms(shop_engine, gap, purchases):
    last = CUT - timedelta(days=3)
    days = [last - timedelta(days=gap * i) for i in range(purchases)]
    row = rows_of(shop_engine.features(Shop([order("a", day, 20) for day in days]), CUT))["a"]
    assert row["frequency"] == purchases - 1
    assert row["recency_days"] == gap * (purchases - 1)
    assert row["T_days"] == gap * (purchases - 1) + 3
    assert row["gap_mean"] == row["gap_median"] == row["gap_max"] == row["gap_last"] == gap
    assert row["silence_over_gap_mean"] == row["silence_over_gap_max"] == 3 / gap
    assert row["gap_log_mean"] == pytest.approx(math.log(gap), abs=1e-6)
    assert row["gap_log_sd"] == pytest.approx(0, abs=1e-6)
    assert row["monetary_value"] == row["order_value_mean"] == 20
    assert row["spend_total"] == 20 * purchases
    assert row["first_order_silence_days"] is None
    if purchases == 2:
        assert row["gap_sd"] is row["gap_trend"] is row["regularity_k"] is None
    else:
        # Every M is 1/2, so only the prior's four observations carry variance.
        v = (4 / 12) / (purchases - 2 + 4)
        assert (row["gap_sd"], row["gap_trend"]) == (0, 1)
        assert row["regularity_k"] == pytest.approx((1 - 4 * v) / (8 * v))


def test_regularity_finds_the_shape_of_gamma_gaps(shop_engine):
    draw = random.Random(5)
    for shape in (1, 4):
        day, days = date(1950, 1, 1), []
        for _ in range(400):
            day += timedelta(days=max(1, round(draw.gammavariate(shape, 60 / shape))))
            days.append(day)
        cut = date(2050, 1, 1)
        row = rows_of(shop_engine.features(Shop([order("a", d, 1) for d in days]), cut))["a"]
        assert row["regularity_k"] == pytest.approx(shape, rel=0.2)


def test_a_one_time_buyer_has_a_silence_and_no_gaps(shop_engine):
    row = rows_of(shop_engine.features(Shop([order("a", CUT - timedelta(days=50), 9)]), CUT))["a"]
    assert row["first_order_silence_days"] == row["days_since_purchase"] == row["T_days"] == 50
    assert (row["frequency"], row["purchase_days"], row["recency_days"]) == (0, 1, 0)
    assert all(row[f.name] is None for f in FEATURES if "gap" in f.name)


def test_a_contact_without_purchase_has_zeros_and_nulls(shop_engine):
    shop = Shop([order("zero", CUT - timedelta(days=5), 0), order("back", CUT - timedelta(days=5), -4)])
    shop.events.append(event("seen", CUT - timedelta(days=2), "site_visit"))
    shop.contacts.append({"contact_id": "known"})
    rows = rows_of(shop_engine.features(shop, CUT))
    assert list(rows) == ["back", "known", "seen", "zero"]
    for row in rows.values():
        assert row["purchase_days"] == row["spend_total"] == row["purchase_days_30d"] == 0
        assert row["frequency"] is row["days_since_purchase"] is row["monetary_value"] is None
    assert (rows["back"]["returns"], rows["back"]["return_share"]) == (1, 1)
    assert rows["zero"]["zero_orders"] == 1
    assert rows["known"]["tenure_days"] is None
    assert len({row["season_sin"] for row in rows.values()}) == 1


def test_a_cancelled_order_counts_until_it_is_cancelled(shop_engine):
    bought, cancelled = CUT - timedelta(days=5), CUT
    shop = Shop([order("a", bought, 30, cancelled_on=cancelled), order("a", cancelled, -30)])
    assert rows_of(shop_engine.features(shop, CUT))["a"]["purchase_days"] == 1
    row = rows_of(shop_engine.features(shop, CUT + timedelta(days=1)))["a"]
    assert (row["purchase_days"], row["orders"], row["returns"], row["spend_total"]) == (0, 0, 0, 0)


def test_machines_count_for_nothing(shop_engine):
    kinds = ("email_open", "email_click", "site_visit", "cart_add", "quiz")
    day = CUT - timedelta(days=1)
    shop = Shop(
        events=[event("a", day, kind, machine=True) for kind in kinds] + [event("a", day, "email_sent")]
    )
    row = rows_of(shop_engine.features(shop, CUT))["a"]
    assert (row["email_sends_30d"], row["email_ignored_in_a_row"]) == (1, 1)
    assert row["email_clicks_30d"] == row["visit_days_30d"] == row["email_opens_90d_unreliable"] == 0
    assert row["active_days_30d"] == row["carts_30d"] == row["other_events_90d"] == 0
    assert row["days_since_activity"] is None


def test_a_click_ends_the_ignored_sends_of_its_own_channel_only(shop_engine):
    def at(days, kind):
        return event("a", CUT - timedelta(days=days), kind)

    sends = [at(d, f"{c}_sent") for c in ("email", "sms", "direct_mail") for d in (100, 20, 10)]
    clicks = [at(15, "email_click"), at(10, "coupon_redeemed")]
    row = rows_of(shop_engine.features(Shop(events=sends + clicks), CUT))["a"]
    assert row["email_ignored_in_a_row"] == 1
    assert row["sms_ignored_in_a_row"] == 3
    assert row["direct_mail_ignored_in_a_row"] == 0
    assert (row["email_sends_30d"], row["email_sends_90d"]) == (2, 2)
