"""A whole list as CSV, streamed: filtered and ordered like the page beside it, in memory that does not grow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fastapi.responses import StreamingResponse

from winback_serving.exports.cells import csv_line, safe_cell
from winback_serving.web.columns import COLUMNS
from winback_serving.web.index import ROW
from winback_serving.web.lists import StrictListQuery, conditions, order_of
from winback_serving.web.reader import Run

ROWS_AT_A_TIME = 2000


def list_rows(
    run: Run, query: StrictListQuery, columns: Sequence[str] = COLUMNS
) -> Iterator[list[dict[str, Any]]]:
    """Yield every row of a list, in its order and in portions."""
    where, values = conditions(query)
    found = run.arrow(f"SELECT {ROW} FROM keys WHERE {where} ORDER BY {order_of(query)}", values)  # noqa: S608
    numbers = found.column(ROW)
    for start in range(0, len(numbers), ROWS_AT_A_TIME):
        yield run.index.rows(numbers.slice(start, ROWS_AT_A_TIME).to_pylist(), columns)


def csv_answer(
    name: str, columns: Sequence[str], portions: Iterator[list[dict[str, Any]]]
) -> StreamingResponse:
    """Return rows as a CSV download that a spreadsheet can open without running anything in it.

    Parameters
    ----------
    name : str
        Of the file, without its ending.
    columns : sequence of str
    portions : iterator of list of dict
    """

    def lines() -> Iterator[bytes]:
        yield csv_line(list(columns))
        for rows in portions:
            yield b"".join(csv_line([safe_cell(row[column], column) for column in columns]) for row in rows)

    headers = {"content-disposition": f'attachment; filename="{name}.csv"'}
    return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=headers)
