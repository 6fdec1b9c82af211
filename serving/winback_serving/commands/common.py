"""What the commands share: their options, and the runs they are asked about."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import click

from winback_serving.clock import today_in
from winback_serving.joblog import FORMATS, JobLog
from winback_serving.output import Output
from winback_serving.settings import Settings, load_settings
from winback_serving.store import PublishedRun, RunStore

Command = Callable[..., Any]


class Day(click.ParamType[date]):
    """A calendar day on the command line, ``YYYY-MM-DD``."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return the day, or fail with the form that is wanted."""
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no day. Write it as 2026-01-31.", param, ctx)


def config_option(command: Command) -> Command:
    """Add ``-c/--config``; the command gets ``settings``."""

    @click.option(
        "-c",
        "--config",
        type=click.Path(path_type=Path),
        default=Path("winback.toml"),
        show_default=True,
        help="The settings file.",
    )
    @functools.wraps(command)
    def with_settings(*args: Any, config: Path, **kwargs: Any) -> Any:
        return command(*args, settings=load_settings(config), **kwargs)

    return with_settings


def output_options(command: Command) -> Command:
    """Add ``--json``, ``--debug`` and ``--log-format``; the command gets ``out``. ``main`` reads them for errors as well."""

    @click.option("--json", "as_json", is_flag=True, help="Print one machine-readable object.")
    @click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
    @click.option(
        "--log-format",
        type=click.Choice(FORMATS),
        default=FORMATS[0],
        help="Progress and errors on stderr: for people, or one JSON object a line.",
    )
    @functools.wraps(command)
    def with_output(*args: Any, as_json: bool, log_format: str, **kwargs: Any) -> Any:
        lines = JobLog() if log_format == "json" else None
        return command(*args, out=Output(as_json, lines=lines), **kwargs)

    return with_output


def as_of_option(text: str) -> Callable[[Command], Command]:
    """Add ``--as-of`` with its own help text."""
    return click.option("--as-of", type=Day(), metavar="DATE", help=text)


def chosen_runs(
    settings: Settings, as_of: date | None, since: date | None
) -> tuple[PublishedRun, PublishedRun | None]:
    """Return the run of a day, and the one of ``--since``; the newest and the one before it where none is named."""
    store = RunStore(settings.home)
    run = store.read_run(as_of)
    before = store.read_run(since) if since else store.previous_run(run.as_of)
    if before is not None and before.as_of >= run.as_of:
        raise click.UsageError(f"--since {since} is not before the run of {run.as_of}.")
    return run, before


def today(settings: Settings) -> date:
    """Return today's date where the brand is."""
    return today_in(settings.brand.timezone)
