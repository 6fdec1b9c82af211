"""What to do about a contact in its journey: the action, and how generous an incentive may be."""

from __future__ import annotations

from typing import Any

import ibis

from winback_features.sent_log import LOGGED_INCENTIVES
from winback_policy.channels import CHANNELS, of_channel, worn_out
from winback_policy.config import PolicyConfig
from winback_policy.eligibility import in_another_conversation
from winback_policy.incentives import INCENTIVE_TIERS
from winback_policy.segments import cell_action
from winback_policy.stated import asked_for

ACTIONS = (
    "win_back",
    "onboard_second_purchase",
    "check_landing_page",
    "change_channel",
    "refresh_content",
    "preference_form",
    "sunset",
    "farewell",
    "none",
)


def left_alone(t: Any, config: PolicyConfig) -> Any:
    """Say whether a flagged contact is not written to today: held out, or in another conversation."""
    return (t.arm == "holdout") | in_another_conversation(t, config)


def another_channel(t: Any) -> Any:
    """Say whether a permitted channel is not worn out: then the chosen one is none that is.

    Parameters
    ----------
    t : ibis.Table
        With the columns of `gather` and ``channel_number``, from `channels.choose_channel`.
    """
    return of_channel(t.channel_number, [~worn_out(t, c) for c in CHANNELS]).fill_null(False)


def action(t: Any, config: PolicyConfig) -> Any:
    """Return the recommended action for contacts in win-back.

    ``none``: held out, or in another conversation. Otherwise what the contact said that it misses, or has too much of
    (`winback_policy.stated`); else what its place among buyers and clickers asks for
    (`segments.cell_action`), where that is ``check_landing_page``, ``change_channel`` or ``refresh_content``.
    ``preference_form``: nothing is seen of it anywhere, and every channel on which it may be reached is ignored, so that
    another message of the same kind says nothing: ask how often, when and where. ``win_back`` otherwise.

    Parameters
    ----------
    t : ibis.Table
        Flagged contacts with the columns of `gather`, ``arm``, ``channel_number`` and ``stated_reason`` as it stands.
    config : PolicyConfig

    Returns
    -------
    ibis string column
        One of `ACTIONS`.
    """
    fresh = another_channel(t)
    by_word, by_cell = asked_for(t), cell_action(t, t.horizon_days, fresh)
    return ibis.cases(
        (left_alone(t, config), "none"),
        (by_word.notnull(), by_word),
        (by_cell.isin(("check_landing_page", "change_channel", "refresh_content")), by_cell),
        (by_cell.isin(("win_back", "sunset")) & ~fresh, "preference_form"),
        else_="win_back",
    )


def incentive_level(t: Any) -> Any:
    """Return the ceiling of the incentive by what is known today, which rises with past value × lateness.

    The level is ``ceil(M × lateness / 5)`` with M the RFM money score (1…5) and lateness 0 before the contact
    is late, then 1, 2 beyond one usual gap, 3 beyond two. Who answered a form or survey in the last year gets one more where
    it gets any, each incentive of the last 180 days lowers it by one. Events and campaign log
    may hold the same incentives, so the larger count of the two is taken.

    Parameters
    ----------
    t : ibis.Table
        With the columns of `gather`.

    Returns
    -------
    ibis integer column
        Its place in `winback_policy.incentives.INCENTIVE_TIERS`.
    """
    late = t.days_overdue.fill_null(0)
    usual = t.usual_gap_days.fill_null(30)
    lateness = ibis.cases((late <= 0, 0), (late <= usual, 1), (late <= 2 * usual, 2), else_=3)
    level = (t.rfm_m.fill_null(1) * lateness + 4) // 5
    answered = (level > 0) & (t.answers_365d.fill_null(0) > 0)
    given = ibis.greatest(t.incentives_180d.fill_null(0).cast("int64"), t[LOGGED_INCENTIVES].fill_null(0))
    level = level + answered.cast("int64") - given.cast("int64")
    return ibis.greatest(ibis.least(level, len(INCENTIVE_TIERS) - 1), 0)


def offered_tier(t: Any) -> Any:
    """Return what a contact in a journey is offered at most tonight: never less than before in the same journey.

    What was offered stands until the journey ends: an incentive that is sent lowers what comes after it, and does not take itself
    back. A held-out contact is offered nothing. Out of a journey that of the last one stays, as it was.

    Parameters
    ----------
    t : ibis.Table
        With the columns of `gather`, ``arm``, and ``entered`` and ``in_journey`` (bool).

    Returns
    -------
    ibis string column
        One of `winback_policy.incentives.INCENTIVE_TIERS`; null before the first journey.
    """
    before = t.previous_offered_tier
    places = [(tier, place) for place, tier in enumerate(INCENTIVE_TIERS)]
    stands = ibis.ifelse(t.entered, 0, before.cases(*places, else_=0))
    level = ibis.greatest(incentive_level(t), stands)
    tonight = level.cases(*((place, tier) for tier, place in places), else_="none")
    return ibis.cases((~t.in_journey, before), ((t.arm == "holdout").fill_null(False), "none"), else_=tonight)
