"""``winback segments``: what the base looks like, who moved, and which segments deserve content of their own."""

from __future__ import annotations

from datetime import date
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from winback_features.config import EngineConfig
from winback_features.engine import open_engine
from winback_policy.moves import moves_matrix, totals
from winback_policy.strategies import STRATEGIES
from winback_serving.commands.common import Day, as_of_option, chosen_runs, config_option, output_options
from winback_serving.output import Output
from winback_serving.run_segments import described_counts, moves_between, rfm_views
from winback_serving.settings import Settings
from winback_serving.store import PublishedRun
from winback_serving.wording import count, number, percent

MOST_MOVES = 12
TITLES = {
    "relationship_tier": "relationship",
    "tenure_band": "known for",
    "recency_band": "last purchase",
    "last_behaviour": "last behaviour",
}


@click.command()
@config_option
@as_of_option("The day of the run; the newest published one when absent.")
@click.option("--since", type=Day(), metavar="DATE", help="Moves since the run of this day; the one before.")
@output_options
def segments(settings: Settings, as_of: date | None, since: date | None, out: Output) -> None:
    """Say how large the segments of a run are, what is at risk in them, and who moved.

    A move is real when the contact itself moved, and a threshold move when only the others did.
    """
    run, before = chosen_runs(settings, as_of, since)
    with open_engine(EngineConfig()) as backend:
        views = rfm_views(backend, run)
        counts = described_counts(backend, run)
        moved = None
        if before is not None:
            moved = moves_matrix(moves_between(backend, before, run)).to_pyarrow().to_pylist()
    strategies = STRATEGIES[settings.policy.language]
    fields: dict[str, Any] = {
        "command": "segments",
        "as_of": run.as_of,
        "run_id": run.run_id,
        "rfm": [{**view, "strategy": strategies[view["name"]]} for view in views],
        "since": before.as_of if before else None,
        "moves": None if moved is None else totals(moved),
        "moves_matrix": moved,
        **counts,
    }
    out.result(fields, lambda console: _show(console, run, settings, fields))


def _show(console: Console, run: PublishedRun, settings: Settings, fields: dict[str, Any]) -> None:
    buyers = sum(view["contacts"] for view in fields["rfm"])
    console.print(f"{count(buyers, 'buyer')} on {run.as_of}, by RFM", style="bold")
    table = _table("segment", "buyers", "of all", f"{settings.brand.currency} at risk", "content of its own?")
    for view in fields["rfm"]:
        hint = view["hint"] + (f": {view['shares_with']}" if view["shares_with"] else "")
        value = number(view["value_at_risk"])
        table.add_row(view["name"], f"{view['contacts']:,}", percent(view["share"]), value, hint)
    console.print(table)
    _show_moves(console, fields)
    for name, title in TITLES.items():
        if name in fields:
            told = (f"{row[name]} {row['contacts']:,}" for row in fields[name])
            console.print(f"\n{title}: {', '.join(told)}", soft_wrap=True)
    if "cells" in fields:
        table = _table("buyers × clickers", "contacts", "what that asks for")
        for row in fields["cells"]:
            table.add_row(row["buyer_clicker_cell"], f"{row['contacts']:,}", row["cell_action"])
        console.print()
        console.print(table)


def _show_moves(console: Console, fields: dict[str, Any]) -> None:
    if fields["moves"] is None:
        console.print("\nThere is no earlier run: no moves.")
        return
    told = ", ".join(f"{kind} {contacts:,}" for kind, contacts in fields["moves"].items())
    console.print(f"\nMoves since {fields['since']}: {told}", style="bold", soft_wrap=True)
    moves = [row for row in fields["moves_matrix"] if row["move"] in ("real", "threshold")]
    largest = sorted(moves, key=lambda row: -row["contacts"])[:MOST_MOVES]
    if not largest:
        return
    table = _table("from", "contacts", "to", "")
    for row in largest:
        table.add_row(row["segment_before"], f"{row['contacts']:,}", row["segment_after"], row["move"])
    console.print(table)
    if len(moves) > len(largest):
        console.print(f"  … and {len(moves) - len(largest)} smaller ones; --json gives all")


def _table(*columns: str) -> Table:
    """Return a plain table with its numbers, from the second column on, to the right."""
    table = Table(*columns, box=None, pad_edge=False)
    for place, column in enumerate(columns):
        if column in ("buyers", "contacts", "of all") or column.endswith("at risk"):
            table.columns[place].justify = "right"
    return table
