"""The retention figures of a published run: computed by the daily job, read from the run's folder."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from winback_features.retention import retention_figures
from winback_serving.store import PublishedRun

RETENTION_FILE = "retention.json"


def write_retention(counts: pa.Table, as_of: date, horizon_days: int, currency: str, path: Path) -> None:
    """Work the retention figures of a day out and write them; the same facts give the same bytes.

    Parameters
    ----------
    counts : pyarrow.Table
        From `winback_serving.run_features.write_features`.
    as_of : date
    horizon_days : int
        Days without a purchase after which a contact is dormant.
    currency : str
        What the revenue is in.
    path : Path
        The file to write.
    """
    figures = {**retention_figures(counts, as_of, horizon_days), "currency": currency}
    path.write_text(json.dumps(figures, sort_keys=True, separators=(",", ":")) + "\n", encoding="utf-8")


def read_retention(run: PublishedRun) -> dict[str, Any] | None:
    """Return the retention figures of a run; None of one made before there were any.

    The keys are those of `winback_features.retention.retention` and ``currency``.
    """
    path = run.folder / RETENTION_FILE
    if not path.exists():
        return None
    figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return figures
