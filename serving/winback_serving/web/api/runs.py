"""``/api/v1/runs``: the days that are published, and one of them."""

from __future__ import annotations

from datetime import date

from fastapi import APIRouter
from pydantic import BaseModel, Field

from winback_serving.web.deps import PublishedRuns

router = APIRouter(prefix="/api/v1/runs", tags=["runs"])


class Days(BaseModel):
    """The days there are."""

    days: list[date] = Field(description="Newest first.")


@router.get("")
def list_runs(runs: PublishedRuns) -> Days:
    """List the days that have a published run."""
    return Days(days=runs.days())
