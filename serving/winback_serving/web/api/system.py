"""Health, readiness and metrics."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field

from winback_serving.web.api.schema import OfRun
from winback_serving.web.deps import PublishedRuns, Viewer
from winback_serving.web.metrics import ServerMetrics

router = APIRouter(tags=["system"])


class Health(BaseModel):
    """The process answers."""

    status: str = Field(examples=["ok"])


@router.get("/healthz")
async def health() -> Health:
    """Say that the process answers."""
    return Health(status="ok")


@router.get("/readyz")
async def ready(runs: PublishedRuns) -> OfRun:
    """Say which run is served; 503 while there is none."""
    run = runs.current()
    return OfRun(as_of=run.as_of, run_id=run.run_id)


@router.get("/metrics", responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})
async def metrics(request: Request, runs: PublishedRuns, who: Viewer) -> Response:
    """Show numbers in Prometheus' text format."""
    found: ServerMetrics = request.app.state.metrics
    return Response(found.text(runs), media_type=CONTENT_TYPE_LATEST)
