"""Match cancellations to the orders they cancel, like closing brackets to opening ones.

A negative order cancels the contact's most recent earlier order of the same absolute amount that is not
yet cancelled, if at most ``cancellation_days`` lie between; otherwise it is a return, and the purchase
stands.

The match is written with window functions. Within a contact and an absolute amount, order the rows by
time and let ``s`` be the running sum of +1 for an order and −1 for a negative order; the nesting level is
``s − min(0, min s so far)``. The order that reached level L is closed by the next row of its group which
either reaches L again from below or leaves L downwards, if that row is a negative one. A row's match
depends on no later row than its own, so facts from tomorrow on never change what was matched up to today.
"""

from __future__ import annotations

import ibis

KEYS = ("contact_id", "order_id", "day")
GROUP = ("contact_id", "size")
TIME = ("ordered_at", "negative", "order_id")


def cancellations(orders: ibis.Table, cancellation_days: int) -> ibis.Table:
    """Find the orders that were cancelled.

    Parameters
    ----------
    orders : ibis.Table
        One row per ``contact_id, order_id, day``, with ``ordered_at`` and ``amount``.
    cancellation_days : int
        Most days between an order and its cancellation.

    Returns
    -------
    ibis.Table
        `KEYS` of each cancelled order, and ``cancelled_on`` (date).
    """
    money = orders.filter(orders.amount != 0).mutate(size=orders.amount.abs(), negative=orders.amount < 0)
    # Most groups hold no negative order: leave them out of the sorting.
    negatives = orders.filter(orders.amount < 0).select("contact_id", size=-orders.amount).distinct()
    rows = money.semi_join(negatives, ["contact_id", "size"]).select(*KEYS, "ordered_at", "size", "negative")

    step = ibis.ifelse(rows.negative, -1, 1)
    rows = rows.mutate(balance=step.sum().over(ibis.cumulative_window(group_by=GROUP, order_by=TIME)))
    lowest = rows.balance.min().over(ibis.cumulative_window(group_by=GROUP, order_by=TIME))
    rows = rows.mutate(level=rows.balance - ibis.least(lowest, 0))
    # A negative order is known by the level it leaves; at 0 it closes nothing, and no order has level 0.
    left = rows.level.lag().over(ibis.window(group_by=GROUP, order_by=TIME)).fill_null(0)
    rows = rows.mutate(bracket=ibis.ifelse(rows.negative, left, rows.level))
    partners = ibis.window(group_by=(*GROUP, "bracket"), order_by=TIME)
    rows = rows.mutate(
        next_day=rows.day.lead().over(partners), next_negative=rows.negative.lead().over(partners)
    )
    return rows.filter(
        ~rows.negative
        & rows.next_negative.fill_null(False)
        & (rows.next_day.delta(rows.day, unit="day") <= cancellation_days)
    ).select(*KEYS, cancelled_on="next_day")


def with_cancellations(orders: ibis.Table, cancelled: ibis.Table) -> ibis.Table:
    """Add ``cancelled_on`` to orders (date, null where the order stands).

    Parameters
    ----------
    orders : ibis.Table
        As in `cancellations`.
    cancelled : ibis.Table
        What that returned.
    """
    joined = orders.left_join(cancelled, list(KEYS))
    return joined.select(*orders.columns, "cancelled_on")
