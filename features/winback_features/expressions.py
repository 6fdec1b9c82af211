"""Small Ibis helpers shared by the feature modules: days before the cut, joins by contact."""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis


def cut(as_of: date) -> Any:
    """Return ``as_of`` as an Ibis date: the first instant that features may not see."""
    return ibis.literal(as_of, type="date")


def facts_before(table: ibis.Table, as_of: date) -> ibis.Table:
    """Keep the rows of days strictly before ``as_of`` and add ``age``.

    Parameters
    ----------
    table : ibis.Table
        With a column ``day`` (date).
    as_of : date

    Returns
    -------
    ibis.Table
        The same columns and ``age``, the whole days from the fact's day to ``as_of``: at least 1. A window of
        ``w`` days is ``age <= w``, and every interval is a difference of integers.
    """
    past = table.filter(table.day < cut(as_of))
    return past.mutate(age=cut(as_of).delta(past.day, unit="day"))


def join_contacts(contacts: ibis.Table, *facts: ibis.Table) -> ibis.Table:
    """Left-join tables to ``contacts`` on ``contact_id``, in one join, so that engines plan it once.

    Parameters
    ----------
    contacts : ibis.Table
        The rows of the result.
    *facts : ibis.Table
        Each with at most one row per ``contact_id``, and column names of its own.

    Returns
    -------
    ibis.Table
        The columns of all, ``contact_id`` once.
    """
    joined, keys = contacts, []
    for number, table in enumerate(facts):
        keys.append(f"contact_id_{number}")
        table = table.rename({keys[-1]: "contact_id"})
        joined = joined.left_join(table, contacts.contact_id == table[keys[-1]])
    return joined.drop(*keys)
