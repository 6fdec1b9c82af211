"""Purchase days counted for retention: by cohort, by length of gap, by month, by acquisition source.

They are counted where the features are made, some contacts at a time. The counts of all contacts together are a few thousand
rows, which `winback_features.retention` turns into curves and shares.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from winback_features.fact_arrays import Facts
from winback_features.purchase_features import purchase_days
from winback_features.segments import Bools, Ints, changes, pairs, sums

MOST_ORDERS = 10
"""Gaps after a later purchase day than this one are counted together."""

SCHEMA = pa.schema(
    [
        ("figure", pa.string()),
        ("source", pa.string()),
        ("key", pa.int64()),
        ("at", pa.int64()),
        ("n", pa.int64()),
        ("revenue", pa.int64()),
    ]
)
"""The columns of the counts.

============================ ==================================== =============== ===========================
``figure``                   ``key``                              ``at``          ``n``
============================ ==================================== =============== ===========================
``closed_wait``              number of the purchase day before    days            waits that ended
``open_wait``                the wait, at most `MOST_ORDERS` + 1  days watched    waits that go on
``cohort``                   month of the contact's first         month           contacts that bought in it
``new``, ``returning``,      0                                    month           contacts, see
``resurrecting``, ``dormant``                                                     `retention_counts`
============================ ==================================== =============== ===========================

Months are counted from the year 0 (`month_number`). ``source`` is the acquisition source, null where unknown, told of the waits
for the second purchase day alone. ``revenue`` is told of cohorts, in ten-thousandths.
"""

KEYS = ("figure", "source", "key", "at")


def month_number(day: npt.NDArray[np.datetime64] | date) -> Ints:
    """Count the months since the year 0, so that months can be subtracted.

    >>> int(month_number(date(2026, 1, 31)))
    24312
    """
    months: Ints = np.asarray(day, "datetime64[M]").astype(np.int64) + 1970 * 12
    return months


def retention_counts(facts: Facts, as_of: date, horizon_days: int) -> pa.Table:
    """Count the purchase days of some contacts.

    A contact is dormant once ``horizon_days`` whole days have passed without a purchase: it falls dormant on the last of them.
    It is ``returning`` in a month whose first purchase came at most ``horizon_days`` after the one before, ``resurrecting`` in
    a month with a purchase that came later than that.

    Parameters
    ----------
    facts : Facts
        Of before ``as_of``.
    as_of : date
    horizon_days : int
        Days without a purchase after which a contact is dormant.

    Returns
    -------
    pyarrow.Table
        `SCHEMA`, each key once; what there is none of has no row.
    """
    # By contact, the newest first: the row above is the next purchase day, the row below the one before.
    days, age, spend, _ = purchase_days(facts.orders)
    age, who = age.astype(np.int64), days.contact
    number = days.count()[who] - days.ordinal()
    newest, oldest = days.ordinal() == 0, number == 1
    # The day itself is not watched, so an open wait is one day shorter than the silence.
    wait = np.where(newest, age - 1, age - np.append(0, age[:-1]))
    gap = np.append(age[1:], 0) - age
    month, before = _month(as_of, age), _month(as_of, np.append(age[1:], 0))
    first_in_month = oldest | (before < month)
    slow = ~oldest & (gap > horizon_days)
    silent = (wait > horizon_days) | (newest & (wait == horizon_days))
    code, sources = _sources(facts)
    tables = []
    for figure, of in (("closed_wait", ~newest), ("open_wait", newest)):
        first, later = of & oldest, of & ~oldest
        tables.append(_counted(figure, code[who[first]], wait[first], sources=sources))
        tables.append(_counted(figure, np.minimum(number[later], MOST_ORDERS + 1), wait[later]))
    cohort = month[(days.stop - 1)[who]]
    tables.append(_counted("cohort", cohort, month, first_in_month, spend))
    monthly = {
        "new": month[oldest],
        "returning": month[first_in_month & ~oldest & ~slow],
        "resurrecting": month[slow],
        "dormant": _month(as_of, age[silent] - horizon_days),
    }
    tables += [_counted(figure, np.zeros(len(at), np.int64), at) for figure, at in monthly.items()]
    return pa.concat_tables(tables)


def added(counts: pa.Table) -> pa.Table:
    """Add up the counts of some contacts and those of others; each key once."""
    summed = counts.group_by(list(KEYS)).aggregate([("n", "sum"), ("revenue", "sum")])
    return summed.rename_columns(SCHEMA.names).sort_by([(key, "ascending") for key in KEYS])


def _month(as_of: date, age: Ints) -> Ints:
    """Return the month of the day that lies so many days before ``as_of``."""
    return month_number(np.datetime64(as_of, "D") - age.astype("timedelta64[D]"))


def _sources(facts: Facts) -> tuple[Ints, pa.Array]:
    """Return the place of each contact's acquisition source among all of them, which are the second; the first is null."""
    told = pc.and_(pa.array(facts.existing), pc.not_equal(facts.source, ""))
    named = pc.if_else(told, facts.source, None).dictionary_encode()
    places: Ints = named.indices.fill_null(-1).to_numpy().astype(np.int64) + 1
    return places, pa.concat_arrays([pa.nulls(1, pa.string()), named.dictionary])


def _counted(
    figure: str,
    key: Ints,
    at: Ints,
    counts: Bools | None = None,
    money: Ints | None = None,
    sources: pa.Array | None = None,
) -> pa.Table:
    """Count rows by ``key`` and ``at``: those of ``counts``, and sum their money; a key may be the place of a source instead."""
    paired = pairs(key, at)
    by = np.argsort(paired)
    starts = np.flatnonzero(changes(paired[by]))
    ones = np.ones(len(by), np.int64) if counts is None else counts.astype(np.int64)
    found = paired[by][starts]
    n, revenue = (sums(of[by], starts) for of in (ones, ones * 0 if money is None else money))
    rows = len(found)
    key = found >> 32
    named = pa.nulls(rows, pa.string()) if sources is None else sources.take(pa.array(key))
    columns = [np.full(rows, figure), named, key if sources is None else np.ones(rows, np.int64)]
    return pa.table([*columns, found & 0xFFFFFFFF, n, revenue], schema=SCHEMA)
