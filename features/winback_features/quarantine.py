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
    rows, rules = staged.rows, staged.rules
    key = ibis.coalesce(rows.contact_id, rows.order_id) if "order_id" in rows.columns else rows.contact_id
    rows = rows.mutate(key=key)
    faulty = rows.filter(rows[FAULT].notnull())
    parts = [
        _entry(
            staged.mapped.raw,
            faulty[ROW],
            faulty.key,
            ibis.cases(*((faulty[FAULT] == i, rule.column) for i, rule in enumerate(rules))),
            ibis.cases(*((faulty[FAULT] == i, rule.reason) for i, rule in enumerate(rules))),
            faulty[FAULT_TEXT],
            faulty,
        )
    ]
    repeats = rows.inner_join(dropped.rename(dropped_for="reason"), ROW)  # events have a reason of their own
    blamed = "order_id" if "order_id" in staged.spec.names else "contact_id"
    parts.append(
        _entry(
            staged.mapped.raw,
            repeats[ROW],
            repeats.key,
            ibis.literal(blamed),
            repeats.dropped_for,
            repeats[blamed],
            repeats,
        )
    )
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
