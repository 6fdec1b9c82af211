"""What a base's gaps say against a horizon, or against winning back at all: one rule for each sentence.

All rules read counts that one query gives, whatever the number of orders. A gap that is still open is counted by the product
limit of Kaplan & Meier: it is known to be at least as long as the silence so far.

References
----------
Kaplan & Meier (1958), J. of the American Statistical Association 53(282); Greenwood (1926) for the variance.
Wheat & Morrison (1990), "Estimating purchase regularity with two interpurchase times", J. of Marketing Research 27(1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, sqrt

import numpy as np

from winback_features.kaplan_meier import kaplan_meier

SHARE = 0.9
YEAR = 365

MIN_GAPS = 30
"""From fewer gaps the point by which nine of ten have closed is known to no better than eleven of a hundred (95 %)."""

LOW_REPEAT = 0.10
"""Below it nine of ten buyers never had a rhythm to fall out of: a second order is a matter of welcome, not of winning back."""

LONGER = 1.25
"""Open gaps are mentioned where they move the nine-of-ten point by more than a quarter."""

SAME_RATE = 0.05
"""Least squared coefficient of variation of the contacts' rates that counts, a spread of 22 %: on five real bases .7 to 4.4."""

SAME_PACE = 0.10
"""Least deviation of the unevenness of gaps from chance that counts: a grocer's was .12, a wholesaler's .37, a music shop's 0."""

YEARLY = (335, 395)
BETWEEN = (150, 305)
YEARLY_SHARE, YEARLY_RISE = 0.10, 2.0
"""Once a year: one gap in ten, and twice the rate of closing of gaps of five to ten months."""

Z95 = 1.96

NONE_SEEN = 3.0
"""Of what was not seen once there are at most so many to expect (95 %): the rule of three (Hanley & Lippman-Hand 1983)."""


@dataclass(frozen=True, slots=True)
class GapCounts:
    """What is counted of a base, in days.

    Attributes
    ----------
    closed : mapping of int to int
        Length of a gap between purchase days -> how many such gaps.
    closed_first : mapping of int to int
        The same for the gaps from the first purchase to the second.
    silent, silent_once : mapping of int to int
        Days since the last purchase -> how many contacts; and those that bought once.
    pairs : int
        Pairs of successive gaps of one contact.
    uneven, uneven_by_chance : float
        Sum over pairs of ((g1 - g2) / (2 (g1 + g2)))², and what it would be if every day were as good as any other.
    frequency, age, frequency_squared, frequency_age, age_squared : int
        Sums over contacts of x, T, x², xT and T².
    """

    closed: Mapping[int, int]
    closed_first: Mapping[int, int] = field(default_factory=dict)
    silent: Mapping[int, int] = field(default_factory=dict)
    silent_once: Mapping[int, int] = field(default_factory=dict)
    pairs: int = 0
    uneven: float = 0.0
    uneven_by_chance: float = 0.0
    frequency: int = 0
    age: int = 0
    frequency_squared: int = 0
    frequency_age: int = 0
    age_squared: int = 0


def rhythm_notices(counts: GapCounts, horizon_days: int | None = None) -> tuple[str, ...]:
    """Return what the user should know before trusting a horizon; empty when there is nothing.

    Parameters
    ----------
    counts : GapCounts
    horizon_days : int, optional
        The horizon itself, where it is known.

    Examples
    --------
    >>> rhythm_notices(GapCounts({30: 4, 60: 1}))
    ('Only 5 gaps between purchases were seen: the usual gap is little more than a guess.',)
    """
    rules = (_few_gaps, _rarely_again, _not_yet_seen, _once_a_year, _memoryless)
    found = [rule(counts) for rule in rules]
    if horizon_days is not None:
        found.append(_too_short(counts, horizon_days))
    return tuple(notice for notice in found if notice)


def closed_by(closed: Mapping[int, int], share: float) -> int:
    """Return the days within which such a share of the gaps had closed.

    >>> closed_by({7: 80, 24: 15, 60: 5}, 0.5), closed_by({7: 80, 24: 15, 60: 5}, 0.9)
    (7, 24)
    """
    wanted, seen = share * sum(closed.values()), 0
    for days in sorted(closed):
        seen += closed[days]
        if seen >= wanted:
            return days
    return max(closed)


def closing(closed: Mapping[int, int], still_open: Mapping[int, int], days: int) -> tuple[float, float]:
    """Return the share of gaps that close within ``days``, and its standard error.

    Examples
    --------
    Of four, one closed after 10 days, one was last seen open after 20, one closed after 30: 1 - 3/4 · 1/2.

    >>> share, error = closing({10: 1, 30: 1}, {20: 1, 40: 1}, days=365)
    >>> round(share, 3), round(error, 3)
    (0.625, 0.286)
    """
    curve = kaplan_meier(closed, still_open)
    step = int(np.searchsorted(curve.days, days, side="right")) - 1
    surviving = float(curve.survival[step]) if step >= 0 else 1.0
    if surviving in (0.0, 1.0):
        return 1.0 - surviving, 0.0
    return 1.0 - surviving, surviving * sqrt(float(curve.spread[step]))


def closing_point(closed: Mapping[int, int], still_open: Mapping[int, int]) -> int:
    """Return by when nine of ten have closed of the gaps that close at all within what can be seen.

    Those of contacts that are gone stay open for ever, so that of all gaps nine of ten may never close.
    """
    curve = kaplan_meier(closed, still_open)
    came = 1.0 - curve.survival
    return int(curve.days[np.argmax(came >= SHARE * came[-1])])


def unevenness(counts: GapCounts) -> tuple[float, float]:
    """Return how uneven successive gaps are against pure chance (1: just as much), and the standard error under chance.

    Given their sum s, the gaps of a memoryless day-by-day process split it evenly over 1..s-1, whatever the contact's rate and
    however long it was watched: ((g1 - g2) / 2s)² is then (1 - 2/s) / 12 on average. A regularity k gives 3 / (2k + 1).
    """
    if counts.uneven_by_chance <= 0.0:
        return 1.0, inf
    # variance of (M - 1/2)² for an even M: 1/180; half as much again, since neighbouring pairs share a gap
    return counts.uneven / counts.uneven_by_chance, 12.0 * sqrt(1.5 / 180.0 / counts.pairs)


def rate_variation(counts: GapCounts) -> tuple[float, float]:
    """Return the squared coefficient of variation of the contacts' purchase rates, and its standard error if there is none.

    By moments: with one daily rate p for all, x is binomial with mean m = pT, and (x - m)² - m (1 - p) sums to 0 but for chance.
    """
    if not (counts.frequency and counts.age):
        return 0.0, inf
    p = counts.frequency / counts.age
    squares = counts.frequency_squared - 2.0 * p * counts.frequency_age + p * p * counts.age_squared
    means = p * p * counts.age_squared
    return (squares - (1.0 - p) * counts.frequency) / means, sqrt(2.0 / means)


def _few_gaps(counts: GapCounts) -> str | None:
    total = sum(counts.closed.values())
    if total >= MIN_GAPS:
        return None
    gaps, were = ("gap", "was") if total == 1 else ("gaps", "were")
    return f"Only {total:,} {gaps} between purchases {were} seen: the usual gap is little more than a guess."


def _rarely_again(counts: GapCounts) -> str | None:
    """Too few buy a second time, and not by chance: the whole 95 % interval of a year lies below the threshold.

    A base that has been watched for less than a year is taken to go on as it began: second orders mostly come sooner than that.
    """
    buyers = sum(counts.closed_first.values()) + sum(counts.silent_once.values())
    watched = min(_watched(counts), YEAR)
    if not watched:
        return None
    share, error = closing(counts.closed_first, counts.silent_once, watched)
    most = share + Z95 * error if share > 0.0 else NONE_SEEN * watched / _waited(counts)
    if 1.0 - (1.0 - min(most, 1.0)) ** (YEAR / watched) >= LOW_REPEAT:
        return None
    within = "a year" if watched == YEAR else f"{watched} days"
    return (
        f"Of {buyers:,} buyers {share:.1%} buy a second time within {within}: most never had a rhythm to lapse from, and "
        "winning back makes little sense. A welcome after the first order reaches more of them."
    )


def _watched(counts: GapCounts) -> int:
    """Return for how many days enough buyers were waited for; 0 where there are too few."""
    seen = 0
    for days in sorted({*counts.closed_first, *counts.silent_once}, reverse=True):
        seen += counts.closed_first.get(days, 0) + counts.silent_once.get(days, 0)
        if seen >= MIN_GAPS:
            return days
    return 0


def _waited(counts: GapCounts) -> int:
    """Return the days that all who bought once were waited for, a year of each at most."""
    return sum(n * min(days, YEAR) for days, n in counts.silent_once.items())


def _not_yet_seen(counts: GapCounts) -> str | None:
    total = sum(counts.closed.values())
    if total < MIN_GAPS or not counts.silent:
        return None
    seen = closing_point(counts.closed, {})
    corrected = closing_point(counts.closed, counts.silent)
    if corrected <= LONGER * seen:
        return None
    return (
        f"Long gaps have had little time to close: with the gaps still open counted, 90 % of those that close take up to "
        f"{corrected} days, not {seen}."
    )


def _once_a_year(counts: GapCounts) -> str | None:
    total, yearly = sum(counts.closed.values()), _within(counts.closed, YEARLY)
    if yearly < max(MIN_GAPS, YEARLY_SHARE * total):
        return None
    if _rate(counts, YEARLY) < YEARLY_RISE * _rate(counts, BETWEEN):
        return None
    return (
        f"{yearly / total:.0%} of the gaps between purchases are about a year long ({YEARLY[0]}–{YEARLY[1]} days): many buy "
        "once a year, and after eleven silent months such a contact is due, not lost."
    )


def _memoryless(counts: GapCounts) -> str | None:
    """Contacts buy at one rate and at no pace: the number of purchases and the silence say nothing.

    Where everybody buys every day there is no chance to tell the gaps from; and a year is a pace, also where gifts between the
    yearly ones make successive gaps as uneven as by chance.
    """
    if sum(counts.closed.values()) < MIN_GAPS or counts.uneven_by_chance <= 0.0 or _once_a_year(counts):
        return None
    variation, error = rate_variation(counts)
    uneven, uneven_error = unevenness(counts)
    rates_differ = variation > max(Z95 * error, SAME_RATE)
    paced = abs(uneven - 1.0) > max(Z95 * uneven_error, SAME_PACE)
    if rates_differ or paced:
        return None
    return (
        "The gaps cannot be told from chance: all contacts seem to buy at one rate, and the time since the last purchase says "
        "nothing of the next. Expect a score that is no better than chance."
    )


def _too_short(counts: GapCounts, horizon_days: int) -> str | None:
    """Who keeps its rhythm is called lapsed in most horizons: one that buys every 60 days in three of four of 14 days."""
    if sum(counts.closed.values()) < MIN_GAPS:
        return None
    usual = closed_by(counts.closed, 0.5)
    if 2 * horizon_days >= usual:
        return None
    ahead = "1 day" if horizon_days == 1 else f"{horizon_days} days"
    return (
        f"The horizon of {ahead} is shorter than half the usual gap of {usual}: most who keep their rhythm buy "
        "nothing within it, and a lapse says little. Look farther ahead where the history allows it."
    )


def _within(lengths: Mapping[int, int], window: tuple[int, int]) -> int:
    return sum(n for days, n in lengths.items() if window[0] <= days <= window[1])


def _rate(counts: GapCounts, window: tuple[int, int]) -> float:
    """Return how many gaps close per gap and day while they are as long as ``window``."""
    ended = _within(counts.closed, window)
    first, last = window
    both = (counts.closed, counts.silent)
    exposed = sum(
        n * (min(days, last) - first + 1) for lengths in both for days, n in lengths.items() if days >= first
    )
    return ended / exposed if exposed else 0.0
