"""``/api/v1/retention``: who comes back, as the run found it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from winback_serving.run_retention import read_retention
from winback_serving.web.deps import CurrentRun
from winback_serving.web.errors import NotFoundError

router = APIRouter(prefix="/api/v1/retention", tags=["retention"])


class Retention(BaseModel):
    """The figures of ``retention.json``; docs/data-contract.md explains each."""

    model_config = ConfigDict(extra="allow")

    as_of: str = Field(description="Facts of earlier days were used.", examples=["2026-03-01"])
    horizon_days: int = Field(description="Days without a purchase after which a contact is dormant.")
    currency: str = Field(description="What revenue is in.", examples=["EUR"])
    contacts: int = Field(description="How many ever bought.")
    second_order: dict[str, Any] = Field(description="From the first to the second order.")
    by_order_number: list[dict[str, Any]] = Field(description="From each order to the next.")
    gaps: dict[str, Any] = Field(description="How long gaps between purchases are.")
    cohorts: list[dict[str, Any]] = Field(description="By month of the first purchase, oldest first.")
    lifecycle: list[dict[str, Any]] = Field(description="New, returning, resurrecting and dormant by month.")
    sources: list[dict[str, Any]] = Field(description="The way to the second order by acquisition source.")


@router.get("")
def get_retention(run: CurrentRun) -> Retention:
    """Return the retention figures of a run.

    Raises
    ------
    NotFoundError
        When the run was made by a version that did not compute them.
    """
    figures = read_retention(run.published)
    if figures is None:
        what = f"The run of {run.as_of} holds no retention figures."
        raise NotFoundError(what, where="as_of", how=f"`winback score --as-of {run.as_of}` makes them.")
    return Retention(**figures)
