"""What a clean base costs and saves: sleepers, data past their time, bounces, records without a purpose."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from winback_features.config import EngineConfig
from winback_features.engine import open_engine
from winback_policy import hygiene as policy
from winback_policy.config import PolicyConfig
from winback_serving.run_hygiene import due_records, run_records
from winback_serving.web.pages.per_run import per_run
from winback_serving.web.pages.view import CurrentView
from winback_serving.web.reader import Run

router = APIRouter(include_in_schema=False)
DUE_SHOWN = 20
_BOUNCES_SQL = """
    SELECT count(*) FILTER (hard_bounced) AS hard, count(*) FILTER (soft_bounces_in_a_row > 0) AS soft,
           count(*) FILTER (not_flagged_reason = 'soft_bounced') AS suppressed FROM winback
"""


@router.get("/hygiene", response_class=HTMLResponse)
def show_hygiene(v: CurrentView) -> HTMLResponse:
    """Show what could be cleared away."""
    found, due = measure(v.run, v.policy)
    shown = due.slice(0, DUE_SHOWN).to_pylist()
    return v.page("hygiene", found=found, due=shown, all_due=len(due), bounces=v.run.query(_BOUNCES_SQL)[0])


@per_run
def measure(run: Run, config: PolicyConfig) -> tuple[dict[str, Any], pa.Table]:
    """Judge every record of a run.

    Returns
    -------
    summary : dict
        See `winback_policy.hygiene.summary`.
    due : pyarrow.Table
        `winback_serving.run_hygiene.DUE` of those whose data are to go, in farewell or past their time; the earliest first.
    """
    with open_engine(EngineConfig()) as backend:
        held = run_records(backend, run.published, config)
        summary: dict[str, Any] = policy.summary(held, config).to_pyarrow().to_pylist()[0]
        return summary, due_records(held).to_pyarrow()
