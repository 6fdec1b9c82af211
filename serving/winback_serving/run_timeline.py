"""What each contact did lately, day by day: the ticks under the curve of its page."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa

from winback_features.fact_arrays import Facts, Rows
from winback_features.segments import Bools, Ints, changes, pairs, sums

TIMELINE_DAYS = 731
"""Two years: older days stay in the features' counts, and out of every run's file."""

TIMELINE_ORDER = ("contact_id", "day", "kind")
SCHEMA = pa.schema(
    [("contact_id", pa.string()), ("day", pa.date32()), ("kind", pa.string()), ("n", pa.int64())]
)
KINDS = pa.array(["click", "purchase"])


def timeline(facts: Facts, as_of: date) -> pa.Table:
    """Return the days on which contacts bought or clicked in the last two years.

    Parameters
    ----------
    facts : Facts
        Of before ``as_of``.
    as_of : date

    Returns
    -------
    pyarrow.Table
        ``contact_id, day, kind, n``: ``kind`` is ``purchase`` or ``click``, ``n`` (int64) the orders or clicks of that day.
        One row for each of the first three, in `TIMELINE_ORDER`.
    """
    clicks = _days(facts.events, facts.events.personal & facts.events.played("click"))
    bought = _days(facts.orders, facts.orders.bought)
    key, n = (np.concatenate(both) for both in zip(clicks, bought, strict=True))
    kind = np.repeat([0, 1], [len(clicks[0]), len(bought[0])])
    by = np.lexsort((kind, key))
    contact, age = key[by] >> 32, TIMELINE_DAYS - (key[by] & 0xFFFFFFFF)
    day = (np.datetime64(as_of, "D").astype(np.int32) - age).astype(np.int32)
    columns = [
        facts.ids.take(contact),
        pa.array(day).cast(pa.date32()),
        KINDS.take(kind[by]),
        pa.array(n[by]),
    ]
    return pa.table(columns, schema=SCHEMA)


def _days(rows: Rows, mask: Bools) -> tuple[Ints, Ints]:
    """Return a number for each contact and day of the rows of ``mask``, rising with both, and how many rows the day has."""
    lately = mask & (rows.age <= TIMELINE_DAYS)
    key = pairs(rows.rows.contact[lately], TIMELINE_DAYS - rows.age[lately])
    starts = np.flatnonzero(changes(key))
    return key[starts], sums(np.ones(len(key), np.int64), starts)
