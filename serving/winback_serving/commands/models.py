"""``winback models``: what is registered, and which version scores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from winback_serving.commands.common import config_option, output_options
from winback_serving.output import Output
from winback_serving.settings import Settings
from winback_training import registry, unlogged
from winback_training.tracking import log_folder
from winback_training.training_record import read_training
from winback_training.versions import CANDIDATE, ModelVersion, Promotion

SHOWN = ("active.auc", "active.brier", "active.brier_skill")
DIGITS = 12


@click.group()
def models() -> None:
    """List, show, promote, register or roll back models."""


@models.command("list")
@config_option
@output_options
def list_models(settings: Settings, out: Output) -> None:
    """List the registered versions, newest first."""
    found = registry.list_versions(**_place(settings))
    kept = unlogged.waiting(settings.home)
    for place in kept:
        out.warn(f"A training was not logged to its end. Log and register it: {unlogged.register(place)}")
    fields = {
        "command": "models list",
        "models": [version.as_dict() for version in found],
        "unlogged": list(kept),
    }
    out.result(fields, lambda console: _show_list(console, found))


@models.command("show")
@click.argument("version", required=False)
@config_option
@output_options
def show_model(version: str | None, settings: Settings, out: Output) -> None:
    """Show one version (a number or an alias), the champion when none is named."""
    found = registry.show(version, **_place(settings))
    out.result(
        {"command": "models show", "model": found.as_dict()}, lambda console: _show_one(console, found)
    )


@models.command("promote")
@click.argument("version", required=False)
@click.option(
    "--override", metavar="WHY", default="", help="Promote against the gate; your reason is recorded."
)
@click.option("--force", is_flag=True, help="The same, without a reason of yours.")
@config_option
@output_options
def promote_model(version: str | None, override: str, force: bool, settings: Settings, out: Output) -> None:
    """Make a version the champion if the gate lets it, the candidate when none is named.

    Ends with exit code 3 when the gate refuses.
    """
    place = _place(settings)
    done = registry.promote(version, gate=settings.gate, force=force, override=override.strip(), **place)
    for reason in done.reasons:
        out.warn(f"Forced against the gate: {reason}")
    _report(out, "models promote", done)


@models.command("register")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@config_option
@output_options
def register_model(folder: Path, settings: Settings, out: Output) -> None:
    """Log and register a training that `winback train` could not log, and clear it from its FOLDER.

    It becomes the candidate, as any newest training does. One that was cut off when it had its version is not registered again.
    """
    place = _place(settings)
    done = registry.finish(read_training(folder), **place)
    made = done or log_folder(folder, artifact_root=settings.artifact_root, **place)
    unlogged.clear(folder)
    if done:
        out.warn(f"It was registered already, as version {done.version}, and is not registered again.")
    found = registry.list_versions(**place)
    days = {version.version: version.as_of for version in found if version.as_of}
    newest = max(days, key=lambda version: days[version])
    if days[newest] > days[made.version]:
        out.warn(f"Version {newest} was trained for {days[newest]}, this one for {days[made.version]}.")
    fields = {"command": "models register", "model": {"name": settings.training.model_name, **asdict(made)}}
    role = ", the candidate" if _is_candidate(made.version, found) else ""
    text = f"Registered as version {made.version}{role}. Next: winback models promote {made.version}"
    out.result(fields, lambda console: console.print(text))


@models.command("card")
@click.argument("version", required=False)
@click.option(
    "--out",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("model_card.html"),
    show_default=True,
    help="The file to write: .html, or .json.",
)
@config_option
@output_options
def write_card(version: str | None, path: Path, settings: Settings, out: Output) -> None:
    """Write the model card of a version (a number or an alias), the champion's when none is named."""
    page, facts = registry.model_card(version, **_place(settings))
    as_json = path.suffix == ".json"
    text = json.dumps(facts, indent=2, ensure_ascii=False) + "\n" if as_json else page
    path.write_text(text, encoding="utf-8")
    fields = {"command": "models card", "path": path, "card": facts}
    out.result(fields, lambda console: console.print(f"Written to {path}.", markup=False, soft_wrap=True))


@models.command("rollback")
@config_option
@output_options
def rollback_model(settings: Settings, out: Output) -> None:
    """Make the previous champion the champion again."""
    _report(out, "models rollback", registry.rollback(**_place(settings)))


def _is_candidate(number: str, found: Sequence[ModelVersion]) -> bool:
    return any(version.version == number and CANDIDATE in version.aliases for version in found)


def _place(settings: Settings) -> dict[str, str]:
    return {"tracking_uri": settings.tracking_uri, "model_name": settings.training.model_name}


def _report(out: Output, command: str, done: Promotion) -> None:
    text = f"Version {done.champion} is the champion" + ("." if done.changed else " already.")
    if done.changed and done.previous:
        text += f" Before it was version {done.previous}."
    out.result({"command": command, **done.as_dict()}, lambda console: console.print(text))


def _show_list(console: Console, found: tuple[ModelVersion, ...]) -> None:
    if not found:
        console.print("No model is registered. `winback train` registers one.")
        return
    table = Table(
        "version", "alias", "as of", "days", "AUC", "Brier", "skill", "gate", box=None, pad_edge=False
    )
    for version in found:
        metrics = [_metric(version, name) for name in SHOWN]
        table.add_row(
            version.version,
            ", ".join(version.aliases),
            str(version.as_of or ""),
            str(version.horizon_days or ""),
            *metrics,
            version.gate.partition(":")[0] + (f": {version.override}" if version.override else ""),
        )
    console.print(table)


def _show_one(console: Console, version: ModelVersion) -> None:
    console.print(f"Version {version.version} {', '.join(version.aliases)}".rstrip())
    about: dict[str, Any] = {
        "trained for": version.as_of,
        "horizon": f"{version.horizon_days} days",
        "registered": version.created_at,
        "gate": version.gate or "never promoted",
        **({"override": version.override} if version.override else {}),
        "digest": version.digest[:DIGITS],
        "MLflow run": version.run_id,
    }
    for title, values in (("", about), ("Forward tests", version.metrics), ("Parameters", version.params)):
        table = Table(title, "", box=None, pad_edge=False, show_header=bool(title))
        for name, value in values.items():
            table.add_row(name, f"{value:.4f}" if isinstance(value, float) else str(value))
        console.print(table)


def _metric(version: ModelVersion, name: str) -> str:
    value = version.metrics.get(name)
    return "–" if value is None else f"{value:.4f}"
