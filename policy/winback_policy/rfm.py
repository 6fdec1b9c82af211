"""Recency, frequency and money: quintile scores with ties together, and ten segments on a 5 × 5 grid."""

from __future__ import annotations

from typing import Any

import ibis

SEGMENT_GRID = (
    # F:   1              2                     3                     4           5
    ("hibernating", "hibernating", "at_risk", "at_risk", "cant_lose"),  # R 1
    ("hibernating", "hibernating", "at_risk", "at_risk", "cant_lose"),  # R 2
    ("about_to_sleep", "about_to_sleep", "need_attention", "loyal", "loyal"),  # R 3
    ("promising", "potential_loyalist", "potential_loyalist", "loyal", "loyal"),  # R 4
    ("new", "potential_loyalist", "potential_loyalist", "champion", "champion"),  # R 5
)
"""``SEGMENT_GRID[r - 1][f - 1]``: each cell has exactly one segment."""

SEGMENTS = tuple(dict.fromkeys(name for row in SEGMENT_GRID for name in row))


def quintile(t: Any, worse_first: Any) -> Any:
    """Score 1 to 5 by the share of contacts that are strictly worse, so that equal values score equally.

    Parameters
    ----------
    t : ibis.Table
        The contacts to compare.
    worse_first : ibis sort key
        Such as ``t.spend_total.asc()``.

    Returns
    -------
    ibis int64 column
        ``1 + floor(5 · worse / n)``.
    """
    worse = ibis.rank().over(order_by=worse_first)
    return (1 + (5 * worse) // t.count().over()).cast("int64")


def rfm(t: Any) -> Any:
    """Score the contacts of a table.

    Parameters
    ----------
    t : ibis.Table
        With ``contact_id``, ``days_since_purchase``, ``purchase_days`` and ``spend_total``, one row
        per contact.

    Returns
    -------
    ibis.Table
        ``rfm_of`` (the contact), ``rfm_r``, ``rfm_f``, ``rfm_m`` (int64), ``rfm_code`` such as ``"543"`` and
        ``rfm_segment``. Contacts without a purchase are left out, and count in nobody's quintile.
    """
    buyers = t.filter((t.purchase_days > 0) & t.days_since_purchase.notnull())
    scored = buyers.select(
        rfm_of=buyers.contact_id,
        rfm_r=quintile(buyers, buyers.days_since_purchase.desc()),
        rfm_f=quintile(buyers, buyers.purchase_days.asc()),
        rfm_m=quintile(buyers, buyers.spend_total.fill_null(0).asc()),
    )
    cells = [(r * 10 + f, SEGMENT_GRID[r - 1][f - 1]) for r in range(1, 6) for f in range(1, 6)]
    return scored.mutate(
        rfm_code=scored.rfm_r.cast("string") + scored.rfm_f.cast("string") + scored.rfm_m.cast("string"),
        rfm_segment=(scored.rfm_r * 10 + scored.rfm_f).cases(*cells, else_=None),
    )
