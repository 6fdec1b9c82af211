"""Who is known before the cut, since when, and from where; and whom we may not score at all."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import ibis

from winback_features.expressions import cut, facts_before, join_contacts

if TYPE_CHECKING:
    from winback_features.tables import Tables


def contacts_before(tables: Tables, as_of: date) -> ibis.Table:
    """Keep the contact rows that existed before ``as_of``: created before it, or at an unknown time."""
    contacts = tables.contacts
    return contacts.filter(contacts.created_at.isnull() | (contacts.created_at.date() < cut(as_of)))


def known_contacts(tables: Tables, as_of: date) -> ibis.Table:
    """List every contact with an order, an event or a contact row before ``as_of``.

    Returns
    -------
    ibis.Table
        ``contact_id`` and ``tenure_days``: days since the first thing known of it, null when its contact row
        carries no date and nothing else is known.
    """
    orders = facts_before(tables.orders, as_of).select("contact_id", "age")
    events = facts_before(tables.events, as_of).select("contact_id", "age")
    contacts = contacts_before(tables, as_of)
    contacts = contacts.select("contact_id", age=cut(as_of).delta(contacts.created_at.date(), unit="day"))
    seen = ibis.union(orders, events, contacts, distinct=False)
    return seen.group_by("contact_id").aggregate(tenure_days=seen.age.max())


def withdrawn_contacts(tables: Tables, as_of: date) -> ibis.Table:
    """Find who was erased, or objected to profiling, before ``as_of``; neither is scored.

    Returns
    -------
    ibis.Table
        ``contact_id``, ``erased``, ``objected_profiling`` (booleans, at least one true).
    """
    c = tables.contacts
    erased = (c.erased_at.date() < cut(as_of)).fill_null(False)
    objected = (c.objected_profiling_at.date() < cut(as_of)).fill_null(False)
    marked = c.select("contact_id", erased=erased, objected_profiling=objected)
    return marked.filter(marked.erased | marked.objected_profiling)


def contact_features(tables: Tables, as_of: date) -> ibis.Table:
    """Build tenure and acquisition source of every contact that may be scored.

    Returns
    -------
    ibis.Table
        ``contact_id``, ``tenure_days``, ``acquisition_source``: one row per contact known before ``as_of``
        and neither erased nor opposed to profiling by then.
    """
    known = known_contacts(tables, as_of)
    known = known.anti_join(withdrawn_contacts(tables, as_of), "contact_id")
    return join_contacts(known, contacts_before(tables, as_of).select("contact_id", "acquisition_source"))
