"""Batch by batch: what came back decides, the record names nobody, a batch again is the same batch."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from winback_features.errors import ConfigError, GateRefusal, InputError
from winback_serving import cli
from winback_serving.export import ExportRequest
from winback_serving.exports.release import BatchExported, record_path, release_batch
from winback_serving.settings import Settings, load_settings
from winback_serving.store import PublishedRun, RunStore

NOW = datetime(2025, 3, 10, 9)
PEOPLE = 40
CONFIG = """[source]
orders = "orders.csv"
events = "events.csv"
[brand]
timezone = "Europe/Amsterdam"
currency = "EUR"
"""

pytestmark = pytest.mark.slow  # each batch is an export and a reading of the inputs

Home = tuple[Settings, PublishedRun, Callable[[list[tuple[str, str, str]]], None]]


@pytest.fixture
def home(shop: Any, kinds: Any, tmp_path: Path) -> Home:
    """Forty treated contacts in a published run, and a file of events to write."""
    contacts = {f"p{n:02}": {**kinds["treated"], "rank": n + 1} for n in range(PEOPLE)}
    place = tmp_path / ".winback" / "runs" / "2025-03-10"
    place.mkdir(parents=True)
    shop.run(contacts).folder.rename(place / "aa")
    (place / "aa" / "run.json").write_text("{}")
    (place / "current").write_text("aa\n")
    (tmp_path / "winback.toml").write_text(CONFIG)
    (tmp_path / "orders.csv").write_text("contact_id,order_id,ordered_at,amount\np00,o1,2025-01-02,10\n")

    def events(rows: list[tuple[str, str, str]]) -> None:
        lines = ["contact_id,occurred_at,kind", *(",".join(row) for row in rows)]
        (tmp_path / "events.csv").write_text("\n".join(lines) + "\n")

    events([("p00", "2025-03-01", "site_visit")])
    settings = load_settings(tmp_path / "winback.toml", {})
    return settings, RunStore(settings.home).read_run(), events


def ask(home: Home, batch: int, *, day: int = 0, **more: Any) -> BatchExported:
    settings, run, _ = home
    out = settings.base_dir / f"batch-{batch}.csv"
    request = replace(ExportRequest("current", "klaviyo", out, batches=4, batch=batch), **more)
    return release_batch(settings, run, request, NOW + timedelta(days=day))


def record(home: Home) -> dict[str, Any]:
    settings, run, _ = home
    request = ExportRequest("current", "klaviyo", Path("x"), batches=4)
    told: dict[str, Any] = json.loads(record_path(settings.home, run.as_of, request).read_text())
    return told


def quiet(home: Home) -> None:
    """Nothing but a visit since the first batch."""
    home[2]([("p39", "2025-03-12", "site_visit")])


def test_the_batches_are_the_list_best_first_and_each_once(home: Home, read: Any) -> None:
    quiet(home)
    done = [ask(home, n, day=n - 1) for n in (1, 2, 3)]
    ids = [row["contact_id"] for d in done for row in read(d.exported.files[0].path, "klaviyo")]
    assert ids == [f"p{n:02}" for n in range(30)]
    assert [b["batch"] for b in record(home)["released"]] == [1, 2, 3]
    assert not any(f"p{n:02}" in json.dumps(record(home)) for n in range(PEOPLE)), "it names nobody"
    assert [r.mails for r in done[2].readings] == [10, 10, 20, 20]


def test_a_batch_again_is_the_same_batch(home: Home) -> None:
    quiet(home)
    ask(home, 1)
    first, before = ask(home, 2, day=1), record(home)
    data = first.exported.files[0].path.read_bytes()
    home[2]([(f"p{n:02}", "2025-03-12", "email_complaint") for n in range(10)])
    again = ask(home, 2, day=2)
    assert (again.again, again.same, again.released) == (True, True, first.released)
    assert again.exported.files[0].path.read_bytes() == data
    assert record(home) == before


@pytest.mark.parametrize(
    ("kind", "found", "refused"),
    [
        ("email_complaint", 1, False),
        ("email_complaint", 2, False),
        ("email_complaint", 3, True),
        ("email_bounce_hard", 3, True),
    ],
)
def test_complaints_and_bounces_stop_the_next_batch(home: Home, kind: str, found: int, refused: bool) -> None:
    ask(home, 1)
    events = [(f"p{n:02}", "2025-03-11", kind) for n in range(found)]
    # what others do, and what they did before, is no answer to this batch
    events += [(f"p{n:02}", "2025-03-11", kind) for n in range(20, 30)]
    events += [(f"p{n:02}", "2025-03-09", kind) for n in range(5, 10)]
    home[2]([*events, ("p39", "2025-03-12", "site_visit")])
    if not refused:
        assert {r.verdict for r in ask(home, 2, day=2).readings} == {"unproven", "fine"}
        return
    with pytest.raises(GateRefusal, match=rf"{found} \w+ among 10 e-mails of batch 1: 30"):
        ask(home, 2, day=2)
    assert not (home[0].base_dir / "batch-2.csv").exists()
    assert len(record(home)["released"]) == 1
    forced = ask(home, 2, day=2, force=True)
    assert (forced.released.forced, forced.exported.rows) == (True, 10)


def test_where_sends_are_recorded_only_who_was_sent_an_e_mail_counts(home: Home) -> None:
    ask(home, 1)
    sent = [(f"p{n:02}", "2025-03-10", "email_sent") for n in range(4)]
    home[2]([*sent, ("p00", "2025-03-11", "email_complaint")])
    assert [r.mails for r in ask(home, 2, day=2).readings] == [4, 4]


@pytest.mark.parametrize(
    "events",
    [
        [("p00", "2025-03-09", "site_visit")],
        [("p39", "2025-03-12", "email_sent")],
    ],
)
def test_what_is_not_known_releases_nothing(home: Home, events: Any) -> None:
    """No event since the release; or sends are recorded, and none of this batch."""
    ask(home, 1)
    home[2](events)
    with pytest.raises(GateRefusal, match="Nothing is known of what batch 1 brought"):
        ask(home, 2, day=2)
    assert ask(home, 2, day=2, force=True).released.forced


def test_no_batch_is_skipped(home: Home) -> None:
    with pytest.raises(ConfigError, match="Batch 1 of current of 2025-03-10 has not been released"):
        ask(home, 2)
    quiet(home)
    ask(home, 1)
    with pytest.raises(ConfigError, match="Batch 2 of current") as skipped:
        ask(home, 3, day=1)
    assert "--as-of 2025-03-10 --batch 2" in skipped.value.how


def test_the_batches_come_from_one_run(home: Home, read: Any) -> None:
    settings, run, _ = home
    quiet(home)
    ask(home, 1)
    other = replace(run, run_id="bb", folder=run.folder.with_name("bb"))
    request = ExportRequest("current", "klaviyo", settings.base_dir / "b.csv", batches=4, batch=2)
    done = release_batch(settings, other, request, NOW)
    assert read(done.exported.files[0].path, "klaviyo")[0]["contact_id"] == "p10"
    (run.folder / "run.json").unlink()
    with pytest.raises(InputError, match="The run aa that the batches came from is gone"):
        release_batch(settings, other, replace(request, batch=3), NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch": 0},
        {"batch": 5},
        {"delta": True},
        {"to": "meta"},
        {"name": "winback"},
    ],
)
def test_what_is_no_batch(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        replace(ExportRequest("current", "klaviyo", Path("x"), batches=4, batch=1), **wrong)


def test_a_damaged_record_is_told(home: Home) -> None:
    ask(home, 1)
    settings, run, _ = home
    path = record_path(settings.home, run.as_of, ExportRequest("current", "klaviyo", Path("x"), batches=4))
    path.write_text('{"released": [{}]}')
    with pytest.raises(InputError, match="damaged"):
        ask(home, 1)


def test_the_command_refuses_with_3_and_tells_the_numbers(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = home[0]
    ask(home, 1)
    home[2]([(f"p{n:02}", "2025-03-11", "email_complaint") for n in range(3)])
    out = str(settings.base_dir / "b.csv")
    args = ["export", "-c", str(settings.path), "--list", "current", "--to", "klaviyo", "--out", out]
    assert cli.run([*args, "--batches", "4", "--batch", "2"]) == 3
    assert "3 complaints among 10 e-mails of batch 1: 30.00%" in capsys.readouterr().err
    assert cli.run([*args, "--batches", "4", "--batch", "2", "--force", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["release"]
    assert (told["batch"], told["forced"], told["readings"][0]["verdict"]) == (2, True, "too_many")
    assert cli.run([*args, "--batches", "4", "--batch", "2"]) == 0
    assert "Batch 2 was released at" in capsys.readouterr().out
