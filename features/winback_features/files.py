"""Files on disk: find them, fingerprint them, and make sure a CSV is text that can be read."""

from __future__ import annotations

import codecs
import csv
import hashlib
import tempfile
from collections.abc import Sequence
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

from winback_features.errors import ConfigError, InputError

CHUNK = 1 << 22
DELIMITERS = ",;\t|"
SUFFIXES = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "csv", ".txt": "csv"}

WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".ods")
WORKBOOK_STARTS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""The first bytes of the new and of the old ones, whatever the file is called."""

SAVE_SHEET = 'This is a workbook of a spreadsheet: save its sheet as "CSV UTF-8", and name that file.'

BACKSLASHES = (
    "Between double quotes a backslash begins a special character: use single quotes, or / in paths."
)


def find_files(location: str, base_dir: Path) -> tuple[Path, ...]:
    """Return the files a configured location names, sorted by path.

    Parameters
    ----------
    location : str
        A file, a folder (its Parquet files, else its CSV files) or a glob; relative to ``base_dir``.
    base_dir : pathlib.Path

    Raises
    ------
    InputError
        If nothing is there, or a file is empty.
    """
    path = base_dir / location
    if path.is_dir():
        files = sorted(path.glob("*.parquet")) or sorted(path.glob("*.csv"))
    elif path.exists():
        files = [path]
    elif any(c in location for c in "*?["):
        anchor = Path(path.anchor)
        files = sorted(f for f in anchor.glob(str(path.absolute().relative_to(anchor))) if f.is_file())
    else:
        files = []
    if not files:
        near = get_close_matches(path.name, _siblings(path), n=1)
        how = (
            f"Did you mean {near[0]}?"
            if near
            else "Set its path in [source]; it is relative to winback.toml."
        )
        if not location.isprintable():  # "C:\temp" holds a tab, and no t
            location, how = repr(location)[1:-1], BACKSLASHES
        raise InputError("There is no such file.", where=location, how=how)
    for file in files:
        if file.stat().st_size == 0:
            raise InputError(
                "The file is empty: 0 bytes.", where=_shown(location, file, files), how="Export it again."
            )
    return tuple(files)


def _siblings(path: Path) -> list[str]:
    return [f.name for f in path.parent.iterdir()] if path.parent.is_dir() else []


def _shown(location: str, file: Path, files: Sequence[Path]) -> str:
    return location if len(files) == 1 else f"{location} ({file.name})"


def file_format(location: str, files: Sequence[Path]) -> str:
    """Return ``parquet`` or ``csv``, by the files' suffix.

    Raises
    ------
    InputError
        If the suffix says neither, or the files differ.
    """
    formats = {SUFFIXES.get(f.suffix.lower(), "") for f in files}
    if len(formats) == 1 and "" not in formats:
        return formats.pop()
    how = "Name Parquet files *.parquet and (unpacked) CSV files *.csv, and do not mix them."
    if any(f.suffix.lower() in WORKBOOKS for f in files):
        how = SAVE_SHEET
    raise InputError("It is not known whether this is Parquet or CSV.", where=location, how=how)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint_files(files: Sequence[Path]) -> str:
    """Return the SHA-256 (hex) of the files' bytes; of the digests in order where there are several."""
    digests = [file_digest(file) for file in files]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def as_utf8(file: Path, label: str, encoding: str, work_dir: Path) -> Path:
    """Return a UTF-8 file with this file's text: itself when it is UTF-8, else a copy in ``work_dir``.

    Raises
    ------
    InputError
        If the bytes are not text in this encoding; the message names the line.
    ConfigError
        If Python does not know the encoding.
    """
    try:
        codec = codecs.lookup(encoding)
    except LookupError:
        what = f"There is no encoding called {encoding!r}."
        raise ConfigError(what, where="source.encoding", how='Write for example "cp1252".') from None
    if codec.name in ("utf-8", "ascii"):
        _check_utf8(file, label)
        return file
    # A folder for each: files of several folders may have one name.
    copy = Path(tempfile.mkdtemp(dir=work_dir)) / f"{file.name}.utf8.csv"
    try:
        with (
            file.open(encoding=encoding, newline="") as source,
            copy.open("w", encoding="utf-8", newline="") as out,
        ):
            while text := source.read(CHUNK):
                out.write(text)
    except UnicodeError as error:
        what = f"The file is not text in the encoding {encoding} ({error})."
        raise InputError(
            what, where=label, how="Set `encoding` in [source] to the one it was saved in."
        ) from None
    return copy


def _check_utf8(file: Path, label: str) -> None:
    """Decode line by line in large pieces, so that the message can name the line."""
    lines = 0
    how = 'Save it as "CSV UTF-8", or set `encoding` in [source], for example "cp1252".'
    with file.open("rb") as handle:
        start = handle.read(4)
        handle.seek(0)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            how = 'It begins as UTF-16 does: set encoding = "utf-16" in [source], or save it as "CSV UTF-8".'
        elif start in WORKBOOK_STARTS:
            how = SAVE_SHEET
        while piece := handle.read(CHUNK):
            piece += handle.readline()
            try:
                piece.decode("utf-8")
            except UnicodeDecodeError as error:
                line = lines + piece[: error.start].count(b"\n") + 1
                what = f"Line {line} is not UTF-8 text (byte 0x{piece[error.start]:02X})."
                raise InputError(what, where=label, how=how) from None
            lines += piece.count(b"\n")


def csv_header(file: Path, label: str) -> tuple[str, tuple[str, ...]]:
    """Return the delimiter and the column names of a UTF-8 CSV file.

    The delimiter is the one of comma, semicolon, tab and bar that splits the first line into most fields.

    Raises
    ------
    InputError
        If the header is missing, or names a column twice.
    """
    with file.open(encoding="utf-8-sig", newline="") as handle:
        head = "".join(islice(handle, 50))

    def fields(delimiter: str) -> list[str]:
        return next(csv.reader(head.splitlines(keepends=True), delimiter=delimiter), [])

    delimiter = max(DELIMITERS, key=lambda d: (len(fields(d)), -DELIMITERS.index(d)))
    names = [name.strip() for name in fields(delimiter)]
    if not any(names):
        raise InputError("The first line names no columns.", where=label, how="Put the column names there.")
    twice = sorted({n for n in names if n and names.count(n) > 1})
    if twice:
        what = f"The header names {', '.join(twice)} more than once."
        raise InputError(what, where=label, how="Give every column a name of its own.")
    return delimiter, tuple(name or f"column_{i}" for i, name in enumerate(names, 1))
