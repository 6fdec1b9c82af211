"""The numbers of the last daily job as a text file that Prometheus' node exporter reads (its textfile collector)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from winback_serving.store import TIMINGS_FILE, PublishedRun, write_atomically


def write_metrics(path: Path, run: PublishedRun, *, trained_on: date | None, now: float) -> None:
    """Write the metrics of a run that was just published, or found published, so that a reader never sees half.

    Parameters
    ----------
    path : Path
        Should end in ``.prom``; its folder must exist.
    run : PublishedRun
    trained_on : date or None
        Day as of which the champion was trained.
    now : float
        Seconds since 1970: the time of success.
    """
    seconds = json.loads((run.folder / TIMINGS_FILE).read_text(encoding="utf-8"))
    left = pq.read_table(run.file("exits"), columns=["exit_reason"])["exit_reason"]
    exits = Counter(left.to_pylist())
    write_atomically(path, render_metrics(run.info(), seconds, exits, trained_on=trained_on, now=now))


def render_metrics(
    info: Mapping[str, Any],
    seconds: Mapping[str, float],
    exits: Mapping[str, int],
    *,
    trained_on: date | None,
    now: float,
) -> str:
    """Return the metrics in Prometheus' text format.

    Parameters
    ----------
    info : mapping
        The run's ``run.json``.
    seconds : mapping
        Of each step, from ``timings.json``.
    exits : mapping
        Contacts that left today, by reason.
    trained_on : date or None
    now : float

    Returns
    -------
    str
        Every name begins with ``winback_``; no label holds anything of a contact.
    """
    registry = CollectorRegistry()

    def gauge(name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"winback_{name}", text, labels, registry=registry)

    def by_label(name: str, text: str, label: str, values: Mapping[str, float]) -> None:
        found = gauge(name, text, label)
        for key, value in sorted(values.items()):
            found.labels(key).set(value)

    as_of, counts = date.fromisoformat(info["as_of"]), info["counts"]
    midnight = datetime(as_of.year, as_of.month, as_of.day, tzinfo=UTC)
    gauge("last_success_timestamp_seconds", "When the daily job ended well.").set(now)
    gauge("run_as_of_timestamp_seconds", "The day that was scored, at midnight UTC.").set(
        midnight.timestamp()
    )
    about = gauge(
        "run_info", "The run, its model and the version that made it.", "run_id", "model", "version"
    )
    about.labels(info["run_id"], f"{info['model']['name']} {info['model']['version']}", info["winback"]).set(
        1
    )
    by_label("step_duration_seconds", "Seconds that a step took when the run was made.", "step", seconds)
    gauge("contacts_scored", "Contacts with a score.").set(counts["scored"])
    by_label("contacts", "Contacts by state.", "state", counts["states"])
    by_label("not_flagged", "Contacts not flagged, by reason.", "reason", counts["not_flagged"])
    gauge("flagged", "Contacts in win-back: those flagged today and before.").set(counts["flagged"])
    gauge("entries", "Contacts that were flagged today.").set(counts["entries"])
    by_label("exits", "Contacts that left win-back today, by reason.", "reason", exits)
    tables = info["inputs"]
    by_label(
        "input_rows",
        "Rows read, by table.",
        "table",
        {name: table["rows_in"] for name, table in tables.items()},
    )
    by_label(
        "quarantined_rows",
        "Rows put aside, by table.",
        "table",
        {name: table["rows_quarantined"] for name, table in tables.items()},
    )
    ages = {
        name: (as_of - date.fromisoformat(table["last_day"])).days
        for name, table in tables.items()
        if table["last_day"]
    }
    by_label("input_age_days", "Days from the newest fact to the day scored, by table.", "table", ages)
    if trained_on:
        gauge("model_age_days", "Days from the champion's training to the day scored.").set(
            (as_of - trained_on).days
        )
    return generate_latest(registry).decode()
