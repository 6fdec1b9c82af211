"""A run that version 0.1.0 made is read as far as it goes, and what it lacks is said in words, not as a bug."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from winback_features.files import file_digest
from winback_serving.batch import score_day
from winback_serving.cli import run as winback
from winback_serving.settings import load_settings
from winback_serving.web.app import create_app
from winback_serving.web.config import WebConfig

with warnings.catch_warnings():
    # Starlette 1.10 asks for a successor of httpx that is not pinned here.
    warnings.filterwarnings("ignore", message="Using `httpx` with `starlette.testclient`")
    from fastapi.testclient import TestClient

DAY = date(1998, 1, 1)
LATER = ("consent_email", "country", "language", "acquisition_source")
"""Columns of the list that 0.1.0 did not write; it had no drivers either."""


@pytest.fixture(scope="module")
def config(
    tmp_path_factory: pytest.TempPathFactory, write_shop: Callable[..., Path], rule_model: Any
) -> Path:
    path = write_shop(tmp_path_factory.mktemp("old"))
    run = score_day(load_settings(path, {}), DAY, rule_model(), "digest")
    for name in ("winback", "entries"):
        pq.write_table(pq.read_table(run.file(name)).drop_columns(list(LATER)), run.file(name))
    run.file("drivers").unlink()
    record = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))
    record["files"] = {f: file_digest(run.folder / f) for f in record["files"] if f != "drivers.parquet"}
    (run.folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return path


def test_hygiene_is_refused_in_words(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert winback(["hygiene", "-c", str(config)]) == 2
    said = capsys.readouterr().err
    assert "an earlier version of winback made it" in said
    assert f"winback score --as-of {DAY}" in said


@pytest.fixture
def client(config: Path) -> Iterator[Any]:
    app = create_app(config.parent / ".winback", WebConfig())
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as found:
        yield found


def test_no_page_fails_as_a_bug(client: Any, config: Path) -> None:
    run = next((config.parent / ".winback" / "runs" / DAY.isoformat()).glob("*/winback.parquet"))
    contact = pq.read_table(run, columns=["contact_id"])["contact_id"][0].as_py()
    answers = {
        path: client.get(path, headers={"accept": "text/html"})
        for path in (
            "/",
            "/list",
            "/excluded",
            "/rfm",
            "/retention",
            "/model",
            "/hygiene",
            "/sandbox",
            f"/contacts/{contact}",
        )
    }
    assert {path: a.status_code for path, a in answers.items() if a.status_code not in (200, 503)} == {}
    assert answers["/list"].status_code == 200, "what it lacks is no filter"
    assert 'href="/contacts/' in answers["/list"].text
    assert 'name="country"' not in answers["/list"].text
    for path in ("/hygiene", f"/contacts/{contact}"):
        assert answers[path].status_code == 503
        assert "earlier version of winback made it" in answers[path].text
