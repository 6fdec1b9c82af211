"""The shop in parts, each with all the facts of some contacts: what a query holds at a time does not grow with the shop.

What is computed contact by contact comes out of the parts as it does of the whole: they are ranges of the contact ids, in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import ibis

from winback_features.answers import count
from winback_features.tables import Tables

ROWS_PER_PART = 6_000_000
"""Orders and events in a part, about: its features are built within a few hundred megabytes."""

SAMPLE = 20_000
"""Orders, about, that the bounds between the parts are read off."""


def parts_of(tables: Tables) -> Iterator[Tables]:
    """Yield the shop in parts, by rising contact id; a small shop, or one on another engine than DuckDB, as it is.

    Parameters
    ----------
    tables : Tables

    Yields
    ------
    Tables
        Some contacts with all of theirs.
    """
    for low, high in pairwise([None, *contact_bounds(tables), None]):
        log = None if tables.campaign_log is None else _between(tables.campaign_log, low, high)
        names = ("orders", "lines", "events", "contacts")
        part = {name: _between(getattr(tables, name), low, high) for name in names}
        yield replace(tables, campaign_log=log, **part)


def contact_bounds(tables: Tables) -> Sequence[str]:
    """Return the contact ids at which the parts after the first begin, rising; none where one part is enough.

    They are read off a sample: where exactly they lie makes the parts more or less even, and nothing else.
    """
    rows = sum(table.rows_used for table in tables.report.tables if table.name in ("orders", "events"))
    wanted = -(-rows // ROWS_PER_PART)
    if wanted < 2 or tables.backend.name != "duckdb":
        return ()
    share = min(1.0, SAMPLE / max(count(tables.orders), 1))
    some = tables.orders.select("contact_id").sample(share, method="row", seed=0)
    ids = sorted(some.to_pyarrow()["contact_id"].to_pylist())
    places = (len(ids) * number // wanted for number in range(1, wanted))
    return sorted({ids[place] for place in places}) if ids else ()


def _between(table: ibis.Table, low: str | None, high: str | None) -> ibis.Table:
    """Keep the contacts from ``low`` to before ``high``; None is no bound."""
    if low is not None:
        table = table.filter(table.contact_id >= low)
    return table if high is None else table.filter(table.contact_id < high)
