"""What the user should know about a table although it stops nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import ibis
from ibis.util import gen_name

from winback_features.answers import count, name_of, records
from winback_features.clean import stated_reason
from winback_features.config import BrandConfig
from winback_features.contracts import EMAIL_STATUSES, EVENT_KINDS, STATED_REASONS
from winback_features.countries import country_code
from winback_features.reports import Notice
from winback_features.staging import ZONED, StagedTable
from winback_features.zones import zone_names

FLOAT_ID = r"^-?\d+\.0$"
SHOWN = 5

SAMPLED = 10_000
"""Rows of a table that are looked at first: if one of them matches, the rest need not be asked."""


def table_notices(
    staged: StagedTable, used: ibis.Table, brand: BrandConfig, duplicates_kept: int
) -> tuple[Notice, ...]:
    """Return the notices on one staged table.

    Parameters
    ----------
    staged : StagedTable
    used : ibis.Table
        Its rows that were not quarantined.
    brand : BrandConfig
    duplicates_kept : int
        Equal lines without a time of day, which were used.
    """
    found = [*_float_ids(staged), *_mixed_zones(staged, used)]
    if duplicates_kept:
        lines, they = f"{duplicates_kept} lines repeat", "they may be real repeats, so they were kept"
        if duplicates_kept == 1:
            lines, they = "1 line repeats", "it may be a real repeat, so it was kept"
        message = f"{lines} an earlier line of the same day word for word. Without a time of day {they}."
        found.append(Notice("duplicates_kept", message, duplicates_kept))
    if staged.spec.name == "orders":
        found += _currency_assumed(staged, used, brand)
    if staged.spec.name == "events":
        found += _unknown_words(
            used, "kind", tuple(EVENT_KINDS), "unknown_kind", "kept as activity of kind other"
        )
        answers = used.filter(used.reason.notnull())
        stated = answers.mutate(reason=stated_reason(answers))
        found += _unknown_words(stated, "reason", STATED_REASONS, "unknown_reason", "read as other")
    if staged.spec.name == "contacts":
        found += _unknown_words(
            used, "email_status", EMAIL_STATUSES, "unknown_email_status", "read as unknown"
        )
        zones = tuple(sorted(zone_names()))
        found += _unknown_words(
            used,
            "timezone",
            zones,
            "unknown_timezone",
            "read as the brand's",
            tidy=lambda word: word.strip().nullif(""),
        )
    return tuple(found)


def order_notices(orders: ibis.Table) -> list[Notice]:
    """Return the notices on orders as summed from their lines: contacts with returns only, orders of zero."""
    negative = (orders.amount < 0).fill_null(False)
    returned = orders.filter(negative).select("contact_id").distinct()
    buyers = orders.filter(~negative).semi_join(returned, "contact_id").select("contact_id").distinct()
    counts = {
        "returns_only": count(returned) - count(buyers),
        "zero_orders": count(orders.filter(orders.amount == 0)),
    }
    several = {
        "returns_only": "{n} contacts have negative orders only: they are known, but never bought.",
        "zero_orders": "{n} orders come to zero: they are kept and counted, and are no purchase.",
    }
    one = {
        "returns_only": "1 contact has negative orders only: it is known, but never bought.",
        "zero_orders": "1 order comes to zero: it is kept and counted, and is no purchase.",
    }
    return [Notice(code, (several if n > 1 else one)[code].format(n=n), n) for code, n in counts.items() if n]


def matching_notices(orders: ibis.Table, others: ibis.Table, name: str) -> list[Notice]:
    """Return a notice if no contact of another table ever ordered: identifiers may differ in form."""
    some = others.select("contact_id").limit(SAMPLED)
    if count(orders.semi_join(some, "contact_id").limit(1)):
        return []
    contacts = others.select("contact_id").distinct()
    n = count(contacts)
    if not n or count(contacts.semi_join(orders, "contact_id")):
        return []
    message = (
        f"None of the {n} contacts in {name} has an order. Are identifiers written alike in both "
        "tables (leading zeros, .0 at the end)?"
    )
    return [Notice("no_matching_ids", message, n)]


def padded_notices(tables: Mapping[str, tuple[ibis.Table, str]]) -> dict[str, Notice]:
    """Return, by table, a notice on ids that only blanks at their ends tell from another contact's.

    Parameters
    ----------
    tables : mapping of str to (ibis.Table, str)
        The rows that are used, with ``contact_id``, and what the shop has in that column, in SQL.
    """
    first, *others = (rows.select("contact_id").distinct() for rows, _ in tables.values())
    ids = first.union(*others, distinct=True) if others else first
    ids = ids.mutate(bare=ids.contact_id.strip())
    often = ids.group_by("bare").aggregate(n=ibis._.count())
    twins = ids.filter(ids.contact_id != ids.bare).semi_join(often.filter(often.n > 1), "bare")
    found = {}
    for name, (rows, theirs) in tables.items():
        mine = twins.semi_join(rows, "contact_id")
        (told,) = records(mine.aggregate(n=mine.count(), example=mine.contact_id.min()))
        if told["n"]:
            message = (
                f"{told['n']} values of contact_id, such as {told['example']!r}, differ from another contact's in blanks at "
                "their ends only: they were read as contacts of their own. If they are not, map "
                f'contact_id = "trim({theirs})".'
            )
            found[name] = Notice("padded_ids", message, told["n"])
    return found


def country_notices(written: Mapping[str, int]) -> list[Notice]:
    """Return a notice on what is no country, of contacts counted by country as it is written."""
    unknown: Counter[str] = Counter()
    for country, n in written.items():
        if country_code(country) is None:
            unknown[country.lower()] += n
    return _unknown("country", unknown, "unknown_country", "kept as written, and count as no country")


def _float_ids(staged: StagedTable) -> list[Notice]:
    notices = []
    for name in ("contact_id", "order_id"):
        if name not in staged.spec.names:
            continue
        rows, theirs = staged.rows, staged.mapped.theirs[name]
        as_float = rows.filter(rows[name].re_search(FLOAT_ID))
        n = count(as_float)
        if n:
            example = as_float[name].min().to_pyarrow().as_py()
            message = (
                f"{n} values of {theirs} ({name}) look like {example}: whole numbers read as floats. "
                f"They are kept as written; if other tables write them without .0, map "
                f"{name} = \"regexp_replace(CAST({theirs} AS VARCHAR), '[.]0$', '')\"."
            )
            notices.append(Notice("float_ids", message, n))
    return notices


def _mixed_zones(staged: StagedTable, rows: ibis.Table) -> list[Notice]:
    if not staged.spec.time_column:
        return []
    (counts,) = records(rows.aggregate(zoned=rows[ZONED].sum(), naive=(~rows[ZONED]).sum()))
    zoned, naive = counts["zoned"] or 0, counts["naive"] or 0
    if not (zoned and naive):
        return []
    message = (
        f"{zoned} times of {staged.mapped.theirs[staged.spec.time_column]} have a zone, {naive} do not. "
        "Each was read by its own form; those without a zone are in source.timezone, or the brand's."
    )
    return [Notice("mixed_zones", message, min(zoned, naive))]


def _currency_assumed(staged: StagedTable, rows: ibis.Table, brand: BrandConfig) -> list[Notice]:
    if "currency" not in staged.mapped.theirs:
        return []
    n = count(rows.filter(rows.currency.isnull()))
    if not n:
        return []
    rows_of = (
        "1 row names no currency; its amount was"
        if n == 1
        else f"{n} rows name no currency; their amounts were"
    )
    message = f"{rows_of} taken to be in {brand.currency}."
    return [Notice("one_currency_assumed", message, n)]


def _unknown_words(
    rows: ibis.Table,
    column: str,
    known: tuple[str, ...],
    code: str,
    fate: str,
    tidy: Callable[[Any], Any] = lambda word: word,
) -> list[Notice]:
    """Tell of the words of a column that are not known."""
    counted = rows.group_by(word=rows[column]).aggregate(n=ibis._.count())
    # Held, or the engine would put the questions below to every row before it counts, not to every word after.
    words = rows.get_backend().create_table(gen_name("winback_words"), counted, temp=True)
    word = tidy(words.word).lower()
    unknown = words.filter(word.notnull() & word.notin(known)).group_by(word=word).aggregate(n=words.n.sum())
    found = {r["word"]: r["n"] for r in records(unknown)}
    rows.get_backend().drop_table(name_of(words))
    return _unknown(column, found, code, fate)


def _unknown(column: str, found: Mapping[str, int], code: str, fate: str) -> list[Notice]:
    """Tell of words that are not known, the most frequent first."""
    if not found:
        return []
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    listed = ", ".join(f"{word} ({n})" for word, n in ranked[:SHOWN])
    more = f" and {len(ranked) - SHOWN} more" if len(ranked) > SHOWN else ""
    total = sum(found.values())
    return [Notice(code, f"Unknown values of {column} were {fate}: {listed}{more}.", total)]
