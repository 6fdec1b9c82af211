"""``winback simulate`` as people and tests use it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from winback_features.engine import open_engine
from winback_features.errors import ConfigError
from winback_features.ingest import ingest
from winback_models.simulate.world import World
from winback_serving.cli import run
from winback_serving.settings import load_settings
from winback_serving.simulated import write_shop

ARGS = ["simulate", "--contacts", "300", "--days", "200", "--seed", "4"]


def test_the_same_command_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert run([*ARGS, "--out", str(tmp_path / name)]) == 0
    files = sorted(file.name for file in (tmp_path / "one").iterdir())
    assert files == [
        *("campaigns.parquet", "contacts.parquet", "events.parquet", "orders.parquet", "truth.parquet"),
        "winback.toml",
    ]
    assert all((tmp_path / "one" / f).read_bytes() == (tmp_path / "two" / f).read_bytes() for f in files)


def test_it_says_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*ARGS, "--json", "--out", str(tmp_path / "shop")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["rows"]["contacts"] == told["rows"]["truth"] == 300
    assert told["as_of"] == "2024-07-19"


def test_days_to_come_are_said_to_be_no_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for days, said in ((60, ""), (3650, "Say at most --days")):
        words = ["simulate", "--contacts", "1", "--days", str(days), "--out", str(tmp_path / str(days))]
        assert run(words) == 0
        told = capsys.readouterr().err
        assert said in told
        assert ("refused as input" in told) == bool(said)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="something already"):
        write_shop(World(contacts=10, days=30), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_the_facts_are_sound_and_the_dirt_is_found(tmp_path: Path) -> None:
    """Every bad row is quarantined for the reason it was made with, and no other row is."""
    write_shop(World(contacts=600, days=200, seed=5), tmp_path, dirt=True)
    told = json.loads((tmp_path / "dirt.json").read_text())
    settings = load_settings(tmp_path / "winback.toml", {})
    with open_engine(settings.engine) as backend:
        tables = ingest(backend, settings.source, settings.brand, today=date(2024, 7, 19), base_dir=tmp_path)
        assert {table.name: table.reasons for table in tables.report.tables} == told
