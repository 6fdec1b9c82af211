"""Retention: who comes back, after how many orders, how fast, and from which source.

Facts strictly before ``as_of`` only, in purchase days. What is still open is treated as open: rates come from
Kaplan-Meier curves, and months that are not over yet are marked. ``docs/retention.md`` explains every figure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from winback_features.by_contact import compute, together
from winback_features.fact_arrays import MONEY_UNITS
from winback_features.retention_counts import MOST_ORDERS, SCHEMA, added, retention_counts
from winback_features.waits import Waits, gap_distribution, next_order, pooled, rounded, weekly_curve

if TYPE_CHECKING:
    from winback_features.tables import Tables

MONTHLY = ("new", "returning", "resurrecting", "dormant")
"""What is counted of each month."""

MOST_COHORTS = 36
"""Cohorts shown, the latest."""

MOST_SOURCES = 8
"""Acquisition sources with a curve of their own, the largest."""


def month_name(month: int) -> str:
    """Write a month that is counted from the year 0.

    >>> month_name(2026 * 12)
    '2026-01'
    """
    return f"{month // 12:04}-{month % 12 + 1:02}"


def complete_until(as_of: date) -> int:
    """Return the first month that is not over on the morning of ``as_of``.

    >>> month_name(complete_until(date(2026, 3, 1)))
    '2026-03'
    """
    return as_of.year * 12 + as_of.month - 1


def _months(first: int, as_of: date) -> range:
    """Return the months from the first one to that of the day before ``as_of``."""
    return range(first, complete_until(as_of) + (as_of.day > 1))


def _cohorts(rows: Iterable[Mapping[str, Any]], as_of: date, most: int) -> list[dict[str, Any]]:
    """Lay the counted cohorts out as rows of a triangle, months without activity as 0."""
    found: dict[int, dict[int, tuple[int, float]]] = defaultdict(dict)
    for row in rows:
        found[row["key"]][row["at"]] = (row["n"], row["revenue"] / MONEY_UNITS)
    table = []
    for cohort in sorted(found)[-most:]:
        cells = [found[cohort].get(month, (0, 0.0)) for month in _months(cohort, as_of)]
        size = cells[0][0]
        table.append(
            {
                "month": month_name(cohort),
                "contacts": size,
                "complete_months": complete_until(as_of) - cohort,
                "active": [active for active, _ in cells],
                "share": [rounded(active / size) for active, _ in cells],
                "revenue": [round(revenue, 2) for _, revenue in cells],
            }
        )
    return table


def _lifecycle(rows: Mapping[str, Iterable[Mapping[str, Any]]], as_of: date) -> list[dict[str, Any]]:
    """Add the months in which nothing happened, and who is active at the end of each."""
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for figure in MONTHLY:
        for row in rows[figure]:
            found[row["at"]][figure] = row["n"]
    if not found:
        return []
    table, active = [], 0
    for month in _months(min(found), as_of):
        row = found.get(month, {})
        new, returning, resurrecting, dormant = (row.get(figure, 0) for figure in MONTHLY)
        active += new + resurrecting - dormant
        table.append(
            {
                "month": month_name(month),
                "new": new,
                "returning": returning,
                "resurrecting": resurrecting,
                "dormant": dormant,
                "active": active,
                "complete": month < complete_until(as_of),
            }
        )
    return table


def _sources(rows: Iterable[tuple[bool, Mapping[str, Any]]], most: int) -> list[dict[str, Any]]:
    """Return a curve for each of the largest sources, one for the others and one for the unknown."""
    found: dict[str | None, dict[bool, dict[int, int]]] = defaultdict(lambda: {True: {}, False: {}})
    for closed, row in rows:
        found[row["source"]][closed][row["at"]] = row["n"]
    unknown = found.pop(None, None)

    def size(source: str | None) -> int:
        return sum(sum(counts.values()) for counts in found[source].values())

    ranked = sorted(found, key=lambda source: (-size(source), str(source)))
    if not ranked:
        return []
    parts: list[tuple[str, str | None, Waits]] = [("named", name, found[name]) for name in ranked[:most]]
    if ranked[most:]:
        parts.append(("other", None, pooled(found[name] for name in ranked[most:])))
    if unknown:
        parts.append(("unknown", None, unknown))
    return [
        {"kind": kind, "source": name, **next_order(counted), "curve": weekly_curve(counted)}
        for kind, name, counted in parts
    ]


def retention(tables: Tables, as_of: date, horizon_days: int) -> dict[str, Any]:
    """Compute every retention figure of a day.

    Parameters
    ----------
    tables : Tables
    as_of : date
        Facts of earlier days are used.
    horizon_days : int
        Days without a purchase after which a contact is dormant.

    Returns
    -------
    dict
        JSON-ready; ``docs/data-contract.md`` describes it. The same facts give the same dict.

    Raises
    ------
    ValueError
        When ``horizon_days`` is not positive.
    """
    if horizon_days <= 0:
        message = f"horizon_days must be positive, not {horizon_days}"
        raise ValueError(message)
    work = partial(retention_counts, as_of=as_of, horizon_days=horizon_days)
    counts = together(compute(tables, as_of, work, SCHEMA)).to_pyarrow()
    return retention_figures(counts, as_of, horizon_days)


def retention_figures(counts: pa.Table, as_of: date, horizon_days: int) -> dict[str, Any]:
    """Return what `retention` does, from the counts of all contacts.

    Parameters
    ----------
    counts : pyarrow.Table
        Of `winback_features.retention_counts.retention_counts` for the same day and horizon, of some contacts after others.
    as_of : date
    horizon_days : int
    """
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in added(counts).to_pylist():
        rows[row["figure"]].append(row)
    waits = [(True, row) for row in rows["closed_wait"]] + [(False, row) for row in rows["open_wait"]]
    by_number: dict[int, dict[bool, dict[int, int]]] = defaultdict(lambda: {True: {}, False: {}})
    for closed, row in waits:
        of_number = by_number[row["key"]][closed]
        of_number[row["at"]] = of_number.get(row["at"], 0) + row["n"]
    numbers = [n for n in sorted(by_number) if n <= MOST_ORDERS]
    first = by_number[1]
    return {
        "as_of": as_of.isoformat(),
        "horizon_days": horizon_days,
        "contacts": sum(sum(counts.values()) for counts in first.values()),
        "second_order": {**next_order(first), "curve": weekly_curve(first)},
        "by_order_number": [{"order": n, **next_order(by_number[n])} for n in numbers],
        "gaps": gap_distribution(pooled(by_number.values())),
        "cohorts": _cohorts(rows["cohort"], as_of, MOST_COHORTS),
        "lifecycle": _lifecycle(rows, as_of),
        "sources": _sources((wait for wait in waits if wait[1]["key"] == 1), MOST_SOURCES),
    }
