"""``/api/v1/runs`` and ``/api/v1/model``: the days that are published, and what they were made of."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from winback_serving.store import PublishedRun
from winback_serving.web.api.schema import OfRun, RunDetail, RunList, RunSummary
from winback_serving.web.days import Day
from winback_serving.web.deps import CurrentRun, PublishedRuns, Viewer
from winback_serving.web.errors import NotFoundError

router = APIRouter(prefix="/api/v1", tags=["runs"])


class ModelInfo(OfRun):
    """The model that scored a run."""

    name: str = Field(examples=["winback-lapse"])
    version: str = Field(examples=["1"])
    digest: str = Field(description="sha256 of its bundle.")
    horizon_days: int = Field(examples=[28])


class Segment(BaseModel):
    """The buyers of one RFM segment."""

    rfm_segment: str = Field(examples=["cant_lose"])
    contacts: int
    flagged: int
    mean_p_lapse: float | None
    value_at_risk: float = Field(description="Sum over the segment.")


class Segments(OfRun):
    """The RFM segments of a run, the most value at risk first."""

    segments: list[Segment]


@router.get("/runs")
def list_runs(runs: PublishedRuns, who: Viewer) -> RunList:
    """List the published runs, newest first."""
    found = [run for run in runs.store.list_runs()[::-1] if run.folder.is_dir()]
    return RunList(runs=[RunSummary(**_summary(run, run.info())) for run in found])


@router.get("/runs/{as_of}")
def show_run(
    runs: PublishedRuns, who: Viewer, as_of: Annotated[Day, Path(examples=["2026-03-01"])]
) -> RunDetail:
    """Show the run of one day."""
    run = runs.store.current(as_of)
    if run is None:
        what = f"No run is published for {as_of}."
        raise NotFoundError(what, where="as_of", how="GET /api/v1/runs lists the days there are.")
    info = run.info()
    more = ("model", "horizon_days", "config_hash", "winback", "previous_run", "counts", "notices")
    return RunDetail(**_summary(run, info), **{name: info[name] for name in more})


@router.get("/model")
def show_model(run: CurrentRun, who: Viewer) -> ModelInfo:
    """Show the model that scored a run."""
    record = run.record
    return ModelInfo(
        as_of=run.as_of, run_id=run.run_id, horizon_days=record["horizon_days"], **record["model"]
    )


@router.get("/segments")
def list_segments(run: CurrentRun, who: Viewer) -> Segments:
    """Count the buyers of each RFM segment."""
    rows = run.query(
        "SELECT rfm_segment, count(*) AS contacts, count(rank) AS flagged, "
        "avg(p_lapse::DECIMAL(18, 9))::DOUBLE AS mean_p_lapse, "
        "coalesce(sum(value_at_risk::DECIMAL(28, 4)), 0)::DOUBLE AS value_at_risk "
        "FROM keys WHERE rfm_segment IS NOT NULL GROUP BY rfm_segment ORDER BY value_at_risk DESC, rfm_segment"
    )
    return Segments(as_of=run.as_of, run_id=run.run_id, segments=[Segment(**row) for row in rows])


def _summary(run: PublishedRun, info: dict[str, Any]) -> dict[str, Any]:
    counts = {name: info["counts"][name] for name in ("contacts", "flagged", "entries", "exits")}
    return {"as_of": run.as_of, "run_id": run.run_id, **counts}
