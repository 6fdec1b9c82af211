"""The API under ``/api/v1``: one router for each resource."""

from __future__ import annotations

from winback_serving.web.api import changes, lists, runs, score, system

ROUTERS = (runs.router, lists.router, changes.router, score.router, system.router)
"""In the order of the documentation."""
