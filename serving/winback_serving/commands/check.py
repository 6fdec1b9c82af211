"""``winback check``: read the inputs and say what is wrong with them."""

from __future__ import annotations

from typing import Any

import click
import ibis
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from winback_features.category_gaps import count_category_gaps
from winback_features.engine import open_engine
from winback_features.reports import IngestReport, TableReport
from winback_features.tables import Tables
from winback_serving.category_notices import category_notices, unknown_categories
from winback_serving.commands.common import config_option, output_options, today
from winback_serving.commands.inputs import read_inputs
from winback_serving.horizon import Horizon, base_rhythm, learn_horizon
from winback_serving.output import Output
from winback_serving.run_record import default_day
from winback_serving.settings import Settings
from winback_serving.wording import count

OFFENDERS = 10
"""Quarantined rows shown at most: the first of each fault."""


@click.command()
@config_option
@output_options
def check(settings: Settings, out: Output) -> None:
    """Read the inputs and say what is wrong and how to mend it.

    Nothing is written. A table that breaks the contract ends with exit code 2; rows that do are counted by
    reason, with the first of each.
    """
    with out.working() as work, open_engine(settings.engine) as backend:
        now = today(settings)
        tables = read_inputs(backend, settings, now, work)
        day = default_day(tables.report, now)
        offenders = first_offenders(tables)
        horizon = learn_horizon(tables, day) if settings.horizon_auto else None
        told = (horizon.cadence_days, horizon.notices) if horizon else None
        cadence, notices = told or base_rhythm(tables, day, settings.score.horizon_days)
        by_category = settings.score.category_gap_days
        unknown = unknown_categories(tables, by_category)
        notices += category_notices(count_category_gaps(tables, day), by_category, unknown)
    fields: dict[str, Any] = {
        "command": "check",
        "tables": tables.report.as_dict(),
        "first_offenders": offenders,
        "horizon_days": horizon.days if horizon else settings.score.horizon_days,
        "cadence_days": cadence,
        "notices": notices,
    }
    for notice in notices:
        out.warn(notice)
    out.result(fields, lambda console: show_check(console, tables.report, offenders, horizon, cadence))


def first_offenders(tables: Tables) -> list[dict[str, Any]]:
    """Return the first quarantined row of each table, reason and column."""
    bad = tables.quarantine
    window = ibis.window(group_by=["table", "reason", "column"], order_by=["row_number", "key", "value"])
    first = bad.mutate(place=ibis.row_number().over(window)).filter(ibis._.place == 0).drop("place")
    ordered = first.order_by(["table", "row_number", "reason", "column"]).limit(OFFENDERS)
    rows: list[dict[str, Any]] = ordered.to_pyarrow().to_pylist()
    return rows


def show_check(
    console: Console,
    report: IngestReport,
    offenders: list[dict[str, Any]],
    horizon: Horizon | None,
    cadence: int | None,
) -> None:
    """Print the tables, what was set aside and why, and what should be known."""
    table = Table("table", "rows in", "= used", "+ quarantined", "from", "to", box=None, pad_edge=False)
    for column in table.columns[1:4]:
        column.justify = "right"
    for one in report.tables:
        days = [str(day) if day else "" for day in (one.first_day, one.last_day)]
        table.add_row(one.name, f"{one.rows_in:,}", f"{one.rows_used:,}", f"{one.rows_quarantined:,}", *days)
    console.print(table)
    for one in report.tables:
        _show_faults(console, one)
    if offenders:
        console.print("\nThe first row of each kind:")
        for row in offenders:
            place = f"{row['table']} row {row['row_number']}, {row['column']}"
            text = f"  {place} = {row['value']!r}: {row['reason']}"
            console.print(escape(text), soft_wrap=True)
    if cadence:
        closed = f"half of the gaps between purchases closed within {cadence}"
        console.print(f"\nCadence: {count(cadence, 'day')} ({closed}).", soft_wrap=True)
    if horizon:
        console.print(f"Horizon: {horizon.days} days ({horizon.reason}).", soft_wrap=True)
    bad = sum(one.rows_quarantined for one in report.tables)
    console.print(f"\n[green]The inputs can be used[/]{'; quarantined rows are left out.' if bad else '.'}")


def _show_faults(console: Console, one: TableReport) -> None:
    for reason, rows in one.reasons.items():
        console.print(f"  {one.name}: {rows:,} × {reason}")
    for notice in one.warnings:
        console.print(f"  [yellow]{one.name}:[/] {escape(notice.message)}", soft_wrap=True)
