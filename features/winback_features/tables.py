"""The clean tables that ingest hands to features, labels and policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import ibis

from winback_features.answers import names_beneath
from winback_features.config import SEND_HOURS
from winback_features.contracts import CONTACTS
from winback_features.reports import IngestReport

MONEY = "decimal(18, 4)"
"""Type of every amount: sums of it are exact, so their order changes nothing."""

ORDERS_SCHEMA = ibis.schema(
    {
        "contact_id": "string",
        "order_id": "string",
        "ordered_at": "timestamp(6)",
        "day": "date",
        "amount": MONEY,
        "cancelled_on": "date",
        "discount": MONEY,
        "coupon": "boolean",
        "is_gift": "boolean",
    }
)
LINES_SCHEMA = ibis.schema(
    {
        "contact_id": "string",
        "order_id": "string",
        "day": "date",
        "category": "string",
        "product_id": "string",
        "amount": MONEY,
    }
)
EVENTS_SCHEMA = ibis.schema(
    {
        "contact_id": "string",
        "occurred_at": "timestamp(6)",
        "day": "date",
        "kind": "string",
        "channel": "string",
        "role": "string",
        "value": "float64",
        "machine": "boolean",
        "reason": "string",
    }
)
CAMPAIGN_LOG_SCHEMA = ibis.schema(
    {
        "contact_id": "string",
        "sent_at": "timestamp(6)",
        "run_id": "string",
        "step": "string",
        "channel": "string",
        "arm": "string",
        "incentive": "string",
        "cost": MONEY,
    }
)
_CONTACT_TYPES = {"string": "string", "timestamp": "timestamp(6)", "bool": "boolean"}
CONTACTS_SCHEMA = ibis.schema({c.name: _CONTACT_TYPES[c.kind] for c in CONTACTS.columns})
QUARANTINE_SCHEMA = ibis.schema(
    {
        "table": "string",
        "row_number": "int64",
        "key": "string",
        "column": "string",
        "reason": "string",
        "value": "string",
    }
)


@dataclass(frozen=True)
class Tables:
    """The shop's facts after ingest, as tables of the engine; nothing of them is in pandas.

    Attributes
    ----------
    backend : ibis backend
        The engine that holds them.
    orders : ibis.Table
        One row per contact, order and day, its lines summed: ``contact_id, order_id, ordered_at, day, amount,
        cancelled_on, discount, coupon, is_gift``. Times are the brand's, without a zone. ``amount`` is null
        where no line has one; ``cancelled_on`` is the day on which a negative order cancelled this one.
    lines : ibis.Table
        One row per line used: ``contact_id, order_id, day, category, product_id, amount``.
    events : ibis.Table
        ``contact_id, occurred_at, day, kind, channel, role, value, machine, reason``; an unknown kind is
        ``other`` and has the role ``other``, and ``reason`` is null but for survey answers.
    contacts : ibis.Table
        Every contract column, one row per contact; columns the source lacks are null.
    quarantine : ibis.Table
        ``table, row_number, key, column, reason, value``, ordered by table and row number.
    report : IngestReport
    has_events, has_contacts : bool
        Whether the source was configured; the table is there, empty, if not.
    closed : tuple of (first day, day after the last)
        Days on which silence is not inactivity.
    send_hours : (first hour, hour after the last)
        The hours of a day at which a contact may be written to.
    timezone : str
        Of the brand: whose clock the times are of.
    campaign_log : ibis.Table or None
        What was sent: ``contact_id, sent_at, run_id, step, channel, arm, incentive, cost``; None where it was not asked for, or
        not configured.
    """

    backend: Any
    orders: ibis.Table
    lines: ibis.Table
    events: ibis.Table
    contacts: ibis.Table
    quarantine: ibis.Table
    report: IngestReport
    has_events: bool
    has_contacts: bool
    closed: tuple[tuple[date, date], ...] = ()
    send_hours: tuple[int, int] = SEND_HOURS
    timezone: str = "UTC"
    campaign_log: ibis.Table | None = None

    def each(self, change: Callable[[ibis.Table], ibis.Table]) -> Tables:
        """Return the shop with the same change made to all of its facts: orders, lines, events, contacts, and the log if any."""
        log = None if self.campaign_log is None else change(self.campaign_log)
        facts = {name: change(getattr(self, name)) for name in ("orders", "lines", "events", "contacts")}
        return replace(self, campaign_log=log, **facts)

    def release(self, kept: ibis.Table) -> None:
        """Let go what DuckDB holds of the facts, but for what ``kept`` rests upon; they cannot be asked any more.

        Another engine holds its tables in files, and keeps them to the end.
        """
        if self.backend.name != "duckdb":
            return
        facts = (self.orders, self.lines, self.events, self.contacts, self.quarantine, self.campaign_log)
        held = set().union(*(names_beneath(table) for table in facts if table is not None)) - names_beneath(
            kept
        )
        for name in sorted(held & set(self.backend.list_tables())):
            self.backend.drop_table(name)
