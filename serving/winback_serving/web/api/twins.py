"""``.json`` and ``.csv`` beside each list's page, with the same query string."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from winback_serving.web.api.lists import answer
from winback_serving.web.api.schema import ListPage
from winback_serving.web.audit import write_audit
from winback_serving.web.columns import COLUMNS
from winback_serving.web.deps import AsOf, Config, CurrentRun, PublishedRuns, Viewer
from winback_serving.web.identity import Identity
from winback_serving.web.lists import Kind, ListQuery, count
from winback_serving.web.reader import Run
from winback_serving.web.tabular import csv_answer, list_rows

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
