"""Read tables of PostgreSQL into the engine: every type there is, by one connection, as of one moment."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import ibis
import psycopg
import pyarrow as pa
from ibis.util import gen_name
from psycopg import errors, sql

from winback_features.errors import ConfigError, InputError
from winback_features.postgres_address import HOW_TO_WRITE, UNREADABLE, first_line, host_in

PLAIN = {
    "bool": pa.bool_(),
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "text": pa.string(),
    "varchar": pa.string(),
}
"""Types that come as they are."""

TIMES = {"date": pa.date32(), "timestamp": pa.timestamp("us"), "timestamptz": pa.timestamp("us", "UTC")}
_BOUNDED = (
    "CASE WHEN {0} < '0001-01-02' THEN '0001-01-02' WHEN {0} > '9999-12-30' THEN '9999-12-30' ELSE {0} END"
)
"""PostgreSQL's times go on to infinity, where no other's do; the ends are as little a day of a shop."""

MOST_DIGITS = 38
"""Of an exact number in the engine."""

_TABLES = r"""
SELECT n.nspname || '.' || c.relname
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%'
    AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
ORDER BY 1
"""


ENDED = (
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.IdleInTransactionSessionTimeout,
)
"""What a server says when it ends a connection."""


Columns = Mapping[str, tuple[pa.DataType, sql.Composable]]
"""Name of a column, to its type in the engine and what to select for it."""


class _NotANumber(Exception):
    """A column of exact numbers holds ``NaN``; its arguments are the names of all such columns."""


class NoTableError(Exception):
    """There is no such table; its argument are the names of those that may be read."""


@contextmanager
def open_postgres(backend: Any, address: str, batch_rows: int) -> Iterator[Callable[[str], ibis.Table]]:
    """Give what copies a table or view into the engine; all of them as they were when the first was read.

    Parameters
    ----------
    backend : ibis backend
        The engine: DuckDB.
    address : str
        ``postgresql://…``.
    batch_rows : int
        Rows held in memory at a time.

    Yields
    ------
    callable
        `read_table`, of a location.

    Raises
    ------
    ConfigError
        If the database cannot be reached.
    """
    with closing(_connect(address)) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        yield partial(read_table, backend, connection, batch_rows=batch_rows)


def read_table(
    backend: Any, connection: psycopg.Connection[Any], location: str, batch_rows: int
) -> ibis.Table:
    """Copy a table or view into the engine.

    Parameters
    ----------
    backend : ibis backend
    connection : psycopg.Connection
    location : str
        ``table`` or ``schema.table``, written as the database has it; between double quotes where a name holds a dot.
    batch_rows : int

    Returns
    -------
    ibis.Table
        Exact numbers of up to 38 digits, times, truth values and texts keep their type. Numbers without a stated size become
        doubles, and whatever else there is (uuid, json, enum, array, …) its text; so do exact numbers in a column that
        holds ``NaN``, which the engine has not among them.

    Raises
    ------
    InputError
        If the database refuses, or is lost on the way.
    NoTableError
        If it has no such table.
    """
    try:
        return _copy(backend, connection, location, batch_rows)
    except (errors.UndefinedTable, errors.InvalidSchemaName):
        connection.rollback()
        raise NoTableError([name for (name,) in connection.execute(_TABLES)]) from None
    except errors.InsufficientPrivilege as error:
        what = f"This user may not read it ({first_line(error)})."
        how = "Grant it SELECT there, and USAGE on the schema; or name a view that it may read."
    except psycopg.Error as error:
        what, how = "PostgreSQL stopped the reading", "Mend what it names, and run it again."
        if connection.broken or error.sqlstate is None or isinstance(error, ENDED):
            what = "The connection to PostgreSQL was lost on the way"
            how = "Run it again once the database can be reached."
        what = f"{what} ({first_line(error)})."
    except pa.ArrowException as error:
        what = f"A value in it cannot be read ({first_line(error)})."
        how = "Leave such rows out, or mend them, in a view."
    raise InputError(what, where=location, how=how)


def _connect(address: str) -> psycopg.Connection[Any]:
    host = host_in(address)
    if host is None:
        raise ConfigError(f"{UNREADABLE}.", where="source.database", how=HOW_TO_WRITE)
    try:
        return psycopg.connect(
            address, application_name="winback", client_encoding="utf8", connect_timeout=10
        )
    except psycopg.Error as error:
        what = f"PostgreSQL at {host} does not let us in ({first_line(error)})."
        how = "Check address, user and password."
    raise ConfigError(what, where="source.database", how=how)


def _quoted(location: str) -> sql.Identifier:
    """Return a name with its parts between quotes.

    >>> _quoted('sales."orders.2026"')
    Identifier('sales', 'orders.2026')
    """
    parts = re.findall(r'"((?:[^"]|"")+)"|([^."]+)', location)
    return sql.Identifier(*(quoted.replace('""', '"') or plain for quoted, plain in parts))


def _copy(backend: Any, connection: psycopg.Connection[Any], location: str, rows: int) -> ibis.Table:
    """Read the columns as far as the engine has their types, and the others as text."""
    table = _quoted(location)
    for setting in ("TIME ZONE 'UTC'", "datestyle TO 'ISO'"):
        connection.execute(f"SET LOCAL {setting}")
    empty = connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(table)).description or []
    if not empty:
        raise InputError("It has no columns.", where=location, how="Name another table.")
    columns = {column.name: _column(connection, column) for column in empty}
    try:
        return _fetch(backend, connection, table, rows, columns)
    except _NotANumber as error:
        texts = {name: _as_text(sql.Identifier(name)) for name in error.args}
        return _fetch(backend, connection, table, rows, columns | texts)


def _fetch(
    backend: Any, connection: psycopg.Connection[Any], table: sql.Identifier, rows: int, columns: Columns
) -> ibis.Table:
    """Read the columns batch by batch.

    Raises
    ------
    _NotANumber
        Naming the columns of exact numbers, where there is a ``NaN`` in one.
    """
    schema = pa.schema([(name, kind) for name, (kind, _) in columns.items()])
    exact = [field.name for field in schema if pa.types.is_decimal(field.type)]
    copy = gen_name("winback_table")
    backend.con.from_arrow(schema.empty_table()).create(copy)
    with connection.cursor(name=copy) as cursor:
        chosen = sql.SQL(", ").join(expression for _, expression in columns.values())
        cursor.execute(sql.SQL("SELECT {} FROM {}").format(chosen, table))
        while batch := cursor.fetchmany(rows):
            values = dict(zip(schema.names, zip(*batch, strict=True), strict=True))
            if any(value is not None and value.is_nan() for name in exact for value in values[name]):
                backend.drop_table(copy)
                raise _NotANumber(*exact)
            arrays = [pa.array(values[field.name], field.type) for field in schema]
            backend.con.from_arrow(pa.table(arrays, schema=schema)).insert_into(copy)
    copied: ibis.Table = backend.table(copy)
    return copied


def _column(
    connection: psycopg.Connection[Any], column: psycopg.Column
) -> tuple[pa.DataType, sql.Composable]:
    """Return the engine's type of a column, and what to select for it; a domain is its base type here already."""
    known = connection.adapters.types.get(column.type_code)
    kind = known.name if known and known.oid == column.type_code else ""  # an array is known by its elements
    name = sql.Identifier(column.name)
    if kind in PLAIN:
        return PLAIN[kind], name
    if kind in TIMES:
        return TIMES[kind], sql.SQL(_BOUNDED).format(name)
    if kind in ("numeric", "money"):
        digits, scale = column.precision or 0, column.scale or 0
        if 0 <= scale <= digits <= MOST_DIGITS and digits:
            return pa.decimal128(digits, scale), name
        return pa.float64(), sql.SQL("{}::numeric::double precision").format(name)
    return _as_text(name)


def _as_text(name: sql.Identifier) -> tuple[pa.DataType, sql.Composable]:
    return pa.string(), sql.SQL("{}::text").format(name)
