"""Parquet files whose bytes depend on their rows alone: fixed schema, fixed row groups, one writer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from winback_features.parts import WHOLE, Range, between

ROWS_PER_GROUP = 50_000


def write_batches(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path, rows_per_group: int = ROWS_PER_GROUP
) -> int:
    """Stream record batches into a Parquet file.

    How the rows are cut into batches leaves no trace in the file: they are recut to row groups of one size.

    Parameters
    ----------
    batches : iterable of pyarrow.RecordBatch
        Rows in their final order, columns as in ``schema``.
    schema : pyarrow.Schema
    path : Path
    rows_per_group : int

    Returns
    -------
    int
        Rows written.
    """
    with OrderedFile(path, rows_per_group) as file:
        file.extend(batches, schema)
        return file.rows


class OrderedFile:
    """A Parquet file that takes its rows piece by piece; how they were cut leaves no trace in it.

    Parameters
    ----------
    path : Path
    rows_per_group : int
        Of its row groups: of a wide file, fewer rows make it quicker to find one of them.

    Attributes
    ----------
    rows : int
        Taken so far.
    """

    def __init__(self, path: Path, rows_per_group: int = ROWS_PER_GROUP) -> None:
        self.path, self.rows, self.rows_per_group = path, 0, rows_per_group
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0

    def append(self, expression: Any, order_by: Sequence[Any]) -> None:
        """Run an Ibis expression and take its ordered rows; they must follow on those taken before."""
        reader = expression.order_by(list(order_by)).to_pyarrow_batches(chunk_size=ROWS_PER_GROUP)
        self.extend(reader, reader.schema)

    def extend(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
        """Take record batches with the columns of ``schema``, the same at every call."""
        writer = self._writer = self._writer or _writer(self.path, schema)
        for batch in batches:
            self.rows += batch.num_rows
            self._waiting_rows += batch.num_rows
            self._waiting.append(batch)
            while self._waiting_rows >= self.rows_per_group:
                self._write(writer, self.rows_per_group)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Write what waits, and close the file."""
        if self._writer is not None:
            if self._waiting_rows:
                self._write(self._writer, self._waiting_rows)
            self._writer.close()

    def _write(self, writer: pq.ParquetWriter, rows: int) -> None:
        """Write the first of the waiting rows as one group."""
        table = pa.Table.from_batches(self._waiting, schema=writer.schema)
        writer.write_table(table.slice(0, rows).combine_chunks(), row_group_size=self.rows_per_group)
        rest = table.slice(rows)
        self._waiting, self._waiting_rows = rest.to_batches(), rest.num_rows


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Open a Parquet file. Nearly every float is another one: a dictionary of them takes longer and more room than they do."""
    few = [field.name for field in schema if not pa.types.is_floating(field.type)]
    return pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=few)


def write_expression(
    expression: Any,
    order_by: Sequence[Any],
    path: Path,
    rows_per_group: int = ROWS_PER_GROUP,
    ranges: Sequence[Range] = WHOLE,
) -> int:
    """Run an Ibis expression and stream its ordered rows into a Parquet file; on Spark, a task writes it.

    Parameters
    ----------
    expression : ibis.Table
    order_by : sequence
        Columns or sort keys that leave no ties.
    path : Path
    rows_per_group : int
    ranges : sequence of (str or None, str or None), optional
        Of contact ids, in the order of the file: run one after the other, which takes less memory and leaves no trace.

    Returns
    -------
    int
        Rows written.
    """
    backend = expression.get_backend()
    if backend.name == "pyspark":
        from winback_serving.spark_jobs import write_on_spark

        return write_on_spark(backend, expression, order_by, path, rows_per_group)
    with OrderedFile(path, rows_per_group) as file:
        for ids in ranges:
            file.append(between(expression, ids), order_by)
        return file.rows


def count_rows(path: Path) -> int:
    """Return the rows of a Parquet file, from its foot alone."""
    return int(pq.read_metadata(path).num_rows)
