"""The journey of a contact: how it leaves, and which state it is in tonight.

::

    active ──enter──▶ flagged ──next run──▶ in_winback ──bought──▶ reactivated ──▶ active
                         │                      ├──journey_days──▶ sunset ──bought──▶ active
                         └──────────────────────┴──any other exit──▶ active | inactive
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import ibis

from winback_policy.channels import refused_any
from winback_policy.config import PolicyConfig
from winback_policy.gather import STATE_SCHEMA
from winback_policy.holdout import draw_arm

STATES = ("active", "flagged", "in_winback", "reactivated", "sunset", "inactive")
IN_JOURNEY = ("flagged", "in_winback")

EXIT_REASONS = (
    "erased",
    "objected_profiling",
    "staff",
    "purchased",
    "hard_bounced",
    "unsubscribed",
    "no_consent",
    "complained",
    "history_cancelled",
    "risk_fell",
    "journey_ended",
)
"""Every ``exit_reason``, in the order in which they are asked; the first that holds is given."""

REPEAT_BASES = ("active", "lapsed")


def days_since(as_of: date, day: Any) -> Any:
    """Return the number of days from ``day`` to ``as_of``."""
    return ibis.literal(as_of).delta(day, unit="day")


def bought_since(t: Any, day: Any, as_of: date) -> Any:
    """Say whether the last purchase day is ``day`` or later; a day without a run is thereby caught up."""
    return (t.days_since_purchase <= days_since(as_of, day)).fill_null(False)


def leaving_reason(t: Any, as_of: date, config: PolicyConfig) -> Any:
    """Return why a contact leaves its journey today; null where it stays or is in none.

    Parameters
    ----------
    t : ibis.Table
        From `gather`, with ``channel_number``.
    as_of : date
    config : PolicyConfig

    Returns
    -------
    ibis string column
        One of `EXIT_REASONS`.
    """
    unreachable = t.channel_number.isnull()
    reason = ibis.cases(
        (t.erased, "erased"),
        (t.objected_profiling, "objected_profiling"),
        (t.is_staff, "staff"),
        (bought_since(t, t.previous_entered_at, as_of), "purchased"),
        (t.hard_bounced, "hard_bounced"),
        (unreachable & refused_any(t), "unsubscribed"),
        (unreachable, "no_consent"),
        (t.complained, "complained"),
        (~t.base.isin(REPEAT_BASES), "history_cancelled"),
        (~(t.p_lapse >= config.leave_p_lapse).fill_null(False), "risk_fell"),
        (days_since(as_of, t.previous_entered_at) >= config.journey_days, "journey_ended"),
        else_=None,
    )
    return ibis.ifelse(t.previous_state.isin(IN_JOURNEY), reason, None)


def asleep(t: Any, as_of: date) -> Any:
    """Say whether the contact ended a journey without buying, today or before, and has not bought since."""
    sunset = (t.previous_state == "sunset").fill_null(False)
    ended_today = (t.leaving == "journey_ended").fill_null(False)
    return ended_today | (sunset & ~bought_since(t, t.previous_exited_at, as_of))


def entry_reason(t: Any) -> Any:
    """Return ``late`` past the day on which the contact was due, ``nearly_late`` up to it."""
    return ibis.ifelse(t.days_overdue > 0, "late", "nearly_late")


def transition(t: Any, as_of: date, config: PolicyConfig) -> dict[str, Any]:
    """Return tonight's state columns.

    Parameters
    ----------
    t : ibis.Table
        From `gather`, with ``leaving``, ``asleep`` and ``entered`` (bool).
    as_of : date
    config : PolicyConfig

    Returns
    -------
    dict of str to ibis column
        Every column of `STATE_SCHEMA` but ``contact_id``. After a journey its dates, reasons and arm stay
        until the next one begins.
    """
    today = ibis.literal(as_of)
    left = t.leaving.notnull()
    stays = t.previous_state.isin(IN_JOURNEY).fill_null(False) & ~left
    off_limits = t.erased | t.objected_profiling | t.is_staff
    state = ibis.cases(
        (t.entered, "flagged"),
        (stays, "in_winback"),
        ((t.leaving == "purchased").fill_null(False), "reactivated"),
        (t.asleep & ~off_limits, "sunset"),
        (~off_limits & t.base.isin(("active", "one_time")), "active"),
        else_="inactive",
    )

    def carried(name: str, on_entry: Any, on_exit: Any = None) -> Any:
        """Take the value of today's entry or exit, else yesterday's."""
        cases = [(t.entered, on_entry)] if on_exit is None else [(t.entered, on_entry), (left, on_exit)]
        return ibis.cases(*cases, else_=t[f"previous_{name}"]).cast(STATE_SCHEMA[name])

    return {
        "state": state,
        "entered_at": carried("entered_at", today),
        "entry_reason": carried("entry_reason", entry_reason(t)),
        "exited_at": carried("exited_at", ibis.null("date"), today),
        "exit_reason": carried("exit_reason", ibis.null("string"), t.leaving),
        "cooldown_until": carried(
            "cooldown_until", ibis.null("date"), ibis.literal(as_of + timedelta(days=config.cooldown_days))
        ),
        "arm": carried("arm", draw_arm(t.contact_id, config)),
        "journeys": t.previous_journeys.fill_null(0) + t.entered.cast("int64"),
    }
