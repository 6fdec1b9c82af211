"""Learn horizon and cadence from the base's own rhythm, for ``brand.horizon_days = "auto"``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import ibis

from winback_features.errors import InputError
from winback_features.expressions import facts_before
from winback_features.facts import purchase_days
from winback_features.tables import Tables
from winback_serving.horizon_notices import SHARE, YEAR, GapCounts, closed_by, rhythm_notices
from winback_serving.settings import Settings
from winback_serving.store import RunStore

SHORTEST, LONGEST = 7, YEAR
PARTS = 4
"""At most this part of the history is looked ahead: three forward tests, a third of a horizon apart, need about so much."""

SCALE = 1e9
"""Shares are summed as integers, so that the order of the rows cannot change a bit."""


@dataclass(frozen=True, slots=True)
class Horizon:
    """A horizon and the sentence that says where it comes from.

    Attributes
    ----------
    days : int
    reason : str
    cadence_days : int
        The base's usual gap between purchases: half of them close within it.
    notices : tuple of str
        What speaks against it, or against winning back this base at all.
    """

    days: int
    reason: str
    cadence_days: int
    notices: tuple[str, ...] = ()


def choose_horizon(gaps: Iterable[tuple[int, int]], history_days: int) -> Horizon:
    """Choose a horizon in which nine of ten gaps between purchases close.

    Only gaps that did close are counted: those of contacts that are gone never will, and would let no horizon suffice.

    Parameters
    ----------
    gaps : iterable of (days, how many)
        Gaps between successive purchase days of one contact.
    history_days : int
        Days from the first purchase to the cut. At most a quarter of it is looked ahead: forward tests need windows
        that have closed, and as much history before them.

    Returns
    -------
    Horizon

    Raises
    ------
    InputError
        When there is no gap to learn from.

    Examples
    --------
    >>> found = choose_horizon([(7, 80), (24, 15), (60, 5)], history_days=365)
    >>> found.days, found.cadence_days
    (28, 7)
    >>> found.reason
    '90 % of the 100 gaps between purchases closed within 24 days, half of them within 7'
    """
    lengths = dict(gaps)
    total = sum(lengths.values())
    if total == 0:
        raise InputError(
            "Nobody has bought twice yet, so no rhythm can be learned.",
            where="[brand] horizon_days",
            how="Say a number of days instead of auto.",
        )
    closed, usual = closed_by(lengths, SHARE), closed_by(lengths, 0.5)
    reason = f"90 % of the {total:,} gaps between purchases closed within {closed} days, half of them within {usual}"
    weeks = -(-closed // 7) * 7
    limit = max(SHORTEST, min(LONGEST, history_days // PARTS))
    if weeks > limit:
        return Horizon(limit, f"{reason}, and the history of {history_days} days allows {limit}", usual)
    return Horizon(weeks, reason, usual)


def learn_horizon(tables: Tables, as_of: date) -> Horizon:
    """Learn the horizon from all purchases before ``as_of``.

    Parameters
    ----------
    tables : Tables
    as_of : date

    Returns
    -------
    Horizon

    Raises
    ------
    InputError
        When nobody has bought twice.
    """
    counts, history_days = count_gaps(tables, as_of)
    found = choose_horizon(counts.closed.items(), history_days)
    return replace(found, notices=rhythm_notices(counts, found.days))


def horizon_in_use(settings: Settings) -> int:
    """Return the days ahead that the scores look: where that is learned, those of the newest published run.

    Raises
    ------
    InputError
        When it is learned, and nothing is published yet.
    """
    if not settings.horizon_auto:
        return settings.score.horizon_days
    return int(RunStore(settings.home).read_run().info()["horizon_days"])


def base_rhythm(tables: Tables, as_of: date, horizon_days: int) -> tuple[int | None, tuple[str, ...]]:
    """Return cadence (None where nobody has bought twice) and notices, for who has set the horizon."""
    counts, _ = count_gaps(tables, as_of)
    cadence = closed_by(counts.closed, 0.5) if counts.closed else None
    return cadence, rhythm_notices(counts, horizon_days)


def count_gaps(tables: Tables, as_of: date) -> tuple[GapCounts, int]:
    """Return what is counted of all purchases before ``as_of``, and the days since the first of them.

    Two queries whose answers have a row for each number of days, however many orders there are.
    """
    days = facts_before(purchase_days(tables, as_of), as_of)
    gaps, contacts = _rows(_gap_lengths(days)), _rows(_silences(days))
    total = {name: sum(row[name] for row in contacts) for name in ("x", "t", "xx", "xt", "tt")}
    counts = GapCounts(
        closed=_added(gaps),
        closed_first=_added(row for row in gaps if row["first"]),
        silent=_added(contacts),
        silent_once=_added(row for row in contacts if row["once"]),
        pairs=sum(row["n"] for row in gaps if not row["first"]),
        uneven=sum(row["uneven"] or 0 for row in gaps) / SCALE,
        uneven_by_chance=sum(row["by_chance"] or 0 for row in gaps) / SCALE,
        frequency=total["x"],
        age=total["t"],
        frequency_squared=total["xx"],
        frequency_age=total["xt"],
        age_squared=total["tt"],
    )
    return counts, max((row["oldest"] for row in contacts), default=0)


def _gap_lengths(days: ibis.Table) -> ibis.Table:
    """Count gaps by their length, first gaps apart, and sum how uneven each is with the one before."""
    in_order = ibis.window(group_by=days.contact_id, order_by=ibis.desc(days.age))
    paced = days.select(
        gap=days.age.lag().over(in_order) - days.age,
        before=days.age.lag(2).over(in_order) - days.age.lag().over(in_order),
    )
    paced = paced.filter(paced.gap.notnull())
    both, apart = (paced.gap + paced.before).cast("float64"), (paced.gap - paced.before).cast("float64")
    paced = paced.mutate(
        first=paced.before.isnull(),
        uneven=(apart * apart / (4.0 * both * both) * SCALE).round().cast("int64"),
        by_chance=((1.0 - 2.0 / both) / 12.0 * SCALE).round().cast("int64"),
    )
    return paced.group_by(days=paced.gap, first=paced.first).aggregate(
        n=paced.count(), uneven=paced.uneven.sum(), by_chance=paced.by_chance.sum()
    )


def _silences(days: ibis.Table) -> ibis.Table:
    """Count contacts by days since the last purchase, those that bought once apart, and sum their histories."""
    each = days.group_by("contact_id").aggregate(
        x=days.count() - 1, t=days.age.max().cast("int64"), silence=days.age.min()
    )
    return each.group_by(days=each.silence, once=each.x == 0).aggregate(
        n=each.count(),
        oldest=each.t.max(),
        x=each.x.sum(),
        t=each.t.sum(),
        xx=(each.x * each.x).sum(),
        xt=(each.x * each.t).sum(),
        tt=(each.t * each.t).sum(),
    )


def _rows(table: ibis.Table) -> list[dict[str, Any]]:
    """Return the rows with every sum as an exact integer."""
    rows: list[dict[str, Any]] = table.to_pyarrow().to_pylist()
    return [{k: v if v is None else int(v) for k, v in row.items()} for row in rows]


def _added(rows: Iterable[Mapping[str, Any]]) -> dict[int, int]:
    lengths: dict[int, int] = {}
    for row in rows:
        lengths[row["days"]] = lengths.get(row["days"], 0) + row["n"]
    return dict(sorted(lengths.items()))
