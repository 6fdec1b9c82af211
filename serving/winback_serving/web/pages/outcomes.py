"""What was sent, what came of it, and whom it moves, as ``winback outcomes`` and ``winback uplift`` last read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from winback_serving.outcomes_told import Teller
from winback_serving.web.pages.uplift_told import tell_uplift
from winback_serving.web.pages.view import CurrentView

router = APIRouter(include_in_schema=False)
FILE = "outcomes.json"
UPLIFT = Path("uplift", "verdict.json")


@router.get("/outcomes", response_class=HTMLResponse)
def show_outcomes(v: CurrentView) -> HTMLResponse:
    """Show the last reading of outcomes; the next step where there is none."""
    home = v.request.app.state.home
    found, verdict = read_file(home), read_object(home / UPLIFT)
    currency = found["currency"] if found else v.currency
    teller = Teller(v.t, v.f, currency or "")
    return v.page(
        "outcomes",
        found=found,
        lead=teller.lead(found) if found else [],
        told=teller.parts(found) if found else [],
        uplift=tell_uplift(verdict, v.t, v.f, currency) if verdict else None,
    )


def read_file(home: Path) -> dict[str, Any] | None:
    """Return ``outcomes.json`` of a home folder; None where there is none, or half of one."""
    found = read_object(home / FILE)
    return found if found and "told" in found else None


def read_object(path: Path) -> dict[str, Any] | None:
    """Return a JSON object; None where there is none, or half of one."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
