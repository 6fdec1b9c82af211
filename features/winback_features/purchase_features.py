"""Features of purchase days: how often, how long ago, how regular the gaps are, how much a day brings.

Purchases are summed to contact × day, given the distance to the purchase days before by one window, and summed
to contacts. Money is added as decimals and logarithms as integers, so neither the order of the rows nor the
number of threads can change a bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import ibis

from winback_features.expressions import facts_before, ratio
from winback_features.facts import purchase_days

if TYPE_CHECKING:
    from winback_features.tables import Tables

DAY_WINDOWS = (7, 14, 30, 60, 90, 180, 365)
LAST_PURCHASES = (2, 3, 5, 10)
DECAY_DAYS = (7, 30, 90, 365)
SPEND_DECAY_DAYS = (30, 180)
LOG_SCALE = 1e6
MIX_SCALE = 1e9
DECAY_SCALE = 1e9
SPEND_DECAY_SCALE = 1e4


def purchase_gaps(tables: Tables, as_of: date) -> ibis.Table:
    """Measure the gaps between successive purchase days.

    Returns
    -------
    ibis.Table
        One row per contact × purchase day before ``as_of``: ``contact_id``, ``age``, ``spend`` (null when
        unknown), ``is_last``, ``back`` (1 for the last purchase day, 2 for the one before it …); and, null where there is
        none, ``gap`` (days since the purchase day before), ``gap_log`` (its logarithm times 1e6), ``mix`` ((M − ½)² of the
        gap before and this one, times 1e9; see `purchase_features`).
    """
    days = facts_before(purchase_days(tables, as_of), as_of)
    # One order for all: a window that runs the other way would sort everything again.
    newest_first = ibis.window(group_by=days.contact_id, order_by=days.age)
    days = days.select(
        "contact_id",
        "age",
        spend=days.amount,
        previous=days.age.lead().over(newest_first),
        before_previous=days.age.lead(2).over(newest_first),
        back=ibis.row_number().over(newest_first) + 1,
    )
    days = days.mutate(is_last=days.back == 1)
    gap, gap_before = days.previous - days.age, days.before_previous - days.previous
    off_centre = (gap_before - gap).cast("float64") / (gap_before + gap).cast("float64") / 2.0
    return days.select(
        "contact_id",
        "age",
        "spend",
        "is_last",
        "back",
        gap=gap,
        gap_log=(gap.cast("float64").ln() * LOG_SCALE).round().cast("int64"),
        mix=(off_centre * off_centre * MIX_SCALE).round().cast("int64"),
    )


def _totals(days: ibis.Table) -> ibis.Table:
    """Sum contact × day to contacts: integers, decimals and days only."""
    age, gap, spend = days.age, days.gap, days.spend
    repeat = gap.notnull()
    return days.group_by("contact_id").aggregate(
        purchase_days=days.count(),
        first_age=age.max(),
        last_age=age.min(),
        gaps=gap.count(),
        gap_median=gap.median(),
        gap_max=gap.max(),
        gap_last=gap.max(where=days.is_last),
        gap_squares=(gap * gap).sum(),
        log_sum=days.gap_log.sum(),
        log_squares=(days.gap_log * days.gap_log).sum(),
        mixes=days.mix.count(),
        mix_sum=days.mix.sum(),
        spend_sum=spend.sum(),
        spend_days=spend.count(),
        repeat_spend=spend.sum(where=repeat),
        repeat_spend_days=spend.count(where=repeat),
        order_value_last=spend.max(where=days.is_last),
        purchase_days_same_season_last_year=days.count(where=(age <= 365) & (age > 335)),
        **{f"purchase_days_{w}d": days.count(where=age <= w) for w in DAY_WINDOWS},
        **{f"days_since_last_{n}_purchases": age.max(where=days.back == n) for n in LAST_PURCHASES},
        **{f"purchase_days_decayed_{w}d": _decayed(1.0, age, w, DECAY_SCALE) for w in DECAY_DAYS},
        **{
            f"spend_decayed_{w}d": _decayed(spend.cast("float64"), age, w, SPEND_DECAY_SCALE)
            for w in SPEND_DECAY_DAYS
        },
    )


def _decayed(what: Any, age: Any, days: int, scale: float) -> Any:
    """Sum what happened, faded by ``exp(-age / days)``, in whole ``1 / scale``: in any order the same."""
    return ((-age.cast("float64") / float(days)).exp() * what * scale).round().cast("int64").sum()


def _gap_features(t: ibis.Table) -> dict[str, Any]:
    """Turn the sums over gaps into means, spreads, trend, regularity and silence over own gaps."""
    n, total = t.gaps.cast("float64"), (t.first_age - t.last_age).cast("float64")
    squares, mean = t.gap_squares.cast("float64"), ratio(t.first_age - t.last_age, t.gaps)
    several = t.gaps >= 2
    log_mean = ratio(t.log_sum, t.gaps)
    log_variance = ibis.greatest(ratio(t.log_squares, t.gaps) - log_mean * log_mean, ibis.literal(0.0))
    variance = (t.mix_sum.cast("float64") / MIX_SCALE + 4.0 / 12.0) / (t.mixes.cast("float64") + 4.0)
    null = ibis.null("float64")
    return {
        "gap_mean": mean,
        "gap_sd": ibis.ifelse(
            several, ((n * squares - total * total) / (n * (n - 1.0)).nullif(0.0)).sqrt(), null
        ),
        "gap_trend": ibis.ifelse(
            several, t.gap_last.cast("float64") / ratio(total - t.gap_last, n - 1.0), null
        ),
        "gap_log_mean": log_mean / LOG_SCALE,
        "gap_log_sd": ibis.ifelse(t.gaps > 0, log_variance.sqrt() / LOG_SCALE, null),
        "silence_over_gap_mean": ratio(t.last_age, mean),
        "silence_over_gap_median": ratio(t.last_age, t.gap_median),
        "silence_over_gap_max": ratio(t.last_age, t.gap_max),
        "regularity_k": ibis.ifelse(several, (1.0 - 4.0 * variance) / (8.0 * variance), null),
    }


def closed_days(silence: Any, closed: Sequence[tuple[date, date]], as_of: date) -> Any:
    """Return how many days after the last purchase and before ``as_of`` the shop was closed.

    Parameters
    ----------
    silence : ibis integer column
        Days from the last purchase day to ``as_of``.
    closed : sequence of (first day, day after the last)
        Periods that do not overlap.
    as_of : date
    """
    total = silence * 0
    for first, after in closed:
        newest, oldest = max((as_of - after).days, 0), (as_of - first).days
        if oldest > newest:
            total = total + ibis.greatest(ibis.least(silence - 1, oldest) - newest, 0)
    return total


def purchase_features(tables: Tables, as_of: date) -> ibis.Table:
    """Build the features of purchase days, for every contact with one before ``as_of``.

    Parameters
    ----------
    tables : Tables
    as_of : date
        Only orders of days strictly before it are used; an order cancelled before it counts as never placed.

    Returns
    -------
    ibis.Table
        ``contact_id`` and the features of group ``purchase`` that do not come from
        `winback_features.order_features`.

    References
    ----------
    Wheat, R. D. and Morrison, D. G. (1990). Estimating purchase regularity with two interpurchase times.
    Journal of Marketing Research 27(1), 87–93: gaps of Gamma shape k make M = g1 / (g1 + g2) a Beta(k, k),
    whose variance 1 / (4 (2k + 1)) gives k. Four observations of k = 1 (variance 1/12) are added as a prior.
    """
    t = _totals(purchase_gaps(tables, as_of))
    return t.select(
        "contact_id",
        "purchase_days",
        "gap_median",
        "gap_max",
        "gap_last",
        "order_value_last",
        "purchase_days_same_season_last_year",
        *(f"purchase_days_{w}d" for w in DAY_WINDOWS),
        frequency=t.purchase_days - 1,
        recency_days=t.first_age - t.last_age,
        T_days=t.first_age,
        days_since_purchase=t.last_age,
        closed_days_in_silence=closed_days(t.last_age, tables.closed, as_of),
        first_order_silence_days=ibis.ifelse(t.purchase_days == 1, t.last_age, ibis.null("int64")),
        **{n: t[n] for n in (f"days_since_last_{k}_purchases" for k in LAST_PURCHASES)},
        **{
            n: t[n].cast("float64") / DECAY_SCALE for n in (f"purchase_days_decayed_{w}d" for w in DECAY_DAYS)
        },
        **{
            n: t[n].fill_null(0).cast("float64") / SPEND_DECAY_SCALE
            for n in (f"spend_decayed_{w}d" for w in SPEND_DECAY_DAYS)
        },
        monetary_value=ratio(t.repeat_spend, t.repeat_spend_days),
        order_value_mean=ratio(t.spend_sum, t.spend_days),
        **_gap_features(t),
    )
