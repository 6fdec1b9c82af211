"""Rows into files: one, or numbered ones where a limit or a number of batches asks for it; all of them or none."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from winback_features.errors import ConfigError
from winback_serving.exports.cells import csv_line, cut_bytes, safe_cell
from winback_serving.exports.formats import ExportFormat, Field
from winback_serving.parquet import write_batches


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """One file and its rows, the header not counted."""

    path: Path
    rows: int


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """Give an empty folder beside ``out`` to write in; it is removed at the end.

    Raises
    ------
    ConfigError
        When files cannot be written there.
    """
    folder = out.with_name(f".{out.name}.part")
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        yield folder
    except OSError as error:
        msg = f"The file cannot be written: {error.strerror}."
        raise ConfigError(msg, where=str(out), how="Name a file in a folder of yours.") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def deliver(parts: Sequence[WrittenFile], out: Path) -> list[WrittenFile]:
    """Move finished parts to ``out``, or to ``out-1``, ``out-2``, … where there are several."""
    numbered = [out.with_name(f"{out.stem}-{n}{out.suffix}") for n in range(1, len(parts) + 1)]
    targets = numbered if len(parts) > 1 else [out]
    for target in targets:
        if target.is_dir():
            raise IsADirectoryError(21, "Is a directory", str(target))
    for part, target in zip(parts, targets, strict=True):
        part.path.replace(target)
    return [WrittenFile(target, part.rows) for part, target in zip(parts, targets, strict=True)]


def text_cell(value: Any, field: Field, most: int | None = None) -> str:
    """Return one CSV cell: safe in a spreadsheet unless typed, and of at most so many bytes."""
    cell = str(value) if field.typed and value is not None else safe_cell(value, field.name)
    return cell if most is None else cut_bytes(cell, most)


class PartWriter:
    """Writes the rows of one format into parts of at most its limits.

    Parameters
    ----------
    form : ExportFormat
        Of layout ``csv`` or ``jsonl``.
    folder : Path
        Where the parts go.
    """

    def __init__(self, form: ExportFormat, folder: Path) -> None:
        self.form, self.folder = form, folder
        self.parts: list[WrittenFile] = []
        self._file: BinaryIO | None = None
        self._rows = self._bytes = 0
        self._objects: list[dict[str, Any]] = []
        names = [field.name for field in form.fields]
        self._header = csv_line(names) if form.layout == "csv" else b""

    def write(self, values: Sequence[Any]) -> None:
        """Write one row, in a new part where the present one is full."""
        if self._file is None or self._rows == self.form.max_rows:
            self.begin()
        if self.form.layout == "jsonl":
            pairs = zip(self.form.fields, values, strict=True)
            self._objects.append({f.name: v for f, v in pairs if v is not None})
            if len(self._objects) == self.form.per_line:
                self._flush()
        else:
            cells = [
                text_cell(value, field, self.form.max_text_bytes)
                for field, value in zip(self.form.fields, values, strict=True)
            ]
            self._put(csv_line(cells))
        self._rows += 1

    def begin(self) -> None:
        """Begin a part."""
        self.close()
        self._file = (self.folder / f"{len(self.parts)}").open("wb")
        self._bytes = self._file.write(self._header)

    def close(self) -> None:
        """Finish the present part."""
        if self._file is not None:
            self._flush()
            self._file.close()
            self.parts.append(WrittenFile(Path(self._file.name), self._rows))
        self._file, self._rows = None, 0

    def _flush(self) -> None:
        if self._objects:
            objects, self._objects = self._objects, []
            line = json.dumps({"attributes": objects}, ensure_ascii=False, default=str)
            self._put(line.encode() + b"\n")

    def _put(self, line: bytes) -> None:
        if self.form.max_bytes is not None and self._bytes + len(line) > self.form.max_bytes:
            self.begin()
        assert self._file is not None  # noqa: S101
        self._bytes += self._file.write(line)


def write_parts(
    rows: Iterable[Sequence[Any] | None], form: ExportFormat, folder: Path, starts: Sequence[int] = ()
) -> list[WrittenFile]:
    """Write rows into parts.

    Parameters
    ----------
    rows : iterable of sequence or None
        Values in the order of the format's fields; None where a row is left out, which still counts for ``starts``.
    form : ExportFormat
    folder : Path
    starts : sequence of int
        Row numbers, from 0, with which a new part begins whatever the limits.

    Returns
    -------
    list of WrittenFile
        At least one; it may hold the header alone.
    """
    writer = PartWriter(form, folder)
    writer.begin()
    begins = set(starts) - {0}
    for number, values in enumerate(rows):
        if number in begins:
            writer.begin()
        if values is not None:
            writer.write(values)
    writer.close()
    return writer.parts


def write_parquet_parts(
    reader: pa.RecordBatchReader, folder: Path, starts: Sequence[int] = ()
) -> list[WrittenFile]:
    """Write record batches into Parquet parts, a new one at each row number of ``starts``."""
    parts = []
    for number, cuts in itertools.groupby(_cut(reader, sorted({0, *starts})), key=lambda cut: cut[0]):
        path = folder / f"{number}"
        parts.append(WrittenFile(path, write_batches((batch for _, batch in cuts), reader.schema, path)))
    if not parts:
        parts.append(WrittenFile(folder / "0", write_batches([], reader.schema, folder / "0")))
    return parts


def _cut(batches: Iterable[pa.RecordBatch], starts: Sequence[int]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Cut batches at row numbers; each piece comes with the number of its part."""
    ends = [*starts[1:], None]
    part = begun = 0
    for batch in batches:
        offset = 0
        while offset < batch.num_rows:
            end = ends[part]
            length = batch.num_rows - offset if end is None else min(end - begun, batch.num_rows - offset)
            if length:
                yield part, batch.slice(offset, length)
            offset, begun = offset + length, begun + length
            part += end is not None and begun >= end
