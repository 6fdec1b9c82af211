"""``winback uplift``: learn from the holdout whom a message moves, and let that rank the list once it is proven."""

from __future__ import annotations

import json
import shutil
from datetime import date
from typing import Any

import click
import numpy as np
from rich.console import Console

from winback_features.engine import open_engine
from winback_features.errors import InputError
from winback_features.tables import Tables
from winback_models.uplift import UpliftModel
from winback_models.uplift_bundle import UpliftBundle, save_uplift
from winback_serving.commands.common import as_of_option, config_option, output_options, today
from winback_serving.commands.inputs import read_inputs
from winback_serving.horizon import horizon_in_use
from winback_serving.output import Output
from winback_serving.run_record import default_day
from winback_serving.run_uplift import FOLDER, uplift_entries, uplift_names, with_design
from winback_serving.settings import Settings
from winback_serving.store import RunStore, write_atomically
from winback_training.uplift import Verdict, train_uplift

VERDICT = "verdict.json"


@click.command()
@config_option
@as_of_option("Use only what happened before this day; the day after the newest order when absent.")
@output_options
def uplift(settings: Settings, as_of: date | None, out: Output) -> None:
    """Learn from the holdout whom a message moves.

    Looks at every contact that entered a published run and whose outcome window has closed. Where the model passes its gate it
    ranks the list from the next run on; where it does not, the list stays ranked by value at risk, and the command says what is
    missing.
    """
    with out.working() as work, open_engine(settings.engine) as backend:
        now = today(settings)
        tables = read_inputs(backend, settings, now, work, with_log=False)
        end = min(as_of or now, default_day(tables.report, now))
        work.say("Learning from the holdout")
        model, verdict = uplift_from_runs(settings, tables, end)
    if not verdict.accepted:
        model = None
    keep(settings, model, verdict)
    out.result({"command": "uplift", **verdict.as_dict()}, lambda console: show(console, verdict))


def uplift_from_runs(settings: Settings, tables: Tables, end: date) -> tuple[UpliftModel | None, Verdict]:
    """Fit and judge an uplift model on the published runs of a home.

    Parameters
    ----------
    settings : Settings
    tables : Tables
    end : date
        Nothing of that day or later is looked at.

    Raises
    ------
    InputError
        When no outcome window has closed by then.
    ConfigError
        When nobody is held out.
    """
    window = horizon_in_use(settings)
    data, order_value, usual = uplift_entries(tables, RunStore(settings.home).list_runs(), end, window)
    if data is None:
        what = f"No contact entered a run at least {window} days before {end}."
        raise InputError(what, where=str(settings.home), how="Score day by day, and come back later.")
    designed = with_design(data, settings.policy.holdout_share)
    value = np.maximum(order_value, 0.0) * settings.score.margin_share
    seed = settings.training.seed
    return train_uplift(designed, uplift_names(), value, usual, seed=seed)


def keep(settings: Settings, model: UpliftModel | None, verdict: Verdict) -> None:
    """Put the verdict, and an accepted model, into the home; a model that is not accepted any more goes."""
    folder = settings.home / FOLDER
    with RunStore(settings.home).lock("uplift"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if model is not None:
            info: dict[str, Any] = {"contacts": verdict.contacts, "held_out": verdict.held_out}
            save_uplift(folder, UpliftBundle(model, verdict.sleeping.at_most, info))
        write_atomically(folder / VERDICT, json.dumps(verdict.as_dict(), indent=2, sort_keys=True) + "\n")


def show(console: Console, verdict: Verdict) -> None:
    """Print what came out."""
    console.print(
        f"{verdict.contacts:,} contacts watched to the end, {verdict.held_out:,} of them held out.",
        soft_wrap=True,
    )
    if verdict.uplift and verdict.usual and verdict.lead:
        for name, found in (
            ("by incremental value", verdict.uplift.qini),
            ("by value at risk", verdict.usual.qini),
            ("lead", verdict.lead),
        ):
            console.print(f"Qini, {name}: {found.value:.3f} ({found.low:.3f} to {found.high:.3f})")
    for reason in verdict.reasons:
        console.print(reason, soft_wrap=True)
    if verdict.accepted:
        console.print("From the next run on the list is ranked by incremental value.")
        if verdict.sleeping.at_most is not None:
            console.print(
                f"{verdict.sleeping.share:.0%} of such contacts are left asleep: a message drives them away."
            )
    else:
        console.print("The list stays ranked by value at risk.")
