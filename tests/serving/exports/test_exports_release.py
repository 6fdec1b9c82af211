"""Batch by batch: what came back decides, the record names nobody, a batch again is the same batch."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from winback_features.errors import ConfigError, GateRefusal, InputError
from winback_policy.stated import GONE
from winback_serving import cli
from winback_serving.erase import erase
from winback_serving.export import ExportRequest
from winback_serving.exports.fallen import FELL_OUT
from winback_serving.exports.release import BatchExported, record_path, release_batch
from winback_serving.settings import Settings, load_settings
from winback_serving.store import PublishedRun, RunStore

NOW = datetime(2025, 3, 10, 9)
PEOPLE = 40
CONFIG = """[source]
orders = "orders.csv"
events = "events.csv"
contacts = "contacts.csv"
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
    (place / "aa" / "run.json").write_text('{"schema_version": 1}')
    (place / "current").write_text("aa\n")
    (tmp_path / "winback.toml").write_text(CONFIG)
    (tmp_path / "orders.csv").write_text("contact_id,order_id,ordered_at,amount\np00,o1,2025-01-02,10\n")

    (tmp_path / "contacts.csv").write_text("contact_id\np00\n")

    def events(rows: list[tuple[str, ...]]) -> None:
        """Write rows of contact, day and kind, some with the reason given."""
        lines = ["contact_id,occurred_at,kind,reason", *(",".join([*row, ""][:4]) for row in rows)]
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


def since(home: Home) -> dict[str, str]:
    """Let things happen after the run; return who falls out of the list, and why."""
    base = home[0].base_dir
    orders = [
        ("p03", "2025-03-10"),  # this morning
        ("p12", "2025-03-11"),
        ("p13", "2025-02-28"),  # before its journey
        ("p14", "2025-03-02"),  # in its journey, known late
    ]
    lines = [f"{who},o-{who},{day},10" for who, day in orders]
    lines += ["p15,o-p15,2025-03-11,10", "p15,o-p15,2025-03-11,-10"]  # cancelled at once
    (base / "orders.csv").write_text("\n".join(["contact_id,order_id,ordered_at,amount", *lines]) + "\n")
    home[2](
        [
            ("p16", "2025-03-11", "unsubscribe"),
            ("p17", "2025-03-11", "email_complaint"),
            ("p18", "2025-03-11", "email_bounce_hard"),
            ("p19", "2025-03-11", "site_visit"),
            ("p19", "2025-03-11", "survey_answer", "too_expensive"),
            ("p27", "2025-03-11", "survey_answer", "moved_away"),
            ("p28", "2025-03-08", "survey_answer", "no_need"),  # before the run, which had its reasons
            *(("p20", f"2025-03-{n:02}", "email_bounce_soft") for n in range(1, 10)),
        ]
    )
    contacts = [
        "contact_id,email,objected_profiling_at,erased_at,is_staff,consent_email",
        "p21,,2025-03-11,,,",
        "p22,,,2025-03-11,,",
        "p23,,,,true,",
        "p24,,,,,false",
        "p25,,2025-03-12,,,",
        "other,P26@example.com,,,,false",
    ]
    (base / "contacts.csv").write_text("\n".join(contacts) + "\n")
    return {
        "p03": "purchased",
        "p12": "purchased",
        "p14": "purchased",
        "p16": "unsubscribed",
        "p17": "complained",
        "p18": "hard_bounced",
        "p20": "soft_bounced",
        "p21": "objected_profiling",
        "p22": "erased",
        "p23": "staff",
        "p24": "unsubscribed",
        "p25": "objected_profiling",
        "p26": "refused_address",
        "p27": "left_for_good",
    }


@pytest.mark.parametrize("seed", range(3))
def test_of_many_things_since_the_first_in_order_is_told(home: Home, seed: int) -> None:
    """Any of what the inputs may say, at once, for everybody on the list."""
    draw, base = Random(seed), home[0].base_dir
    orders = ["contact_id,order_id,ordered_at,amount", "p00,o0,2025-01-02,10"]
    contacts = ["contact_id,email,objected_profiling_at,erased_at,is_staff,consent_email"]
    events: list[tuple[str, ...]] = [("p00", "2025-03-11", "site_visit")]
    wanted = {}
    for who in (f"p{n:02}" for n in range(PEOPLE)):
        happened = {name for name in FELL_OUT if draw.random() < 0.12}
        wanted[who] = next((name for name in FELL_OUT if name in happened), None)
        bought = "2025-03-02" if "purchased" in happened else "2025-02-28"
        orders.append(f"{who},o-{who},{bought},10")
        kinds = {"hard_bounced": "email_bounce_hard", "complained": "email_complaint"}
        kinds |= {"unsubscribed": "unsubscribe", "left_for_good": "survey_answer"}
        events += [
            (who, "2025-03-11", kind, draw.choice(GONE) if kind == "survey_answer" else "")
            for name, kind in kinds.items()
            if name in happened
        ]
        if "left_for_good" not in happened and draw.random() < 0.5:
            events += draw.sample(
                [
                    (who, "2025-03-11", "survey_answer", "price"),
                    (who, "2025-03-08", "survey_answer", "no_need"),
                ],
                1,
            )
        if "soft_bounced" in happened:
            events += [(who, f"2025-03-{n:02}", "email_bounce_soft") for n in range(1, 9)]
        if "refused_address" in happened:
            contacts.append(f"other-{who},{who.upper()}@example.com,,,,false")
        day = {name: "2025-03-11" if name in happened else "" for name in ("objected_profiling", "erased")}
        staff = "true" if "staff" in happened else ""
        contacts.append(f"{who},{who}@example.com,{day['objected_profiling']},{day['erased']},{staff},")
    (base / "orders.csv").write_text("\n".join(orders) + "\n")
    (base / "contacts.csv").write_text("\n".join(contacts) + "\n")
    home[2](events)
    found = ask(home, 1, batches=1).fallen.contacts.to_pylist()
    assert {row["contact_id"]: row["fell_out"] for row in found} == {w: r for w, r in wanted.items() if r}


@pytest.mark.parametrize("to", ["klaviyo", "csv"])
def test_who_bought_or_left_since_falls_out_of_the_later_batches(home: Home, read: Any, to: str) -> None:
    quiet(home)
    ask(home, 1, to=to)
    fallen = since(home)
    written: list[str] = []
    told: dict[str, list[str]] = {}
    for number in (2, 3):
        done = ask(home, number, day=number, to=to, force=True)
        written += [row["contact_id"] for row in read(done.exported.files[0].path, to)]
        for reason, out in done.exported.left_out.items():
            told.setdefault(reason, []).extend(out.contacts)
        assert done.released.rows == done.exported.rows == done.released.mailed
        assert (str(done.fallen.inputs_until), done.fallen.newest_run) == ("2025-03-11", None)
    later = {who: why for who, why in fallen.items() if who >= "p10"}
    assert written == [who for n in range(10, 30) if (who := f"p{n:02}") not in later]
    assert {who: why for why, who_all in told.items() for who in who_all} == later


def test_the_first_batch_leaves_out_who_bought_this_morning(home: Home, read: Any) -> None:
    since(home)
    done = ask(home, 1)
    assert {r: o.contacts for r, o in done.exported.left_out.items()} == {"purchased": ["p03"]}
    assert [row["contact_id"] for row in read(done.exported.files[0].path, "klaviyo")] == [
        f"p{n:02}" for n in range(10) if n != 3
    ]
    assert done.released.mailed == 9
    quiet(home)
    assert [r.mails for r in ask(home, 2, day=2).readings] == [9, 9], "who was not e-mailed is not counted"


def test_a_newer_run_takes_out_of_the_later_batches_who_left_its_list(
    home: Home, shop: Any, kinds: Any, read: Any
) -> None:
    run = home[1]
    quiet(home)
    ask(home, 1)
    off = {**kinds["active"], "exited_at": date(2025, 3, 11)}
    contacts = {f"p{n:02}": {**kinds["treated"], "rank": n + 1} for n in range(PEOPLE) if n != 13}
    contacts |= {
        "p10": {**off, "state_reason": None, "exit_reason": "risk_fell"},
        "p11": {**kinds["treated"], "state": "inactive", "exit_reason": "consent_expired"},
        "p12": {**kinds["active"]},
    }
    newer = shop.run(contacts, date(2025, 3, 12))
    place = run.folder.parent.parent / "2025-03-12"
    place.mkdir()
    newer.folder.rename(place / "cc")
    (place / "cc" / "run.json").write_text('{"schema_version": 1}')
    (place / "current").write_text("cc\n")
    done = ask(home, 2, day=2)
    assert {r: o.contacts for r, o in done.exported.left_out.items()} == {
        "risk_fell": ["p10"],
        "consent_expired": ["p11"],
        "left_list": ["p12"],
        "gone": ["p13"],
    }
    assert [row["contact_id"] for row in read(done.exported.files[0].path, "klaviyo")] == [
        f"p{n}" for n in range(14, 20)
    ]
    assert done.fallen.newest_run == date(2025, 3, 12)


def test_who_was_erased_since_is_in_no_later_batch(home: Home, read: Any) -> None:
    quiet(home)
    ask(home, 1, to="csv")
    erase(home[0].home, ["p12", "p25"])
    rows = []
    for number in (2, 3):
        done = ask(home, number, day=2, to="csv")
        rows += read(done.exported.files[0].path, "csv")
        assert done.exported.left_out["erased"].count == 1
    assert {row["contact_id"] for row in rows} == {f"p{n}" for n in range(10, 30)} - {"p12", "p25"}


@pytest.mark.parametrize("to", ["csv", "klaviyo", "braze"])
@pytest.mark.parametrize("erased", [range(1, 5), range(30, 38)])
def test_an_erasure_moves_nobody_into_another_batch(home: Home, read: Any, to: str, erased: range) -> None:
    """Else those at its edge would be written to twice, or never."""
    quiet(home)
    ask(home, 1, to=to)
    erase(home[0].home, [f"p{n:02}" for n in erased])
    key = "external_id" if to == "braze" else "contact_id"
    found = [row[key] for row in read(ask(home, 2, day=2, to=to).exported.files[0].path, to)]
    assert found == [f"p{n}" for n in range(10, 20)]


def test_the_command_says_how_many_fell_out_and_why(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    settings = home[0]
    quiet(home)
    ask(home, 1)
    since(home)
    args = ["export", "-c", str(settings.path), "--list", "current", "--to", "klaviyo", "--batches", "4"]
    args += ["--out", str(settings.base_dir / "b.csv"), "--batch", "2", "--force"]
    assert cli.run(args) == 0
    text = capsys.readouterr().out
    assert "Left out 2 contacts (p12, p14): bought since the run." in text
    assert "Left out 1 contact (p17): reported a mail as spam since the run." in text
    assert "known from: inputs up to 2025-03-11, no newer run." in text
    assert "Nothing is known of the days since" not in text
    home[2]([("p00", "2025-03-01", "site_visit")])
    (settings.base_dir / "orders.csv").write_text(
        "contact_id,order_id,ordered_at,amount\np00,o1,2025-01-02,10\n"
    )
    assert cli.run([*args, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["release"]["inputs_until"], told["release"]["newest_run"]) == ("2025-03-01", None)
    assert cli.run(args) == 0
    assert "Nothing is known of the days since" in capsys.readouterr().out


def test_a_record_of_an_older_version_is_read(home: Home) -> None:
    quiet(home)
    ask(home, 1)
    request = ExportRequest("current", "klaviyo", Path("x"), batches=4)
    path = record_path(home[0].home, home[1].as_of, request)
    stored = json.loads(path.read_text())
    del stored["released"][0]["mailed"]
    path.write_text(json.dumps(stored))
    assert [r.mails for r in ask(home, 2, day=1).readings] == [10, 10]


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
