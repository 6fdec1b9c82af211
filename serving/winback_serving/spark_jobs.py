"""The steps of the day's work that are Python, as jobs on Spark: score, explain and write, where the rows are.

No row comes to the driver. Everything goes through files of the home folder, so every node must see it. PySpark is not imported
here: these functions take the engine of `winback_features.spark`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from ibis.formats.pyarrow import PyArrowSchema
from ibis.util import gen_name

from winback_models.config import ScoreConfig
from winback_serving.parquet import ROWS_PER_GROUP, write_batches, write_expression
from winback_serving.scorer import (
    Predictor,
    driver_batches,
    driver_schema,
    score_batches,
    score_schema,
)

_WRITTEN = pa.schema([("rows", pa.int64())])


def score_on_spark(
    engine: Any, features: Path, model: Predictor, as_of: date, score: ScoreConfig, currency: str, out: Path
) -> int:
    """Score a file of features in Spark's tasks; see `winback_serving.scorer.score_features`.

    Parameters
    ----------
    engine : SparkEngine
    features, out : Path
        Files that every node sees.
    model : Predictor
        Sent to the tasks.
    as_of : date
    score : ScoreConfig
    currency : str

    Returns
    -------
    int
        Contacts scored.
    """
    work = partial(score_batches, model=model, as_of=as_of, score=score, currency=currency)
    return _apply(engine, engine.read_parquet(features), work, score_schema(score.curve_days), out)


def explain_on_spark(engine: Any, features: Any, model: Predictor, horizon_days: int, out: Path) -> int:
    """Write what raises the risk of each contact; see `winback_serving.scorer.score_drivers`.

    Parameters
    ----------
    engine : SparkEngine
    features : ibis.Table
    model : Predictor
    horizon_days : int
    out : Path

    Returns
    -------
    int
        Contacts explained.
    """
    work = partial(driver_batches, model=model, horizon_days=horizon_days)
    return _apply(engine, features, work, driver_schema(), out)


def write_on_spark(
    engine: Any, table: Any, order_by: Sequence[str], path: Path, rows_per_group: int = ROWS_PER_GROUP
) -> int:
    """Write a table of Spark into one ordered Parquet file, by one task: the same bytes as on one machine.

    Parameters
    ----------
    engine : SparkEngine
    table : ibis.Table
    order_by : sequence of str
        Columns that leave no ties.
    path : Path
    rows_per_group : int

    Returns
    -------
    int
        Rows written.
    """
    schema = PyArrowSchema.from_ibis(table.schema())
    done = engine.apply_in_order(table, order_by, _Writer(schema, path, rows_per_group), _WRITTEN)
    rows = done.rows.sum().to_pyarrow().as_py()
    engine.drop_table(done.get_name())
    # Without a row there is no task that writes.
    return write_batches((), schema, path) if rows is None else int(rows)


@dataclass(frozen=True)
class _Writer:
    """Writes the batches that it is given; sent to a task."""

    schema: pa.Schema
    path: Path
    rows_per_group: int

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Write all batches of the one partition, and give their number of rows."""
        cast = (
            part
            for batch in batches
            for part in pa.Table.from_batches([batch]).cast(self.schema).to_batches()
        )
        # A task that is tried again begins anew.
        part = self.path.with_name(f".{self.path.name}.{gen_name('task')}")
        try:
            rows = write_batches(cast, self.schema, part, self.rows_per_group)
            part.replace(self.path)
        finally:
            part.unlink(missing_ok=True)
        yield pa.record_batch({"rows": pa.array([rows], pa.int64())})


def _apply(engine: Any, table: Any, work: Any, schema: pa.Schema, out: Path) -> int:
    done = engine.apply(table, work, schema)
    rows = write_expression(done, ["contact_id"], out)
    engine.drop_table(done.get_name())
    return rows
