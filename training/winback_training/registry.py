"""The model registry: which versions there are, which one scores, and the way back.

Aliases say which version does what: ``candidate`` (the newest training), ``champion`` (scores every day),
``previous_champion`` (what a rollback returns to). The champions so far stand in the tag ``champions`` of the
registered model, so that a rollback can be repeated.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from winback_features.errors import ConfigError, GateRefusal
from winback_training.gate import GateConfig, check_gate
from winback_training.tracking import open_store, run_of
from winback_training.training_record import CARD_FACTS, CARD_FILE, EVALUATION_FILE, TrainingRecord
from winback_training.versions import (
    CANDIDATE,
    CHAMPION,
    PREVIOUS,
    ModelVersion,
    Promotion,
    RegisteredVersion,
    after_promotion,
    after_rollback,
)

_HISTORY = "champions"


def list_versions(*, tracking_uri: str, model_name: str) -> tuple[ModelVersion, ...]:
    """Return the registered versions, newest first, with their metrics; empty when there is none."""
    with open_store(tracking_uri) as client:
        aliases = _aliases(client, model_name)
        found = sorted(_registered(client, model_name), key=lambda v: int(v.version), reverse=True)
        return tuple(_version(client, v, aliases, everything=False) for v in found)


def show(version: str | None = None, *, tracking_uri: str, model_name: str) -> ModelVersion:
    """Return one version (the champion when none is named) with its parameters and tags.

    Raises
    ------
    ConfigError
        When there is no such version.
    """
    with open_store(tracking_uri) as client:
        aliases = _aliases(client, model_name)
        wanted = _known(client, model_name, aliases, version or CHAMPION)
        return _version(client, client.get_model_version(model_name, wanted), aliases, everything=True)


def finish(record: TrainingRecord, *, tracking_uri: str, model_name: str) -> RegisteredVersion | None:
    """Finish what a training left that was cut off after its version was made; None where it has no version.

    The version becomes the candidate, unless it has an alias already or a later one was registered since.
    """
    with open_store(tracking_uri) as client:
        versions = sorted(_registered(client, model_name), key=lambda v: int(v.version))
        made = [
            v for v in versions if record.tags.items() <= dict(v.tags).items() and run_of(client, v.run_id)
        ]
        if not made:
            return None
        number, run_id = str(made[-1].version), str(made[-1].run_id)
        if made[-1] is versions[-1] and number not in _aliases(client, model_name).values():
            client.set_registered_model_alias(model_name, CANDIDATE, number)
        client.set_terminated(run_id, "FINISHED")
        return RegisteredVersion(number, run_id, record.tags["digest"])


def promote(
    version: str | None = None,
    *,
    tracking_uri: str,
    model_name: str,
    gate: GateConfig,
    force: bool = False,
    override: str = "",
) -> Promotion:
    """Make a version (the candidate when none is named) the champion, if the gate lets it.

    Parameters
    ----------
    version : str, optional
        A version number or an alias.
    tracking_uri, model_name : str
    gate : GateConfig
    force : bool
        Promote against the gate; its reasons are kept in the version's tag ``gate``.
    override : str
        The same, with a reason of one's own: kept in the version's tag ``override``.

    Returns
    -------
    Promotion

    Raises
    ------
    GateRefusal
        When the gate refuses and is neither forced nor overridden.
    ConfigError
        When there is no such version.
    """
    with open_store(tracking_uri) as client:
        aliases = _aliases(client, model_name)
        wanted = _known(client, model_name, aliases, version or CANDIDATE)
        champion = aliases.get(CHAMPION)
        if wanted == champion:
            return Promotion(wanted, aliases.get(PREVIOUS), changed=False)
        run_id = _run_id(client, model_name, wanted)
        verdict = check_gate(_summary(client, run_id), gate)
        if not (verdict.passed or force or override):
            raise GateRefusal(
                "The gate refuses it. " + " ".join(verdict.reasons),
                where=f"{model_name} version {wanted}",
                how='Train on more or newer data, loosen [gate] in winback.toml, or promote with --override "why".',
            )
        judged = "passed" if verdict.passed else "forced: " + " ".join(verdict.reasons)
        client.set_model_version_tag(model_name, wanted, "gate", judged)
        if override and not verdict.passed:
            client.set_model_version_tag(model_name, wanted, "override", override)
        client.set_model_version_tag(model_name, wanted, "promoted_at", _now())
        history = after_promotion(_history(client, model_name), champion, wanted)
        _crown(client, model_name, history, aliases)
        return Promotion(wanted, champion, verdict.reasons)


def rollback(*, tracking_uri: str, model_name: str) -> Promotion:
    """Make the previous champion the champion again; repeated, it goes back further.

    Raises
    ------
    ConfigError
        When there is no champion before the present one.
    """
    with open_store(tracking_uri) as client:
        aliases = _aliases(client, model_name)
        champion = aliases.get(CHAMPION)
        history = after_rollback(_history(client, model_name), champion)
        while history and not _has_run(client, model_name, history[-1]):
            history = history[:-1]  # its files went with its run: it could not score
        if champion is None or not history:
            raise ConfigError(
                "There is no earlier champion to return to.",
                where=f"model {model_name}",
                how="See `winback models list`, and promote a version by its number.",
            )
        client.set_model_version_tag(model_name, champion, "rolled_back_at", _now())
        _crown(client, model_name, history, aliases)
        return Promotion(history[-1], champion)


def model_card(
    version: str | None = None, *, tracking_uri: str, model_name: str
) -> tuple[str, dict[str, Any]]:
    """Return the model card of a version (the champion's when none is named) as HTML and as an object.

    Raises
    ------
    ConfigError
        When there is no such version, or it was trained before there were model cards.
    """
    with open_store(tracking_uri) as client, tempfile.TemporaryDirectory(prefix="winback-") as scratch:
        wanted = _known(client, model_name, _aliases(client, model_name), version or CHAMPION)
        run_id = _run_id(client, model_name, wanted)
        if CARD_FILE not in {file.path for file in client.list_artifacts(run_id)}:
            raise ConfigError(
                "It has no model card: an earlier version of winback trained it.",
                where=f"{model_name} version {wanted}",
                how="Train again with `winback train`.",
            )
        page, facts = (
            Path(client.download_artifacts(run_id, name, scratch)).read_text(encoding="utf-8")
            for name in (CARD_FILE, CARD_FACTS)
        )
    return page, json.loads(facts)


def _crown(client: Any, name: str, history: tuple[str, ...], aliases: Mapping[str, str]) -> None:
    """Write the history first, then move the aliases: a crash between leaves the old champion scoring."""
    client.set_registered_model_tag(name, _HISTORY, ",".join(history))
    if len(history) > 1:
        client.set_registered_model_alias(name, PREVIOUS, history[-2])
    elif PREVIOUS in aliases:
        client.delete_registered_model_alias(name, PREVIOUS)
    client.set_registered_model_alias(name, CHAMPION, history[-1])
    if aliases.get(CANDIDATE) == history[-1]:
        client.delete_registered_model_alias(name, CANDIDATE)


def _version(client: Any, found: Any, aliases: Mapping[str, str], *, everything: bool) -> ModelVersion:
    """Return a registry entry as a plain record."""
    entry = run_of(client, found.run_id)
    run = entry.data if entry else None
    tags: dict[str, str] = dict(found.tags)
    return ModelVersion(
        version=str(found.version),
        run_id=found.run_id or "",
        digest=tags.get("digest", ""),
        aliases=tuple(sorted(alias for alias, version in aliases.items() if version == str(found.version))),
        as_of=date.fromisoformat(tags["as_of"]) if "as_of" in tags else None,
        horizon_days=int(tags["horizon_days"]) if "horizon_days" in tags else None,
        created_at=_utc(found.creation_timestamp / 1000),
        metrics=dict(sorted(run.metrics.items())) if run else {},
        gate=tags.get("gate", ""),
        override=tags.get("override", ""),
        params=dict(sorted(run.params.items())) if run and everything else {},
        tags=tags if everything else {},
    )


def _aliases(client: Any, name: str) -> dict[str, str]:
    """Return alias -> version; empty when nothing is registered under the name."""
    found = client.search_registered_models(f"name = '{name}'")
    return {str(alias): str(version) for model in found for alias, version in model.aliases.items()}


def _there(versions: Sequence[str]) -> str:
    """Name the versions there are.

    >>> print(_there(["1"]), _there(["1", "2", "3"]))
    There is only version 1. There are the versions 1, 2, 3.
    """
    if len(versions) == 1:
        return f"There is only version {versions[0]}."
    return f"There are the versions {', '.join(versions)}."


def _known(client: Any, name: str, aliases: Mapping[str, str], version: str) -> str:
    """Return the number of a version given by number or alias; a sentence when there is none."""
    wanted = aliases.get(version, version)
    there = sorted((str(found.version) for found in _registered(client, name)), key=int)
    if wanted in there:
        return wanted
    if not there:
        raise ConfigError(
            "No model is registered.", where=f"model {name}", how="Train one with `winback train`."
        )
    missing = (
        f"There is no {version}." if version in (CANDIDATE, CHAMPION) else f"There is no version {version}."
    )
    how = {
        CANDIDATE: "Train one with `winback train`, or name a version.",
        CHAMPION: "Promote one with `winback models promote`.",
    }
    raise ConfigError(missing, where=f"model {name}", how=how.get(version, _there(there)))


def _run_id(client: Any, name: str, version: str) -> str:
    """Return the run that made a version; a sentence when it is gone for good."""
    run_id = str(client.get_model_version(name, version).run_id or "")
    if run_of(client, run_id) is None:
        raise ConfigError(
            "Its run was deleted, and with it its files and forward tests.",
            where=f"{name} version {version}",
            how="Train again with `winback train`, or name another version: see `winback models list`.",
        )
    return run_id


def _has_run(client: Any, name: str, version: str) -> bool:
    return run_of(client, client.get_model_version(name, version).run_id) is not None


def _summary(client: Any, run_id: str) -> dict[str, Any]:
    """Return the forward tests of a run as its training wrote them."""
    with tempfile.TemporaryDirectory(prefix="winback-") as scratch:
        path = client.download_artifacts(run_id, EVALUATION_FILE, scratch)
        summary: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))["summary"]
    return summary


def _history(client: Any, name: str) -> tuple[str, ...]:
    """Return the champions so far, without those that were deleted by hand since."""
    found = client.search_registered_models(f"name = '{name}'")
    past = next((model.tags.get(_HISTORY, "") for model in found), "").split(",")
    there = {str(version.version) for version in _registered(client, name)}
    kept = [version for version in past if version in there]
    return tuple(v for i, v in enumerate(kept) if i == 0 or v != kept[i - 1])


def _registered(client: Any, name: str) -> list[Any]:
    """Return every version, page by page."""
    page = client.search_model_versions(f"name = '{name}'", max_results=1000)
    found = list(page)
    while page.token:
        page = client.search_model_versions(f"name = '{name}'", max_results=1000, page_token=page.token)
        found += page
    return found


def _now() -> str:
    return _utc(time.time())


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
