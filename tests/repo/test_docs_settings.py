"""docs/configuration.md names every setting with its default, and no other."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

import pytest

Setting = tuple[str, str]


def default_of(field: Field[Any]) -> str:
    """Return a field's default as the document writes it: in TOML's spelling, a dash for none."""
    if field.default is not MISSING:
        value = field.default
    elif field.default_factory is not MISSING:
        value = field.default_factory()
    else:
        return "required"
    return "–" if value is None else f"`{json.dumps(value)}`"


def settings_of_the_code() -> Iterator[tuple[Setting, str]]:
    from winback_features.config import BrandConfig, EngineConfig, SourceConfig
    from winback_models.config import ScoreConfig
    from winback_policy.config import PolicyConfig
    from winback_policy.outcomes.config import OutcomesConfig
    from winback_serving.operations_config import OperationsConfig
    from winback_serving.publish_config import PublishConfig
    from winback_serving.settings import SECTIONS, VALUE_KEYS
    from winback_serving.web.config import WebConfig
    from winback_training.config import TrainingConfig
    from winback_training.gate import GateConfig

    score = {f.name: default_of(f) for f in fields(ScoreConfig)}
    yield ("home", "path"), '`".winback"`'
    yield ("brand", "horizon_days"), score.pop("horizon_days")
    for key in VALUE_KEYS:
        yield ("policy", key), score.pop(key)
    for key, default in score.items():
        yield ("score", key), default
    rest = {
        "source": SourceConfig,
        "brand": BrandConfig,
        "engine": EngineConfig,
        "operations": OperationsConfig,
        "policy": PolicyConfig,
        "outcomes": OutcomesConfig,
        "publish": PublishConfig,
        "training": TrainingConfig,
        "gate": GateConfig,
        "web": WebConfig,
    }
    assert {"home", "score", *rest} == set(SECTIONS)
    for section, config in rest.items():
        for field in fields(config):
            yield (section, field.name), default_of(field)


def settings_of_the_document(root: Path) -> Iterator[tuple[Setting, str]]:
    section = ""
    for line in (root / "docs" / "configuration.md").read_text(encoding="utf-8").splitlines():
        if heading := re.match(r"## (\w+)$", line):
            section = heading[1]
        elif row := re.match(r"\| `(\w+)` \| (.+?) \| (.+) \|$", line):
            assert len(row[3]) > 10, f"{section}.{row[1]} is not explained"
            yield (section, row[1]), row[2]


def test_every_setting_is_documented_with_its_default_and_no_other(root: Path) -> None:
    written = list(settings_of_the_document(root))
    assert len(written) == len(dict(written)), "a setting stands there twice"
    assert dict(written) == dict(settings_of_the_code())


@pytest.mark.parametrize(
    "name", ["WINBACK_HOME", "WINBACK_DATABASE", "WINBACK_PUBLISH_POSTGRES", "WINBACK_TRACKING_URI"]
)
def test_every_variable_of_the_environment_is_documented(name: str, root: Path) -> None:
    assert f"`{name}`" in (root / "docs" / "configuration.md").read_text(encoding="utf-8")


def test_there_are_no_other_variables(root: Path) -> None:
    code = (root / "serving" / "winback_serving" / "settings.py").read_text(encoding="utf-8")
    document = (root / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert set(re.findall(r"WINBACK_[A-Z_]+", code)) == set(re.findall(r"WINBACK_[A-Z_]+", document))


def test_the_example_is_read_without_complaint(root: Path, tmp_path: Path) -> None:
    from winback_serving.settings import load_settings

    document = (root / "docs" / "configuration.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.+?)```", document, flags=re.DOTALL)
    path = tmp_path / "winback.toml"
    path.write_text(example, encoding="utf-8")
    assert load_settings(path, environ={}).brand.timezone == "Europe/Amsterdam"


def test_the_template_shows_every_setting_with_its_default(root: Path) -> None:
    template = (root / "serving/winback_serving/templates/winback.toml").read_text(encoding="utf-8")
    shown: dict[Setting, tuple[str, str]] = {}
    section = ""
    for line in template.splitlines():
        if heading := re.match(r"\[(\w+)\]", line):
            section = heading[1]
        elif heading := re.match(r"\[(\w+)\.(\w+)\]", line):
            section = ""
            shown[heading[1], heading[2]] = ("", "{}")
        elif section and (row := re.match(r"(# )?(\w+) = (.+?)( +#.*)?$", line)):
            shown[section, row[2]] = (row[1] or "", row[3])
    expected = dict(settings_of_the_code())
    assert set(shown) == set(expected)
    for setting, (comment, text) in shown.items():
        default = expected[setting].strip("`")
        if comment and default not in ("–", "[]"):
            assert tomllib.loads(f"x = {text}")["x"] == json.loads(default), setting


def test_the_ten_lines_of_the_readme_are_read_without_complaint(root: Path, tmp_path: Path) -> None:
    from winback_serving.settings import load_settings

    (example,) = re.findall(
        r"```toml\n(.+?)```", (root / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL
    )
    assert len(example.splitlines()) <= 10
    path = tmp_path / "winback.toml"
    path.write_text(example, encoding="utf-8")
    assert load_settings(path, environ={}).source.orders_columns["amount"] == "quantity * price"
