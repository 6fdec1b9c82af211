"""What contacts did in the days after they entered: a few of them, counted by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import ibis
import pyarrow as pa

from winback_features.contracts import EVENT_KINDS
from winback_features.reports import IngestReport
from winback_features.tables import (
    CONTACTS_SCHEMA,
    EVENTS_SCHEMA,
    LINES_SCHEMA,
    ORDERS_SCHEMA,
    QUARANTINE_SCHEMA,
    Tables,
)
from winback_policy.outcomes.windows import active_after, later_cells, outcome_cells

ENTRY = date(2024, 5, 1)
END = date(2025, 5, 1)


def after(days: int) -> dict[str, Any]:
    """Return the time of a fact so many days after entry, as every table writes it."""
    day = ENTRY + timedelta(days=days)
    at = datetime.combine(day, time(12))
    return {"contact_id": "c", "day": day, "ordered_at": at, "occurred_at": at, "machine": False}


def order(days: int, amount: int | None) -> dict[str, Any]:
    return after(days) | {"order_id": str(days), "amount": None if amount is None else Decimal(amount)}


def event(days: int, kind: str, **more: Any) -> dict[str, Any]:
    return after(days) | {"kind": kind, "role": EVENT_KINDS[kind].role, **more}


def shop(
    backend: Any, orders: Sequence[Mapping[str, Any]] = (), events: Sequence[Mapping[str, Any]] = ()
) -> Tables:
    def table(schema: ibis.Schema, rows: Sequence[Mapping[str, Any]] = ()) -> Any:
        made = pa.Table.from_pylist(
            [{n: row.get(n) for n in schema.names} for row in rows], schema.to_pyarrow()
        )
        return backend.create_table(ibis.util.gen_name("given"), made, temp=True)

    return Tables(
        backend=backend,
        orders=table(ORDERS_SCHEMA, orders),
        lines=table(LINES_SCHEMA),
        events=table(EVENTS_SCHEMA, events),
        contacts=table(CONTACTS_SCHEMA),
        quarantine=table(QUARANTINE_SCHEMA),
        report=IngestReport(()),
        has_events=True,
        has_contacts=False,
    )


def entered(backend: Any) -> Any:
    row = {
        "contact_id": "c",
        "entered_at": ENTRY,
        "arm": "treatment",
        "p_purchase": 0.2,
        "value_at_risk": 1.0,
    }
    return backend.create_table(ibis.util.gen_name("entered"), pa.Table.from_pylist([row]), temp=True)


def test_a_purchase_of_before_the_entry_is_nothing_that_came_of_it(backend: Any) -> None:
    """A shop with a horizon of a year asks after a quarter: what lies before the entry is not looked at."""

    def active(bought: int, days: int, window: int) -> float:
        tables = shop(backend, [order(bought, 10)])
        (cell,) = later_cells(entered(backend), tables, END, days, window)
        return cell.metrics[active_after(days)].y

    assert [active(bought, 91, 365) for bought in (-200, -1, 0, 90, 91)] == [0, 0, 1, 1, 0]
    assert [active(bought, 91, 30) for bought in (0, 60, 61, 90, 91)] == [0, 0, 1, 1, 0]


def test_what_a_machine_opened_is_not_opened(backend: Any) -> None:
    """A link that a scanner followed to unsubscribe has unsubscribed all the same."""

    def opened(*events: Mapping[str, Any]) -> tuple[float, float]:
        (cell,) = outcome_cells(entered(backend), shop(backend, events=events), END, 30, by=())
        return cell.metrics["opened"].y, cell.metrics["unsubscribed"].y

    assert opened(event(1, "email_open"), event(2, "email_open", machine=True)) == (1, 0)
    assert opened(event(2, "email_open", machine=True), event(2, "unsubscribe", machine=True)) == (0, 1)
