"""The pages of the server: one module and one router each, rendered from `templates` and read from one run.

``app.state.settings``, where there is one, gives the brand's name and zone, the policy and the model registry; the pages
work without.
"""

from __future__ import annotations

from fastapi import APIRouter

from winback_serving.web.pages import (
    contact,
    contact_past,
    hygiene,
    model,
    outcomes,
    retention,
    rfm,
    risk_list,
    sandbox,
    today,
)
from winback_serving.web.pages.picture import warm_up
from winback_serving.web.pages.view import render_error

PAGES: tuple[APIRouter, ...] = (
    today.router,
    risk_list.router,
    contact.router,
    contact_past.router,
    rfm.router,
    retention.router,
    model.router,
    hygiene.router,
    sandbox.router,
    outcomes.router,
)

__all__ = ["PAGES", "render_error", "warm_up"]
