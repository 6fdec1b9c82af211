"""The log for machines: each line one object with the run's id, steps with seconds and rows, errors too, nobody's id."""

import json
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from winback_serving import cli
from winback_serving.batch import score_day
from winback_serving.joblog import JobLog
from winback_serving.output import Output
from winback_serving.settings import load_settings

STEPS = ["ingest", "features", "retention", "scores", "drivers", "decisions"]


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.slow
def test_a_job_tells_its_steps_with_the_id_of_its_run(
    tmp_path: Path,
    write_shop: Callable[..., Path],
    rule_model: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = load_settings(write_shop(tmp_path, every=80), {})
    out = Output(lines=JobLog())
    with out.working() as work:
        run = score_day(settings, date(1998, 6, 1), rule_model(), "digest", work.say, note=work.note)
    out.warn("The facts are old.")
    shown = capsys.readouterr()
    said = lines(shown.err)
    steps = [line for line in said if "step" in line]
    assert [line["step"] for line in steps] == STEPS
    assert all(line["run_id"] == run.run_id and line["seconds"] >= 0 for line in steps)
    counts = run.info()["counts"]
    rows = {line["step"]: line["rows"] for line in steps}
    assert rows["ingest"] == run.info()["inputs"]["orders"]["rows_in"]
    assert rows["features"] == counts["contacts"]
    assert said[0]["message"] == "Reading and checking the inputs"
    assert said[-1] | {"ts": ""} == {
        "ts": "",
        "level": "warning",
        "run_id": run.run_id,
        "message": "The facts are old.",
    }
    assert all(datetime.fromisoformat(line["ts"]).tzinfo for line in said)
    assert shown.out == ""


def test_an_error_is_a_line_as_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for format_ in (["--log-format", "json"], ["--log-format=json"]):
        assert cli.run(["score", "-c", str(tmp_path / "no.toml"), *format_]) == 2
        shown = capsys.readouterr()
        (line,) = lines(shown.err)
        assert (line["level"], line["code"], line["exit_code"]) == ("error", "ConfigError", 2)
        assert "There is no such file" in line["message"]
        assert shown.out == ""


def test_an_interruption_is_a_line_as_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.winback, "main", interrupt)
    assert cli.run(["score", "--log-format", "json"]) == 130
    (line,) = lines(capsys.readouterr().err)
    assert line["message"] == "Interrupted; nothing was published."
