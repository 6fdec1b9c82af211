"""The features and labels of many days at once: the facts are read once, and each day looks at those before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from functools import partial

import ibis
import pyarrow as pa

from winback_features.answers import name_of
from winback_features.build import SCHEMA, features_of
from winback_features.by_contact import compute, together
from winback_features.contact_habits import SCHEMA as HABITS
from winback_features.contact_habits import habits_of
from winback_features.fact_arrays import Facts
from winback_features.tables import Tables

ROWS_AT_ONCE = 500_000
"""Buyers times days in a table, about."""

LABEL_TIME = pa.field("label_time", pa.date32())


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
    yield from _many(tables, days, partial(features_of, closed=tables.closed), SCHEMA)


def habits_of_many_days(tables: Tables, days: Sequence[date]) -> Iterator[ibis.Table]:
    """Give the habits of all days as `features_of_many_days` gives features: ``label_time`` and the columns of the habits."""
    on_day = partial(habits_of, closed=tables.closed, send_hours=tables.send_hours)
    yield from _many(tables, days, on_day, HABITS)


def _many(
    tables: Tables, days: Sequence[date], on_day: Callable[..., pa.Table], schema: pa.Schema
) -> Iterator[ibis.Table]:
    contacts = tables.orders.contact_id.nunique().to_pyarrow().as_py()
    at_once = max(1, ROWS_AT_ONCE // max(contacts, 1))
    ordered = sorted(set(days))
    for start in range(0, len(ordered), at_once):
        some = ordered[start : start + at_once]
        work = partial(_on_days, days=some, on_day=on_day)
        held = compute(tables, some[-1], work, pa.schema([LABEL_TIME, *schema]))
        yield together(held)
        for table in held:
            tables.backend.drop_table(name_of(table))


def _on_days(facts: Facts, days: Sequence[date], on_day: Callable[..., pa.Table]) -> pa.Table:
    """Ask for some days, of facts before the last of them."""

    def one(day: date) -> pa.Table:
        rows = on_day(facts.before((days[-1] - day).days), as_of=day)
        return rows.add_column(0, LABEL_TIME, pa.repeat(pa.scalar(day), rows.num_rows))

    return pa.concat_tables(map(one, days))


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
