"""What a scenario is, and what many of them share: contacts that differ from Anna, days before today, yesterday's states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

TODAY = date(2025, 3, 10)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One contact.

    Attributes
    ----------
    story : str
    rows : tuple of str
        Requirements that it stands for, as ``article.number``.
    today : mapping
        What differs from Anna.
    state : str
        Tonight.
    because : str, optional
        ``not_flagged_reason``; None for a contact in a journey.
    leaves : str, optional
        ``exit_reason`` of a journey that ends today.
    does : str
        ``recommended_action``.
    yesterday : mapping
        Yesterday's state; empty for a contact that was in no journey yet.
    more : mapping
        Other columns of the list, and what they hold.
    """

    story: str
    rows: tuple[str, ...]
    today: Mapping[str, Any]
    state: str
    because: str | None = None
    leaves: str | None = None
    does: str = "none"
    yesterday: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


def day(before: int) -> date:
    """Return the day so many days before today."""
    return TODAY - timedelta(days=before)


def journey(entered: int, **more: Any) -> dict[str, Any]:
    """Return yesterday's state of a contact that entered so many days ago and is in its journey."""
    return {
        "state": "in_winback",
        "entered_at": day(entered),
        "entry_reason": "late",
        "arm": "treatment",
        "journeys": 1,
        **more,
    }


def left(state: str, entered: int, exited: int, reason: str, **more: Any) -> dict[str, Any]:
    """Return yesterday's state of a contact that left its journey; its cooldown is 30 days."""
    exit_day = day(exited)
    ended = {"exited_at": exit_day, "exit_reason": reason, "cooldown_until": exit_day + timedelta(days=30)}
    return journey(entered, state=state, **ended) | more


def said(reason: str, days: int = 30, **more: Any) -> dict[str, Any]:
    """Return a contact that answered the survey so many days ago, and has not bought since."""
    return {"stated_reason": reason, "stated_days": days, "answers_365d": 1.0, **more}


PHONE = "+31612345678"
SAFE = {"p_lapse": 0.1, "p_purchase": 0.9, "days_overdue": -20}
GONE = {"base": "lapsed", "days_since_purchase": 400, "days_since_activity": 400.0}
DEAF = {"email_ignored_in_a_row": 12.0}
ONCE = {"base": "one_time", "purchase_days": 1.0, "gap_mean": None, "gap_max": None}
NEVER = {
    "base": "never_bought",
    "purchase_days": 0.0,
    "gap_mean": None,
    "gap_max": None,
    "days_since_purchase": None,
    "days_overdue": None,
    "value_at_risk": None,
    "last_category": None,
}
