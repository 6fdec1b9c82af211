"""Open the engine that computes everything: DuckDB in this process, spilling to disk when memory is short; or Spark."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import ibis

from winback_features.config import EngineConfig
from winback_features.errors import ConfigError

ASIDE = 640 * 1024**2
"""Bytes of a process that do not grow: Python, its packages, and what DuckDB has outside of its own account."""

UNITS = {"bytes": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4}
"""As DuckDB writes sizes."""


@contextmanager
def open_engine(config: EngineConfig, temp_dir: Path | None = None) -> Iterator[Any]:
    """Open an in-process DuckDB or Spark as an Ibis backend, and close it at the end.

    Parameters
    ----------
    config : EngineConfig
        Name (``duckdb`` or ``spark``), memory limit and threads.
    temp_dir : pathlib.Path, optional
        Where what does not fit into memory is spilled; a folder of its own under the system's
        temporary folder when absent, removed at the end. Every node of a Spark cluster must see it.

    Yields
    ------
    ibis backend
        Its clock is UTC, and it never fetches an extension from the network.

    Raises
    ------
    ConfigError
        If the engine is not known or not installed, or refuses a setting.

    Examples
    --------
    >>> with open_engine(EngineConfig(memory_limit="256MB", threads=1)) as backend:
    ...     backend.raw_sql("select 6 * 7").fetchone()
    (42,)
    """
    if config.name not in ("duckdb", "spark"):
        what = f"There is no engine called {config.name!r}."
        raise ConfigError(what, where="engine.name", how='Set it to "duckdb" or "spark".')
    if config.threads < 1:
        what = f"{config.threads} threads cannot work."
        raise ConfigError(what, where="engine.threads", how="Set it to 1 or more.")
    # Engines merge nested queries themselves; done by Ibis, it is a third of what writing the SQL takes.
    ibis.options.sql.fuse_selects = False
    if temp_dir is not None:
        temp_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="winback-", dir=temp_dir) as spill:
        try:
            backend = ibis.duckdb.connect(
                threads=config.threads,
                memory_limit=config.memory_limit,
                temp_directory=spill,
                autoinstall_known_extensions=False,
                autoload_known_extensions=False,
            )
            backend.raw_sql(f"SET memory_limit = '{share_of(memory_of(backend))}B'")
        except duckdb.Error as error:
            what = f"DuckDB refuses the engine's settings ({str(error).splitlines()[0]})."
            raise ConfigError(what, where="engine", how='Write memory_limit like "4GB".') from error
        try:
            if config.name == "duckdb":
                yield backend
            else:
                with _spark_module().open_spark(config, Path(spill), backend) as engine:
                    yield engine
        finally:
            backend.disconnect()


def share_of(limit: int) -> int:
    """Return how many of a process's bytes DuckDB may use before it spills; the rest is for the arrays of features and scores.

    Examples
    --------
    >>> share_of(4 * 1024**3) / 1024**3
    1.6875
    """
    return max((limit - ASIDE) // 2, limit // 4)


def memory_of(backend: Any) -> int:
    """Return how many bytes DuckDB may use before it spills, about."""
    number, unit = _setting(backend, "memory_limit").split()
    return int(float(number) * UNITS[unit])


def threads_of(backend: Any) -> int:
    """Return how many threads may work in this process: as many as DuckDB has. On Spark the tasks work."""
    if backend.name != "duckdb":
        return 1
    return int(_setting(backend, "threads"))


def _setting(backend: Any, name: str) -> str:
    return str(backend.raw_sql(f"select current_setting('{name}')").fetchone()[0])


def _spark_module() -> Any:
    try:
        from winback_features import spark
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("pyspark", "py4j"):
            raise
        how = "Install it with: pip install 'winback[spark]'."
        raise ConfigError("PySpark is not installed.", where="engine.name", how=how) from None
    return spark
