"""The command line: quick to answer, errors as sentences with the mend, codes and JSON for scripts."""

import gc
import io
import json
import signal
import sys
from collections.abc import Callable, Iterator
from datetime import date
from importlib import import_module
from pathlib import Path

import click
import duckdb
import pytest
from rich.console import Console

from winback_features.errors import GateRefusal
from winback_serving import cli
from winback_serving.output import Output

WriteShop = Callable[..., Path]


@pytest.fixture
def collector() -> Iterator[None]:
    """Leave the garbage collector as it was."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--help"]) == 0
    text = capsys.readouterr().out
    for name, line in cli.COMMANDS.items():
        assert name in text
        assert line[:30] in text


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_each_command_is_where_the_group_looks_and_has_its_options(name: str) -> None:
    command = getattr(import_module(f"winback_serving.commands.{name}"), name)
    leaves = command.commands.values() if isinstance(command, click.Group) else [command]
    for leaf in leaves:
        options = {opt for param in leaf.params for opt in param.opts}
        assert "--json" in options, leaf.name
        assert "--debug" in options, leaf.name
        assert leaf.help, leaf.name
    if name != "demo":
        assert command.get_short_help_str(200) == cli.COMMANDS[name]


def test_version_and_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("winback ")
    assert cli.run(["scor"]) == 2
    assert "Did you mean score?" in capsys.readouterr().err


def test_init_writes_a_file_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new" / "shop"
    assert cli.run(["init", str(folder)]) == 0
    assert (folder / "winback.toml").read_text().startswith("# Settings of winback")
    assert "winback check" in capsys.readouterr().out
    (folder / "winback.toml").write_text("mine")
    assert cli.run(["init", str(folder)]) == 2
    assert (folder / "winback.toml").read_text() == "mine"
    assert "There is one already" in capsys.readouterr().err
    assert cli.run(["init", str(folder / "winback.toml")]) == 2


def test_an_error_is_a_sentence_with_the_mend_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["check", "-c", str(tmp_path / "no.toml")]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "no.toml: There is no such file." in shown.err
    assert "`winback init` writes one" in shown.err
    assert "Traceback" not in shown.err


def test_an_error_as_json_is_one_object_on_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["score", "-c", str(tmp_path / "no.toml"), "--json"]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is False
    assert set(answer["error"]) == {"code", "message", "where", "how", "exit_code"}
    assert answer["error"]["exit_code"] == 2

    assert cli.run(["score", "--as-of", "soon", "--json"]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["error"]["code"] == "UsageError"
    assert "'soon' is no day" in answer["error"]["message"]


def test_a_wrong_option_is_a_line_of_the_log_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (["score", "--as-of", "soon"], "is no day"), (["score", "--nonsense"], "--nonsense"):
        assert cli.run([*words, "--log-format", "json"]) == 2
        (line,) = map(json.loads, capsys.readouterr().err.splitlines())
        assert (line["level"], line["code"], line["exit_code"]) == ("error", "UsageError", 2)
        assert said in line["message"]


def test_an_interruption_as_json_is_one_object(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.winback, "main", interrupt)
    assert cli.run(["score", "--json"]) == 130
    assert json.loads(capsys.readouterr().out)["error"]["exit_code"] == 130


@pytest.mark.parametrize(
    ("raised", "code", "words"),
    [
        (GateRefusal("It leaks.", how="Mend it."), 3, "It leaks."),
        (ZeroDivisionError("oh"), 1, "This is a bug in winback: ZeroDivisionError: oh."),
        (OSError(28, "No space left on device", "runs"), 2, "runs: The system refused: No space left"),
        (type("OutOfMemoryException", (Exception,), {})("x"), 2, "[engine] memory_limit"),
        (KeyboardInterrupt(), 130, "Interrupted; nothing was published."),
        (BrokenPipeError(), 0, ""),
    ],
)
def test_exit_codes(
    raised: BaseException,
    code: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise raised

    monkeypatch.setattr(cli.winback, "main", fail)
    if isinstance(raised, BrokenPipeError):
        monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert cli.run(["score"]) == code
    shown = capsys.readouterr()
    assert words in shown.err
    assert "Traceback" not in shown.err
    if isinstance(raised, ZeroDivisionError):
        assert "--debug" in shown.err
        assert cli.run(["score", "--debug"]) == 1
        assert "Traceback" in capsys.readouterr().err


@pytest.mark.usefixtures("collector")
def test_the_signal_that_ends_a_service_is_an_interruption(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli.winback, "main", lambda *args, **kwargs: signal.raise_signal(signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as left:
            cli.main(["score"])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert left.value.code == 130
    assert "Interrupted" in capsys.readouterr().err


def test_a_file_that_the_engine_cannot_write_is_no_bug_of_ours() -> None:
    said = cli.explain(duckdb.IOException("IO Error: Could not write file: No space left on device"))
    assert said["exit_code"] == 2
    assert "No space left on device" in str(said["message"])
    assert "free space" in str(said["how"])


@pytest.mark.usefixtures("collector")
def test_main_leaves_with_the_code() -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["scor"])
    assert left.value.code == 2


@pytest.mark.usefixtures("collector")
def test_a_command_does_not_look_for_cycles_after_every_few_objects() -> None:
    gc.set_threshold(700, 10, 10)
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert gc.get_threshold()[0] >= 10_000


def test_check_counts_what_is_wrong_and_publishes_nothing(
    tmp_path: Path, write_shop: WriteShop, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_shop(tmp_path, every=20)
    with (tmp_path / "orders.csv").open("a") as file:
        file.write(",o-1,1998-01-01,3\nc9,o-2,tomorrow,3\n")
    assert cli.run(["check", "-c", str(config)]) == 0
    text = capsys.readouterr().out
    assert "missing_contact_id" in text
    assert "unreadable_time" in text
    assert "ordered_at = 'tomorrow'" in text
    assert "The inputs can be used" in text
    assert cli.run(["check", "-c", str(config), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    orders = answer["tables"]["orders"]
    assert answer["ok"]
    assert orders["rows_in"] == orders["rows_used"] + 2
    assert orders["reasons"] == {"missing_contact_id": 1, "unreadable_time": 1}
    assert {row["reason"] for row in answer["first_offenders"]} == set(orders["reasons"])
    assert not (tmp_path / ".winback").exists()


def test_check_learns_the_horizon_when_asked(
    tmp_path: Path, write_shop: WriteShop, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_shop(tmp_path, every=20)
    config.write_text(config.read_text().replace("horizon_days = 60", 'horizon_days = "auto"'))
    assert cli.run(["check", "-c", str(config)]) == 0
    assert "90 % of the" in capsys.readouterr().out


def test_check_learns_the_horizon_that_training_would(
    tmp_path: Path, write_shop: WriteShop, capsys: pytest.CaptureFixture[str]
) -> None:
    """As of the day after the newest order: years in which nothing was recorded are no history."""
    config = write_shop(tmp_path, every=20)
    config.write_text(config.read_text().replace("horizon_days = 60", 'horizon_days = "auto"'))
    header, *rows = (tmp_path / "orders.csv").read_text().splitlines()
    kept = [row for row in rows if row.split(",")[2] < "1997-07-01"]
    (tmp_path / "orders.csv").write_text("\n".join([header, *kept]) + "\n")
    days = [date.fromisoformat(row.split(",")[2][:10]) for row in kept]
    assert cli.run(["check", "-c", str(config), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["horizon_days"]
    assert found == ((max(days) - min(days)).days + 1) // 4, "a quarter of the history"


def test_check_warns_of_a_base_that_hardly_returns_whatever_the_horizon(
    tmp_path: Path, write_shop: WriteShop, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_shop(tmp_path, every=20)
    header, *rows = (tmp_path / "orders.csv").read_text().splitlines()
    firsts = {row.split(",")[0]: row for row in reversed(rows)}
    once = [row.replace(",", f"-{i},", 1) for i in range(10) for row in firsts.values()]
    (tmp_path / "orders.csv").write_text("\n".join([header, *rows[:3], *once]) + "\n")
    assert cli.run(["check", "-c", str(config)]) == 0
    shown = capsys.readouterr()
    assert "Cadence: " in shown.out
    assert "Horizon: " not in shown.out
    assert "winning back makes little sense" in " ".join(shown.err.split())
    assert cli.run(["check", "-c", str(config), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["horizon_days"] == 60
    assert answer["cadence_days"] >= 1
    assert any("second time" in notice for notice in answer["notices"])


def test_a_refused_table_ends_with_2_and_names_the_column(
    tmp_path: Path, write_shop: WriteShop, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_shop(tmp_path, every=20)
    (tmp_path / "orders.csv").write_text("contact_id,order_id,ordered\nc1,o1,2020-01-01\n")
    assert cli.run(["check", "-c", str(config), "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "InputError"
    assert "orders" in error["where"]
    assert error["how"]


def test_score_without_a_champion_says_what_to_do(
    tmp_path: Path, write_shop: WriteShop, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_shop(tmp_path, every=20)
    assert cli.run(["score", "-c", str(config)]) == 2
    assert "winback train" in capsys.readouterr().err
    assert cli.run(["export", "-c", str(config), "--out", str(tmp_path / "x.csv")]) == 2
    assert "`winback score` makes one" in capsys.readouterr().err
    assert not (tmp_path / ".winback").exists()


def test_progress_is_bars_on_a_terminal_and_plain_lines_in_a_log() -> None:
    shown = {}
    for terminal in (True, False):
        log = Console(file=io.StringIO(), force_terminal=terminal, width=80)
        with Output(log=log).working() as work:
            work.say("Reading [the] inputs")
            work.say("Scoring")
            work.tick(5, 10)
        assert isinstance(log.file, io.StringIO)
        shown[terminal] = log.file.getvalue()
    assert shown[False] == "Reading [the] inputs\nScoring\n"
    assert "\x1b[" in shown[True]
    assert "Scoring" in shown[True]


def test_json_has_no_nan_and_plain_dates(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        Output(as_json=True).result({"x": float("nan")}, lambda console: None)
    with pytest.raises(TypeError, match="object has no JSON form"):
        Output(as_json=True).result({"x": object()}, lambda console: None)
    Output(as_json=True).result({"path": Path("a/b"), "long": "x " * 200}, lambda console: None)
    assert json.loads(capsys.readouterr().out)["path"] == "a/b"
