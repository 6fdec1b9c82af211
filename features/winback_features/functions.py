"""Functions of the engine that Ibis has no name for, or only a slower one."""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.datatypes as dt

_builtin: Any = ibis.udf.scalar.builtin
_CLOCK = dt.Timestamp(scale=6)
_INSTANT = dt.Timestamp("UTC", 6)


def _timezone(zone: Any, time: Any) -> Any: ...


def _trim(text: Any) -> Any: ...


def _hash(row: Any) -> Any: ...


wall_clock = _builtin(_timezone, name="timezone", signature=((dt.string, _INSTANT), _CLOCK))
"""What the clocks of a zone show at an instant."""

instant = _builtin(_timezone, name="timezone", signature=((dt.string, _CLOCK), _INSTANT))
"""The instant at which the clocks of a zone show a time."""

trim = _builtin(_trim, name="trim", signature=((dt.string,), dt.string))
"""Text without blanks at its ends: several times faster than looking for every kind of white space."""

digest = _builtin(_hash, name="hash", signature=((None,), dt.uint64))
"""64 bits that are equal for equal rows."""
