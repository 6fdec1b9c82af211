"""The shop in parts, each with all the facts of some contacts: what a query holds at a time does not grow with the shop.

What is computed contact by contact comes out of the parts as it does of the whole: they are ranges of the contact ids, in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise

import ibis

from winback_features.answers import count
from winback_features.engine import memory_of
from winback_features.tables import Tables

ROWS_PER_PART = 6_000_000
"""Orders and events in a part, at most: larger ones save nothing."""

BYTES_PER_ROW = 280
"""What the engine may use for each of them, at least: its arrays, beside the engine, take about as much."""

CONTACTS_PER_PART = 500_000
"""Contacts in a part, at most, where only their own rows are joined."""

BYTES_PER_CONTACT = 3_200
"""What the engine may use for each of them, at least."""

SAMPLE = 20_000
"""Rows, about, that the bounds between the parts are read off."""

Range = tuple[str | None, str | None]
"""The contact ids from the first to before the second; None is no bound."""

WHOLE: Sequence[Range] = ((None, None),)


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
    for ids in pairwise([None, *contact_bounds(tables), None]):
        yield tables.each(partial(between, ids=ids))


def contact_bounds(tables: Tables) -> Sequence[str]:
    """Return the contact ids at which the parts after the first begin, rising; none where one part is enough.

    They are read off a sample: where exactly they lie makes the parts more or less even, and nothing else.
    """
    rows = sum(table.rows_used for table in tables.report.tables if table.name in ("orders", "events"))
    if tables.backend.name != "duckdb":
        return ()
    wanted = -(-rows // min(ROWS_PER_PART, memory_of(tables.backend) // BYTES_PER_ROW))
    if wanted < 2:
        return ()
    return _bounds(tables.orders, count(tables.orders), wanted)


def contact_ranges(contacts: ibis.Table, n: int) -> Sequence[Range]:
    """Return ranges of contact ids that hold about `CONTACTS_PER_PART` each, in order.

    Parameters
    ----------
    contacts : ibis.Table
        With ``contact_id``.
    n : int
        Its rows.
    """
    wanted = -(-n // min(CONTACTS_PER_PART, memory_of(contacts.get_backend()) // BYTES_PER_CONTACT))
    return WHOLE if wanted < 2 else tuple(pairwise([None, *_bounds(contacts, n, wanted), None]))


def between(table: ibis.Table, ids: Range) -> ibis.Table:
    """Keep the contacts of a range."""
    low, high = ids
    if low is not None:
        table = table.filter(table.contact_id >= low)
    return table if high is None else table.filter(table.contact_id < high)


def _bounds(table: ibis.Table, rows: int, wanted: int) -> Sequence[str]:
    """Return the contact ids, read off a sample, at which a table falls into so many parts."""
    share = min(1.0, SAMPLE / max(rows, 1))
    some = table.select("contact_id").sample(share, method="row", seed=0)
    ids = sorted(some.to_pyarrow()["contact_id"].to_pylist())
    places = (len(ids) * number // wanted for number in range(1, wanted))
    return sorted({ids[place] for place in places}) if ids else ()
