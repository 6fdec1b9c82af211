"""What to do about a contact: the action, and how generous an incentive may be. A first cut."""

from __future__ import annotations

from typing import Any

import ibis

from winback_policy.channels import CHANNELS, of_channel, worn_out
from winback_policy.config import PolicyConfig
from winback_policy.eligibility import at_peace

ACTIONS = (
    "win_back",
    "onboard_second_purchase",
    "check_landing_page",
    "change_channel",
    "sunset",
    "farewell",
    "none",
)
INCENTIVE_TIERS = ("none", "low", "mid", "high")


def left_alone(t: Any, config: PolicyConfig) -> Any:
    """Say whether a flagged contact is not written to today: held out, or in another conversation."""
    return (t.arm == "holdout") | at_peace(t, config)


def action(t: Any, config: PolicyConfig) -> Any:
    """Return the recommended action for contacts in win-back.

    ``none``: held out, or in another conversation. ``check_landing_page``: clicks in 90 days, but no purchase
    for a horizon. ``change_channel``: no click, a channel worn out, yet active elsewhere, and another channel
    is open. ``win_back`` otherwise.

    Parameters
    ----------
    t : ibis.Table
        Flagged contacts with the columns of `gather`, ``arm`` and ``channel_number``.
    config : PolicyConfig

    Returns
    -------
    ibis string column
        One of `ACTIONS`.
    """
    clicked = ibis.or_(*(t[f"{c.prefix}_clicks_90d"].fill_null(0) > 0 for c in CHANNELS))
    ignored = ibis.or_(*(worn_out(t, c) for c in CHANNELS))
    chosen_is_fresh = ~of_channel(t.channel_number, [worn_out(t, c) for c in CHANNELS])
    elsewhere = t.active_days_90d.fill_null(0) > 0
    return ibis.cases(
        (left_alone(t, config), "none"),
        (
            clicked & (t.days_since_purchase.isnull() | (t.days_since_purchase >= t.horizon_days)),
            "check_landing_page",
        ),
        (~clicked & ignored & chosen_is_fresh & elsewhere, "change_channel"),
        else_="win_back",
    )


def incentive_tier(t: Any) -> Any:
    """Return the ceiling of the incentive, which rises with past value × lateness.

    The level is ``ceil(M × lateness / 5)`` with M the RFM money score (1…5) and lateness 0 before the contact
    is late, then 1, 2 beyond one usual gap, 3 beyond two. Each incentive of the last 180 days lowers it by
    one, and a held-out contact gets none.

    Parameters
    ----------
    t : ibis.Table
        Flagged contacts with the columns of `gather`, ``arm`` and ``rfm_m``.

    Returns
    -------
    ibis string column
        One of `INCENTIVE_TIERS`.
    """
    late = t.days_overdue.fill_null(0)
    usual = t.usual_gap_days.fill_null(30)
    lateness = ibis.cases((late <= 0, 0), (late <= usual, 1), (late <= 2 * usual, 2), else_=3)
    level = (t.rfm_m.fill_null(1) * lateness + 4) // 5 - t.incentives_180d.fill_null(0).cast("int64")
    tiers = ibis.cases((level <= 0, "none"), (level == 1, "low"), (level == 2, "mid"), else_="high")
    return ibis.ifelse(t.arm == "holdout", "none", tiers)
