"""What stops Spark is a sentence, and Ctrl-C stays Ctrl-C. Needs the extra spark and Java."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from winback_features.config import EngineConfig
from winback_features.engine import open_engine
from winback_features.errors import ConfigError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # py4j leaves its sockets to the collector
]

CONFIG = EngineConfig("spark", "1GB", spark_master="local[2]")
REFUSED = ConnectionRefusedError(111, "Connection refused")
ROWS = pa.table({"n": [1, 2]})


def _asks(batches: Iterator[pa.RecordBatch], error: type[Exception], words: str) -> Iterator[pa.RecordBatch]:
    for _ in batches:
        raise error(words)
    yield from ()


def apply(engine: Any, error: type[Exception], words: str) -> None:
    engine.apply(engine.spread(ROWS), partial(_asks, error=error, words=words), ROWS.schema)


def test_a_worker_that_lacks_something_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught, open_engine(CONFIG, tmp_path) as engine:
        apply(engine, ModuleNotFoundError, "No module named 'winback_features'")
    assert caught.value.what == (
        "A Python worker of Spark failed (ModuleNotFoundError: No module named 'winback_features')."
    )
    assert "Every node needs winback" in caught.value.how


def test_a_mistake_of_ours_in_a_worker_stays_a_bug(tmp_path: Path) -> None:
    from pyspark.errors import PythonException

    with (
        pytest.raises(PythonException, match="KeyError: 'a column'"),
        open_engine(CONFIG, tmp_path) as engine,
    ):
        apply(engine, KeyError, "a column")


def test_workers_that_do_not_start_are_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSPARK_PYTHON", "/bin/false")
    with pytest.raises(ConfigError) as caught, open_engine(CONFIG, tmp_path) as engine:
        apply(engine, KeyError, "never asked")
    assert caught.value.what.startswith("Spark could not finish its work (SparkException: ")
    assert "\n" not in caught.value.what
    assert "\tat " not in str(caught.value)


@pytest.mark.parametrize("first", ["no answer", "no connection"])
def test_java_that_has_gone_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """Its end is first an answer that does not come, or a refused connection; and the session cannot be closed either."""
    from py4j.protocol import Py4JError
    from pyspark.sql import SparkSession

    error = Py4JError("An error occurred while calling o1.parquet") if first == "no answer" else REFUSED
    stop = SparkSession.stop

    def stop_and_fail(session: Any) -> None:
        stop(session)
        raise REFUSED

    def asked(engine: Any) -> None:
        raise error

    monkeypatch.setattr(SparkSession, "stop", stop_and_fail)
    with pytest.raises(ConfigError) as caught, open_engine(CONFIG, tmp_path) as engine:
        asked(engine)
    assert caught.value.what == "Spark has ended while it was at work."


def test_without_a_java_that_spark_knows_it_is_said_which_one_it_needs(tmp_path: Path) -> None:
    """Java 25 is newer than 17, and Spark 4.0 does not start with it. A process of its own: this one may have Java already."""
    script = (
        "from pathlib import Path\n"
        "from winback_features.config import EngineConfig\n"
        "from winback_features.engine import open_engine\n"
        "from winback_features.errors import ConfigError\n"
        "try:\n"
        f"    open_engine(EngineConfig('spark', '1GB', spark_master='local[1]'), Path({str(tmp_path)!r})).__enter__()\n"
        "except ConfigError as error:\n"
        "    print(error.what, error.how)\n"
    )
    env = {**os.environ, "JAVA_HOME": str(tmp_path / "no-java")}
    told = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=120
    )
    assert told.stdout.startswith("Spark cannot start ("), told.stderr
    assert "Java 17 or 21" in told.stdout


def test_ctrl_c_is_what_it_was(tmp_path: Path) -> None:
    """PySpark's own handler talks to Java in the middle of another talk: what came of Ctrl-C was an error of Py4J."""
    assert threading.current_thread() is threading.main_thread()

    def mine(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, mine)
    try:
        with open_engine(CONFIG, tmp_path):
            assert signal.getsignal(signal.SIGINT) is mine
    finally:
        signal.signal(signal.SIGINT, before)


def test_spark_is_quiet_on_one_machine_unless_it_is_told_to_talk(tmp_path: Path) -> None:
    quiet = {"spark.ui.showConsoleProgress": "false", "spark.log.level": "ERROR"}
    with open_engine(CONFIG, tmp_path) as engine:
        conf = engine._session.sparkContext.getConf()
        assert {key: conf.get(key) for key in quiet} == quiet
    loud = EngineConfig("spark", "1GB", spark_master="local[2]", spark_conf={"spark.log.level": "INFO"})
    with open_engine(loud, tmp_path) as engine:
        assert engine._session.sparkContext.getConf().get("spark.log.level") == "INFO"
