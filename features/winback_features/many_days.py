"""The features and labels of many days at once.

Training takes them at dozens of label times, and on most shops planning a query costs more than running it. A feature knows
its day only by how long ago things were. So the pasts of several days are laid beside each other, each moved in time to end on
the newest of the days and under contact ids of its own, and one query computes them all. What hangs on the calendar, the
closed days and the season, is put in day by day.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import ibis
import pyarrow as pa

from winback_features.answers import count
from winback_features.build import build_features
from winback_features.order_features import season
from winback_features.purchase_features import closed_days
from winback_features.tables import Tables

FACTS_AT_ONCE = 24_000_000
"""Orders, lines, events and contacts, once for each day, that are laid beside each other at most."""

PREFIX = 5
"""Digits before a contact's id that tell the day."""

FACTS = ("orders", "lines", "events", "contacts")


def features_of_many_days(tables: Tables, days: Sequence[date]) -> Iterator[tuple[date, ibis.Table]]:
    """Give each day and its features, oldest first.

    Parameters
    ----------
    tables : Tables
    days : sequence of date

    Yields
    ------
    day : date
    features : ibis.Table
        Columns as `build_features`; the rows in no order. Only good until the next day is asked for.
    """
    rows = sum(count(getattr(tables, name)) for name in FACTS)
    together = max(1, FACTS_AT_ONCE // max(rows, 1))
    ordered = sorted(set(days))
    for start in range(0, len(ordered), together):
        yield from _together(tables, ordered[start : start + together])


def labels_of_many_days(tables: Tables, days: Sequence[date], horizon_days: int) -> pa.Table:
    """Return who bought in the horizon from each day on: ``label_time, contact_id, days_to_purchase`` as `build_labels`."""
    cuts = {"label_time": list(days), "closed": [day + timedelta(days=horizon_days) for day in days]}
    cut = tables.backend.create_table("label_days", pa.table(cuts), temp=True, overwrite=True)
    orders = tables.orders
    bought = orders.filter(orders.amount.isnull() | (orders.amount > 0)).select(
        "contact_id", "day", "cancelled_on"
    )
    seen = bought.inner_join(cut, [bought.day >= cut.label_time, bought.day < cut.closed])
    stands = (seen.cancelled_on >= seen.closed).fill_null(True)
    first = seen.filter(stands).group_by("label_time", "contact_id").aggregate(day=lambda t: t.day.min())
    waits = first.day.delta(first.label_time, unit="day").cast("int64")
    found = first.select("label_time", "contact_id", days_to_purchase=waits).to_pyarrow()
    tables.backend.drop_table("label_days")
    return found


def _together(tables: Tables, days: Sequence[date]) -> Iterator[tuple[date, ibis.Table]]:
    newest = days[-1]
    beside = _beside_each_other(tables, days)
    query = build_features(replace(beside, closed=()), newest)
    every = tables.backend.create_table("features_beside", query, temp=True, overwrite=True)
    for name in FACTS:
        tables.backend.drop_table(f"{name}_beside")
    for number, day in enumerate(days):
        here = every.filter(every.contact_id.startswith(f"{number:0{PREFIX}d}"))
        columns: dict[str, Any] = season(day)
        if tables.closed:
            excused = closed_days(here.days_since_purchase.cast("int64"), tables.closed, day)
            columns["closed_days_in_silence"] = excused.cast("float64")
        yield day, here.mutate(contact_id=here.contact_id.substr(PREFIX), **columns)
    tables.backend.drop_table("features_beside")


def _beside_each_other(tables: Tables, days: Sequence[date]) -> Tables:
    """Return the facts before each day, moved to end on the newest, under ids that begin with the day's number."""
    clock = pa.table(
        {
            "day_number": [f"{number:0{PREFIX}d}" for number in range(len(days))],
            "cut": list(days),
            "moved": pa.array([(days[-1] - day).days for day in days], pa.int32()),
        }
    )
    clock = tables.backend.create_table("clock", clock, temp=True, overwrite=True)
    laid = {}
    for name in FACTS:
        facts = getattr(tables, name)
        # Who withdrew counts whenever its row is dated, so contact rows are laid beside each other whole.
        joined = (
            facts.cross_join(clock) if name == "contacts" else facts.inner_join(clock, facts.day < clock.cut)
        )
        moments = [column for column, kind in facts.schema().items() if kind.is_date() or kind.is_timestamp()]
        later = joined.moved.as_interval("D")
        moved = joined.mutate(
            contact_id=joined.day_number + joined.contact_id, **{m: joined[m] + later for m in moments}
        )
        beside = moved.select(*facts.columns).cast(facts.schema())
        laid[name] = tables.backend.create_table(f"{name}_beside", beside, temp=True, overwrite=True)
    tables.backend.drop_table("clock")
    return replace(tables, **laid)
