"""What counts as a purchase on a given day: the tables on which features and labels stand."""

from __future__ import annotations

from datetime import date

import ibis

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
