"""``winback score``: the daily job."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from winback_serving.batch import score_day
from winback_serving.brief import read_brief
from winback_serving.clock import check_day
from winback_serving.commands.common import as_of_option, config_option, output_options, today
from winback_serving.export import export_list, format_of
from winback_serving.lists import top_of_list
from winback_serving.loader import load_champion
from winback_serving.metrics import write_metrics
from winback_serving.output import Output
from winback_serving.postgres import bring_up_to_date
from winback_serving.settings import Settings
from winback_serving.store import PublishedRun, RunStore
from winback_serving.summary import show_brief

TOP = 15
FOREIGN = (
    "PostgreSQL held runs that this home folder does not: {runs}. Does another one write into that schema, or was a day "
    "withdrawn? docs/engines.md says what to do."
)


@click.command()
@config_option
@as_of_option("The day to score; today when absent.")
@click.option(
    "--out", "file", type=click.Path(path_type=Path), help="Also write the list to this .csv or .parquet."
)
@click.option(
    "--accept-smaller", is_flag=True, help="Take a table also when it lost many rows since the last run."
)
@output_options
def score(
    settings: Settings, as_of: date | None, file: Path | None, accept_smaller: bool, out: Output
) -> None:
    """Do the day's work: scores, entries, exits, published as one run.

    The same day with the same inputs gives the same run again and publishes nothing new. With [publish] postgres, the run goes
    there too, with those that the database missed; if that fails, the run is published in its folder all the same.
    """
    to = format_of(file) if file else ""
    now, days = today(settings), RunStore(settings.home).days()
    day = as_of or now
    if warning := check_day(as_of, now, days[-1] if days else None):
        out.warn(warning)
    with out.working() as work:
        work.say("Loading the champion")
        champion = load_champion(settings.tracking_uri, settings.training.model_name)
        run = score_day(
            settings,
            day,
            champion.model,
            champion.digest,
            work.say,
            tick=work.tick,
            note=work.note,
            accept_smaller=accept_smaller,
        )
        counts = run.info()["counts"]
        told = ("scored", "flagged", "entries", "exits", "quarantined")
        work.note(message="Done", run_id=run.run_id, as_of=day, **{name: counts[name] for name in told})
        if settings.publish.postgres:
            work.say("Bringing the run into PostgreSQL")
            if foreign := bring_up_to_date(RunStore(settings.home).list_runs(), run, settings.publish):
                out.warn(FOREIGN.format(runs=", ".join(foreign)))
    info = run.info()
    for notice in info["notices"]:
        out.warn(notice["message"])
    if settings.metrics_file:
        trained = champion.model.info.get("trained_as_of")
        trained_on = date.fromisoformat(trained) if trained else None
        try:
            write_metrics(settings.metrics_file, run, trained_on=trained_on, now=time.time())
        except OSError as error:  # the run is published: its numbers are worth a word, not a failure
            out.warn(f"The metrics could not be written to {settings.metrics_file}: {error.strerror}.")
    top = top_of_list(run, TOP)
    fields: dict[str, Any] = {
        "command": "score",
        "published": run.fresh,
        "path": run.folder,
        "run": info,
        "top": top,
    }
    if file:
        fields["out"] = {"path": file, "rows": export_list(run, "winback", to, file)}
    out.result(fields, lambda console: show_run(console, run, settings))


def show_run(console: Console, run: PublishedRun, settings: Settings) -> None:
    """Print what came in, the top of the list, and why the others are not on it."""
    brief = read_brief(
        [run],
        brand=settings.brand.name,
        currency=settings.brand.currency,
        horizon_days=run.info()["horizon_days"],
        top=TOP,
        closed=settings.brand.closed,
    )
    show_brief(console, brief)
    word = "Published" if run.fresh else "Already published, nothing new:"
    console.print(f"\n{word} run {run.run_id} in {escape(str(run.folder))}", soft_wrap=True)
