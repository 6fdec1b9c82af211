"""Is an input whole? It stands still while it is read, and it did not lose rows since the last run.

A download that broke off leaves a Parquet file without its end, which cannot be read; a CSV only looks smaller. Half a
table would be worse than none: whoever is missing from it would be forgotten, and enter once more when it is whole again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from winback_features.config import SourceConfig
from winback_features.errors import InputError, WinbackError
from winback_features.files import SUFFIXES, find_files
from winback_features.reports import IngestReport

Look = dict[str, dict[Path, tuple[int, int, int]]]


def input_files(source: SourceConfig, base_dir: Path) -> dict[str, tuple[Path, ...]]:
    """Return the files of each configured table, by the name it has in the settings; none of a database.

    Raises
    ------
    InputError
        If one is not there, or is empty.
    """
    if source.database:
        return {}
    places = (source.orders, source.events, source.contacts, source.campaign_log)
    named = (place for place in places if place)
    return {place: find_files(place, base_dir) for place in named}


@contextmanager
def standing_still(source: SourceConfig, base_dir: Path) -> Iterator[None]:
    """Refuse what was read meanwhile if a file was written to, replaced, added or removed.

    Raises
    ------
    InputError
        Naming the table. It stands in the place of the error that half a file may have given.
    """
    before = _look(source, base_dir)
    try:
        yield
    except WinbackError as error:
        _refuse_moving(before, _look(source, base_dir), error)
        raise
    _refuse_moving(before, _look(source, base_dir))


def _look(source: SourceConfig, base_dir: Path) -> Look:
    """Return size, time of change and number of each file."""
    looks: Look = {}
    for place, files in input_files(source, base_dir).items():
        stats = ((file, file.stat()) for file in files)
        looks[place] = {file: (stat.st_size, stat.st_mtime_ns, stat.st_ino) for file, stat in stats}
    return looks


def _refuse_moving(before: Look, after: Look, cause: Exception | None = None) -> None:
    for place, files in before.items():
        if after[place] != files:
            what = "It was written to while it was read; nothing was published."
            how = "Let the download write to another name, and rename it when it is whole. Then run again."
            raise InputError(what, where=place, how=how) from cause


def refuse_shrunken(
    report: IngestReport, last: Mapping[str, Any], files: Mapping[str, tuple[Path, ...]], most: float
) -> None:
    """Refuse a table that lost rows since the last run: a larger share than is set, or any if its last line breaks off.

    Parameters
    ----------
    report : IngestReport
        Of what was read now.
    last : mapping
        The ``run.json`` of the last run.
    files : mapping
        From :func:`input_files`.
    most : float
        ``source.max_shrink``.

    Raises
    ------
    InputError
    """
    for table in report.tables:
        rows = last["inputs"].get(table.name, {}).get("rows_in", 0)
        lost = rows - table.rows_in
        broken = any(_breaks_off(file) for file in files.get(table.source, ()))
        if lost > most * rows or (lost > 0 and broken):
            how_it_ends = " and its last line breaks off" if broken else ""
            what = f"It has {table.rows_in:,} rows{how_it_ends}; the run of {last['as_of']} read {rows:,}."
            how = (
                "If the download was cut off, bring the whole table. If it is right, say --accept-smaller once, "
                "or raise source.max_shrink."
            )
            raise InputError(what, where=table.source, how=how)


def _breaks_off(file: Path) -> bool:
    """Say whether a CSV file ends without a line break."""
    if SUFFIXES.get(file.suffix.lower()) != "csv":
        return False
    with file.open("rb") as handle:
        handle.seek(-min(2, file.stat().st_size), 2)
        end = handle.read().rstrip(b"\0")  # the second byte of UTF-16
    return end[-1:] not in (b"\n", b"\r")
