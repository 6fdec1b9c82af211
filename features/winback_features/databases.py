"""Read tables out of the shop's own database into the engine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import ibis
from ibis.util import gen_name

from winback_features.errors import ConfigError, InputError, WinbackError

BATCH_ROWS = 100_000

SERVERS = {
    "postgresql": ("PostgreSQL", "psycopg", "winback[postgres]"),
    "postgres": ("PostgreSQL", "psycopg", "winback[postgres]"),
    "bigquery": ("BigQuery", "google.cloud.bigquery", "ibis-framework[bigquery]"),
    "snowflake": ("Snowflake", "snowflake.connector", "ibis-framework[snowflake]"),
    "databricks": ("Databricks", "databricks.sql", "ibis-framework[databricks]"),
}
"""Scheme of the address, to the name of the database, its driver's module, and what brings that."""


CATALOG = "spark://"
"""The tables of Spark's catalog, which the engine ``spark`` reads: see `winback_features.spark_catalog`."""

Copy = Callable[[str], ibis.Table]
"""Copies the table of a location into the engine."""


def load_tables(
    backend: Any, locations: Sequence[str], database: str, base_dir: Path
) -> list[tuple[ibis.Table, str]]:
    """Copy tables of a database into the engine, batch by batch.

    Those of PostgreSQL are as they were at one moment, and nobody writes to a DuckDB file meanwhile. The other servers are
    asked for one table after the other.

    Parameters
    ----------
    backend : ibis backend
        The engine.
    locations : sequence of str
        ``table`` or ``schema.table``, each.
    database : str
        ``duckdb:///path`` (relative to ``base_dir``, or absolute with a fourth slash), or an address of one of `SERVERS`.
    base_dir : pathlib.Path

    Returns
    -------
    list of (ibis.Table, str)
        A temporary table of the engine, and the SHA-256 over its rows as text, in the order of their content.

    Raises
    ------
    ConfigError
        If the address is not understood, its driver is not installed, or it cannot be reached.
    InputError
        If a table is not there.
    """
    with _opened(backend, database, base_dir) as copy:
        tables = [copy(location) for location in locations]
    return [(table, fingerprint_rows(table)) for table in tables]


def _opened(backend: Any, database: str, base_dir: Path) -> AbstractContextManager[Copy]:
    scheme = database.partition("://")[0]
    if scheme == "duckdb":
        return _duckdb(backend, base_dir / database.removeprefix("duckdb:///"))
    if scheme not in SERVERS:
        what = f"The database {scheme}:// is not supported."
        how = "Use duckdb:///file.duckdb, postgresql://…, bigquery://…, snowflake://…, databricks://… or spark://."
        raise ConfigError(what, where="source.database", how=how)
    server, driver, package = SERVERS[scheme]
    if not _installed(driver):
        raise ConfigError(
            f"The driver of {server} is not installed.",
            where="source.database",
            how=f"Install it with: pip install '{package}'.",
        )
    return _postgres(backend, database) if driver == "psycopg" else _by_ibis(backend, server, database)


def fingerprint_rows(table: ibis.Table) -> str:
    """Return the SHA-256 (hex) of a table's rows, whatever order the database gave them in."""
    row = ibis.struct({name: table[name] for name in table.columns}).cast("string").hexdigest("sha256")
    ordered = table.select(digest=row).order_by("digest")
    total = hashlib.sha256(",".join(f"{n}:{t}" for n, t in table.schema().items()).encode())
    for batch in ordered.to_pyarrow_batches(chunk_size=BATCH_ROWS):
        total.update("".join(batch.column(0).to_pylist()).encode())
    return total.hexdigest()


def _split(location: str) -> tuple[str | None, str]:
    schema, dot, name = location.rpartition(".")
    return (schema if dot else None), name


def _no_table(location: str, names: list[str]) -> WinbackError:
    by_last = {name.rpartition(".")[2]: name for name in names}
    alike = get_close_matches(location.rpartition(".")[2], by_last, n=1)
    near = get_close_matches(location, names, n=1, cutoff=0.8) or [by_last[name] for name in alike]
    how = f"Did you mean {near[0]}?" if near else f"It has: {', '.join(sorted(names)[:20]) or 'no tables'}."
    return InputError("The database has no such table.", where=location, how=how)


@contextmanager
def _duckdb(backend: Any, path: Path) -> Iterator[Copy]:
    """Give what copies out of a file; as long as it is attached, no other program can write to it."""
    if not path.exists():
        raise InputError("There is no such database file.", where=path.name, how="Correct source.database.")
    catalog = gen_name("winback_source")
    try:
        quoted = str(path).replace("'", "''")  # Ibis writes the path between quotes as it is
        backend.attach(quoted, name=catalog, read_only=True)
    except duckdb.Error as error:
        what = f"The database file cannot be opened ({str(error).splitlines()[0]})."
        how = "Close the program that writes to it, or correct source.database."
        raise InputError(what, where=path.name, how=how) from error

    def copy(location: str) -> ibis.Table:
        schema, name = _split(location)
        place = (catalog, schema or "main")
        names = backend.list_tables(database=place)
        if name not in names:
            raise _no_table(location, names)
        theirs = backend.table(name, database=place)
        return backend.create_table(gen_name("winback_table"), theirs, temp=True)

    try:
        yield copy
    finally:
        backend.detach(catalog)


@contextmanager
def _postgres(backend: Any, url: str) -> Iterator[Copy]:
    from winback_features.postgres_tables import NoTableError, open_postgres

    with open_postgres(backend, url, BATCH_ROWS) as read:

        def copy(location: str) -> ibis.Table:
            try:
                return read(location)
            except NoTableError as error:
                (names,) = error.args
            raise _no_table(location, names)

        yield copy


@contextmanager
def _by_ibis(backend: Any, server: str, url: str) -> Iterator[Copy]:
    try:
        shop = ibis.connect(url)
    except Exception as error:
        host = urlsplit(url).hostname or "the local socket"
        what = f"{server} at {host} does not let us in ({str(error).splitlines()[0]})."
        raise ConfigError(what, where="source.database", how="Check address, user and password.") from error

    def copy(location: str) -> ibis.Table:
        schema, name = _split(location)
        try:
            names = shop.list_tables(database=schema)
            if name not in names:
                raise _no_table(location, names)
            reader = shop.table(name, database=schema).to_pyarrow_batches(chunk_size=BATCH_ROWS)
            copied = gen_name("winback_table")
            backend.con.from_arrow(reader).create(copied)
            return backend.table(copied)
        except WinbackError:
            raise
        except Exception as error:  # of the driver, or of the engine that was reading from it
            what = f"The connection to {server} was lost on the way ({str(error).splitlines()[0]})."
            how = "Run it again once the database can be reached."
            raise InputError(what, where=location, how=how) from error

    try:
        yield copy
    finally:
        shop.disconnect()


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even what it lies in
        return False
