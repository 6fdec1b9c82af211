"""``winback export``: a list of a published run as a file."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from winback_serving.commands.common import as_of_option, config_option, output_options
from winback_serving.export import FORMATS, export_list
from winback_serving.lists import LISTS
from winback_serving.output import Output
from winback_serving.settings import Settings
from winback_serving.store import RunStore


@click.command()
@config_option
@click.option(
    "--to", type=click.Choice(sorted(FORMATS)), default="csv", show_default=True, help="The format."
)
@click.option(
    "--list", "name", type=click.Choice(list(LISTS)), default="winback", show_default=True, help="What."
)
@click.option("--out", "file", type=click.Path(path_type=Path), required=True, help="The file to write.")
@as_of_option("The day of the run; the newest published one when absent.")
@output_options
def export(settings: Settings, to: str, name: str, file: Path, as_of: date | None, out: Output) -> None:
    """Write a list of a published run to a file.

    A CSV is safe to open in a spreadsheet: a text that would run as a formula gets an apostrophe in front.
    """
    run = RunStore(settings.home).read_run(as_of)
    rows = export_list(run, name, to, file)
    fields = {
        "command": "export",
        "as_of": run.as_of,
        "run_id": run.run_id,
        "list": name,
        "rows": rows,
        "path": file,
    }
    out.result(
        fields, lambda console: console.print(f"Wrote {rows:,} rows of {name}, {run.as_of}, to {file}.")
    )
