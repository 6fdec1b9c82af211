"""``.json`` and ``.csv`` beside each list's page, with the same query string."""

from __future__ import annotations

from typing import Annotated

import pyarrow as pa
from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from winback_policy.config import PolicyConfig
from winback_serving.run_hygiene import DUE
from winback_serving.web.api.lists import answer, run_of_page
from winback_serving.web.api.schema import DuePage, DueRecord, ListPage
from winback_serving.web.audit import write_audit
from winback_serving.web.columns import COLUMNS
from winback_serving.web.deps import AsOf, Config, CurrentRun, PublishedRuns, Viewer
from winback_serving.web.identity import Identity
from winback_serving.web.lists import Kind, ListQuery, bad_cursor, count, read_cursor, write_cursor
from winback_serving.web.pages.hygiene import measure
from winback_serving.web.reader import Run
from winback_serving.web.tabular import ROWS_AT_A_TIME, csv_answer, list_rows

router = APIRouter(include_in_schema=False)
Asked = Annotated[ListQuery, Query()]


@router.get("/list.json")
def list_json(runs: PublishedRuns, query: Asked, who: Viewer, as_of: AsOf = None) -> ListPage:
    """Give the rows of ``/list``."""
    return answer(runs, query, as_of, "list")


@router.get("/excluded.json")
def excluded_json(runs: PublishedRuns, query: Asked, who: Viewer, as_of: AsOf = None) -> ListPage:
    """Give the rows of ``/excluded``."""
    return answer(runs, query, as_of, "excluded")


@router.get("/list.csv")
def list_csv(
    request: Request, run: CurrentRun, query: Asked, who: Viewer, config: Config
) -> StreamingResponse:
    """Give all of ``/list``, whatever page is shown."""
    return _csv(request, run, query, who, config.audit_file, "list")


@router.get("/excluded.csv")
def excluded_csv(
    request: Request, run: CurrentRun, query: Asked, who: Viewer, config: Config
) -> StreamingResponse:
    """Give all of ``/excluded``, whatever page is shown."""
    return _csv(request, run, query, who, config.audit_file, "excluded")


BY_DAY = "due"
"""The one order of the records that are to go."""


@router.get("/hygiene.json")
def hygiene_json(
    request: Request,
    runs: PublishedRuns,
    who: Viewer,
    as_of: AsOf = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    cursor: Annotated[str, Query(max_length=1000)] = "",
) -> DuePage:
    """Give the records of ``/hygiene`` that are to go, page by page."""
    run = run_of_page(runs, cursor, as_of)
    due = _due(request, run)
    begin = _rows_before(cursor) if cursor else 0
    rows = due.slice(begin, limit).to_pylist()
    end = begin + len(rows)
    following = write_cursor(run, BY_DAY, end, rows[-1]["contact_id"]) if rows and end < len(due) else None
    return DuePage(
        as_of=run.as_of,
        run_id=run.run_id,
        rows=[DueRecord.model_construct(**row) for row in rows],
        total=len(due),
        next_cursor=following,
    )


@router.get("/hygiene.csv")
def hygiene_csv(request: Request, run: CurrentRun, who: Viewer, config: Config) -> StreamingResponse:
    """Give all records of ``/hygiene`` that are to go."""
    due = _due(request, run)
    fields = {"as_of": run.as_of.isoformat(), "run_id": run.run_id, "list": BY_DAY, "to": "csv"}
    write_audit(request.app.state.home / config.audit_file, who.name, "table", {**fields, "rows": len(due)})
    portions = (part.to_pylist() for part in due.to_batches(ROWS_AT_A_TIME))
    return csv_answer(f"winback-due-{run.as_of}", DUE, portions)


def _due(request: Request, run: Run) -> pa.Table:
    """Return the records of a run that are to go, by the policy of the server's settings."""
    settings = request.app.state.settings
    return measure(run, settings.policy if settings else PolicyConfig())[1]


def _rows_before(cursor: str) -> int:
    """Return how many records the pages before held: a run never changes, so the number says the place."""
    place = read_cursor(cursor)
    if place["sort"] != BY_DAY or not isinstance(place["value"], int) or place["value"] < 0:
        raise bad_cursor()
    return place["value"]


def _csv(
    request: Request, run: Run, query: ListQuery, who: Identity, audit_file: str, kind: Kind
) -> StreamingResponse:
    asked = query.of(kind)
    # What was searched for may be a person's id: that there was a search is all the log keeps.
    filters = {name: value for name, value in asked.filters.items() if name != "q"}
    fields = {"as_of": run.as_of.isoformat(), "run_id": run.run_id, "list": kind, "to": "csv"}
    found = {"filters": filters, "searched": bool(asked.q), "rows": count(run, asked)}
    write_audit(request.app.state.home / audit_file, who.name, "table", {**fields, **found})
    return csv_answer(f"winback-{kind}-{run.as_of}", COLUMNS, list_rows(run, asked))
