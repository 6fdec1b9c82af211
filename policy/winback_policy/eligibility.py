"""Who may not be flagged, and the first reason why."""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis

from winback_policy.config import PolicyConfig

NOT_FLAGGED_REASONS = (
    "erased",
    "objected_profiling",
    "staff",
    "hard_bounced",
    "no_consent",
    "complained",
    "open_service_case",
    "cart_open",
    "recently_active",
    "never_bought",
    "one_time_buyer",
    "lapsed_already",
    "cooldown",
    "low_risk",
    "on_time",
    "over_capacity",
)
"""Every ``not_flagged_reason``, in the order in which they are asked; the first that holds is given."""


def within(days: Any, limit: int) -> Any:
    """Say whether something happened in the last ``limit`` days; never where the days are null."""
    return (days <= limit).fill_null(False)


def at_peace(t: Any, config: PolicyConfig) -> Any:
    """Say whether another conversation is going on: an open service case, or a cart left open."""
    in_service = within(t.days_since_service_contact, config.service_days)
    return in_service | within(t.cart_open_days, config.cart_days)


def recently_active(t: Any, config: PolicyConfig) -> Any:
    """Say whether the contact bought, visited or clicked within ``quiet_days``."""
    signs = (t.days_since_purchase, t.days_since_visit, t.days_since_click)
    return ibis.or_(*(within(days, config.quiet_days) for days in signs))


def blocking_reason(t: Any, as_of: date, config: PolicyConfig) -> Any:
    """Return the first reason not to flag a contact that is in no journey today; null where there is none.

    Parameters
    ----------
    t : ibis.Table
        From `gather`, with ``channel_number``, ``leaving`` (today's exit reason) and ``asleep``
        (in ``sunset``).
    as_of : date
    config : PolicyConfig

    Returns
    -------
    ibis string column
        One of `NOT_FLAGGED_REASONS` save ``over_capacity``, which only a comparison of contacts can tell.
    """
    cooling = t.leaving.notnull() | (t.previous_cooldown_until > ibis.literal(as_of)).fill_null(False)
    return ibis.cases(
        (t.erased, "erased"),
        (t.objected_profiling, "objected_profiling"),
        (t.is_staff, "staff"),
        (t.hard_bounced, "hard_bounced"),
        (t.channel_number.isnull(), "no_consent"),
        (t.complained, "complained"),
        (within(t.days_since_service_contact, config.service_days), "open_service_case"),
        (within(t.cart_open_days, config.cart_days), "cart_open"),
        (recently_active(t, config), "recently_active"),
        (t.base == "never_bought", "never_bought"),
        (t.base == "one_time", "one_time_buyer"),
        ((t.base == "lapsed") | t.asleep, "lapsed_already"),
        (cooling, "cooldown"),
        (~(t.p_lapse >= config.enter_p_lapse).fill_null(False), "low_risk"),
        (~(t.days_overdue >= -config.lead_days).fill_null(False), "on_time"),
        else_=None,
    )
