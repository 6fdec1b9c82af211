"""``winback demo``: the main job, end to end, on real data."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from shlex import quote
from typing import Any

import click
from rich.console import Console

from winback_features.engine import open_engine
from winback_features.tables import Tables
from winback_serving.accuracy import money_verdict, read_accuracy
from winback_serving.batch import score_day
from winback_serving.brief import Brief, read_brief, risk_bins
from winback_serving.commands.common import output_options
from winback_serving.commands.inputs import read_inputs
from winback_serving.commands.train import flat_settings
from winback_serving.demo import cohort_table, consecutive_days, contact_story
from winback_serving.demo_campaign import simulate_campaign, write_log
from winback_serving.demo_data import COMPLETE_JOURNEY, WRITERS, DemoData
from winback_serving.figures import (
    calibration_figure,
    cohort_figure,
    lift_figure,
    money_figure,
    risk_figure,
    story_figure,
    timing_figure,
)
from winback_serving.horizon import base_rhythm
from winback_serving.loader import Champion, load_champion
from winback_serving.one_page import Figure
from winback_serving.outcomes_report import write_outcomes
from winback_serving.output import Output, Reporter
from winback_serving.report import Report, write_report
from winback_serving.run_retention import read_retention
from winback_serving.settings import Settings, load_settings
from winback_serving.store import PublishedRun
from winback_serving.summary import show_brief, show_places
from winback_training.registry import promote
from winback_training.tracking import log_training
from winback_training.train import TrainingResult, train

DAYS = 5


@click.command()
@click.option(
    "--data",
    type=click.Choice(sorted(WRITERS)),
    default=COMPLETE_JOURNEY.name,
    show_default=True,
    help="Which data set to run on.",
)
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("winback-demo"),
    show_default=True,
    help="Folder for the data, settings, models, runs and report.",
)
@output_options
def demo(data: str, home: Path, out: Output) -> None:
    """Run the whole flow on real data and write a report.

    Writes the data as a shop would bring them, trains a model on what was known five days before their end,
    tests it forward, promotes it through the gate, scores the five days one after the other, and tells what
    came out. The folder keeps a winback.toml, so that every other command can be pointed at it.
    """
    begun = time.perf_counter()
    with out.working() as work:
        work.say(f"Writing the data: {data}")
        about = WRITERS[data](home)
        settings = load_settings(home / "winback.toml", {})  # the demo stays in its own folder
        days = consecutive_days(about.data_end, DAYS)
        with open_engine(settings.engine) as backend:
            tables = read_inputs(backend, settings, about.data_end, work, with_log=False)
            _, notices = base_rhythm(tables, days[0], settings.score.horizon_days)
            result = train(tables, days[0], settings.score, settings.training, work.say)
            result = replace(result, notices=(*notices, *result.notices))
            champion = _promote(settings, result, work)
            runs = [_score(settings, day, champion, work) for day in days]
            found = result.evaluation
            brief = read_brief(
                runs,
                brand=settings.brand.name,
                currency=settings.brand.currency,
                horizon_days=settings.score.horizon_days,
                accuracy=read_accuracy(found.metrics, found.differences, found.money),
            )
            work.say("Drawing the report")
            commands = _next_commands(home, runs[-1])
            report = _report(settings, tables, result, champion, runs[-1], brief, about, commands)
            path = write_report(home / "report.html", report)
            outcomes = _simulated_campaign(settings, tables, about.data_end, work)
    places = [
        ("report", str(path)),
        ("outcomes", f"{outcomes}, of a simulated campaign"),
        ("settings", str(home / "winback.toml")),
        ("runs", str(home / "runs")),
        ("models", f"{home / 'mlflow.db'}, version {champion.version} is the champion"),
    ]
    seconds = round(time.perf_counter() - begun, 1)

    def show(console: Console) -> None:
        show_brief(console, brief, people=about.people, one=about.one)
        show_places(console, places, commands)
        console.print(f"\nDone in {seconds:.0f} seconds.", style="bright_black")

    fields: dict[str, Any] = {"command": "demo", "seconds": seconds, "report": path, "home": home}
    out.result({**fields, "notices": list(result.notices), "brief": asdict(brief)}, show)


def _promote(settings: Settings, result: TrainingResult, work: Reporter) -> Champion:
    """Log and register the model, let the gate judge it, and load it as the daily job would."""
    work.say("Logging the model, and asking the gate")
    uri, name = settings.tracking_uri, settings.training.model_name
    registered = log_training(
        result,
        tracking_uri=uri,
        model_name=name,
        settings=dict(flat_settings(settings, settings.score)),
        gate=settings.gate,
        artifact_root=settings.artifact_root,
        score=settings.score,
    )
    promote(registered.version, tracking_uri=uri, model_name=name, gate=settings.gate)
    return load_champion(uri, name)


def _score(settings: Settings, day: date, champion: Champion, work: Reporter) -> PublishedRun:
    """Run the daily job for one day, as one step of the progress."""
    work.say(f"Scoring {day}")
    return score_day(settings, day, champion.model, champion.digest, tick=work.tick)


def _report(
    settings: Settings,
    tables: Tables,
    result: TrainingResult,
    champion: Champion,
    run: PublishedRun,
    brief: Brief,
    about: DemoData,
    commands: Sequence[tuple[str, str]],
) -> Report:
    """Gather the report: pictures, notes, what next."""
    figures: dict[str, Figure] = {"risk": risk_figure(risk_bins(run), settings.policy.enter_p_lapse)}
    if brief.top:
        first = brief.top[0]
        curve, bought = contact_story(tables, champion.model, first.contact_id, run.as_of, settings.score)
        figures["story"] = story_figure(
            first, curve, bought, as_of=run.as_of, trained_on=result.as_of, one=about.one
        )
    retention = read_retention(run)
    if retention and len(cohorts := cohort_table(retention["cohorts"])):
        figures["cohorts"] = cohort_figure(cohorts)
    found = result.evaluation
    if found.origins:
        figures["calibration"] = calibration_figure(found.calibration)
        figures["lift"] = lift_figure(found.lift)
        figures["timing"] = timing_figure(found.timing)
    if brief.accuracy.money:
        verdict = money_verdict(brief.accuracy.money, brief.currency)
        figures["money"] = money_figure(found.money_tenths, verdict, brief.currency)
    notes = (*about.notes, *result.notices)
    return Report(brief, about.people, about.one, about.source, notes, figures, commands)


def _simulated_campaign(settings: Settings, tables: Tables, end: date, work: Reporter) -> Path:
    """Make a campaign up over the real purchases, and write how it reads, labelled as simulated."""
    work.say("Reading a simulated campaign")
    window = max(settings.score.horizon_days // 2, 1)
    campaign = simulate_campaign(tables, end, window, settings.brand.currency)
    write_log(settings.home, campaign)
    return write_outcomes(settings.home, campaign.outcomes, settings.brand.name)


def _next_commands(home: Path, run: PublishedRun) -> list[tuple[str, str]]:
    """Return what one may type next, as it works from here."""
    winback, mlflow = quote(_program("winback")), quote(_program("mlflow"))
    config, listed = quote(str(home / "winback.toml")), quote(str(home / "winback.csv"))
    store = quote(f"sqlite:///{home / 'mlflow.db'}")
    return [
        (f"{winback} serve -c {config}", "The pages of these runs, in a browser."),
        (
            f"{winback} export -c {config} --to csv --list winback --out {listed}",
            "The whole list, and why everybody else is not on it, for a spreadsheet.",
        ),
        (
            f"{winback} score -c {config} --as-of {run.as_of}",
            "The day once more: the same inputs are the same run, and nothing is published twice.",
        ),
        (
            f"{mlflow} ui --backend-store-uri {store}",
            "Every parameter, metric and plot of the training, in a browser.",
        ),
        (f"{winback} init", "A settings file for your own data."),
    ]


def _program(name: str) -> str:
    """Return how a program of this environment is called from here: by name, or by path if need be."""
    beside = Path(sys.executable).with_name(name)
    found = shutil.which(name)
    if found and Path(found).resolve() == beside.resolve():
        return name
    try:
        return str(beside.relative_to(Path.cwd()))
    except ValueError:
        return str(beside)
