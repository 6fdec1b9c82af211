"""Features of orders and their lines: counts, money in trailing windows, returns, shares, categories."""

from __future__ import annotations

from datetime import date
from math import cos, pi, sin

import numpy as np

from winback_features.fact_arrays import MONEY_UNITS, Lines, Orders
from winback_features.segments import Floats, Ints, Segments, changes, known, pairs, ratio, sums

SPEND_WINDOWS = (30, 90, 180, 365)
YEAR_DAYS = 365.25


def order_features(orders: Orders) -> dict[str, Floats | Ints]:
    """Count a contact's orders, money, returns and shares; arrays of shape (contacts,).

    A negative order either cancelled an order, and then neither counts, or it is a return. Each cancelled
    order has one negative order of the same amount: returns are the negative orders less the cancelled ones.
    """
    rows, amount, bought = orders.rows, orders.amount, orders.bought
    counted, negative = rows.count(bought), orders.priced & (amount < 0)
    returns = rows.count(negative) - rows.count(orders.cancelled)
    returned = -rows.total(np.where(negative | orders.cancelled, amount, 0))
    spent = np.where(bought, amount, 0)
    total = rows.total(spent)
    found: dict[str, Floats | Ints] = {
        "orders": counted,
        "zero_orders": rows.count(orders.priced & (amount == 0)),
        "returns": returns,
        "spend_total": known(total / MONEY_UNITS, rows.count(bought & orders.priced) > 0),
        "return_share": ratio(returns, counted + returns),
        "return_amount_share": ratio(returned / MONEY_UNITS, (total + returned) / MONEY_UNITS),
        "discount_share": ratio(
            rows.count(bought & orders.discounted), rows.count(bought & orders.discount_known)
        ),
        "coupon_share": ratio(rows.count(bought & orders.coupon), rows.count(bought & orders.coupon_known)),
        "gift_share": ratio(rows.count(bought & orders.gift), rows.count(bought & orders.gift_known)),
    }
    for w in SPEND_WINDOWS:
        found[f"spend_{w}d"] = rows.total(np.where(orders.age <= w, spent, 0)) / MONEY_UNITS
    return found


def category_breadth(lines: Lines) -> Ints:
    """Count the categories bought; shape (contacts,)."""
    told = lines.category >= 0
    bought = np.sort(pairs(lines.rows.contact[told], lines.category[told]))
    return np.bincount(bought[changes(bought)] >> 32, minlength=lines.rows.n)


def dearest(lines: Lines, item: Ints) -> Floats:
    """Return the item with most money in each contact's lines, the first of equals; shape (contacts,), NaN where none is known.

    Parameters
    ----------
    lines : Lines
    item : ndarray of int
        Of every line; -1 where unknown.
    """
    told = item >= 0
    key = pairs(lines.rows.contact[told], item[told])
    by = np.argsort(key)
    key, starts = key[by], np.flatnonzero(changes(key[by]))
    contact, item = key[starts] >> 32, key[starts] & 0xFFFFFFFF
    money = sums(lines.amount[told][by], starts)
    best = np.lexsort((item, -money, contact))
    return Segments(contact[best], lines.rows.n).first(item[best])


def season_of(day: date) -> tuple[float, float]:
    """Return the sine and cosine of a day's place on the circle of the year."""
    angle = 2.0 * pi * (day.timetuple().tm_yday - 1) / YEAR_DAYS
    return sin(angle), cos(angle)
