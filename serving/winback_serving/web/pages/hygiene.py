"""What a clean base costs and saves: sleepers, data past their time, bounces, records without a purpose."""

from __future__ import annotations

from typing import Any

import ibis
from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from winback_features.config import EngineConfig
from winback_features.engine import open_engine
from winback_policy import hygiene as policy
from winback_policy.channels import CHANNELS
from winback_policy.config import PolicyConfig
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
    settings = getattr(v.request.app.state, "settings", None)
    found, due = measure(v.run, settings.policy if settings else PolicyConfig())
    return v.page("hygiene", found=found, due=due, bounces=v.run.query(_BOUNCES_SQL)[0])


@per_run
def measure(run: Run, config: PolicyConfig) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Judge every record of a run.

    Returns
    -------
    summary : dict
        See `winback_policy.hygiene.summary`.
    due : list of dict
        ``contact_id, state, due, past_retention`` of those whose data are to go first: in farewell, or past their time.
    """
    with open_engine(EngineConfig()) as backend:
        winback, features = (backend.read_parquet(run.published.file(n)) for n in ("winback", "features"))
        held = policy.records(winback, features, _status(winback), run.as_of, config)
        summary: dict[str, Any] = policy.summary(held, config).to_pyarrow().to_pylist()[0]
        going = held.filter(held.past_retention | held.farewell_due.notnull())
        dated = going.select(
            "contact_id",
            "state",
            "past_retention",
            due=ibis.coalesce(going.farewell_due, going.retention_due),
        )
        due: list[dict[str, Any]] = (
            dated.order_by("due", "contact_id").limit(DUE_SHOWN).to_pyarrow().to_pylist()
        )
    return summary, due


def _status(winback: Any) -> Any:
    """Return what a run knows of consent: e-mail's own, and whichever channel was chosen by consent."""
    by_consent = (winback.consent_basis == "consent").fill_null(False)
    known = {
        f"consent_{channel.name}": winback.consent_email if channel.name == "email" else ibis.literal(False)
        for channel in CHANNELS
    }
    known["consent_email"] = winback.consent_email.fill_null(False) | by_consent
    return winback.select("contact_id", **known)
