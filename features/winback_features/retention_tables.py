"""Purchase days counted for retention: by cohort, by length of gap, by month, by acquisition source.

Everything rests on `purchase_steps`, one row per contact and purchase day. The other functions sum it to a few
rows, which `winback_features.retention` turns into curves and shares.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import ibis

from winback_features.contact_features import contacts_before
from winback_features.expressions import cut
from winback_features.facts import purchase_days

if TYPE_CHECKING:
    from winback_features.tables import Tables

MOST_ORDERS = 10
"""Gaps after a later purchase day than this one are counted together."""


def month_number(day: Any) -> Any:
    """Count the months since the year 0, so that months can be subtracted; works for dates and date columns.

    >>> month_number(ibis.literal(date(2026, 1, 31))).to_pyarrow().as_py()
    24312
    """
    return (day.year() * 12 + day.month() - 1).cast("int32")


def purchase_steps(tables: Tables, as_of: date) -> ibis.Table:
    """Give every purchase day before ``as_of`` its place among those of its contact.

    Returns
    -------
    ibis.Table
        ``contact_id``, ``day``, ``amount`` (decimal, null when unknown), ``number`` (1 is the first), ``month`` (see
        `month_number`), ``cohort`` (the month of the contact's first), ``first_in_month``, ``gap`` (days since the
        one before, null of the first), ``closed`` (whether another follows) and ``wait``: days to the next, or, where
        none follows, the whole days watched since, 0 or more.
    """
    days = purchase_days(tables, as_of).mutate(month=lambda t: month_number(t.day))
    own = ibis.window(group_by=days.contact_id, order_by=days.day)
    so_far = ibis.window(group_by=days.contact_id, order_by=days.day, preceding=None, following=0)
    previous, following = days.day.lag().over(own), days.day.lead().over(own)
    # The day of as_of itself is not watched, so an open wait is one day shorter than the silence.
    open_wait = cut(as_of).delta(days.day, unit="day") - 1
    return days.select(
        "contact_id",
        "day",
        "amount",
        "month",
        number=(ibis.row_number().over(own) + 1).cast("int32"),
        cohort=days.month.first().over(so_far),
        first_in_month=(days.month.lag().over(own) < days.month).fill_null(True),
        gap=days.day.delta(previous, unit="day").cast("int32"),
        closed=following.notnull(),
        wait=following.delta(days.day, unit="day").fill_null(open_wait).cast("int32"),
    )


def cohorts(steps: ibis.Table) -> ibis.Table:
    """Count who of each month's new buyers bought in which later month.

    Parameters
    ----------
    steps : ibis.Table
        From `purchase_steps`.

    Returns
    -------
    ibis.Table
        ``cohort`` (month of the first purchase), ``month`` (of the activity), ``active`` (contacts that bought in it) and
        ``revenue`` (of those purchases; null when no amount is known). Months in which nobody of a cohort bought
        have no row.
    """
    keys = ("cohort", "month")
    summed = steps.group_by(*keys).aggregate(
        active=steps.count(where=steps.first_in_month), revenue=steps.amount.sum()
    )
    return summed.order_by(*keys)


def waits(steps: ibis.Table) -> ibis.Table:
    """Count the gaps between purchase days by their length, closed and open ones apart.

    Returns
    -------
    ibis.Table
        ``number`` (of the purchase day before the gap, at most `MOST_ORDERS` + 1), ``wait`` (days), ``closed``,
        ``n``.
    """
    t = steps.select("wait", "closed", number=ibis.least(steps.number, MOST_ORDERS + 1))
    keys = ("number", "wait", "closed")
    return t.group_by(*keys).aggregate(n=t.count()).order_by(*keys)


def first_waits_by_source(steps: ibis.Table, tables: Tables, as_of: date) -> ibis.Table:
    """Count the waits for the second purchase day by acquisition source.

    Returns
    -------
    ibis.Table
        ``source`` (null when unknown), ``wait``, ``closed``, ``n``.
    """
    contacts = contacts_before(tables, as_of)
    known = contacts.select("contact_id", source=contacts.acquisition_source.nullif(""))
    first = steps.filter(steps.number == 1).select("contact_id", "wait", "closed")
    t = first.left_join(known, "contact_id")
    keys = ("source", "wait", "closed")
    return t.group_by(*keys).aggregate(n=t.count()).order_by(*keys)


def spells(steps: ibis.Table, horizon_days: int) -> ibis.Table:
    """Count by month who came, stayed, came back and fell silent.

    A contact is dormant once ``horizon_days`` whole days have passed without a purchase: it falls dormant on the
    last of them.

    Returns
    -------
    ibis.Table
        ``month`` and, in contacts, ``new`` (first purchase), ``returning`` (the first purchase of the month came at
        most ``horizon_days`` after the one before), ``resurrecting`` (a purchase came later than that) and
        ``dormant`` (fell dormant in it). Months in which nothing happened have no row.
    """
    bought = steps.group_by("month").aggregate(
        new=steps.count(where=steps.number == 1),
        returning=steps.count(where=steps.first_in_month & (steps.gap <= horizon_days)),
        resurrecting=steps.count(where=steps.gap > horizon_days),
        dormant=ibis.literal(0, type="int64"),
    )
    silent = steps.filter((steps.wait > horizon_days) | (~steps.closed & (steps.wait == horizon_days)))
    last_day = (silent.day + ibis.interval(days=horizon_days)).cast("date")
    none = ibis.literal(0, type="int64")
    fell = silent.group_by(month=month_number(last_day)).aggregate(
        new=none, returning=none, resurrecting=none, dormant=silent.count()
    )
    t = ibis.union(bought, fell, distinct=False)
    columns = ("new", "returning", "resurrecting", "dormant")
    return t.group_by("month").aggregate(**{c: t[c].sum().cast("int64") for c in columns}).order_by("month")
