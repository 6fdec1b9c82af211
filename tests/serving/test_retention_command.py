"""``winback retention``: what is printed and written is what the run published, and a spreadsheet runs none of it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from winback_features.config import BrandConfig, EngineConfig, SourceConfig
from winback_features.engine import open_engine
from winback_features.ingest import ingest
from winback_features.retention import retention
from winback_serving import cli
from winback_serving.batch import score_day
from winback_serving.commands.retention import show
from winback_serving.retention_tables import flat_tables, write_tables
from winback_serving.settings import load_settings
from winback_serving.store import RunStore

ORDERS = """contact_id,order_id,ordered_at,amount
a,1,2024-01-05,10
a,2,2024-01-25,10
a,3,2024-03-02,10
b,4,2024-01-09,20
b,5,2024-02-03,20
c,6,2024-02-11,30
d,7,2024-03-01,40
"""
CONTACTS = """contact_id,acquisition_source
a,=HYPERLINK("x")
b,ads
c,ads
d,[shop]
"""
DAY = date(2024, 3, 15)


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("retention")
    (folder / "orders.csv").write_text(ORDERS)
    (folder / "contacts.csv").write_text(CONTACTS)
    with open_engine(EngineConfig(memory_limit="1GB")) as backend:
        source = SourceConfig("orders.csv", contacts="contacts.csv")
        tables = ingest(backend, source, BrandConfig(), today=DAY, base_dir=folder)
        return {**retention(tables, DAY, 28), "currency": "EUR"}


def read(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_the_files_say_what_can_be_counted_by_hand(figures: dict[str, Any], tmp_path: Path) -> None:
    files = {
        file.stem: read(file) for file in write_tables(flat_tables(figures), tmp_path / "new" / "folder")
    }
    assert list(files) == [
        "second_order", "second_order_curve", "by_order_number", "gaps", "gap_lines", "cohorts", "lifecycle", "sources",
        "sources_curve",
    ]  # fmt: skip
    cohorts = [
        (r["month"], r["contacts"], r["months_since"], r["active"], r["share"], r["revenue"], r["complete"])
        for r in files["cohorts"]
    ]
    assert cohorts == [
        ("2024-01", "2", "0", "2", "1.0", "40.0", "true"),
        ("2024-01", "2", "1", "1", "0.5", "20.0", "true"),
        ("2024-01", "2", "2", "1", "0.5", "10.0", "false"),
        ("2024-02", "1", "0", "1", "1.0", "30.0", "true"),
        ("2024-02", "1", "1", "0", "0.0", "0.0", "false"),
        ("2024-03", "1", "0", "1", "1.0", "40.0", "false"),
    ]
    first, second = files["by_order_number"][:2]
    assert (first["contacts"], first["next"], first["naive_rate"], first["median_days"]) == (
        "4",
        "2",
        "0.5",
        "20",
    )
    assert (second["contacts"], second["next"]) == ("2", "1")
    assert [row["new"] for row in files["lifecycle"]] == ["2", "1", "1"]
    assert sum(int(row["gaps"]) for row in files["gaps"]) == figures["gaps"]["closed"] == 3
    assert {row["source"] for row in files["sources"]} == {'\'=HYPERLINK("x")', "ads", "[shop]"}
    assert {row["source"] for row in files["sources_curve"]} == {row["source"] for row in files["sources"]}


def test_no_figure_of_the_run_is_lost_in_the_tables(figures: dict[str, Any]) -> None:
    tables = {table.name: table.rows for table in flat_tables(figures)}
    assert len(tables["second_order_curve"]) == len(figures["second_order"]["curve"])
    assert len(tables["gaps"]) == len(figures["gaps"]["bins"])
    assert len(tables["cohorts"]) == sum(len(row["active"]) for row in figures["cohorts"])
    assert len(tables["lifecycle"]) == len(figures["lifecycle"])
    assert len(tables["sources_curve"]) == sum(len(row["curve"]) for row in figures["sources"])
    for name, row in zip(tables["second_order"], figures["second_order"]["rates"], strict=True):
        assert name == (row["days"], row["rate"], row["low"], row["high"], row["at_risk"])


def printed(figures: dict[str, Any]) -> str:
    console = Console(width=80, file=StringIO(), highlight=False)
    show(console, figures)
    text: str = console.file.getvalue()
    return text


def test_it_fits_a_terminal_and_says_what_is_open(figures: dict[str, Any]) -> None:
    text = printed(figures)
    assert "4 buyers before 2024-03-15" in text
    assert max(map(len, text.splitlines())) <= 90
    assert all(line.endswith("--json or --out gives all") for line in text.splitlines() if "…" in line)
    assert "closed: 50 % by day 37." in text
    for title in (
        "From the first to the second",
        "From each order",
        "Days between",
        "Per cent of a month",
        "The base",
    ):
        assert title in text
    assert "[shop]" in text, "a name is no markup"
    assert any(line.split() == ["2024-01", "2", "50", "50*"] for line in text.splitlines())


def test_without_sources_or_buyers_it_says_so(figures: dict[str, Any]) -> None:
    assert "No acquisition source is known." in printed({**figures, "sources": []})
    assert printed({**figures, "contacts": 0}).splitlines() == ["0 buyers before 2024-03-15"]


@pytest.mark.slow
def test_the_command_reads_the_published_run(
    tmp_path: Path, write_shop: Callable[..., Path], rule_model: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_shop(tmp_path)
    settings = load_settings(config, {})
    for day in (date(1998, 3, 1), date(1998, 4, 1)):
        score_day(settings, day, rule_model(), "digest")
    asked = [
        "retention",
        "-c",
        str(config),
        "--json",
        "--as-of",
        "1998-03-01",
        "--out",
        str(tmp_path / "out"),
    ]
    assert cli.run(asked) == 0
    said = json.loads(capsys.readouterr().out)
    run = RunStore(settings.home).read_run(date(1998, 3, 1))
    published = json.loads((run.folder / "retention.json").read_text(encoding="utf-8"))
    assert {key: said[key] for key in published} == published
    assert sorted(Path(file).name for file in said["files"]) == sorted(
        p.name for p in (tmp_path / "out").iterdir()
    )
    assert cli.run(["retention", "-c", str(config)]) == 0
    assert "before 1998-04-01" in capsys.readouterr().out
    (run.folder / "retention.json").unlink()
    assert cli.run(asked) == 2
    assert "winback score --as-of 1998-03-01" in json.loads(capsys.readouterr().out)["error"]["how"]
