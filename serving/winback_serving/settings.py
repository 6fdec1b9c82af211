"""``winback.toml`` and the environment, read once into frozen dataclasses. Nothing else parses either.

Each layer owns its own dataclass; this module only fills them. The environment overrides four of them:
``WINBACK_HOME``, ``WINBACK_DATABASE``, ``WINBACK_PUBLISH_POSTGRES`` and ``WINBACK_TRACKING_URI``.
"""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from winback_features.config import BrandConfig, EngineConfig, SourceConfig
from winback_features.errors import ConfigError
from winback_features.files import BACKSLASHES
from winback_models.config import ScoreConfig
from winback_policy.config import PolicyConfig
from winback_policy.outcomes.config import OutcomesConfig
from winback_policy.presets import PRESETS, with_preset
from winback_serving.operations_config import OperationsConfig
from winback_serving.publish_config import PublishConfig
from winback_serving.settings_rules import check_rules
from winback_serving.toml_section import check_keys, convert, field_names, read_section
from winback_serving.web.config import WebConfig
from winback_training.config import TrainingConfig
from winback_training.gate import GateConfig

SECTIONS = (
    "home",
    "source",
    "brand",
    "score",
    "policy",
    "outcomes",
    "engine",
    "publish",
    "operations",
    "web",
    "training",
    "gate",
)
SCORE_KEYS = ("curve_days", "max_days", "discount_rate", "category_gap_days")
LOG_KEYS = ("campaign_log", "campaign_log_columns")
"""What was sent changes no score; a run is known by the log as it is by its other inputs."""
VALUE_KEYS = ("value_horizon_days", "margin_share")
"""Fields of the score that are a matter of policy, and are set under ``[policy]``."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a command may be told.

    Attributes
    ----------
    path : Path
        The ``winback.toml`` it was read from; relative source paths start at its folder.
    home : Path
        Absolute folder of the runs, the registry and its artefacts.
    source, brand, engine, publish, operations, web, score, policy, training, gate, outcomes
        The layers' own settings.
    horizon_auto : bool
        ``brand.horizon_days = "auto"``: training learns the horizon, and the model brings it along.
    """

    path: Path
    home: Path
    source: SourceConfig
    brand: BrandConfig
    engine: EngineConfig
    publish: PublishConfig
    operations: OperationsConfig
    web: WebConfig
    score: ScoreConfig
    policy: PolicyConfig
    training: TrainingConfig
    gate: GateConfig
    horizon_auto: bool = False
    outcomes: OutcomesConfig = field(default_factory=OutcomesConfig)

    @property
    def base_dir(self) -> Path:
        """Return the folder at which relative source paths start."""
        return self.path.parent

    @property
    def tracking_uri(self) -> str:
        """Return where MLflow keeps runs and models; SQLite in the home folder unless set."""
        return self.training.tracking_uri or f"sqlite:///{self.home / 'mlflow.db'}"

    @property
    def metrics_file(self) -> Path | None:
        """Return where the daily job leaves its numbers for Prometheus, or None."""
        named = self.operations.metrics_file
        return self.home / Path(named).expanduser() if named else None

    @property
    def artifact_root(self) -> Path | None:
        """Return the folder of MLflow's artefacts, or None where a server keeps them."""
        return None if self.training.tracking_uri else self.home / "mlartifacts"

    def config_hash(self) -> str:
        """Return a digest of every setting that can change a score or a flag (names, places and the engine cannot)."""
        source = asdict(self.source)
        for place in ("orders", "events", "contacts", "database", "max_shrink", *LOG_KEYS):
            source.pop(place)
        brand = asdict(self.brand)
        brand.pop("name")
        parts = {"source": source, "brand": brand, "policy": asdict(self.policy)}
        score = asdict(self.score)
        if self.horizon_auto:
            score.pop("horizon_days")
        text = json.dumps({**parts, "score": score}, sort_keys=True, default=date.isoformat)
        return hashlib.sha256(text.encode()).hexdigest()


def load_settings(path: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Read ``winback.toml``.

    Parameters
    ----------
    path : Path
        The file.
    environ : mapping, optional
        The environment; the process's own when absent.

    Returns
    -------
    Settings

    Raises
    ------
    ConfigError
        When the file is missing or is no TOML, or a section, key, type or value is wrong.
    """
    env = os.environ if environ is None else environ
    path, where = path.absolute(), str(path)
    sections = _parse(path, where)
    check_keys("", sections, SECTIONS, where)
    for name, table in sections.items():
        if not isinstance(table, dict):
            msg = f"{name} is no section."
            raise ConfigError(msg, where=where, how=f"Write [{name}] on its own line.")
    table = {name: dict(sections.get(name, {})) for name in SECTIONS}

    if "source" not in sections:
        raise ConfigError("There is no [source] section.", where=where, how="`winback init` writes one.")
    check_keys("home", table["home"], ["path"], where)
    check_keys("score", table["score"], SCORE_KEYS, where)
    check_keys("brand", table["brand"], ["horizon_days", *field_names(BrandConfig)], where)
    check_keys("policy", table["policy"], [*VALUE_KEYS, *field_names(PolicyConfig)], where)
    horizon = table["brand"].pop("horizon_days", None)
    for key in VALUE_KEYS:
        if key in table["policy"]:
            table["score"][key] = table["policy"].pop(key)
    preset = PRESETS.get(str(table["policy"].get("preset")))
    if horizon is None and preset:
        horizon = preset.horizon_days
    if horizon is not None and horizon != "auto":
        table["score"]["horizon_days"] = convert(horizon, int, "[brand] horizon_days", where)

    if env.get("WINBACK_PUBLISH_POSTGRES"):
        table["publish"]["postgres"] = env["WINBACK_PUBLISH_POSTGRES"]
    source = read_section(SourceConfig, "source", table["source"], where)
    training = read_section(TrainingConfig, "training", table["training"], where)
    settings = Settings(
        path=path,
        home=_home(table["home"], path, env),
        source=replace(source, database=env.get("WINBACK_DATABASE") or source.database),
        brand=read_section(BrandConfig, "brand", table["brand"], where),
        engine=read_section(EngineConfig, "engine", table["engine"], where),
        publish=read_section(PublishConfig, "publish", table["publish"], where),
        operations=read_section(OperationsConfig, "operations", table["operations"], where),
        web=read_section(WebConfig, "web", table["web"], where),
        score=read_section(ScoreConfig, "score", table["score"], where),
        policy=read_section(PolicyConfig, "policy", with_preset(table["policy"]), where),
        training=replace(training, tracking_uri=env.get("WINBACK_TRACKING_URI") or training.tracking_uri),
        gate=read_section(GateConfig, "gate", table["gate"], where),
        horizon_auto=horizon == "auto",
        outcomes=read_section(OutcomesConfig, "outcomes", table["outcomes"], where),
    )
    check_rules(settings, where)
    return settings


def _home(table: Mapping[str, Any], path: Path, env: Mapping[str, str]) -> Path:
    """Return the home folder: the environment's, else the file's own (beside the file unless absolute)."""
    if env.get("WINBACK_HOME"):
        return Path(env["WINBACK_HOME"]).expanduser().absolute()
    named: str = convert(table.get("path", ".winback"), str, "[home] path", str(path))
    return Path(os.path.normpath(path.parent / Path(named).expanduser()))


def _parse(path: Path, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            "There is no such file.", where=where, how="`winback init` writes one; `-c FILE` names another."
        ) from None
    except IsADirectoryError:
        raise ConfigError("That is a folder.", where=where, how=f"Say -c {path / 'winback.toml'}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        escaped = "\\" in str(error) or "hex value" in str(error)  # as in "C:\data" and in "C:\Users"
        how = f"Mend that line. {BACKSLASHES}" if escaped else "Mend that line."
        raise ConfigError(f"It is not valid TOML: {error}.", where=where, how=how) from None
