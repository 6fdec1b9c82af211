"""Waits for the next purchase, counted by length, as rates, curves and bars."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from winback_features.kaplan_meier import KaplanMeier, kaplan_meier

RATE_DAYS = (30, 60, 90, 180, 365)
"""Days at which rates are read off a curve."""

LINES = (0.5, 0.75, 0.9)
"""Shares of the gaps for which the day is told by which they have closed."""

CURVE_STEP, CURVE_DAYS = 7, 728
"""A curve has a point a week, for two years at most."""

BIN_DAYS = (1, 2, 7, 14, 28, 91)
MOST_BINS = 40
"""Bars of gaps are so many days wide: the least of these with which 40 bars hold 99 % of the gaps."""

DIGITS = 6

Waits = Mapping[bool, Mapping[int, int]]
"""Whether closed -> length in days -> how many."""


def rounded(value: float | None) -> float | None:
    """Return a figure as it is published."""
    return None if value is None else round(value, DIGITS)


def _rate(curve: KaplanMeier, day: int) -> dict[str, Any]:
    found = curve.after(day)
    told = {k: rounded(getattr(found, k)) if found else None for k in ("rate", "low", "high")}
    return {"days": day, **told, "at_risk": found.at_risk if found else 0}


def _closed_quantile(closed: Mapping[int, int], share: float) -> int | None:
    """Return the first day by which at least ``share`` of the closed gaps had closed."""
    return kaplan_meier(closed, {}).quantile(share) if closed else None


def next_order(counted: Waits) -> dict[str, Any]:
    """Say how many go on to the next order, and how fast.

    Parameters
    ----------
    counted : mapping
        Waits of contacts with that order for the next: closed ones and open ones.

    Returns
    -------
    dict
        ``contacts``, ``next`` (those with a next order by now), ``naive_rate`` (their share: too low while waits are
        open), ``median_days`` (of those that came), ``km_median_days`` (of all; None where fewer than half come
        within the time watched) and ``rates`` (Kaplan-Meier, with 95 % intervals, at `RATE_DAYS`).
    """
    came, total = sum(counted[True].values()), sum(sum(c.values()) for c in counted.values())
    curve = kaplan_meier(counted[True], counted[False])
    return {
        "contacts": total,
        "next": came,
        "naive_rate": rounded(came / total) if total else None,
        "median_days": _closed_quantile(counted[True], 0.5),
        "km_median_days": curve.quantile(0.5),
        "rates": [_rate(curve, day) for day in RATE_DAYS],
    }


def weekly_curve(counted: Waits) -> list[dict[str, Any]]:
    """Return the curve in steps of a week, as far as it was watched."""
    curve = kaplan_meier(counted[True], counted[False])
    last = min(curve.last_day, CURVE_DAYS)
    return [_rate(curve, day) for day in range(0, last + 1, CURVE_STEP)]


def gap_distribution(counted: Waits) -> dict[str, Any]:
    """Show how long gaps are: bars of the closed ones, and the days by which half, 75 % and 90 % have closed.

    Returns
    -------
    dict
        ``closed``, ``open`` (how many), ``bin_days``, ``bins`` (``from``, ``to`` in days, both included, ``gaps``,
        ``share`` of the closed; the last bin goes on to the longest gap) and ``lines`` (``share``, ``closed_days`` of the
        closed gaps alone, ``days`` with the open ones by Kaplan-Meier).
    """
    closed = counted[True]
    n = sum(closed.values())
    bulk = _closed_quantile(closed, 0.99) or 1
    width = next((w for w in BIN_DAYS if bulk <= w * MOST_BINS), BIN_DAYS[-1])
    tops = min(-(-bulk // width), MOST_BINS)
    sums = [0] * (tops + 1)
    for day, count in closed.items():
        sums[min((day - 1) // width, tops)] += count
    longest = max(closed, default=0)
    ends = [width * (k + 1) for k in range(tops)] + [longest]
    bins = [
        {"from": width * k + 1, "to": ends[k], "gaps": gaps, "share": rounded(gaps / n)}
        for k, gaps in enumerate(sums)
        if n and (k < tops or gaps)
    ]
    curve = kaplan_meier(closed, counted[False])
    lines = [
        {"share": q, "closed_days": _closed_quantile(closed, q), "days": curve.quantile(q)} for q in LINES
    ]
    return {
        "closed": n,
        "open": sum(counted[False].values()),
        "bin_days": width,
        "bins": bins,
        "lines": lines,
    }


def pooled(parts: Iterable[Waits]) -> Waits:
    """Add counts of waits."""
    total: dict[bool, dict[int, int]] = {True: defaultdict(int), False: defaultdict(int)}
    for part in parts:
        for closed, counts in part.items():
            for day, n in counts.items():
                total[closed][day] += n
    return total
