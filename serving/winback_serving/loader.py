"""Load the champion from the model registry: the only module of serving that knows MLflow.

The bundle's digest is checked before it is opened, against what was registered as well. MLflow's telemetry
is off, and no address is asked but that of the tracking URI.
"""

from __future__ import annotations

import csv
import json
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", MLFLOW_UV_AUTO_DETECT="false")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from winback_features.errors import ConfigError, InputError
from winback_features.files import file_digest
from winback_models.lapse_model import LapseModel

CHAMPION = "champion"
BUNDLE = "bundle"
CARD = "model_card.json"
_NOT_THERE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
_PROMOTE = "Train one with `winback train`, then make it champion with `winback models promote`."


class NoChampionError(ConfigError):
    """The registry can be read, and names no champion."""


@dataclass(frozen=True, slots=True)
class Champion:
    """The model that scores, and what the registry calls it.

    Attributes
    ----------
    model : LapseModel
        Its ``version`` is the registry's.
    name, version : str
    digest : str
        sha256 of ``bundle.joblib``.
    """

    model: LapseModel
    name: str
    version: str
    digest: str


def load_champion(tracking_uri: str, model_name: str) -> Champion:
    """Load the version that bears the alias ``champion``.

    Parameters
    ----------
    tracking_uri : str
        ``sqlite:///…/mlflow.db`` or the address of a tracking server.
    model_name : str
        Name in the registry.

    Returns
    -------
    Champion

    Raises
    ------
    NoChampionError
        When there is no champion.
    ConfigError
        When the registry cannot be read, or the files cannot be copied here.
    InputError
        When the bundle was changed, or was written by a version that this one cannot read.
    """
    where = f"model {model_name}"
    database = tracking_uri.removeprefix("sqlite:///")
    if database != tracking_uri and not Path(database).exists():
        raise NoChampionError("No model has been trained yet.", where=where, how=_PROMOTE)
    with _quietly(), tempfile.TemporaryDirectory(prefix="winback-") as scratch:
        found = None
        try:
            client = MlflowClient(tracking_uri, registry_uri=tracking_uri)
            found = client.get_model_version_by_alias(model_name, CHAMPION)
            folder = Path(client.download_artifacts(found.run_id or "", BUNDLE, scratch))
        except (MlflowException, OSError) as error:
            if found is not None and (isinstance(error, OSError) or error.error_code in _NOT_THERE):
                if _is_folder(found.source or ""):
                    raise ConfigError(
                        f"Its files could not be copied into the temporary folder {tempfile.gettempdir()}.",
                        where=f"{where} version {found.version}",
                        how="Look at the free space there (TMPDIR names another place), and at the rights of its files.",
                    ) from error
                raise InputError(
                    f"Its files are not where the registry has them ({found.source}).",
                    where=f"{where} version {found.version}",
                    how="Was the home folder moved? Bring it back to its place, or restore it from a backup.",
                ) from error
            if isinstance(error, OSError):
                raise
            if error.error_code in _NOT_THERE:
                raise NoChampionError("There is no champion yet.", where=where, how=_PROMOTE) from error
            what = f"The model registry cannot be read: {error.message}"
            how = "Check training.tracking_uri in winback.toml."
            raise ConfigError(what, where=where, how=how) from error
        version, registered = str(found.version), found.tags.get("digest", "")
        digest = file_digest(folder / "bundle.joblib")
        if registered and registered != digest:
            raise InputError(
                "The bundle is not the one that was registered: its digest differs; it was not opened.",
                where=f"{where} version {version}",
                how="Restore the artefact, or return to the previous one with `winback models rollback`.",
            )
        model = LapseModel.load(folder)
    return Champion(replace(model, version=version), model_name, version, digest)


def _is_folder(source: str) -> bool:
    """Say whether the registry's address of a model is a folder that is there."""
    parts = urlsplit(source)
    return parts.scheme in ("", "file") and Path(unquote(parts.path)).is_dir()


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep the chatter of MLflow and of its database migrations off the screen."""
    levels = {name: logging.getLogger(name).level for name in ("mlflow", "alembic")}
    with warnings.catch_warnings():
        # MLflow 3.17 still uses a SQLAlchemy loader that SQLAlchemy 2.1 deprecates: theirs to mend.
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="mlflow|alembic|sqlalchemy")
        for name in levels:
            logging.getLogger(name).setLevel(logging.WARNING)
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the registry keeps on a version: what a reader needs before trusting it.

    Attributes
    ----------
    card : dict
        The model card; empty where the version has none.
    tables : mapping of str to list of dict
        Rows of the forward tests' tables that there are, such as ``calibration``; every cell a text.
    champions : tuple of ChampionVersion
        Newest first.
    """

    card: dict[str, Any]
    tables: Mapping[str, list[dict[str, str]]]
    champions: tuple[ChampionVersion, ...]


@dataclass(frozen=True, slots=True)
class ChampionVersion:
    """A version that scores, or once did.

    Attributes
    ----------
    version : str
    as_of : str
        The day before which its training facts lie; empty where unknown.
    gate : str
        ``passed``, or what it was promoted against.
    metrics : mapping of str to float
    """

    version: str
    as_of: str
    gate: str
    metrics: Mapping[str, float]


EVIDENCE_TABLES = ("calibration", "lift", "timing", "decay", "drift")


def read_evidence(tracking_uri: str, model_name: str, version: str) -> Evidence | None:
    """Read the model card, the forward tests and the history of champions.

    Parameters
    ----------
    tracking_uri, model_name : str
        As for `load_champion`.
    version : str

    Returns
    -------
    Evidence or None
        None where the registry has no such version, or cannot be read.
    """
    database = tracking_uri.removeprefix("sqlite:///")
    if database != tracking_uri and not Path(database).exists():
        return None
    with _quietly(), tempfile.TemporaryDirectory(prefix="winback-") as scratch:
        try:
            client = MlflowClient(tracking_uri, registry_uri=tracking_uri)
            run_id = client.get_model_version(model_name, version).run_id or ""
            there = {file.path for file in client.list_artifacts(run_id)}
            found = {name: f"{name}.csv" for name in EVIDENCE_TABLES if f"{name}.csv" in there}
            tables = {
                name: _rows(Path(client.download_artifacts(run_id, file, scratch)))
                for name, file in found.items()
            }
            card = {}
            if CARD in there:
                path = Path(client.download_artifacts(run_id, CARD, scratch))
                card = json.loads(path.read_text(encoding="utf-8"))
            return Evidence(card, tables, _champions(client, model_name))
        except (MlflowException, OSError):
            return None


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _champions(client: MlflowClient, model_name: str) -> tuple[ChampionVersion, ...]:
    """Return the versions that were champion, by the tag that promoting writes; each once, the newest first.

    One that was deleted by hand since, or whose run was, is left out.
    """
    versions = client.get_registered_model(model_name).tags.get("champions", "").split(",")
    found = []
    for version in dict.fromkeys(name for name in reversed(versions) if name):
        try:
            entry = client.get_model_version(model_name, version)
            metrics = client.get_run(entry.run_id).data.metrics if entry.run_id else {}
        except MlflowException as error:
            if error.error_code not in _NOT_THERE:
                raise
            continue
        found.append(
            ChampionVersion(version, entry.tags.get("as_of", ""), entry.tags.get("gate", ""), metrics)
        )
    return tuple(found)
