"""The journey of a contact: how it leaves, and which state it is in tonight.

::

    active ──enter──▶ flagged ──next run──▶ in_winback ──bought──▶ reactivated ──▶ active
                         │                      ├──journey_days──▶ sunset ──sunset_days──▶ farewell ◀── "I left for good"
                         │                      │                     └──any sign of life──┴──▶ active | inactive
                         └──────────────────────┴──any other exit──▶ active | inactive | erased
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import ibis

from winback_policy.channels import refused_any
from winback_policy.config import PolicyConfig
from winback_policy.dates import days_from, days_since, open_days
from winback_policy.definitions import PURCHASE_LAPSED, persistently_inactive
from winback_policy.gather import STATE_SCHEMA
from winback_policy.holdout import draw_arm
from winback_policy.legal import retention_days, silence_days
from winback_policy.outcomes.experiments import draw_variant, running
from winback_policy.stated import left_for_good

STATES = ("active", "flagged", "in_winback", "reactivated", "sunset", "farewell", "inactive", "erased")
IN_JOURNEY = ("flagged", "in_winback")
ASLEEP = ("sunset", "farewell")

EXIT_REASONS = (
    "erased",
    "objected_profiling",
    "staff",
    "purchased",
    "hard_bounced",
    "complained",
    "unsubscribed",
    "past_retention",
    "consent_undated",
    "consent_expired",
    "soft_bounced",
    "no_consent",
    "left_for_good",
    "history_cancelled",
    "risk_fell",
    "active_again",
    "journey_ended",
)
"""Every ``exit_reason``, in the order in which they are asked; the first that holds is given."""

REPEAT_BASES = ("active", "lapsed")


def bought_since(t: Any, day: Any, as_of: date) -> Any:
    """Say whether the last purchase day is ``day`` or later; a day without a run is thereby caught up."""
    return (t.days_since_purchase <= days_since(as_of, day)).fill_null(False)


def journey_day(t: Any, as_of: date, closed: Sequence[tuple[Any, Any]]) -> Any:
    """Return which day of its journey it is for a contact that was in one yesterday; the day of entry is 0.

    Days on which the shop is closed are none: the journey stands still on them.

    Parameters
    ----------
    t : ibis.Table
        From `gather`.
    as_of : date
    closed : sequence of (first day, day after the last)
    """
    day = open_days(as_of, days_since(as_of, t.previous_entered_at), closed)
    return ibis.ifelse(t.previous_state.isin(IN_JOURNEY), day, None)


def leaving_reason(t: Any, as_of: date, config: PolicyConfig) -> Any:
    """Return why a contact leaves its journey today; null where it stays or is in none.

    Parameters
    ----------
    t : ibis.Table
        From `gather`, with ``channel_number``, ``closed_by``, ``inactive``, ``stated_reason`` as it stands and
        ``journey_day`` (`journey_day`).
    as_of : date
    config : PolicyConfig

    Returns
    -------
    ibis string column
        One of `EXIT_REASONS`.
    """
    unreachable = t.channel_number.isnull()
    if config.definition == PURCHASE_LAPSED:
        recovered = [
            (~t.base.isin(REPEAT_BASES) | (t.purchase_days < 2).fill_null(False), "history_cancelled"),
            (~(t.p_lapse >= config.leave_p_lapse).fill_null(False), "risk_fell"),
        ]
    else:
        recovered = [(~t.inactive, "active_again")]
    reason = ibis.cases(
        (t.erased, "erased"),
        (t.objected_profiling, "objected_profiling"),
        (t.is_staff, "staff"),
        (bought_since(t, t.previous_entered_at, as_of), "purchased"),
        (t.hard_bounced, "hard_bounced"),
        (t.complained, "complained"),
        (unreachable & t.closed_by.isnull() & refused_any(t), "unsubscribed"),
        (unreachable, t.closed_by.fill_null("no_consent")),
        (left_for_good(t), "left_for_good"),
        *recovered,
        (t.journey_day >= config.journey_days, "journey_ended"),
        else_=None,
    )
    return ibis.ifelse(t.previous_state.isin(IN_JOURNEY), reason, None)


def stays(t: Any) -> Any:
    """Say whether the contact was in a journey yesterday and does not leave it today."""
    return t.previous_state.isin(IN_JOURNEY).fill_null(False) & t.leaving.isnull()


def slept_since(t: Any) -> Any:
    """Return since when the contact slept as of yesterday: the day its journey ended, or it was found to show no life."""
    ended = (t.previous_exit_reason == "journey_ended").fill_null(False)
    return ibis.coalesce(t.previous_asleep_since, ibis.ifelse(ended, t.previous_exited_at, None))


def woken(t: Any, as_of: date) -> Any:
    """Say whether a sleeper gave a sign of life: any activity since, or a purchase.

    Where it fell asleep at the end of a journey, a purchase that lay in the journey and came to be known only later counts too.
    Who said that it left for good is woken by a purchase alone: the answer to a goodbye mail that says so is no sign of life.
    """
    slept = slept_since(t)
    ended = (t.previous_exit_reason == "journey_ended") & (t.previous_exited_at == slept)
    active = (t.days_since_activity <= days_since(as_of, slept)).fill_null(False)
    active &= ~left_for_good(t)
    return active | bought_since(t, ibis.ifelse(ended.fill_null(False), t.previous_entered_at, slept), as_of)


def asleep_since(t: Any, as_of: date, config: PolicyConfig) -> Any:
    """Return since when the contact sleeps tonight; null where it does not.

    It sleeps when its journey ended without a purchase, today or before, or it said that it left for good, or it is persistently
    inactive and in no journey; until it gives a sign of life. By another definition than ``purchase_lapsed@1`` the persistently
    inactive are those to win back, and do not fall asleep by that. A sleeper that says that it left for good sleeps from the day
    after its answer, so that the answer is no sign of life either once it is forgotten.
    """
    today = ibis.literal(as_of)
    slept = slept_since(t)
    told = ibis.ifelse(left_for_good(t), days_from(as_of, 1 - t.stated_days), slept)
    awake = stays(t) | (t.leaving == "purchased").fill_null(False)
    off_limits = t.erased | t.objected_profiling | t.is_staff
    gone = persistently_inactive(t, config) & ibis.literal(config.definition == PURCHASE_LAPSED)
    return ibis.cases(
        ((t.leaving == "journey_ended").fill_null(False), today),
        (awake | off_limits, ibis.null("date")),
        (slept.notnull() & ~woken(t, as_of), ibis.greatest(slept, told)),
        (left_for_good(t) | gone, today),
        else_=ibis.null("date"),
    )


def asleep_days(t: Any, as_of: date, config: PolicyConfig, closed: Sequence[tuple[Any, Any]]) -> Any:
    """Return for how many days the contact has slept on which the shop was open; null where it is awake.

    For one that said that it left for good there is nothing to wait for: it counts as if ``sunset_days`` had passed when it said
    so.

    Parameters
    ----------
    t : ibis.Table
        From `gather`, with ``asleep_since`` and ``stated_reason`` as it stands.
    as_of : date
    config : PolicyConfig
    closed : sequence of (first day, day after the last)
    """
    slept = days_since(as_of, t.asleep_since)
    since_said = open_days(as_of, ibis.least(slept, t.stated_days - 1), closed)
    slept = open_days(as_of, slept, closed)
    told = left_for_good(t) & t.asleep_since.notnull()
    return ibis.ifelse(told, ibis.greatest(slept, config.sunset_days + since_said), slept)


def farewell_since(t: Any, as_of: date, config: PolicyConfig) -> Any:
    """Return since when the contact is in ``farewell`` tonight; null where it is not.

    The notice begins on the day on which a run says so, be it that days were missed, or that ``sunset_days`` were changed. Where
    a version wrote the states that did not keep the day, it began when ``sunset_days`` had passed.

    Parameters
    ----------
    t : ibis.Table
        From `gather`, with ``asleep_days`` (`asleep_days`).
    as_of : date
    config : PolicyConfig
    """
    over = t.asleep_days - config.sunset_days
    known = (t.previous_state == "farewell").fill_null(False)
    before = ibis.coalesce(t.previous_farewell_since, days_from(as_of, -over))
    return ibis.ifelse((over >= 0).fill_null(False), ibis.ifelse(known, before, ibis.literal(as_of)), None)


def entry_reason(t: Any, config: PolicyConfig) -> Any:
    """Return ``late`` past the day on which the contact was due, ``nearly_late`` up to it; ``inactive`` by other definitions."""
    if config.definition != PURCHASE_LAPSED:
        return ibis.literal("inactive")
    return ibis.ifelse(t.days_overdue > 0, "late", "nearly_late")


def farewell_due(t: Any, as_of: date, config: PolicyConfig, closed: Sequence[tuple[Any, Any]]) -> Any:
    """Return the day on which the data of a contact in ``farewell`` are to go; null where it is not.

    That is the end of the retention of its country, counted from the last sign of the person, but not before
    ``notice_days`` have passed in ``farewell``, on which the shop was open.

    Parameters
    ----------
    t : ibis.Table
        From `gather`, with ``farewell_since`` (`farewell_since`).
    as_of : date
    config : PolicyConfig
    closed : sequence of (first day, day after the last)
    """
    keep = retention_days(t, config.legal)
    left = keep - silence_days(t).fill_null(keep)
    noticed = open_days(as_of, days_since(as_of, t.farewell_since), closed)
    days = ibis.greatest(left, config.notice_days - noticed)
    return ibis.ifelse(noticed.notnull(), days_from(as_of, days), ibis.null("date"))


def drawn_variant(t: Any, as_of: date, config: PolicyConfig) -> tuple[Any, Any]:
    """Return the experiment that contacts enter today and their arm of it; nulls where none runs, and of the held-out."""
    now = running(config.experiments, as_of)
    if now is None:
        return ibis.null("string"), ibis.null("string")
    treated = draw_arm(t.contact_id, config) == "treatment"
    return ibis.ifelse(treated, now.name, None), ibis.ifelse(treated, draw_variant(t.contact_id, now), None)


def transition(t: Any, as_of: date, config: PolicyConfig) -> dict[str, Any]:
    """Return tonight's state columns.

    Parameters
    ----------
    t : ibis.Table
        From `gather`, with ``leaving``, ``asleep_since``, ``farewell_since``, and ``entered`` (bool).
    as_of : date
    config : PolicyConfig

    Returns
    -------
    dict of str to ibis column
        Every column of `STATE_SCHEMA` but ``contact_id`` and ``offered_tier``. After a journey its dates, reasons and arm stay
        until the next one begins.
    """
    today = ibis.literal(as_of)
    left = t.leaving.notnull()
    off_limits = t.objected_profiling | t.is_staff
    state = ibis.cases(
        (t.erased, "erased"),
        (t.entered, "flagged"),
        (stays(t), "in_winback"),
        ((t.leaving == "purchased").fill_null(False), "reactivated"),
        (t.farewell_since.notnull(), "farewell"),
        (t.asleep_since.notnull(), "sunset"),
        (~off_limits & t.base.isin(("active", "one_time")), "active"),
        else_="inactive",
    )

    experiment, variant = drawn_variant(t, as_of, config)

    def carried(name: str, on_entry: Any, on_exit: Any = None) -> Any:
        """Take the value of today's entry or exit, else yesterday's."""
        cases = [(t.entered, on_entry)] if on_exit is None else [(t.entered, on_entry), (left, on_exit)]
        return ibis.cases(*cases, else_=t[f"previous_{name}"]).cast(STATE_SCHEMA[name])

    return {
        "state": state,
        "entered_at": carried("entered_at", today),
        "entry_reason": carried("entry_reason", entry_reason(t, config)),
        "exited_at": carried("exited_at", ibis.null("date"), today),
        "exit_reason": carried("exit_reason", ibis.null("string"), t.leaving),
        "cooldown_until": carried(
            "cooldown_until", ibis.null("date"), ibis.literal(as_of + timedelta(days=config.cooldown_days))
        ),
        "arm": carried("arm", draw_arm(t.contact_id, config)),
        "experiment": carried("experiment", experiment),
        "variant": carried("variant", variant),
        "journeys": t.previous_journeys.fill_null(0) + t.entered.cast("int64"),
        "asleep_since": t.asleep_since,
        "farewell_since": t.farewell_since,
    }
