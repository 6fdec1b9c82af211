"""Who may not be flagged, and the first reason why."""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis

from winback_policy.config import PolicyConfig
from winback_policy.definitions import PURCHASE_LAPSED
from winback_policy.stated import left_for_good

YEARLY_DAYS = (330, 400)
"""Mean gap of an occasion buyer, from and to; and no gap is longer than the second."""

NOT_FLAGGED_REASONS = (
    "erased",
    "objected_profiling",
    "staff",
    "hard_bounced",
    "complained",
    "past_retention",
    "consent_undated",
    "consent_expired",
    "soft_bounced",
    "no_consent",
    "left_for_good",
    "open_service_case",
    "cart_open",
    "in_other_journey",
    "recently_active",
    "never_bought",
    "one_time_buyer",
    "no_relationship_basis",
    "gift_buyer",
    "occasion_buyer",
    "lapsed_already",
    "cooldown",
    "low_risk",
    "on_time",
    "not_inactive",
    "left_asleep",
    "over_capacity",
)
"""Every ``not_flagged_reason``, in the order in which they are asked; the first that holds is given."""

HALF_WAY = 0.5
"""Share of a usual gap longer than the horizon that must have passed."""

WEAK_RELATIONSHIP = ("one_time_buyer", "no_relationship_basis")
"""Reasons with an action of their own: lead to the second purchase."""


def within(days: Any, limit: int) -> Any:
    """Say whether something happened in the last ``limit`` days; never where the days are null."""
    return (days <= limit).fill_null(False)


def in_another_conversation(t: Any, config: PolicyConfig) -> Any:
    """Say whether another conversation is going on: an open service case, or a cart left open."""
    in_service = within(t.days_since_service_contact, config.service_days)
    return in_service | within(t.cart_open_days, config.cart_days)


def recently_active(t: Any, config: PolicyConfig) -> Any:
    """Say whether the contact bought, visited or clicked within ``quiet_days``."""
    signs = (t.days_since_purchase, t.days_since_visit, t.days_since_click)
    return ibis.or_(*(within(days, config.quiet_days) for days in signs))


def no_relationship(t: Any, config: PolicyConfig) -> Any:
    """Say whether all purchases lie within ``relationship_days``: one occasion, and no rhythm to be late for."""
    span = t.gap_mean * (t.purchase_days - 1)
    return (span <= config.relationship_days).fill_null(False)


def occasion_buyer(t: Any) -> Any:
    """Say whether the contact buys once a year: for Christmas, for Mother's Day."""
    low, high = YEARLY_DAYS
    return ((t.gap_mean >= low) & (t.gap_mean <= high) & (t.gap_max <= high)).fill_null(False)


def open_silence(t: Any) -> Any:
    """Return the days since the last purchase on which the shop was open."""
    return t.days_since_purchase - t.closed_days_in_silence.fill_null(0.0)


def in_its_time(t: Any, silence: Any, config: PolicyConfig) -> Any:
    """Say whether the contact's own rhythm allows a flag: late or nearly so, or far enough into its usual gap.

    Where the usual gap fits into the horizon, a silent horizon is a lapse, and the risk decides early on. Nobody slower is
    flagged before half the gap: who buys beds has bought them yesterday for years.

    Parameters
    ----------
    t : ibis.Table
        With ``days_overdue``, ``usual_gap_days`` and ``horizon_days``.
    silence : ibis column
        Days since the last purchase, those on which the shop was closed left out.
    config : PolicyConfig
    """
    nearly_late = (t.days_overdue >= -config.lead_days).fill_null(False)
    return nearly_late | far_enough(t, silence, config)


def far_enough(t: Any, silence: Any, config: PolicyConfig) -> Any:
    """Say whether such a share of the usual gap has passed that the contact need not be nearly late; see `in_its_time`."""
    slow = t.usual_gap_days > t.horizon_days
    share = ibis.ifelse(slow, max(config.early_share, HALF_WAY), config.early_share)
    return (silence >= share * t.usual_gap_days).fill_null(False)


def not_yet(t: Any, config: PolicyConfig) -> list[tuple[Any, str]]:
    """Return what the definition of inactive has against a flag, as (condition, reason)."""
    if config.definition != PURCHASE_LAPSED:
        return [(~t.inactive, "not_inactive")]
    return [
        (~(t.p_lapse >= config.enter_p_lapse).fill_null(False), "low_risk"),
        (~in_its_time(t, open_silence(t), config), "on_time"),
    ]


def blocking_reason(t: Any, as_of: date, config: PolicyConfig) -> Any:
    """Return the first reason not to flag a contact that is in no journey today; null where there is none.

    By another definition than ``purchase_lapsed@1`` contacts that never bought and long lapsed ones may be flagged too.

    Parameters
    ----------
    t : ibis.Table
        From `gather`, with ``channel_number``, ``closed_by`` (what closed the last channel), ``leaving`` (today's
        exit reason), ``asleep_since``, ``inactive`` (by the definition), ``stated_reason`` (as it stands) and
        ``leave_asleep`` (`ranking.with_uplift`).
    as_of : date
    config : PolicyConfig

    Returns
    -------
    ibis string column
        One of `NOT_FLAGGED_REASONS` save ``over_capacity``, which only a comparison of contacts can tell.
    """
    cooling = t.leaving.notnull() | (t.previous_cooldown_until > ibis.literal(as_of)).fill_null(False)
    by_purchases = ibis.literal(config.definition == PURCHASE_LAPSED)
    return ibis.cases(
        (t.erased, "erased"),
        (t.objected_profiling, "objected_profiling"),
        (t.is_staff, "staff"),
        (t.hard_bounced, "hard_bounced"),
        (t.complained, "complained"),
        (t.channel_number.isnull(), t.closed_by.fill_null("no_consent")),
        (left_for_good(t), "left_for_good"),
        (within(t.days_since_service_contact, config.service_days), "open_service_case"),
        (within(t.cart_open_days, config.cart_days), "cart_open"),
        (within(t.days_since_incentive, config.offer_days), "in_other_journey"),
        (recently_active(t, config), "recently_active"),
        (by_purchases & (t.base == "never_bought"), "never_bought"),
        (t.base == "one_time", "one_time_buyer"),
        (no_relationship(t, config), "no_relationship_basis"),
        ((t.gift_share >= config.gift_share).fill_null(False), "gift_buyer"),
        (occasion_buyer(t), "occasion_buyer"),
        ((by_purchases & (t.base == "lapsed")) | t.asleep_since.notnull(), "lapsed_already"),
        (cooling, "cooldown"),
        *not_yet(t, config),
        (t.leave_asleep, "left_asleep"),
        else_=None,
    )
