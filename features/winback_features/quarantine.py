"""Write down every row that is not used: where it stands, what is wrong with it, and the offending value."""

from __future__ import annotations

import ibis

from winback_features.rules import UNREADABLE_LINE
from winback_features.sources import ROW, RawTable
from winback_features.staging import FAULT, FAULT_TEXT, StagedTable

VALUE_LENGTH = 200
"""Longer values are cut."""


def quarantined(staged: StagedTable, dropped: ibis.Table) -> ibis.Table:
    """Return the quarantine of one table.

    Parameters
    ----------
    staged : StagedTable
    dropped : ibis.Table
        ``ROW`` and ``reason`` of rows that break no rule by themselves but repeat or contradict another row.

    Returns
    -------
    ibis.Table
        The columns of ``Tables.quarantine``.
    """
    blamed = "order_id" if "order_id" in staged.spec.names else "contact_id"
    # One pass over the rows: an engine that is asked for them twice may write them all down first.
    rows = staged.rows.left_join(dropped.select(ROW, dropped_for="reason"), ROW)
    rows = rows.filter(rows[FAULT].notnull() | rows.dropped_for.notnull())
    rules = [(rows[FAULT] == i, rule) for i, rule in enumerate(staged.rules)]
    parts = [
        _entry(
            staged.mapped.raw,
            rows[ROW],
            ibis.coalesce(rows.contact_id, rows[blamed]),
            ibis.cases(*((broken, rule.column) for broken, rule in rules), else_=blamed),
            ibis.cases(*((broken, rule.reason) for broken, rule in rules), else_=rows.dropped_for),
            ibis.ifelse(rows[FAULT].notnull(), rows[FAULT_TEXT], rows[blamed]),
            rows,
        )
    ]
    rejected = staged.mapped.raw.rejected
    if rejected is not None:
        nothing = ibis.null("string")
        parts.append(
            _entry(
                staged.mapped.raw,
                rejected.row_number,
                nothing,
                nothing,
                ibis.literal(UNREADABLE_LINE),
                rejected.value,
                rejected,
            )
        )
    return ibis.union(*parts)


def _entry(
    raw: RawTable,
    row_number: ibis.Value,
    key: ibis.Value,
    column: ibis.Value,
    reason: ibis.Value,
    value: ibis.Value,
    rows: ibis.Table,
) -> ibis.Table:
    return rows.select(
        table=ibis.literal(raw.name),
        row_number=row_number.cast("int64"),
        key=key,
        column=column,
        reason=reason,
        value=value.left(VALUE_LENGTH),
    )
