"""Logging a training: everything is there, nothing lies anywhere else, and the model can be loaded back."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from tracked import AS_OF, FEATURES, small_features, small_model, small_result

from winback_features.dictionary import FEATURES as DICTIONARY
from winback_features.errors import ConfigError, InputError
from winback_models.lapse_model import LapseModel
from winback_training import tracking
from winback_training.config import TrainingConfig
from winback_training.pyfunc import default_score, input_columns, output_columns
from winback_training.registry import list_versions, show
from winback_training.tracking import check_store, log_training, open_store
from winback_training.versions import RegisteredVersion

HERE = Path(__file__).parent
NAME = "winback-lapse"
SETTINGS = {"score.horizon_days": 90, "training.seed": 0}

ALONE = f"""
import socket, sys
asked = []
def refuse(*address, **more):
    asked.append(address)
    raise OSError("no network here")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.create_connection = refuse
sys.path.insert(0, sys.argv[1])
from tracked import small_result
from winback_training.tracking import log_training
made = log_training(small_result(), tracking_uri=sys.argv[2], model_name={NAME!r}, settings={SETTINGS!r})
assert not asked, asked
print(made.version, made.run_id, made.digest)
"""


@dataclass(frozen=True)
class Logged:
    home: Path
    cwd: Path
    uri: str
    registered: RegisteredVersion
    stderr: str

    @property
    def place(self) -> dict[str, str]:
        return {"tracking_uri": self.uri, "model_name": NAME}


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Logged:
    """Log once, in a process that can reach no address, into a home whose name has a space and an accent."""
    home, cwd = tmp_path_factory.mktemp("my shop é #1"), tmp_path_factory.mktemp("cwd")
    uri = f"sqlite:///{home / 'mlflow.db'}"
    (cwd / "pyproject.toml").write_text("[project]\nname = 'theirs'\n")
    (cwd / "uv.lock").write_text("version = 1\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(HERE), uri],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Logged(home, cwd, uri, RegisteredVersion(*done.stdout.split()), done.stderr)


def test_nothing_lies_in_the_working_folder_and_all_in_the_home(logged: Logged) -> None:
    assert sorted(p.name for p in logged.cwd.iterdir()) == ["pyproject.toml", "uv.lock"]
    assert sorted(p.name for p in logged.home.iterdir()) == ["mlartifacts", "mlflow.db"]
    assert not list(logged.home.rglob("uv.lock"))


def test_the_screen_stays_quiet(logged: Logged) -> None:
    assert logged.stderr == ""


def test_the_run_holds_params_metrics_tags_and_files(logged: Logged) -> None:
    with open_store(logged.uri) as client:
        run = client.get_run(logged.registered.run_id)
        files = {f.path for f in client.list_artifacts(run.info.run_id)}
        experiment = client.get_experiment(run.info.experiment_id)
        models = client.search_logged_models([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert experiment.name == "winback"
    assert run.data.params["score.horizon_days"] == "90"
    assert run.data.params["model.status"] == "BTYD alone"
    assert run.data.metrics["active.brier"] == pytest.approx(0.19)
    assert run.data.metrics["active.brier.bg_nbd.newest"] == pytest.approx(0.18)
    assert run.data.tags["digest"] == logged.registered.digest
    assert run.data.tags["as_of"] == AS_OF.isoformat()
    assert not [tag for tag in run.data.tags if "git" in tag]
    assert {
        "bundle",
        "calibration.svg",
        "lift.svg",
        "features.json",
        "evaluation.json",
        "metrics.csv",
        "model_card.html",
        "model_card.json",
    } <= files
    assert [m.status for m in models] == ["READY"]
    assert json.loads(models[0].tags["mlflow.modelVersions"]) == [{"name": NAME, "version": 1}]
    assert {m.key for m in models[0].metrics} == set(run.data.metrics)


def test_the_version_is_the_candidate_and_knows_its_training(logged: Logged) -> None:
    (version,) = list_versions(**logged.place)
    assert version.aliases == ("candidate",)
    assert (version.version, version.run_id) == (logged.registered.version, logged.registered.run_id)
    assert version.digest == logged.registered.digest
    assert (version.as_of, version.horizon_days) == (AS_OF, 90)
    assert version.params == {}
    shown = show("candidate", **logged.place)
    assert shown.params["training.seed"] == "0"
    assert shown.tags["fingerprint.orders"] == "ab" * 32
    assert shown.metrics == version.metrics


def test_the_bundle_of_the_run_is_the_model(logged: Logged, tmp_path: Path) -> None:
    with open_store(logged.uri) as client:
        folder = Path(client.download_artifacts(logged.registered.run_id, tracking.BUNDLE, str(tmp_path)))
    features = small_features()
    expected = small_model().predict(features, AS_OF, default_score(90))
    pd.testing.assert_frame_equal(
        LapseModel.load(folder).predict(features, AS_OF, default_score(90)), expected
    )


@pytest.fixture
def in_store(logged: Logged, monkeypatch: pytest.MonkeyPatch) -> str:
    """Stand in the logged store as a user of plain MLflow does, and give the model's address."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(logged.uri)
    yield f"models:/{NAME}@candidate"
    mlflow.set_tracking_uri(before)


def test_plain_mlflow_loads_and_asks_it(in_store: str) -> None:
    served = mlflow.pyfunc.load_model(in_store)
    features = small_features()
    said = served.predict(features)
    ours = small_model().predict(features, AS_OF, default_score(90))
    assert list(said.columns) == list(output_columns(default_score(90)))
    np.testing.assert_array_equal(said["p_purchase"], ours["p_purchase"])
    assert said["contact_id"].tolist() == features["contact_id"].tolist()
    assert (said["as_of"] == pd.Timestamp(AS_OF)).all()
    assert set(said["model_version"]) == {""}, "as docs/engines.md says"
    later = served.predict(features, params={"as_of": "2024-07-05"})
    assert (later["next_purchase_date"] - said["next_purchase_date"]).dropna().eq(pd.Timedelta(days=5)).all()
    with pytest.raises(mlflow.exceptions.MlflowException, match="missing inputs"):
        served.predict(features.drop(columns="frequency"))


def test_the_signature_is_what_the_model_says(in_store: str) -> None:
    info = mlflow.models.get_model_info(in_store)
    assert info.signature.inputs.input_names() == ["contact_id", *FEATURES]
    kinds = {c.name: c.type.name for c in info.signature.outputs}
    assert kinds == output_columns(default_score(90))
    said = small_model().predict(small_features(), AS_OF, default_score(90))
    assert list(said.columns) == list(kinds)
    for name, kind in kinds.items():
        assert {"double": "f", "integer": "i", "datetime": "M", "string": "OU"}[kind].find(
            said[name].dtype.kind
        ) >= 0


def test_a_changed_bundle_is_not_opened(in_store: str, tmp_path: Path) -> None:
    folder = Path(mlflow.artifacts.download_artifacts(in_store, dst_path=str(tmp_path)))
    (bundle,) = folder.rglob("bundle.joblib")
    bundle.write_bytes(bundle.read_bytes() + b"x")
    with pytest.raises(InputError, match="digest"):
        mlflow.pyfunc.load_model(str(folder))


def test_categories_of_the_dictionary_are_texts() -> None:
    texts = {f.name for f in DICTIONARY if f.dtype == "category"}
    model = small_model(feature_names=tuple(f.name for f in DICTIONARY if f.name != "contact_id"))
    kinds = input_columns(model, default_score(28))
    assert {name for name, kind in kinds.items() if kind == "string"} == texts | {"contact_id"}


def test_the_last_category_is_asked_for_where_days_are_set_for_one() -> None:
    score = replace(default_score(28), category_gap_days={"beds": 2900.0})
    assert "last_category" not in input_columns(small_model(), default_score(28))
    assert input_columns(small_model(), score)["last_category"] == "string"


def test_a_failure_marks_the_run_and_registers_nothing(
    logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("disk full")

    monkeypatch.setattr(tracking, "save_model", fail)
    with pytest.raises(RuntimeError, match="disk full"):
        log_training(small_result(), settings=SETTINGS, **logged.place)
    with open_store(logged.uri) as client:
        (experiment,) = (e for e in client.search_experiments() if e.name == "winback")
        statuses = [run.info.status for run in client.search_runs([experiment.experiment_id])]
    assert sorted(statuses) == ["FAILED", "FINISHED"]
    assert len(list_versions(**logged.place)) == 1


def test_a_moved_store_is_refused_in_words(logged: Logged, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="was it moved"):
        log_training(small_result(), settings={}, artifact_root=tmp_path / "elsewhere", **logged.place)
    with pytest.raises(ConfigError, match="was it moved"):
        check_store(logged.uri, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("kind", ["a folder", "no database", "a percent sign", "a file above"])
def test_an_unusable_store_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    if kind == "a folder":
        path.mkdir()
    elif kind == "no database":
        path.write_bytes(b"not a database at all" * 100)
    elif kind == "a percent sign":
        path = tmp_path / "50%20off" / "mlflow.db"
    else:
        (tmp_path / "file").write_text("")
        path = tmp_path / "file" / "mlflow.db"
    with pytest.raises(ConfigError, match="store cannot be used") as caught:
        list_versions(tracking_uri=f"sqlite:///{path}", model_name=NAME)
    assert caught.value.exit_code == 2
    assert "tracking_uri" in caught.value.how


@pytest.mark.parametrize("kind", ["read-only database", "no folder for files"])
def test_a_store_that_cannot_be_written_is_found_before_the_training(kind: str, tmp_path: Path) -> None:
    store, files = tmp_path / "mlflow.db", tmp_path / "mlartifacts"
    uri = f"sqlite:///{store}"
    check_store(uri, files)
    assert list(files.iterdir()) == []
    if kind == "read-only database":
        content = bytearray(store.read_bytes())
        content[18] = 3  # SQLite opens a file of a later write version for reading alone
        store.write_bytes(content)
    else:
        files.rmdir()
        files.write_text("")
    with pytest.raises(ConfigError, match="store cannot be used") as caught:
        check_store(uri, files)
    assert caught.value.exit_code == 2
    assert list_versions(tracking_uri=uri, model_name=NAME) == ()


def test_a_check_of_the_store_leaves_nothing_in_it(tmp_path: Path) -> None:
    check_store(f"sqlite:///{tmp_path / 'mlflow.db'}")
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    assert "experiments" in tables
    assert not {name for name in tables if name.startswith("winback")}


def test_of_a_failed_statement_only_the_reason_is_told() -> None:
    said = (
        "(raised as a result of Query-invoked autoflush; consider this)\n"
        "(sqlite3.OperationalError) database or disk is full\n[SQL: INSERT INTO runs VALUES (?)]\n"
        "[parameters: ('a',)]\n(Background on this error at: https://sqlalche.me/e/21/e3q8)"
    )
    with pytest.raises(ConfigError) as caught, open_store("sqlite://"):
        raise mlflow.exceptions.MlflowException(said)
    assert (
        caught.value.what
        == "The experiment store cannot be used: (sqlite3.OperationalError) database or disk is full"
    )


def test_a_password_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught, open_store("nonsense://ann:secret@host/db"):
        pass
    assert "secret" not in str(caught.value)


def test_default_questions_stay_within_the_horizon() -> None:
    assert default_score(28).curve_days == (7, 14)
    assert default_score(28).horizon_days == 28
    assert date.fromisoformat("2024-06-30") == AS_OF


class _Refusing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(401)

    def log_message(self, *_: Any) -> None:
        pass


def test_a_server_that_asks_who_one_is_names_the_variables() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refusing) as server:
        threading.Thread(target=server.serve_forever).start()
        with pytest.raises(ConfigError, match=r"refuses whoever asks here \(401\)") as caught:
            check_store(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert "MLFLOW_TRACKING_USERNAME" in caught.value.how


def test_a_server_that_is_not_there_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(ConfigError) as caught:
            check_store(f"http://127.0.0.1:{nobody.getsockname()[1]}")
    assert caught.value.what == "The tracking server does not answer as it should: Connection refused."
    assert "home folder" not in caught.value.how


def test_nobody_waits_long_for_a_server_that_hangs() -> None:
    assert int(os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"]) <= 30


def test_a_server_whose_files_lie_on_this_machine_is_tried_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    there = SimpleNamespace(
        artifact_location=f"{tmp_path}/file/root", lifecycle_stage="active", experiment_id="1"
    )
    client = SimpleNamespace(get_experiment_by_name=lambda name: there, get_experiment=lambda number: there)
    monkeypatch.setattr(tracking, "MlflowClient", lambda *_, **__: client)
    with pytest.raises(ConfigError, match="cannot be used"):
        check_store("http://127.0.0.1:1")


def test_why_a_run_broke_off_is_told_though_that_cannot_be_noted(
    logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("disk full")

    def gone(*_: Any, **__: Any) -> None:
        raise mlflow.exceptions.MlflowException("no server")

    monkeypatch.setattr(tracking, "save_model", fail)
    monkeypatch.setattr(mlflow.MlflowClient, "set_terminated", gone)
    with pytest.raises(RuntimeError, match="disk full"):
        log_training(small_result(), settings=SETTINGS, **logged.place)


@pytest.mark.slow
def test_two_that_begin_in_one_new_store_do_not_stand_in_each_others_way(tmp_path: Path) -> None:
    code = "import sys; from winback_training.tracking import check_store; check_store(sys.argv[1])"
    call = [sys.executable, "-c", code, f"sqlite:///{tmp_path / 'mlflow.db'}"]
    with ThreadPoolExecutor() as both:
        done = list(
            both.map(lambda _: subprocess.run(call, capture_output=True, text=True, check=False), range(2))
        )
    assert [process.stderr[-300:] for process in done if process.returncode] == []


@pytest.mark.parametrize("name", ["shop/lapse", "bob's", "lapse.v2", "50%", " "])
def test_a_name_that_the_registry_does_not_take_is_refused_before_the_training(
    name: str, logged: Logged
) -> None:
    with pytest.raises(ConfigError) as caught:
        TrainingConfig(model_name=name)
    assert caught.value.where == "training.model_name"
    with pytest.raises(ConfigError):
        log_training(small_result(), settings={}, tracking_uri=logged.uri, model_name=name)
