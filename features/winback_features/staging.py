"""Read one source table once, row by row: typed values beside the first rule each row breaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import duckdb
import ibis
from ibis.util import gen_name

from winback_features.answers import names_beneath
from winback_features.contracts import Column, TableSpec
from winback_features.errors import InputError
from winback_features.functions import trim
from winback_features.mapping import DIGEST, MappedTable
from winback_features.rules import Rule, row_rules, unreadable_flag
from winback_features.sources import ROW, unreadable_file
from winback_features.values import Clock, Reading, read, read_as_text, readable

FAULT = "winback_fault"
"""Index of the first broken rule, null for a sound row."""
FAULT_TEXT = "winback_fault_text"
"""The offending value as found."""
ZONED = "winback_zoned"
"""Whether a time written as text has a zone; null where that is no question."""


@dataclass(frozen=True)
class StagedTable:
    """A source table as read.

    Attributes
    ----------
    mapped : MappedTable
    spec : TableSpec
    rows : ibis.Table
        Held by the engine, but for what can be told without: ``ROW``, ``DIGEST`` (see `without_digests`), every contract
        column typed (null where the source lacks it, or where it is not to be ``held``), ``ZONED, FAULT, FAULT_TEXT``.
    rules : tuple of Rule
        What ``FAULT`` points to.
    """

    mapped: MappedTable
    spec: TableSpec
    rows: ibis.Table
    rules: tuple[Rule, ...]

    @property
    def label(self) -> str:
        """How messages name the table."""
        return self.mapped.raw.label

    def sound(self) -> ibis.Table:
        """Return the rows that break no rule."""
        return self.rows.filter(self.rows[FAULT].isnull())


def stage(backend: Any, mapped: MappedTable, spec: TableSpec, clock: Clock, today: date) -> StagedTable:
    """Read a mapped table into the engine.

    Raises
    ------
    InputError
        If a column's type cannot hold what the contract asks for, or the source breaks off.
    """
    staged, rules = staged_rows(backend, mapped, spec, clock, today)
    # What can be told without being held would take as much memory as what cannot: even a null, for every row.
    told = {column.name for column in spec.columns if not (column.held and column.name in mapped.theirs)}
    if not _written_times(mapped, spec):
        told.add(ZONED)
    try:
        held = backend.create_table(gen_name(f"winback_staged_{spec.name}"), staged.drop(*told), temp=True)
    except duckdb.Error as error:
        raise refusal_of(mapped, error) from error
    return StagedTable(mapped, spec, _with_told(held, spec), rules)


def without_digests(staged: StagedTable) -> StagedTable:
    """Let go of the digests, which nothing asks for once the repeated rows are found."""
    backend = staged.rows.get_backend()
    if backend.name != "duckdb":
        return staged
    (name,) = names_beneath(staged.rows)
    backend.raw_sql(f"ALTER TABLE {name} DROP COLUMN {DIGEST}")
    return replace(staged, rows=_with_told(backend.table(name), staged.spec))


def _with_told(held: ibis.Table, spec: TableSpec) -> ibis.Table:
    """Return a staged table with the columns that take no room."""
    told = {ZONED: ibis.null("boolean")} | {
        column.name: ibis.null(_null_type(column.kind)) for column in spec.columns
    }
    digest = (DIGEST,) if DIGEST in held.columns else ()
    names = (ROW, *digest, *spec.names, ZONED, FAULT, FAULT_TEXT)
    return held.select(**{name: held[name] if name in held.columns else told[name] for name in names})


def staged_rows(
    backend: Any, mapped: MappedTable, spec: TableSpec, clock: Clock, today: date
) -> tuple[ibis.Table, tuple[Rule, ...]]:
    """Return the expression of `StagedTable.rows`, over views of the engine, and the rules behind ``FAULT``.

    Raises
    ------
    InputError
        If a column's type cannot hold what the contract asks for.
    """
    found = _view(backend, "found", _with_text(mapped, spec))
    readings: dict[str, Reading] = {}
    for column in spec.columns:
        if column.name not in mapped.theirs:
            continue
        value = found[column.name]
        if not readable(column, value.type()):
            raise _wrong_type(mapped, spec, column.name, str(value.type()))
        readings[column.name] = read(column, value, found[_text(column.name)], clock)
    values = _view(backend, "values", _with_values(found, spec, readings))
    rules = row_rules(spec, values, readings, today)
    return values.select(ROW, DIGEST, *spec.names, ZONED, **_fault(rules, values)), rules


def refusal_of(mapped: MappedTable, error: duckdb.Error) -> Exception:
    """Return what to raise where reading broke off: a refusal in words, or the error itself where it is ours."""
    if isinstance(error, duckdb.ConversionException | duckdb.OutOfRangeException):
        return _stopped(mapped, error)
    if isinstance(error, duckdb.BinderException | duckdb.CatalogException | duckdb.OutOfMemoryException):
        return error
    if mapped.computed and isinstance(error, duckdb.InvalidInputException):
        return _stopped(mapped, error)
    # Whatever else a damaged file makes the reader say.
    return unreadable_file(mapped.raw.label, error)


def _written_times(mapped: MappedTable, spec: TableSpec) -> bool:
    """Say whether the times of a table are written as text, some perhaps with a zone."""
    if spec.time_column not in mapped.theirs:
        return False
    kind = mapped.table[spec.time_column].type()
    return bool(kind.is_string() or kind.is_null())


def _null_type(kind: str) -> str:
    return {
        "string": "string",
        "timestamp": "timestamp(6)",
        "amount": "decimal(18, 4)",
        "number": "decimal(18, 4)",
        "bool": "boolean",
    }[kind]


def _view(backend: Any, name: str, table: ibis.Table) -> ibis.Table:
    """Name an intermediate step, so that the next one refers to its columns instead of repeating them."""
    view: ibis.Table = backend.create_view(gen_name(f"winback_{name}"), table)
    return view


def _text(name: str) -> str:
    return f"winback_text_{name}"


def _with_text(mapped: MappedTable, spec: TableSpec) -> ibis.Table:
    """Add what was found as text; in its own type where nothing but a message would need the text."""
    table = mapped.table
    columns = (c for c in spec.columns if c.name in mapped.theirs)
    return table.mutate(**{_text(c.name): _readable_text(c, table[c.name]) for c in columns})


def _readable_text(column: Column, found: ibis.Value) -> ibis.Value:
    kind = found.type()
    typed = kind.is_timestamp() or kind.is_date() or kind.is_boolean() or kind.is_numeric()
    return found if typed and not read_as_text(column, kind) else trim(found.cast("string"))


def _with_values(found: ibis.Table, spec: TableSpec, readings: Mapping[str, Reading]) -> ibis.Table:
    """Return typed values, what was found as text, and where it cannot be read."""
    values: dict[str, ibis.Value] = {}
    for column in spec.columns:
        reading = readings.get(column.name)
        values[column.name] = ibis.null(_null_type(column.kind)) if reading is None else reading.value
        if reading is not None:
            values[_text(column.name)] = found[_text(column.name)]
            if reading.unreadable is not None:
                values[unreadable_flag(column.name)] = reading.unreadable
    time = readings.get(spec.time_column or "")
    zoned = ibis.null("boolean") if time is None or time.zoned is None else time.zoned
    return found.select(ROW, DIGEST, **values, **{ZONED: zoned})


def _fault(rules: tuple[Rule, ...], values: ibis.Table) -> dict[str, ibis.Value]:
    index = ibis.cases(
        *((r.broken, ibis.literal(i, "int8")) for i, r in enumerate(rules)), else_=ibis.null("int8")
    )
    # Inside the cases, so that only broken rows are ever written out.
    found = [(r.broken, trim(values[_text(r.column)].cast("string"))) for r in rules]
    text = ibis.cases(*found, else_=ibis.null("string"))
    return {FAULT: index, FAULT_TEXT: text}


def _wrong_type(mapped: MappedTable, spec: TableSpec, name: str, found: str) -> InputError:
    column = next(c for c in spec.columns if c.name == name)
    wanted = {
        "string": "text",
        "timestamp": "a time",
        "amount": "an amount of money",
        "number": "a number",
        "bool": "true or false",
    }[column.kind]
    example = f"try_strptime(CAST({mapped.theirs[name]} AS VARCHAR), '%Y%m%d')"
    how = (
        f'Give an expression under [source.{spec.name}_columns], for example {name} = "{example}".'
        if column.kind == "timestamp"
        else f"Map another column, or an expression, under [source.{spec.name}_columns]."
    )
    what = f"The column {name} should be {wanted}, but {mapped.theirs[name]} is of type {found} throughout."
    return InputError(what, where=mapped.raw.label, how=how)


def _stopped(mapped: MappedTable, error: Exception) -> InputError:
    what = f"A value stopped the reading ({str(error).splitlines()[0]})."
    how = (
        f"In the expressions under [source.{mapped.raw.name}_columns] use the forms that go on: "
        "try_strptime for strptime, TRY_CAST for CAST."
    )
    return InputError(what, where=mapped.raw.label, how=how)
