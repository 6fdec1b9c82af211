"""``/api/v1/changes``: who entered and who left since a run, for a tool that polls.

The tool keeps ``next_cursor`` of the last answer and sends it with the next poll: it gets what has happened since, each change
once, whatever was published in between. Days come in order, and within a day the exits before the entries.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Literal

import pyarrow.parquet as pq
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from winback_serving.store import PublishedRun
from winback_serving.web.days import Day
from winback_serving.web.deps import PublishedRuns, Viewer
from winback_serving.web.errors import NotFoundError

router = APIRouter(prefix="/api/v1", tags=["lists"])

KINDS: tuple[Literal["exit", "entry"], ...] = ("exit", "entry")
FILES = {"exit": "exits", "entry": "entries"}
SHOWN = (
    "contact_id",
    "entered_at",
    "entry_reason",
    "exit_reason",
    "arm",
    "rank",
    "p_lapse",
    "value_at_risk",
    "recommended_action",
    "channel",
    "reason_1",
    "reason_2",
    "reason_3",
)


class Change(BaseModel):
    """One contact that entered or left on one day."""

    as_of: date = Field(examples=["2026-03-01"])
    run_id: str
    change: Literal["entry", "exit"]
    contact_id: str = Field(examples=["1108"])
    entered_at: date | None
    entry_reason: str | None = None
    exit_reason: str | None = None
    arm: str | None = Field(examples=["treatment"])
    rank: int | None = None
    p_lapse: float | None = None
    value_at_risk: float | None = None
    recommended_action: str | None = None
    channel: str | None = None
    reason_1: str | None = None
    reason_2: str | None = None
    reason_3: str | None = None


class Changes(BaseModel):
    """Changes in the order in which they happened."""

    changes: list[Change]
    next_cursor: str = Field(description="Keep it, and send it as `cursor` with the next poll.")
    more: bool = Field(description="Whether there is more to fetch at once.")


@router.get("/changes")
def list_changes(
    runs: PublishedRuns,
    who: Viewer,
    since: Annotated[
        Day | None, Query(description="Changes of runs after this day.", examples=["2026-03-01"])
    ] = None,
    cursor: Annotated[str, Query(max_length=1000, description="next_cursor of the last answer.")] = "",
    holdout: Annotated[bool, Query(description="Also who is held out, and must not be written to.")] = False,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> Changes:
    """List who entered and who left win-back, run by run."""
    start = _read_cursor(cursor) if cursor else (since or date.min, len(KINDS), "")
    changes: list[Change] = []
    last = start
    for run in runs.store.list_runs():
        if run.as_of < start[0]:
            continue
        for place, row in _rows(run, holdout):
            if place <= start:
                continue
            if len(changes) == limit:
                return Changes(changes=changes, next_cursor=_cursor(last), more=True)
            changes.append(Change(as_of=run.as_of, run_id=run.run_id, change=KINDS[place[1]], **row))
            last = place
        last = max(last, (run.as_of, len(KINDS), ""))
    return Changes(changes=changes, next_cursor=_cursor(last), more=False)


Place = tuple[date, int, str]
"""Day, place of the kind within the day, contact; a day that is done has a kind after all others."""


def _rows(run: PublishedRun, holdout: bool) -> Iterator[tuple[Place, dict[str, Any]]]:
    for number, kind in enumerate(KINDS):
        path = run.file(FILES[kind])
        if not pq.read_metadata(path).num_rows:
            continue
        names = [name for name in SHOWN if name in pq.read_schema(path).names]
        for row in sorted(
            pq.read_table(path, columns=names).to_pylist(), key=lambda row: str(row["contact_id"])
        ):
            if holdout or row["arm"] != "holdout":
                yield (run.as_of, number, row["contact_id"]), row


def _cursor(place: Place) -> str:
    text = json.dumps([place[0].isoformat(), *place[1:]])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(text: str) -> Place:
    try:
        day, kind, contact = json.loads(base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)))
        return date.fromisoformat(day), int(kind), str(contact)
    except (ValueError, TypeError, OverflowError, binascii.Error, RecursionError):
        how = "Take next_cursor of the last answer as it is."
        raise NotFoundError("There is no such cursor.", where="cursor", how=how) from None
