"""``winback erase``: take persons out of everything that is kept."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from winback_features.errors import InputError
from winback_serving.commands.common import config_option, output_options
from winback_serving.erase import Erasure
from winback_serving.erase import erase as erase_persons
from winback_serving.output import Output
from winback_serving.postgres import erase_persons as erase_in_database
from winback_serving.settings import Settings
from winback_serving.store import RunStore
from winback_serving.wording import count


@click.command()
@config_option
@click.argument("contact_ids", nargs=-1, metavar="[CONTACT_ID]...")
@click.option(
    "--file",
    "listed",
    type=click.Path(path_type=Path),
    help="A text file with one contact id on each line.",
)
@output_options
def erase(settings: Settings, contact_ids: tuple[str, ...], listed: Path | None, out: Output) -> None:
    """Erase persons from every published run, and keep them from being imported again.

    Past aggregates stay as they are. The proof names nobody. With [publish] postgres, their rows there are deleted too.
    Files that were exported before lie elsewhere: delete the person there, and in the source, as well.
    """
    ids = [*contact_ids, *(_read(listed) if listed else ())]
    with out.working() as work:
        work.say(f"Erasing {count(len(set(ids)), 'contact')}")
        proof, path = erase_persons(settings.home, ids)
        fields = {"command": "erase", "proof": path, **asdict(proof), "rows": proof.rows}
        if settings.publish.postgres:
            work.say("Erasing them in PostgreSQL")
            runs = RunStore(settings.home).list_runs()
            fields["postgres_rows"] = erase_in_database(ids, runs, settings.publish)

    def show(console: Console) -> None:
        _show(console, proof, path)
        if "postgres_rows" in fields:
            console.print(f"In PostgreSQL: {count(fields['postgres_rows'], 'row')} deleted.")

    out.result(fields, show)


def _read(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            "The list of contacts cannot be read.",
            where=str(path),
            how="Give a UTF-8 text file, one id a line.",
        ) from error
    return [line.strip() for line in lines if line.strip()]


def _show(console: Console, proof: Erasure, path: Path) -> None:
    if proof.files:
        console.print(f"Erased from {len(proof.files)} files, {proof.rows} rows.")
    else:
        console.print("No published run held them; they will not be imported.")
    if not proof.aggregates_untouched:
        console.print("[red]A past run has changed in more than these rows: look at the proof.[/red]")
    console.print(f"Proof: {escape(str(path))}")
