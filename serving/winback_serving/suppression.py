"""Whom a shop has erased: hashed keys that keep an erased contact from coming back with the next import."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import ibis
import pyarrow as pa
from ibis.util import gen_name

from winback_features.tables import Tables
from winback_policy.hygiene import suppression_key
from winback_serving.store import write_atomically

FILE = "suppressed.json"


def key_of(text: str) -> str:
    """Return the SHA-256 of an id or a normalised e-mail address, in hex.

    >>> key_of("jane.doe@example.com")[:8]
    '86e0b9e5'
    """
    return hashlib.sha256(text.encode()).hexdigest()


def suppressed_keys(home: Path) -> frozenset[str]:
    """Return the keys of everyone erased here; empty where nobody was."""
    path = home / FILE
    return frozenset(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else frozenset()


def suppress(home: Path, keys: Iterable[str]) -> None:
    """Add keys to those that are never imported again."""
    known = sorted(suppressed_keys(home) | {*keys})
    write_atomically(home / FILE, json.dumps(known, indent=0) + "\n")


def without_suppressed(tables: Tables, keys: frozenset[str]) -> Tables:
    """Return the shop without those who were erased: none of their orders, events or contact rows.

    A contact is known again by its id, and by its e-mail address under whatever id it comes.
    """
    if not keys:
        return tables
    backend = tables.backend

    def held(table: ibis.Table) -> ibis.Table:
        return backend.create_table(gen_name("unsuppressed"), table, temp=True)

    erased = backend.create_table(gen_name("suppressed"), pa.table({"key": sorted(keys)}), temp=True)
    contacts = tables.contacts
    same_address = contacts.mutate(key=suppression_key(contacts.email)).semi_join(erased, "key")
    ids = held(same_address.select("contact_id").distinct())

    def kept(table: ibis.Table) -> ibis.Table:
        keyed = table.mutate(key=table.contact_id.hexdigest("sha256")).anti_join(erased, "key").drop("key")
        return held(keyed.anti_join(ids, "contact_id"))

    return tables.each(kept)
