"""Which categories are bought at a slower rhythm than the rest: first gaps, by what was bought first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import ibis

from winback_features.facts import purchase_days, purchase_orders
from winback_features.kaplan_meier import kaplan_meier
from winback_features.tables import Tables

MIN_GAPS = 100
"""Of a category; with fewer, a median twice as long may be chance."""

SLOWER = 2.0
"""So many times the median of all: below it the contacts' own gaps say enough."""

Lengths = Mapping[str, Mapping[int, int]]
"""Category -> days from the first to the second purchase day -> how many contacts."""


def count_category_gaps(tables: Tables, as_of: date) -> dict[str, dict[int, int]]:
    """Count the gaps from first to second purchase day by the category with most money on the first.

    Parameters
    ----------
    tables : Tables
    as_of : date
        Purchases before it count.

    Returns
    -------
    dict
        Category -> days -> how many; contacts whose first purchase has no category are left out.
    """
    days = purchase_days(tables, as_of)
    in_order = ibis.window(group_by=days.contact_id, order_by=days.day)
    days = days.select(
        "contact_id",
        "day",
        place=ibis.row_number().over(in_order),
        gap=days.day.lead().over(in_order).delta(days.day, unit="day"),
    )
    firsts = days.filter(days.place == 0, days.gap.notnull()).select("contact_id", "day", "gap")
    lines = tables.lines.filter(tables.lines.category.notnull()).inner_join(firsts, ["contact_id", "day"])
    lines = lines.semi_join(purchase_orders(tables, as_of), ["contact_id", "order_id", "day"])
    spent = lines.group_by("contact_id", "gap", "category").aggregate(money=lines.amount.sum())
    by_money = ibis.window(
        group_by=spent.contact_id, order_by=[ibis.desc(spent.money, nulls_first=False), spent.category]
    )
    ranked = spent.mutate(rank=ibis.row_number().over(by_money))
    dearest = ranked.filter(ranked["rank"] == 0)
    counted = dearest.group_by("category", "gap").aggregate(n=dearest.count())
    lengths: dict[str, dict[int, int]] = {}
    for row in counted.order_by(["category", "gap"]).to_pyarrow().to_pylist():
        lengths.setdefault(row["category"], {})[int(row["gap"])] = int(row["n"])
    return lengths


def slow_categories(lengths: Lengths) -> dict[str, int]:
    """Return the median first gap, in days, of each category that is clearly slower than the rest.

    Only gaps that did close are counted, as in the base's own rhythm. What takes eight years shows shorter than it is as long as
    the history is, and never longer.

    Parameters
    ----------
    lengths : mapping
        As :func:`count_category_gaps` counts them.

    Examples
    --------
    >>> slow_categories({"bread": {7: 900, 14: 100}, "beds": {400: 150}, "cots": {500: 20}})
    {'beds': 400}
    """
    usual = _median(_together(lengths))
    medians = {name: _median(some) for name, some in lengths.items() if sum(some.values()) >= MIN_GAPS}
    return {name: days for name, days in sorted(medians.items()) if days >= SLOWER * usual}


def _together(lengths: Lengths) -> dict[int, int]:
    everyone: dict[int, int] = {}
    for some in lengths.values():
        for days, n in some.items():
            everyone[days] = everyone.get(days, 0) + n
    return everyone


def _median(closed: Mapping[int, int]) -> int:
    return kaplan_meier(closed, {}).quantile(0.5) or 0
