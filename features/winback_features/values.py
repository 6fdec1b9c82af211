"""Read the shop's values as what the contract says they are, and say which cannot be read.

Nothing here looks at more than one row. An identifier is never read as a number.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import ibis
import ibis.expr.datatypes as dt

from winback_features.contracts import Column
from winback_features.functions import instant, wall_clock
from winback_features.tables import MONEY

NO_VALUE = ("", "nan", "NaN", "NaT", "None", "NULL", "null", "<NA>", "N/A", "#N/A")
"""How programs write down that there is no value, where an identifier, a time or a number is expected."""

CELL_ERROR = r"^#([A-Z]+(/0)?[!?]|#+)$"
"""What a spreadsheet shows instead of an identifier, in any of its languages: #REF!, #NAME?, #DIV/0!, ####."""

EARLIEST = date(1990, 1, 1)
"""Days before this one are typing errors or a program's idea of zero."""

TRUE_WORDS = ("true", "t", "yes", "y", "1", "1.0")
FALSE_WORDS = ("false", "f", "no", "n", "0", "0.0")

_DATE = r"^\d{4}[-/]\d{1,2}[-/]\d{1,2}"
_ZONE = r":\d{2}(\.\d+)? ?([Zz]|UTC|GMT|[+-]\d{2}(:?\d{2})?|[A-Za-z]+/[A-Za-z_/]+)$"


@dataclass(frozen=True, slots=True)
class Clock:
    """The brand's zone, and the zone in which times without one are written."""

    brand: str
    source: str


@dataclass(frozen=True)
class Reading:
    """One contract column as read.

    Attributes
    ----------
    value : ibis.Value
        In the contract's type; null where missing or unreadable.
    unreadable : ibis.Value or None
        Where something was found that cannot be read; None where anything can.
    zoned : ibis.Value or None
        For times written as text: whether this one has a zone (null where there is no time of day).
    """

    value: ibis.Value
    unreadable: ibis.Value | None = None
    zoned: ibis.Value | None = None


def readable(column: Column, kind: dt.DataType) -> bool:
    """Tell whether a source type can hold a contract column at all.

    Examples
    --------
    >>> readable(Column("amount", "amount"), dt.boolean)
    False
    """
    if kind.is_string() or kind.is_null():
        return True
    match column.kind:
        case "string":
            fits = kind.is_numeric() or kind.is_uuid() or (kind.is_boolean() and not column.required)
        case "timestamp":
            fits = kind.is_timestamp() or kind.is_date()
        case "amount" | "number":
            fits = kind.is_numeric()
        case "bool":
            fits = kind.is_boolean() or kind.is_numeric()
    return bool(fits)


def read_as_text(column: Column, kind: dt.DataType) -> bool:
    """Tell whether :func:`read` looks at the text of a contract column that the source has in this type.

    Examples
    --------
    >>> read_as_text(Column("amount", "amount"), dt.float64), read_as_text(Column("order_id", "string"), dt.int64)
    (False, True)
    """
    if kind.is_string() or kind.is_null() or column.kind == "string":
        return True
    return column.kind == "bool" and not kind.is_boolean()


def read(column: Column, found: ibis.Value, text: ibis.Value, clock: Clock) -> Reading:
    """Read one column.

    Parameters
    ----------
    column : Column
    found : ibis.Value
        In a type for which :func:`readable` holds.
    text : ibis.Value
        The same as text, without blanks at its ends; not looked at unless :func:`read_as_text` says so.
    clock : Clock
    """
    match column.kind:
        case "string":
            return _read_string(column, found, text)
        case "timestamp" if found.type().is_string() or found.type().is_null():
            return _read_written_time(text, clock)
        case "timestamp":
            return _read_time(found, clock)
        case "amount" | "number":
            return _read_number(column, found, text)
        case "bool" if found.type().is_boolean():
            return Reading(found)
        case "bool":
            return _read_bool(text)


def _absent(text: ibis.Value, words: tuple[str, ...] = NO_VALUE) -> ibis.Value:
    return text.isnull() | text.isin(words)


def _read_string(column: Column, found: ibis.Value, text: ibis.Value) -> Reading:
    """Keep identifiers exactly as written; trim the rest, and write the kind of an event in small letters."""
    if column.name.endswith("_id"):
        # An order may be called #1001; only what begins so is looked at closely.
        broken = ibis.ifelse(text.startswith("#"), text.re_search(CELL_ERROR), False)
        return Reading(ibis.ifelse(_absent(text) | broken, ibis.null("string"), found.cast("string")))
    # Small letters first: of words that a file tells by number, the engine then turns each only once.
    value = (text.lower() if column.name == "kind" else text).nullif("")
    return Reading(value.upper() if column.name == "currency" else value)


def _read_time(found: ibis.Value, clock: Clock) -> Reading:
    kind = found.type()
    if kind.is_date():
        return Reading(found.cast("timestamp(6)"))
    if kind.timezone is not None:
        return Reading(wall_clock(clock.brand, found))
    return Reading(_to_brand(found.cast("timestamp(6)"), clock))


def _read_written_time(text: ibis.Value, clock: Clock) -> Reading:
    dated = text.re_search(_DATE)
    has_clock = text.contains(":")
    zoned = has_clock & text.re_search(_ZONE)
    # DuckDB wants seconds before a zone, no blank before an offset, and a capital Z.
    tidy = text.re_replace(r" +([+-]\d)", r"\1").re_replace(r"z$", "Z")
    tidy = tidy.re_replace(r"([T ]\d{1,2}:\d{2})(Z|[+-])", r"\1:00\2")
    value = ibis.cases(
        (~dated, ibis.null("timestamp(6)")),
        (zoned, wall_clock(clock.brand, tidy.try_cast("timestamp('UTC', 6)"))),
        (has_clock, _to_brand(text.try_cast("timestamp(6)"), clock)),
        else_=text.try_cast("date").cast("timestamp(6)"),
    )
    return Reading(
        value, value.isnull() & ~_absent(text), ibis.ifelse(has_clock, zoned, ibis.null("boolean"))
    )


def _to_brand(naive: ibis.Value, clock: Clock) -> ibis.Value:
    if clock.source == clock.brand:
        return naive
    return wall_clock(clock.brand, instant(clock.source, naive))


def _read_number(column: Column, found: ibis.Value, text: ibis.Value) -> Reading:
    """Read money as decimal(18, 4); ``NaN`` is no amount, but stands for "no value" in optional columns."""
    target = "float64" if column.name == "value" else MONEY
    if found.type().is_string():
        number = text.try_cast(target)
        absent = _absent(text, tuple(w for w in NO_VALUE if w.lower() != "nan" or column.kind != "amount"))
    else:
        number = found.try_cast(target)
        absent = found.isnull()
        if found.type().is_floating() and column.kind != "amount":
            absent = absent | found.isnan()
    if target == "float64":
        number = ibis.ifelse(number.isnan() | number.isinf(), ibis.null("float64"), number)
    return Reading(number, number.isnull() & ~absent)


def _read_bool(text: ibis.Value) -> Reading:
    word = text.lower()
    value = ibis.cases(
        (word.isin(TRUE_WORDS), True), (word.isin(FALSE_WORDS), False), else_=ibis.null("boolean")
    )
    return Reading(value, value.isnull() & ~_absent(text))
