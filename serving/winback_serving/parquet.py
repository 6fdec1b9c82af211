"""Parquet files whose bytes depend on their rows alone: fixed schema, fixed row groups, one writer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ROWS_PER_GROUP = 50_000


def write_batches(batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path) -> int:
    """Stream record batches into a Parquet file.

    How the rows are cut into batches leaves no trace in the file: they are recut to row groups of one size.

    Parameters
    ----------
    batches : iterable of pyarrow.RecordBatch
        Rows in their final order, columns as in ``schema``.
    schema : pyarrow.Schema
    path : Path

    Returns
    -------
    int
        Rows written.
    """
    rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for group in _recut(batches, schema):
            writer.write_table(group, row_group_size=ROWS_PER_GROUP)
            rows += group.num_rows
    return rows


def write_expression(expression: Any, order_by: Sequence[Any], path: Path) -> int:
    """Run an Ibis expression and stream its ordered rows into a Parquet file; on Spark, a task writes it.

    Parameters
    ----------
    expression : ibis.Table
    order_by : sequence
        Columns or sort keys that leave no ties.
    path : Path

    Returns
    -------
    int
        Rows written.
    """
    backend = expression.get_backend()
    if backend.name == "pyspark":
        from winback_serving.spark_jobs import write_on_spark

        return write_on_spark(backend, expression, order_by, path)
    ordered = expression.order_by(list(order_by))
    reader = ordered.to_pyarrow_batches(chunk_size=ROWS_PER_GROUP)
    return write_batches(reader, reader.schema, path)


def file_digest(path: Path) -> str:
    """Return the sha256 of a file, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _recut(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield tables of exactly ``ROWS_PER_GROUP`` rows, the last one of what is left."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        while rows >= ROWS_PER_GROUP:
            table = pa.Table.from_batches(waiting, schema=schema)
            yield table.slice(0, ROWS_PER_GROUP).combine_chunks()
            rest = table.slice(ROWS_PER_GROUP)
            waiting, rows = rest.to_batches(), rest.num_rows
    if rows:
        yield pa.Table.from_batches(waiting, schema=schema).combine_chunks()
