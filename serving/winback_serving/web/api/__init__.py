"""The API under ``/api/v1``: one router for each resource."""

from __future__ import annotations

from winback_serving.web.api import changes, export, lists, outcomes, retention, runs, score, system, twins

ROUTERS = (
    runs.router,
    lists.router,
    changes.router,
    score.router,
    export.router,
    system.router,
    twins.router,
    outcomes.router,
    retention.router,
)
"""In the order of the documentation."""
