"""The whole flow on real purchases, through the command line, as a newcomer would type it."""

import contextlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from winback_features.files import file_digest
from winback_features.reports import IngestReport, TableReport
from winback_serving import cli
from winback_serving.commands.train import stale

FIRST, SECOND = "1998-05-01", "1998-05-02"
TRAINING = """
[training]
cuts = 1
origins = 1
max_rows = 2000
"""
EASY_GATE = """
[gate]
min_auc_margin = -0.5
max_brier_ratio = 2.0
min_brier_skill = -2.0
max_bias = 1.0
max_ece = 1.0
min_contacts = 1
"""
Answer = Mapping[str, Any]
Run = Callable[..., tuple[int, Answer]]


@pytest.fixture(scope="module")
def run() -> Run:
    """Give a function that runs one command with --json and returns its exit code and its one object."""

    def run_command(*args: object) -> tuple[int, Answer]:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            code = cli.run([*map(str, args), "--json"])
        return code, json.loads(printed.getvalue())

    return run_command


@dataclass(frozen=True)
class Flow:
    """What the commands answered, in the order in which they were run."""

    config: Path
    folder: Path
    trained: Answer
    refused: tuple[int, Answer]
    promoted: Answer
    first: Answer
    second: Answer


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory, write_shop: Callable[..., Path], run: Run) -> Flow:
    folder = tmp_path_factory.mktemp("my shop")  # a space in every path
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    config = write_shop(folder, every=6, extra=TRAINING + "[gate]\nmin_contacts = 1000000\n")
    with pytest.MonkeyPatch.context() as context:
        context.chdir(elsewhere)
        code, trained = run("train", "-c", config, "--as-of", FIRST)
        assert code == 0, trained
        refused = run("models", "promote", "-c", config)
        write_shop(folder, every=6, extra=TRAINING + EASY_GATE)
        code, promoted = run("models", "promote", "-c", config)
        assert code == 0, promoted
        days = []
        for day in (FIRST, SECOND):
            code, answer = run("score", "-c", config, "--as-of", day, "--out", folder / f"{day}.csv")
            assert code == 0, answer
            days.append(answer)
    assert list(elsewhere.iterdir()) == [], "something was written into the working directory"
    return Flow(config, folder, trained, refused, promoted, *days)


def test_training_registers_a_candidate_and_reports_its_forward_test(flow: Flow) -> None:
    trained = flow.trained
    assert trained["ok"]
    assert trained["as_of"] == FIRST
    assert trained["model"]["version"] == "1"
    assert len(trained["model"]["digest"]) == 64
    active = trained["evaluation"]["populations"]["active"]
    assert {"winback", "bg_nbd"} <= set(active)
    assert 0 < active["winback"]["brier"] < 0.3
    assert trained["cadence_days"] > 7
    assert trained["notices"]


def test_training_for_a_day_to_come_is_refused(flow: Flow, run: Run) -> None:
    """Days that have not been would be learnt as days on which nobody bought."""
    code, answer = run("train", "-c", flow.config, "--as-of", "2999-01-01")
    assert code == 2
    assert "what happens until 2999-01-01 is not known yet" in json.dumps(answer)


def test_a_champion_whose_files_are_gone_is_not_called_missing(flow: Flow, run: Run) -> None:
    (files,) = flow.folder.rglob("mlartifacts")
    files.rename(files.with_name("elsewhere"))
    try:
        code, answer = run("score", "-c", flow.config, "--as-of", SECOND)
    finally:
        files.with_name("elsewhere").rename(files)
    assert code == 2
    assert "Its files are not where the registry has them" in json.dumps(answer)
    assert "no champion" not in json.dumps(answer)


def test_training_long_after_the_newest_fact_says_so(flow: Flow) -> None:
    newest = date.fromisoformat(FIRST) - timedelta(days=1)
    report = IngestReport((TableReport("orders", "orders.csv", 1, 1, 0, first_day=newest, last_day=newest),))
    assert stale(report, newest + timedelta(days=7)) == ()
    (told,) = stale(report, newest + timedelta(days=21))
    assert f"say --as-of {FIRST}" in told
    assert not any("The newest fact is of" in notice for notice in flow.trained["notices"])


def test_the_forward_test_holds_money_against_what_came(flow: Flow) -> None:
    money = {row["population"]: row for row in flow.trained["evaluation"]["money"]}
    assert {"whole", "active"} <= set(money)
    whole = money["whole"]
    assert whole["ratio"] == pytest.approx(whole["expected"] / whole["actual"])
    assert whole["ratio_low"] < whole["ratio"] < whole["ratio_high"]
    assert 0.3 < whole["ratio"] < 3


def test_the_gate_refuses_with_3_and_then_lets_it_pass(flow: Flow) -> None:
    code, answer = flow.refused
    assert code == answer["error"]["exit_code"] == 3
    assert answer["error"]["code"] == "GateRefusal"
    assert "Too few to judge" in answer["error"]["message"]
    assert flow.promoted["champion"] == "1"
    assert flow.promoted["reasons"] == []


def test_scores_come_from_the_champion(flow: Flow) -> None:
    model = flow.first["run"]["model"]
    assert model == {"name": "winback-lapse", "version": "1", "digest": flow.trained["model"]["digest"]}
    scores = pq.read_table(Path(flow.first["path"]) / "scores.parquet").to_pylist()
    assert len(scores) == flow.first["run"]["counts"]["scored"] > 300
    for row in scores:
        curve = [row[f"p_within_{d}d"] for d in (7, 14, 30, 60, 90)]
        assert curve == sorted(curve)
        assert 0 <= curve[0] <= curve[-1] <= 1
        assert row["p_purchase"] + row["p_lapse"] == pytest.approx(1)
        assert row["model_version"] == "1"
        assert row["clv_12m"] >= 0
        if row["next_purchase_low"] and row["next_purchase_high"]:
            assert row["next_purchase_low"] <= row["next_purchase_date"] <= row["next_purchase_high"]


def test_the_second_day_goes_on_from_the_first(flow: Flow) -> None:
    first, second = flow.first["run"], flow.second["run"]
    assert second["previous_run"] == {"as_of": FIRST, "run_id": first["run_id"]}
    assert first["counts"]["entries"] > 0
    counts = second["counts"]
    assert counts["states"].get("in_winback", 0) + counts["exits"] >= first["counts"]["entries"]
    for answer in (flow.first, flow.second):
        assert answer["published"]
        for row in answer["top"]:
            assert row["reason_1"]
            assert row["p_lapse"] >= 0.35


def test_scoring_again_gives_the_same_run_and_bytes(flow: Flow, run: Run) -> None:
    folder = Path(flow.second["path"])
    before = {path.name: (file_digest(path), path.stat().st_mtime_ns) for path in folder.iterdir()}
    code, again = run("score", "-c", flow.config, "--as-of", SECOND)
    assert code == 0
    assert not again["published"]
    assert again["run"] == flow.second["run"]
    assert {path.name: (file_digest(path), path.stat().st_mtime_ns) for path in folder.iterdir()} == before
    days = sorted(path.name for path in (flow.folder / ".winback" / "runs").iterdir() if path.name[0] != ".")
    assert days == [FIRST, SECOND]


def test_every_list_can_be_exported_in_every_format(flow: Flow, run: Run, tmp_path: Path) -> None:
    counts = flow.second["run"]["counts"]
    arms = pq.read_table(Path(flow.second["path"]) / "entries.parquet")["arm"].to_pylist()
    entries = arms.count("treatment")
    assert len(arms) == counts["entries"]
    expected = {
        "winback": counts["contacts"],
        "entries": entries,
        "exits": counts["exits"],
        "scores": counts["scored"],
    }
    for name, rows in expected.items():
        for to in ("csv", "parquet"):
            out = tmp_path / f"{name}.{to}"
            code, answer = run("export", "-c", flow.config, "--list", name, "--to", to, "--out", out)
            assert code == 0, answer
            assert answer["rows"] == rows
            assert answer["as_of"] == SECOND
        assert pq.read_table(tmp_path / f"{name}.parquet").num_rows == rows
        text = (tmp_path / f"{name}.csv").read_bytes()
        assert text.count(b"\r\n") == rows + 1
    assert (tmp_path / "winback.csv").read_bytes() == (flow.folder / f"{SECOND}.csv").read_bytes()
    code, answer = run("export", "-c", flow.config, "--as-of", "1998-01-01", "--out", tmp_path / "x.csv")
    assert code == 2
    assert "No run is published for 1998-01-01" in answer["error"]["message"]


def test_models_are_listed_shown_and_kept_when_there_is_nothing_to_return_to(flow: Flow, run: Run) -> None:
    code, answer = run("models", "list", "-c", flow.config)
    assert code == 0
    (version,) = answer["models"]
    assert version["aliases"] == ["champion"]
    code, answer = run("models", "show", "-c", flow.config)
    assert code == 0
    assert answer["model"]["digest"] == flow.trained["model"]["digest"]
    code, answer = run("models", "rollback", "-c", flow.config)
    assert code == 2
    assert "no earlier champion" in answer["error"]["message"]


def test_people_get_tables(
    flow: Flow, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    config = str(flow.config)
    for args, words in (
        (
            ["score", "-c", config, "--as-of", SECOND],
            ["rows in =", "to win back on", "Already"],
        ),
        (["models", "list", "-c", config], ["champion", FIRST]),
        (["models", "show", "-c", config], ["Forward tests", "digest"]),
        (["models", "promote", "-c", config, "1"], ["champion already"]),
    ):
        assert cli.run(args) == 0
        out = capsys.readouterr().out
        for word in words:
            assert word in out


def test_a_bundle_that_was_changed_is_not_opened(flow: Flow, run: Run) -> None:
    (bundle,) = (flow.folder / ".winback" / "mlartifacts").glob("*/artifacts/bundle/bundle.joblib")
    sound = bundle.read_bytes()
    bundle.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    try:
        code, answer = run("score", "-c", flow.config, "--as-of", SECOND)
    finally:
        bundle.write_bytes(sound)
    assert code == 2
    assert "digest" in answer["error"]["message"]
