"""What one training leaves in the tracker, prepared without it: parameters, metrics, tags and files.

All of it lies in one folder before the tracker is asked, so a training outlives a tracker that fails.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from winback_features.errors import InputError
from winback_features.files import file_digest
from winback_models.charts import calibration_chart, lift_chart, to_svg
from winback_models.config import ScoreConfig
from winback_training.card import card_page, model_card
from winback_training.gate import MODEL, GateConfig, check_gate
from winback_training.pyfunc import input_columns, output_columns

if TYPE_CHECKING:
    from winback_training.train import TrainingResult

BUNDLE = "bundle"
"""Folder of the bundle, here and among the run's artifacts; the pyfunc model holds the same under ``data/bundle``."""

FILES, RECORD_FILE = "files", "training.json"
EVALUATION_FILE = "evaluation.json"
CARD_FILE, CARD_FACTS = "model_card.html", "model_card.json"
TABLES = ("metrics", "calibration", "lift", "timing", "differences", "money")
CHECKED = ("decay", "drift")
_IN_FILES = ("evaluation", "metrics")
_NOT_METRICS = ("origin", "population", "model")


@dataclass(frozen=True)
class TrainingRecord:
    """What the tracker is told of a training beside its files.

    Attributes
    ----------
    as_of : str
        An ISO date.
    tags, params : dict of str to str
    metrics : dict of str to float
    score : dict
        The `ScoreConfig` that the logged model answers by.
    inputs, outputs : dict of str to str
        Columns that it reads and gives, with MLflow's name of their type.
    """

    as_of: str
    tags: dict[str, str]
    params: dict[str, str]
    metrics: dict[str, float]
    score: dict[str, Any]
    inputs: dict[str, str]
    outputs: dict[str, str]


def write_training(
    result: TrainingResult,
    folder: Path,
    settings: Mapping[str, Any],
    score: ScoreConfig,
    gate: GateConfig | None = None,
) -> TrainingRecord:
    """Write all that the tracker gets of a training: ``training.json``, ``bundle/`` and ``files/``.

    Parameters
    ----------
    result : TrainingResult
    folder : Path
        Must exist.
    settings : mapping
        Flat settings to log as parameters.
    score : ScoreConfig
        What the logged model answers.
    gate : GateConfig, optional
        The rules by which the model card judges; the default ones when absent.

    Returns
    -------
    TrainingRecord
    """
    digest = result.model.save(folder / BUNDLE)
    (folder / FILES).mkdir(exist_ok=True)
    write_files(result, folder / FILES, settings, gate, digest)
    record = TrainingRecord(
        as_of=result.as_of.isoformat(),
        tags=tags_of(result, digest),
        params=params_of(settings, result.model.info),
        metrics=metrics_of(result.evaluation.metrics),
        score=asdict(score),
        inputs=input_columns(result.model, score),
        outputs=output_columns(score),
    )
    _write_json(folder / RECORD_FILE, asdict(record))
    return record


def read_training(folder: Path) -> TrainingRecord:
    """Read ``training.json`` of a folder by `write_training`, after checking that its bundle is the one that was trained.

    Raises
    ------
    InputError
        When it is no such folder, or its bundle was changed.
    """
    try:
        record = TrainingRecord(**json.loads((folder / RECORD_FILE).read_text(encoding="utf-8")))
        digest = file_digest(folder / BUNDLE / "bundle.joblib")
    except (OSError, ValueError, TypeError) as error:
        what = f"It holds no training that can be read ({error})."
        how = "Name the folder that `winback train` named, or train again."
        raise InputError(what, where=str(folder), how=how) from error
    if digest != record.tags["digest"]:
        what = "Its bundle was changed after the training: the digest differs."
        raise InputError(what, where=str(folder), how="Train again with `winback train`.")
    return record


def metrics_of(metrics: pd.DataFrame) -> dict[str, float]:
    """Return ``Evaluation.metrics`` as flat names: the mean over the origins, and the newest alone.

    The model's own are ``active.brier`` and ``active.brier.newest``; a baseline's carry its name,
    ``active.brier.bg_nbd`` and ``active.brier.bg_nbd.newest``. What could not be measured is left out.

    Examples
    --------
    >>> table = pd.DataFrame({"origin": ["2024-01-01", "2024-04-01"], "population": "active",
    ...                       "model": "winback", "auc": [0.6, 0.7], "coverage_80": [float("nan")] * 2})
    >>> {name: round(value, 2) for name, value in metrics_of(table).items()}
    {'active.auc': 0.65, 'active.auc.newest': 0.7}
    """
    names = [c for c in metrics.columns if c not in _NOT_METRICS]
    newest = metrics[metrics["origin"] == metrics["origin"].max()]
    found: dict[str, float] = {}
    for table, ending in ((metrics, ""), (newest, ".newest")):
        means = table.groupby(["population", "model"], sort=True)[names].mean()
        for (population, model), row in means.iterrows():  # type: ignore[misc]
            whose = "" if model == MODEL else f".{model}"
            found |= {f"{population}.{name}{whose}{ending}": float(value) for name, value in row.items()}
    return {name: value for name, value in sorted(found.items()) if math.isfinite(value)}


def params_of(settings: Mapping[str, Any], info: Mapping[str, Any]) -> dict[str, str]:
    """Return settings and the fitted model's scalars as flat text parameters.

    Parameters
    ----------
    settings : mapping
        Flat, such as ``{"score.horizon_days": 90}``.
    info : mapping
        ``LapseModel.info``; nested scalars become ``model.…``; evaluation and lists stay in files.

    Examples
    --------
    >>> params_of({"training.seed": 0}, {"btyd": {"r": 0.24}, "evaluation": {"n": 9}, "path": ["fit"]})
    {'training.seed': '0', 'model.btyd.r': '0.24'}
    """
    flat = {name: str(value) for name, value in settings.items() if value is not None}
    return flat | {f"model.{name}": str(value) for name, value in _scalars(info, "")}


def _scalars(nested: Mapping[str, Any], prefix: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in nested.items():
        if name in _IN_FILES:
            continue
        if isinstance(value, Mapping):
            found += _scalars(value, f"{prefix}{name}.")
        elif isinstance(value, str | int | float | bool):
            found.append((f"{prefix}{name}", value))
    return found


def tags_of(result: TrainingResult, digest: str) -> dict[str, str]:
    """Return what identifies the training: day, horizon, data, model bytes, program."""
    return {
        "as_of": result.as_of.isoformat(),
        "horizon_days": str(result.model.horizon_days),
        "digest": digest,
        "winback_version": version("winback"),
        **{f"fingerprint.{table}": value for table, value in sorted(result.fingerprints.items())},
        **({"notices": "\n".join(result.notices)} if result.notices else {}),
    }


def write_files(
    result: TrainingResult,
    folder: Path,
    settings: Mapping[str, Any] | None = None,
    gate: GateConfig | None = None,
    digest: str = "",
) -> None:
    """Write the pictures, tables and lists a reader of the run looks at.

    Files: ``model_card.html`` and the same as ``model_card.json``, ``calibration.svg``, ``lift.svg``, ``features.json``,
    ``evaluation.json``, ``model.json``, and one ``.csv`` for each of ``TABLES`` and ``CHECKED``.

    Parameters
    ----------
    result : TrainingResult
    folder : Path
        Must exist.
    settings : mapping, optional
        Flat, for the card.
    gate : GateConfig, optional
        For the card's verdict; the default rules when absent.
    digest : str
        SHA-256 of the bundle.
    """
    evaluation = result.evaluation
    (folder / "calibration.svg").write_text(
        to_svg(calibration_chart(evaluation.calibration)), encoding="utf-8"
    )
    (folder / "lift.svg").write_text(to_svg(lift_chart(evaluation.lift)), encoding="utf-8")
    tables = {name: getattr(evaluation, name) for name in TABLES}
    tables |= {name: getattr(result.checks, name) for name in CHECKED}
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    card = model_card(result, check_gate(result.summary(), gate or GateConfig()), settings or {}, digest)
    page = card_page(card, evaluation, result.checks.decay)
    (folder / CARD_FILE).write_text(page, encoding="utf-8")
    _write_json(folder / CARD_FACTS, card)
    _write_json(folder / "features.json", list(result.model.feature_names))
    _write_json(folder / EVALUATION_FILE, evaluation_of(result))
    _write_json(folder / "model.json", result.model.info)


def evaluation_of(result: TrainingResult) -> dict[str, Any]:
    """Return the forward tests as one JSON-ready object, the one the gate reads at promotion."""
    evaluation = result.evaluation
    return {
        "as_of": result.as_of.isoformat(),
        "horizon_days": evaluation.horizon_days,
        "origins": [origin.isoformat() for origin in evaluation.origins],
        "summary": result.summary(),
        "notices": list(result.notices),
    }


def _write_json(path: Path, content: Any) -> None:
    path.write_text(
        json.dumps(_no_nan(content), indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8"
    )


def _no_nan(content: Any) -> Any:
    """Return the same with null for what is not a finite number: JSON knows no NaN."""
    if isinstance(content, Mapping):
        return {str(key): _no_nan(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_no_nan(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content
