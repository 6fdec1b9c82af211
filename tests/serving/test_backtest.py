"""The backtest: past days replayed as the daily job would have run them, judged, told and drawn."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from ibis.util import gen_name
from rich.console import Console

from winback_features.build import build_features
from winback_features.contact_status import build_contact_status
from winback_features.engine import open_engine
from winback_features.errors import InputError
from winback_features.ingest import ingest
from winback_features.labels import build_labels
from winback_features.tables import Tables
from winback_policy.decide import DecisionDay, decide
from winback_serving import cli
from winback_serving.backtest import Backtest, judge_replay
from winback_serving.backtest_report import figures, render_backtest, sentences
from winback_serving.commands.backtest import show_backtest
from winback_serving.parquet import write_expression
from winback_serving.replay import Replay, replay, replayed_days
from winback_serving.scorer import score_features
from winback_serving.settings import Settings, load_settings
from winback_serving.suppression import key_of, suppress

DAYS = tuple(date(1998, 2, 1) + timedelta(days=n) for n in (0, 2, 21))
CLOSED = (
    (date(1997, 12, 25), date(1997, 12, 27)),
    (date(1998, 2, 2), date(1998, 2, 4)),
    (date(1998, 2, 10), date(1998, 2, 12)),
)
"""The days between the first two that are replayed among them, and some before and after."""


@dataclass(frozen=True)
class Past:
    """A small shop, and its replayed days."""

    settings: Settings
    tables: Tables
    replayed: Replay
    found: Backtest
    folder: Path


pytestmark = pytest.mark.slow  # trainings and whole replays


@pytest.fixture(scope="module")
def past(
    tmp_path_factory: pytest.TempPathFactory, write_shop: Callable[..., Path], rule_model: Any
) -> Iterator[Past]:
    folder = tmp_path_factory.mktemp("past")
    settings = load_settings(write_shop(folder / "shop", 15), {})
    policy = replace(settings.policy, lead_days=30, journey_days=2)
    settings = replace(settings, policy=policy, brand=replace(settings.brand, closed=CLOSED))
    with open_engine(settings.engine) as backend:
        tables = ingest(
            backend, settings.source, settings.brand, today=date(1998, 7, 1), base_dir=settings.base_dir
        )
        scratch = folder / "scratch"
        scratch.mkdir()
        replayed = replay(tables, rule_model(), DAYS, settings.score, settings.policy, "USD", scratch)
        yield Past(settings, tables, replayed, judge_replay(replayed, DAYS, 60, 1, settings.policy), scratch)


def test_the_replay_decides_what_the_daily_job_would_have_decided(past: Past, rule_model: Any) -> None:
    backend, states = past.tables.backend, None
    panel = past.replayed.panel.to_pyarrow().to_pylist()
    left = {
        (row["exited_at"], row["contact_id"], row["exit_reason"])
        for row in past.replayed.exits.to_pyarrow().to_pylist()
    }
    wanted_left = set()
    for day in DAYS:
        files = [past.folder / f"{name}-{day}.parquet" for name in ("features", "scores", "states")]
        write_expression(build_features(past.tables, day), ["contact_id"], files[0])
        score_features(files[0], rule_model(), day, past.settings.score, "USD", files[1])
        decision = decide(
            backend.read_parquet(files[1]),
            backend.read_parquet(files[0]),
            build_contact_status(past.tables, day),
            states,
            DecisionDay(
                as_of=day,
                config=past.settings.policy,
                currency="USD",
                has_contacts=False,
                closed=past.settings.brand.closed,
            ),
            cache=lambda t: backend.create_table(gen_name("daily"), t, temp=True),
        )
        write_expression(decision.states, ["contact_id"], files[2])
        states = backend.read_parquet(files[2])
        entered = set(decision.entries.to_pyarrow()["contact_id"].to_pylist())
        assert {row["contact_id"] for row in panel if row["day"] == day and row["entered"]} == entered
        wanted_left |= {
            (day, row["contact_id"], row["exit_reason"]) for row in decision.exits.to_pyarrow().to_pylist()
        }
        bought = set(build_labels(past.tables, day, 60).to_pyarrow()["contact_id"].to_pylist())
        today = [row for row in panel if row["day"] == day]
        assert today
        assert all(row["bought"] == (row["contact_id"] in bought) for row in today)
        assert all(row["spell"] == day.toordinal() - row["days_since_purchase"] for row in today)
    assert left == wanted_left
    ended = {day for day, _, reason in left if reason == "journey_ended"}
    assert ended == {DAYS[2]}, "journeys of two days ended, but not while the shop was closed"


def test_the_panel_is_the_active_base_of_each_day(past: Past) -> None:
    rows = past.replayed.panel.to_pyarrow().to_pylist()
    assert {row["day"] for row in rows} == set(DAYS)
    assert len({(row["contact_id"], row["day"]) for row in rows}) == len(rows)
    assert all(row["on_base"] or row["entered"] for row in rows)
    assert all(row["days_since_purchase"] <= 120 for row in rows if row["on_base"])


def test_the_counts_add_up(past: Past) -> None:
    found = past.found
    assert found.flags > 0
    assert found.caught + found.unnecessary <= found.flags
    assert found.caught <= found.true_lapses
    assert sum(found.lead_days.values()) == found.caught
    assert found.capacity[-1]["flags"] == found.flags
    assert found.flapping["again_in_cooldown"] == 0
    assert set(found.rules) == {"fixed_window", "own_gap"}
    assert json.loads(json.dumps(found.as_dict()))["first_day"] == "1998-02-03"


def test_the_report_stands_alone_and_tells_the_numbers(past: Past) -> None:
    page = render_backtest(past.found, "Shop & <Sons>")
    assert "Shop &amp; &lt;Sons&gt;" in page
    assert "http" not in page
    assert "<script" not in page
    assert "None" not in page
    assert "nan" not in page
    for sentence in sentences(past.found):
        assert sentence.split(",")[0].replace("'", "&#39;") in page
    drawn = figures(past.found)
    assert set(drawn) == {"caught"} | ({"lead"} if past.found.lead_days else set())
    for figure in drawn.values():
        picture = ET.fromstring(figure.svg)
        words = {e.tag: e.text for e in picture if e.tag in ("title", "desc")}
        assert words["title"] == figure.title
        assert words["desc"]
        assert picture.get("aria-label") == words["desc"]


def test_without_flags_the_report_still_speaks(past: Past) -> None:
    nobody = past.replayed.panel.mutate(entered=False)
    found = judge_replay(Replay(nobody, past.replayed.exits), DAYS, 60, 1, past.settings.policy)
    assert (found.flags, found.precision, found.lead_days_median) == (0, None, None)
    assert "0 flags" in sentences(found)[1]
    assert "How long before" not in render_backtest(found, "Shop")


def test_the_last_third_is_replayed_up_to_the_last_closed_horizon() -> None:
    days = replayed_days(date(2025, 1, 1), date(2025, 12, 27), 30, step_days=7)
    assert days[0] == date(2025, 8, 29)
    assert days[-1] + timedelta(days=30) <= date(2025, 12, 27)
    assert {(b - a).days for a, b in pairwise(days)} == {7}


def test_a_history_too_short_is_refused() -> None:
    with pytest.raises(InputError, match="leaves none to judge") as error:
        replayed_days(date(2025, 1, 1), date(2025, 6, 1), 90)
    assert error.value.exit_code == 2


def test_spark_is_refused(
    tmp_path: Path, write_shop: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_shop(tmp_path, 15)
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("[engine]", '[engine]\nname = "spark"'), encoding="utf-8")
    assert cli.run(["backtest", "-c", str(config)]) == 2
    said = capsys.readouterr().err
    assert "engine.name" in said
    assert "duckdb" in said


def test_a_day_to_come_is_refused(
    tmp_path: Path, write_shop: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """No horizon that ends there has closed, whatever the calendar will say by then."""
    assert cli.run(["backtest", "-c", str(write_shop(tmp_path, 15)), "--as-of", "2999-01-01"]) == 2
    assert "what happens until 2999-01-01 is not known yet" in capsys.readouterr().err


def test_the_command_writes_numbers_and_pictures(
    tmp_path: Path,
    write_shop: Callable[..., Path],
    rule_model: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Trained:
        model = rule_model()

    trained = []
    monkeypatch.setattr(
        "winback_serving.commands.backtest.train", lambda *args: trained.append(args) or Trained()
    )
    config = write_shop(tmp_path, 15)
    assert cli.run(["backtest", "-c", str(config), "--step", "28", "--as-of", "1997-10-01", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["command"] == "backtest"
    assert said["step_days"] == 28
    assert trained[0][1] == date.fromisoformat(said["trained_on"])
    assert trained[0][3].origins == 0, "no forward tests"
    home = tmp_path / ".winback"
    assert json.loads((home / "backtest.json").read_text())["flags"] == said["flags"]
    assert (home / "backtest.html").read_text().startswith("<!doctype html>")
    assert not (home / "runs").exists(), "nothing is published"


def test_who_was_erased_is_in_no_backtest(
    tmp_path: Path, write_shop: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_shop(tmp_path, 15)
    erased = config.with_name("orders.csv").read_text(encoding="utf-8").splitlines()[1].split(",")[0]
    home = tmp_path / ".winback"
    home.mkdir()
    suppress(home, [key_of(erased)])
    buyers: set[str] = set()

    def looked_at(tables: Tables, *_: Any) -> None:
        buyers.update(tables.orders.contact_id.to_pyarrow().to_pylist())
        raise InputError("That is all.")

    monkeypatch.setattr("winback_serving.commands.backtest.train", looked_at)
    assert cli.run(["backtest", "-c", str(config), "--as-of", "1997-10-01"]) == 2
    assert buyers
    assert erased not in buyers


def test_the_terminal_is_told_in_sentences_and_one_table(past: Past) -> None:
    console = Console(width=160, record=True, file=io.StringIO())
    show_backtest(console, past.found, Path("backtest.html"))
    text = console.export_text()
    assert "at the same number of flags" in text
    assert "fixed window" in text
    assert text.rstrip().endswith("backtest.html")
