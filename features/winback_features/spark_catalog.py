"""Copy tables of Spark's catalog to Parquet, in the order of their content, so that reading them is reading files."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import (
    BooleanType,
    DateType,
    NumericType,
    StringType,
    TimestampNTZType,
    TimestampType,
)

from winback_features.databases import CATALOG
from winback_features.errors import ConfigError, InputError

_KEPT = (NumericType, StringType, BooleanType, DateType, TimestampType, TimestampNTZType)
"""Types that keep their kind; the others become their text."""


def catalog_files(session: SparkSession, location: str, database: str, folder: Path) -> tuple[Path, ...]:
    """Copy a table of the catalog.

    Parameters
    ----------
    session : pyspark.sql.SparkSession
    location : str
        ``table``, ``schema.table`` or ``catalog.schema.table``; a name that holds a dot stands between backticks.
    database : str
        ``spark://``, or ``spark://schema`` or ``spark://catalog.schema`` for tables that are named without one.
    folder : pathlib.Path
        Where the copy goes; every node sees it, and it must not be there yet.

    Returns
    -------
    tuple of pathlib.Path
        Files of Parquet. Their rows, one file after the other, are in the order of their content, nulls last.

    Raises
    ------
    ConfigError
        If the address is one of a server.
    InputError
        If there is no such table or view.
    """
    frame = _table(session, location, _schema(database))
    columns = [
        frame[name] if isinstance(field.dataType, _KEPT) else frame[name].cast("string").alias(field.name)
        for field in frame.schema.fields
        for name in [_quoted(field.name)]
    ]
    frame = frame.select(*columns)
    ordered = frame.orderBy(*(frame[_quoted(name)].asc_nulls_last() for name in frame.columns))
    ordered.write.parquet(str(folder))
    return tuple(sorted(folder.glob("part-*.parquet")))


def _schema(database: str) -> str:
    schema = database.removeprefix(CATALOG).strip("/")
    if ":" in schema or "/" in schema:
        what = "After spark:// stands the schema of the tables, and no server."
        how = 'Write database = "spark://", and the server\'s address into engine.spark_master.'
        raise ConfigError(what, where="source.database", how=how)
    return schema


def _table(session: SparkSession, location: str, schema: str) -> DataFrame:
    place = f"{schema}.{location}" if schema and not _dotted(location) else location
    try:
        return session.table(place)
    except AnalysisException as error:
        if error.getCondition() == "TABLE_OR_VIEW_NOT_FOUND":
            what, how = "Spark's catalog has no such table or view.", _what_there_is(session, place)
        else:
            said = (error.getMessage() or str(error)).splitlines()[0].rstrip(".")
            what, how = f"Spark cannot open the table ({said}).", "Correct its name, or source.database."
        raise InputError(what, where=place, how=how) from error


def _what_there_is(session: SparkSession, place: str) -> str:
    schema, _, name = place.rpartition(".")
    try:
        names = sorted(table.name for table in session.catalog.listTables(schema or None))
    except AnalysisException:
        return f"There is no schema called {schema}."
    alike = get_close_matches(name, names, n=1)
    return f"Did you mean {alike[0]}?" if alike else f"There is: {', '.join(names[:20]) or 'nothing'}."


def _dotted(location: str) -> bool:
    """Return whether a name has a schema before it; dots between backticks are its own."""
    return "." in "".join(location.split("`")[::2])


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
