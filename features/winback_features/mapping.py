"""Give the shop's columns the contract's names, by name or by a SQL expression over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from os.path import commonpath

import duckdb
import ibis
import pyarrow.parquet as pq
import sqlglot as sg
import sqlglot.expressions as sge

from winback_features.contracts import TableSpec
from winback_features.errors import ConfigError, InputError
from winback_features.functions import digest
from winback_features.sources import ROW, RawTable
from winback_features.written import column_in_sql

DIGEST = "winback_digest"
"""Name of the column that is equal for rows equal in every column of the source."""

_ALIAS = "winback_source"


@dataclass(frozen=True)
class MappedTable:
    """A source table under the contract's names.

    Attributes
    ----------
    raw : RawTable
    table : ibis.Table
        ``ROW``, ``DIGEST`` and the contract columns found, still in the types of the source.
    theirs : mapping of str to str
        Contract column to what it was taken from, for messages.
    computed : tuple of str
        The contract columns given by an expression.
    """

    raw: RawTable
    table: ibis.Table
    theirs: Mapping[str, str]
    computed: tuple[str, ...] = ()

    def in_sql(self, name: str) -> str:
        """Return what a contract column was taken from, as an expression of the settings has it."""
        return self.theirs[name] if name in self.computed else column_in_sql(self.theirs[name])


def map_columns(raw: RawTable, spec: TableSpec, mapping: Mapping[str, str]) -> MappedTable:
    """Find every contract column in a source table.

    Parameters
    ----------
    raw : RawTable
    spec : TableSpec
    mapping : mapping of str to str
        Contract column to their column, or to a DuckDB SQL expression over their columns. One that is not
        mapped is taken by its own name: as written first, then whatever the case.

    Raises
    ------
    ConfigError
        If the mapping names a column the contract does not have, or an expression does not compute.
    InputError
        If a required column is not found, or only in some of the files.
    """
    section = f"source.{spec.name}_columns"
    _check_names(spec, mapping, section)
    plain, expressions = {}, {}
    for column in spec.columns:
        wanted = mapping.get(column.name, column.name)
        found = _find(wanted, raw.columns)
        if found:
            plain[column.name] = found
        elif column.name in mapping:
            expressions[column.name] = wanted
        elif column.required:
            raise _missing(raw, spec, column.name, section)
    marked = digest(ibis.struct({c: raw.table[c] for c in raw.columns}))
    table = raw.table.mutate(marked.name(DIGEST))
    for name, text in expressions.items():
        table = _compute(table, raw, name, text, f"{section}.{name}")
    if len(raw.files) > 1:
        taken = plain | expressions
        _refuse_parts_without(raw, {c.name: taken[c.name] for c in spec.columns if c.required})
    chosen = {name: table[theirs] for name, theirs in plain.items()}
    chosen |= {name: table[_computed(name)] for name in expressions}
    ordered = {c: chosen[c] for c in spec.names if c in chosen}
    return MappedTable(raw, table.select(ROW, DIGEST, **ordered), plain | expressions, tuple(expressions))


def _check_names(spec: TableSpec, mapping: Mapping[str, str], section: str) -> None:
    for name in mapping:
        if name not in spec.names:
            near = get_close_matches(name, spec.names, n=1)
            how = f"Did you mean {near[0]}?" if near else f"It may name: {', '.join(spec.names)}."
            what = f"{spec.name} have no column called {name!r}."
            raise ConfigError(what, where=section, how=how)


def _find(wanted: str, columns: tuple[str, ...]) -> str | None:
    if wanted in columns:
        return wanted
    alike = [c for c in columns if c.lower() == wanted.lower()]
    return alike[0] if len(alike) == 1 else None


def _missing(raw: RawTable, spec: TableSpec, name: str, section: str) -> InputError:
    # A column that already has a name of the contract is that column, however alike the names are.
    free = [c for c in raw.columns if c.lower() not in spec.names]
    near = get_close_matches(name, free, n=1, cutoff=0.5)
    guess = near[0] if near else "their name"
    return InputError(
        f"The required column {name} is missing; the columns are: {', '.join(raw.columns)}.",
        where=raw.label,
        how=f'If it has another name, say so under [{section}]: {name} = "{guess}".',
    )


def _refuse_parts_without(raw: RawTable, required: Mapping[str, str]) -> None:
    """Refuse files of which one lacks what a required column is taken from: its rows would seem to know no value.

    A column that no file has comes from the names of their folders.
    """
    folder = commonpath([file.parent for file in raw.files])
    held = {str(f.relative_to(folder)): {c.lower() for c in pq.read_schema(f).names} for f in raw.files}
    for name, theirs in required.items():
        parsed = None if theirs in raw.columns else sg.parse_one(theirs, dialect="duckdb")
        used = {theirs} if parsed is None else {column.name for column in parsed.find_all(sge.Column)}
        for column in sorted(used):
            without = [file for file, names in held.items() if column.lower() not in names]
            if 0 < len(without) < len(held):
                what = f"The required column {name} is taken from {column}, and "
                what += f"{len(without)} of {len(held)} files do not have it: {', '.join(without[:3])}."
                how = "Export them again with the columns of the others, or leave them out."
                raise InputError(what, where=raw.label, how=how)


def _computed(name: str) -> str:
    return f"winback_computed_{name}"


def _compute(table: ibis.Table, raw: RawTable, name: str, text: str, where: str) -> ibis.Table:
    """Add the expression as a column; text in arithmetic is read as numbers if it must."""
    try:
        expression = sg.parse_one(text, dialect="duckdb")
    except sg.errors.SqlglotError:
        expression = None
    if isinstance(expression, sge.Column | None):
        near = get_close_matches(text, raw.columns, n=1, cutoff=0.5)
        how = f"Did you mean {near[0]}?" if near else f"The columns are: {', '.join(raw.columns)}."
        what = f"{text!r} is neither a column of {raw.label} nor an expression over its columns."
        raise ConfigError(what, where=where, how=how)
    for candidate in (expression, _over_numbers(expression)):
        alias = f"{_ALIAS}_{name}"
        query = sg.select("*", candidate.as_(_computed(name), quoted=True)).from_(alias)
        try:
            return table.alias(alias).sql(query.sql("duckdb"), dialect="duckdb")
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
    what = f"The expression {text!r} does not compute ({reason})."
    how = f"It is DuckDB SQL over the columns of {raw.label}: {', '.join(raw.columns)}."
    raise ConfigError(what, where=where, how=how)


def _over_numbers(expression: sge.Expr) -> sge.Expr:
    """Read columns that stand in arithmetic as numbers; text that is no number becomes NaN, blanks null."""

    def read(node: sge.Expr) -> sge.Expr:
        if isinstance(node, sge.Column) and isinstance(
            node.parent, sge.Add | sge.Sub | sge.Mul | sge.Div | sge.Neg
        ):
            column = node.sql("duckdb")
            blank = f"trim(CAST({column} AS VARCHAR)) = '' OR {column} IS NULL"
            number = f"coalesce(TRY_CAST({column} AS DOUBLE), CAST('nan' AS DOUBLE))"
            return sg.parse_one(f"CASE WHEN {blank} THEN NULL ELSE {number} END", dialect="duckdb")
        return node

    return expression.copy().transform(read)
