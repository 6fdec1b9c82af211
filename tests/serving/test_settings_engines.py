"""The settings of the engine and of the database that gets a copy of every run."""

from __future__ import annotations

from pathlib import Path

import pytest

from winback_features.errors import ConfigError
from winback_serving.settings import Settings, load_settings


def load(folder: Path, text: str, **env: str) -> Settings:
    path = folder / "winback.toml"
    path.write_text('[source]\norders = "orders.parquet"\n' + text, encoding="utf-8")
    return load_settings(path, env)


def test_spark_is_an_engine_with_settings_of_its_own(tmp_path: Path) -> None:
    text = '[engine]\nname = "spark"\nspark_master = "yarn"\nspark_conf = {"spark.sql.shuffle.partitions" = "64"}\n'
    engine = load(tmp_path, text).engine
    assert (engine.name, engine.spark_master) == ("spark", "yarn")
    assert engine.spark_conf == {"spark.sql.shuffle.partitions": "64"}


def test_an_engine_that_is_none_is_named_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="polars") as caught:
        load(tmp_path, '[engine]\nname = "polars"\n')
    assert "spark" in caught.value.how


def test_the_environment_wins_over_the_address_in_the_file(tmp_path: Path) -> None:
    text = '[publish]\npostgres = "postgresql://file/shop"\nschema = "crm"\nkeep_days = 7\n'
    publish = load(tmp_path, text, WINBACK_PUBLISH_POSTGRES="postgresql://env/shop").publish
    assert (publish.postgres, publish.schema, publish.keep_days) == ("postgresql://env/shop", "crm", 7)
    assert load(tmp_path, text).publish.postgres == "postgresql://file/shop"


def test_neither_place_nor_engine_nor_copy_changes_what_a_run_is(tmp_path: Path) -> None:
    plain = load(tmp_path, "").config_hash()
    other = '[publish]\npostgres = "postgresql://x/y"\n[engine]\nname = "spark"\nspark_master = "yarn"\n'
    assert load(tmp_path, other).config_hash() == plain


def test_a_password_is_not_in_the_settings_when_they_are_shown(tmp_path: Path) -> None:
    settings = load(tmp_path, '[publish]\npostgres = "postgresql://me:s3cr3t@host/shop"\n')
    assert "s3cr3t" not in repr(settings)


def test_a_wrong_address_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, '[publish]\npostgres = "me:s3cr3t@host/shop"\n')
    assert caught.value.where.endswith("winback.toml, [publish] postgres")
    assert "s3cr3t" not in str(caught.value)
