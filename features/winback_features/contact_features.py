"""Whose contact rows count before the cut, and whom we may not score at all."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import ibis

from winback_features.expressions import cut

if TYPE_CHECKING:
    from winback_features.tables import Tables


def contacts_before(tables: Tables, as_of: date) -> ibis.Table:
    """Keep the contact rows that existed before ``as_of``: created before it, or at an unknown time."""
    contacts = tables.contacts
    return contacts.filter(contacts.created_at.isnull() | (contacts.created_at.date() < cut(as_of)))


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
