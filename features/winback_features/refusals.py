"""When a whole table is refused: what is wrong throughout, with the first offenders and the mend."""

from __future__ import annotations

from collections.abc import Mapping

import ibis

from winback_features.answers import count, records
from winback_features.config import BrandConfig
from winback_features.errors import InputError
from winback_features.sources import ROW
from winback_features.staging import FAULT, FAULT_TEXT, StagedTable

SPREADSHEET_ID = r"^\d+([.,]\d+)?[eE]\+\d+$"
"""What a spreadsheet makes of a long number: 1.03293E+19, or 1,03E+19."""

WHOLE_FLOATS = float(2**53)
"""From here on a float cannot tell neighbouring whole numbers apart."""

SHOWN = 3


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
        first, theirs = "", worst
    else:
        theirs = staged.mapped.theirs[rule.column]
        found = staged.rows.filter(staged.rows[FAULT] == staged.rules.index(rule))
        first = f"; first in column {theirs}: {_examples(found, FAULT_TEXT)}"
    if bad[worst] == rows_in and worst == "future_date":
        what = f"Every date lies in the future{first}."
    elif bad[worst] == rows_in:
        what = f"No row can be used: {worst} throughout{first}."
    else:
        share = f"{total} of {rows_in} rows ({total / rows_in:.1%}) are bad"
        what = f"{share}, more than max_bad_share = {max_bad_share:.1%} ({listed}{first})."
    raise InputError(what, where=staged.label, how=_mend(worst, staged.spec.name, theirs))


def _examples(found: ibis.Table, column: str) -> str:
    """Return the first offenders, as "row 3 '1.03E+19', row 8 …"."""
    rows = records(found.order_by(ROW).limit(SHOWN).select(ROW, text=found[column]))
    return ", ".join(
        f"row {r[ROW]} {r['text']!r}" if r["text"] is not None else f"row {r[ROW]} empty" for r in rows
    )


def _mend(reason: str, table: str, theirs: str) -> str:
    section = f"[source.{table}_columns]"
    time = "ordered_at" if table == "orders" else "occurred_at"
    mends = {
        "unreadable_time": f"Say how times are written, under {section}: "
        f"{time} = \"try_strptime({theirs}, '%d/%m/%Y %H:%M')\".",
        "unreadable_amount": f"Where the decimal sign is a comma, write under {section}: "
        f"amount = \"replace({theirs}, ',', '.')\".",
        "future_date": "Check how dates are written (day and month exchanged?), and the computer's clock.",
        "implausible_date": f"Say how dates are written, under {section}, with try_strptime.",
        "unreadable_line": "Check quotes and delimiters: lines have too few or too many fields.",
    }
    return mends.get(
        reason, "Mend the source, or raise max_bad_share in [source] if leaving these rows out is meant."
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
    else:
        what = f"The amounts are in more than one currency: {listed}."
        rates = ", ".join(f"{c} = …" for c in without)
        how = f"Give the value of one unit in {brand.currency} under [brand.rates]: {rates}."
    raise InputError(what, where=staged.label, how=how)
