"""``winback retention``: who comes back, how fast, and when they fall silent, as a published run found it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from winback_features.waits import RATE_DAYS
from winback_serving.commands.common import as_of_option, config_option, output_options
from winback_serving.output import Output
from winback_serving.retention_tables import flat_tables, write_tables
from winback_serving.run_retention import read_retention
from winback_serving.settings import Settings
from winback_serving.store import RunStore, made_earlier
from winback_serving.wording import DASH, count, number, percent, plain

COHORTS, MONTHS, BINS, BAR = 12, 12, 12, 16
"""How many of each are printed, and how long the longest bar is."""


@click.command()
@config_option
@as_of_option("The day of the run; the newest published one when absent.")
@click.option(
    "--out", "folder", type=click.Path(path_type=Path), help="Write every table as CSV into this folder."
)
@output_options
def retention(settings: Settings, as_of: date | None, folder: Path | None, out: Output) -> None:
    """Say who comes back, how fast, and when they fall silent.

    Cohorts by month of the first purchase, the way from each order to the next, the gaps between purchases, the base month by
    month, and the way to the second order by acquisition source. The figures are those that the run has published.
    """
    run = RunStore(settings.home).read_run(as_of)
    found = read_retention(run)
    if found is None:
        raise made_earlier(run, "retention figures")
    files = write_tables(flat_tables(found), folder) if folder else ()
    fields = {"command": "retention", "run_id": run.run_id, **found, "files": files}
    out.result(fields, lambda console: show(console, found, files))


def show(console: Console, found: Mapping[str, Any], files: Sequence[Path] = ()) -> None:
    """Print the figures of ``retention.json`` as tables."""
    console.print(f"{count(found['contacts'], 'buyer')} before {found['as_of']}", style="bold")
    if not found["contacts"]:
        return
    _second_order(console, found["second_order"])
    _orders(console, found["by_order_number"])
    _gaps(console, found["gaps"])
    _cohorts(console, found["cohorts"])
    _lifecycle(console, found["lifecycle"], found["horizon_days"])
    _sources(console, found["sources"])
    for file in files:
        console.print(f"Written: {escape(str(file))}", soft_wrap=True)


def _second_order(console: Console, second: Mapping[str, Any]) -> None:
    table = _table("within", "come back", "95 % interval", "still waiting")
    for row in second["rates"]:
        between = DASH if row["low"] is None else f"{percent(row['low'])} to {percent(row['high'])}"
        table.add_row(f"{row['days']} days", percent(row["rate"]), between, number(row["at_risk"]))
    _print(console, "From the first to the second order", table)
    median = second["km_median_days"]
    half = "Fewer than half come back" if median is None else f"Half have come back by day {median}"
    console.print(
        f"{half}; those who did took {number(second['median_days'])} days in the middle.", soft_wrap=True
    )


def _orders(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    table = _table("order", "buyers", *(f"next in {days} d" for days in RATE_DAYS), "half by day")
    for row in rows:
        table.add_row(str(row["order"]), number(row["contacts"]), *_rates(row), number(row["km_median_days"]))
    _print(console, "From each order to the next", table)


def _gaps(console: Console, gaps: Mapping[str, Any]) -> None:
    table = _table("days", "gaps", "share", "")
    top = max((row["share"] for row in gaps["bins"]), default=0.0)
    for row in gaps["bins"][:BINS]:
        table.add_row(
            f"{row['from']} to {row['to']}",
            number(row["gaps"]),
            percent(row["share"]),
            _bar(row["share"], top),
        )
    _print(console, "Days between purchases", table, len(gaps["bins"]) - BINS)
    lines = [
        f"{percent(row['share'])} by day {row['days']}" for row in gaps["lines"] if row["days"] is not None
    ]
    if lines:
        console.print(f"Of all gaps, those still open too, closed: {', '.join(lines)}.", soft_wrap=True)


def _cohorts(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    table = _table("first", "buyers", *(f"+{month}" for month in range(1, MONTHS)))
    for row in rows[-COHORTS:]:
        cells = [
            percent(share).removesuffix(" %") + ("" if since < row["complete_months"] else "*")
            for since, share in enumerate(row["share"][1:MONTHS], start=1)
        ]
        table.add_row(row["month"], number(row["contacts"]), *cells)
    _print(
        console,
        "Per cent of a month's new buyers that buy in the months after, * month not over",
        table,
        len(rows) - COHORTS,
    )


def _lifecycle(console: Console, rows: Sequence[Mapping[str, Any]], horizon: int) -> None:
    table = _table("month", "new", "returning", "resurrecting", "dormant", "active", "")
    top = max((row["active"] for row in rows), default=0)
    names = ("new", "returning", "resurrecting", "dormant", "active")
    for row in rows[-MONTHS:]:
        month = row["month"] + ("" if row["complete"] else "*")
        table.add_row(month, *(number(row[name]) for name in names), _bar(row["active"], top))
    title = f"The base month by month, dormant after {horizon} days, * month not over"
    _print(console, title, table, len(rows) - MONTHS)


def _sources(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        console.print("\nNo acquisition source is known.")
        return
    table = _table("source", "buyers", *(f"second in {days} d" for days in RATE_DAYS), "half by day")
    for row in rows:
        name = escape(plain(row["source"])) if row["kind"] == "named" else f"({row['kind']})"
        table.add_row(name, number(row["contacts"]), *_rates(row), number(row["km_median_days"]))
    _print(console, "To the second order by acquisition source", table)


def _rates(row: Mapping[str, Any]) -> list[str]:
    known = {point["days"]: point["rate"] for point in row["rates"]}
    return [percent(known.get(days)) for days in RATE_DAYS]


def _bar(value: float, top: float) -> str:
    return "█" * round(BAR * value / top) if top else ""


def _print(console: Console, title: str, table: Table, more: int = 0) -> None:
    console.print(f"\n{title}", style="bold")
    console.print(table)
    if more > 0:
        console.print(f"  … and {more} more; --json or --out gives all")


def _table(*columns: str) -> Table:
    """Return a plain table, its first column and an unnamed one to the left, numbers to the right."""
    table = Table(box=None, pad_edge=False)
    for place, name in enumerate(columns):
        table.add_column(name, justify="right" if place and name else "left", no_wrap=not place or not name)
    return table
