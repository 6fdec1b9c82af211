"""Read a source in Spark's tasks: every task runs on its slice of the rows what one machine runs on all of them.

Reading looks at one row at a time, and its expressions may hold the shop's own DuckDB SQL. So the driver compiles them once, over
an empty table, and the tasks run them in a DuckDB of their own: the same values, row numbers, digests and faults.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.formats.pyarrow import PyArrowSchema
from ibis.util import gen_name

from winback_features.contracts import TableSpec
from winback_features.mapping import DIGEST, map_columns
from winback_features.sources import ROW, RawTable
from winback_features.staging import StagedTable, refusal_of, staged_rows
from winback_features.values import Clock

if TYPE_CHECKING:
    from winback_features.spark import SparkEngine

BATCH_ROWS = 50_000
_SIGN = "winback cannot read: "


@dataclass(frozen=True)
class _Reading:
    """What a task does with its slices; sent to the executors.

    Attributes
    ----------
    slice : str
        Name of the table that the statements read.
    setup : tuple of str
        Statements that make it, empty, and the views over it.
    query : str
        What is staged of it.
    schema : pyarrow.Schema
        Of the result.
    """

    slice: str
    setup: tuple[str, ...]
    query: str
    schema: pa.Schema

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Take rows of ``path, row_group, first_row``; give the staged rows of those slices."""
        with duckdb.connect(config={"threads": 1}) as database:
            for statement in self.setup:
                database.execute(statement)
            for batch in batches:
                for place in batch.to_pylist():
                    yield from self._read(database, **place)

    def _read(
        self, database: Any, path: str, row_group: int, first_row: int | None
    ) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH_ROWS, row_groups=[row_group]):
                rows = pa.Table.from_batches([batch])
                if first_row is not None:
                    numbers = range(first_row, first_row := first_row + len(rows))
                    rows = rows.append_column(ROW, pa.array(numbers, pa.int64()))
                database.register("winback_part", rows)
                try:
                    database.execute(f"TRUNCATE {self.slice}")
                    database.execute(f"INSERT INTO {self.slice} BY NAME SELECT * FROM winback_part")  # noqa: S608 — our own name
                    staged = database.execute(self.query).to_arrow_table()
                except duckdb.Error as error:
                    # An error of DuckDB does not survive the way to the driver; its kind and its words do.
                    words = str(error).splitlines()[0]
                    raise RuntimeError(f"{_SIGN}{type(error).__name__}: {words}") from None
                yield from staged.cast(self.schema).to_batches()


def stage_in_tasks(
    engine: SparkEngine, raw: RawTable, spec: TableSpec, mapping: Mapping[str, str], clock: Clock, today: date
) -> StagedTable:
    """Read a source table into Spark.

    Parameters
    ----------
    engine : SparkEngine
    raw : RawTable
        As the engine's ``reader`` opened it. Parquet files are read by the tasks where they lie; anything else is copied to
        the scratch folder first.
    spec, mapping, clock, today
        As for `winback_features.mapping.map_columns` and `winback_features.staging.stage`.

    Raises
    ------
    InputError, ConfigError
        As on one machine.
    """
    reader, name = engine.reader, gen_name("winback_slice")
    before = {view for view, _ in _views(reader)}
    reader.create_table(name, raw.table.limit(0))
    mapped = map_columns(replace(raw, table=reader.table(name)), spec, mapping)
    staged, rules = staged_rows(reader, mapped, spec, clock, today)
    staged = staged.mutate(staged[DIGEST].cast("string").name(DIGEST))  # Spark has no unsigned numbers
    made = [sql for view, sql in _views(reader) if view not in before]
    (table,) = (
        reader.con.table_function("duckdb_tables").filter(f"table_name = '{name}'").select("sql").fetchone()
    )
    schema = PyArrowSchema.from_ibis(staged.schema())
    reading = _Reading(name, ("SET TimeZone = 'UTC'", table, *made), reader.compile(staged), schema)
    slices = _slices(engine, raw)
    for used in raw.scratch:
        reader.drop_table(used)
    try:
        rows = engine.apply(slices, reading, schema)
    except Exception as error:
        found = re.search(re.escape(_SIGN) + r"(\w+): (.*)", str(error))
        if found is None:
            raise
        raise refusal_of(mapped, getattr(duckdb, found[1])(found[2])) from None
    rejected = None
    if raw.rejected is not None:
        rejected = engine.create_table(gen_name("winback_rejected"), raw.rejected.to_pyarrow())
    mapped = replace(mapped, raw=replace(mapped.raw, rejected=rejected, scratch=()))
    return StagedTable(mapped, spec, rows, rules)


def _views(reader: Any) -> list[tuple[str, str]]:
    """Return the views of the reader and how they were made, oldest first."""
    views = reader.con.table_function("duckdb_views").filter("NOT internal").order("view_oid")
    found: list[tuple[str, str]] = views.select("view_name", "sql").fetchall()
    return found


def _slices(engine: SparkEngine, raw: RawTable) -> Any:
    """Return one row for each piece of a file that a task reads: ``path, row_group, first_row``, a partition for each."""
    files = raw.files
    if not files:
        files = (engine.scratch / f"{gen_name('winback_source')}.parquet",)
        raw.table.to_parquet(files[0])
    places, first = [], 1
    for file in files:
        metadata = pq.read_metadata(file)
        for group in range(metadata.num_row_groups):
            places.append({"path": str(file.absolute()), "row_group": group, "first_row": first})
            first += metadata.row_group(group).num_rows
    if not raw.files:  # the copy holds the numbers
        places = [place | {"first_row": None} for place in places]
    kinds = pa.schema([("path", pa.string()), ("row_group", pa.int32()), ("first_row", pa.int64())])
    return engine.spread(pa.Table.from_pylist(places, kinds))
