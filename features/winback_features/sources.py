"""Find the tables of the shop and hand them over as they are, with their rows numbered."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import ibis
from ibis.util import gen_name

from winback_features.answers import count, name_of
from winback_features.config import SourceConfig
from winback_features.databases import CATALOG, fingerprint_rows, load_tables
from winback_features.errors import ConfigError, InputError
from winback_features.files import as_utf8, csv_header, file_format, find_files, fingerprint_files

ROW = "winback_row_number"
"""Name of the row-number column added to every source table."""

Catalog = Callable[[str, str], tuple[Path, ...]]
"""Copies a table of Spark's catalog, by its name and ``source.database``, to Parquet files in the order of their content."""


@dataclass(frozen=True)
class RawTable:
    """A table of the shop before anything was checked.

    Attributes
    ----------
    name : str
        ``orders``, ``events``, ``contacts`` or ``campaign_log``.
    label : str
        How messages name it: the file or table as configured.
    table : ibis.Table
        Their columns, and :data:`ROW`: the 1-based position in the file, or in the order of its content for a
        table of a database, which has no order of its own.
    fingerprint : str
        SHA-256 of the bytes of its files, or of its rows.
    rejected : ibis.Table or None
        Lines of a CSV that are no rows: ``row_number, value, message``.
    scratch : tuple of str
        Tables of the engine that may be dropped once the source was read.
    files : tuple of pathlib.Path
        The Parquet files it is read from, in their order; empty for any other source.
    """

    name: str
    label: str
    table: ibis.Table
    fingerprint: str
    rejected: ibis.Table | None = None
    scratch: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Their column names."""
        return tuple(c for c in self.table.columns if c != ROW)


def open_sources(
    backend: Any,
    names: Sequence[str],
    source: SourceConfig,
    base_dir: Path,
    work_dir: Path,
    catalog: Catalog | None = None,
) -> Iterator[RawTable]:
    """Open input tables: those of a database together, as of one moment; files one after the other, as they are asked for.

    Parameters
    ----------
    backend : ibis backend
        The engine.
    names : sequence of {"orders", "events", "contacts", "campaign_log"}
        Those that ``source`` has.
    source : SourceConfig
    base_dir : pathlib.Path
        Folder to which relative paths are relative.
    work_dir : pathlib.Path
        Folder for a re-encoded copy of a CSV; needed until the table was read.
    catalog : callable, optional
        What copies a table of Spark's catalog; the engine ``spark`` has it.

    Yields
    ------
    RawTable
        In the order of ``names``.

    Raises
    ------
    InputError
        If there is no such file or table, or it cannot be read.
    ConfigError
        If the database cannot be used.
    """
    locations: list[str] = [getattr(source, name) for name in names]
    if source.database and source.database.startswith(CATALOG):
        for name, location in zip(names, locations, strict=True):
            yield _open_catalog(backend, name, location, source.database, catalog)
        return
    if source.database:
        copies = load_tables(backend, locations, source.database, base_dir)
        for name, location, (table, fingerprint) in zip(names, locations, copies, strict=True):
            yield RawTable(name, location, _by_content(table), fingerprint, scratch=(name_of(table),))
        return
    for name, location in zip(names, locations, strict=True):
        yield _open_files(backend, name, location, source.encoding, base_dir, work_dir)


def _open_files(
    backend: Any, name: str, location: str, encoding: str, base_dir: Path, work_dir: Path
) -> RawTable:
    files = find_files(location, base_dir)
    fingerprint = fingerprint_files(files)
    if file_format(location, files) == "parquet":
        table = _read_parquet(backend, location, files)
        return RawTable(name, location, table, fingerprint, files=files)
    table, rejected, scratch = _read_csv(backend, location, files, encoding, work_dir)
    return RawTable(name, location, table, fingerprint, rejected, scratch)


def _open_catalog(backend: Any, name: str, location: str, database: str, catalog: Catalog | None) -> RawTable:
    if catalog is None:
        what = "The tables of Spark's catalog are read by the engine spark."
        raise ConfigError(what, where="source.database", how='Set engine.name to "spark".')
    files = catalog(location, database)
    table = _read_parquet(backend, location, files)
    return RawTable(name, location, table, fingerprint_rows(table.drop(ROW)), files=files)


def _by_content(table: ibis.Table) -> ibis.Table:
    """Give row numbers to a table that has no order of its own."""
    return table.mutate((ibis.row_number().over(ibis.window(order_by=table.columns)) + 1).name(ROW))


def _read_parquet(backend: Any, label: str, files: tuple[Path, ...]) -> ibis.Table:
    """Open Parquet files; numbering the rows of a single one costs nothing, and is done by all threads."""
    paths = [str(f) for f in files]
    try:
        if len(files) == 1:
            table = backend.read_parquet(paths, file_row_number=True)
            return table.mutate((table.file_row_number + 1).name(ROW)).drop("file_row_number")
        table = backend.read_parquet(paths, union_by_name=True)
        return table.mutate((ibis.row_number() + 1).name(ROW))
    except duckdb.Error as error:
        raise unreadable_file(label, error) from error


def unreadable_file(label: str, error: Exception) -> InputError:
    """Return the refusal of a file the engine cannot read to its end."""
    message = re.sub(r"'[^']*[/\\]([^'/\\]+)'", r"'\1'", str(error).splitlines()[0]).strip().rstrip(".:")
    how = "It is damaged or was cut off on the way: export or copy it again."
    return InputError(f"The file cannot be read ({message}).", where=label, how=how)


def _read_csv(
    backend: Any, label: str, files: tuple[Path, ...], encoding: str, work_dir: Path
) -> tuple[ibis.Table, ibis.Table, tuple[str, ...]]:
    """Read every field as text; lines with too few or too many fields are set apart."""
    texts = [as_utf8(file, label, encoding, work_dir) for file in files]
    headers = {csv_header(text, label) for text in texts}
    if len(headers) > 1:
        raise InputError("The files have different columns.", where=label, how="Give them the same header.")
    delimiter, names = headers.pop()
    places = {f"c{i}": "VARCHAR" for i in range(len(names))}
    errors, scans = gen_name("winback_csv_errors"), gen_name("winback_csv_scans")
    view = backend.read_csv(
        [str(t) for t in texts],
        columns=places,
        header=True,
        delim=delimiter,
        quote='"',
        escape='"',
        store_rejects=True,
        rejects_table=errors,
        rejects_scan=scans,
    )
    try:
        table = backend.create_table(gen_name("winback_csv"), view, temp=True)
    except duckdb.Error as error:
        raise unreadable_file(label, error) from error
    scratch: tuple[str, ...] = (name_of(table),)
    table = table.mutate((table.rowid() + 1).name(ROW))
    found = backend.table(errors)
    # One line may break several rules; the header is line 1, so row r stands on line r + 1.
    rejected = found.group_by("file_id", "line").aggregate(
        value=found.csv_line.min().strip(), message=found.error_message.min()
    )
    rejected = backend.create_table(
        gen_name("winback_csv_rejected"),
        rejected.select(row_number=rejected.line.cast("int64") - 1, value="value", message="message"),
        temp=True,
    )
    if len(files) == 1 and count(rejected):
        table = backend.create_table(gen_name("winback_csv"), _make_room(table, rejected), temp=True)
        scratch = (*scratch, name_of(table))
    return table.rename(dict(zip(names, places, strict=True))), rejected, scratch


def _make_room(table: ibis.Table, rejected: ibis.Table) -> ibis.Table:
    """Shift row numbers so that they count the rejected lines as well."""
    rank = ibis.row_number().over(order_by=rejected.row_number) + 1
    gaps = rejected.mutate(shift=rank)
    # This many accepted rows stand before the gap.
    gaps = gaps.select(accepted=gaps.row_number - gaps.shift, shift=gaps.shift)
    gaps = gaps.group_by("accepted").aggregate(shift=gaps.shift.max())
    joined = table.asof_join(gaps, table[ROW] > gaps.accepted)
    return joined.mutate(**{ROW: joined[ROW] + joined["shift"].fill_null(0)}).drop("accepted", "shift")
