"""Learn the horizon from the base's own rhythm, for ``brand.horizon_days = "auto"``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import ibis

from winback_features.errors import InputError
from winback_features.facts import purchase_days
from winback_features.tables import Tables

SHARE = 0.9
SHORTEST, LONGEST = 7, 365


@dataclass(frozen=True, slots=True)
class Horizon:
    """A horizon and the sentence that says where it comes from.

    Attributes
    ----------
    days : int
    reason : str
    """

    days: int
    reason: str


def choose_horizon(gaps: Iterable[tuple[int, int]], history_days: int) -> Horizon:
    """Choose a horizon in which nine of ten gaps between purchases close.

    Parameters
    ----------
    gaps : iterable of (days, how many)
        Gaps between successive purchase days of one contact.
    history_days : int
        Days from the first purchase to the cut. At most a third of it is looked ahead: training needs windows
        that have closed.

    Returns
    -------
    Horizon

    Raises
    ------
    InputError
        When there is no gap to learn from.

    Examples
    --------
    >>> choose_horizon([(7, 80), (24, 15), (60, 5)], history_days=365)
    Horizon(days=28, reason='90 % of the 100 gaps between purchases closed within 24 days')
    """
    counted = sorted(gaps)
    total = sum(n for _, n in counted)
    if total == 0:
        raise InputError(
            "Nobody has bought twice yet, so no rhythm can be learned.",
            where="[brand] horizon_days",
            how="Say a number of days instead of auto.",
        )
    seen, closed = 0, 0
    for days, n in counted:
        seen, closed = seen + n, days
        if seen >= SHARE * total:
            break
    reason = f"90 % of the {total:,} gaps between purchases closed within {closed} days"
    weeks = -(-closed // 7) * 7
    limit = max(SHORTEST, min(LONGEST, history_days // 3))
    if weeks > limit:
        return Horizon(limit, f"{reason}, and the history of {history_days} days allows {limit}")
    return Horizon(weeks, reason)


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
    days = purchase_days(tables, as_of)
    window = ibis.window(group_by="contact_id", order_by="day")
    paced = days.mutate(gap=days.day.delta(days.day.lag().over(window), unit="day"))
    counts = (
        paced.filter(paced.gap.notnull()).group_by("gap").aggregate(n=ibis._.count()).to_pyarrow().to_pydict()
    )
    first: date | None = days.day.min().to_pyarrow().as_py()
    history = 0 if first is None else (as_of - first).days
    return choose_horizon(zip(counts["gap"], counts["n"], strict=True), history)
