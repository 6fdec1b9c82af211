"""Score contacts batch by batch: features in, contract scores out, in memory that does not grow; and say what drives them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Protocol

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from winback_features.in_order import in_order
from winback_models.btyd import Array
from winback_models.config import ScoreConfig
from winback_models.drivers import DRIVERS, driver_effects
from winback_serving.parquet import write_batches

BATCH_ROWS = 15_000
_STRINGS = ("contact_id", "model_version", "currency", "base")
_DATES = ("as_of", "next_purchase_date", "next_purchase_low", "next_purchase_high")


class Predictor(Protocol):
    """What the scorer needs of a model; ``winback_models.lapse_model.LapseModel`` has it."""

    @property
    def horizon_days(self) -> int:
        """Days ahead that ``p_purchase`` looks."""

    @property
    def version(self) -> str:
        """Version under which the model is registered."""

    def predict(self, features: pd.DataFrame, as_of: date, score: ScoreConfig) -> pd.DataFrame:
        """Return one row of scores per row of features, in the same order."""

    def curve(self, features: pd.DataFrame, days: Sequence[float]) -> Array:
        """Return P(at least one purchase within d), shape (n, len(days)); each row by itself."""


def score_columns(curve_days: Sequence[int]) -> tuple[str, ...]:
    """Return the columns of the scores table, in order.

    Examples
    --------
    >>> score_columns((7, 30))[4:8]
    ('p_purchase', 'p_lapse', 'p_within_7d', 'p_within_30d')
    """
    return (
        "contact_id",
        "as_of",
        "horizon_days",
        "model_version",
        "p_purchase",
        "p_lapse",
        *(f"p_within_{d}d" for d in curve_days),
        "p_alive",
        "expected_purchases",
        "next_purchase_date",
        "next_purchase_low",
        "next_purchase_high",
        "usual_gap_days",
        "days_since_purchase",
        "days_overdue",
        "expected_order_value",
        "value_at_risk",
        "clv_12m",
        "currency",
        "base",
    )


def score_schema(curve_days: Sequence[int]) -> pa.Schema:
    """Return the Arrow schema of the scores table: texts, days, one whole number, doubles."""

    def kind(name: str) -> pa.DataType:
        if name in _STRINGS:
            return pa.string()
        if name in _DATES:
            return pa.date32()
        return pa.int32() if name == "horizon_days" else pa.float64()

    return pa.schema([(name, kind(name)) for name in score_columns(curve_days)])


def score_features(
    features: Path,
    model: Predictor,
    as_of: date,
    score: ScoreConfig,
    currency: str,
    out: Path,
    *,
    batch_rows: int = BATCH_ROWS,
    threads: int = 1,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Stream a Parquet file of features through the model into a Parquet file of scores.

    Parameters
    ----------
    features : Path
        Columns of ``build_features``, one row per contact, ordered by ``contact_id``.
    model : Predictor
    as_of : date
    score : ScoreConfig
    currency : str
        The brand's; the same in every row.
    out : Path
        Scores in the same order, columns of :func:`score_columns`.
    batch_rows : int
        Contacts in a batch.
    threads : int
        Batches scored at a time; one more is held in memory.
    tick : callable
        Told (contacts done, contacts in all) after each batch.

    Returns
    -------
    int
        Contacts scored.

    Raises
    ------
    RuntimeError
        When the model breaks its promise: another number or order of rows, or columns missing.
    """

    def scored() -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(features) as file:
            done, total = 0, file.metadata.num_rows
            batches = file.iter_batches(batch_size=batch_rows)
            for batch in score_batches(batches, model, as_of, score, currency, threads=threads):
                yield batch
                done += batch.num_rows
                tick(done, total)

    return write_batches(scored(), score_schema(score.curve_days), out)


def score_batches(
    features: Iterable[pa.RecordBatch],
    model: Predictor,
    as_of: date,
    score: ScoreConfig,
    currency: str,
    *,
    threads: int = 1,
) -> Iterator[pa.RecordBatch]:
    """Score batches of features; each row by itself, so it does not matter where they are cut, or on which machine they lie."""
    schema = score_schema(score.curve_days)

    def scored(batch: pa.RecordBatch) -> pa.RecordBatch:
        frame = batch.to_pandas()
        scores = model.predict(frame, as_of, score).assign(currency=currency)
        return _to_arrow(frame, scores, schema)

    return in_order(scored, features, threads)


def score_drivers(
    features: Iterable[pa.RecordBatch], model: Predictor, horizon_days: int, out: Path, *, threads: int = 1
) -> int:
    """Write what raises the risk of each contact into a Parquet file: see `winback_models.drivers`.

    Parameters
    ----------
    features : iterable of pyarrow.RecordBatch
        Columns of ``build_features``, one row per contact, ordered by ``contact_id``.
    model : Predictor
    horizon_days : int
    threads : int
        Batches explained at a time.
    out : Path
        ``contact_id`` and ``risk_from_<driver>``, in the same order.

    Returns
    -------
    int
        Contacts explained.
    """
    return write_batches(driver_batches(features, model, horizon_days, threads=threads), driver_schema(), out)


def driver_schema() -> pa.Schema:
    """Return the Arrow schema of the drivers table."""
    kinds = {"contact_id": pa.string()} | {driver.column: pa.float64() for driver in DRIVERS}
    return pa.schema(list(kinds.items()))


def driver_batches(
    features: Iterable[pa.RecordBatch], model: Predictor, horizon_days: int, *, threads: int = 1
) -> Iterator[pa.RecordBatch]:
    """Say of batches of features what raises the risk of each contact."""
    schema = driver_schema()

    def explained(batch: pa.RecordBatch) -> pa.RecordBatch:
        effects = driver_effects(model, batch.to_pandas(), horizon_days)
        return pa.RecordBatch.from_pandas(effects, schema=schema, preserve_index=False)

    return in_order(explained, features, threads)


def _to_arrow(features: pd.DataFrame, scores: pd.DataFrame, schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch of scores in the contract's columns, after checking that it belongs to the features."""
    missing = [name for name in schema.names if name not in scores.columns]
    if missing:
        msg = f"the model gave no {', '.join(missing)}"
        raise RuntimeError(msg)
    if scores["contact_id"].tolist() != features["contact_id"].tolist():
        raise RuntimeError("the model gave other contacts, or another order, than it was given")
    frame = scores[list(schema.names)].reset_index(drop=True)
    return pa.RecordBatch.from_pandas(frame, schema=schema, preserve_index=False)
