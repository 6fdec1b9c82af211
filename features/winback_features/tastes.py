"""What a contact bought last and buys most: for the words of a message, not for a score."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import ibis

from winback_features.facts import purchase_lines

if TYPE_CHECKING:
    from winback_features.tables import Tables

TASTES = ("last_product", "top_interest")
"""The columns of `tastes`."""


def tastes(tables: Tables, as_of: date) -> ibis.Table:
    """Name the product with most money on the last purchase day, and the category bought on most days.

    Only lines of purchases count, so a cancelled order leaves no taste. Of equals the first by name counts; of categories
    bought on equally many days, the one with most money.

    Returns
    -------
    ibis.Table
        ``contact_id``, ``last_product``, ``top_interest``; null where no product, or no category, is known.
    """
    lines = purchase_lines(tables, as_of)

    on_last = lines.filter(lines.on_last_day & lines.product_id.notnull())
    products = on_last.group_by("contact_id", "product_id").aggregate(money=_money(on_last))
    products = _first(products, [products.money.desc(), products.product_id.asc()])
    products = products.select("contact_id", last_product="product_id")

    known = lines.filter(lines.category.notnull())
    by_day = known.group_by("contact_id", "category", "day").aggregate(money=_money(known))
    categories = by_day.group_by("contact_id", "category").aggregate(
        days=by_day.count(), money=by_day.money.sum()
    )
    keys = [categories.days.desc(), categories.money.desc(), categories.category.asc()]
    interests = _first(categories, keys).select(liker="contact_id", top_interest="category")

    t = products.outer_join(interests, products.contact_id == interests.liker)
    return t.select(*TASTES, contact_id=ibis.coalesce(t.contact_id, t.liker))


def _money(lines: Any) -> Any:
    """Return the exact sum of the known amounts."""
    return lines.amount.sum().fill_null(0)


def _first(t: ibis.Table, keys: list[Any]) -> ibis.Table:
    """Keep each contact's first row by the keys."""
    place = ibis.row_number().over(ibis.window(group_by=t.contact_id, order_by=keys))
    return t.mutate(place=place).filter(ibis._.place == 0)
