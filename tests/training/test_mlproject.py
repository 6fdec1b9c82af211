"""The folder mlflow/: MLflow reads its entry points, and they call commands and options that exist."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import click
import pytest
import yaml
from mlflow.projects import _project_spec
from tracked import small_result

from winback_serving.cli import winback
from winback_training.tracking import log_training

FOLDER = Path(__file__).parents[2] / "mlflow"
GIVEN = {
    "main": {},
    "train": {"config": "shop one/winback.toml"},
    "score": {"config": "w.toml", "as_of": "2024-06-30"},
}


@pytest.mark.parametrize("name", GIVEN)
def test_an_entry_point_calls_a_command_that_exists(name: str) -> None:
    project = _project_spec.load_project(str(FOLDER))
    words = shlex.split(project.get_entry_point(name).compute_command(GIVEN[name], None))
    assert words[0] == "winback"
    context = click.Context(winback)
    command = winback.get_command(context, words[1])
    assert command is not None
    parsed = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words[2:] if word.startswith("--")} <= parsed
    assert all(value in words for value in GIVEN[name].values())


def test_every_entry_point_is_tested() -> None:
    listed = yaml.safe_load((FOLDER / "MLproject").read_text(encoding="utf-8"))["entry_points"]
    assert set(listed) == set(GIVEN)


def test_the_compose_file_shows_no_secret_and_listens_here_only() -> None:
    services = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert all("/" not in service["image"] for service in services.values())
    assert "ports" not in services["database"]
    assert all(port.startswith("127.0.0.1:") for port in services["mlflow"]["ports"])
    assert "MLFLOW_DATABASE_PASSWORD=\n" in (FOLDER / ".env.example").read_text(encoding="utf-8")


@pytest.mark.slow
def test_mlflow_run_starts_the_console_script(tmp_path: Path) -> None:
    """With a stand-in for winback on the path, which writes down how it was called."""
    script = tmp_path / "bin" / "winback"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\npwd > "{tmp_path}/called"\nprintf "%s\\n" "$@" >> "{tmp_path}/called"\n')
    script.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{script.parent}{os.pathsep}{os.environ['PATH']}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'mlflow.db'}",
    }
    command = [sys.executable, "-m", "mlflow", "run", str(FOLDER), "--env-manager", "local"]
    command += ["-e", "score", "-P", "config=a b.toml", "-P", "as_of=2024-06-30"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    called = (tmp_path / "called").read_text().splitlines()
    assert called == [str(FOLDER), "score", "--config", "a b.toml", "--as-of", "2024-06-30"]


@pytest.mark.slow
def test_mlflow_ui_shows_the_run_and_its_pictures(tmp_path: Path, free_port: int) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    registered = log_training(small_result(), tracking_uri=uri, model_name="winback-lapse", settings={})
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri]
    command += ["--host", "127.0.0.1", "--port", str(free_port), "--workers", "1"]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
    try:
        page = f"http://127.0.0.1:{free_port}"
        wait_for(f"{page}/health")
        assert b"<html" in read(page).lower()
        run = read(f"{page}/api/2.0/mlflow/runs/get?run_id={registered.run_id}")
        assert b"active.brier.bg_nbd" in run
        assert b"<svg" in read(f"{page}/get-artifact?path=lift.svg&run_uuid={registered.run_id}")
        assert b"candidate" in read(f"{page}/api/2.0/mlflow/registered-models/get?name=winback-lapse")
    finally:
        server.terminate()
        server.wait(timeout=60)


def read(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=30) as answer:
        return bytes(answer.read())


def wait_for(address: str, seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            read(address)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)
        else:
            return


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
