"""`winback models` on the command line: the gate's refusal, an override with its reason, and the card as a file."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import shutil
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import mlflow
import pytest
from tracked import small_result

from winback_serving import cli
from winback_serving.commands.train import flat_settings, present_champion
from winback_serving.settings import load_settings
from winback_training.pyfunc import default_score
from winback_training.tracking import log_training
from winback_training.training_record import write_training


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


def write_orders(folder: Path) -> None:
    rows = "\n".join(f"c{i % 9},o{i},2024-0{1 + i % 6}-0{1 + i % 9}T10:00:00Z,9.50" for i in range(60))
    orders = f"contact_id,order_id,ordered_at,amount\n{rows}\n"
    (folder / "orders.csv").write_text(orders, encoding="utf-8")


def train(config: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Train in no time: the fitting itself is not what is looked at here."""
    monkeypatch.setattr(sys.modules[present_champion.__module__], "fit_and_test", lambda *_: small_result())
    return cli.run(["train", "-c", str(config), "--as-of", "2024-07-01", "--json"])


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
    write_orders(config.parent)
    answer(config, "promote", "1", "--force")
    (bundle,) = config.parent.glob("mlartifacts/*/artifacts/bundle/bundle.joblib")
    sound = bundle.read_bytes()
    try:
        bundle.write_bytes(sound + b"x")
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            assert train(config, monkeypatch) == 0
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


def test_how_the_source_is_read_is_logged_and_not_where_it_lies(tmp_path: Path) -> None:
    """The fingerprint is that of the file: read by another mapping it makes another model."""
    path = tmp_path / "winback.toml"
    path.write_text(
        '[source]\ndatabase = "postgresql://me:secret@db/shop"\norders = "sales"\ntimezone = "UTC"\n'
        '[source.orders_columns]\namount = "quantity * price"\n',
        encoding="utf-8",
    )
    settings = load_settings(path)
    logged = {k: v for k, v in flat_settings(settings, settings.score) if k.startswith("source.")}
    assert logged["source.orders_columns"] == {"amount": "quantity * price"}
    assert logged["source.timezone"] == "UTC"
    assert not any(word in str(logged) for word in ("secret", "sales"))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    home = tmp_path / "my shop"
    home.mkdir()
    write_orders(home)
    path = home / "winback.toml"
    path.write_text('[source]\norders = "orders.csv"\n[home]\npath = "."\n', encoding="utf-8")
    return path


@pytest.mark.parametrize("step", ["create_run", "log_artifacts", "create_model_version"])
def test_a_training_outlives_a_tracker_that_goes_away(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], step: str
) -> None:
    def gone(*_: Any, **__: Any) -> None:
        raise mlflow.exceptions.MlflowException("the server has gone")

    with monkeypatch.context() as patch:
        patch.setattr(mlflow.MlflowClient, step, gone)
        assert train(shop, monkeypatch) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert "the server has gone" in error["message"]
    *_, folder = shlex.split(error["how"].split("`")[1])
    assert Path(folder).is_relative_to(shop.parent)
    assert answer(shop, "list")["models"] == []

    made = answer(shop, "register", folder)["model"]
    (version,) = answer(shop, "list")["models"]
    assert (version["version"], version["digest"]) == (made["version"], made["digest"])
    assert version["aliases"] == ["candidate"]
    assert version["metrics"]["active.brier"] == pytest.approx(0.19)
    assert not Path(folder).exists()
    assert answer(shop, "promote")["champion"] == made["version"]


def test_a_training_outlives_an_interruption_and_any_other_failure(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for reason, code in ((KeyboardInterrupt(), 130), (ConnectionResetError(104, "reset"), 2)):

        def gone(*_: Any, reason: BaseException = reason, **__: Any) -> None:
            raise reason

        with monkeypatch.context() as patch:
            patch.setattr(mlflow.MlflowClient, "log_artifacts", gone)
            assert train(shop, monkeypatch) == code
        said = capsys.readouterr().err
        *_, folder = shlex.split(said.split("`")[1])
        assert answer(shop, "register", folder)["ok"]


def test_a_training_lies_in_the_home_folder_while_it_is_logged(
    shop: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Who kills it then, even with a signal that nothing catches, finds it there."""
    as_killed = tmp_path / "as killed"
    log_artifacts = mlflow.MlflowClient.log_artifacts

    def looked_at(*args: Any, **how: Any) -> Any:
        shutil.copytree(shop.parent / "unlogged", as_killed / "unlogged", dirs_exist_ok=True)
        return log_artifacts(*args, **how)

    monkeypatch.setattr(mlflow.MlflowClient, "log_artifacts", looked_at)
    assert train(shop, monkeypatch) == 0
    assert not (shop.parent / "unlogged").exists()

    shutil.copytree(as_killed, shop.parent, dirs_exist_ok=True)
    listed = answer(shop, "list")
    (folder,) = listed["unlogged"]
    assert answer(shop, "register", folder)["model"]["digest"] == listed["models"][0]["digest"]
    assert answer(shop, "list")["unlogged"] == []


@pytest.mark.slow
@pytest.mark.parametrize("step", ["set_registered_model_alias", "set_terminated"])
def test_a_training_that_has_its_version_is_not_registered_twice(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], step: str
) -> None:
    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(mlflow.MlflowClient, step, killed)
        assert train(shop, monkeypatch) == 130
    listed = answer(shop, "list")
    assert [version["version"] for version in listed["models"]] == ["1"]
    (folder,) = listed["unlogged"]
    capsys.readouterr()
    assert answer(shop, "register", folder)["model"]["version"] == "1"
    assert "registered already, as version 1" in capsys.readouterr().err
    listed = answer(shop, "list")
    assert [version["aliases"] for version in listed["models"]] == [["candidate"]]
    assert listed["unlogged"] == []
    store = mlflow.MlflowClient(f"sqlite:///{shop.parent / 'mlflow.db'}")
    assert store.get_run(listed["models"][0]["run_id"]).info.status == "FINISHED"


def test_a_half_kept_training_is_no_training(shop: Path) -> None:
    half = shop.parent / "unlogged" / ".2024-07-01-abc"
    half.mkdir(parents=True)
    (half / "training.json").write_text("{}", encoding="utf-8")
    assert answer(shop, "list")["unlogged"] == []


def test_a_registry_that_goes_away_is_not_taken_for_one_without_a_champion(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(shop, monkeypatch) == 0
    capsys.readouterr()

    def gone(*_: Any, **__: Any) -> None:
        raise mlflow.exceptions.MlflowException("the server has gone")

    monkeypatch.setattr(mlflow.MlflowClient, "get_model_version_by_alias", gone)
    assert train(shop, monkeypatch) == 2
    assert "the server has gone" in json.loads(capsys.readouterr().out)["error"]["message"]


def test_a_training_that_can_be_kept_nowhere_is_said_to_be_lost(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone(*_: Any, **__: Any) -> None:
        raise mlflow.exceptions.MlflowException("the server has gone")

    (shop.parent / "unlogged").write_text("")
    monkeypatch.setattr(mlflow.MlflowClient, "create_run", gone)
    assert train(shop, monkeypatch) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert "the server has gone" in error["message"]
    assert "could not be kept" in error["how"]


def test_a_training_of_an_earlier_day_is_told_so(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    day = small_result().as_of
    for number, as_of in (("1", day), ("2", day - timedelta(days=30))):
        folder = tmp_path / number
        folder.mkdir()
        write_training(replace(small_result(), as_of=as_of), folder, {}, default_score(90))
        assert answer(shop, "register", folder)["model"]["version"] == number
        said = capsys.readouterr().err
        assert (f"Version 1 was trained for {day}, this one for {as_of}." in said) == (number == "2")


def test_only_a_training_that_is_whole_is_registered(
    shop: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "no training" in answer(shop, "register", tmp_path / "nowhere", code=2)["error"]["message"]
    folder = tmp_path / "kept"
    folder.mkdir()
    write_training(small_result(), folder, {}, default_score(90))
    bundle = folder / "bundle" / "bundle.joblib"
    bundle.write_bytes(bundle.read_bytes() + b"x")
    assert "changed" in answer(shop, "register", folder, code=2)["error"]["message"]
    assert bundle.exists()
    assert answer(shop, "list")["models"] == []
