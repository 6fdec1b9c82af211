"""Numbers and days in plain English, as engine expressions."""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def whole(number: Any) -> Any:
    """Return the number rounded, as text."""
    return number.round().cast("int64").cast("string")


def counted(number: Any, one: str, many: str = "") -> Any:
    """Return ``1 day`` or ``12 days``."""
    rounded = number.round().cast("int64")
    return rounded.cast("string") + ibis.ifelse(rounded == 1, f" {one}", f" {many or one + 's'}")


def every(days: Any) -> Any:
    """Return ``every day`` or ``every 12 days``."""
    rounded = days.round().cast("int64")
    return ibis.ifelse(rounded <= 1, "every day", ibis.literal("every ") + rounded.cast("string") + " days")


def day_before(as_of: date, days: Any) -> Any:
    """Return the date ``days`` (signed, whole) before ``as_of``."""
    return ibis.literal(as_of) - days.round().cast("int64").as_interval("D")


def short_day(day: Any, as_of: date) -> Any:
    """Return ``12 Nov``, with the year where it is not that of ``as_of``."""
    month = day.month().cases(*enumerate(MONTHS, start=1), else_="")
    year = ibis.ifelse(day.year() == as_of.year, "", ibis.literal(" ") + day.year().cast("string"))
    return day.day().cast("string") + " " + month + year


def percent(share: Any) -> Any:
    """Return ``22 %``, or ``less than 1 %``."""
    rounded = (share * 100).round().cast("int64")
    return ibis.ifelse(rounded < 1, "less than 1 %", rounded.cast("string") + " %")
