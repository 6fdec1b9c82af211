"""``/api/v1/outcomes``: what was sent and what came of it, as ``winback outcomes`` last read it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from winback_serving.web.errors import NotFoundError
from winback_serving.web.pages.outcomes import FILE, read_file

router = APIRouter(prefix="/api/v1/outcomes", tags=["outcomes"])


class OutcomesFile(BaseModel):
    """The content of ``outcomes.json``; docs/outcomes.md explains it."""

    model_config = ConfigDict(extra="allow")

    as_of: str = Field(description="Facts of earlier days were used.", examples=["2026-03-01"])
    window_days: int = Field(description="Days from entry within which a purchase counts.")
    simulated: str = Field(description="What was made up; empty where nothing was.")
    readout: dict[str, Any] | None = Field(description="The treated against the held out.")
    experiments: dict[str, Any] = Field(description="Registered experiments by name.")


@router.get("")
def get_outcomes(request: Request) -> OutcomesFile:
    """Return the last reading of outcomes.

    Raises
    ------
    NotFoundError
        Where nothing was read yet.
    """
    found = read_file(request.app.state.home)
    if found is None:
        raise NotFoundError("No outcomes were read yet.", where=FILE, how="`winback outcomes` reads them.")
    return OutcomesFile(**found)
