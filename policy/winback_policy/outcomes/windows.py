"""What each contact that entered did in the days after: purchases, answers, and what was sent to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import ibis
from ibis.util import gen_name

from winback_features.facts import purchase_days
from winback_features.tables import Tables
from winback_policy.outcomes.cells import Cell, Metric, measure

METRICS = (
    Metric("bought", "share", "p_purchase"),
    Metric("revenue", "money", "value_at_risk"),
    Metric("unsubscribed"),
    Metric("complained"),
    Metric("redeemed", "about"),
    Metric("opened", "about"),
    Metric("basket", "about"),
)
"""The first one decides; unsubscribes and complaints are the guardrails."""

EVENTS = {
    "unsubscribed": "unsubscribe",
    "complained": "email_complaint",
    "redeemed": "coupon_redeemed",
    "opened": "email_open",
}
"""Metric to the kind of event that makes it true."""

BY_A_PERSON = ("redeemed", "opened")
"""Metrics that an event marked as a machine's does not make true; who leaves through one has left."""

SEGMENTS = ("rfm_segment", "channel", "entry_reason")
"""Known on the day of entry, and the same whatever the arm."""

COUNTS = ("contacted", "sends", "cost")
NEW = "new customers"
NEWCOMERS = "newcomers"
"""Arm and scope of the cells that hold what new customers bought."""


def first_entries(entries: Any) -> Any:
    """Return the first entry of each contact.

    Who comes back, or does not, decides who enters a second time: only the first entry is as random as the arms are.

    Parameters
    ----------
    entries : ibis.Table
        ``contact_id`` and ``entered_at``, and what else there is.
    """
    place = ibis.row_number().over(group_by=entries.contact_id, order_by=entries.entered_at)
    return entries.mutate(place=place).filter(lambda t: t.place == 0).drop("place")


def entered_before(states: Any) -> Any:
    """Return the contacts that had entered before the day of a run.

    Where older runs are gone, its entries, and those of later runs, are not the first of these contacts.

    Parameters
    ----------
    states : ibis.Table
        Of that run: ``contact_id``, ``state`` and ``journeys``.
    """
    return states.filter(states.journeys > (states.state == "flagged").cast("int64")).select("contact_id")


def outcome_cells(
    entries: Any, tables: Tables, end: date, window_days: int, by: Sequence[str] = SEGMENTS
) -> list[Cell]:
    """Sum up what came of each day's entries within a window that has closed.

    Parameters
    ----------
    entries : ibis.Table
        Unique by ``contact_id``: ``entered_at, arm, p_purchase, value_at_risk`` and the columns of ``by``; ``scope`` where they
        are of several experiments. The windows of all of them must have closed by ``end``.
    tables : Tables
        With ``campaign_log`` where there is one.
    end : date
        Facts of that day or later are not looked at.
    window_days : int
        Days from the entry, the day of entry included.
    by : sequence of str
    """
    window = ibis.interval(days=window_days)
    e = entries.mutate(until=(entries.entered_at.cast("timestamp") + window).cast("date"))
    e = _with_purchases(e, tables, end)
    e = _with_events(e, tables)
    e = _with_log(e, tables.campaign_log)
    names = [m.name for m in METRICS] + [m.before for m in METRICS if m.before]
    scope = ["scope"] if "scope" in e.columns else []
    e = e.select("arm", *scope, *names, *COUNTS, *by, cohort=e.entered_at.cast("string"))
    rows = tables.backend.create_table(gen_name("outcome_rows"), e, temp=True)
    return measure(rows, METRICS, by=by, counts=COUNTS)


def later_cells(entries: Any, tables: Tables, end: date, days: int, window_days: int) -> list[Cell]:
    """Sum up who still bought in the ``window_days`` before the day ``days`` after entry, but since it (see `outcome_cells`)."""
    entered = entries.entered_at.cast("timestamp")
    since = (entered + ibis.interval(days=max(days - window_days, 0))).cast("date")
    e = entries.mutate(until=(entered + ibis.interval(days=days)).cast("date"), since=since)
    bought = purchase_days(tables, end).rename(buyer="contact_id")
    inside = [e.contact_id == bought.buyer, bought.day >= e.since, bought.day < e.until]
    active = e.inner_join(bought, inside).select(active_id="contact_id").distinct()
    joined = e.left_join(active, e.contact_id == active.active_id)
    name = active_after(days)
    rows = joined.mutate(
        **{name: joined.active_id.notnull().cast("int64"), "cohort": joined.entered_at.cast("string")}
    )
    return measure(rows, [Metric(name, "share", "p_purchase")])


def active_after(days: int) -> str:
    """Return the name of the metric that says who still bought so long after entry.

    >>> active_after(91)
    'active_after_91_days'
    """
    return f"active_after_{days}_days"


def newcomer_cells(tables: Tables, days: Sequence[date], end: date) -> list[Cell]:
    """Sum up the first baskets of contacts who first bought on these days: what the re-activated are set beside."""
    bought = purchase_days(tables, end)
    first = bought.group_by("contact_id").aggregate(day=bought.day.min())
    first = first.filter(first.day.isin([ibis.literal(day) for day in days]))
    baskets = bought.inner_join(first, ["contact_id", "day"])
    rows = baskets.select(
        cohort=baskets.day.cast("string"),
        scope=ibis.literal(NEWCOMERS),
        arm=ibis.literal(NEW),
        basket=baskets.amount,
    )
    return measure(rows, [Metric("basket", "about")])


def _with_purchases(e: Any, tables: Tables, end: date) -> Any:
    """Add ``bought`` (0 or 1), ``revenue``, and ``basket``: the amount of the first purchase day, null where none is known."""
    bought = purchase_days(tables, end).rename(buyer="contact_id")
    inside = [e.contact_id == bought.buyer, bought.day >= e.entered_at, bought.day < e.until]
    found = e.select("contact_id", "entered_at", "until").inner_join(bought, inside)
    found = found.group_by("contact_id").aggregate(
        revenue=found.amount.sum(), basket=found.amount.argmin(found.day)
    )
    found = found.rename(bought_id="contact_id")
    t = e.left_join(found, e.contact_id == found.bought_id)
    return t.mutate(bought=t.bought_id.notnull().cast("int64"), revenue=t.revenue.fill_null(0)).drop(
        "bought_id"
    )


def _with_events(e: Any, tables: Tables) -> Any:
    """Add 0 or 1 for each of `EVENTS`; null where the shop gave no events."""
    if not tables.has_events:
        return e.mutate(**{name: ibis.null("int64") for name in EVENTS})
    events = tables.events
    of_machine = events.machine & events.kind.isin([EVENTS[name] for name in BY_A_PERSON])
    events = events.filter(events.kind.isin([*EVENTS.values()]) & ~of_machine).rename(eventful="contact_id")
    inside = [e.contact_id == events.eventful, events.day >= e.entered_at, events.day < e.until]
    found = e.select("contact_id", "entered_at", "until").inner_join(events, inside)
    found = found.group_by("contact_id").aggregate(
        **{name: (found.kind == kind).any().cast("int64") for name, kind in EVENTS.items()}
    )
    found = found.rename(event_id="contact_id")
    t = e.left_join(found, e.contact_id == found.event_id)
    return t.mutate(**{name: t[name].fill_null(0) for name in EVENTS}).drop("event_id")


def _with_log(e: Any, log: Any | None) -> Any:
    """Add ``contacted`` (0 or 1), ``sends`` and ``cost``; zero where there is no log."""
    if log is None:
        return e.mutate(**{name: ibis.literal(0) for name in COUNTS})
    log = log.select(sent_id="contact_id", sent_on=log.sent_at.date(), price=log.cost)
    inside = [e.contact_id == log.sent_id, log.sent_on >= e.entered_at, log.sent_on < e.until]
    found = e.select("contact_id", "entered_at", "until").inner_join(log, inside)
    found = found.group_by("contact_id").aggregate(sends=found.count(), cost=found.price.sum())
    found = found.rename(sent_id="contact_id")
    t = e.left_join(found, e.contact_id == found.sent_id)
    return t.mutate(
        contacted=t.sent_id.notnull().cast("int64"), sends=t.sends.fill_null(0), cost=t.cost.fill_null(0)
    ).drop("sent_id")
