"""Write a list of a run to a file: Parquet, or CSV that is safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from winback_features.errors import ConfigError
from winback_serving.lists import open_list
from winback_serving.parquet import write_batches
from winback_serving.store import PublishedRun

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
_PHONE = re.compile(r"\+?[0-9][0-9 ().-]*")


def safe_cell(value: Any, column: str) -> str:
    """Return a value as the text of one CSV cell.

    A text that a spreadsheet would run as a formula gets an apostrophe in front; numbers stay numbers, and
    what is a telephone number in the column ``phone`` stays as it is.

    Parameters
    ----------
    value : object
        A Python value; None becomes an empty cell.
    column : str

    Examples
    --------
    >>> safe_cell("=1+1", "first_name")
    "'=1+1"
    >>> safe_cell("+31 612345678", "phone"), safe_cell(-3.5, "days_overdue"), safe_cell(True, "consent")
    ('+31 612345678', '-3.5', 'true')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, Decimal, date)):
        return str(value)
    text = str(value)
    if not text.startswith(_DANGEROUS) or (column == "phone" and _PHONE.fullmatch(text)):
        return text
    return f"'{text}"


def export_list(run: PublishedRun, name: str, to: str, out: Path) -> int:
    """Write one list of a run to a file; the file appears whole or not at all.

    Parameters
    ----------
    run : PublishedRun
    name : str
        One of ``winback_serving.lists.LISTS``.
    to : str
        One of :data:`FORMATS`.
    out : Path

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    ConfigError
        When the file cannot be written.
    """
    part = out.with_name(f".{out.name}.part")
    try:
        with open_list(run, name) as reader:
            rows = FORMATS[to](reader, part)
        part.replace(out)
    except OSError as error:
        part.unlink(missing_ok=True)
        msg = f"The file cannot be written: {error.strerror}."
        raise ConfigError(
            msg,
            where=str(out),
            how="Name a file in a folder of yours.",
        ) from None
    return rows


def format_of(out: Path) -> str:
    """Return the format that a file's ending asks for.

    Raises
    ------
    ConfigError
        When the ending is none we write.
    """
    ending = out.suffix.lstrip(".").lower()
    if ending not in FORMATS:
        msg = f"{out.name} does not end in a known format."
        raise ConfigError(msg, where="--out", how="End it in .csv or .parquet.")
    return ending


def _write_csv(reader: pa.RecordBatchReader, path: Path) -> int:
    """Write RFC 4180 in UTF-8: header, CRLF, quotes where needed."""
    rows = 0
    names = reader.schema.names
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for batch in reader:
            columns = [column.to_pylist() for column in batch.columns]
            for row in zip(*columns, strict=True):
                writer.writerow([safe_cell(v, n) for v, n in zip(row, names, strict=True)])
            rows += batch.num_rows
    return rows


def _write_parquet(reader: pa.RecordBatchReader, path: Path) -> int:
    return write_batches(reader, reader.schema, path)


FORMATS: dict[str, Callable[[pa.RecordBatchReader, Path], int]] = {
    "csv": _write_csv,
    "parquet": _write_parquet,
}
"""Format name to its writer."""
