"""Lines summed to orders, against sums in plain Python: whether an order has one line or several."""

from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from winback_features import order_sums
from winback_features.config import EngineConfig
from winback_features.engine import open_engine
from winback_features.order_sums import orders_of

SCHEMA = pa.schema(
    [
        ("contact_id", pa.string()),
        ("order_id", pa.string()),
        ("day", pa.date32()),
        ("ordered_at", pa.timestamp("us")),
        *((name, pa.decimal128(18, 4)) for name in ("amount", "discount")),
        *((name, pa.bool_()) for name in ("coupon", "is_gift")),
    ]
)
KEYS = ("contact_id", "order_id", "day")
MONEY = st.none() | st.integers(-3, 9).map(lambda n: Decimal(n).quantize(Decimal("0.0001")))
LINES = st.fixed_dictionaries(
    {
        "contact_id": st.sampled_from("ab"),
        "order_id": st.sampled_from("xyz"),
        "ordered_at": st.builds(datetime, st.just(2024), st.just(1), st.integers(1, 2), st.integers(0, 23)),
        "amount": MONEY,
        "discount": MONEY,
        "coupon": st.none() | st.booleans(),
        "is_gift": st.none() | st.booleans(),
    }
)


@pytest.fixture(scope="module")
def backend():
    with open_engine(EngineConfig(memory_limit="256MB", threads=1)) as engine:
        yield engine


def expected(lines):
    def over(rows, name, fold):
        known = [row[name] for row in rows if row[name] is not None]
        return fold(known) if known else None

    orders = {}
    for line in lines:
        orders.setdefault(tuple(line[key] for key in KEYS), []).append(line)
    folds = {"ordered_at": min, "amount": sum, "discount": sum, "coupon": any, "is_gift": any}
    return {
        key: tuple(over(rows, name, fold) for name, fold in folds.items()) for key, rows in orders.items()
    }


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(lines=st.lists(LINES, max_size=8), most=st.sampled_from([0.0, 0.25, 1.0]))
def test_orders_are_the_sums_of_their_lines(backend, monkeypatch, lines, most):
    monkeypatch.setattr(order_sums, "MOST_SHARED", most)
    lines = [line | {"day": line["ordered_at"].date()} for line in lines]
    table = backend.create_table("lines", pa.Table.from_pylist(lines, SCHEMA), temp=True, overwrite=True)
    rows = orders_of(table).to_pyarrow().to_pylist()
    found = {tuple(row.pop(key) for key in KEYS): tuple(row.values()) for row in rows}
    assert len(found) == len(rows)
    assert found == expected(lines)


def test_different_orders_of_one_digest_stay_apart(backend, monkeypatch):
    monkeypatch.setattr(order_sums, "digest", lambda row: row["day"].year().cast("uint64"))
    day = date(2024, 1, 1)
    lines = [
        dict.fromkeys(SCHEMA.names) | {"contact_id": c, "order_id": o, "day": day}
        for c, o in ("ax", "bx", "by")
    ]
    table = backend.create_table("twins", pa.Table.from_pylist(lines * 2, SCHEMA), temp=True)
    assert orders_of(table).to_pyarrow().num_rows == 3
