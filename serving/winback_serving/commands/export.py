"""``winback export``: a list of a published run as a file for the tool that works with it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from winback_serving.commands.common import Day, as_of_option, chosen_runs, config_option, output_options
from winback_serving.export import Exported, ExportRequest, LeftOut, write_export
from winback_serving.exports.bounce import MAX_EXPOSURE
from winback_serving.exports.formats import FORMATS
from winback_serving.exports.release import BatchExported, release_batch
from winback_serving.lists import LISTS
from winback_serving.output import Output
from winback_serving.settings import Settings
from winback_serving.store import PublishedRun
from winback_serving.wording import EXITS, plain

REASONS = {
    "no_key": "nothing usable in the column that {to} knows contacts by",
    "duplicate_email": "the e-mail address stands in the file already, for a contact that ranks higher",
    "refused_address": "another contact with this e-mail address refused e-mail, objected or bounced",
}
FELL_OUT = {
    **{name: f"since the run: {words}" for name, words in EXITS.items()},
    "purchased": "bought since the run",
    "complained": "reported a mail as spam since the run",
    "gone": "the newest run knows them no more",
    "left_list": "not on this list any more in the newest run",
}
"""Why somebody is left out of a batch though the list's run has them."""
_NEXT = "Send it; the next one looks at its complaints and bounces first."


@click.command()
@config_option
@click.option("--to", type=click.Choice(list(FORMATS)), default="csv", show_default=True, help="The format.")
@click.option(
    "--list", "name", type=click.Choice(list(LISTS)), default="winback", show_default=True, help="What."
)
@click.option("--out", "file", type=click.Path(path_type=Path), required=True, help="The file to write.")
@as_of_option("The day of the run; the newest published one when absent.")
@click.option("--delta", is_flag=True, help="Only what changed since the previous run, with those who left.")
@click.option("--since", type=Day(), metavar="DATE", help="With --delta: since the run of this day.")
@click.option("--batches", type=int, default=1, show_default=True, help="So many files, best first.")
@click.option("--batch", type=int, help="Only this batch, once the ones before it brought no trouble.")
@click.option(
    "--max-bounce-exposure",
    type=float,
    default=MAX_EXPOSURE,
    show_default=True,
    help="Refuse a list of which a larger share of e-mails is likely to bounce.",
)
@click.option("--force", is_flag=True, help="Write it although a gate refuses.")
@output_options
def export(
    settings: Settings,
    to: str,
    name: str,
    file: Path,
    as_of: date | None,
    delta: bool,
    since: date | None,
    batches: int,
    batch: int | None,
    max_bounce_exposure: float,
    force: bool,
    out: Output,
) -> None:
    """Write a list of a published run to a file.

    A CSV is safe to open in a spreadsheet: a text that would run as a formula gets an apostrophe in front.
    """
    if since is not None and not delta:
        raise click.UsageError("--since goes with --delta.")
    run, before = chosen_runs(settings, as_of, since)
    request = ExportRequest(name, to, file, before, delta, batches, max_bounce_exposure, force, batch)
    released = release_batch(settings, run, request) if batch is not None else None
    exported = released.exported if released else write_export(run, request)
    fields = _fields(run, request, exported) | ({"release": _release(released)} if released else {})

    def show(console: Console) -> None:
        _show(console, run, request, exported)
        if released:
            _show_release(console, run, request, released)

    out.result(fields, show)


def _release(done: BatchExported) -> dict[str, Any]:
    told = asdict(done.released)
    known = {"inputs_until": done.fallen.inputs_until, "newest_run": done.fallen.newest_run}
    readings = [reading.as_dict() for reading in done.readings]
    return {**told, "again": done.again, "same": done.same, **known, "readings": readings}


def _show_release(console: Console, run: PublishedRun, request: ExportRequest, done: BatchExported) -> None:
    until, newest = done.fallen.inputs_until, done.fallen.newest_run
    known = f"inputs up to {until or 'no day'}" + (f", run of {newest}" if newest else ", no newer run")
    console.print(f"Who has fallen out since the run is known from: {known}.", soft_wrap=True)
    if newest is None and (until is None or until < run.as_of):
        text = "[yellow]Nothing is known of the days since: bring newer inputs, or somebody who bought is written to.[/]"
        console.print(text, soft_wrap=True)
    for reading in done.readings:
        console.print(f"Before it: {reading.said()}", soft_wrap=True)
    if not done.again:
        console.print(f"Batch {request.batch} of {request.batches} is released. {_NEXT}", soft_wrap=True)
        return
    console.print(
        f"Batch {request.batch} was released at {done.released.released_at} already.", soft_wrap=True
    )
    if not done.same:
        told = "[yellow]It is not the same file: somebody has fallen out or was erased since, or winback is another.[/]"
        console.print(told, soft_wrap=True)


def _fields(run: PublishedRun, request: ExportRequest, exported: Exported) -> dict[str, Any]:
    def told(groups: dict[str, LeftOut]) -> dict[str, Any]:
        return {name: {"count": out.count, "contacts": out.contacts} for name, out in groups.items()}

    return {
        "command": "export",
        "as_of": run.as_of,
        "run_id": run.run_id,
        "list": request.name,
        "to": request.to,
        "delta_since": request.before.as_of if request.delta and request.before else None,
        "rows": exported.rows,
        "path": request.out,
        "files": [{"path": f.path, "rows": f.rows} for f in exported.files],
        "removals": [{"path": f.path, "rows": f.rows} for f in exported.removals],
        "left_out": told(exported.left_out),
        "blanked": told(exported.blanked),
        "bounce_exposure": exported.exposure.as_dict() if exported.exposure else None,
    }


def _show(console: Console, run: PublishedRun, request: ExportRequest, exported: Exported) -> None:
    def line(text: str) -> None:
        console.print(escape(text), soft_wrap=True)

    for written in exported.files:
        line(f"Wrote {written.rows:,} rows of {request.name}, {run.as_of}, to {written.path}.")
    for written in exported.removals:
        line(f"Wrote {written.rows:,} rows to take out first to {written.path}.")
    if request.delta and request.before is None:
        line("There is no earlier run: everything is new.")
    if exported.exposure is not None and exported.exposure.addresses:
        share, addresses = exported.exposure.share, exported.exposure.addresses
        line(f"Likely to bounce: {share:.2%} of {addresses:,} e-mails.")
    for reason, out in exported.left_out.items():
        why = (FELL_OUT | REASONS)[reason].format(to=request.to)
        line(f"Left out {_named(out)}: {why}.")
    for column, out in exported.blanked.items():
        line(f"Left {column} empty for {_named(out)}: not in the form that {request.to} reads.")


def _named(out: LeftOut) -> str:
    more = ", …" if out.count > len(out.contacts) else ""
    return (
        f"{out.count:,} contact{'s' if out.count != 1 else ''} ({', '.join(map(plain, out.contacts))}{more})"
    )
