"""What the API's answers look like, and the words of its documentation."""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

DESCRIPTION = (
    "Scores, lists and changes of published runs. Every answer comes from one immutable run and names it (`as_of`, `run_id`). "
    'Errors have one shape: `{"error": {code, message, where, how, fields}}`. With a login, send `Authorization: Bearer TOKEN`.'
)
TAGS = [
    {"name": "runs", "description": "What is published."},
    {"name": "lists", "description": "Contacts by filter and order, page by page; who entered and left."},
    {"name": "contacts", "description": "One contact."},
    {"name": "score", "description": "Scores for a history that you send."},
    {"name": "export", "description": "Files for tools, with addresses."},
    {"name": "system", "description": "Health and metrics."},
]


class WrongField(BaseModel):
    """A field of a request that breaks its schema."""

    field: str = Field(examples=["query.limit"])
    message: str = Field(examples=["Input should be less than or equal to 1000"])


class ErrorDetail(BaseModel):
    """What is wrong, where, and how to mend it."""

    code: str = Field(examples=["not_found"])
    message: str = Field(examples=["No run is published for 2026-03-01."])
    where: str = Field(examples=["as_of"])
    how: str = Field(examples=["GET /api/v1/runs lists the days there are."])
    fields: list[WrongField] = []


class ErrorAnswer(BaseModel):
    """The one shape of every error."""

    error: ErrorDetail


ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorAnswer, "description": "A cursor of another order, or a body that cannot be read."},
    401: {"model": ErrorAnswer, "description": "No token, or a wrong one."},
    403: {"model": ErrorAnswer, "description": "The role does not allow it, or another site asks."},
    404: {"model": ErrorAnswer, "description": "No such run, contact, cursor or address."},
    409: {"model": ErrorAnswer, "description": "It does not fit what there is, or a gate refuses."},
    413: {"model": ErrorAnswer, "description": "The body is too large."},
    421: {"model": ErrorAnswer, "description": "Addressed to a name that is not this server's."},
    422: {"model": ErrorAnswer, "description": "A field breaks its schema; `fields` names it."},
    429: {"model": ErrorAnswer, "description": "Too many requests; `Retry-After` says how long to wait."},
    503: {"model": ErrorAnswer, "description": "No run is published yet, or the server is busy."},
}


class OfRun(BaseModel):
    """Every answer names the run it comes from."""

    as_of: date = Field(description="Day of the run.", examples=["2026-03-01"])
    run_id: str = Field(examples=["66cf461c0f001083"])


class RunSummary(OfRun):
    """One published run."""

    contacts: int = Field(examples=[2469])
    flagged: int = Field(description="In win-back, the holdout included.", examples=[56])
    entries: int = Field(description="Entered on this day.", examples=[7])
    exits: int = Field(description="Left on this day.", examples=[0])


class RunDetail(RunSummary):
    """One published run and what it was made of."""

    model: dict[str, str] = Field(description="Name, version and digest of the model.")
    horizon_days: int = Field(examples=[28])
    config_hash: str
    winback: str = Field(description="Version of winback that made it.")
    previous_run: dict[str, str] | None
    counts: dict[str, Any] = Field(description="As in run.json.")
    notices: list[dict[str, Any]]


class RunList(BaseModel):
    """The published runs, newest first."""

    runs: list[RunSummary]


class Row(BaseModel):
    """A contact on a list: no name, no address, no phone number."""

    rank: int | None = Field(description="1 is the first to win back; only in win-back.", examples=[1])
    contact_id: str = Field(examples=["2226"])
    state: str | None = Field(examples=["in_winback"])
    entered_at: date | None
    entry_reason: str | None
    exit_reason: str | None
    not_flagged_reason: str | None = Field(description="Exactly one for each contact not in win-back.")
    farewell_due: date | None
    p_purchase: float | None = Field(description="P(purchase within the horizon).", examples=[0.34])
    p_lapse: float | None = Field(description="1 - p_purchase.", examples=[0.66])
    p_alive: float | None
    next_purchase_date: date | None
    next_purchase_low: date | None
    next_purchase_high: date | None
    days_since_purchase: int | None = Field(examples=[22])
    days_overdue: int | None = Field(examples=[19])
    usual_gap_days: float | None
    expected_order_value: float | None
    value_at_risk: float | None = Field(examples=[4598.3])
    clv_12m: float | None
    currency: str | None = Field(examples=["EUR"])
    base: str | None = Field(examples=["active"])
    rfm_code: str | None = Field(examples=["255"])
    rfm_segment: str | None = Field(examples=["cant_lose"])
    reason_1: str | None = Field(examples=["buys every day on average, now 22 days silent"])
    reason_2: str | None
    reason_3: str | None
    stated_reason: str | None = Field(
        description="What the contact said of why it stopped.", examples=["price"]
    )
    recommended_action: str | None = Field(examples=["win_back"])
    channel: str | None = Field(examples=["email"])
    send_weekday: int | None = Field(description="0 is Monday. By the clock of send_timezone.")
    send_hour: int | None
    send_timezone: str | None = Field(None, description="Whose clock that is: its own zone, or the brand's.")
    incentive_tier: str | None = Field(description="The most that may be offered.")
    incentive_kind: str | None = Field(examples=["free_delivery"])
    last_category: str | None
    arm: str | None = Field(description="`holdout` is not to be written to.", examples=["treatment"])
    consent_basis: str | None
    language: str | None
    country: str | None
    acquisition_source: str | None = Field(
        None, description="Where the contact came from, as the shop names it."
    )


class ListPage(OfRun):
    """One page of a list."""

    rows: list[Row]
    total: int = Field(description="Contacts on the list, all pages together.", examples=[59])
    next_cursor: str | None = Field(description="Send it as `cursor` for the next page; null on the last.")


class DueRecord(BaseModel):
    """A record whose data are to go."""

    contact_id: str = Field(examples=["2226"])
    state: str | None = Field(examples=["farewell"])
    due: date = Field(description="The day by which they are to go.")
    past_retention: bool = Field(
        description="Silent for longer than the law of its country lets one keep them."
    )


class DuePage(OfRun):
    """One page of the records that are to go, the earliest first."""

    rows: list[DueRecord]
    total: int = Field(description="Records that are to go, all pages together.")
    next_cursor: str | None = Field(description="Send it as `cursor` for the next page; null on the last.")


class Contact(OfRun):
    """One contact in one run, with every column of the run but names and addresses."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "as_of": "2026-03-01",
                    "run_id": "66cf461c0f001083",
                    "contact": {"contact_id": "2226", "p_lapse": 0.66, "rank": 1},
                }
            ]
        }
    )
    contact: dict[str, str | int | float | bool | date | None] = Field(
        description="Columns of winback.parquet and scores.parquet, as in the data contract."
    )
