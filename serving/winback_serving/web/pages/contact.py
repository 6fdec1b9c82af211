"""One contact as a run sees it: what is expected of it, why, and what to do. What came before stands at addresses of its own."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from winback_models.drivers import PREFIX
from winback_serving.store import made_earlier
from winback_serving.web.lookup import rows_of
from winback_serving.web.pages.contact_chart import HEIGHT_DRAWN, WIDTH_DRAWN
from winback_serving.web.pages.contact_past import known_contact, past_address, picture_address
from winback_serving.web.pages.view import CurrentView, View

router = APIRouter(include_in_schema=False)
DRIVERS_SHOWN = 6


@router.get("/contacts/{contact_id:path}", response_class=HTMLResponse)
def show_contact(v: CurrentView, contact_id: str) -> HTMLResponse:
    """Show one contact."""
    row = known_contact(v, contact_id)
    scored = row["p_purchase"] is not None
    return v.page(
        "contact",
        row=row,
        reasons=[row[f"reason_{n}"] for n in (1, 2, 3) if row[f"reason_{n}"]],
        picture=picture_address(v.run, contact_id) if scored else None,
        picture_size=(WIDTH_DRAWN, HEIGHT_DRAWN),
        past=past_address(v.run, contact_id),
        drivers=drivers(v, contact_id),
        curve=curve(row),
    )


def drivers(v: View, contact_id: str) -> list[tuple[str, float]]:
    """Return what raises the contact's risk, strongest first, in probability; empty where nothing was asked."""
    if "drivers" not in v.run.tables:
        raise made_earlier(v.run.published, "drivers")
    found = rows_of(v.run.folder / "drivers.parquet", contact_id)
    effects = [
        (name.removeprefix(PREFIX), float(effect))
        for row in found
        for name, effect in row.items()
        if name.startswith(PREFIX) and effect and abs(effect) >= 0.005
    ]
    return sorted(effects, key=lambda effect: -effect[1])[:DRIVERS_SHOWN]


def curve(row: dict[str, Any]) -> list[tuple[int, float]]:
    """Return P(purchase within so many days), soonest first.

    >>> curve({"p_within_28d": 0.4, "p_within_7d": 0.1, "p_alive": 1.0})
    [(7, 0.1), (28, 0.4)]
    """
    marked = ((name[9:-1], p) for name, p in row.items() if name.startswith("p_within_"))
    return sorted((int(days), p) for days, p in marked if p is not None)
