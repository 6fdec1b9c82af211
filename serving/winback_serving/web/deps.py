"""What endpoints and pages ask for: the runs, and the one run of this request."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import Depends, Query, Request

from winback_serving.web.config import WebConfig
from winback_serving.web.errors import NotFoundError
from winback_serving.web.reader import Run, Runs


def get_runs(request: Request) -> Runs:
    """Return the published runs of the server's home folder."""
    runs: Runs = request.app.state.runs
    return runs


def get_config(request: Request) -> WebConfig:
    """Return the server's settings."""
    config: WebConfig = request.app.state.config
    return config


PublishedRuns = Annotated[Runs, Depends(get_runs)]
Config = Annotated[WebConfig, Depends(get_config)]


def current_run(
    runs: PublishedRuns,
    as_of: Annotated[date | None, Query(description="Day of the run; the newest when absent.")] = None,
) -> Run:
    """Return the run that a request is about: the newest, or that of ``?as_of=2026-01-31``.

    Raises
    ------
    NotFoundError
        When there is none.
    """
    if as_of is None:
        return runs.current()
    found = runs.on(as_of)
    if found is None:
        what = f"No run is published for {as_of}."
        raise NotFoundError(what, where="as_of", how="GET /api/v1/runs lists the days there are.")
    return found


CurrentRun = Annotated[Run, Depends(current_run)]
"""The one run of a request. Take it once; everything in the answer comes from it."""
