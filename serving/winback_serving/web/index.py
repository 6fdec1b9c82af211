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
PACKED = "packed"
"""Name of the database in memory that holds the keys."""
FILES_AT_ONCE = 5
"""So many files of rows are packed at a time: about two of DuckDB's own row groups, for its two threads."""


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
        files = _write_rows(folder, Path(scratch))
        _write_keys(files, connection)
        parts = [_mapped(file) for file in files]
        self._cells = [dict(zip(part.schema.names, part.columns, strict=True)) for part in parts]
        self._ends = list(accumulate(part.num_rows for part in parts))
        self._ids = pa.chunked_array([cells["contact_id"] for cells in self._cells], pa.string())
        # An erasure leaves new ids in old places, so the file's own order is not relied on.
        self._order = pc.sort_indices(self._ids).to_numpy().astype(np.int32)
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


def _write_rows(folder: Path, scratch: Path, *, whole: bool = False) -> list[Path]:
    """Write the wide rows, in the order of the run's list, into Arrow files of one batch each.

    ``whole`` has the scores in memory all at once, as is needed where their order is another.
    """
    with (
        pq.ParquetFile(folder / "winback.parquet") as winback,
        pq.ParquetFile(folder / "scores.parquet") as scores,
    ):
        names = [name for name in winback.schema_arrow.names if name not in PERSONAL]
        more = [name for name in scores.schema_arrow.names if name not in winback.schema_arrow.names]
        beside = _Beside(scores, more, in_order=not whole)
        files: list[Path] = []
        for batch in _batches_of(winback, names):
            columns = dict(zip(names, batch.columns, strict=True))
            columns |= beside.of(batch.column("contact_id"))
            small = {
                name: values if name == "contact_id" else _small(values) for name, values in columns.items()
            }
            place = scratch / f"{len(files)}.arrow"
            rows = pa.RecordBatch.from_pydict(small)
            with pa.ipc.new_file(str(place), rows.schema) as writer:
                writer.write_batch(rows)
            files.append(place)
        if whole or beside.found == scores.metadata.num_rows:
            return files
    return _write_rows(folder, scratch, whole=True)


def _mapped(file: Path) -> pa.RecordBatch:
    """Return the rows of a file as mapped memory, of which the system holds what is looked at."""
    return pa.ipc.open_file(pa.memory_map(str(file))).get_batch(0)


class _Beside:
    """Columns of a second file for the contacts of the first, which it has in the same order, though not all of them.

    Parameters
    ----------
    file : ParquetFile
        With ``contact_id``, each one once.
    names : list of str
    in_order : bool
        Whether to read on as contacts are asked for; else the file is read at once.

    Attributes
    ----------
    found : int
        Rows that were given out. When all contacts were asked for these are all there are, or the order is another.
    """

    def __init__(self, file: pq.ParquetFile, names: list[str], *, in_order: bool) -> None:
        self._names, self._in_order, self.found = names, in_order, 0
        self._at_once = ROWS_PER_GROUP if in_order else file.metadata.num_rows
        columns = ["contact_id", *names]
        self._batches = file.iter_batches(ROWS_PER_GROUP, columns=columns)
        self._ahead = pa.schema([file.schema_arrow.field(name) for name in columns]).empty_table()

    def of(self, ids: pa.Array) -> dict[str, pa.Array]:
        """Return the columns for the next contacts, at most a row group of them; null where the file lacks one."""
        parts, rows = [self._ahead], self._ahead.num_rows
        while rows < self._at_once and (batch := next(self._batches, None)) is not None:
            parts.append(pa.Table.from_batches([batch]))
            rows += batch.num_rows
        self._ahead = pa.concat_tables(parts).combine_chunks()
        places = pc.index_in(ids, value_set=self._ahead["contact_id"])
        taken = self._ahead.take(places)
        given = len(places) - places.null_count
        self.found += given
        if self._in_order:
            self._ahead = self._ahead.slice(given)
        return {name: taken[name].combine_chunks() for name in self._names}


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


def _write_keys(files: list[Path], connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table ``keys`` of the columns that decide lists; what a run lacks is empty.

    Words and whole numbers are packed, which takes a quarter of the memory and no time; numbers that would are left as they are.
    A few files are read at a time, and let go.
    """
    kinds = dict.fromkeys(NUMBERS, "DOUBLE") | dict.fromkeys(COUNTS, "INTEGER") | dict.fromkeys(DATES, "DATE")
    kinds |= dict.fromkeys(WORDS, "VARCHAR")
    there = [name for name in KEYS if name in _mapped(files[0]).schema.names]
    with connection.cursor() as cursor:
        # Every word put into these texts is one of our own.
        cursor.execute(f"ATTACH ':memory:' AS {PACKED} (COMPRESS)")
        for name in (name for name in there if name in WORDS and name != "contact_id"):
            said = {word for file in files for word in _mapped(file).column(name).dictionary.to_pylist()}
            if not said:  # nobody has a word: DuckDB makes an enumeration of nothing, but cannot sort by it
                continue
            cursor.register("words", pa.table({"word": pa.array(said, pa.string())}))
            kinds[name] = f'{PACKED}."words_{name}"'
            cursor.execute(f"CREATE TYPE {kinds[name]} AS ENUM (SELECT word FROM words ORDER BY word)")  # noqa: S608
        plain = dict.fromkeys((*NUMBERS, "contact_id"), "USING COMPRESSION uncompressed")
        columns = [f'"{name}" {kinds[name]} {plain.get(name, "")}' for name in KEYS]
        cursor.execute(f"CREATE TABLE {PACKED}.keys ({ROW} INTEGER, {', '.join(columns)})")
        cells = [f"CAST({name if name in there else 'NULL'} AS {kinds[name]})" for name in KEYS]
        number = 0
        for begin in range(0, len(files), FILES_AT_ONCE):
            rows = pa.Table.from_batches([_mapped(file) for file in files[begin : begin + FILES_AT_ONCE]])
            numbers = pa.array(np.arange(number, number + rows.num_rows, dtype=np.int32))
            number += rows.num_rows
            cursor.register("rows_to_key", rows.select(there).append_column(ROW, numbers))
            cursor.execute(f"INSERT INTO {PACKED}.keys SELECT {ROW}, {', '.join(cells)} FROM rows_to_key")  # noqa: S608
            cursor.execute(f"CHECKPOINT {PACKED}")
        cursor.unregister("rows_to_key")
        cursor.execute(f"CREATE VIEW keys AS FROM {PACKED}.keys")
