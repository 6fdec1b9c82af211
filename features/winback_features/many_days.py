"""The features and labels of many days at once.

Training takes them at dozens of label times, and on small shops planning a query costs more than running it. A feature knows
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
from winback_features.order_features import season_of
from winback_features.purchase_features import closed_days
from winback_features.tables import Tables

FACTS_AT_ONCE = 24_000_000
"""Orders, lines, events and contacts, once for each day, that are laid beside each other at most."""

PREFIX = 5
"""Digits before a contact's id that tell the day."""

FACTS = ("orders", "lines", "events", "contacts")


def features_of_many_days(tables: Tables, days: Sequence[date]) -> Iterator[ibis.Table]:
    """Give the features of all days, those of several days in one table.

    Parameters
    ----------
    tables : Tables
    days : sequence of date

    Yields
    ------
    ibis.Table
        ``label_time`` (date) and the columns of `build_features`; the rows in no order. The older days come first. Only good
        until the next table is asked for.
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


def _together(tables: Tables, days: Sequence[date]) -> Iterator[ibis.Table]:
    backend, beside = tables.backend, _beside_each_other(tables, days)
    query = build_features(replace(beside, closed=()), days[-1])
    every = backend.create_table("features_beside", query, temp=True, overwrite=True)
    seasons = [season_of(day) for day in days]
    calendar = {
        "day_number": [_number(i) for i in range(len(days))],
        "label_time": list(days),
        "season_sin": [sine for sine, _ in seasons],
        "season_cos": [cosine for _, cosine in seasons],
    }
    calendar = backend.create_table("calendar", pa.table(calendar), temp=True, overwrite=True)
    t = every.drop("season_sin", "season_cos")
    t = t.inner_join(calendar, t.contact_id.substr(0, PREFIX) == calendar.day_number)
    columns: dict[str, Any] = {"contact_id": t.contact_id.substr(PREFIX)}
    if tables.closed:
        silence = t.days_since_purchase.cast("int64")
        excused = (
            (t.label_time == ibis.literal(day), closed_days(silence, tables.closed, day)) for day in days
        )
        columns["closed_days_in_silence"] = ibis.cases(*excused).cast("float64")
    yield t.mutate(**columns).select("label_time", *every.columns)
    for name in ("features_beside", "calendar", *(f"{facts}_beside" for facts in FACTS)):
        backend.drop_table(name)


def _number(day: int) -> str:
    return f"{day:0{PREFIX}d}"


def _beside_each_other(tables: Tables, days: Sequence[date]) -> Tables:
    """Return the facts before each day, moved to end on the newest, under ids that begin with the day's number."""
    clock = pa.table(
        {
            "day_number": [_number(i) for i in range(len(days))],
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
