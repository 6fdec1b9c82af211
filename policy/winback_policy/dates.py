"""Days counted from the day that is decided for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import ibis


def days_from(as_of: date, days: Any) -> Any:
    """Return the date so many days after ``as_of``, or before it where they are negative.

    DuckDB adds an interval to a date as a timestamp, and Ibis takes the sum for a date already; so both are told.

    Parameters
    ----------
    as_of : date
    days : ibis numeric column
        Whole days; null gives null.

    Returns
    -------
    ibis date column
    """
    return (ibis.literal(as_of).cast("timestamp") + days.cast("int64").as_interval("D")).cast("date")


def days_since(as_of: date, day: Any) -> Any:
    """Return the number of days from ``day`` to ``as_of``."""
    return ibis.literal(as_of).delta(day, unit="day")


def open_days(as_of: date, days: Any, closed: Sequence[tuple[Any, Any]]) -> Any:
    """Return on how many of the last so many days, today's included, the shop was open.

    A clock that moves on the mornings of open days: while the shop is closed it stands still, and nothing comes due.

    Parameters
    ----------
    as_of : date
    days : ibis integer column
        Days from the one that counts as 0 to ``as_of``; null gives null.
    closed : sequence of (first day, day after the last)
        Periods that do not overlap; dates, or date expressions.

    Returns
    -------
    ibis integer column
    """
    open_ = days
    for first, after in closed:
        oldest, newest = (days_since(as_of, day) + 1 for day in (first, after))
        shut = ibis.least(days, oldest) - ibis.greatest(newest, 0)
        open_ = open_ - ibis.greatest(shut, 0)
    return open_


def calendar_days(as_of: date, days: Any, closed: Sequence[tuple[date, date]]) -> Any:
    """Return how many days of the calendar lie between ``as_of`` and the morning so many open days before it.

    A contact's silence stands still while the shop is closed: who has been late for three open days was due three days ago, or
    as many earlier as the shop was closed since.

    Parameters
    ----------
    as_of : date
    days : int or ibis integer column
        Open days before ``as_of``; after it where they are negative. Null gives null.
    closed : sequence of (first day, day after the last)
        Periods that do not overlap, in any order.

    Returns
    -------
    int or ibis integer column
        With the sign of ``days``.

    Examples
    --------
    >>> holidays = [(date(2026, 3, 2), date(2026, 3, 4))]
    >>> [calendar_days(date(2026, 3, 5), days, holidays) for days in (0, 1, 2)]
    [0, 1, 4]
    """
    found, passed = days, 0
    for first, after in sorted(closed, reverse=True):
        oldest, newest = (max((as_of - day).days, 0) for day in (first, after))
        if oldest > newest:
            found = found + _where(days > newest - passed, oldest - newest)
            passed += oldest - newest
    passed = 0
    for first, after in sorted(closed):
        begins, ends = (max((day - as_of).days, 0) for day in (first, after))
        if ends > begins:
            found = found - _where((days < 0) & (-days >= begins - passed), ends - begins)
            passed += ends - begins
    return found


def _where(condition: Any, days: int) -> Any:
    return ibis.ifelse(condition, days, 0) if isinstance(condition, ibis.Value) else days * condition
