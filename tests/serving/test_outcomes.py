"""What came of the published runs: hand-made entries and orders, every sum checked by counting."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from winback_serving import cli
from winback_serving.erase import erase
from winback_serving.outcomes import FOLDER

pytestmark = pytest.mark.slow  # reads published runs and the inputs, each time

FIRST = date(2024, 1, 10)
CONFIG = """
[source]
orders = "orders.parquet"
events = "events.parquet"
campaign_log = "log.csv"
[brand]
name = "Shop <b>"
horizon_days = 30
[policy]
holdout_share = 0.5
[outcomes]
later_days = [60]
[[policy.experiments]]
name = "gift"
hypothesis = "A gift brings more back."
arms = ["none", "gift"]
starts = "2024-01-01"
ends = "2024-03-01"
"""


def entry(contact: str, arm: str, variant: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "contact_id": contact,
        "arm": arm,
        "p_purchase": 0.2,
        "value_at_risk": 10.0,
        "rfm_segment": "loyal",
        "channel": "email",
        "entry_reason": "late",
        "experiment": "gift" if variant else None,
        "variant": variant,
        **more,
    }


def publish(home: Path, day: date, rows: Sequence[dict[str, Any]], journeys: int = 1) -> None:
    folder = home / "runs" / day.isoformat() / f"run-{day}"
    folder.mkdir(parents=True)
    (folder.parent / "current").write_text(folder.name)
    (folder / "run.json").write_text(
        json.dumps({"schema_version": 1, "run_id": folder.name, "horizon_days": 30})
    )
    table = pa.Table.from_pylist([{**row, "entered_at": day} for row in rows])
    pq.write_table(table, folder / "entries.parquet")
    states = [{"contact_id": row["contact_id"], "state": "flagged", "journeys": journeys} for row in rows]
    pq.write_table(pa.Table.from_pylist(states), folder / "states.parquet")


def order(contact: str, day: date, amount: float) -> dict[str, Any]:
    at = datetime(day.year, day.month, day.day, 9)
    return {"contact_id": contact, "order_id": f"{contact} {day}", "ordered_at": at, "amount": amount}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Forty treated and forty held out on one day, one more later; of the treated 24 buy within 30 days, of the others 10."""
    day = FIRST
    rows = [entry(f"t{i}", "treatment", ("none", "gift")[i % 2]) for i in range(40)]
    rows += [entry(f"h{i}", "holdout") for i in range(40)]
    publish(tmp_path / ".winback", day, rows)
    again = [entry("t0", "treatment", "none"), entry("late", "holdout")]
    publish(tmp_path / ".winback", day + timedelta(days=20), again)
    orders = [order(f"{arm}{i}", date(2023, 6, 1), 50.0) for arm in "th" for i in range(40)]
    orders.append(order("late", date(2023, 6, 1), 50.0))
    orders += [order(f"t{i}", day + timedelta(days=i), 20.0 + i) for i in range(24)]
    orders += [order(f"h{i}", day, 10.0) for i in range(10)]
    orders += [order("h20", day + timedelta(days=30), 99.0), order("h21", day - timedelta(days=1), 99.0)]
    orders += [order("t39", day + timedelta(days=45), 5.0), order("fresh", day, 33.0)]
    orders.append(order("t38", date(2024, 6, 30), 1.0))
    pq.write_table(pa.Table.from_pylist(orders), tmp_path / "orders.parquet")
    events = [
        {"contact_id": "t1", "occurred_at": datetime(2024, 1, 12), "kind": "unsubscribe"},
        {"contact_id": "t2", "occurred_at": datetime(2024, 1, 12), "kind": "coupon_redeemed"},
        {"contact_id": "h1", "occurred_at": datetime(2024, 3, 12), "kind": "email_complaint"},
    ]
    pq.write_table(pa.Table.from_pylist(events), tmp_path / "events.parquet")
    lines = ["contact_id,sent_at,run_id,step,channel,arm,incentive,cost"]
    lines += [f"t{i},2024-01-11 08:00:00,,1,email,treatment,low,0.50" for i in range(36)]
    lines += ["h3,2024-01-11 08:00:00,,1,email,treatment,low,0.50", "nobody,2024-01-11,,,,,,"]
    lines += ["t5,2024-04-11 08:00:00,,2,email,treatment,low,0.50"]
    (tmp_path / "log.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "winback.toml").write_text(CONFIG)
    return tmp_path


def told(shop: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    code = cli.run(["outcomes", "-c", str(shop / "winback.toml"), "--no-mlflow", "--json", *more])
    out: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert code == 0, out
    return out


def value(readout: dict[str, Any], arm: str, metric: str) -> Any:
    (found,) = [m["value"] for m in readout["arms"] if (m["arm"], m["metric"]) == (arm, metric)]
    return found


def frozen(shop: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((shop / ".winback" / FOLDER).iterdir())}


def test_every_number_is_what_counting_gives(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(shop, capsys)
    assert (found["entered"], found["open"], found["again"], found["erased"]) == (81, 0, 1, 0)
    readout = found["readout"]
    assert readout["contacts"] == 81
    assert value(readout, "treatment", "bought") == pytest.approx(24 / 40)
    assert value(readout, "holdout", "bought") == pytest.approx(10 / 41)
    assert value(readout, "treatment", "revenue") == pytest.approx(sum(20 + i for i in range(24)) / 40)
    assert value(readout, "holdout", "revenue") == pytest.approx(100 / 41)
    assert value(readout, "treatment", "unsubscribed") == pytest.approx(1 / 40)
    assert value(readout, "treatment", "redeemed") == pytest.approx(1 / 40)
    assert value(readout, "holdout", "complained") == 0
    assert value(readout, "treatment", "basket") == pytest.approx(sum(20 + i for i in range(24)) / 24)
    assert value(readout, "treatment", "active_after_60_days") == pytest.approx(1 / 40)
    assert value(readout, "holdout", "active_after_60_days") == pytest.approx(1 / 41)
    assert (found["newcomers"]["contacts"], found["newcomers"]["value"]) == (1, 33.0)
    counts = readout["counts"]
    assert counts["treatment"] == {"contacted": 36, "cost": 18.0, "sends": 36}
    assert counts["holdout"] == {"contacted": 1, "cost": 0.5, "sends": 1}
    assert found["log"] == {"rows": 39, "other_arm": 1, "not_entered": 1}
    (cost,) = readout["costs"]
    assert cost["each"] == pytest.approx((18 - 0.5 * 40 / 41) / (24 - 40 * 10 / 41))
    assert [(m["month"], m["arm"], m["contacts"]) for m in readout["months"]] == [
        ("2024-01", "holdout", 41),
        ("2024-01", "treatment", 40),
    ]


def test_who_bought_before_the_entry_is_not_still_active(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twenty days after entry the window of thirty days begins with the entry, not ten days before it."""
    settings = shop / "winback.toml"
    settings.write_text(settings.read_text().replace("later_days = [60]", "later_days = [20]"))
    readout = told(shop, capsys)["readout"]
    assert value(readout, "treatment", "active_after_20_days") == pytest.approx(20 / 40)
    assert value(readout, "holdout", "active_after_20_days") == pytest.approx(10 / 41)


def test_what_was_frozen_of_runs_that_are_gone_was_followed_too(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = told(shop, capsys)
    shutil.rmtree(shop / ".winback" / "runs" / FIRST.isoformat())
    later = shop / ".winback" / "runs" / str(FIRST + timedelta(days=20)) / f"run-{FIRST + timedelta(days=20)}"
    states = pq.read_table(later / "states.parquet").to_pylist()
    states = [{**row, "journeys": 2 if row["contact_id"] == "t0" else 1} for row in states]
    pq.write_table(pa.Table.from_pylist(states), later / "states.parquet")
    after = told(shop, capsys)
    assert after["readout"]["contacts"] == before["readout"]["contacts"] == 81
    assert (after["entered"], after["open"]) == (before["entered"], before["open"]) == (81, 0)


def test_each_experiment_is_read_among_the_treated(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    experiments = told(shop, capsys)["experiments"]
    assert set(experiments) == {"gift"}
    assert experiments["gift"]["plan"]["control"] == "none"
    assert value(experiments["gift"], "gift", "bought") == pytest.approx(12 / 20)
    assert value(experiments["gift"], "none", "bought") == pytest.approx(12 / 20)


def test_an_open_window_is_not_read(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    early = told(shop, capsys, "--as-of", "2024-02-08")
    assert (early["readout"], early["open"], early["first_closes"]) == (None, 81, "2024-02-09")
    assert not (shop / ".winback" / FOLDER).exists()
    closed = told(shop, capsys, "--as-of", "2024-02-09")
    assert (closed["readout"]["contacts"], closed["open"]) == (80, 1)


def test_a_second_entry_is_none_where_the_run_of_the_first_is_gone(
    tmp_path: Path, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / ".winback"
    shutil.rmtree(home / "runs" / FIRST.isoformat())
    told_again = [entry("t0", "treatment"), entry("t1", "treatment")]
    publish(home, FIRST + timedelta(days=10), told_again, journeys=2)
    found = told(shop, capsys)
    assert (found["entered"], found["again"]) == (1, 3)
    assert found["readout"]["contacts"] == 1


def test_what_is_frozen_is_never_written_again(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = told(shop, capsys)
    before = frozen(shop)
    assert set(before) == {
        f"{day}.{name}.json" for day in ("2024-01-10", "2024-01-30") for name in ("30d", "30d.after-60d")
    }
    orders = pq.read_table(shop / "orders.parquet").to_pylist()
    orders += [order(f"h{i}", FIRST + timedelta(days=1), 500.0) for i in range(40)]
    pq.write_table(pa.Table.from_pylist(orders), shop / "orders.parquet")
    assert told(shop, capsys)["readout"] == first["readout"]
    assert frozen(shop) == before


def test_an_erasure_changes_no_past_figure(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = told(shop, capsys)
    before = frozen(shop)
    erase(shop / ".winback", ["t3", "h3"])
    again = told(shop, capsys)
    assert frozen(shop) == before
    assert again["readout"] == first["readout"]
    assert again["erased"] == 2
    assert not any(b'"t3"' in text or b'"h3"' in text for text in before.values())


def test_who_was_erased_before_the_window_closed_is_in_no_sum(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    erase(shop / ".winback", ["t3"])
    found = told(shop, capsys)
    assert value(found["readout"], "treatment", "bought") == pytest.approx(23 / 39)
    assert found["erased"] == 1


def test_the_page_tells_it_and_escapes_the_shop(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told(shop, capsys)
    page = (shop / ".winback" / "outcomes.html").read_text(encoding="utf-8")
    assert "Shop &lt;b&gt;" in page
    assert "60.0%" in page
    assert "Experiment: gift" in page
    assert "unreliable" in page
    assert "1 of the held out were written to nevertheless" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "").replace(
        "http://www.w3.org/1999/xlink", ""
    )
    saved = json.loads((shop / ".winback" / "outcomes.json").read_text(encoding="utf-8"))
    assert saved["readout"]["contacts"] == 81


def test_people_are_told_in_sentences(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["outcomes", "-c", str(shop / "winback.toml"), "--no-mlflow"]) == 0
    said = capsys.readouterr().out
    assert "60.0% of 40 treated: +35.61 points" in said
    assert "Each contact won among the treated cost" in said


def test_what_stands_in_brackets_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Brackets are also how the terminal is told colours: a section of the settings must not vanish as one."""
    publish(tmp_path / ".winback", FIRST, [entry("t0", "treatment"), entry("t1", "treatment")])
    pq.write_table(
        pa.Table.from_pylist([order("t0", FIRST, 1.0), order("t1", date(2024, 6, 30), 1.0)]),
        tmp_path / "orders.parquet",
    )
    (tmp_path / "winback.toml").write_text(
        '[source]\norders = "orders.parquet"\n[brand]\nhorizon_days = 30\n'
    )
    assert cli.run(["outcomes", "-c", str(tmp_path / "winback.toml"), "--no-mlflow"]) == 0
    assert "set [policy] holdout_share" in capsys.readouterr().out


@pytest.mark.slow
def test_a_reading_is_logged_as_a_run(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from winback_training.tracking import open_store

    assert cli.run(["outcomes", "-c", str(shop / "winback.toml"), "--json"]) == 0
    capsys.readouterr()
    with open_store(f"sqlite:///{shop / '.winback' / 'mlflow.db'}") as client:
        (experiment,) = [e for e in client.search_experiments() if e.name == "winback"]
        (run,) = client.search_runs([experiment.experiment_id])
        assert run.data.metrics["bought.treatment"] == pytest.approx(0.6)
        assert {f.path for f in client.list_artifacts(run.info.run_id)} == {"outcomes.json", "outcomes.html"}


def test_without_a_run_the_next_step_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "winback.toml").write_text('[source]\norders = "o.csv"\n')
    assert cli.run(["outcomes", "-c", str(tmp_path / "winback.toml"), "--json"]) == 2
    assert "winback score" in capsys.readouterr().out


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = [
        {
            "contact_id": f"{arm}{i}",
            "arm": arm,
            "bought": int(i < k),
            "spent": 10.0 if i < k else None,
            "before": float(i % 7),
            "zone": "ab"[i % 2],
        }
        for arm, k in (("none", 30), ("mail", 90))
        for i in range(1000)
    ]
    path = tmp_path / "experiment.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


OPTIONS = (
    "--control",
    "none",
    "--converted",
    "bought",
    "--amount",
    "spent",
    "--covariate",
    "before",
    "--by",
    "zone",
)


def experiment(table: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, dict[str, Any]]:
    code = cli.run(["outcomes", "--experiment", str(table), *OPTIONS, "--json", *more])
    return code, json.loads(capsys.readouterr().out)


def test_a_finished_experiment_needs_no_settings(
    table: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(table.parent)
    code, found = experiment(table, capsys, "--report", "page.html")
    assert code == 0
    bought, spent = found["readout"]["effects"]
    assert (bought["value"], bought["verdict"]) == (pytest.approx(0.06), "better")
    assert (spent["value"], spent["verdict"]) == (pytest.approx(0.6, abs=0.01), "better")
    assert found["readout"]["balanced"]
    (zone,) = found["readout"]["segments"]
    assert [level for level, _ in zone["levels"]] == ["a", "b"]
    assert "+6.00 points" in (table.parent / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--control", "nobody"), "the control is to be 'nobody'"),
        (("--converted", "spent"), "0 or 1"),
        (("--converted", "bougth"), "Did you mean bought?"),
        (("--amount", "zone"), "should be a number"),
        (("--where", "nonsense >"), "does not compute"),
        (("--where", "before > 99"), "No row fulfils"),
        (("--share", "mail=x"), "is no share"),
        (("--share", "mail=1"), "differ in none"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(
    table: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], said: str
) -> None:
    code, found = experiment(table, capsys, *more)
    assert code == 2
    assert said in found["error"]["message"] + found["error"]["how"]


def test_a_contact_that_stands_there_twice_is_refused(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = pq.read_table(table)
    pq.write_table(pa.concat_tables([rows, rows.slice(0, 1)]), table)
    code, found = experiment(table, capsys)
    assert code == 2
    assert "twice" in found["error"]["message"]
