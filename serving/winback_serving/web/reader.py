"""Published runs as the server reads them: immutable, each with its own in-process DuckDB, shared by all threads.

A page or an endpoint takes one `Run` (see `winback_serving.web.deps.CurrentRun`) and asks it, from beginning to end, so that
no answer mixes two runs::

    run.query("SELECT state, count(*) AS n FROM keys GROUP BY state ORDER BY n DESC")
    rows_of(run.folder / "features.parquet", contact_id)  # see `winback_serving.web.lookup`
    run.contact(contact_id)                       # one row, quick at any size
    run.record["counts"]["flagged"]

Tables: each Parquet file under its name (``winback``, ``scores``, ``entries``, ``exits``, ``states``, ``features``,
``drivers``, ``quarantine``, …), ``contacts`` (``winback`` with the columns that only ``scores`` has) and ``keys`` (the columns of
``contacts`` that lists are filtered and sorted by, in memory: the one to count and sum a large run by). None of them holds a
name, an address or a phone number: those columns are left out of every table here, and leave the server in exports only.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from winback_features.errors import InputError
from winback_serving.intact import checked_file
from winback_serving.store import PublishedRun, RunStore, made_earlier
from winback_serving.web.columns import PERSONAL
from winback_serving.web.index import RunIndex

KEPT = 2
"""So many runs stay open; one that is in use lives on until its request has ended."""

INDEXED = ("winback", "scores")
"""Files that the index of a run is made from."""

MEMORY = "400MB"
"""Of each open run's DuckDB; what does not fit is spilled."""


class Run:
    """One published run, open for questions.

    Parameters
    ----------
    published : PublishedRun
        Its place on disk, for the code that reads files.

    Attributes
    ----------
    record : dict
        Its ``run.json``.
    """

    def __init__(self, published: PublishedRun) -> None:
        self.published = published
        self.record: dict[str, Any] = published.info()
        self._lock = threading.Lock()
        self._index: RunIndex | None = None
        spill = tempfile.mkdtemp(prefix="winback-spill-")
        weakref.finalize(self, shutil.rmtree, spill, ignore_errors=True)
        self._connection = _open(published.folder, spill)

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

    @cached_property
    def tables(self) -> frozenset[str]:
        """Names of the Parquet files there are; an older run may lack one."""
        return frozenset(path.stem for path in self.folder.glob("*.parquet"))

    @cached_property
    def currency(self) -> str | None:
        """The currency of its amounts; None where nothing was scored."""
        found = self.query("SELECT currency FROM scores LIMIT 1")
        return str(found[0]["currency"]) if found else None

    @property
    def index(self) -> RunIndex:
        """What makes lists and contacts quick; built when it is first asked for, from no other files than those published."""
        with self._lock:
            if self._index is None:
                for name in INDEXED:
                    checked_file(self.published, name)
                self._index = RunIndex(self.folder, self._connection)
            return self._index

    def contact(self, contact_id: str) -> dict[str, Any] | None:
        """Return a contact's row of ``contacts``, or None where the run does not know it; quick at any size."""
        return self.index.contact(contact_id)

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
        with self._cursor(sql, parameters) as cursor:
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def arrow(self, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
        """Run one statement and return its rows as an Arrow table; see `query`."""
        with self._cursor(sql, parameters) as cursor:
            return cursor.to_arrow_table()

    def _cursor(self, sql: str, parameters: Sequence[Any]) -> duckdb.DuckDBPyConnection:
        if "keys" in sql:
            _ = self.index
        cursor = self._connection.cursor()
        kinds = [statement.type for statement in cursor.extract_statements(sql)]
        if kinds != [duckdb.StatementType.SELECT]:
            msg = f"a run is asked by one SELECT at a time, not {kinds}"
            raise ValueError(msg)
        try:
            return cursor.execute(sql, list(parameters))
        except duckdb.BinderException as error:
            if "drivers" in self.tables:
                raise
            raise made_earlier(self.published, "columns that this page shows") from error


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
        self._newest: Run | None = None
        self._watched = False

    def days(self) -> list[date]:
        """Return the days that have a published run, newest first."""
        return self.store.days()[::-1]

    def current(self) -> Run:
        """Return the newest run; while it is watched, the newest that is ready to be asked.

        Raises
        ------
        InputError
            When nothing is published yet.
        """
        run = self.newest()
        if run is None:
            raise InputError(
                "No run is published yet.", where=str(self.store.root), how="`winback score` makes one."
            )
        return run

    def newest(self) -> Run | None:
        """Return the run that `current` gives, or None where nothing is published."""
        return self._newest if self._watched else self._find_newest()

    def on(self, as_of: date) -> Run | None:
        """Return the run that stands for a day, or None."""
        newest = self._newest
        if self._watched and newest is not None and newest.as_of == as_of:
            return newest
        published = self.store.current(as_of)
        return None if published is None else self._opened(published)

    def find(self, as_of: date, run_id: str) -> Run | None:
        """Return that very run, if it is on disk."""
        newest = self._newest
        if self._watched and newest is not None and (newest.as_of, newest.run_id) == (as_of, run_id):
            return newest
        if Path(run_id).name != run_id:
            return None  # the id comes from outside, and no path does
        published = self.store.find(as_of, run_id)
        return None if published is None else self._opened(published)

    def before(self, run: Run) -> Run | None:
        """Return the newest run of an earlier day, or None."""
        earlier = (self.on(day) for day in self.days() if day < run.as_of)
        return next((found for found in earlier if found is not None), None)

    def refresh(self) -> Run | None:
        """Open the newest run and make it ready; from now on `current` gives it, and until then the one before.

        Returns
        -------
        Run or None
            None while nothing is published.
        """
        found = self._find_newest()
        if found is not None:
            _ = found.index
        self._newest, self._watched = found, True
        return found

    def _find_newest(self) -> Run | None:
        return next((found for day in self.days() if (found := self._on_disk(day)) is not None), None)

    def _on_disk(self, as_of: date) -> Run | None:
        published = self.store.current(as_of)
        return None if published is None else self._opened(published)

    def _opened(self, published: PublishedRun) -> Run:
        # An erasure replaces files of a run: the file's identity is part of the key.
        stat = published.file("winback").stat()
        key = (published.as_of, published.run_id, stat.st_ino, stat.st_mtime_ns)
        with self._lock:
            if key not in self._open:
                self._open[key] = Run(published)
                while len(self._open) > KEPT:
                    self._open.popitem(last=False)
            self._open.move_to_end(key)
            return self._open[key]


def _open(folder: Path, spill: str) -> duckdb.DuckDBPyConnection:
    """Open an in-memory DuckDB with a view over each file; it reaches that folder and its own to spill to, nothing else."""
    connection = duckdb.connect(
        config={
            "threads": 2,
            "memory_limit": MEMORY,
            "temp_directory": spill,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    columns: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*.parquet")):
        columns[path.stem] = [name for name in pq.read_schema(path).names if name not in PERSONAL]
        names = ", ".join(map(_quoted, columns[path.stem]))
        connection.execute(
            f"CREATE VIEW {_quoted(path.stem)} AS SELECT {names} FROM read_parquet({_text(str(path))})"  # noqa: S608
        )
    more = [name for name in columns["scores"] if name not in columns["winback"]]
    joined = "".join(f", s.{_quoted(name)}" for name in more)
    connection.execute(
        f"CREATE VIEW contacts AS SELECT w.*{joined} FROM winback w LEFT JOIN scores s USING (contact_id)"  # noqa: S608
    )
    connection.execute(f"SET allowed_directories = [{_text(str(folder))}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _quoted(name: str) -> str:
    """Return an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    """Return an SQL text."""
    return "'" + value.replace("'", "''") + "'"
