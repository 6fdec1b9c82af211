"""Every list in every tool's format against the tool's own rules, cell by cell, read by the standard library."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from winback_serving.exports.formats import FORMATS
from winback_serving.lists import LISTS

pytestmark = pytest.mark.slow  # every list in every format

DAY, TIME = r"\d{4}-\d\d-\d\d", r"\d{4}-\d\d-\d\d 00:00:00"
NUMBER, BOOL, HASH = r"-?\d+(\.\d+)?", r"true|false", r"[0-9a-f]{64}"
E164, MAIL = r"\+[1-9]\d{7,14}", r"[^\s@]+@[^\s@]+\.[^\s@]+"

FLAGS = dict.fromkeys(
    ("winback_flag", "exclude_from_regular", "preference_form", "retargeting", "email_allowed"), BOOL
)
NUMBERS = dict.fromkeys(
    ("journey_step", "send_weekday", "send_hour", "days_since_purchase", "value_at_risk"), NUMBER
)
WORDS = {
    "winback_state": r"active|flagged|in_winback|reactivated|sunset|farewell|inactive|erased",
    "tone": r"relational|product|incentive|new_subject|why_not",
    "incentive_tier": r"none|low|mid|high",
    "incentive_kind": r"none|content|free_delivery|points|gift|voucher|percent_off",
    "stated_reason": r"[a-z_]+",
    "send_timezone": r"[A-Za-z]+/[A-Za-z_]+",
    "currency": r"[A-Z]{3}",
}
DAYS = dict.fromkeys(("entered_at", "next_purchase_date"), DAY)
CUSTOM = FLAGS | NUMBERS | WORDS | DAYS
ALWAYS = {*FLAGS, "winback_state"}
"""Never blank: a blank does not overwrite what the tool has kept."""

RULES: dict[str, dict[str, str]] = {
    "klaviyo": {"Email": MAIL, "Phone Number": E164, **CUSTOM},
    "mailchimp": {"Email Address": MAIL, "Phone Number": E164, **CUSTOM},
    "hubspot": {"Email": MAIL, "Phone Number": E164, **CUSTOM},
    "mautic": {
        "email": MAIL,
        "phone": E164,
        **CUSTOM,
        **dict.fromkeys(DAYS, TIME),
        "doNotEmail": BOOL,
        "tags": r"(rfm_[a-z_]+\|)?-?winback",
    },
    "listmonk": {"email": MAIL, "attributes": r"\{.*\}"},
    "meta": dict.fromkeys(("email", "phone", "fn", "ln", "country"), HASH)
    | dict.fromkeys(("madid", "ct", "st", "zip"), ""),
    "google": dict.fromkeys(("Email", "Phone", "First Name", "Last Name"), HASH)
    | {"Country": r"[A-Z]{2}", "Zip": ""},
}
KEYS = {
    "klaviyo": "Email",
    "mailchimp": "Email Address",
    "hubspot": "Email",
    "mautic": "email",
    "listmonk": "email",
}
TOOL_LISTS = [name for name in LISTS if name != "scores"]


def files(shop: Any, run: Any, name: str, to: str, before: Any = None) -> Iterator[Path]:
    """Export a list, and yield each of its files before the next export replaces them."""
    exported = shop.export(run, name, to, before, force=True)
    for written in (*exported.files, *exported.removals):
        yield written.path


def cells(path: Path) -> list[dict[str, str]]:
    """Read RFC 4180 in UTF-8: CRLF ends each line, every line has every cell."""
    data = path.read_bytes()
    assert not data.startswith(b"\xef\xbb\xbf"), "no mark that a tool would read as part of the first header"
    assert data.endswith(b"\r\n")
    header, *lines = csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True)
    assert len({*header}) == len(header)
    assert all(len(line) == len(header) for line in lines)
    return [dict(zip(header, line, strict=True)) for line in lines]


def check_cells(rows: list[dict[str, str]], to: str) -> None:
    for row in rows:
        for column, pattern in RULES[to].items():
            if row[column] or column in ALWAYS:
                assert re.fullmatch(pattern, row[column], re.DOTALL), (column, row[column])
        assert not any(cell.startswith(("=", "@", "\t", "\r")) for cell in row.values())


def check_keys(rows: list[dict[str, str]], key: str) -> None:
    addresses = [row[key].lower() for row in rows]
    assert len({*addresses}) == len(addresses), "an address once"
    assert all(addresses)


@pytest.mark.parametrize("to", RULES)
@pytest.mark.parametrize("name", TOOL_LISTS)
def test_every_cell_keeps_the_tool_s_rules(name: str, to: str, two_days: Any) -> None:
    shop, before, run = two_days
    for path in itertools.chain(files(shop, run, name, to), files(shop, run, name, to, before)):
        rows = cells(path)
        check_cells(rows, to)
        if to in KEYS:
            check_keys(rows, KEYS[to])
        else:
            assert "@" not in path.read_text("utf-8"), "no address in the clear"
        if to == "mailchimp":
            assert all(len(cell.encode()) <= 255 for row in rows for cell in row.values())
        if to == "listmonk":
            told = [json.loads(row["attributes"]) for row in rows]
            assert all(isinstance(attributes[flag], bool) for attributes in told for flag in FLAGS)


@pytest.mark.parametrize("name", TOOL_LISTS)
def test_every_braze_line_keeps_its_rules(name: str, two_days: Any) -> None:
    shop, before, run = two_days
    for delta in (None, before):
        for path in files(shop, run, name, "braze", delta):
            for line in path.read_text("utf-8").splitlines():
                (attributes,) = json.loads(line).values()
                assert 1 <= len(attributes) <= 75
                for row in attributes:
                    assert row["_update_existing_only"] is True
                    assert isinstance(row["external_id"], str)
                    assert all(isinstance(row[flag], bool) for flag in FLAGS)
                    assert isinstance(row.get("days_until_next_purchase", 0), int)
                    assert re.fullmatch(r"[A-Z]{2}", row.get("country", "NL"))
                    assert re.fullmatch(r"[a-z]{2}", row.get("language", "nl"))
                    assert all(re.fullmatch(DAY, row[day]) for day in DAYS if day in row)
                    assert None not in row.values(), "null does not clear an attribute"


@pytest.mark.parametrize("name", LISTS)
def test_the_plain_formats_hold_the_same(name: str, two_days: Any) -> None:
    shop, _, run = two_days
    (plain,) = files(shop, run, name, "csv")
    (typed,) = files(shop, run, name, "parquet")
    rows, table = cells(plain), pq.read_table(typed)
    assert len(rows) == table.num_rows
    if rows:
        assert list(rows[0]) == table.column_names
    for row, kept in zip(rows, table.to_pylist(), strict=True):
        assert {n for n, cell in row.items() if cell} == {
            n for n, value in kept.items() if value not in (None, "")
        }


def test_every_format_is_held_against_rules() -> None:
    assert {*RULES, "braze", "csv", "parquet"} == {*FORMATS}
