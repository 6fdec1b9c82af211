"""Write a list of a run to files that a tool can read: whole or not at all, nobody dropped in silence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from ibis.util import gen_name

from winback_features.config import EngineConfig
from winback_features.engine import open_engine
from winback_features.errors import ConfigError
from winback_serving.exports.bounce import MAX_EXPOSURE, BounceExposure, project
from winback_serving.exports.files import WrittenFile, deliver, staged, write_parquet_parts, write_parts
from winback_serving.exports.formats import FORMATS, ExportFormat, column
from winback_serving.exports.rows import (
    RAW_MARKS,
    changed_rows,
    list_rows,
    marked,
    shown,
    with_fallen,
)
from winback_serving.intact import checked_file
from winback_serving.lists import LISTS, list_order, read_flags
from winback_serving.store import PublishedRun

NAMED = 20
"""So many of the contacts that are left out are named; all are counted."""

BATCH_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to write.

    Attributes
    ----------
    name : str
        One of ``winback_serving.lists.LISTS``.
    to : str
        One of ``winback_serving.exports.formats.FORMATS``.
    out : Path
        The file.
    before : PublishedRun, optional
        An earlier run.
    delta : bool
        Only what changed since ``before``; everything where there is none.
    batches : int
        So many files, best first.
    batch : int, optional
        Only this one of them, from 1.
    max_bounce_exposure : float
        Share of e-mails likely to bounce above which a list is refused.
    force : bool
        Write it nevertheless.

    Raises
    ------
    ConfigError
        If ``batches`` is below 1, there is no such ``batch``, the exposure is no share, or the list does not come in that
        format or in single batches.
    """

    name: str
    to: str
    out: Path
    before: PublishedRun | None = None
    delta: bool = False
    batches: int = 1
    max_bounce_exposure: float = MAX_EXPOSURE
    force: bool = False
    batch: int | None = None

    def __post_init__(self) -> None:
        if self.batches < 1:
            what = f"It is {self.batches}."
            raise ConfigError(what, where="--batches", how="Ask for one file or more.")
        if not 0 <= self.max_bounce_exposure <= 1:
            what = f"It is {self.max_bounce_exposure}, which is no share."
            raise ConfigError(what, where="--max-bounce-exposure", how="Give a number from 0 to 1.")
        if self.batch is not None:
            if not 1 <= self.batch <= self.batches:
                what = f"It is {self.batch}, of {self.batches}."
                raise ConfigError(
                    what, where="--batch", how="Say with --batches how many there are, and which one."
                )
            if self.delta or self.form.audience or not LISTS[self.name].writes:
                what = "Only a whole list that is e-mailed goes out batch by batch."
                raise ConfigError(what, where="--batch", how="Leave out --batch, or --delta.")
        if self.name == "scores" and (self.delta or not self.form.raw):
            what = "The scores are no list of contacts for a tool."
            raise ConfigError(what, where="--list scores", how="Take them whole, --to csv or --to parquet.")

    @property
    def form(self) -> ExportFormat:
        """The description of the format."""
        return FORMATS[self.to]


@dataclass(slots=True)
class LeftOut:
    """How many contacts are not in the files, and the first of them."""

    count: int = 0
    contacts: list[str] = field(default_factory=list)

    def add(self, contact_id: str) -> None:
        """Count a contact."""
        self.count += 1
        if len(self.contacts) < NAMED:
            self.contacts.append(contact_id)


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and what was not.

    Attributes
    ----------
    files : list of WrittenFile
        Those to add or update, and for an audience those to remove.
    removals : list of WrittenFile
        The files of an audience that hold whom to take out.
    left_out : dict of str to LeftOut
        Contacts without a row, by reason: ``no_key``, ``duplicate_email``, ``refused_address``, and why they fell out of the list
        since its run.
    blanked : dict of str to LeftOut
        Contacts with an empty cell where a value cannot be used, by column.
    exposure : BounceExposure or None
        None where nobody is e-mailed from this list.
    mailed : int or None
        Contacts of a single batch that are e-mailed; None where it is none.
    """

    files: list[WrittenFile]
    removals: list[WrittenFile]
    left_out: dict[str, LeftOut]
    blanked: dict[str, LeftOut]
    exposure: BounceExposure | None
    mailed: int | None = None

    @property
    def rows(self) -> int:
        """Rows in all files."""
        return sum(file.rows for file in (*self.files, *self.removals))


def write_export(run: PublishedRun, request: ExportRequest, fallen: pa.Table | None = None) -> Exported:
    """Write one list of a run; the files appear whole or not at all.

    Parameters
    ----------
    run : PublishedRun
    request : ExportRequest
    fallen : pyarrow.Table, optional
        ``contact_id`` and ``fell_out``: who is left out, though on the list, and why.

    Returns
    -------
    Exported

    Raises
    ------
    GateRefusal
        When too many of its e-mails are likely to bounce.
    ConfigError
        When the files cannot be written.
    InputError
        When a file of the run is not the one that was published.
    """
    form, spec = request.form, LISTS[request.name]
    with open_engine(EngineConfig()) as backend, staged(request.out) as folder:
        if form.raw and spec.file != "winback":
            table = backend.read_parquet(checked_file(run, spec.file))
            return _finish(request, _write(table, table.columns, request, folder))
        tonight, earlier = _prepared(read_flags(backend, run), run, request), None
        if request.before is not None:
            earlier = _prepared(read_flags(backend, request.before), request.before, request)
        compares = request.delta and earlier is not None and not spec.daily
        choose = changed_rows if compares else list_rows
        rows = choose(tonight, earlier, request.name, form)
        if fallen is not None:
            rows = with_fallen(rows, backend.create_table(gen_name("fallen"), fallen, temp=True))
        rows = backend.create_table(gen_name("rows"), rows, temp=True)
        rows = _batch_of(rows, request)
        exposure = _exposure(rows, backend.read_parquet(run.file("winback")), request)
        report = _Report()
        if request.batch is not None:
            report.mailed = rows.filter(_mailed(rows)).count().to_pyarrow().as_py()
        if form.raw:
            names = backend.read_parquet(run.file("winback")).columns
            names = (*names, *RAW_MARKS) if compares else names
            for contact_id, reason in _left_out(rows):
                report.leave_out(contact_id, reason)
            rows = rows.filter(rows.left_out.isnull())
            return _finish(request, _write(rows, names, request, folder), (), report, exposure)
        if not form.audience or spec.removes:
            return _finish(request, _write_fields(rows, request, folder, report), (), report, exposure)
        added = _write_fields(rows.filter(rows.on_list), request, folder, report)
        removed: Sequence[WrittenFile] = ()
        if compares or request.name == "retargeting_add":
            taken_out = folder / "remove"
            taken_out.mkdir()
            whole = replace(request, batches=1)
            removed = _write_fields(rows.filter(~rows.on_list), whole, taken_out, report)
        return _finish(request, added, removed, report, exposure)


def mailed_contacts(run: PublishedRun, request: ExportRequest, batches: Sequence[int]) -> list[pa.Table]:
    """Return whom each of some batches of a list e-mails, had nobody fallen out since the run.

    Parameters
    ----------
    run : PublishedRun
    request : ExportRequest
        Of a whole list.
    batches : sequence of int
        From 1.

    Returns
    -------
    list of pyarrow.Table
        ``contact_id``, in the order of ``batches``.
    """
    with open_engine(EngineConfig()) as backend:
        tonight = _prepared(read_flags(backend, run), run, request)
        rows = list_rows(tonight, None, request.name, request.form)
        rows = backend.create_table(gen_name("rows"), rows, temp=True)
        parts = [_batch_of(rows, replace(request, batch=number)) for number in batches]
        return [part.filter(_mailed(part)).select("contact_id").to_pyarrow() for part in parts]


def export_list(run: PublishedRun, name: str, to: str, out: Path) -> int:
    """Write one list of a run whole, whatever it would bounce, and return its rows."""
    return write_export(run, ExportRequest(name, to, out, force=True)).rows


def format_of(out: Path) -> str:
    """Return the plain format that a file's ending asks for.

    Raises
    ------
    ConfigError
        When the ending is none of theirs.
    """
    ending = out.suffix.lstrip(".").lower()
    if ending not in FORMATS or not FORMATS[ending].raw:
        msg = f"{out.name} does not end in a known format."
        raise ConfigError(msg, where="--out", how="End it in .csv or .parquet.")
    return ending


@dataclass(slots=True)
class _Report:
    """Who is left out, and whose values cannot be used."""

    left_out: dict[str, LeftOut] = field(default_factory=dict)
    blanked: dict[str, LeftOut] = field(default_factory=dict)
    mailed: int | None = None

    def leave_out(self, contact_id: str, reason: str) -> None:
        """Note that a contact has no row."""
        self.left_out.setdefault(reason, LeftOut()).add(contact_id)


def _mailed(rows: Any) -> Any:
    return rows.left_out.isnull() & rows.email_allowed


def _left_out(rows: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the contacts that are on the list and not written, and why."""
    found = rows.filter(rows.left_out.notnull()).order_by([rows.on_list, *list_order(rows)])
    yield from _values(found.select("contact_id", "left_out").to_pyarrow_batches(chunk_size=BATCH_ROWS))


def _prepared(flags: Any, run: PublishedRun, request: ExportRequest) -> Any:
    """Return a run's contacts as the format may see them, with who is on the list."""
    listed = marked(flags, request.name, request.form, counted=request.batch is not None)
    return listed if request.form.raw else shown(listed, run.as_of)


def _exposure(rows: Any, winback: Any, request: ExportRequest) -> BounceExposure | None:
    """Project the bounces of what would be e-mailed, and refuse too many."""
    if not LISTS[request.name].writes or request.form.audience:
        return None
    written = rows.filter(rows.on_list & rows.left_out.isnull())
    (numbers,) = project(written, winback).to_pyarrow().to_pylist()
    exposure = BounceExposure(**numbers)
    if not request.force:
        exposure.check(request.max_bounce_exposure)
    return exposure


def _batch_of(rows: Any, request: ExportRequest) -> Any:
    """Keep the rows of the batch that is asked for, if one is."""
    if request.batch is None:
        return rows
    total = rows.count().to_pyarrow().as_py()
    begin, end = (total * number // request.batches for number in (request.batch - 1, request.batch))
    return rows.order_by([rows.on_list, *list_order(rows)]).limit(end - begin, offset=begin)


def _starts(rows: Any, batches: int) -> list[int]:
    """Return the row numbers with which equal batches begin; never more batches than rows."""
    if batches == 1:
        return []
    total = rows.count().to_pyarrow().as_py()
    return [total * number // batches for number in range(batches)]


def _write(rows: Any, names: Sequence[str], request: ExportRequest, folder: Path) -> list[WrittenFile]:
    """Write the named columns as they are."""
    starts = _starts(rows, 1 if request.batch else request.batches)
    order = [rows.on_list] if "on_list" in rows.columns else []
    reader = (
        rows.order_by([*order, *list_order(rows)]).select(*names).to_pyarrow_batches(chunk_size=BATCH_ROWS)
    )
    if request.form.layout == "parquet":
        return write_parquet_parts(reader, folder, starts)
    plain = replace(request.form, fields=tuple(column(name) for name in names))
    return write_parts(_values(reader), plain, folder, starts)


def _write_fields(rows: Any, request: ExportRequest, folder: Path, report: _Report) -> list[WrittenFile]:
    """Write the format's fields; those who have left come first, then best first."""
    form, starts = request.form, _starts(rows, 1 if request.batch else request.batches)
    ordered = rows.order_by([rows.on_list, *list_order(rows)])
    reader = ordered.select(who="contact_id", left_out="left_out", **{n: n for n in form.sources})
    reader = reader.to_pyarrow_batches(chunk_size=BATCH_ROWS)
    return write_parts(_fields(reader, form, report), form, folder, starts)


def _values(reader: pa.RecordBatchReader) -> Iterator[tuple[Any, ...]]:
    for batch in reader:
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _fields(
    reader: pa.RecordBatchReader, form: ExportFormat, report: _Report
) -> Iterator[tuple[Any, ...] | None]:
    """Yield each row's fields; None where it is left out, which is reported."""
    place = {name: number for number, name in enumerate(form.sources)}
    where = [tuple(place[source] for source in f.sources) for f in form.fields]
    keys = [number for number, f in enumerate(form.fields) if f.name in form.key]
    for contact_id, reason, *given in _values(reader):
        found = [tuple(given[n] for n in places) for places in where]
        values = tuple(f.value(sources) for f, sources in zip(form.fields, found, strict=True))
        if reason is None and all(values[n] is None for n in keys):
            reason = "no_key"
        if reason is not None:
            report.leave_out(contact_id, reason)
            yield None
            continue
        for f, sources, value in zip(form.fields, found, values, strict=True):
            if value is None and any(source is not None for source in sources):
                report.blanked.setdefault(f.name, LeftOut()).add(contact_id)
        yield values


def _finish(
    request: ExportRequest,
    parts: Sequence[WrittenFile],
    removed: Sequence[WrittenFile] = (),
    report: _Report | None = None,
    exposure: BounceExposure | None = None,
) -> Exported:
    """Put the finished files in their place."""
    report, out = report or _Report(), request.out
    files = deliver(parts, out)
    removals = deliver(removed, out.with_name(f"{out.stem}-remove{out.suffix}")) if removed else []
    return Exported(files, removals, report.left_out, report.blanked, exposure, report.mailed)
