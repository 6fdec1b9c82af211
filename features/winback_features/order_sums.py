"""Sum the lines of each order. In most shops most orders have one line: there is nothing to sum, and no group is made."""

from __future__ import annotations

import ibis

from winback_features.answers import count
from winback_features.functions import digest
from winback_features.mapping import DIGEST
from winback_features.netting import KEYS
from winback_features.repeats import repeated_digests
from winback_features.tables import MONEY

MOST_SHARED = 0.25
"""Orders of several lines for each line, from which on it is quicker to make a group for every order."""


def orders_of(lines: ibis.Table) -> ibis.Table:
    """Sum lines to one row per contact, order and day. An amount is null only if every line's is.

    Parameters
    ----------
    lines : ibis.Table
        From `winback_features.clean.order_lines`.

    Returns
    -------
    ibis.Table
        ``contact_id, order_id, day, ordered_at, amount, discount, coupon, is_gift``; the rows in no order.
    """
    if lines.get_backend().name != "duckdb":
        return _summed(lines)
    marked = lines.mutate(digest(ibis.struct({key: lines[key] for key in KEYS})).name(DIGEST))
    shared = repeated_digests(marked)
    if count(shared) > MOST_SHARED * count(lines):
        return _summed(lines)
    # Two orders with one digest are still two groups.
    return _alone(marked.anti_join(shared, DIGEST)).union(_summed(marked.semi_join(shared, DIGEST)))


def _alone(lines: ibis.Table) -> ibis.Table:
    """Return lines that are the only one of their order as `_summed` does."""
    money = {name: lines[name].cast(MONEY) for name in ("amount", "discount")}
    return lines.select(*KEYS, "ordered_at", **money, coupon=lines.coupon, is_gift=lines.is_gift)


def _summed(lines: ibis.Table) -> ibis.Table:
    return lines.group_by(*KEYS).aggregate(
        ordered_at=lines.ordered_at.min(),
        amount=lines.amount.sum().cast(MONEY),
        discount=lines.discount.sum().cast(MONEY),
        coupon=lines.coupon.any(),
        is_gift=lines.is_gift.any(),
    )
