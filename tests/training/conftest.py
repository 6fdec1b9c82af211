"""Fixtures of the training tests; the helper modules beside this file are importable by name."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session", autouse=True)
def migrated_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let MLflow migrate an empty SQLite store but once; every later one is a copy of what came of the first."""
    from mlflow.store.db import utils

    template, migrate = tmp_path_factory.mktemp("store") / "mlflow.db", utils._initialize_tables

    def initialize(engine: Any) -> None:
        place = engine.url.database
        if place and template.exists():
            # Whatever is wrong with the place, the migration tells.
            with suppress(sqlite3.Error), closing(sqlite3.connect(template)) as kept:
                with closing(sqlite3.connect(place)) as new:
                    kept.backup(new)
                return
        migrate(engine)
        if place and not template.exists():
            with closing(sqlite3.connect(place)) as made, closing(sqlite3.connect(template)) as kept:
                made.backup(kept)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "_initialize_tables", initialize)
        yield
