"""While the shop is closed a journey, the wait in sunset and the notice stand still; cooldown and retention run on."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from winback_policy.dates import calendar_days, open_days

AS_OF = date(2025, 3, 10)
CLOSED = ((date(2025, 2, 12), date(2025, 2, 22)), (date(2025, 3, 8), date(2025, 3, 10)))
"""Ten days in February, and the two before today."""

QUICK = {"journey_days": 20, "sunset_days": 10, "notice_days": 5, "cooldown_days": 40}
SILENT = {"days_since_purchase": 200}


def ago(days: int) -> date:
    """Return the day so many days before today."""
    return AS_OF - timedelta(days=days)


def entered(days: int) -> dict[str, Any]:
    """Return yesterday's state of a contact that entered so many days ago."""
    return {"state": "in_winback", "entered_at": ago(days), "arm": "treatment", "journeys": 1}


def asleep(days: int, state: str = "sunset") -> dict[str, Any]:
    """Return yesterday's state of a contact whose journey ended so many days ago."""
    return {
        **entered(days + 20),
        "state": state,
        "exited_at": ago(days),
        "exit_reason": "journey_ended",
        "cooldown_until": ago(days - 40),
        "asleep_since": ago(days),
    }


BOOK: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    # contact: yesterday, what differs today, what the list says of it
    "20 days in, 5 of them closed": (entered(20), SILENT, {"state": "in_winback", "journey_step": 3}),
    "31 days in, 12 of them closed": (entered(31), SILENT, {"state": "in_winback"}),
    "32 days in, 12 of them closed": (
        entered(32),
        SILENT,
        {"state": "sunset", "exit_reason": "journey_ended"},
    ),
    "entered on the last open day": (entered(3), {}, {"journey_step": 1, "tone": "relational"}),
    "one open day before": (entered(4), {}, {"journey_step": 2, "tone": "product"}),
    "entered on a closed day": (entered(2), {}, {"journey_step": 1}),
    "was written to before the closed days": (
        entered(4),
        {"email_days_since_send": 4.0, "email_ignored_in_a_row": 1.0},
        {"journey_step": 2, "tone": "new_subject", "last_reaction": "ignored"},
    ),
    "asleep for 11 days, 2 of them closed": (asleep(11), SILENT, {"state": "sunset"}),
    "asleep for 12 days, 2 of them closed": (asleep(12), SILENT, {"state": "farewell"}),
    "two days of the notice were closed": (
        asleep(14, "farewell"),
        {**SILENT, "days_since_activity": 1090.0},
        {"state": "farewell", "farewell_due": AS_OF + timedelta(days=5)},
    ),
    "in farewell for four days, two of them closed; sunset was longer then": (
        {**asleep(60, "farewell"), "farewell_since": ago(4)},
        {**SILENT, "days_since_activity": 1095.0},
        {"state": "farewell", "farewell_due": AS_OF + timedelta(days=3)},
    ),
    "said so three days ago, and asleep since": (
        {"state": "farewell", "asleep_since": ago(2), "journeys": 0},
        {**SILENT, "days_since_activity": 1095.0, "stated_reason": "no_need", "stated_days": 3},
        {"state": "farewell", "farewell_due": AS_OF + timedelta(days=4)},
    ),
    "cools down by the calendar": (
        {**asleep(40), "state": "active", "exit_reason": "risk_fell", "asleep_since": None},
        {},
        {"state": "flagged"},
    ),
}


@pytest.fixture(scope="module")
def today(world: Any) -> Any:
    """Decide for everybody, at once."""
    before = {name: yesterday for name, (yesterday, _, _) in BOOK.items()}
    return world.day(0, {n: row for n, (_, row, _) in BOOK.items()}, before, closed=CLOSED, **QUICK)


@pytest.mark.parametrize("name", BOOK)
def test_what_the_closed_days_do(today: Any, name: str) -> None:
    wanted = BOOK[name][2]
    assert {column: today.winback[name][column] for column in wanted} == wanted


def test_an_exit_tells_the_days_of_the_calendar(today: Any) -> None:
    assert today.exits["32 days in, 12 of them closed"]["days_in_journey"] == 32


def periods(edges: list[int]) -> list[tuple[date, date]]:
    """Make periods of every other stretch between days."""
    days = [AS_OF + timedelta(days=edge) for edge in sorted(edges)]
    return [stretch for n, stretch in enumerate(pairwise(days)) if n % 2 == 0]


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    edges=st.lists(st.integers(-40, 20), max_size=6, unique=True),
    days=st.lists(st.none() | st.integers(0, 45), min_size=1, max_size=8),
    as_columns=st.booleans(),
)
def test_open_days_against_counting(
    backend: Any, edges: list[int], days: list[int | None], as_columns: bool
) -> None:
    """Every morning since, today's included, counts unless the shop is closed on it; edges may be data as well as dates."""
    closed = periods(edges)
    name = ibis.util.gen_name("days")
    backend.con.register(name, pa.table({"days": pa.array(days, pa.int64())}))
    given: list[tuple[Any, Any]] = list(closed)
    if as_columns and closed:
        told = ibis.util.gen_name("edges")
        columns = {f"{end}_{n}": [day] for n, period in enumerate(closed) for end, day in enumerate(period)}
        backend.con.register(told, pa.table(columns))
        t = backend.table(told)
        given = [(t[f"0_{n}"].as_scalar(), t[f"1_{n}"].as_scalar()) for n in range(len(closed))]
    t = backend.table(name)
    found = backend.to_pyarrow(t.select(n=open_days(AS_OF, t.days, given)))["n"].to_pylist()

    def counted(n: int) -> int:
        mornings = [ago(k) for k in range(n)]
        return sum(not any(first <= day < after for first, after in closed) for day in mornings)

    assert sorted(found, key=str) == sorted((None if n is None else counted(n) for n in days), key=str)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    edges=st.lists(st.integers(-40, 40), max_size=6, unique=True),
    days=st.lists(st.none() | st.integers(-30, 45), min_size=1, max_size=8),
)
def test_calendar_days_against_walking(backend: Any, edges: list[int], days: list[int | None]) -> None:
    """From today a day at a time, counting those whose silence counts: a morning adds the day before it if that was open."""
    closed = periods(edges)
    name = ibis.util.gen_name("days")
    backend.con.register(name, pa.table({"days": pa.array(days, pa.int64())}))
    t = backend.table(name)
    found = backend.to_pyarrow(t.select(n=calendar_days(AS_OF, t.days, closed)))["n"].to_pylist()

    def shut(day: date) -> bool:
        return any(first <= day < after for first, after in closed)

    def walked(n: int) -> int:
        day, left = AS_OF, abs(n)
        while n > 0 and left:
            day -= timedelta(days=1)
            left -= not shut(day)
        while n < 0 and (left or shut(day)):
            left -= not shut(day)
            day += timedelta(days=1)
        return (AS_OF - day).days

    assert found == [None if n is None else walked(n) for n in days]


def test_the_day_on_which_a_contact_was_due_lies_before_the_closed_days(world: Any) -> None:
    """Ten days of February and the two before today were closed: nobody was expected back on one of them."""
    book = {
        "late by nobody's count": (0, "expected back by 10 Mar, today"),
        "the last open day": (1, "expected back by 7 Mar, 3 days ago"),
        "the first open day after the ten": (14, "expected back by 22 Feb, 16 days ago"),
        "before the ten": (15, "expected back by 11 Feb, 27 days ago"),
        "tomorrow": (-1, "expected back by 11 Mar, in 1 day"),
    }
    plain = {"days_since_purchase": 10, "gap_mean": 20.0, "gap_max": 24.0, "value_at_risk": 0.0}
    plain |= {"purchase_days_90d": 4.0, "purchase_days_180d": 8.0, "p_lapse": 0.6}
    changed = {name: plain | {"days_overdue": late} for name, (late, _) in book.items()}
    told = world.day(0, changed, None, closed=CLOSED).winback
    for name, (_, sentence) in book.items():
        assert sentence in [told[name][f"reason_{n}"] for n in (1, 2, 3)], (name, told[name])
