"""``winback outcomes``: what was sent, and what came of it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from winback_features.config import EngineConfig
from winback_features.engine import open_engine
from winback_features.errors import ConfigError
from winback_policy.outcomes.readout import Readout
from winback_serving.commands.common import as_of_option, output_options, today
from winback_serving.commands.inputs import read_inputs
from winback_serving.experiment_table import ExperimentTable, read_experiment
from winback_serving.horizon import horizon_in_use
from winback_serving.outcomes import Outcomes, read_outcomes
from winback_serving.outcomes_metrics import flat_metrics
from winback_serving.outcomes_report import LANGUAGE, render_experiment, render_outcomes, write_outcomes
from winback_serving.outcomes_told import Teller
from winback_serving.output import Output
from winback_serving.run_record import default_day
from winback_serving.settings import Settings, load_settings
from winback_serving.store import RunStore, write_atomically
from winback_serving.suppression import suppressed_keys, without_suppressed


@click.command()
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    default=Path("winback.toml"),
    show_default=True,
    help="The settings file; not needed with --experiment.",
)
@as_of_option("Use only what happened before this day; the day after the newest order when absent.")
@click.option("--mlflow/--no-mlflow", default=True, show_default=True, help="Whether to log the readout.")
@click.option(
    "--experiment", metavar="FILE", help="Read a finished experiment: a table with one row per contact."
)
@click.option("--arm-column", default="arm", show_default=True, metavar="NAME", help="Its column of the arm.")
@click.option("--control", default="control", show_default=True, metavar="ARM", help="The arm left alone.")
@click.option(
    "--converted",
    default="converted",
    show_default=True,
    metavar="NAME",
    help="Its column of who converted, 0 or 1.",
)
@click.option("--amount", metavar="NAME", help="Its column of what was spent.")
@click.option("--covariate", multiple=True, metavar="NAME", help="A number known before; may be repeated.")
@click.option("--by", multiple=True, metavar="NAME", help="A column to read apart; may be repeated.")
@click.option("--where", metavar="SQL", help="Which contacts to look at, such as 'recency >= 7'.")
@click.option(
    "--share", multiple=True, metavar="ARM=NUMBER", help="Agreed share of an arm; all alike when absent."
)
@click.option(
    "--report", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write the page here."
)
@output_options
def outcomes(
    config: Path,
    as_of: date | None,
    mlflow: bool,
    experiment: str | None,
    arm_column: str,
    control: str,
    converted: str,
    amount: str | None,
    covariate: tuple[str, ...],
    by: tuple[str, ...],
    where: str | None,
    share: tuple[str, ...],
    report: Path | None,
    out: Output,
) -> None:
    """Read what was sent and what came of it.

    Follows everybody who entered in the published runs, by the arm drawn at entry, through windows that have closed; freezes
    each day's sums; and writes outcomes.json and outcomes.html into the home folder. With --experiment it reads any finished
    randomised experiment from one table instead, and needs no settings.
    """
    if experiment:
        what = ExperimentTable(
            experiment, arm_column, control, converted, amount, covariate, by, where, _shares(share)
        )
        _experiment(what, report, out)
        return
    settings = load_settings(config)
    found = _own(settings, as_of, out)
    home = settings.home
    page = write_outcomes(home, found, settings.brand.name)
    if report:
        write_atomically(report, render_outcomes(found, settings.brand.name))
    if mlflow and found.readout:
        _log(settings, found, [home / "outcomes.json", page])

    def show(console: Console) -> None:
        for sentence in Teller.of(LANGUAGE, found.currency).lead(found.as_dict()):
            console.print(sentence, markup=False, soft_wrap=True)
        for readout in (found.readout, *found.experiments.values()):
            if readout:
                show_readout(console, readout, found.currency)
        console.print(f"The page: {page}", markup=False, soft_wrap=True)

    out.result({"command": "outcomes", "report": page, **found.as_dict()}, show)


def _own(settings: Settings, as_of: date | None, out: Output) -> Outcomes:
    RunStore(settings.home).read_run()
    with out.working() as work, open_engine(settings.engine) as backend:
        now = today(settings)
        tables = read_inputs(backend, settings, now, work)
        end = min(as_of or now, default_day(tables.report, now))
        tables = without_suppressed(tables, suppressed_keys(settings.home))
        work.say(f"Following the entries of the published runs until {end}")
        return read_outcomes(
            settings.home,
            tables,
            end,
            settings.outcomes,
            settings.policy,
            horizon_days=horizon_in_use(settings),
            currency=settings.brand.currency,
            margin_share=settings.score.margin_share,
        )


def _experiment(what: ExperimentTable, report: Path | None, out: Output) -> None:
    with open_engine(EngineConfig()) as backend:
        found = read_experiment(backend, what)
    if report:
        write_atomically(report, render_experiment(found, Path(what.path).stem))

    def show(console: Console) -> None:
        show_readout(console, found, "")
        if report:
            console.print(f"The page: {report}", markup=False, soft_wrap=True)

    out.result({"command": "outcomes", "report": report and str(report), "readout": found.as_dict()}, show)


def _shares(given: tuple[str, ...]) -> dict[str, float]:
    out = {}
    for text in given:
        arm, _, number = text.rpartition("=")
        try:
            out[arm] = float(number)
        except ValueError:
            out[arm] = 0.0
        if not arm or not out[arm] > 0:
            raise ConfigError(f"{text!r} is no share.", where="--share", how="Write it like control=0.1.")
    return out


def _log(settings: Settings, found: Outcomes, files: list[Path]) -> None:
    """Log a reading as one run of the experiment tracker."""
    from winback_training.tracking import log_outcomes  # MLflow is slow to import, and not always asked for

    readout = found.readout
    if readout is not None:
        log_outcomes(
            f"outcomes {found.as_of.isoformat()}",
            flat_metrics(readout),
            files,
            tracking_uri=settings.tracking_uri,
            artifact_root=settings.artifact_root,
        )


def show_readout(console: Console, found: Readout, currency: str) -> None:
    """Print what came out: sentences, and the effects as a table."""
    teller, said = Teller.of(LANGUAGE, currency), found.as_dict()
    for sentence in teller.part("", said).sentences:
        console.print(sentence, markup=False, soft_wrap=True)
    effects = teller.effects(said, once=False)
    table = Table(*effects["heads"], box=None, pad_edge=False)
    for row in effects["rows"]:
        table.add_row(*row)
    console.print(table)
    for sentence in teller.stands_out(said):
        console.print(sentence, markup=False, soft_wrap=True)
