"""Runs by example: contacts as differences from one in a journey, published in a folder."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from winback_policy.decide import EXITS_SCHEMA, WINBACK_SCHEMA
from winback_policy.gather import STATE_SCHEMA
from winback_serving.export import Exported, ExportRequest, write_export
from winback_serving.store import PublishedRun

DAY = date(2025, 3, 10)

TREATED: dict[str, Any] = {
    "state": "in_winback",
    "rank": 1,
    "entered_at": date(2025, 3, 1),
    "arm": "treatment",
    "p_purchase": 0.25,
    "p_lapse": 0.75,
    "next_purchase_date": date(2025, 4, 9),
    "days_since_purchase": 40,
    "value_at_risk": 12.5,
    "currency": "EUR",
    "rfm_segment": "at_risk",
    "reason_1": "No purchase for 40 days",
    "recommended_action": "win_back",
    "channel": "email",
    "send_weekday": 1,
    "send_hour": 9,
    "send_timezone": "Europe/Amsterdam",
    "incentive_tier": "low",
    "incentive_kind": "voucher",
    "stated_reason": "price",
    "consent_basis": "consent",
    "consent_email": True,
    "hard_bounced": False,
    "soft_bounces_in_a_row": 0,
    "email_days_since_send": 5,
    "email_ignored_in_a_row": 0,
    "first_name": "Jane",
    "last_name": "Doe",
    "phone": "+31 612345678",
    "language": "nl",
    "country": "NL",
}
OUT: dict[str, Any] = {
    **TREATED,
    **dict.fromkeys(("rank", "entered_at", "arm", "reason_1", "channel")),
    "recommended_action": "none",
    "incentive_tier": "none",
    "incentive_kind": "none",
}
HELD_OUT = {
    "arm": "holdout",
    "recommended_action": "none",
    "incentive_tier": "none",
    "incentive_kind": "none",
}

KINDS: dict[str, dict[str, Any]] = {
    "treated": TREATED,
    "entered": {**TREATED, "state": "flagged", "rank": 2, "entered_at": DAY},
    "held_out": {**TREATED, **HELD_OUT, "rank": 3},
    "held_out_entered": {**TREATED, **HELD_OUT, "state": "flagged", "rank": 4, "entered_at": DAY},
    "bought": {
        **OUT,
        "state": "reactivated",
        "exit_reason": "purchased",
        "entered_at": date(2025, 3, 1),
        "arm": "treatment",
        "not_flagged_reason": "recently_active",
    },
    "held_out_bought": {
        **OUT,
        "state": "reactivated",
        "exit_reason": "purchased",
        "entered_at": date(2025, 3, 1),
        "arm": "holdout",
        "not_flagged_reason": "recently_active",
    },
    "active": {**OUT, "state": "active", "not_flagged_reason": "low_risk"},
    "sunset": {**OUT, "state": "sunset", "not_flagged_reason": "lapsed_already"},
    "sunset_held_out": {**OUT, "state": "sunset", "not_flagged_reason": "lapsed_already"},
    "sunset_bounced": {**OUT, "state": "sunset", "not_flagged_reason": "hard_bounced", "hard_bounced": True},
    "farewell": {**OUT, "state": "farewell", "not_flagged_reason": "lapsed_already"},
    "objected": {**OUT, "state": "inactive", "not_flagged_reason": "objected_profiling"},
    "erased": {
        **OUT,
        **dict.fromkeys(("email", "first_name", "last_name", "phone", "language", "country")),
        "state": "inactive",
        "not_flagged_reason": "erased",
    },
}
LAST_ARM = {"sunset_held_out": "holdout", "farewell": "treatment", "sunset": "treatment"}


def _table(rows: list[dict[str, Any]], schema: dict[str, str]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=ibis.schema(schema).to_pyarrow())


class Shop:
    """Publishes runs in a folder and exports their lists."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, contacts: dict[str, dict[str, Any]], as_of: date = DAY) -> PublishedRun:
        """Publish a run; the e-mail address is the contact's name where none is given."""
        folder = self.folder / f"run-{as_of}"
        folder.mkdir()
        rows = [{"email": f"{name}@example.com", **row, "contact_id": name} for name, row in contacts.items()]
        winback = sorted(rows, key=lambda row: row["contact_id"])
        exits = [
            {**row, "exited_at": as_of, "days_in_journey": 9} for row in winback if row.get("exit_reason")
        ]
        states = [
            {
                **row,
                "arm": row.get("arm") or row.get("last_arm") or LAST_ARM.get(row["contact_id"]),
                "exited_at": as_of if row.get("exit_reason") else row.get("exited_at"),
                "journeys": 1,
            }
            for row in winback
        ]
        entries = [row for row in winback if row["state"] == "flagged"]
        for name, found, schema in (
            ("winback", winback, WINBACK_SCHEMA),
            ("entries", entries, WINBACK_SCHEMA),
            ("exits", exits, EXITS_SCHEMA),
            ("states", states, STATE_SCHEMA),
            ("scores", winback, {"contact_id": "string", "p_lapse": "float64"}),
        ):
            pq.write_table(_table(found, schema), folder / f"{name}.parquet")
        (folder / "run.json").write_text('{"schema_version": 1}', encoding="utf-8")
        return PublishedRun(as_of, "aa", folder)

    def export(
        self, run: PublishedRun, name: str, to: str, before: PublishedRun | None = None, **options: Any
    ) -> Exported:
        """Export a list; with a run before it, only the changes since."""
        request = ExportRequest(name, to, self.folder / f"{name}.{to}", before, before is not None)
        return write_export(run, replace(request, **options))


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """An empty shop."""
    return Shop(tmp_path)


@pytest.fixture(scope="session")
def kinds() -> dict[str, dict[str, Any]]:
    """One contact of each kind."""
    return KINDS


@pytest.fixture(scope="module")
def two_days(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, PublishedRun, PublishedRun]:
    """A day on which most were in a journey, and the day after, with one contact of each kind."""
    shop = Shop(tmp_path_factory.mktemp("shop"))
    was_in = {"bought", "objected", "erased", "treated"}
    before = {name: {**TREATED, "rank": n + 1} for n, name in enumerate(sorted(was_in))}
    before |= {"held_out_bought": {**TREATED, **HELD_OUT, "rank": 9}, "vanished": {**TREATED, "rank": 10}}
    before |= {name: row for name, row in KINDS.items() if name.startswith(("sunset", "active", "farewell"))}
    after = {name: dict(row) for name, row in KINDS.items()}
    for name, reason in (("objected", "objected_profiling"), ("erased", "erased")):
        after[name] |= {"exit_reason": reason, "entered_at": date(2025, 3, 1), "arm": "treatment"}
    return shop, shop.run(before, DAY - timedelta(days=1)), shop.run(after)


def _read(path: Path, to: str) -> list[dict[str, Any]]:
    """Read a file by means of the standard library and pyarrow alone."""
    if to == "parquet":
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return rows
    text = path.read_bytes().decode("utf-8")
    if to == "braze":
        return [row for line in text.splitlines() for row in json.loads(line)["attributes"]]
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


@pytest.fixture(scope="session")
def read() -> Callable[[Path, str], list[dict[str, Any]]]:
    """Read an exported file independently of what wrote it."""
    return _read
