"""What endpoints and pages ask for: the runs, the one run of this request, and who asks."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import Depends, Query, Request

from winback_serving.web.config import Role, WebConfig
from winback_serving.web.days import Day
from winback_serving.web.errors import ForbiddenError, NotFoundError
from winback_serving.web.identity import Doorkeeper, Identity
from winback_serving.web.reader import Run, Runs


async def get_runs(request: Request) -> Runs:
    """Return the published runs of the server's home folder."""
    runs: Runs = request.app.state.runs
    return runs


async def get_config(request: Request) -> WebConfig:
    """Return the server's settings."""
    config: WebConfig = request.app.state.config
    return config


async def get_door(request: Request) -> Doorkeeper:
    """Return who decides whom a request comes from."""
    door: Doorkeeper = request.app.state.door
    return door


PublishedRuns = Annotated[Runs, Depends(get_runs)]
Config = Annotated[WebConfig, Depends(get_config)]
Door = Annotated[Doorkeeper, Depends(get_door)]
AsOf = Annotated[
    Day | None, Query(description="Day of the run; the newest when absent.", examples=["2026-03-01"])
]


def run_of(runs: Runs, as_of: date | None) -> Run:
    """Return the run of a day, or the newest.

    Raises
    ------
    NotFoundError
        When there is none of that day.
    """
    if as_of is None:
        return runs.current()
    found = runs.on(as_of)
    if found is None:
        what = f"No run is published for {as_of}."
        raise NotFoundError(what, where="as_of", how="GET /api/v1/runs lists the days there are.")
    return found


async def current_run(runs: PublishedRuns, as_of: AsOf = None) -> Run:
    """Return the run that a request is about: the newest, or that of ``?as_of=2026-01-31``."""
    return run_of(runs, as_of)


CurrentRun = Annotated[Run, Depends(current_run)]
"""The one run of a request. Take it once; everything in the answer comes from it."""


class _Asks:
    """A dependency that gives the caller, if it has a role."""

    def __init__(self, role: Role) -> None:
        self.role: Role = role

    async def __call__(self, request: Request) -> Identity:
        """Return the caller."""
        who: Identity | None = getattr(request.state, "identity", None)
        if who is None or not who.may(self.role):
            what = f"This needs the role {self.role}."
            how = f"Ask for a token made with `winback serve --add-token NAME --role {self.role}`."
            raise ForbiddenError(what, where=who.name if who else "", how=how)
        return who


Viewer = Annotated[Identity, Depends(_Asks("viewer"))]
"""May look: contact ids, scores, reasons; no name, no address."""
Exporter = Annotated[Identity, Depends(_Asks("exporter"))]
"""May take lists with addresses out, which is written down."""
Operator = Annotated[Identity, Depends(_Asks("operator"))]
"""May ask the model about histories of their own."""
