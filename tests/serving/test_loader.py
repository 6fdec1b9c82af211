"""A champion whose files cannot be brought: a full disk is told from files that are gone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from winback_features.errors import WinbackError
from winback_serving import loader


def refuse(source: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the sentence where MLflow could not bring the files, which it says in the same words for any cause."""

    class Client:
        def __init__(self, *args: Any, **kwargs: Any) -> None: ...

        def get_model_version_by_alias(self, name: str, alias: str) -> Any:
            return SimpleNamespace(run_id="r", version="3", tags={}, source=source.as_uri())

        def download_artifacts(self, *args: Any) -> str:
            raise MlflowException("Failed to download artifacts", error_code=INVALID_PARAMETER_VALUE)

    monkeypatch.setattr(loader, "MlflowClient", Client)
    with pytest.raises(WinbackError) as refused:
        loader.load_champion("http://registry", "winback-lapse")
    assert refused.value.exit_code == 2
    return str(refused.value)


def test_files_that_are_there_and_cannot_be_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = tmp_path / "the shop's files"
    there.mkdir()
    words = refuse(there, monkeypatch)
    assert "could not be copied into the temporary folder" in words
    assert "free space" in words


def test_files_that_are_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Was the home folder moved?" in refuse(tmp_path / "gone", monkeypatch)
