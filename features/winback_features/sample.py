"""A part of a shop: all facts of some of its contacts."""

from __future__ import annotations

from winback_features.tables import Tables

_HEX_DIGITS = 8


def sample_contacts(tables: Tables, share: float) -> Tables:
    """Return the facts of about that share of the contacts, chosen by hashed contact id."""
    if share >= 1.0:
        return tables
    below = f"{int(share * 16**_HEX_DIGITS):0{_HEX_DIGITS}x}"
    return tables.each(lambda table: table.filter(table.contact_id.hexdigest("sha256") < below))
