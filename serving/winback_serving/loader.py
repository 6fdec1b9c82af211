"""Load the champion from the model registry: the only module of serving that knows MLflow.

The bundle's digest is checked before it is opened, against what was registered as well. MLflow's telemetry
is off, and no address is asked but that of the tracking URI.
"""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", MLFLOW_UV_AUTO_DETECT="false")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from winback_features.errors import ConfigError, InputError
from winback_models.lapse_model import LapseModel
from winback_serving.parquet import file_digest

CHAMPION = "champion"
BUNDLE = "bundle"
_PROMOTE = "Train one with `winback train`, then make it champion with `winback models promote`."


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
    ConfigError
        When there is no champion, or the registry cannot be read.
    InputError
        When the bundle was changed, or was written by a version that this one cannot read.
    """
    where = f"model {model_name}"
    database = tracking_uri.removeprefix("sqlite:///")
    if database != tracking_uri and not Path(database).exists():
        raise ConfigError("No model has been trained yet.", where=where, how=_PROMOTE)
    with _quietly(), tempfile.TemporaryDirectory(prefix="winback-") as scratch:
        try:
            client = MlflowClient(tracking_uri, registry_uri=tracking_uri)
            found = client.get_model_version_by_alias(model_name, CHAMPION)
            folder = Path(client.download_artifacts(found.run_id or "", BUNDLE, scratch))
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise ConfigError("There is no champion yet.", where=where, how=_PROMOTE) from error
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
