"""Take persons out of everything that is kept, and leave the past aggregates as they are.

In every run that was ever published, a person's row loses its id and all its words: what stays are numbers that belong to
nobody, so that every total of a past report still adds up. The person's state is dropped, and hashed keys keep it from coming
back with the next import. What was done is written down, with the digest of each file before and after.
"""

from __future__ import annotations

import json
import secrets
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from winback_features.errors import InputError
from winback_features.files import file_digest
from winback_serving.parquet import ROWS_PER_GROUP, count_rows, write_batches
from winback_serving.store import RUN_FILE, RunStore, fsync, write_atomically
from winback_serving.suppression import key_of, suppress

FOLDER = "erasures"
MOMENT = "%Y%m%dT%H%M%S%f"
NOBODY = "erased-"
DROPPED = ("states", "timeline")
"""Tables that tell of one person and are no report: there the row goes."""


@dataclass(frozen=True)
class ErasedFile:
    """One file of a run that held the persons.

    Attributes
    ----------
    path : str
        Below the home folder.
    rows : int
        Rows that were made nobody's, or dropped from a table of states.
    before, after : str
        SHA-256 of the file.
    """

    path: str
    rows: int
    before: str
    after: str


@dataclass(frozen=True)
class Erasure:
    """The proof of an erasure; it names nobody.

    Attributes
    ----------
    erased_at : str
        Time of day in UTC, ISO 8601.
    keys : tuple of str
        SHA-256 of each id, and of each e-mail address that was found.
    files : tuple of ErasedFile
    aggregates_untouched : bool
        Every ``run.json`` is the same as before, byte by byte, and every table of a report has as many rows.
    """

    erased_at: str
    keys: tuple[str, ...]
    files: tuple[ErasedFile, ...]
    aggregates_untouched: bool

    @property
    def rows(self) -> int:
        """Rows that were changed or dropped."""
        return sum(file.rows for file in self.files)


def erase(home: Path, contact_ids: Collection[str]) -> tuple[Erasure, Path]:
    """Erase persons from all that is published in a home folder, and keep them from being imported again.

    Interrupted, it can be run again: files are replaced one by one, and a file without the persons is left alone. Each is written
    down before it is replaced; of an erasure that was interrupted these lines stay, in the place of a proof.

    Parameters
    ----------
    home : Path
    contact_ids : collection of str

    Returns
    -------
    Erasure
    Path
        Where its proof was written.

    Raises
    ------
    InputError
        When no id is given.
    """
    ids = sorted({*contact_ids})
    if not ids:
        raise InputError("There is nobody to erase.", where="CONTACT_ID", how="Name at least one contact.")
    store = RunStore(home)
    with store.lock("erase"):
        runs = sorted(path.parent for path in store.root.glob(f"*/*/{RUN_FILE}"))
        tables = [path for run in runs for path in sorted(run.glob("*.parquet"))]
        emails = {mail for path in tables for mail in _emails(path, ids)}
        suppress(home, keys := sorted({key_of(text) for text in (*ids, *emails)}))
        records = {run: file_digest(run / RUN_FILE) for run in runs}
        counted = {path: count_rows(path) for path in tables}
        words = {*ids, *emails}
        (home / FOLDER).mkdir(exist_ok=True)
        lines = home / FOLDER / f"{datetime.now(UTC):{MOMENT}}.jsonl"
        files = tuple(
            found
            for path in tables
            if (found := _rewrite(path, words, home, lambda file: _write_down(file, lines)))
        )
        same = all(file_digest(run / RUN_FILE) == digest for run, digest in records.items())
        same &= all(count_rows(path) == n for path, n in counted.items() if path.stem not in DROPPED)
        now = datetime.now(UTC)
        proof = Erasure(now.isoformat(timespec="seconds"), tuple(keys), files, same)
        path = home / FOLDER / f"{now:{MOMENT}}.json"
        write_atomically(path, json.dumps(asdict(proof), indent=2) + "\n")
        lines.unlink(missing_ok=True)
    return proof, path


def replaced_files(home: Path) -> dict[str, list[tuple[str, str]]]:
    """Return the digests before and after of every file that an erasure has replaced, by its path below the home folder."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for ending in ("jsonl", "json"):  # lines that are gone when they are read have become a proof
        for path in (home / FOLDER).glob(f"*.{ending}"):
            for file in _replaced_by(path):
                found[file["path"]].append((file["before"], file["after"]))
    return found


def _replaced_by(path: Path) -> list[dict[str, Any]]:
    """Return the files of a proof, or of the lines in its place; the last line may have broken off."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    files: list[dict[str, Any]]
    if path.suffix == ".json":
        files = json.loads(text)["files"]
    else:
        files = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
    return files


def _write_down(file: ErasedFile, lines: Path) -> None:
    """Add a line for a file that is about to be replaced."""
    with lines.open("a", encoding="utf-8") as handle:
        handle.write(json.dumps(asdict(file)) + "\n")
    fsync(lines)
    fsync(lines.parent)


def _emails(path: Path, ids: Collection[str]) -> set[str]:
    """Return the normalised addresses that a table holds of the persons."""
    if not {"contact_id", "email"} <= {*pq.read_schema(path).names}:
        return set()
    theirs = pc.is_in(pc.field("contact_id"), pa.array(ids, pa.string()))
    found = pq.read_table(path, columns=["email"], filters=theirs)["email"].to_pylist()
    return {mail.strip().lower() for mail in found if mail and mail.strip()}


def _rewrite(
    path: Path, words: Collection[str], home: Path, note: Callable[[ErasedFile], None] = lambda file: None
) -> ErasedFile | None:
    """Replace a file by one in which the persons are nobody, and note it before; None where they do not occur."""
    file = pq.ParquetFile(path)
    schema, before, touched = file.schema_arrow, file_digest(path), 0
    wanted = pa.array(sorted(words), pa.string())
    groups = file.metadata.num_row_groups
    of_group = max((file.metadata.row_group(number).num_rows for number in range(groups)), default=1)

    def rows() -> Iterator[pa.RecordBatch]:
        nonlocal touched
        for batch in file.iter_batches(ROWS_PER_GROUP):
            theirs = _theirs(batch, wanted)
            n = int(pc.sum(theirs).as_py() or 0)
            touched += n
            if n and path.stem in DROPPED:
                yield batch.filter(pc.invert(theirs))
            else:
                yield _nobodys(batch, theirs) if n else batch

    part = path.with_name(f".{path.name}.part")
    try:
        write_batches(rows(), schema, part, of_group)
        if not touched:
            return None
        fsync(part)
        found = ErasedFile(path.relative_to(home).as_posix(), touched, before, file_digest(part))
        note(found)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return found


def _theirs(batch: pa.RecordBatch, words: pa.Array) -> pa.Array:
    """Say which rows belong to the persons: by id, or, where a table has none, by any cell that names one of them."""
    names = ["contact_id"] if "contact_id" in batch.schema.names else _texts(batch)
    theirs = pa.array([False] * batch.num_rows)
    for name in names:
        theirs = pc.or_(theirs, pc.is_in(pc.cast(batch.column(name), pa.string()), words))
    return theirs


def _texts(batch: pa.RecordBatch) -> list[str]:
    return [field.name for field in batch.schema if _is_text(field.type)]


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


PERSONAL = frozenset(
    {"email", "phone", "first_name", "last_name", "language", "country", "timezone", "send_timezone"}
    | {"last_category", "key", "value", "last_product", "top_interest", "stated_reason", "acquisition_source"}
    | {f"reason_{n}" for n in (1, 2, 3)}
)  # fmt: skip
"""Columns of text that tell of a person; the others hold words of our own, which reports count."""


def _nobodys(batch: pa.RecordBatch, theirs: pa.Array) -> pa.RecordBatch:
    """Return the batch with other ids in those rows, new ones in every file, and none of the person's words."""
    columns = []
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if field.name == "contact_id":
            tokens = pa.array([NOBODY + secrets.token_hex(8) for _ in range(batch.num_rows)], field.type)
            column = pc.if_else(theirs, tokens, column)
        elif field.name in PERSONAL and _is_text(field.type):
            column = pc.if_else(theirs, pa.scalar(None, field.type), column)
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)
