"""Published runs as the server reads them: immutable, each with its own in-process DuckDB, shared by all threads.

A page or an endpoint takes one `Run` (see `winback_serving.web.deps.CurrentRun`) and asks it, from beginning to end, so that
no answer mixes two runs::

    run.query("SELECT state, count(*) AS n FROM contacts GROUP BY state ORDER BY n DESC")
    run.query("SELECT * FROM features WHERE contact_id = ?", [contact_id])
    run.record["counts"]["flagged"]

Tables: ``contacts`` (the run's ``winback`` with the columns that only ``scores`` has; what lists are made of), and each
Parquet file under its name: ``winback``, ``scores``, ``entries``, ``exits``, ``states``, ``features``, ``drivers``,
``quarantine``. None of them holds a name, an address or a phone number: those columns are left out of every table here, and
leave the server in exports only.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from winback_features.errors import InputError
from winback_serving.store import PublishedRun, RunStore

PERSONAL = ("email", "first_name", "last_name", "phone")
"""Columns of a run that no table of the server has."""

KEPT = 3
"""So many runs stay open; one that is in use lives on until its request has ended."""


@dataclass(frozen=True, eq=False)
class Run:
    """One published run, open for questions.

    Attributes
    ----------
    published : PublishedRun
        Its place on disk, for the code that reads files.
    record : dict
        Its ``run.json``.
    """

    published: PublishedRun
    record: dict[str, Any] = field(repr=False)

    @property
    def as_of(self) -> date:
        """The day of the run."""
        return self.published.as_of

    @property
    def run_id(self) -> str:
        """The digest that names the run."""
        return self.published.run_id

    @property
    def folder(self) -> Path:
        """The folder of its files."""
        return self.published.folder

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Run one statement and return its rows.

        Parameters
        ----------
        sql : str
            Fixed text with ``?`` for every value that comes from outside.
        parameters : sequence
            Those values.

        Returns
        -------
        list of dict
            Column name to Python value.
        """
        with self._connection.cursor() as cursor:
            cursor.execute(sql, list(parameters))
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def arrow(self, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
        """Run one statement and return its rows as an Arrow table; see `query`."""
        with self._connection.cursor() as cursor:
            return cursor.execute(sql, list(parameters)).to_arrow_table()

    @property
    def tables(self) -> frozenset[str]:
        """Names of the Parquet files there are; an older run may lack one."""
        return frozenset(path.stem for path in self.folder.glob("*.parquet"))

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        return _open(self.folder)


class Runs:
    """The published runs of a home folder, newest first; safe to share between threads.

    Parameters
    ----------
    home : Path

    Examples
    --------
    >>> Runs(Path("no-such-folder")).days()
    []
    """

    def __init__(self, home: Path) -> None:
        self.store = RunStore(home)
        self._open: OrderedDict[tuple[Any, ...], Run] = OrderedDict()
        self._lock = threading.Lock()

    def days(self) -> list[date]:
        """Return the days that have a published run, newest first."""
        return self.store.days()[::-1]

    def current(self) -> Run:
        """Return the newest run.

        Raises
        ------
        InputError
            When nothing is published yet.
        """
        for day in self.days():
            found = self.on(day)
            if found is not None:
                return found
        raise InputError(
            "No run is published yet.", where=str(self.store.root), how="`winback score` makes one."
        )

    def on(self, as_of: date) -> Run | None:
        """Return the run that stands for a day, or None."""
        published = self.store.current(as_of)
        return None if published is None else self._opened(published)

    def find(self, as_of: date, run_id: str) -> Run | None:
        """Return that very run, if it is on disk."""
        published = self.store.find(as_of, run_id)
        return None if published is None else self._opened(published)

    def before(self, run: Run) -> Run | None:
        """Return the newest run of an earlier day, or None."""
        return next((found for day in self.days() if day < run.as_of and (found := self.on(day))), None)

    def _opened(self, published: PublishedRun) -> Run:
        # An erasure replaces files of a run: the file's identity is part of the key.
        stat = published.file("winback").stat()
        key = (published.as_of, published.run_id, stat.st_ino, stat.st_mtime_ns)
        with self._lock:
            if key not in self._open:
                self._open[key] = Run(published, published.info())
                while len(self._open) > KEPT:
                    self._open.popitem(last=False)
            self._open.move_to_end(key)
            return self._open[key]


def _open(folder: Path) -> duckdb.DuckDBPyConnection:
    """Open an in-memory DuckDB with a view over each file; it can read that folder and nothing else."""
    connection = duckdb.connect(
        config={"threads": 2, "memory_limit": "400MB", "autoinstall_known_extensions": False}
    )
    connection.execute("SET TimeZone = 'UTC'")
    columns: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*.parquet")):
        columns[path.stem] = [name for name in pq.read_schema(path).names if name not in PERSONAL]
        names = ", ".join(map(_quoted, columns[path.stem]))
        place = str(path).replace("'", "''")
        connection.execute(
            f"CREATE VIEW {_quoted(path.stem)} AS SELECT {names} FROM read_parquet('{place}')"  # noqa: S608
        )
    more = [name for name in columns["scores"] if name not in columns["winback"]]
    joined = "".join(f", s.{_quoted(name)}" for name in more)
    connection.execute(
        f"CREATE VIEW contacts AS SELECT w.*{joined} FROM winback w LEFT JOIN scores s USING (contact_id)"  # noqa: S608
    )
    connection.execute(f"SET allowed_directories = ['{str(folder).replace(chr(39), chr(39) * 2)}']")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _quoted(name: str) -> str:
    """Return an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
