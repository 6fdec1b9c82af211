"""All changes, one after the other, leave a tool with the whole list of the last day, whatever happens between the days."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from winback_serving.exports.rows import DRIFTING

pytestmark = pytest.mark.slow  # each case writes a dozen exports

FIRST, DAYS = date(2025, 3, 10), 4
CONTACTS = tuple("abcdefghi")
ADDRESSES = (*(f"{name}@example.com" for name in "wxyz"), " X@Example.com", None)
PLACES = {"klaviyo": "Email", "braze": "external_id", "csv": "contact_id", "meta": "email"}
Tool = dict[str, dict[str, Any]]


def happen(chance: random.Random, kinds: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the contacts of each day: most stay as they were, some change, move, refuse, share an address, vanish, come back."""
    gone = {"treated": ["bought", "objected"], "held_out": ["held_out_bought"]}
    contacts = {name: (chance.choice(["treated", "active", "held_out"]), {}) for name in CONTACTS}
    days = []
    for day in range(DAYS):
        for name, (kind, more) in contacts.items():
            if chance.random() < 0.4:
                kind = chance.choice(
                    ["treated", "treated", "active", "held_out", *gone.get(kind, ["sunset"])]
                )
                more = {**more, "consent_email": chance.random() < 0.85}
            if not day or chance.random() < 0.2:
                more = {**more, "email": chance.choice(ADDRESSES)}
            if chance.random() < 0.3:
                more = {**more, "incentive_tier": chance.choice(["low", "mid", "high"])}
            contacts[name] = (kind, more)
        there = [name for name in CONTACTS if chance.random() < 0.9]
        ranks = chance.sample(range(1, 50), len(there))
        rows = {}
        for name, rank in zip(there, ranks, strict=True):
            kind, more = contacts[name]
            own = more if kind == "treated" else {n: more[n] for n in more if n in ("email", "consent_email")}
            ranked = {"rank": rank} if kinds[kind]["rank"] else {}
            rows[name] = kinds[kind] | own | ranked | {"phone": None}
        days.append(rows)
    return days


def imported(tool: Tool, exported: Any, to: str, read: Callable[..., Any]) -> Tool:
    """Return what a tool knows once it has taken the files: first whom to remove, then the others; a blank overwrites nothing."""
    key, after = PLACES[to], dict(tool)
    for written in exported.removals:
        for row in read(written.path, to):
            after.pop(row[key], None)
    for written in exported.files:
        for row in read(written.path, to):
            if row.get("on_list") == "false":
                after.pop(row[key], None)
            else:
                said = {name: value for name, value in row.items() if value not in ("", None)}
                after[row[key]] = after.get(row[key], {}) | said
    return after


def on_list(tool: Tool, to: str) -> dict[str, dict[str, str]]:
    """Return what the tool believes of those that it would write to, save what drifts."""
    kept = {}
    for key, row in tool.items():
        if to in ("klaviyo", "braze") and str(row["winback_flag"]).lower() != "true":
            continue
        kept[key] = {n: str(v) for n, v in row.items() if n not in DRIFTING and n != "on_list"}
    return kept


@pytest.mark.parametrize(
    ("to", "seed"), [("klaviyo", 1), ("klaviyo", 2), ("braze", 0), ("csv", 0), ("meta", 0), ("meta", 1)]
)
def test_all_changes_together_are_the_whole_list(
    to: str, seed: int, shop: Any, kinds: Any, read: Any
) -> None:
    name = "retargeting_add" if to == "meta" else "current"
    tool: Tool = {}
    before = None
    for day, contacts in enumerate(happen(random.Random(f"{to}{seed}"), kinds)):
        run = shop.run(contacts, FIRST + timedelta(days=day))
        tool = imported(tool, shop.export(run, name, to, before, force=True), to, read)
        whole = imported({}, shop.export(run, name, to, force=True), to, read)
        told, expected = on_list(tool, to), on_list(whole, to)
        assert told.keys() == expected.keys(), day
        for key, row in expected.items():
            # What is blank in the whole list is what a tool cannot be made to forget.
            assert {n: told[key].get(n) for n in row} == row, (day, key)
        before = run
