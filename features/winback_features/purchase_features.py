"""Purchase features: gaps between purchase days, counts and money in trailing windows, shares, categories.

Orders are summed to contact × day, given the distance to the purchase days beside them by one window, and
summed to contacts. Money is added as decimals and logarithms as integers, so neither the order of the rows
nor the number of threads can change a bit.
"""

from __future__ import annotations

from datetime import date
from math import cos, pi, sin
from typing import TYPE_CHECKING, Any

import ibis

from winback_features.expressions import cut, facts_before, ratio
from winback_features.facts import purchase_orders

if TYPE_CHECKING:
    from winback_features.tables import Tables

DAY_WINDOWS = (7, 14, 30, 60, 90, 180, 365)
SPEND_WINDOWS = (30, 90, 180, 365)
YEAR_DAYS = 365.25
LOG_SCALE = 1e6
MIX_SCALE = 1e9


def classified_orders(tables: Tables, as_of: date) -> ibis.Table:
    """Say of every order before ``as_of`` what it was as far as one could know then.

    Returns
    -------
    ibis.Table
        The columns of ``orders``, ``age`` and the booleans ``cancelled`` (netted by a later order before
        ``as_of``), ``purchase`` (positive or unknown amount, not cancelled), ``negative``.
    """
    orders = facts_before(tables.orders, as_of)
    cancelled = (orders.cancelled_on < cut(as_of)).fill_null(False)
    positive = (orders.amount > 0).fill_null(True)
    return orders.mutate(
        cancelled=cancelled,
        purchase=positive & ~cancelled,
        negative=(orders.amount < 0).fill_null(False),
    )


def daily_purchases(orders: ibis.Table) -> ibis.Table:
    """Sum classified orders to contact × day and measure the gaps between purchase days.

    Returns
    -------
    ibis.Table
        One row per contact × day with any order. ``bought`` says whether it is a purchase day; on those rows
        ``gap`` (days since the previous purchase day), ``mix`` ((M − ½)² of this gap and the one before it,
        times 1e9) and ``is_last`` are set.
    """

    def n(condition: Any) -> Any:
        return condition.cast("int64").sum()

    daily = orders.group_by("contact_id", "age").aggregate(
        orders=n(orders.purchase),
        spend=orders.amount.sum(where=orders.purchase),
        zero_orders=n((orders.amount == 0).fill_null(False)),
        returns=n(orders.negative) - n(orders.cancelled),
        returned=orders.amount.sum(where=orders.negative | orders.cancelled),
        discount_known=n(orders.purchase & orders.discount.notnull()),
        discounts=n(orders.purchase & (orders.discount > 0).fill_null(False)),
        coupon_known=n(orders.purchase & orders.coupon.notnull()),
        coupons=n(orders.purchase & orders.coupon.fill_null(False)),
        gift_known=n(orders.purchase & orders.is_gift.notnull()),
        gifts=n(orders.purchase & orders.is_gift.fill_null(False)),
    )
    daily = daily.mutate(bought=daily.orders > 0)
    in_order = ibis.window(group_by=[daily.contact_id, daily.bought], order_by=ibis.desc(daily.age))
    daily = daily.mutate(
        previous=ibis.ifelse(daily.bought, daily.age.lag().over(in_order), ibis.null("int64")),
        before_previous=ibis.ifelse(daily.bought, daily.age.lag(2).over(in_order), ibis.null("int64")),
        is_last=daily.bought & daily.age.lead().over(in_order).isnull(),
    )
    gap, gap_before = daily.previous - daily.age, daily.before_previous - daily.previous
    off_centre = (gap_before - gap).cast("float64") / (gap_before + gap).cast("float64") / 2.0
    return daily.mutate(
        gap=gap,
        gap_log=(gap.cast("float64").ln() * LOG_SCALE).round().cast("int64"),
        mix=(off_centre * off_centre * MIX_SCALE).round().cast("int64"),
    )


def _totals(daily: ibis.Table) -> ibis.Table:
    """Sum contact × day to contacts: integers, decimals and days only."""
    bought, age, spend = daily.bought, daily.age, daily.spend
    after_first = bought & daily.previous.notnull()
    windows = {f"purchase_days_{w}d": (bought & (age <= w)).cast("int64").sum() for w in DAY_WINDOWS}
    money = {f"spend_{w}d": spend.sum(where=age <= w) for w in SPEND_WINDOWS}
    sums = {
        name: daily[name].sum()
        for name in (
            *("orders", "zero_orders", "returns", "returned", "discount_known", "discounts"),
            *("coupon_known", "coupons", "gift_known", "gifts"),
        )
    }
    return daily.group_by("contact_id").aggregate(
        purchase_days=bought.cast("int64").sum(),
        first_age=age.max(where=bought),
        last_age=age.min(where=bought),
        gap_median=daily.gap.median(),
        gap_max=daily.gap.max(),
        gap_last=daily.gap.max(where=daily.is_last),
        gaps=daily.gap.count(),
        gap_squares=(daily.gap * daily.gap).sum(),
        log_sum=daily.gap_log.sum(),
        log_squares=(daily.gap_log * daily.gap_log).sum(),
        mixes=daily.mix.count(),
        mix_sum=daily.mix.sum(),
        spend_total=spend.sum(),
        spend_days=spend.count(),
        repeat_spend=spend.sum(where=after_first),
        repeat_spend_days=spend.count(where=after_first),
        order_value_last=spend.max(where=daily.is_last),
        purchase_days_same_season_last_year=(bought & (age <= 365) & (age > 335)).cast("int64").sum(),
        **windows,
        **money,
        **sums,
    )


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


def assortment_features(tables: Tables, as_of: date) -> ibis.Table:
    """Count the categories bought, and name the one with most money on the last purchase day.

    Only lines of purchases count, so a cancelled order leaves no category.

    Returns
    -------
    ibis.Table
        ``contact_id``, ``category_breadth``, ``last_category``: contacts with at least one known category.
    """
    bought = purchase_orders(tables, as_of).select("contact_id", "order_id", "day")
    last = bought.group_by("contact_id").aggregate(last_day=bought.day.max())
    bought = bought.inner_join(last, "contact_id")
    lines = tables.lines.filter(tables.lines.category.notnull())
    lines = lines.inner_join(bought, ["contact_id", "order_id", "day"])
    on_last = lines.day == lines.last_day
    each = lines.group_by("contact_id", "category").aggregate(
        on_last=on_last.any(), money=lines.amount.sum(where=on_last).fill_null(0)
    )
    by_contact = ibis.window(group_by=each.contact_id)
    each = each.mutate(most=each.money.max(where=each.on_last).over(by_contact))
    return each.group_by("contact_id").aggregate(
        category_breadth=each.count(),
        last_category=each.category.min(where=each.on_last & (each.money == each.most)),
    )


def season(as_of: date) -> dict[str, Any]:
    """Return the cut's place on the circle of the year: the same two doubles for every contact."""
    angle = 2.0 * pi * (as_of.timetuple().tm_yday - 1) / YEAR_DAYS
    # Written as text: DuckDB reads a bare 0.5 as a decimal.
    return {
        "season_sin": ibis.literal(repr(sin(angle))).cast("float64"),
        "season_cos": ibis.literal(repr(cos(angle))).cast("float64"),
    }


def purchase_features(tables: Tables, as_of: date) -> ibis.Table:
    """Build the purchase features of every contact with an order before ``as_of``.

    Parameters
    ----------
    tables : Tables
    as_of : date
        Only orders of days strictly before it are used; an order cancelled before it counts as never placed.

    Returns
    -------
    ibis.Table
        ``contact_id`` and the features of group ``purchase`` in `winback_features.dictionary.FEATURES`, but
        for those of `season` and `assortment_features`.

    References
    ----------
    Wheat, R. D. and Morrison, D. G. (1990). Estimating purchase regularity with two interpurchase times.
    Journal of Marketing Research 27(1), 87–93: gaps of Gamma shape k make M = g1 / (g1 + g2) a Beta(k, k),
    whose variance 1 / (4 (2k + 1)) gives k. Four observations of k = 1 (variance 1/12) are added as a prior.
    """
    t = _totals(daily_purchases(classified_orders(tables, as_of)))
    returned = (-t.returned).fill_null(0)
    kept = ("purchase_days", "gap_median", "gap_max", "gap_last", "orders", "zero_orders", "returns")
    return t.select(
        "contact_id",
        *kept,
        *(f"purchase_days_{w}d" for w in DAY_WINDOWS),
        *(f"spend_{w}d" for w in SPEND_WINDOWS),
        "spend_total",
        "order_value_last",
        "purchase_days_same_season_last_year",
        frequency=(t.purchase_days - 1).nullif(-1),
        recency_days=t.first_age - t.last_age,
        T_days=t.first_age,
        days_since_purchase=t.last_age,
        **_gap_features(t),
        monetary_value=ratio(t.repeat_spend, t.repeat_spend_days),
        order_value_mean=ratio(t.spend_total, t.spend_days),
        return_share=ratio(t.returns, t.orders + t.returns),
        return_amount_share=ratio(returned, t.spend_total.fill_null(0) + returned),
        first_order_silence_days=ibis.ifelse(t.purchase_days == 1, t.last_age, ibis.null("int64")),
        discount_share=ratio(t.discounts, t.discount_known),
        coupon_share=ratio(t.coupons, t.coupon_known),
        gift_share=ratio(t.gifts, t.gift_known),
    )
