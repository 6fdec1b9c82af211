"""What makes a run of a million contacts quick to ask: the rows to fetch by number, and the few columns that lists are made by.

Built once for each run, beside it and never in it:

- *rows*: ``winback`` with the columns that only ``scores`` has, uncompressed in files of the system's temporary folder, mapped
  into memory, so that a contact is found by a binary search and read without decoding anything else;
- *keys*: the columns that filters and orders use, as a narrow table of the run's own DuckDB. A list is decided there and its few
  rows are fetched from *rows*.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from winback_serving.parquet import ROWS_PER_GROUP
from winback_serving.web.columns import COUNTS, DATES, KEYS, NUMBERS, PERSONAL, WORDS

ROW = "row_number"


class RunIndex:
    """The rows and keys of one run.

    Parameters
    ----------
    folder : Path
        Of the run.
    connection : duckdb.DuckDBPyConnection
        Gets the table ``keys``: `winback_serving.web.columns.KEYS` and ``row_number``.
    """

    def __init__(self, folder: Path, connection: duckdb.DuckDBPyConnection) -> None:
        scratch = tempfile.mkdtemp(prefix="winback-web-")
        weakref.finalize(self, shutil.rmtree, scratch, ignore_errors=True)
        parts = _write_rows(folder, Path(scratch))
        self._cells = [dict(zip(part.schema.names, part.columns, strict=True)) for part in parts]
        self._ends = list(accumulate(part.num_rows for part in parts))
        self._ids = pa.chunked_array([cells["contact_id"] for cells in self._cells], pa.string())
        # An erasure leaves new ids in old places, so the file's own order is not relied on.
        self._order = pc.sort_indices(self._ids).to_numpy().astype(np.int32)
        _write_keys(pa.Table.from_batches(parts), connection)
        pa.default_memory_pool().release_unused()

    def __len__(self) -> int:
        """Contacts in the run."""
        return len(self._order)

    def contact(self, contact_id: str) -> dict[str, Any] | None:
        """Return the row of a contact, or None where there is none."""
        ids, order = self._ids, self._order
        place = bisect_left(range(len(order)), contact_id, key=lambda k: str(ids[int(order[k])]))
        if place == len(order) or str(ids[int(order[place])]) != contact_id:
            return None
        return self.rows([int(order[place])])[0]

    def rows(self, numbers: Sequence[int], columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Return rows by their number, in the order of the numbers.

        Parameters
        ----------
        numbers : sequence of int
            ``row_number`` of ``keys``.
        columns : sequence of str, optional
            All when absent; one that the run lacks is empty.
        """
        found = []
        for number in numbers:
            part = bisect_right(self._ends, number)
            place = number - (self._ends[part - 1] if part else 0)
            cells = self._cells[part]
            names = cells if columns is None else columns
            found.append({name: cells[name][place].as_py() if name in cells else None for name in names})
        return found


def _write_rows(folder: Path, scratch: Path) -> list[pa.RecordBatch]:
    """Write the wide rows, in the order of the run's list, into Arrow files of one batch each, and map them."""
    with (
        pq.ParquetFile(folder / "winback.parquet") as winback,
        pq.ParquetFile(folder / "scores.parquet") as scores,
    ):
        names = [name for name in winback.schema_arrow.names if name not in PERSONAL]
        more = [name for name in scores.schema_arrow.names if name not in winback.schema_arrow.names]
        extra = scores.read(columns=["contact_id", *more]).combine_chunks()
        parts: list[pa.RecordBatch] = []
        at = 0
        for batch in _batches_of(winback, names):
            beside = extra.slice(at, batch.num_rows)
            at += batch.num_rows
            ids = batch.column("contact_id")
            if not beside.column("contact_id").combine_chunks().equals(ids):
                beside = extra.take(pc.index_in(ids, value_set=extra.column("contact_id")))
            columns = dict(zip(names, batch.columns, strict=True))
            columns |= {name: beside.column(name).combine_chunks() for name in more}
            small = {
                name: values if name == "contact_id" else _small(values) for name, values in columns.items()
            }
            place = scratch / f"{len(parts)}.arrow"
            rows = pa.RecordBatch.from_pydict(small)
            with pa.ipc.new_file(str(place), rows.schema) as writer:
                writer.write_batch(rows)
            parts.append(pa.ipc.open_file(pa.memory_map(str(place))).get_batch(0))
    return parts


def _batches_of(file: pq.ParquetFile, names: list[str]) -> Iterator[pa.RecordBatch]:
    """Yield the file's batches; one without rows where it has none, so that there is a schema."""
    empty = True
    for batch in file.iter_batches(ROWS_PER_GROUP, columns=names):
        empty = False
        yield batch.select(names)
    if empty:
        yield pa.RecordBatch.from_pylist([], schema=file.schema_arrow).select(names)


def _small(values: pa.Array) -> pa.Array:
    """Return the same values in less room, and null for a number that is not finite: JSON has no word for it."""
    if pa.types.is_floating(values.type):
        return pc.if_else(pc.is_finite(values), values, pa.scalar(None, values.type))
    if pa.types.is_string(values.type):
        # A batch has at most 50,000 words, so that two bytes can number them.
        words = values.dictionary_encode()
        return pa.DictionaryArray.from_arrays(words.indices.cast(pa.uint16()), words.dictionary)
    return values


def _write_keys(rows: pa.Table, connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table ``keys`` of the columns that decide lists; what a run lacks is empty."""
    kinds = dict.fromkeys(NUMBERS, "DOUBLE") | dict.fromkeys(COUNTS, "INTEGER") | dict.fromkeys(DATES, "DATE")
    kinds |= dict.fromkeys(WORDS, "VARCHAR")
    there = [name for name in KEYS if name in rows.column_names]
    numbered = rows.select(there).append_column(ROW, pa.array(np.arange(rows.num_rows, dtype=np.int32)))
    with connection.cursor() as cursor:
        cursor.register("rows_to_key", numbered)
        cells = []
        for name in KEYS:
            if name not in there:
                cells.append(f"CAST(NULL AS {kinds[name]}) AS {name}")
                continue
            if name in WORDS and name != "contact_id":
                kind = f"words_{name}"
                words = f"SELECT DISTINCT {name} FROM rows_to_key WHERE {name} IS NOT NULL ORDER BY {name}"  # noqa: S608
                cursor.execute(f"CREATE TYPE {kind} AS ENUM ({words})")
            else:
                kind = kinds[name]
            cells.append(f"CAST({name} AS {kind}) AS {name}")
        cursor.execute(f"CREATE TABLE keys AS SELECT {ROW}, {', '.join(cells)} FROM rows_to_key")  # noqa: S608
        cursor.unregister("rows_to_key")
