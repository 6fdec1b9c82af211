"""``winback runs``: list the published runs, check their files, let old ones go, take the newest back."""

from __future__ import annotations

from datetime import date
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from winback_features.errors import ConfigError, InputError
from winback_serving.commands.common import Day, as_of_option, config_option, output_options
from winback_serving.horizon import horizon_in_use
from winback_serving.intact import faults_of, recorded
from winback_serving.output import Output
from winback_serving.postgres import withdraw_day
from winback_serving.prune import StoredRun, choose, outcome_days, remove, stored_runs
from winback_serving.prune import withdraw as take_back
from winback_serving.settings import Settings
from winback_serving.store import RUN_FILE, RunStore
from winback_serving.wording import count

MEGABYTE = 1_000_000


@click.group()
def runs() -> None:
    """List the published runs, check their files, let old ones go, take the newest back."""


@runs.command("list")
@config_option
@output_options
def list_(settings: Settings, out: Output) -> None:
    """List every run on disk, with its entries and its size."""
    found = stored_runs(RunStore(settings.home))
    out.result({"command": "runs list", "runs": _rows(found)}, lambda console: _show(console, found))


@runs.command()
@config_option
@as_of_option("The day to check; every day when absent.")
@output_options
def check(settings: Settings, as_of: date | None, out: Output) -> int:
    """Check that every file of every run is the one that was published, or what `winback erase` has made of it.

    Nothing is written. Exit code 2 where a file is another, or gone.
    """
    found = [run for run in RunStore(settings.home).on_disk() if as_of in (None, run.as_of)]
    files, faults = 0, []
    with out.working() as work:
        for run in found:
            work.say(f"Checking run {run.run_id} of {run.as_of}")
            try:
                files += len(recorded(run))
                wrong = faults_of(run)
            except InputError as error:
                wrong = {RUN_FILE: error.what.rstrip(".")}
            faults += [
                {"as_of": run.as_of, "run_id": run.run_id, "file": name, "fault": fault}
                for name, fault in wrong.items()
            ]
    fields = {"command": "runs check", "ok": not faults, "runs": len(found), "files": files, "faults": faults}
    out.result(fields, lambda console: _show_check(console, fields))
    return InputError.exit_code if faults else 0


@runs.command()
@config_option
@click.option(
    "--keep-days", type=click.IntRange(min=1), help="Days to keep; operations.keep_days when absent."
)
@click.option("--forget-outcomes", is_flag=True, help="Also runs whose entries' outcomes are still read.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@output_options
def prune(
    settings: Settings, keep_days: int | None, forget_outcomes: bool, dry_run: bool, out: Output
) -> None:
    """Remove runs older than --keep-days, counted back from the newest one.

    The newest two stay, and so does a run on whose day contacts entered while what became of them is still read, unless
    --forget-outcomes.
    """
    keep = keep_days or settings.operations.keep_days
    if keep is None:
        how = "Say --keep-days, or set it under [operations]."
        raise ConfigError("It is not said how many days to keep.", where="operations.keep_days", how=how)
    store = RunStore(settings.home)

    def chosen() -> tuple[list[StoredRun], list[StoredRun]]:
        window = settings.outcomes.window_days or (horizon_in_use(settings) if store.days() else 0)
        needed = outcome_days(window, settings.outcomes.later_days)
        return choose(stored_runs(store), keep, forget_outcomes=forget_outcomes, read_days=needed)

    if dry_run:
        gone, held = chosen()
    else:
        with store.lock("runs prune", say=out.warn, most_hours=settings.operations.lock_hours):
            gone, held = chosen()
            remove(store, [stored.run for stored in gone])
    if held:
        out.warn(
            f"{len(held)} older runs stay: what became of those flagged on their days is still read. "
            "--forget-outcomes removes them too."
        )
    fields: dict[str, Any] = {"command": "runs prune", "dry_run": dry_run, "keep_days": keep}
    freed = sum(stored.bytes for stored in gone)
    fields |= {"removed": _rows(gone), "held": _rows(held), "bytes": freed}
    word = "Would remove" if dry_run else "Removed"

    def show(console: Console) -> None:
        if gone:
            _show(console, gone)
        console.print(f"{word} {len(gone)} runs, {freed / MEGABYTE:,.1f} MB.")

    out.result(fields, show)


@runs.command()
@click.argument("day", type=Day(), metavar="DATE")
@config_option
@output_options
def withdraw(settings: Settings, day: date, out: Output) -> None:
    """Take the newest published day back, such as one that a wrong clock made."""
    store = RunStore(settings.home)
    with store.lock("runs withdraw", say=out.warn, most_hours=settings.operations.lock_hours):
        gone = take_back(store, day)
    copied = bool(settings.publish.postgres) and withdraw_day(day, settings.publish)
    left = store.list_runs()
    newest = left[-1].as_of if left else None
    fields = {
        "command": "runs withdraw",
        "day": day,
        "removed": [run.run_id for run in gone],
        "newest": newest,
        "postgres": copied,
    }
    now = f"the newest is now of {newest}" if newest else "no run is left"
    there = ", in PostgreSQL too" if copied else ""
    out.result(fields, lambda console: console.print(f"Withdrew the day {day}{there}; {now}."))


def _show_check(console: Console, fields: dict[str, Any]) -> None:
    for fault in fields["faults"]:
        text = f"{fault['as_of']}/{fault['run_id']}/{fault['file']}: {fault['fault']}"
        console.print(escape(text), soft_wrap=True, style="red")
    if not fields["runs"]:
        console.print("There is no run to look at.")
        return
    told = f"Looked at {count(fields['files'], 'file')} of {count(fields['runs'], 'run')}"
    if fields["faults"]:
        how = "bring these runs back from the backup, or delete their folders and score their days again"
    else:
        how = "each is as it was published, or as an erasure left it"
    console.print(f"{told}: {how}.", soft_wrap=True)


def _rows(found: list[StoredRun]) -> list[dict[str, Any]]:
    return [
        {
            "as_of": stored.run.as_of,
            "run_id": stored.run.run_id,
            "current": stored.current,
            "entries": stored.entries,
            "bytes": stored.bytes,
        }
        for stored in found
    ]


def _show(console: Console, found: list[StoredRun]) -> None:
    table = Table("day", "run", "read", "entries", "MB", box=None)
    for name in ("entries", "MB"):
        next(column for column in table.columns if column.header == name).justify = "right"
    for stored in found:
        read = "yes" if stored.current else "replaced"
        size = f"{stored.bytes / MEGABYTE:,.1f}"
        table.add_row(str(stored.run.as_of), stored.run.run_id, read, f"{stored.entries:,}", size)
    console.print(table)
