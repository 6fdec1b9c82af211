"""``winback segments`` and ``winback hygiene`` against plain SQL over the files of the run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from winback_features.files import file_digest
from winback_serving import cli
from winback_serving.batch import score_day
from winback_serving.run_hygiene import run_status
from winback_serving.settings import load_settings
from winback_serving.store import PublishedRun, RunStore

pytestmark = pytest.mark.slow  # two days are scored

DAYS = date(1998, 3, 1), date(1998, 6, 1)


@pytest.fixture(scope="module")
def config(
    tmp_path_factory: pytest.TempPathFactory, write_shop: Callable[..., Path], rule_model: Any
) -> Path:
    """Two published days; on the second some sleep, bounce and are past their time."""
    path = write_shop(tmp_path_factory.mktemp("shop"))
    settings = load_settings(path, {})
    for day in DAYS:
        run = score_day(settings, day, rule_model(), "digest")
    table = pq.read_table(run.file("winback"))
    rows = table.to_pylist()
    for number, row in enumerate(rows):
        row |= {"state": "sunset" if number < 30 else "active"}
    for row in rows[30:40]:
        row |= {"state": "farewell", "farewell_due": date(1998, 7, 1)}
    for row in rows[40:47]:
        row |= {"hard_bounced": True}
    rows[50]["soft_bounces_in_a_row"] = 2
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), run.file("winback"))
    features = pq.read_table(run.file("features")).to_pylist()
    for row in features[:30]:
        row["email_sends_90d"] = 9.0
    for row in features[60:64]:
        row |= {"days_since_activity": 1096.0 + row["purchase_days"]}
    schema = pq.read_schema(run.file("features"))
    pq.write_table(pa.Table.from_pylist(features, schema=schema), run.file("features"))
    record = run.info()
    record["files"] |= {f"{name}.parquet": file_digest(run.file(name)) for name in ("winback", "features")}
    (run.folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return path


def newest(config: Path) -> PublishedRun:
    return RunStore(load_settings(config, {}).home).read_run()


def asked(capsys: pytest.CaptureFixture[str], config: Path, *args: str) -> dict[str, Any]:
    assert cli.run([args[0], "-c", str(config), *args[1:], "--json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def test_the_rfm_sizes_and_values_add_up(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told, run = asked(capsys, config, "segments"), newest(config)
    expected = duckdb.sql(
        f"SELECT rfm_segment, count(*), sum(value_at_risk) FROM '{run.file('winback')}' "
        "WHERE rfm_segment IS NOT NULL GROUP BY ALL"
    ).fetchall()
    found = {view["name"]: (view["contacts"], pytest.approx(view["value_at_risk"])) for view in told["rfm"]}
    assert found == {name: (n, value) for name, n, value in expected}
    assert [v["value_at_risk"] for v in told["rfm"]] == sorted(
        (v["value_at_risk"] for v in told["rfm"]), reverse=True
    )
    assert all(view["strategy"] and view["hint"] for view in told["rfm"])


def test_every_contact_is_counted_once_by_each_segment(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told, run = asked(capsys, config, "segments"), newest(config)
    for name in ("relationship_tier", "tenure_band", "recency_band", "last_behaviour"):
        expected = duckdb.sql(
            f"SELECT {name}, count(*) FROM '{run.file('winback')}' WHERE {name} IS NOT NULL GROUP BY ALL"
        ).fetchall()
        assert {row[name]: row["contacts"] for row in told[name]} == dict(expected)
    assert sum(row["contacts"] for row in told["cells"]) == pq.read_metadata(run.file("winback")).num_rows


def test_moves_are_told_by_kind_and_only_to_a_later_run(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = asked(capsys, config, "segments", "--since", str(DAYS[0]))
    assert told["since"] == str(DAYS[0])
    assert sum(told["moves"].values()) == sum(row["contacts"] for row in told["moves_matrix"])
    assert told["moves"]["real"] > 0
    assert told == asked(capsys, config, "segments"), "the run before is taken by itself"
    alone = asked(capsys, config, "segments", "--as-of", str(DAYS[0]))
    assert (alone["moves"], alone["moves_matrix"], alone["since"]) == (None, None, None)
    assert cli.run(["segments", "-c", str(config), "--since", str(DAYS[1])]) == 2
    assert "is not before the run" in capsys.readouterr().err


def test_the_hygiene_counts_what_there_is(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = asked(capsys, config, "hygiene")
    assert (told["sunset"], told["farewell"], told["past_retention"]) == (30, 10, 4)
    assert (told["hard_bounced"], told["soft_bounced"]) == (7, 1)
    assert told["awake"] == told["contacts"] - 40
    assert told["sleeper_emails_90d"] == 270
    assert told["sleeper_cost_per_year"] == pytest.approx(270 * 365 / 90 * 0.001)
    assert told["due"] == 14
    days = [row["due"] for row in told["due_first"]]
    assert days == sorted(days)
    assert sum(day == "1998-07-01" for day in days) == 10
    assert all(day < str(DAYS[1]) for day in days[:4]), "those past their time come first"


def test_removing_the_sleepers_changes_the_engaged_rate(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told, run = asked(capsys, config, "hygiene"), newest(config)
    ((all_of, awake),) = duckdb.sql(
        f"SELECT avg((active_days_90d > 0)::int), avg((active_days_90d > 0)::int) FILTER (state NOT IN ('sunset', "
        f"'farewell')) FROM '{run.file('winback')}' JOIN '{run.file('features')}' USING (contact_id)"
    ).fetchall()
    assert told["engaged_rate"] == pytest.approx(all_of)
    assert told["engaged_rate_without_sleepers"] == pytest.approx(awake)


def test_people_read_the_same(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["hygiene", "-c", str(config)]) == 0
    text = capsys.readouterr().out
    assert "14 records to go, by day:" in text
    assert "past its retention" in text
    assert "1998-07-01" in text
    assert cli.run(["segments", "-c", str(config)]) == 0
    text = capsys.readouterr().out
    assert f"Moves since {DAYS[0]}: stayed" in text
    assert "hibernating" in text
    assert "relationship: " in text


def test_a_run_of_an_older_version_has_no_such_columns(config: Path, tmp_path: Path) -> None:
    import ibis

    from winback_serving.run_segments import described_counts

    run = newest(config)
    pq.write_table(pq.read_table(run.file("winback"), columns=["contact_id"]), tmp_path / "winback.parquet")
    (tmp_path / "run.json").write_text('{"schema_version": 1}', encoding="utf-8")
    assert described_counts(ibis.duckdb.connect(), replace(run, folder=tmp_path)) == {}


def test_a_consent_that_has_run_out_is_no_purpose() -> None:
    backend = ibis.duckdb.connect(threads=1)
    rows = {
        "contact_id": ["agreed", "ran out", "by push", "unknown"],
        "consent_email": [True, True, True, None],
        "consent_basis": ["none", "none", "consent", "none"],
        "not_flagged_reason": ["never_bought", "consent_expired", None, "no_consent"],
    }
    told = run_status(backend.create_table("winback", pa.table(rows))).to_pyarrow().to_pylist()
    assert {row["contact_id"]: row["consent_email"] for row in told} == {
        "agreed": True,
        "ran out": False,
        "by push": True,
        "unknown": False,
    }
