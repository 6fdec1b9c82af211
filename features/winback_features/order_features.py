"""Features of orders: counts, money in trailing windows, returns, shares, categories; the season of the cut."""

from __future__ import annotations

from datetime import date
from math import cos, pi, sin
from typing import TYPE_CHECKING, Any

import ibis

from winback_features.expressions import cut, facts_before, ratio
from winback_features.facts import purchase_lines

if TYPE_CHECKING:
    from winback_features.tables import Tables

SPEND_WINDOWS = (30, 90, 180, 365)
YEAR_DAYS = 365.25


def order_features(tables: Tables, as_of: date) -> ibis.Table:
    """Count a contact's orders, money, returns and shares, for every contact with an order before ``as_of``.

    A negative order either cancelled an order, and then neither counts, or it is a return. Each cancelled
    order has one negative order of the same amount: returns are the negative orders less the cancelled ones.

    Returns
    -------
    ibis.Table
        ``contact_id``, ``orders``, ``zero_orders``, ``returns``, ``spend_*``, ``return_*``,
        ``discount_share``, ``coupon_share``, ``gift_share``.
    """
    orders = facts_before(tables.orders, as_of)
    amount = orders.amount
    cancelled = (orders.cancelled_on < cut(as_of)).fill_null(False)
    bought = (amount > 0).fill_null(True) & ~cancelled
    t = orders.group_by("contact_id").aggregate(
        orders=orders.count(where=bought),
        zero_orders=orders.count(where=amount == 0),
        returns=orders.count(where=amount < 0) - orders.count(where=cancelled),
        returned=amount.sum(where=(amount < 0) | cancelled),
        spend_total=amount.sum(where=bought),
        discount_known=orders.discount.count(where=bought),
        discounts=orders.count(where=bought & (orders.discount > 0)),
        coupon_known=orders.coupon.count(where=bought),
        coupons=orders.count(where=bought & orders.coupon),
        gift_known=orders.is_gift.count(where=bought),
        gifts=orders.count(where=bought & orders.is_gift),
        **{f"spend_{w}d": amount.sum(where=bought & (orders.age <= w)) for w in SPEND_WINDOWS},
    )
    returned = (-t.returned).fill_null(0)
    return t.select(
        "contact_id",
        "orders",
        "zero_orders",
        "returns",
        "spend_total",
        *(f"spend_{w}d" for w in SPEND_WINDOWS),
        return_share=ratio(t.returns, t.orders + t.returns),
        return_amount_share=ratio(returned, t.spend_total.fill_null(0) + returned),
        discount_share=ratio(t.discounts, t.discount_known),
        coupon_share=ratio(t.coupons, t.coupon_known),
        gift_share=ratio(t.gifts, t.gift_known),
    )


def assortment_features(tables: Tables, as_of: date) -> ibis.Table:
    """Count the categories bought, and name the one with most money on the last purchase day.

    Only lines of purchases count, so a cancelled order leaves no category.

    Returns
    -------
    ibis.Table
        ``contact_id``, ``category_breadth``, ``last_category``: contacts with at least one known category.
    """
    lines = purchase_lines(tables, as_of)
    lines = lines.filter(lines.category.notnull())
    on_last = lines.on_last_day
    each = lines.group_by("contact_id", "category").aggregate(
        on_last=on_last.any(), money=lines.amount.sum(where=on_last).fill_null(0)
    )
    by_contact = ibis.window(group_by=each.contact_id)
    each = each.mutate(most=each.money.max(where=each.on_last).over(by_contact))
    return each.group_by("contact_id").aggregate(
        category_breadth=each.count(),
        last_category=each.category.min(where=each.on_last & (each.money == each.most)),
    )


def season_of(day: date) -> tuple[float, float]:
    """Return the sine and cosine of a day's place on the circle of the year."""
    angle = 2.0 * pi * (day.timetuple().tm_yday - 1) / YEAR_DAYS
    return sin(angle), cos(angle)


def season(as_of: date) -> dict[str, Any]:
    """Return the cut's place on the circle of the year: the same two doubles for every contact."""
    # Written as text: DuckDB reads a bare 0.5 as a decimal.
    return {
        name: ibis.literal(repr(number)).cast("float64")
        for name, number in zip(("season_sin", "season_cos"), season_of(as_of), strict=True)
    }
