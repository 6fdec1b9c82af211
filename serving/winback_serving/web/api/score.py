"""``POST /api/v1/score``: the history of a few contacts in, the batch's scores and reasons out."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NaiveDatetime,
    PlainSerializer,
    StringConstraints,
    model_validator,
)

from winback_features.errors import InputError
from winback_serving.web.api.schema import OfRun
from winback_serving.web.deps import AsOf, Operator, PublishedRuns, run_of
from winback_serving.web.errors import ConflictError, UnusableError
from winback_serving.web.scoring import Histories, Scorer

router = APIRouter(prefix="/api/v1", tags=["score"])
MOST_CONTACTS = 10
Word = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
MOST_MONEY = 99_999_999


def _day_alone(value: Any) -> Any:
    """Keep a day without a time of day what it is: its midnight in another zone would be the day before.

    >>> _day_alone("2026-01-31"), _day_alone("2026-01-31T00:00:00Z")
    (datetime.date(2026, 1, 31), '2026-01-31T00:00:00Z')
    """
    alone = isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value)
    return date.fromisoformat(value) if alone else value


Instant = Annotated[AwareDatetime | NaiveDatetime | date, BeforeValidator(_day_alone)]


def _exact(value: float | str) -> Decimal:
    """Return an amount with the four decimals that the data contract keeps.

    >>> _exact(1e-3), _exact("49.90")
    (Decimal('0.0010'), Decimal('49.9000'))
    """
    return Decimal(str(value)).quantize(Decimal("0.0001"))


Amount = Annotated[
    Annotated[float, Field(strict=True, ge=-MOST_MONEY, le=MOST_MONEY)]
    | Annotated[str, StringConstraints(pattern=r"^-?[0-9]{1,8}(\.[0-9]{1,9})?$")],
    AfterValidator(_exact),
    PlainSerializer(lambda amount: amount, return_type=Decimal),  # else it is taken for what it was before
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OrderIn(_Strict):
    """A row of the orders table of the data contract."""

    contact_id: Word = Field(examples=["c1"])
    order_id: Word = Field(examples=["o1"])
    ordered_at: Instant = Field(examples=["2026-01-31T10:00:00Z"])
    amount: Amount | None = Field(examples=["49.90"])
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] | None = None
    category: Word | None = None
    product_id: Word | None = None
    discount: Amount | None = None
    coupon: bool | None = None
    is_gift: bool | None = None


class EventIn(_Strict):
    """A row of the events table of the data contract."""

    contact_id: Word = Field(examples=["c1"])
    occurred_at: Instant = Field(examples=["2026-02-01T08:00:00Z"])
    kind: Word = Field(examples=["email_click"])
    channel: Word | None = None
    campaign_id: Word | None = None
    value: Amount | None = None
    machine: bool | None = None
    reason: Word | None = None


class ContactIn(_Strict):
    """A row of the contacts table of the data contract. Without an e-mail address nobody can be e-mailed; none is sent back."""

    contact_id: Word = Field(examples=["c1"])
    email: Word | None = None
    phone: Word | None = None
    email_status: Word | None = None
    email_changed_at: Instant | None = None
    country: Word | None = None
    language: Word | None = None
    timezone: Word | None = None
    created_at: Instant | None = None
    acquisition_source: Word | None = None
    consent_email: bool | None = None
    consent_sms: bool | None = None
    consent_push: bool | None = None
    consent_phone: bool | None = None
    consent_post: bool | None = None
    consent_email_at: Instant | None = None
    consent_sms_at: Instant | None = None
    consent_push_at: Instant | None = None
    consent_phone_at: Instant | None = None
    consent_post_at: Instant | None = None
    is_staff: bool | None = None


class ScoreRequest(_Strict):
    """Histories of at most ten contacts."""

    orders: list[OrderIn] = Field(min_length=1, max_length=5000)
    events: list[EventIn] = Field(default=[], max_length=10_000)
    contacts: list[ContactIn] = Field(default=[], max_length=MOST_CONTACTS)

    @model_validator(mode="after")
    def _few(self) -> ScoreRequest:
        ids = {row.contact_id for row in self.orders} | {row.contact_id for row in self.events}
        ids |= {row.contact_id for row in self.contacts}
        if len(ids) > MOST_CONTACTS:
            msg = f"{len(ids)} contacts; at most {MOST_CONTACTS} at a time"
            raise ValueError(msg)
        return self


class Scored(OfRun):
    """Scores as of the day of the run, by its model."""

    model_version: str = Field(examples=["1"])
    same_settings: bool = Field(description="Whether the settings are those the run was made with.")
    contacts: list[dict[str, str | int | float | bool | date | dict[str, float | None] | None]] = Field(
        description="Columns of winback.parquet and scores.parquet, and `drivers`; `rank` is null: only a list has ranks."
    )


@router.post("/score")
def score(
    request: Request, runs: PublishedRuns, body: ScoreRequest, who: Operator, as_of: AsOf = None
) -> Scored:
    """Score the history of a few contacts as the batch would, with facts before the day of the run."""
    run = run_of(runs, as_of)
    scorer: Scorer | None = request.app.state.scorer
    if scorer is None:
        raise ConflictError("This server was started without settings.", how="Start it with `winback serve`.")
    dumped = body.model_dump()
    try:
        found = scorer.score(run, Histories(dumped["orders"], dumped["events"], dumped["contacts"]))
    except InputError as error:
        raise UnusableError(error.what, where=error.where, how=error.how) from error
    return Scored(
        as_of=run.as_of,
        run_id=run.run_id,
        model_version=run.record["model"]["version"],
        same_settings=scorer.settings.config_hash() == run.record["config_hash"],
        contacts=found,
    )
