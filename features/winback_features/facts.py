"""What counts as a purchase on a given day: the tables on which features and labels stand."""

from __future__ import annotations

from datetime import date

import ibis

from winback_features.expressions import facts_before
from winback_features.tables import MONEY, Tables


def purchase_orders(tables: Tables, before: date) -> ibis.Table:
    """Return the orders that, as known on the morning of ``before``, are purchases.

    Parameters
    ----------
    tables : Tables
    before : datetime.date
        Only facts of earlier days are looked at: an order cancelled on or after this day still stands.

    Returns
    -------
    ibis.Table
        The columns of ``tables.orders``; amount positive or null.
    """
    known = tables.orders.filter(tables.orders.day < ibis.literal(before))
    return known.filter(_bought(known, before))


def purchase_lines(tables: Tables, before: date) -> ibis.Table:
    """Return the lines of the orders that, as known on the morning of ``before``, are purchases.

    Parameters
    ----------
    tables : Tables
    before : datetime.date

    Returns
    -------
    ibis.Table
        The columns of ``tables.lines`` and ``on_last_day`` (bool): whether it is of the contact's last purchase day.
    """
    known = tables.orders.filter(tables.orders.day < ibis.literal(before))
    # Few orders are no purchase: to leave their lines out is much cheaper than to look for those of the others.
    others = known.filter(~_bought(known, before)).select("contact_id", "order_id", "day")
    lines = tables.lines.filter(tables.lines.day < ibis.literal(before))
    lines = lines.anti_join(others, ["contact_id", "order_id", "day"])
    last = lines.group_by("contact_id").aggregate(last_day=lines.day.max())
    lines = lines.inner_join(last, "contact_id")
    return lines.mutate(on_last_day=lines.day == lines.last_day).drop("last_day")


def _bought(orders: ibis.Table, before: date) -> ibis.Value:
    """Say whether an order is a purchase."""
    cancelled = (orders.cancelled_on < ibis.literal(before)).fill_null(False)
    return (orders.amount.isnull() | (orders.amount > 0)) & ~cancelled


def purchase_days(tables: Tables, before: date) -> ibis.Table:
    """Return one row per contact and purchase day before ``before``.

    Parameters
    ----------
    tables : Tables
    before : datetime.date

    Returns
    -------
    ibis.Table
        ``contact_id, day, n_orders`` (int64) and ``amount`` (decimal(18, 4); null when no order that day
        has one).
    """
    orders = purchase_orders(tables, before)
    return orders.group_by("contact_id", "day").aggregate(
        n_orders=orders.count(), amount=orders.amount.sum().cast(MONEY)
    )


def personal_events(tables: Tables, before: date) -> ibis.Table:
    """Return the events before ``before`` that no machine made, with ``age`` in days.

    An incentive is the shop's own doing: its flag says nothing.
    """
    events = facts_before(tables.events, before)
    return events.filter(~events.machine.fill_null(False) | (events.role == "incentive"))
