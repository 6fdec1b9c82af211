"""``winback backtest``: train on the first two thirds of the history, replay the last, judge the flags."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from winback_features.config import BrandConfig
from winback_features.engine import open_engine
from winback_features.errors import ConfigError, InputError
from winback_features.tables import Tables
from winback_models.config import ScoreConfig
from winback_policy.config import PolicyConfig
from winback_serving.backtest import Backtest, judge_replay
from winback_serving.backtest_report import RULES, render_backtest, sentences
from winback_serving.clock import refuse_future
from winback_serving.commands.common import as_of_option, config_option, output_options, today
from winback_serving.commands.inputs import read_inputs
from winback_serving.horizon import learn_horizon
from winback_serving.output import Output, Reporter
from winback_serving.replay import replay, replayed_days
from winback_serving.run_record import default_day
from winback_serving.settings import Settings
from winback_serving.store import write_atomically
from winback_serving.suppression import suppressed_keys, without_suppressed
from winback_training.config import TrainingConfig
from winback_training.train import train


@click.command()
@config_option
@as_of_option("Use only what happened before this day; the day after the newest order when absent.")
@click.option(
    "--step",
    type=click.IntRange(1, 28),
    default=1,
    show_default=True,
    metavar="DAYS",
    help="Days from one replayed day to the next.",
)
@output_options
def backtest(settings: Settings, as_of: date | None, step: int, out: Output) -> None:
    """Replay model and policy over past dates, and judge the flags.

    Trains once, on what was known at the beginning of the last third of the history, replays every day since whose
    horizon has closed, and counts the lapses that were flagged before they happened, beside two simpler rules at the
    same number of flags. Publishes nothing; writes backtest.json and backtest.html into the home folder.
    """
    if settings.engine.name != "duckdb":
        what = "A backtest replays day after day in one process, which Spark is not made for."
        raise ConfigError(
            what, where="engine.name", how='Set it to "duckdb" for this; the inputs stay the same.'
        )
    with out.working() as work, open_engine(settings.engine) as backend:
        now = today(settings)
        if as_of:
            refuse_future(as_of, now)
        tables = read_inputs(backend, settings, now, work)
        tables = without_suppressed(tables, suppressed_keys(settings.home))
        end = as_of or default_day(tables.report, now)
        found = run_backtest(
            tables,
            end,
            settings.score,
            settings.training,
            settings.policy,
            settings.brand,
            step=step,
            learn=settings.horizon_auto,
            work=work,
        )
    said = json.dumps(found.as_dict(), indent=2, sort_keys=True) + "\n"
    paths = {kind: settings.home / f"backtest.{kind}" for kind in ("json", "html")}
    settings.home.mkdir(parents=True, exist_ok=True)
    write_atomically(paths["json"], said)
    write_atomically(paths["html"], render_backtest(found, settings.brand.name))
    fields: dict[str, Any] = {"command": "backtest", "report": paths["html"], **found.as_dict()}
    out.result(fields, lambda console: show_backtest(console, found, paths["html"]))


def run_backtest(
    tables: Tables,
    end: date,
    score: ScoreConfig,
    training: TrainingConfig,
    policy: PolicyConfig,
    brand: BrandConfig,
    *,
    step: int = 1,
    learn: bool = False,
    work: Reporter,
) -> Backtest:
    """Train, replay and judge.

    Parameters
    ----------
    tables : Tables
    end : date
        Nothing of that day or later is looked at.
    score, training, policy, brand
        As for ``winback train`` and ``winback score``; no forward tests are made.
    step : int
        Days from one replayed day to the next.
    learn : bool
        Whether the horizon is learned, from what was known at the first replayed day.
    work : Reporter

    Raises
    ------
    InputError
        When the history is too short.
    """
    first = tables.report["orders"].first_day
    if first is None or first >= end:
        raise InputError(f"There are no orders before {end}.", where="orders", how="Choose a later --as-of.")
    if learn:
        begin = end - timedelta(days=(end - first).days // 3)
        score = replace(score, horizon_days=learn_horizon(tables, begin).days)
    days = replayed_days(first, end, score.horizon_days, step)
    work.say(f"Training for {days[0]}, {score.horizon_days} days ahead")
    model = train(tables, days[0], score, replace(training, origins=0), work.say).model
    work.say(f"Replaying {len(days)} days, from {days[0]} to {days[-1]}")
    with tempfile.TemporaryDirectory(prefix="winback-") as scratch:
        replayed = replay(tables, model, days, score, policy, brand.currency, Path(scratch), work.tick)
        work.say("Judging the flags")
        return judge_replay(replayed, days, score.horizon_days, step, policy)


def show_backtest(console: Console, found: Backtest, report: Path) -> None:
    """Print what came out, and where the pictures are."""
    for sentence in sentences(found):
        console.print(sentence, markup=False, soft_wrap=True)
    table = Table("at the same number of flags", box=None, pad_edge=False)
    for title in ("threshold", "lapses caught", "winback against it"):
        table.add_column(title, justify="right")
    table.add_row("winback", "", f"{found.caught:,}", "", style="bold")
    for name, rule in found.rules.items():
        at = "–" if rule["threshold"] is None else f"{rule['threshold']:g} {RULES[name].unit}"
        more = "–" if rule["more"] is None else f"{100 * rule['more']:+.0f} %"
        table.add_row(RULES[name].label, at, f"{rule['caught']:,.1f}", more)
    console.print()
    console.print(table)
    console.print(f"\nPictures and tables: {report}", markup=False, soft_wrap=True)
