"""``winback publish``: bring published runs into the database."""

from __future__ import annotations

from datetime import date
from typing import Any

import click
from rich.console import Console

from winback_features.errors import ConfigError
from winback_serving.commands.common import as_of_option, config_option, output_options
from winback_serving.output import Output
from winback_serving.postgres import publish_run
from winback_serving.settings import Settings
from winback_serving.store import RunStore


@click.command()
@config_option
@as_of_option("The run of this day; the newest when absent.")
@click.option("--all", "every", is_flag=True, help="Every published run, oldest first.")
@output_options
def publish(settings: Settings, as_of: date | None, every: bool, out: Output) -> None:
    """Copy published runs into PostgreSQL, each in one transaction.

    A run that is there already is left alone, unless its files have changed, as after `winback erase`.
    """
    if not settings.publish.postgres:
        raise ConfigError(
            "No database is named.", where="[publish] postgres", how="Set it, or WINBACK_PUBLISH_POSTGRES."
        )
    store = RunStore(settings.home)
    newest = store.read_run(as_of)
    runs = store.list_runs() if every else [newest]
    done: list[dict[str, Any]] = []
    with out.working() as work:
        for run in runs:
            work.say(f"Bringing run {run.run_id} of {run.as_of} into PostgreSQL")
            rows = publish_run(run, settings.publish)
            done.append({"as_of": run.as_of.isoformat(), "run_id": run.run_id, "rows": rows})

    def show(console: Console) -> None:
        for run in done:
            rows = run["rows"]
            counts = ", ".join(f"{n} {name}" for name, n in rows.items()) if rows else "was there already"
            console.print(f"{run['as_of']}  {run['run_id']}  {counts}")

    out.result({"command": "publish", "runs": done}, show)
