"""When a whole table is refused: what is wrong throughout, with the first offenders and the mend."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import ibis

from winback_features.answers import count, records
from winback_features.config import BrandConfig
from winback_features.errors import InputError
from winback_features.rules import Rule
from winback_features.sources import ROW
from winback_features.staging import FAULT, FAULT_TEXT, StagedTable
from winback_features.written import amount_expressions, column_in_sql, flag_expressions, time_expressions

SPREADSHEET_ID = r"^\d+([.,]\d+)?[eE]\+\d+$"
"""What a spreadsheet makes of a long number: 1.03293E+19, or 1,03E+19."""

WHOLE_FLOATS = float(2**53)
"""From here on a float cannot tell neighbouring whole numbers apart."""

SHOWN = 3

LOOKED_AT = 1000
"""Offenders that are looked at to tell how values are written."""


def refuse_empty(label: str, rows_in: int) -> None:
    """Refuse a table without rows."""
    if rows_in == 0:
        raise InputError(
            "The table has no rows.", where=label, how="Export it again; there is only a header."
        )


def refuse_damaged_ids(staged: StagedTable) -> None:
    """Refuse identifiers that a spreadsheet or a float has rounded: different contacts have become one."""
    for name in ("contact_id", "order_id"):
        if name not in staged.spec.names:
            continue
        rows, source = staged.rows, staged.mapped.table[name]
        damaged = rows[name].re_search(SPREADSHEET_ID)
        if source.type().is_floating():
            damaged = damaged | (rows[name].try_cast("float64").abs() >= WHOLE_FLOATS)
        found = rows.filter(damaged)
        n = count(found)
        if n:
            examples = _examples(found, name)
            what = (
                f"{n} values of {staged.mapped.theirs[name]} ({name}) were rounded by a spreadsheet or a "
                f"float column, so different ones can no longer be told apart: {examples}."
            )
            how = "Export the identifiers as text, with no spreadsheet in between."
            raise InputError(what, where=staged.label, how=how)


def refuse_bad_share(
    staged: StagedTable, reasons: Mapping[str, int], rows_in: int, max_bad_share: float
) -> None:
    """Refuse a table of which too many rows, or all, break a rule; repeated rows are not among them."""
    bad = dict(reasons)
    total = sum(bad.values())
    if not total or (total < rows_in and total <= max_bad_share * rows_in):
        return
    worst = max(bad, key=lambda reason: (bad[reason], reason))
    listed = ", ".join(
        f"{reason} {n}" for reason, n in sorted(bad.items(), key=lambda item: (-item[1], item[0]))
    )
    rule = next((r for r in staged.rules if r.reason == worst), None)
    if rule is None:
        first, how = "", _mend(worst)
    else:
        theirs = staged.mapped.theirs[rule.column]
        found = staged.rows.filter(staged.rows[FAULT] == staged.rules.index(rule))
        first = f"; first in column {theirs}: {_examples(found, FAULT_TEXT)}"
        seen = records(found.order_by(ROW).limit(LOOKED_AT).select(text=found[FAULT_TEXT]))
        how = _mend_column(staged, rule, [r["text"] or "" for r in seen], throughout=bad[worst] == rows_in)
    if bad[worst] == rows_in and worst == "future_date":
        what = f"Every date lies in the future{first}."
    elif bad[worst] == rows_in:
        what = f"No row can be used: {worst} throughout{first}."
    else:
        share = f"{total} of {rows_in} rows ({total / rows_in:.1%}) are bad"
        what = f"{share}, more than max_bad_share = {max_bad_share:.1%} ({listed}{first})."
    raise InputError(what, where=staged.label, how=how)


def _examples(found: ibis.Table, column: str) -> str:
    """Return the first offenders, as "row 3 '1.03E+19', row 8 …"."""
    rows = records(found.order_by(ROW).limit(SHOWN).select(ROW, text=found[column]))
    return ", ".join(
        f"row {r[ROW]} {r['text']!r}" if r["text"] is not None else f"row {r[ROW]} empty" for r in rows
    )


def _mend(reason: str) -> str:
    if reason == "unreadable_line":
        return "Check quotes and delimiters: lines have too few or too many fields."
    return "Mend the source, or raise max_bad_share in [source] if leaving these rows out is meant."


def _mend_column(staged: StagedTable, rule: Rule, seen: Sequence[str], *, throughout: bool) -> str:
    """Say how the values of a column are to be read, by how they are written."""
    section, name = f"[source.{staged.spec.name}_columns]", rule.column
    theirs = staged.mapped.theirs[name]
    expression = theirs not in staged.mapped.raw.columns
    inner = theirs if expression else column_in_sql(theirs)
    kind = next(column.kind for column in staged.spec.columns if column.name == name)
    match kind if rule.reason.startswith("unreadable_") else rule.reason:
        case "timestamp":
            found = time_expressions(inner, seen)
            if not throughout:
                found = tuple(f"coalesce(TRY_CAST({inner} AS TIMESTAMP), {text})" for text in found)
            ask, general = "How are times written?", f"try_strptime({inner}, '%d/%m/%Y %H:%M')"
        case "amount" | "number":
            found = amount_expressions(inner, seen)
            ask = "How are amounts written?" if kind == "amount" else "How are numbers written?"
            general = f"replace({inner}, ',', '.')"
        case "bool":
            found = flag_expressions(inner, seen)
            ask = "Which words mean yes, and which no?"
            general = f"CASE {inner} WHEN 'on' THEN 'true' WHEN 'off' THEN 'false' END"
        case "future_date":
            return "Check how dates are written (day and month exchanged?), and the computer's clock."
        case "implausible_date":
            return f"Say how dates are written, under {section}, with try_strptime."
        case reason if reason.startswith("missing_") and expression:
            return f"The expression gives nothing there. Hold it against the values of {staged.label}."
        case reason:
            return _mend(reason)
    if not found:
        return f'{ask} Say it under {section}, for example {name} = "{general}".'
    return (
        f"Write under {section}: "
        + ", or ".join(f'{name} = "{text}"' for text in found)
        + ("." if len(found) == 1 else ". Both would read them; only you know which is right.")
    )


def refuse_mixed_currencies(staged: StagedTable, brand: BrandConfig) -> None:
    """Refuse amounts in a currency that cannot be turned into the brand's."""
    rows = staged.sound()
    counts = rows.filter(rows.currency.notnull()).group_by("currency").aggregate(n=ibis._.count())
    found = {r["currency"]: r["n"] for r in records(counts.order_by("currency"))}
    without = [c for c in found if c != brand.currency and c not in brand.rates]
    if not without:
        return
    listed = ", ".join(f"{c} ({n} rows)" for c, n in found.items())
    if len(found) == 1:
        what = f"The amounts are in {without[0]}, but brand.currency is {brand.currency}."
        how = f'Set currency = "{without[0]}" in [brand], or give its rate under [brand.rates].'
        if not re.fullmatch("[A-Z]{3}", without[0]):
            how = (
                "Codes have three letters. If all of it is in one currency, name its code under "
                f"[source.orders_columns]: currency = \"'{brand.currency}'\"."
            )
    else:
        what = f"The amounts are in more than one currency: {listed}."
        rates = ", ".join(f"{c} = …" for c in without)
        how = f"Give the value of one unit in {brand.currency} under [brand.rates]: {rates}."
    raise InputError(what, where=staged.label, how=how)
