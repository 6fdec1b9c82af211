"""Relationship, tenure, recency, last behaviour and the buyer × clicker cells, told by example."""

from __future__ import annotations

from typing import Any

import ibis
import pyarrow as pa
import pytest

from winback_features.dictionary import numeric_features
from winback_policy import segments

ACTIVE = dict.fromkeys(segments.SEGMENT_COLUMNS) | {"purchase_days": 0.0, "active_days_90d": 0.0}
HORIZON = 60

Contacts = dict[str, dict[str, float]]


def asked(backend: Any, contacts: Contacts, **columns: Any) -> dict[str, Any]:
    """Return, by contact, what the functions (table → column) say."""
    schema = pa.schema([("contact_id", pa.string()), *((n, pa.float64()) for n in segments.SEGMENT_COLUMNS)])
    rows = [{"contact_id": c, **ACTIVE, **values} for c, values in contacts.items()]
    name = ibis.util.gen_name("segments")
    backend.con.register(name, pa.Table.from_pylist(rows, schema=schema))
    t = backend.table(name)
    found = backend.to_pyarrow(t.select("contact_id", **{n: f(t) for n, f in columns.items()})).to_pylist()
    return {
        row.pop("contact_id"): next(iter(row.values())) if len(row) == 1 else tuple(row.values())
        for row in found
    }


def test_the_columns_are_features() -> None:
    assert set(segments.SEGMENT_COLUMNS) <= set(numeric_features())


def test_relationship_tiers(backend: Any) -> None:
    contacts: Contacts = {
        "looked around": {"tenure_days": 900},
        "bought once, dearly": {"purchase_days": 1, "tenure_days": 900, "order_value_mean": 900},
        "second order": {"purchase_days": 2, "tenure_days": 40, "order_value_mean": 20},
        "second order, large": {"purchase_days": 2, "tenure_days": 40, "order_value_mean": 55},
        "second order, very large": {"purchase_days": 2, "tenure_days": 40, "order_value_mean": 100},
        "long known": {"purchase_days": 3, "tenure_days": 730, "order_value_mean": 20},
        "regular": {"purchase_days": 10, "tenure_days": 179, "order_value_mean": 50},
        "regular for years": {"purchase_days": 10, "tenure_days": 730, "order_value_mean": 20},
        "best": {"purchase_days": 40, "tenure_days": 2000, "order_value_mean": 300},
        "nothing else known": {"purchase_days": 5},
    }
    tiers = asked(backend, contacts, tier=lambda t: segments.relationship_tier(t, 50.0))
    assert tiers == {
        "looked around": "none",
        "bought once, dearly": "one_off",
        "second order": "weak",
        "second order, large": "weak",
        "second order, very large": "steady",
        "long known": "steady",
        "regular": "steady",
        "regular for years": "strong",
        "best": "strong",
        "nothing else known": "weak",
    }
    assert set(tiers.values()) == set(segments.TIERS)


def test_the_usual_order_may_be_the_base_s_own_median(backend: Any) -> None:
    contacts: Contacts = {
        str(value): {"purchase_days": 4, "order_value_mean": value} for value in (10.0, 20.0, 40.0)
    }
    tiers = asked(
        backend, contacts, tier=lambda t: segments.relationship_tier(t, t.order_value_mean.median())
    )
    assert tiers == {"10.0": "weak", "20.0": "steady", "40.0": "steady"}


@pytest.mark.parametrize(
    ("column", "function", "bands"),
    [
        ("tenure_days", segments.tenure_band, segments.TENURE_BANDS),
        ("days_since_purchase", segments.recency_band, segments.RECENCY_BANDS),
    ],
)
def test_each_day_is_in_one_band(backend: Any, column: str, function: Any, bands: Any) -> None:
    contacts: Contacts = {str(day): {column: day} for day in range(1, 1200)}
    found = asked(backend, {**contacts, "unknown": {}}, band=function)
    assert found.pop("unknown") is None
    first = 1
    for end, name in bands:
        days = range(first, end or 1200)
        assert {found[str(day)] for day in days} == {name}
        first = end


def test_last_behaviour(backend: Any) -> None:
    contacts: Contacts = {
        "nothing": {},
        "bought": {"days_since_purchase": 9, "days_since_activity": 9, "days_since_visit": 9},
        "clicked a text": {"sms_days_since_click": 3, "email_days_since_click": 30, "days_since_activity": 3},
        "cart": {"days_since_cart": 2, "days_since_visit": 2, "days_since_activity": 2},
        "called": {"days_since_service_contact": 4, "days_since_purchase": 5, "days_since_activity": 4},
        "visited": {"days_since_visit": 4, "days_since_purchase": 5, "days_since_activity": 4},
        "answered": {"days_since_activity": 1, "days_since_purchase": 5},
    }
    found = asked(
        backend,
        contacts,
        kind=lambda t: segments.last_behaviour(t)[0],
        days=lambda t: segments.last_behaviour(t)[1],
    )
    assert found == {
        "nothing": ("none", None),
        "bought": ("purchase", 9),
        "clicked a text": ("click", 3),
        "cart": ("cart", 2),
        "called": ("service", 4),
        "visited": ("visit", 4),
        "answered": ("other", 1),
    }
    assert {kind for kind, _ in found.values()} == set(segments.BEHAVIOURS)


BUYER = {"purchase_days": 3, "days_since_purchase": 10, "days_since_activity": 10, "active_days_90d": 1}
IGNORES = {"email_ignored_in_a_row": 5}
CLICKS = {"push_clicks_90d": 1, "days_since_activity": 5, "active_days_90d": 1}
VISITS = {"days_since_visit": 20, "days_since_activity": 20, "active_days_90d": 2}

CELLS: dict[str, tuple[dict[str, float], str, str, str]] = {
    # contact: values, cell, action with another channel, and without
    "buys and clicks": (BUYER | CLICKS, "buyer_clicker", "none", "none"),
    "buys": (BUYER, "buyer", "none", "none"),
    "buys, ignores mail": (BUYER | IGNORES, "buyer", "change_channel", "refresh_content"),
    "buys, ignores four": (BUYER | {"email_ignored_in_a_row": 4}, "buyer", "none", "none"),
    "clicks, never bought": (CLICKS, "clicker", "check_landing_page", "check_landing_page"),
    "clicks, bought long ago": (
        CLICKS | {"purchase_days": 2, "days_since_purchase": 60},
        "clicker",
        "check_landing_page",
        "check_landing_page",
    ),
    "visits, ignores mail": (VISITS | IGNORES, "neither", "change_channel", "refresh_content"),
    "visits, no mail": (VISITS, "neither", "win_back", "win_back"),
    "silent": ({"days_since_purchase": 119, "days_since_activity": 119}, "neither", "win_back", "win_back"),
    "silent, ignores mail": (
        {"days_since_purchase": 119, "days_since_activity": 119} | IGNORES,
        "neither",
        "win_back",
        "win_back",
    ),
    "asleep": ({"days_since_purchase": 120, "days_since_activity": 120}, "neither", "sunset", "sunset"),
    "never seen": ({}, "neither", "sunset", "sunset"),
}


def test_buyers_and_clickers(backend: Any) -> None:
    found = asked(
        backend,
        {contact: values for contact, (values, *_) in CELLS.items()},
        cell=lambda t: segments.buyer_clicker_cell(t, HORIZON),
        open_=lambda t: segments.cell_action(t, HORIZON, ibis.literal(True)),
        closed=lambda t: segments.cell_action(t, HORIZON, t.purchase_days < 0),
    )
    assert found == {contact: tuple(expected) for contact, (_, *expected) in CELLS.items()}
    assert {cell for cell, *_ in found.values()} == set(segments.CELLS)
    assert {action for _, *actions in found.values() for action in actions} == set(segments.CELL_ACTIONS)
