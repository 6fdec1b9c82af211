"""A finished experiment in one table, one row per contact, read without any run of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import duckdb
import sqlglot as sg
from ibis.util import gen_name

from winback_features.answers import count, records
from winback_features.errors import ConfigError, InputError
from winback_features.files import file_format, find_files
from winback_policy.outcomes.cells import Metric, measure, total
from winback_policy.outcomes.effects import CONFIDENCE
from winback_policy.outcomes.moments import Sums
from winback_policy.outcomes.readout import Plan, Readout, read

CONTACT = "contact_id"


@dataclass(frozen=True, slots=True)
class ExperimentTable:
    """Where an experiment lies, and which column is what.

    Attributes
    ----------
    path : str
        A Parquet or CSV file, or a glob.
    arm, control : str
        Column of the arm, and its value for the contacts that were left alone.
    converted : str
        Column that is true, or 1, where the contact did what was wanted.
    amount : str, optional
        Column of what it spent; empty counts as nothing.
    covariates : tuple of str
        Columns of numbers known before: their balance is checked, and the first one makes the interval of the amount narrower.
    by : tuple of str
        Columns whose levels are read apart.
    where : str, optional
        Condition in SQL over the columns: which contacts to look at. It must not depend on what happened after the draw.
    shares : mapping of str to float
        Of the contacts, that each arm was to get; the same for all when empty.
    confidence : float
    """

    path: str
    arm: str = "arm"
    control: str = "control"
    converted: str = "converted"
    amount: str | None = None
    covariates: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    where: str | None = None
    shares: Mapping[str, float] = field(default_factory=dict)
    confidence: float = CONFIDENCE


def read_experiment(backend: Any, what: ExperimentTable) -> Readout:
    """Read a finished experiment: once, with all its outcomes in.

    Parameters
    ----------
    backend : ibis backend
    what : ExperimentTable

    Raises
    ------
    InputError
        When a column is missing or holds something else, an arm is missing, or a contact stands there twice.
    ConfigError
        When the condition does not compute.
    """
    rows = _chosen(_open(backend, what), what)
    if CONTACT in rows.columns:
        _check_unique(rows, what)
    arms = rows[what.arm].cast("string")
    columns = {"arm": arms, "converted": _yes_or_no(rows, what)}
    columns |= {f"by_{name}": rows[name] for name in what.by}
    columns |= {f"before_{name}": _number(rows, name, what) for name in what.covariates}
    if what.amount:
        columns["amount"] = _number(rows, what.amount, what).fill_null(0)
    rows = backend.create_table(gen_name("experiment"), rows.select(**columns), temp=True)
    _check_rows(rows, what)

    before = f"before_{what.covariates[0]}" if what.covariates else None
    metrics = [Metric("converted")] + ([Metric("amount", "money", before)] if what.amount else [])
    known = [Metric(f"before_{name}", "about") for name in what.covariates]
    cells = measure(rows, [*metrics, *known], by=[f"by_{name}" for name in what.by])
    found = total([cell for cell in cells if not cell.by], "converted")
    if what.control not in found or len(found) < 2:
        msg = f"The arms are {', '.join(sorted(found))}; the control is to be {what.control!r}."
        raise InputError(
            msg, where=what.path, how="Name the control with --control; it needs another arm beside it."
        )
    shares = _shares(found, what)
    plan = Plan(what.control, tuple(metrics), shares, running=False, confidence=what.confidence)
    balance = {
        name: {
            arm: Sums(s.n, x=s.y, xx=s.yy)
            for arm, s in total([c for c in cells if not c.by], f"before_{name}").items()
        }
        for name in what.covariates
    }
    return read(cells, plan, balance)


def _open(backend: Any, what: ExperimentTable) -> Any:
    files = find_files(what.path, Path())
    try:
        if file_format(what.path, files) == "parquet":
            return backend.read_parquet([str(f) for f in files])
        return backend.read_csv([str(f) for f in files])
    except duckdb.Error as error:
        msg = f"The file cannot be read ({str(error).splitlines()[0]})."
        raise InputError(msg, where=what.path, how="Export it again, as Parquet or CSV.") from error


def _chosen(rows: Any, what: ExperimentTable) -> Any:
    wanted = [what.arm, what.converted, *([what.amount] if what.amount else []), *what.covariates, *what.by]
    for name in wanted:
        if name not in rows.columns:
            near = get_close_matches(name, rows.columns, n=1, cutoff=0.5)
            msg = f"There is no column {name!r}; the columns are: {', '.join(rows.columns)}."
            raise InputError(
                msg, where=what.path, how=f"Did you mean {near[0]}?" if near else "Name another one."
            )
    if not what.where:
        return rows
    try:
        condition = sg.parse_one(what.where, dialect="duckdb")
        query = sg.select("*").from_("experiment").where(condition)
        chosen = rows.alias("experiment").sql(query.sql("duckdb"), dialect="duckdb")
        empty = count(chosen) == 0
    except (duckdb.Error, sg.errors.SqlglotError) as error:
        msg = f"The condition {what.where!r} does not compute ({str(error).splitlines()[0]})."
        how = f'It is SQL over the columns {", ".join(rows.columns)}, such as "recency >= 7".'
        raise ConfigError(msg, where="--where", how=how) from error
    if empty:
        raise InputError(f"No row fulfils {what.where!r}.", where=what.path, how="Choose another condition.")
    return chosen


def _check_unique(rows: Any, what: ExperimentTable) -> None:
    (n,) = records(rows.aggregate(rows=rows.count(), contacts=rows[CONTACT].nunique()))
    if n["contacts"] < n["rows"]:
        msg = f"{n['rows']:,} rows, but {n['contacts']:,} contacts: some stand there twice, or without an id."
        raise InputError(msg, where=what.path, how="Sum each contact's outcomes up to one row.")


def _yes_or_no(rows: Any, what: ExperimentTable) -> Any:
    column = rows[what.converted]
    kind = column.type()
    if kind.is_boolean():
        return column.cast("int64")
    if kind.is_numeric():
        return column.cast("float64")
    raise _wrong(what, what.converted, f"0 or 1, but is {kind}")


def _number(rows: Any, name: str, what: ExperimentTable) -> Any:
    kind = rows[name].type()
    if not (kind.is_numeric() or kind.is_boolean()):
        raise _wrong(what, name, f"a number, but is {kind}")
    return rows[name].cast("int64") if kind.is_boolean() else rows[name]


def _check_rows(rows: Any, what: ExperimentTable) -> None:
    bad = ~rows.converted.isin([0, 1]) | rows.converted.isnull()
    (n,) = records(rows.aggregate(arms=rows.arm.isnull().sum(), converted=bad.sum()))
    if n["arms"]:
        raise _wrong(what, what.arm, f"filled, but is empty in {n['arms']:,} rows")
    if n["converted"]:
        raise _wrong(what, what.converted, f"0 or 1, but is something else in {n['converted']:,} rows")


def _wrong(what: ExperimentTable, column: str, fault: str) -> InputError:
    return InputError(
        f"The column {column} should be {fault}.", where=what.path, how="Mend it, or name another."
    )


def _shares(arms: Mapping[str, Any], what: ExperimentTable) -> Mapping[str, float]:
    if not what.shares:
        return dict.fromkeys(arms, 1.0)
    unnamed = sorted({*arms} ^ {*what.shares})
    if unnamed:
        msg = (
            f"The arms are {', '.join(sorted(arms))}; the shares and the arms differ in {', '.join(unnamed)}."
        )
        raise ConfigError(msg, where="--share", how="Give each arm its share, such as --share control=1.")
    return what.shares
