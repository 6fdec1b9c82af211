"""Cancellations close orders like brackets, and tomorrow's facts change nothing of yesterday."""

from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal

import ibis
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from winback_features.netting import cancellations, with_cancellations

START = datetime(2024, 1, 1, 10)
WINDOW = 5


@pytest.fixture(scope="module")
def backend():
    connection = ibis.duckdb.connect(threads=2)
    yield connection
    connection.disconnect()


def net(backend, orders: list[tuple[str, str, datetime, int]], window: int = WINDOW) -> dict:
    """Return ``(contact, order) -> day of cancellation``."""
    contacts, ids, times, amounts = zip(*orders, strict=True) if orders else ((), (), (), ())
    table = pa.table(
        {
            "contact_id": pa.array(contacts, pa.string()),
            "order_id": pa.array(ids, pa.string()),
            "ordered_at": pa.array(times, pa.timestamp("us")),
            "day": pa.array([t.date() for t in times], pa.date32()),
            "amount": pa.array([Decimal(a) for a in amounts], pa.decimal128(18, 4)),
        }
    )
    placed = ibis.memtable(table)
    rows = with_cancellations(placed, cancellations(placed, window))
    found = backend.to_pyarrow(rows).to_pylist()
    assert len(found) == len(orders)
    return {(r["contact_id"], r["order_id"]): r["cancelled_on"] for r in found}


def by_stack(orders: list[tuple[str, str, datetime, int]], window: int = WINDOW) -> dict:
    """Net with one stack per contact and amount: the plain reading of the rule."""
    open_orders, result = defaultdict(list), {(c, o): None for c, o, _, _ in orders}
    for contact, order, time, amount in sorted(orders, key=lambda r: (r[2], r[3] < 0, r[1])):
        stack = open_orders[contact, abs(amount)]
        if amount > 0:
            stack.append((order, time))
        elif amount < 0 and stack:
            latest, bought = stack[-1]
            if (time.date() - bought.date()).days <= window:
                stack.pop()
                result[contact, latest] = time.date()
    return result


def at(days: int, hours: int = 0) -> datetime:
    return START + timedelta(days=days, hours=hours)


def test_the_latest_open_order_of_the_same_amount_is_cancelled(backend):
    orders = [
        ("a", "1", at(0), 10),
        ("a", "2", at(1), 10),
        ("a", "3", at(2), 12),
        ("b", "4", at(2), 10),
        ("a", "5", at(3), -10),
    ]
    assert {k[1]: v for k, v in net(backend, orders).items() if v} == {"2": date(2024, 1, 4)}


def test_two_cancellations_close_two_orders_from_the_inside(backend):
    orders = [("a", "1", at(0), 10), ("a", "2", at(1), 10), ("a", "3", at(2), -10), ("a", "4", at(3), -10)]
    cancelled = net(backend, orders)
    assert (cancelled["a", "2"], cancelled["a", "1"]) == (date(2024, 1, 3), date(2024, 1, 4))


@pytest.mark.parametrize(("days", "cancelled"), [(WINDOW, True), (WINDOW + 1, False)])
def test_a_late_return_leaves_the_purchase_standing(backend, days, cancelled):
    found = net(backend, [("a", "1", at(0), 10), ("a", "2", at(days), -10)])
    assert (found["a", "1"] is not None) is cancelled


def test_a_return_before_any_order_cancels_nothing_later(backend):
    orders = [("a", "1", at(0), -10), ("a", "2", at(1), 10), ("a", "3", at(2), 0)]
    assert not any(net(backend, orders).values())


def test_at_the_same_instant_an_order_comes_before_its_cancellation(backend):
    assert net(backend, [("a", "2", at(0), -10), ("a", "9", at(0), 10)])["a", "9"] == date(2024, 1, 1)


orders_of_shops = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.integers(0, 12),
        st.integers(0, 2),
        st.sampled_from([10, -10, 10, -10, 20, -20, 0]),
    ),
    max_size=25,
).map(lambda rows: [(c, f"o{i:02d}", at(d, h), a) for i, (c, d, h, a) in enumerate(rows)])
quick = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)


@quick
@given(orders=orders_of_shops)
def test_window_functions_net_like_a_stack(backend, orders):
    assert net(backend, orders) == by_stack(orders)


@quick
@given(orders=orders_of_shops, later=orders_of_shops, cut=st.integers(0, 13))
def test_facts_from_a_day_on_never_change_what_was_known_before_it(backend, orders, later, cut):
    as_of = at(cut).date()

    def known(rows):
        return {k: v for k, v in net(backend, rows).items() if v and v < as_of}

    before = [r for r in orders if r[2].date() < as_of]
    other = [(c, f"x{o}", t, a) for c, o, t, a in later if t.date() >= as_of]
    assert known(orders) == known(before) == known(before + other)
