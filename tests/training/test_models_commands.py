"""`winback models` on the command line: the gate's refusal, an override with its reason, and the card as a file."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tracked import small_result

from winback_serving import cli
from winback_serving.commands.train import flat_settings, present_champion
from winback_serving.settings import load_settings
from winback_training.tracking import log_training


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("shop")
    path = home / "winback.toml"
    path.write_text('[source]\norders = "orders.csv"\n[home]\npath = "."\n', encoding="utf-8")
    uri = f"sqlite:///{home / 'mlflow.db'}"
    log_training(small_result(auc=0.5), tracking_uri=uri, model_name="winback-lapse", settings={})
    return path


def answer(config: Path, *args: object, code: int = 0) -> Any:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert cli.run(["models", *map(str, args), "-c", str(config), "--json"]) == code
    return json.loads(printed.getvalue())


def shown(config: Path, *args: object) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert cli.run(["models", *map(str, args), "-c", str(config)]) == 0
    return printed.getvalue()


def test_a_refusal_ends_with_3_and_an_override_is_remembered(config: Path) -> None:
    assert "no better than chance" in str(answer(config, "promote", code=3))
    done = answer(config, "promote", "--override", "A pilot, watched")
    assert done["champion"] == "1"
    assert answer(config, "show")["model"]["override"] == "A pilot, watched"
    assert "A pilot, watched" in shown(config, "show")
    assert answer(config, "list")["models"][0]["override"] == "A pilot, watched"


def test_the_card_is_written_as_a_page_or_as_data(config: Path, tmp_path: Path) -> None:
    page, facts = tmp_path / "card.html", tmp_path / "card.json"
    card = answer(config, "card", 1, "--out", page)["card"]
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert str(facts) in shown(config, "card", 1, "--out", facts).replace("\n", "")
    assert json.loads(facts.read_text(encoding="utf-8")) == card
    assert answer(config, "card", 9, code=2)["ok"] is False


def test_a_champion_that_cannot_be_read_is_not_called_missing(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "\n".join(f"c{i % 9},o{i},2024-0{1 + i % 6}-0{1 + i % 9}T10:00:00Z,9.50" for i in range(60))
    orders = f"contact_id,order_id,ordered_at,amount\n{rows}\n"
    (config.parent / "orders.csv").write_text(orders, encoding="utf-8")
    answer(config, "promote", "1", "--force")
    (bundle,) = config.parent.glob("mlartifacts/*/artifacts/bundle/bundle.joblib")
    sound = bundle.read_bytes()
    monkeypatch.setattr(sys.modules[present_champion.__module__], "fit_and_test", lambda *_: small_result())
    try:
        bundle.write_bytes(sound + b"x")
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            assert cli.run(["train", "-c", str(config), "--as-of", "2024-07-01", "--json"]) == 0
    finally:
        bundle.write_bytes(sound)
    gate = json.loads(printed.getvalue())["gate"]
    assert "The champion could not be read, and was not compared." in gate["notes"]
    assert "no champion yet" not in str(gate)


def test_closed_days_are_logged_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "winback.toml"
    path.write_text(
        '[source]\norders = "orders.csv"\n[brand]\nclosed = [["2024-12-24", "2024-12-27"]]\n',
        encoding="utf-8",
    )
    settings = load_settings(path)
    logged = dict(flat_settings(settings, settings.score))
    assert logged["brand.closed"] == (("2024-12-24", "2024-12-27"),)
    assert logged["score.curve_days"] == settings.score.curve_days
