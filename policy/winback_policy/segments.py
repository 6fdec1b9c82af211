"""Segments of the base beside RFM: relationship, tenure, recency, last behaviour, and buyers × clickers.

Every function takes a table with the columns of `SEGMENT_COLUMNS` that it names (all of them features) and returns Ibis
columns; nothing is executed. Days run back from ``as_of``: 1 is the day before.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis

from winback_policy.channels import CHANNELS, worn_out
from winback_policy.dates import days_from

TIERS = ("none", "one_off", "weak", "steady", "strong")
"""Relationships, from no purchase to the strongest."""

TENURE_BANDS = (
    (30, "under_1_month"),
    (90, "1_to_3_months"),
    (365, "3_to_12_months"),
    (1096, "1_to_3_years"),
    (None, "over_3_years"),
)
"""(days below which, name); the last has no end."""

RECENCY_BANDS = (
    (30, "under_30_days"),
    (90, "30_to_90_days"),
    (180, "90_to_180_days"),
    (365, "180_to_365_days"),
    (None, "over_a_year"),
)
"""(days below which, name), of the last purchase."""

BEHAVIOURS = ("purchase", "cart", "service", "click", "visit", "other", "none")
"""Kinds of last behaviour. Of several on one day the first here counts; ``other`` is an answer or an unknown kind."""

CELLS = ("buyer_clicker", "buyer", "clicker", "neither")
"""Buyers × clickers; a buyer who clicks nothing is ``buyer``, a clicker who buys nothing ``clicker``."""

CELL_ACTIONS = ("none", "check_landing_page", "change_channel", "refresh_content", "win_back", "sunset")

SEGMENT_COLUMNS = (
    *("purchase_days", "days_since_purchase", "order_value_mean", "tenure_days"),
    *("days_since_activity", "active_days_90d", "days_since_cart", "days_since_visit"),
    "days_since_service_contact",
    *(
        f"{channel.prefix}_{measure}"
        for channel in CHANNELS
        for measure in ("days_since_click", "clicks_90d", "ignored_in_a_row")
    ),
)


def band(days: Any, bands: tuple[tuple[int | None, str], ...]) -> Any:
    """Return the name of the band that holds a number of days; null where that is unknown."""
    below = [(days < end, name) for end, name in bands if end is not None]
    return ibis.ifelse(days.notnull(), ibis.cases(*below, else_=bands[-1][1]), None)


def tenure_band(t: Any) -> Any:
    """Return how long the contact is known, as one of `TENURE_BANDS`; null where no date is known."""
    return band(t.tenure_days, TENURE_BANDS)


def recency_band(t: Any) -> Any:
    """Return how long ago it bought, as one of `RECENCY_BANDS`; null without a purchase."""
    return band(t.days_since_purchase, RECENCY_BANDS)


def relationship_tier(t: Any, usual_value: Any) -> Any:
    """Return how strong the relationship is.

    Without a purchase ``none``, with one purchase day ``one_off``. Beyond that three things give a point each, and
    two where there is much of them: purchase days (4, 10), tenure (180 days, two years) and the mean order against the
    usual one (as large, twice as large). 0 or 1 point is ``weak``, 2 or 3 ``steady``, 4 to 6 ``strong``. What is unknown
    gives no point.

    Parameters
    ----------
    t : ibis.Table
        With ``purchase_days``, ``tenure_days``, ``order_value_mean``.
    usual_value : float or ibis scalar
        The base's usual order, such as ``t.order_value_mean.median()``.

    Returns
    -------
    ibis string column
        One of `TIERS`.
    """
    points = (
        _reached(t.purchase_days, 4)
        + _reached(t.purchase_days, 10)
        + _reached(t.tenure_days, 180)
        + _reached(t.tenure_days, 730)
        + _reached(t.order_value_mean, usual_value)
        + _reached(t.order_value_mean, 2 * usual_value)
    )
    purchases = t.purchase_days.fill_null(0)
    return ibis.cases(
        (purchases <= 0, "none"),
        (purchases <= 1, "one_off"),
        (points <= 1, "weak"),
        (points <= 3, "steady"),
        else_="strong",
    )


def last_behaviour(t: Any) -> tuple[Any, Any]:
    """Return what the contact last did, and how many days ago.

    Parameters
    ----------
    t : ibis.Table
        With ``days_since_`` purchase, cart, service_contact, visit and activity, and each channel's
        ``_days_since_click``. Opens are no behaviour: machines open mail as well.

    Returns
    -------
    kind : ibis string column
        One of `BEHAVIOURS`.
    days : ibis int64 column
        Null where it never did anything.
    """
    far = 10**6
    clicked = ibis.least(*(t[f"{c.prefix}_days_since_click"].fill_null(far) for c in CHANNELS))
    since = {
        "purchase": t.days_since_purchase.fill_null(far),
        "cart": t.days_since_cart.fill_null(far),
        "service": t.days_since_service_contact.fill_null(far),
        "click": clicked,
        "visit": t.days_since_visit.fill_null(far),
        "other": t.days_since_activity.fill_null(far),
    }
    newest = ibis.least(*since.values())
    kind = ibis.cases((newest == far, "none"), *((days == newest, name) for name, days in since.items()))
    return kind, newest.nullif(far).round().cast("int64")


def clicks_lately(t: Any) -> Any:
    """Say whether the contact answered a message on any channel in the last 90 days."""
    return ibis.or_(*(t[f"{c.prefix}_clicks_90d"].fill_null(0) > 0 for c in CHANNELS))


def buyer_clicker_cell(t: Any, horizon_days: Any) -> Any:
    """Return the contact's place among buyers and clickers.

    Parameters
    ----------
    t : ibis.Table
        With ``days_since_purchase`` and each channel's ``_clicks_90d``.
    horizon_days : int or ibis column
        A buyer bought less than so many days ago.

    Returns
    -------
    ibis string column
        One of `CELLS`.
    """
    bought, clicked = _bought(t, horizon_days), clicks_lately(t)
    return ibis.cases(
        (bought & clicked, "buyer_clicker"), (bought, "buyer"), (clicked, "clicker"), else_="neither"
    )


def cell_action(t: Any, horizon_days: Any, another_channel: Any) -> Any:
    """Return what the contact's place among buyers and clickers asks for.

    ================================================================ ======================
    who                                                              action
    ================================================================ ======================
    clicks, but has bought nothing for a horizon                     ``check_landing_page``
    buys, and clicks or has no message to answer                     ``none``
    ignores a channel, is active elsewhere; another channel is open  ``change_channel``
    ignores a channel, is active elsewhere; none other is open       ``refresh_content``
    nothing anywhere, last active within two horizons                ``win_back``
    nothing anywhere for longer, or ever                             ``sunset``
    ================================================================ ======================

    A channel is ignored from `channels.IGNORED_SENDS` unanswered messages in a row. Who is active, buys nothing
    and was hardly written to is to be won back as well.

    Parameters
    ----------
    t : ibis.Table
        With the columns of `buyer_clicker_cell`, ``days_since_activity``, ``active_days_90d`` and each channel's
        ``_ignored_in_a_row``.
    horizon_days : int or ibis column
    another_channel : ibis bool column
        Whether a permitted channel is not ignored.

    Returns
    -------
    ibis string column
        One of `CELL_ACTIONS`.
    """
    bought, clicked = _bought(t, horizon_days), clicks_lately(t)
    active = bought | (t.active_days_90d.fill_null(0) > 0)
    ignores = ibis.or_(*(worn_out(t, channel) for channel in CHANNELS))
    within_reach = (t.days_since_activity < 2 * horizon_days).fill_null(False)
    return ibis.cases(
        (clicked & ~bought, "check_landing_page"),
        (clicked | (bought & ~ignores), "none"),
        (active & ignores & another_channel, "change_channel"),
        (active & ignores, "refresh_content"),
        (active | within_reach, "win_back"),
        else_="sunset",
    )


def described(t: Any, as_of: date, usual_value: Any, another_channel: Any) -> dict[str, Any]:
    """Return what the list says of every contact beside its RFM segment.

    Parameters
    ----------
    t : ibis.Table
        With `SEGMENT_COLUMNS` and ``horizon_days``.
    as_of : date
    usual_value : float or ibis scalar
        As for `relationship_tier`.
    another_channel : ibis bool column
        As for `cell_action`.

    Returns
    -------
    dict of str to ibis column
        ``relationship_tier``, ``tenure_days``, ``tenure_band``, ``recency_band``, ``last_behaviour``,
        ``last_behaviour_on`` (date), ``buyer_clicker_cell``, ``cell_action``.
    """
    kind, days = last_behaviour(t)
    return {
        "relationship_tier": relationship_tier(t, usual_value),
        "tenure_days": t.tenure_days.round(),
        "tenure_band": tenure_band(t),
        "recency_band": recency_band(t),
        "last_behaviour": kind,
        "last_behaviour_on": days_from(as_of, -days),
        "buyer_clicker_cell": buyer_clicker_cell(t, t.horizon_days),
        "cell_action": cell_action(t, t.horizon_days, another_channel),
    }


def _bought(t: Any, horizon_days: Any) -> Any:
    return (t.days_since_purchase < horizon_days).fill_null(False)


def _reached(value: Any, least: Any) -> Any:
    return ibis.ifelse((value >= least).fill_null(False), 1, 0)
