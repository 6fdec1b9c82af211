"""How the commands that look at the shop's facts read them; apart, for it takes long to import."""

from __future__ import annotations

from datetime import date
from typing import Any

from winback_features.ingest import ingest
from winback_features.tables import Tables
from winback_serving.output import Reporter
from winback_serving.settings import Settings


def read_inputs(
    backend: Any, settings: Settings, now: date, work: Reporter, *, with_log: bool = True
) -> Tables:
    """Read and check the inputs as they are ``now``, the campaign log among them where the command has a use for it."""
    work.say("Reading and checking the inputs")
    return ingest(
        backend, settings.source, settings.brand, today=now, base_dir=settings.base_dir, with_log=with_log
    )
