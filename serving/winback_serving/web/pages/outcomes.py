"""What was sent and what came of it, as ``winback outcomes`` last read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from winback_serving.web.pages.view import CurrentView

router = APIRouter(include_in_schema=False)
FILE = "outcomes.json"


@router.get("/outcomes", response_class=HTMLResponse)
def show_outcomes(v: CurrentView) -> HTMLResponse:
    """Show the last reading of outcomes; the next step where there is none."""
    return v.page("outcomes", found=read_file(v.request.app.state.home))


def read_file(home: Path) -> dict[str, Any] | None:
    """Return ``outcomes.json`` of a home folder; None where there is none, or half of one."""
    try:
        found: dict[str, Any] = json.loads((home / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if "told" in found else None
