"""The retention figures over the API are those of the run, and an older run says that it has none."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from winback_serving.store import RunStore
from winback_serving.web.app import create_app
from winback_serving.web.config import WebConfig

pytestmark = pytest.mark.slow  # the server over a scored home


def test_the_figures_are_those_of_the_run(client: Any, web_home: Path) -> None:
    for run in RunStore(web_home).list_runs():
        answer = client.get("/api/v1/retention", params={"as_of": run.as_of.isoformat()})
        assert answer.status_code == 200
        published = json.loads((run.folder / "retention.json").read_text(encoding="utf-8"))
        assert answer.json() == published
        assert published["as_of"] == run.as_of.isoformat()
        assert published["currency"] == "USD"
        assert published["horizon_days"] == 60
        assert published["contacts"] == published["second_order"]["contacts"] > 400


def test_a_run_without_figures_says_how_to_get_them(web_home: Path, tmp_path: Path) -> None:
    shutil.copytree(web_home / "runs", tmp_path / "runs")
    run = RunStore(tmp_path).read_run()
    (run.folder / "retention.json").unlink()
    with TestClient(create_app(tmp_path, WebConfig()), base_url="http://localhost") as client:
        answer = client.get("/api/v1/retention")
    assert answer.status_code == 404
    assert "winback score" in answer.json()["error"]["how"]
