"""The experiment tracker: the only module of training that imports MLflow.

A training becomes one run of the experiment ``winback`` (parameters, metrics, pictures, tables, the bundle),
one logged pyfunc model, and one version in the registry with the alias ``candidate``; what becomes of it
after that is in :mod:`winback_training.registry`.

Everything goes through explicit clients: no global tracking URI, no active run, nothing in the working
folder. MLflow's telemetry is switched off before it is imported; no address is asked but that of the tracking
URI. The bundle is logged as data, not pickled as a Python object: whoever loads it checks its digest first.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import sqlite3
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

os.environ.update(
    MLFLOW_DISABLE_TELEMETRY="true",
    MLFLOW_UV_AUTO_DETECT="false",
    MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT="true",
)
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus, Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.pyfunc import save_model
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

from winback_features.errors import ConfigError
from winback_models.config import ScoreConfig
from winback_training.gate import GateConfig
from winback_training.pyfunc import default_score
from winback_training.store_errors import broken, shown
from winback_training.training_record import BUNDLE, FILES, TrainingRecord, read_training, write_training
from winback_training.versions import (
    CANDIDATE,
    RegisteredVersion,
)

if TYPE_CHECKING:
    from winback_training.train import TrainingResult

EXPERIMENT = "winback"
_BATCH = 100
_NOISY = ("mlflow", "alembic")


def log_training(
    result: TrainingResult,
    *,
    tracking_uri: str,
    model_name: str,
    settings: Mapping[str, Any],
    artifact_root: Path | None = None,
    score: ScoreConfig | None = None,
    gate: GateConfig | None = None,
) -> RegisteredVersion:
    """Log a training, register its model and make it the candidate.

    Parameters
    ----------
    result : TrainingResult
    tracking_uri : str
        ``sqlite:///…/mlflow.db`` or the address of a tracking server.
    model_name : str
        Name in the registry.
    settings : mapping
        Flat settings to log as parameters.
    artifact_root : Path, optional
        Folder for files; when absent, ``mlartifacts`` beside a SQLite store, or what the server decides.
    score : ScoreConfig, optional
        What the logged pyfunc model answers; the horizon's own default when absent.
    gate : GateConfig, optional
        The rules by which the model card judges; the default ones when absent.

    Returns
    -------
    RegisteredVersion

    Raises
    ------
    ConfigError
        When the store cannot be reached or was moved. A run that began is marked as failed.
    """
    with tempfile.TemporaryDirectory(prefix="winback-") as scratch:
        folder = Path(scratch)
        write_training(result, folder, settings, score or default_score(result.model.horizon_days), gate)
        return log_folder(
            folder, tracking_uri=tracking_uri, model_name=model_name, artifact_root=artifact_root
        )


def log_folder(
    folder: Path, *, tracking_uri: str, model_name: str, artifact_root: Path | None = None
) -> RegisteredVersion:
    """Log a training from the folder that `write_training` made of it, and make its model the candidate.

    Parameters
    ----------
    folder : Path
    tracking_uri, model_name, artifact_root
        As for `log_training`.

    Returns
    -------
    RegisteredVersion

    Raises
    ------
    InputError
        When the folder holds no training, or its bundle was changed.
    ConfigError
        When the store cannot be reached or was moved. A run that began is marked as failed.
    """
    record = read_training(folder)
    with open_store(tracking_uri) as client:
        experiment = _experiment(client, tracking_uri, artifact_root)
        run_id = client.create_run(
            experiment,
            run_name=f"{model_name} {record.as_of}",
            tags={"mlflow.source.name": "winback train", "mlflow.source.type": "LOCAL"},
        ).info.run_id
        try:
            number = _log(client, experiment, run_id, folder, record, model_name)
        except BaseException:
            with suppress(MlflowException):  # told is why it broke off, not that this cannot be noted either
                client.set_terminated(run_id, "FAILED")
            raise
        client.set_terminated(run_id, "FINISHED")
        return RegisteredVersion(number, run_id, record.tags["digest"])


def _log(
    client: MlflowClient, experiment: str, run_id: str, folder: Path, record: TrainingRecord, name: str
) -> str:
    """Log everything in the folder, register the model, and return the number of its version."""
    model = client.create_logged_model(
        experiment, name, source_run_id=run_id, params=record.params, tags=record.tags, model_type="pyfunc"
    )
    now = time.time_ns() // 1_000_000
    logged = [
        Metric(key, value, now, 0, model_id=model.model_id, run_id=run_id)
        for key, value in record.metrics.items()
    ]
    client.log_batch(run_id, metrics=logged, tags=[RunTag(*pair) for pair in record.tags.items()])
    pairs = [Param(*pair) for pair in record.params.items()]
    for start in range(0, len(pairs), _BATCH):
        client.log_batch(run_id, params=pairs[start : start + _BATCH])
    client.log_artifacts(run_id, str(folder / FILES))
    client.log_artifacts(run_id, str(folder / BUNDLE), BUNDLE)

    with tempfile.TemporaryDirectory(prefix="winback-") as scratch, warnings.catch_warnings():
        # It asks for an example to guess the signature from; ours is explicit.
        warnings.filterwarnings("ignore", ".*input example was not provided", UserWarning)
        as_pyfunc = Path(scratch) / "model"
        save_model(
            as_pyfunc,
            loader_module="winback_training.pyfunc",
            data_path=str(folder / BUNDLE),
            mlflow_model=Model(run_id=run_id, model_id=model.model_id, artifact_path=model.artifact_location),
            signature=_signature(record),
            pip_requirements=[f"winback=={record.tags['winback_version']}"],
            model_config={"score": record.score, "as_of": record.as_of},
        )
        client.log_model_artifacts(model.model_id, str(as_pyfunc))
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    return _register(client, name, model, run_id, record.tags)


def _register(
    client: MlflowClient, name: str, model: LoggedModel, run_id: str, tags: Mapping[str, str]
) -> str:
    try:
        client.create_registered_model(name, description="Who buys again, when, and for how much.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    # The place itself, not models:/<id>: MLflow would look that up in the global store, and make one here.
    registered = client.create_model_version(
        name, model.artifact_location, run_id=run_id, tags=dict(tags), model_id=model.model_id
    )
    number = str(registered.version)
    link = [{"name": name, "version": registered.version}]
    client.set_logged_model_tags(model.model_id, {MLFLOW_MODEL_VERSIONS: json.dumps(link)})
    client.set_registered_model_alias(name, CANDIDATE, number)
    return number


def log_outcomes(
    name: str,
    metrics: Mapping[str, float],
    files: Sequence[Path],
    *,
    tracking_uri: str,
    artifact_root: Path | None = None,
) -> str:
    """Log a reading of outcomes as one run: its numbers, and the files that tell it.

    Parameters
    ----------
    name : str
        Of the run.
    metrics : mapping of str to float
    files : sequence of Path
    tracking_uri : str
    artifact_root : Path, optional
        As for `log_training`.

    Returns
    -------
    str
        The run's id.

    Raises
    ------
    ConfigError
        When the store cannot be reached or was moved.
    """
    with open_store(tracking_uri) as client:
        experiment = _experiment(client, tracking_uri, artifact_root)
        tags = {"mlflow.source.name": "winback outcomes", "mlflow.source.type": "LOCAL"}
        run_id = str(client.create_run(experiment, run_name=name, tags=tags).info.run_id)
        now = time.time_ns() // 1_000_000
        logged = [Metric(key, value, now, 0) for key, value in metrics.items()]
        for start in range(0, len(logged), _BATCH):
            client.log_batch(run_id, metrics=logged[start : start + _BATCH])
        for file in files:
            client.log_artifact(run_id, str(file))
        client.set_terminated(run_id, "FINISHED")
    return run_id


def _signature(record: TrainingRecord) -> ModelSignature:
    """Return the explicit signature: MLflow's own guess takes probabilities for whole numbers."""
    return ModelSignature(
        inputs=Schema([ColSpec(DataType[kind], name) for name, kind in record.inputs.items()]),
        outputs=Schema([ColSpec(DataType[kind], name) for name, kind in record.outputs.items()]),
        params=ParamSchema([ParamSpec("as_of", DataType.string, record.as_of)]),
    )


def check_store(tracking_uri: str, artifact_root: Path | None = None) -> None:
    """Find before the work begins what would keep :func:`log_training` from logging it.

    Parameters
    ----------
    tracking_uri : str
    artifact_root : Path, optional
        As in :func:`log_training`.

    Raises
    ------
    ConfigError
        When the store cannot be reached or written, or was moved.
    """
    with open_store(tracking_uri) as client:
        files = client.get_experiment(_experiment(client, tracking_uri, artifact_root)).artifact_location
    _check_writable(tracking_uri, _local(files))


def _experiment(client: MlflowClient, uri: str, artifact_root: Path | None) -> str:
    """Return the experiment's id, made on first use with its files in a place of our choice."""
    root = artifact_root or _beside(uri)
    location = root.resolve().as_uri() if root else None
    found = client.get_experiment_by_name(EXPERIMENT)
    if found is None:
        return str(client.create_experiment(EXPERIMENT, artifact_location=location))
    if location and found.artifact_location.rstrip("/") != location:
        message = f"The store keeps its files in {found.artifact_location}, not in {location}: was it moved?"
        how = "Move it back, or rename mlflow.db to begin a new store."
        raise ConfigError(message, where=shown(uri), how=how)
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _beside(uri: str) -> Path | None:
    path = uri.removeprefix("sqlite:///")
    return Path(path).parent / "mlartifacts" if path != uri else None


def _local(location: str) -> Path | None:
    """Return the folder on this machine that an address of files means, None where they travel elsewhere.

    >>> print(_local("file:///srv/my%20shop"), _local("/srv/runs"), _local("mlflow-artifacts:/1"))
    /srv/my shop /srv/runs None
    """
    parts = urlsplit(location)
    return Path(unquote(parts.path)) if parts.scheme in ("", "file") else None


def run_of(client: MlflowClient, run_id: str | None) -> Run | None:
    """Return a run; None where there is none, such as after ``mlflow gc``."""
    try:
        return client.get_run(run_id) if run_id else None
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


@contextmanager
def open_store(uri: str) -> Iterator[MlflowClient]:
    """Give a client of the store, without MLflow's chatter, and turn its failures into sentences.

    Raises
    ------
    ConfigError
        When the store cannot be reached, read or written.
    """
    if uri.startswith("sqlite:///"):
        _check_sqlite(uri)
    levels = {name: logging.getLogger(name).level for name in _NOISY}
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        with _alone(uri):
            client = MlflowClient(uri, registry_uri=uri)
        yield client
    except MlflowException as error:
        raise broken(uri, error.message) from error
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


@contextmanager
def _alone(uri: str) -> Iterator[None]:
    """Hold a SQLite store's folder while the store is opened: two that make its tables at once fail."""
    if not uri.startswith("sqlite:///"):
        yield
        return
    folder = os.open(Path(uri.removeprefix("sqlite:///")).parent, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems know no locks
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _check_sqlite(uri: str) -> None:
    """Open the file once: MLflow would try an unusable one again and again for two minutes."""
    path = Path(uri.removeprefix("sqlite:///"))
    if set("%?") & set(str(path)):
        raise broken(uri, "A % or a ? in its path means something else in an address of SQLite.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA schema_version").fetchone()
    except (OSError, sqlite3.Error) as error:
        raise broken(uri, f"{error}.") from error


def _check_writable(uri: str, root: Path | None) -> None:
    """Write into the database and the folder of the files, and take it back."""
    try:
        if uri.startswith("sqlite:///"):
            with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as database:
                database.execute("BEGIN IMMEDIATE")
                database.execute("CREATE TABLE winback_writes (x)")  # the lock alone is given to readers too
                database.rollback()
        if root:
            root.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=root).close()
    except (OSError, sqlite3.Error) as error:
        raise broken(uri, f"{error}.") from error
