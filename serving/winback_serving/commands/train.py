"""``winback train``: fit, test forward, log and register."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from winback_features.engine import open_engine
from winback_features.errors import InputError, WinbackError
from winback_features.reports import IngestReport
from winback_models.charts import MODEL_LABELS
from winback_models.config import ScoreConfig
from winback_models.lapse_model import LapseModel
from winback_serving.clock import refuse_future
from winback_serving.commands.common import as_of_option, config_option, output_options, today
from winback_serving.commands.inputs import read_inputs
from winback_serving.horizon import base_rhythm, learn_horizon
from winback_serving.loader import NoChampionError, load_champion
from winback_serving.output import Output
from winback_serving.run_record import STALE_DAYS, default_day, newest_fact
from winback_serving.settings import Settings
from winback_serving.suppression import suppressed_keys, without_suppressed
from winback_training import unlogged
from winback_training.gate import POPULATIONS, GateVerdict, check_gate
from winback_training.tracking import check_store, log_folder
from winback_training.train import TrainingResult
from winback_training.train import train as fit_and_test
from winback_training.training_record import write_training
from winback_training.versions import RegisteredVersion

READ_BY = (
    "timezone",
    "encoding",
    *(f"{table}_columns" for table in ("orders", "events", "contacts", "campaign_log")),
)
"""Of the source's settings those that say how its tables are read: from the same files another mapping makes another model."""

METRICS = {"auc": "AUC", "brier": "Brier", "brier_skill": "skill", "log_loss": "log-loss", "bias": "bias"}


@click.command()
@config_option
@as_of_option("Use only what happened before this day; the day after the newest order when absent.")
@output_options
def train(settings: Settings, as_of: date | None, out: Output) -> None:
    """Fit, test forward in time, and register a candidate model.

    The candidate scores nothing before `winback models promote` makes it the champion.
    """
    with out.working() as work, open_engine(settings.engine) as backend:
        now = today(settings)
        if as_of:
            refuse_future(as_of, now)
        tables = read_inputs(backend, settings, now, work)
        tables = without_suppressed(tables, suppressed_keys(settings.home))
        day = as_of or default_day(tables.report, now)
        horizon = learn_horizon(tables, day) if settings.horizon_auto else None
        if horizon:
            work.say(f"Horizon: {horizon.days} days ({horizon.reason})")
        score = replace(settings.score, horizon_days=horizon.days) if horizon else settings.score
        told = (horizon.cadence_days, horizon.notices) if horizon else None
        cadence, notices = told or base_rhythm(tables, day, score.horizon_days)
        work.say(f"Training for {day}, {score.horizon_days} days ahead")
        check_store(settings.tracking_uri, settings.artifact_root)
        champion, unread = present_champion(settings)
        result = fit_and_test(tables, day, score, settings.training, work.say, champion, settings.policy)
        if unread:
            result = replace(result, checks=result.checks.with_unread_champion())
        result = replace(result, notices=(*notices, *stale(tables.report, day), *unread, *result.notices))
        work.say("Logging and registering the candidate")
        registered = _log(result, settings, score, out)
    summary = result.summary()
    verdict = check_gate(summary, settings.gate)
    for notice in result.notices:
        out.warn(notice)
    fields: dict[str, Any] = {
        "command": "train",
        "as_of": day,
        "horizon_days": score.horizon_days,
        "cadence_days": cadence,
        "model": {"name": settings.training.model_name, **asdict(registered)},
        "evaluation": summary,
        "gate": asdict(verdict),
        "notices": result.notices,
    }
    out.result(fields, lambda console: show_training(console, result, registered, verdict))


def _log(result: TrainingResult, settings: Settings, score: ScoreConfig, out: Output) -> RegisteredVersion:
    """Log and register a training; keep it until that is done, for it took minutes."""
    with tempfile.TemporaryDirectory(prefix="winback-") as scratch:
        folder = Path(scratch)
        record = write_training(result, folder, dict(flat_settings(settings, score)), score, settings.gate)
        place, kept = unlogged.keep(folder, record, settings.home)
        try:
            registered = log_folder(
                folder,
                tracking_uri=settings.tracking_uri,
                model_name=settings.training.model_name,
                artifact_root=settings.artifact_root,
            )
        except WinbackError as error:
            raise type(error)(error.what, where=error.where, how=f"{error.how} {kept}") from error
        except BaseException:
            out.warn(kept)
            raise
    unlogged.clear(place)
    return registered


def present_champion(settings: Settings) -> tuple[LapseModel | None, tuple[str, ...]]:
    """Return the model that scores now, None where there is none, and a notice where its files cannot be read."""
    try:
        return load_champion(settings.tracking_uri, settings.training.model_name).model, ()
    except NoChampionError:
        return None, ()
    except InputError as error:
        return None, (f"The champion was not compared: {error}",)


def stale(report: IngestReport, day: date) -> tuple[str, ...]:
    """Say that days without facts are taken for days without purchases, where there is more than a week of them."""
    newest = newest_fact(report)
    if newest is None or (day - newest).days <= STALE_DAYS:
        return ()
    return (
        f"The newest fact is of {newest}, {(day - newest).days} days before {day}: the model takes these for days on "
        f"which nobody bought. Bring newer data, or say --as-of {newest + timedelta(days=1)}.",
    )


def flat_settings(settings: Settings, score: ScoreConfig) -> Iterator[tuple[str, Any]]:
    """Yield ``section.key`` and value of what a training depends on; of the source only how it is read, not where it lies."""
    parts: dict[str, Any] = {
        "source": settings.source,
        "brand": settings.brand,
        "score": score,
        "training": settings.training,
        "gate": settings.gate,
    }
    for section, config in parts.items():
        for key, value in asdict(config).items():
            if key != "tracking_uri" and (section != "source" or key in READ_BY):
                yield f"{section}.{key}", _days_as_text(value)


def _days_as_text(value: Any) -> Any:
    """Return a setting with its days as winback.toml has them.

    >>> _days_as_text(((date(2024, 12, 24), date(2024, 12, 27)),))
    (('2024-12-24', '2024-12-27'),)
    """
    if isinstance(value, tuple):
        return tuple(_days_as_text(part) for part in value)
    return value.isoformat() if isinstance(value, date) else value


def show_training(
    console: Console, result: TrainingResult, registered: RegisteredVersion, verdict: GateVerdict
) -> None:
    """Print the forward test on the active base and the held out, and what the gate will say."""
    populations = result.evaluation.summary().get("populations", {})
    days = ", ".join(str(day) for day in result.evaluation.origins)
    for name, who in POPULATIONS.items():
        if name in populations:
            console.print(f"Forward tests {who}, mean over {days}:\n", soft_wrap=True)
            console.print(_metrics_table(populations[name]))
            console.print()
    version = registered.version
    console.print(f"Registered as version {version}, the candidate.")
    if verdict.passed:
        console.print(f"[green]The gate lets it pass.[/] Next: winback models promote {version}")
    else:
        console.print("[yellow]The gate would refuse it:[/]")
    for sentence in (*verdict.reasons, *verdict.notes):
        console.print(f"  {escape(sentence)}", soft_wrap=True)


def _metrics_table(models: Mapping[str, Mapping[str, float | None]]) -> Table:
    table = Table("model", box=None, pad_edge=False)
    for title in METRICS.values():
        table.add_column(title, justify="right")
    for model in [*(m for m in MODEL_LABELS if m in models), *sorted(set(models) - set(MODEL_LABELS))]:
        values = (models[model].get(key) for key in METRICS)
        cells = ("–" if v is None or math.isnan(v) else f"{v:.4f}" for v in values)
        table.add_row(
            MODEL_LABELS.get(model, model.replace("_", " ")),
            *cells,
            style="bold" if model == "winback" else "",
        )
    return table
