"""Copy a published run into PostgreSQL: all its tables in one transaction, streamed, and never twice."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from winback_features.errors import ConfigError, WinbackError
from winback_features.postgres_address import HOW_TO_WRITE, UNREADABLE, first_line, host_in
from winback_serving.intact import checked_file, digest_of
from winback_serving.publish_config import PublishConfig
from winback_serving.store import PublishedRun

TABLES = ("scores", "winback", "entries", "exits")
"""Tables of a run that are copied; each row also bears the run's ``as_of`` and ``run_id``."""

BATCH_ROWS = 20_000
LOCK_TIMEOUT = "60s"
"""So long a table that gets new columns is waited for: behind an open transaction, with every new reader behind us."""
_KEY = {"as_of": "date", "run_id": "text", "contact_id": "text"}
_NAMES = "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s"
_CLOSE = "; the transaction was taken back, and the database holds what it held before"
_RUNS = """
CREATE TABLE IF NOT EXISTS {schema}.runs (
    as_of date NOT NULL UNIQUE, run_id text NOT NULL, digest text NOT NULL, model_version text, info jsonb NOT NULL,
    PRIMARY KEY (as_of, run_id)
)
"""
_CURRENT_RUN = """
CREATE OR REPLACE VIEW {schema}.current_run AS
SELECT as_of, run_id, model_version, info FROM {schema}.runs ORDER BY as_of DESC LIMIT 1
"""
_TABLE = """
CREATE TABLE {schema}.{table} (
    as_of date NOT NULL, run_id text NOT NULL, contact_id text NOT NULL, PRIMARY KEY (as_of, run_id, contact_id),
    FOREIGN KEY (as_of, run_id) REFERENCES {schema}.runs ON DELETE CASCADE
)
"""
_CURRENT = """
CREATE OR REPLACE VIEW {schema}.{view} AS
SELECT t.* FROM {schema}.{table} AS t JOIN {schema}.current_run AS r USING (as_of, run_id)
"""
_HELD = "SELECT 1 FROM {schema}.runs WHERE as_of = %s AND run_id = %s AND digest = %s"
_INSERT = "INSERT INTO {schema}.runs (as_of, run_id, digest, model_version, info) VALUES (%s, %s, %s, %s, %s)"
_SINCE = "SELECT as_of, run_id FROM {schema}.runs WHERE as_of >= %s ORDER BY as_of"
_ERASE = "DELETE FROM {schema}.{table} WHERE contact_id = ANY(%s)"
_FORGET = "DELETE FROM {schema}.runs WHERE as_of <= (SELECT max(as_of) FROM {schema}.runs) - %s"


class DatabaseError(WinbackError):
    """The database could not be reached, refused, or was lost; the published files are not touched."""

    exit_code = 2


def publish_run(run: PublishedRun, config: PublishConfig) -> dict[str, int]:
    """Make PostgreSQL hold a run, and name it as the one that stands for its day.

    All of it happens in one transaction: readers see the run before or this one, whole. Memory does not grow with the run.

    Parameters
    ----------
    run : PublishedRun
    config : PublishConfig
        With an address.

    Returns
    -------
    dict of str to int
        Rows copied into each table; empty when the database held this very run already.

    Raises
    ------
    ConfigError
        When the driver is not installed.
    DatabaseError
        When the database cannot be reached, refuses, or is lost on the way. It then holds what it held before.
    InputError
        When a file of the run is not the one that was published.

    Notes
    -----
    The run is known by its name and by the digest of its files, so that a run from which persons were erased replaces the copy
    that still holds them.
    """
    info, digest = run.info(), _digest(run)
    schema, key = config.schema, (run.as_of, run.run_id, digest)
    with _transaction(config, _bring(run)) as cursor:
        _prepare(cursor, schema, run)
        if cursor.execute(_sql(_HELD, schema), key).fetchone():
            return {}
        cursor.execute(_sql("DELETE FROM {schema}.runs WHERE as_of = %s", schema), (run.as_of,))
        cursor.execute(_sql(_INSERT, schema), (*key, str(info["model"]["version"]), json.dumps(info)))
        rows = {name: _copy(cursor, schema, name, run) for name in TABLES}
        if config.keep_days:
            cursor.execute(_sql(_FORGET, schema), (config.keep_days,))
        return rows


def bring_up_to_date(runs: list[PublishedRun], run: PublishedRun, config: PublishConfig) -> list[str]:
    """Publish a run, and before it the earlier ones that came after the newest in the database.

    Parameters
    ----------
    runs : list of PublishedRun
        All that stand for their days, oldest first.
    run : PublishedRun
        The one that was just made.
    config : PublishConfig

    Returns
    -------
    list of str
        Day and id of runs of this day or later that the database held and that are not on disk: another home folder writes
        there as well, or the day was withdrawn while the database was away.

    Raises
    ------
    ConfigError, DatabaseError
        As `publish_run`.
    """
    newest, later = None, []
    with _transaction(config, _bring(run)) as cursor:
        if _exists(cursor, config.schema, "runs"):
            (newest,) = cursor.execute(_sql("SELECT max(as_of) FROM {schema}.runs", config.schema)).fetchone()
            later = cursor.execute(_sql(_SINCE, config.schema), (run.as_of,)).fetchall()
    root = run.folder.parent.parent
    missed = [old for old in runs if newest is not None and newest < old.as_of < run.as_of]
    for each in (*missed, run):
        publish_run(each, config)
    return [f"{day} {run_id}" for day, run_id in later if not (root / f"{day}" / run_id).is_dir()]


def erase_persons(contact_ids: Collection[str], runs: list[PublishedRun], config: PublishConfig) -> int:
    """Erase persons in the database, after they were erased in the home folder.

    Their rows go from every run there, also from those that are no longer on disk. Of the runs on disk the copy is then made
    anew, with the rows that are nobody's.

    Parameters
    ----------
    contact_ids : collection of str
    runs : list of PublishedRun
        On disk, oldest first.
    config : PublishConfig

    Returns
    -------
    int
        Rows that were deleted.

    Raises
    ------
    ConfigError, DatabaseError
        As `publish_run`.
    """
    schema, deleted = config.schema, 0
    with _transaction(
        config, "They are erased in the home folder; run this again to erase them here."
    ) as cursor:
        if not _exists(cursor, schema, "runs"):
            return 0
        _lock(cursor, schema)
        for table in TABLES:
            if _exists(cursor, schema, table):
                cursor.execute(_sql(_ERASE, schema, table=table), (sorted(contact_ids),))
                deleted += cursor.rowcount
        held = set(cursor.execute(_sql("SELECT as_of, run_id FROM {schema}.runs", schema)).fetchall())
    for run in runs:
        if (run.as_of, run.run_id) in held:
            publish_run(run, config)
    return deleted


def withdraw_day(day: date, config: PublishConfig) -> bool:
    """Take a day back from the database, and say whether it was there.

    Raises
    ------
    ConfigError, DatabaseError
        As `publish_run`.
    """
    how = f"In the home folder the day {day} is withdrawn; here, delete its row of {config.schema}.runs."
    with _transaction(config, how) as cursor:
        if not _exists(cursor, config.schema, "runs"):
            return False
        cursor.execute(_sql("DELETE FROM {schema}.runs WHERE as_of = %s", config.schema), (day,))
        return bool(cursor.rowcount)


def _bring(run: PublishedRun) -> str:
    return f"The run is published in its folder; bring it with: winback publish --as-of {run.as_of}."


@contextmanager
def _transaction(config: PublishConfig, what_to_do: str) -> Iterator[Any]:
    """Open a connection and a transaction; whatever goes wrong becomes a sentence without the password."""
    try:
        import psycopg
    except ImportError:
        how = "Install it with: pip install 'winback[postgres]'."
        what = "The PostgreSQL driver is not installed."
        raise ConfigError(what, where="[publish] postgres", how=how) from None
    host = host_in(config.postgres)
    if host is None:
        raise DatabaseError(
            f"{UNREADABLE}.", where="[publish] postgres", how=f"{HOW_TO_WRITE} {what_to_do}"
        ) from None
    where = f"PostgreSQL at {host}"
    how = f"Check address, user, password and rights in [publish]. {what_to_do}"
    try:
        connection = psycopg.connect(
            config.postgres, connect_timeout=10, application_name="winback", client_encoding="utf8"
        )
    except psycopg.Error as error:
        raise DatabaseError(f"It does not let us in ({first_line(error)}).", where=where, how=how) from None
    try:
        with connection, connection.cursor() as cursor:
            yield cursor
    except psycopg.Error as error:
        raise DatabaseError(f"It stopped us ({first_line(error)}){_CLOSE}.", where=where, how=how) from None


def _sql(text: str, schema: str, **names: str) -> Any:
    from psycopg import sql

    quoted = {name: sql.Identifier(value) for name, value in (names | {"schema": schema}).items()}
    return sql.SQL(text).format(**quoted)


def _digest(run: PublishedRun) -> str:
    return hashlib.sha256("".join(digest_of(checked_file(run, name)) for name in TABLES).encode()).hexdigest()


def _prepare(cursor: Any, schema: str, run: PublishedRun) -> None:
    """Make what is missing: schema, tables, columns that a newer version brings, views. One writer at a time."""
    _lock(cursor, schema)
    cursor.execute("SELECT set_config('lock_timeout', %s, true)", (LOCK_TIMEOUT,))
    if cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone() is None:
        cursor.execute(_sql("CREATE SCHEMA {schema}", schema))
    if not _exists(cursor, schema, "current_run"):
        cursor.execute(_sql(_RUNS, schema))
        cursor.execute(_sql(_CURRENT_RUN, schema))
    for table in TABLES:
        there = set(_KEY)
        if _exists(cursor, schema, table):
            there = {name for (name,) in cursor.execute(_NAMES, (schema, table)).fetchall()}
        else:
            cursor.execute(_sql(_TABLE, schema, table=table))
        columns = _columns(pq.read_schema(run.file(table)))
        new = {name: kind for name, kind in columns.items() if name not in there}
        for name, kind in new.items():
            added = f"ALTER TABLE {{schema}}.{{table}} ADD COLUMN {{column}} {kind}"
            cursor.execute(_sql(added, schema, table=table, column=name))
        if new:  # replacing a view keeps its readers waiting until the run is in
            cursor.execute(_sql(_CURRENT, schema, table=table, view=f"current_{table}"))


def _lock(cursor: Any, schema: str) -> None:
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext('winback'), hashtext(%s))", (schema,))


def _exists(cursor: Any, schema: str, name: str) -> bool:
    return bool(cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{schema}.{name}",)).fetchone()[0])


def _columns(schema: pa.Schema) -> dict[str, str]:
    """Return the columns of a table in PostgreSQL's types, the key first."""
    return _KEY | {field.name: _kind(field.type) for field in schema if field.name not in _KEY}


def _kind(kind: pa.DataType) -> str:
    """Return PostgreSQL's name of an Arrow type.

    >>> [_kind(kind) for kind in (pa.string(), pa.float64(), pa.int32(), pa.date32())]
    ['text', 'double precision', 'integer', 'date']
    """
    names = {
        pa.float64(): "double precision",
        pa.int64(): "bigint",
        pa.int32(): "integer",
        pa.date32(): "date",
        pa.bool_(): "boolean",
    }
    return names.get(kind, "text")


def _copy(cursor: Any, schema: str, table: str, run: PublishedRun) -> int:
    """Stream one table of the run in, and return its rows."""
    with pq.ParquetFile(run.file(table)) as file:
        from psycopg import sql

        names = list(_columns(file.schema_arrow))
        command = sql.SQL("COPY {}.{} ({}) FROM STDIN (FORMAT csv)").format(
            sql.Identifier(schema), sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, names))
        )
        with cursor.copy(command) as copy:
            for batch in file.iter_batches(BATCH_ROWS):
                copy.write(_as_csv(batch, run, names))
        return int(file.metadata.num_rows)


def _as_csv(batch: pa.RecordBatch, run: PublishedRun, names: list[str]) -> bytes:
    """Return rows as PostgreSQL reads them: texts quoted, nulls empty, doubles in their shortest exact form.

    Its texts cannot hold the character of number zero, which is left out.
    """
    key = {
        "as_of": pa.repeat(pa.scalar(run.as_of, pa.date32()), batch.num_rows),
        "run_id": pa.repeat(run.run_id, batch.num_rows),
    }
    columns = [key[name] if name in key else _without_zero(batch.column(name)) for name in names]
    buffer = io.BytesIO()
    pa_csv.write_csv(pa.table(columns, names=names), buffer, pa_csv.WriteOptions(include_header=False))
    return buffer.getvalue()


def _without_zero(column: pa.Array) -> pa.Array:
    return pc.replace_substring(column, "\0", "") if pa.types.is_string(column.type) else column
