"""What each row must satisfy: the reason codes of the quarantine, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import ibis

from winback_features.contracts import TableSpec
from winback_features.mapping import DIGEST
from winback_features.repeats import repeated_digests
from winback_features.sources import ROW
from winback_features.values import EARLIEST

DUPLICATE_LINE = "duplicate_line"
DUPLICATE_CONTACT = "duplicate_contact"
UNREADABLE_LINE = "unreadable_line"


@dataclass(frozen=True)
class Rule:
    """A reason to put a row aside, with the column to blame."""

    reason: str
    column: str
    broken: ibis.Value


def unreadable_flag(name: str) -> str:
    """Name the boolean column that says where a contract column cannot be read."""
    return f"winback_unreadable_{name}"


def row_rules(spec: TableSpec, values: ibis.Table, present: Collection[str], today: date) -> tuple[Rule, ...]:
    """Return the rules of one table; a row goes to quarantine for the first it breaks.

    Parameters
    ----------
    spec : TableSpec
    values : ibis.Table
        Typed contract columns, and an :func:`unreadable_flag` for those that can be unreadable.
    present : collection of str
        The contract columns that the source has.
    today : datetime.date
        The last day on which something can have happened, in the brand's zone.

    Returns
    -------
    tuple of Rule
        ``unreadable_…`` and ``missing_…`` by column in the contract's order, then ``implausible_date`` and
        ``future_date``. The time column is called ``time`` in reason codes.
    """
    rules = []
    for column in spec.columns:
        if column.name not in present:
            continue
        name = "time" if column.name == spec.time_column else column.name
        # Unreadable is asked before missing: what cannot be read has no value either.
        if unreadable_flag(column.name) in values.columns:
            rules.append(Rule(f"unreadable_{name}", column.name, values[unreadable_flag(column.name)]))
        if not column.nullable:
            rules.append(Rule(f"missing_{name}", column.name, values[column.name].isnull()))
    if spec.time_column:
        moment = values[spec.time_column]
        first, after = (datetime.combine(day, time()) for day in (EARLIEST, today + timedelta(days=1)))
        rules.append(Rule("implausible_date", spec.time_column, moment < ibis.literal(first)))
        rules.append(Rule("future_date", spec.time_column, moment >= ibis.literal(after)))
    return tuple(rules)


def repeated_rows(rows: ibis.Table, time_column: str | None) -> ibis.Table:
    """Return the rows that say again, in every column, what an earlier row says.

    Parameters
    ----------
    rows : ibis.Table
        Rows that break no rule, with ``ROW``, ``DIGEST``, ``contact_id`` and the time column.
    time_column : str or None

    Returns
    -------
    ibis.Table
        ``ROW`` and ``timed`` (bool): whether the row has a time of day. Two equal lines at the same second
        are one line twice; two equal lines of the same day may be two orders.
    """
    again = rows.semi_join(repeated_digests(rows), DIGEST)
    # The digest is 64 bits long; contact and time beside it leave no room for an accident.
    same = [again[DIGEST], again.contact_id] + ([again[time_column]] if time_column else [])
    place = ibis.row_number().over(ibis.window(group_by=same, order_by=again[ROW]))
    timed = again[time_column] != again[time_column].truncate("D") if time_column else ibis.literal(True)
    again = again.mutate(place=place, timed=timed)
    return again.filter(again.place > 0).select(ROW, "timed")


def superseded_contacts(rows: ibis.Table) -> ibis.Table:
    """Return the row numbers of contacts that a later row describes differently; the last row counts."""
    last = ibis.window(group_by=rows.contact_id)
    marked = rows.mutate(last=rows[ROW].max().over(last))
    return marked.filter(marked[ROW] < marked["last"]).select(ROW)
