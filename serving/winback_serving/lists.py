"""Read the lists of a published run, ordered as one wants to see them, with an in-memory DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa

from winback_serving.store import PublishedRun

LISTS = {
    "winback": "rank NULLS LAST, contact_id",
    "entries": "rank NULLS LAST, contact_id",
    "exits": "contact_id",
    "scores": "contact_id",
}
"""The lists one may take out of a run, and the order of their rows."""

TOP_COLUMNS = (
    "rank",
    "contact_id",
    "state",
    "entered_at",
    "p_purchase",
    "p_lapse",
    "next_purchase_date",
    "next_purchase_low",
    "next_purchase_high",
    "days_since_purchase",
    "days_overdue",
    "value_at_risk",
    "currency",
    "rfm_segment",
    "reason_1",
    "reason_2",
    "reason_3",
    "recommended_action",
    "channel",
    "arm",
)


@contextmanager
def open_list(run: PublishedRun, name: str) -> Iterator[pa.RecordBatchReader]:
    """Stream one list of a run in its order.

    Parameters
    ----------
    run : PublishedRun
    name : str
        One of :data:`LISTS`.

    Yields
    ------
    pyarrow.RecordBatchReader
    """
    with duckdb.connect() as connection:
        table = connection.read_parquet(str(run.file(name)))
        yield pa.RecordBatchReader.from_stream(table.order(LISTS[name]))


def top_of_list(run: PublishedRun, rows: int = 15) -> list[dict[str, Any]]:
    """Return the first flagged contacts of a run, highest rank first.

    Parameters
    ----------
    run : PublishedRun
    rows : int
        At most so many.

    Returns
    -------
    list of dict
        The columns :data:`TOP_COLUMNS` as Python values.
    """
    with duckdb.connect() as connection:
        table = connection.read_parquet(str(run.file("winback")))
        top = table.filter("rank IS NOT NULL").order("rank").limit(rows).project(", ".join(TOP_COLUMNS))
        found: list[dict[str, Any]] = top.to_arrow_table().to_pylist()
        return found
