"""``winback export`` says what it wrote, who is left out and why, and refuses with 3."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from winback_serving import cli

DAY = date(2025, 3, 10)
CONFIG = (
    '[source]\norders = "orders.csv"\n[brand]\nname = "X"\ntimezone = "Europe/Amsterdam"\ncurrency = "EUR"\n'
)


@pytest.fixture
def config(shop: Any, kinds: Any, tmp_path: Path) -> Path:
    """Two published days in the home folder of a winback.toml."""
    treated = kinds["treated"]
    days = {
        DAY - timedelta(days=1): {"a": treated, "b": treated},
        DAY: {
            "a": treated,
            "b": kinds["bought"],
            "[c]": {**treated, "rank": 2, "email": None},
            "d": {**treated, "rank": 3, "phone": "0612"},
        },
    }
    for day, contacts in days.items():
        home = tmp_path / ".winback" / "runs" / str(day)
        home.mkdir(parents=True)
        shop.run(contacts, day).folder.rename(home / "aa")
        (home / "current").write_text("aa\n")
    (tmp_path / "winback.toml").write_text(CONFIG)
    return tmp_path / "winback.toml"


def test_it_tells_people(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = config.with_name("list.csv")
    assert (
        cli.run(["export", "-c", str(config), "--to", "klaviyo", "--list", "current", "--out", str(out)]) == 0
    )
    text = capsys.readouterr().out
    assert f"Wrote 2 rows of current, 2025-03-10, to {out}." in text
    assert "Likely to bounce: 0.30% of 2 e-mails." in text
    assert "Left out 1 contact ([c]): nothing usable in the column that klaviyo knows contacts by." in text
    assert "Left Phone Number empty for 1 contact (d)" in text


def test_it_tells_programs(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = config.with_name("ads.csv")
    call = [
        "export",
        "-c",
        str(config),
        "--list",
        "retargeting_add",
        "--to",
        "meta",
        "--delta",
        "--out",
        str(out),
        "--json",
    ]
    assert cli.run(call) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["delta_since"] == str(DAY - timedelta(days=1))
    assert answer["files"] == [{"path": str(out), "rows": 2}]
    assert answer["removals"] == [{"path": str(out.with_name("ads-remove.csv")), "rows": 1}]
    assert answer["left_out"] == {}


def test_it_refuses_and_says_how_to_go_on(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = config.with_name("list.csv")
    call = [
        "export",
        "-c",
        str(config),
        "--list",
        "current",
        "--out",
        str(out),
        "--max-bounce-exposure",
        "0.001",
    ]
    assert cli.run(call) == 3
    shown = capsys.readouterr().err
    assert "likely to bounce, more than 0.1%" in shown
    assert "--force" in shown
    assert not out.exists()
    assert cli.run([*call, "--force"]) == 0


def test_since_needs_delta_and_the_first_run_has_no_day_before(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = str(DAY - timedelta(days=1))
    call = ["export", "-c", str(config), "--list", "current", "--out", str(config.with_name("x.csv"))]
    assert cli.run([*call, "--since", first]) == 2
    assert "--since goes with --delta" in capsys.readouterr().err
    assert cli.run([*call, "--delta", "--since", str(DAY)]) == 2
    assert "is not before the run" in capsys.readouterr().err
    assert cli.run([*call, "--delta", "--as-of", first]) == 0
    assert "There is no earlier run: everything is new." in capsys.readouterr().out
