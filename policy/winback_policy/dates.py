"""Days counted from the day that is decided for."""

from __future__ import annotations

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
