"""``winback simulate``: a made-up shop of any size whose truth is known."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from winback_models.simulate.world import World
from winback_serving.clock import today_in
from winback_serving.commands.common import output_options
from winback_serving.output import Output
from winback_serving.simulated import SETTINGS_FILE, ZONE, write_shop


@click.command()
@click.option("--contacts", type=click.IntRange(1), required=True, help="How many contacts.")
@click.option("--days", type=click.IntRange(30, 3650), default=730, show_default=True, help="Days of facts.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Which of such shops.")
@click.option(
    "--out", "folder", type=click.Path(path_type=Path), required=True, help="A new folder for the files."
)
@click.option("--dirt", is_flag=True, help="Add bad rows of every kind, counted in dirt.json.")
@output_options
def simulate(contacts: int, days: int, seed: int, folder: Path, dirt: bool, out: Output) -> None:
    """Write a made-up shop: orders, events and contacts, with the truth beside them.

    The same numbers give the same bytes. A larger shop begins with the contacts of a smaller one.
    """
    world = World(contacts=contacts, days=days, seed=seed)
    with out.working() as work:
        work.say("Making up a shop")
        rows = write_shop(world, folder, dirt=dirt, tick=work.tick)
    fields: dict[str, Any] = {
        "command": "simulate",
        "path": folder,
        "rows": rows,
        "first_day": world.first_day,
        "last_day": world.end - timedelta(days=1),
        "as_of": world.end,
    }

    if world.end > (now := today_in(ZONE)):
        out.warn(
            f"Its facts run on to {world.end - timedelta(days=1)}, and what has not happened yet is refused as input. "
            f"Say at most --days {(now - world.first_day).days}."
        )

    def show(console: Console) -> None:
        counted = ", ".join(
            f"{n:,} {name}" for name, n in rows.items() if name in ("orders", "events", "contacts")
        )
        console.print(f"Wrote {counted} and their truth into {escape(str(folder))}.", soft_wrap=True)
        console.print(
            f"Next: winback train -c {escape(str(folder / SETTINGS_FILE))} --as-of {world.end}",
            soft_wrap=True,
        )

    out.result(fields, show)
