"""Read tables out of the shop's own database into the engine."""

from __future__ import annotations

import hashlib
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


def load_table(backend: Any, location: str, database: str, base_dir: Path) -> tuple[ibis.Table, str]:
    """Copy one table of a database into the engine, batch by batch.

    Parameters
    ----------
    backend : ibis backend
        The engine.
    location : str
        ``table`` or ``schema.table``.
    database : str
        ``duckdb:///path`` (relative to ``base_dir``, or absolute with a fourth slash), or an address of one of `SERVERS`.
    base_dir : pathlib.Path

    Returns
    -------
    table : ibis.Table
        A temporary table of the engine.
    fingerprint : str
        SHA-256 over the rows as text, in the order of their content.

    Raises
    ------
    ConfigError
        If the address is not understood, its driver is not installed, or it cannot be reached.
    InputError
        If the table is not there.
    """
    scheme = database.partition("://")[0]
    if scheme == "duckdb":
        table = _from_duckdb(backend, location, base_dir / database.removeprefix("duckdb:///"))
    elif scheme in SERVERS:
        table = _from_server(backend, location, database)
    else:
        what = f"The database {scheme}:// is not supported."
        how = "Use duckdb:///file.duckdb, postgresql://…, bigquery://…, snowflake://… or databricks://…."
        raise ConfigError(what, where="source.database", how=how)
    return table, fingerprint_rows(table)


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


def _from_duckdb(backend: Any, location: str, path: Path) -> ibis.Table:
    if not path.exists():
        raise InputError("There is no such database file.", where=path.name, how="Correct source.database.")
    schema, name = _split(location)
    catalog = gen_name("winback_source")
    try:
        quoted = str(path).replace("'", "''")  # Ibis writes the path between quotes as it is
        backend.attach(quoted, name=catalog, read_only=True)
    except duckdb.Error as error:
        what = f"The database file cannot be opened ({str(error).splitlines()[0]})."
        how = "Close the program that writes to it, or correct source.database."
        raise InputError(what, where=path.name, how=how) from error
    try:
        place = (catalog, schema or "main")
        names = backend.list_tables(database=place)
        if name not in names:
            raise _no_table(location, names)
        copied: ibis.Table = backend.create_table(
            gen_name("winback_table"), backend.table(name, database=place), temp=True
        )
        return copied
    finally:
        backend.detach(catalog)


def _from_server(backend: Any, location: str, url: str) -> ibis.Table:
    server, driver, package = SERVERS[url.partition("://")[0]]
    if not _installed(driver):
        raise ConfigError(
            f"The driver of {server} is not installed.",
            where="source.database",
            how=f"Install it with: pip install '{package}'.",
        )
    return _from_postgres(backend, location, url) if driver == "psycopg" else _by_ibis(backend, location, url)


def _from_postgres(backend: Any, location: str, url: str) -> ibis.Table:
    from winback_features.postgres_tables import NoTableError, read_table

    try:
        return read_table(backend, location, url, BATCH_ROWS)
    except NoTableError as error:
        (names,) = error.args
    raise _no_table(location, names)


def _by_ibis(backend: Any, location: str, url: str) -> ibis.Table:
    server, _, _ = SERVERS[url.partition("://")[0]]
    schema, name = _split(location)
    try:
        shop = ibis.connect(url)
    except Exception as error:
        host = urlsplit(url).hostname or "the local socket"
        what = f"{server} at {host} does not let us in ({str(error).splitlines()[0]})."
        raise ConfigError(what, where="source.database", how="Check address, user and password.") from error
    try:
        names = shop.list_tables(database=schema)
        if name not in names:
            raise _no_table(location, names)
        theirs = shop.table(name, database=schema)
        reader = theirs.to_pyarrow_batches(chunk_size=BATCH_ROWS)
        copy = gen_name("winback_table")
        backend.con.from_arrow(reader).create(copy)
        copied: ibis.Table = backend.table(copy)
        return copied
    except WinbackError:
        raise
    except Exception as error:  # of the driver, or of the engine that was reading from it
        what = f"The connection to {server} was lost on the way ({str(error).splitlines()[0]})."
        raise InputError(
            what, where=location, how="Run it again once the database can be reached."
        ) from error
    finally:
        shop.disconnect()


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even what it lies in
        return False
