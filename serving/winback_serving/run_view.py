"""A published run for people: the top of the list, who came and went, who is not on it and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from winback_serving.store import PublishedRun

WIDE = 110
"""From this width on the reasons stand in a column of their own."""


def show_run(
    console: Console, run: PublishedRun, info: Mapping[str, Any], top: Sequence[Mapping[str, Any]]
) -> None:
    """Print a run.

    Parameters
    ----------
    console : rich.console.Console
    run : PublishedRun
    info : mapping
        Its ``run.json``.
    top : sequence of mapping
        Rows of ``winback_serving.lists.top_of_list``.
    """
    counts = info["counts"]
    for name, table in info["inputs"].items():
        console.print(
            f"{name}: {table['rows_in']:,} rows in = {table['rows_used']:,} used"
            f" + {table['rows_quarantined']:,} quarantined"
        )
    console.print(
        f"contacts: {counts['contacts']:,} = {counts['flagged']:,} flagged"
        f" + {counts['contacts'] - counts['flagged']:,} not flagged;"
        f" {counts['entries']:,} entered, {counts['exits']:,} left on {run.as_of}\n"
    )
    if top:
        show_list(console, top)
    else:
        console.print("Nobody is flagged today.")
    if counts["not_flagged"]:
        console.print("\nNot flagged, by reason:")
        for reason, rows in sorted(counts["not_flagged"].items(), key=lambda item: (-item[1], item[0])):
            console.print(f"  {rows:>9,}  {reason.replace('_', ' ')}")
    word = "Published" if run.fresh else "Already published, nothing new:"
    console.print(f"\n{word} run {run.run_id} in {escape(str(run.folder))}", soft_wrap=True)


def show_list(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the list so that it fits: on a narrow terminal the reasons follow below the table.

    Parameters
    ----------
    console : rich.console.Console
    rows : sequence of mapping
    """
    wide = console.width >= WIDE
    table = Table(box=None, pad_edge=False)
    table.add_column("#", justify="right")
    table.add_column("contact", overflow="fold", max_width=24)
    table.add_column("next purchase")
    table.add_column("overdue", justify="right")
    table.add_column("P(buys)", justify="right")
    table.add_column("at risk", justify="right")
    if wide:
        table.add_column("why", overflow="fold")
    for row in rows:
        cells = [
            str(row["rank"]),
            escape(row["contact_id"]),
            _date(row["next_purchase_date"]),
            _days(row["days_overdue"]),
            _share(row["p_purchase"]),
            _money(row["value_at_risk"], row["currency"]),
        ]
        table.add_row(*cells, *([_reasons(row)] if wide else []))
    console.print(table)
    if not wide:
        console.print()
        for row in rows:
            console.print(f"[dim]{row['rank']:>3}[/] {escape(row['contact_id'])}: {_reasons(row)}")


def _reasons(row: Mapping[str, Any]) -> str:
    return "; ".join(escape(row[f"reason_{i}"]) for i in (1, 2, 3) if row[f"reason_{i}"])


def _date(day: Any) -> str:
    return str(day) if day is not None else "–"


def _days(days: float | None) -> str:
    return "–" if days is None else f"{days:+.0f} d"


def _share(p: float | None) -> str:
    return "–" if p is None else f"{p:.0%}"


def _money(value: Any, currency: str | None) -> str:
    return "–" if value is None else f"{float(value):,.0f} {currency or ''}".strip()
