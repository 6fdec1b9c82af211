"""A day in a query string: written as 2026-01-31, and in no other way that a parser might guess at."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator


def _written_out(value: Any) -> Any:
    """Refuse a text that is no ISO day, such as a number of seconds.

    Examples
    --------
    >>> _written_out("2026-01-31")
    '2026-01-31'
    """
    if isinstance(value, str) and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        raise ValueError("a day is written as 2026-01-31")
    return value


Day = Annotated[date, BeforeValidator(_written_out)]
