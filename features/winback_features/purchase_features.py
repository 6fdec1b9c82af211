"""Features of purchase days: how often, how long ago, how regular the gaps are, how much a day brings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date

import numpy as np

from winback_features.fact_arrays import MONEY_UNITS, Orders
from winback_features.segments import Bools, Floats, Ints, Segments, changes, known, pairs, ratio, sums

DAY_WINDOWS = (7, 14, 30, 60, 90, 180, 365)
LAST_PURCHASES = (2, 3, 5, 10)
DECAY_DAYS = (7, 30, 90, 365)
SPEND_DECAY_DAYS = (30, 180)
LOG_SCALE = 1e6
MIX_SCALE = 1e9
DECAY_SCALE = 1e9
SPEND_DECAY_SCALE = 1e4


def purchase_features(orders: Orders) -> dict[str, Floats | Ints]:
    """Build the features of purchase days; arrays of shape (contacts,), NaN where there is nothing to say.

    References
    ----------
    Wheat, R. D. and Morrison, D. G. (1990). Estimating purchase regularity with two interpurchase times.
    Journal of Marketing Research 27(1), 87–93: gaps of Gamma shape k make M = g1 / (g1 + g2) a Beta(k, k),
    whose variance 1 / (4 (2k + 1)) gives k. Four observations of k = 1 (variance 1/12) are added as a prior.
    """
    days, age, spend, priced = purchase_days(orders)
    first_age, last_age = days.last(age), days.first(age)
    n = days.count()
    back = days.ordinal() + 1
    older = np.append(age[1:], 0)
    gap = older - age
    repeat = back < n[days.contact]  # there is a purchase day before this one
    found: dict[str, Floats | Ints] = {
        "purchase_days": n,
        "frequency": known(n - 1, n > 0),
        "recency_days": first_age - last_age,
        "T_days": first_age,
        "days_since_purchase": last_age,
        "first_order_silence_days": known(last_age, n == 1),
        "order_value_last": days.first(known(spend, priced)) / MONEY_UNITS,
        "order_value_mean": ratio(days.total(spend) / MONEY_UNITS, days.count(priced)),
        "monetary_value": ratio(
            days.total(np.where(repeat, spend, 0)) / MONEY_UNITS, days.count(repeat & priced)
        ),
        "purchase_days_same_season_last_year": days.count((age <= 365) & (age > 335)),
    }
    for w in DAY_WINDOWS:
        found[f"purchase_days_{w}d"] = days.count(age <= w)
    for k in LAST_PURCHASES:
        found[f"days_since_last_{k}_purchases"] = days.last(age, back == k)
    for w in DECAY_DAYS:
        faded = np.floor(_fading(age, w) * DECAY_SCALE + 0.5).astype(np.int64)
        found[f"purchase_days_decayed_{w}d"] = days.total(faded) / DECAY_SCALE
    money = spend / MONEY_UNITS
    for w in SPEND_DECAY_DAYS:
        faded = np.floor(_fading(age, w) * money * SPEND_DECAY_SCALE + 0.5).astype(np.int64)
        found[f"spend_decayed_{w}d"] = days.total(faded) / SPEND_DECAY_SCALE
    return found | _gap_features(Segments(days.contact[repeat], days.n), gap[repeat], first_age, last_age)


def purchase_days(orders: Orders) -> tuple[Segments, Ints, Ints, Bools]:
    """Sum purchases to contact × day: the days, their age, their spend, and whether any amount of the day is known."""
    bought = orders.bought
    contact, age = orders.rows.contact[bought], orders.age[bought]
    starts = np.flatnonzero(changes(contact, age))
    spend, priced = sums(orders.amount[bought], starts), sums(orders.priced[bought].astype(np.int64), starts)
    return Segments(contact[starts], orders.rows.n), age[starts], spend, priced > 0


def _gap_features(gaps: Segments, gap: Ints, first_age: Floats, last_age: Floats) -> dict[str, Floats | Ints]:
    """Turn the gaps, newest first, into means, spreads, trend, regularity and silence over own gaps."""
    n = gaps.count()
    some, several = n > 0, n >= 2
    total, count = first_age - last_age, n.astype(np.float64)
    squares = gaps.total(gap * gap)
    gap_last = gaps.first(gap)
    mean = ratio(total, n)
    median = _median(gaps, gap)
    longest = np.full(gaps.n, np.nan)
    if len(gap):
        longest[some] = np.maximum.reduceat(gap, gaps.start[some])
    logs = np.floor(_log(gap) * LOG_SCALE + 0.5).astype(np.int64)
    log_mean = ratio(gaps.total(logs), n)
    log_variance = np.maximum(ratio(gaps.total(logs * logs), n) - log_mean * log_mean, 0.0)
    # A gap and the one before it: the next row, where that is the same contact's.
    before = np.append(gap[1:], 0)
    pair = gaps.ordinal() + 1 < n[gaps.contact]
    off_centre = (before - gap) / np.where(pair, before + gap, 1) / 2.0
    mix = np.where(pair, np.floor(off_centre * off_centre * MIX_SCALE + 0.5), 0.0).astype(np.int64)
    variance = (gaps.total(mix) / MIX_SCALE + 4.0 / 12.0) / (gaps.count(pair) + 4.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.sqrt((count * squares - total * total) / (count * (count - 1.0)))
        return {
            "gap_mean": mean,
            "gap_median": median,
            "gap_max": longest,
            "gap_last": gap_last,
            "gap_sd": known(spread, several),
            "gap_trend": known(gap_last / ratio(total - gap_last, n - 1), several),
            "gap_log_mean": log_mean / LOG_SCALE,
            "gap_log_sd": known(np.sqrt(log_variance) / LOG_SCALE, some),
            "silence_over_gap_mean": ratio(last_age, mean),
            "silence_over_gap_median": ratio(last_age, median),
            "silence_over_gap_max": ratio(last_age, longest),
            "regularity_k": known((1.0 - 4.0 * variance) / (8.0 * variance), several),
        }


def _median(gaps: Segments, gap: Ints) -> Floats:
    rising = np.sort(pairs(gaps.contact, gap)) & 0xFFFFFFFF
    n = gaps.count()
    some = n > 0
    middle = np.full(gaps.n, np.nan)
    low, high = gaps.start + (n - 1) // 2, gaps.start + n // 2
    middle[some] = (rising[low[some]] + rising[high[some]]) / 2.0
    return middle


def _fading(age: Ints, days: int) -> Floats:
    """Return ``exp(-age / days)``, asked once for each age there can be."""
    return np.array([math.exp(-a / days) for a in range(int(age.max(initial=0)) + 1)])[age]


def _log(gap: Ints) -> Floats:
    """Return the logarithm of gaps of whole days, 1 at least."""
    return np.array([0.0, *map(math.log, range(1, int(gap.max(initial=0)) + 1))])[gap]


def closed_days(silence: Floats, closed: Sequence[tuple[date, date]], as_of: date) -> Floats:
    """Return how many days after the last purchase and before ``as_of`` the shop was closed.

    Parameters
    ----------
    silence : ndarray of float64
        Days from the last purchase day to ``as_of``; NaN where there is none.
    closed : sequence of (first day, day after the last)
        Periods that do not overlap.
    as_of : date
    """
    total = silence * 0
    for first, after in closed:
        newest, oldest = max((as_of - after).days, 0), (as_of - first).days
        if oldest > newest:
            total = total + np.maximum(np.minimum(silence - 1, oldest) - newest, 0)
    return total
