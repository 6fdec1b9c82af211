"""What each contact did lately, day by day: the ticks under the curve of its page."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import ibis

from winback_features.facts import personal_events, purchase_days
from winback_features.tables import Tables

TIMELINE_DAYS = 731
"""Two years: older days stay in the features' counts, and out of every run's file."""

TIMELINE_ORDER = ("contact_id", "day", "kind")


def timeline(tables: Tables, as_of: date) -> Any:
    """Return the days on which contacts bought or clicked in the last two years.

    Parameters
    ----------
    tables : Tables
    as_of : date
        Only facts strictly before it.

    Returns
    -------
    ibis.Table
        ``contact_id, day, kind, n``: ``kind`` is ``purchase`` or ``click``, ``n`` (int64) the orders or clicks of that day.
        One row for each of the first three; write it in `TIMELINE_ORDER`.
    """
    since = ibis.literal(as_of - timedelta(days=TIMELINE_DAYS))
    bought = purchase_days(tables, as_of)
    bought = bought.filter(bought.day >= since)
    clicked = personal_events(tables, as_of)
    clicked = clicked.filter((clicked.role == "click") & (clicked.day >= since))
    clicks = clicked.group_by("contact_id", "day").aggregate(n=clicked.count())
    return ibis.union(
        bought.select("contact_id", "day", kind=ibis.literal("purchase"), n="n_orders"),
        clicks.select("contact_id", "day", kind=ibis.literal("click"), n="n"),
    )
