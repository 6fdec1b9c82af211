"""The API under ``/api/v1``: one router for each resource."""

from __future__ import annotations

from winback_serving.web.api import retention, runs

ROUTERS = (runs.router, retention.router)
"""In the order of the documentation."""
