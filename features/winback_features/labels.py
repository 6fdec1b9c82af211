"""Labels: who bought within the horizon, and on which day of it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import ibis

from winback_features.expressions import cut
from winback_features.facts import purchase_orders

if TYPE_CHECKING:
    from winback_features.tables import Tables


def build_labels(tables: Tables, as_of: date, horizon_days: int) -> ibis.Table:
    """Find the first purchase day of every contact in [``as_of``, ``as_of`` + ``horizon_days``).

    Parameters
    ----------
    tables : Tables
    as_of : date
        The label time.
    horizon_days : int
        Positive.

    Returns
    -------
    ibis.Table
        ``contact_id`` and ``days_to_purchase`` (int64, 0 on ``as_of`` itself), only contacts that bought,
        ordered by contact. Orders are netted with the facts known at the window's end and none later, so
        a label never changes once its window has closed.

    Raises
    ------
    ValueError
        When ``horizon_days`` is not positive.
    """
    if horizon_days <= 0:
        message = f"horizon_days must be positive, not {horizon_days}"
        raise ValueError(message)
    orders = purchase_orders(tables, as_of + timedelta(days=horizon_days))
    orders = orders.filter(orders.day >= cut(as_of))
    first = orders.group_by("contact_id").aggregate(day=orders.day.min())
    days = first.day.delta(cut(as_of), unit="day").cast("int64")
    return first.select("contact_id", days_to_purchase=days).order_by("contact_id")
