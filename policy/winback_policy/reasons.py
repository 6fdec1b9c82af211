"""Why this contact: three reasons in plain language, strongest first.

Each candidate is a sentence fragment and a strength from 0 to 99; a fragment that does not apply is null. A
contact of at least two purchase days always has three: its rhythm, its chance to buy, and its last purchase.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import ibis

from winback_policy.channels import CHANNELS
from winback_policy.wording import counted, day_before, every, percent, short_day, whole

HOW_MANY = 3
IGNORED_AT_LEAST = 3
NO_VISIT_DAYS = 14
SERVICE_DAYS = 60
SENDS = {"email": "e-mails", "sms": "text messages", "push": "push messages", "post": "mailings"}


@dataclass(frozen=True, slots=True)
class Context:
    """What the wording needs beside the contact's own row."""

    as_of: date
    currency: str


@dataclass(frozen=True, slots=True)
class Reason:
    """A candidate reason.

    Attributes
    ----------
    when : ibis bool column
        Where it applies.
    strength : ibis numeric column or float
        Clipped to 0…99.
    text : ibis string column
    """

    when: Any
    strength: Any
    text: Any


def rhythm(t: Any, at: Context) -> Reason:
    """Compare the silence with the contact's own average gap."""
    text = ibis.literal("buys ") + every(t.gap_mean) + " on average, now " + _silence(t) + " silent"
    return Reason(t.gap_mean > 0, 50 + 15 * (t.days_since_purchase / t.gap_mean - 1), text)


def longest(t: Any, at: Context) -> Reason:
    """Tell of a silence longer than any before; one earlier gap is no record to break."""
    text = ibis.literal("the longest silence so far: ") + _silence(t) + ", before at most " + whole(t.gap_max)
    when = (t.days_since_purchase > t.gap_max) & (t.purchase_days >= 3)
    return Reason(when, 60 + 20 * (t.days_since_purchase / t.gap_max - 1), text)


def due(t: Any, at: Context) -> Reason:
    """Name the day by which the contact's own rhythm called it late."""
    day = short_day(day_before(at.as_of, t.days_overdue), at.as_of)
    overdue = t.days_overdue.round()
    when = ibis.cases(
        (overdue > 0, counted(overdue, "day") + " ago"),
        (overdue < 0, ibis.literal("in ") + counted(-overdue, "day")),
        else_="today",
    )
    lateness = ibis.ifelse(overdue > 0, 55 + 20 * overdue / t.usual_gap_days.fill_null(30), 30)
    return Reason(t.days_overdue.notnull(), lateness, ibis.literal("expected back by ") + day + ", " + when)


def buys_less(t: Any, at: Context) -> Reason:
    """Tell of fewer purchase days in the last 90 days than in the 90 before."""
    before = t.purchase_days_180d - t.purchase_days_90d
    text = (
        ibis.literal("buys less: ")
        + counted(t.purchase_days_90d, "purchase day")
        + " in the last 90, "
        + whole(before)
        + " in the 90 before"
    )
    when = (before >= 2) & (t.purchase_days_90d < before)
    return Reason(when, 40 + 50 * (1 - t.purchase_days_90d / before.nullif(0)), text)


def ignores(t: Any, at: Context) -> Reason:
    """Count unanswered sends in a row, on the first channel where there are many."""
    ignored = [(c, t[f"{c.prefix}_ignored_in_a_row"]) for c in CHANNELS]
    lead = ibis.literal("ignored the last ")
    told = [(n >= IGNORED_AT_LEAST, n, lead + whole(n) + f" {SENDS[c.name]}") for c, n in ignored]
    count = ibis.cases(*((holds, n) for holds, n, _ in told), else_=0)
    text = ibis.cases(*((holds, text) for holds, _, text in told), else_=None)
    return Reason(count > 0, 25 + 5 * count, text)


def no_visit(t: Any, at: Context) -> Reason:
    """Tell of no visit for longer than the contact's usual gap."""
    usual = ibis.greatest(t.usual_gap_days.fill_null(NO_VISIT_DAYS), NO_VISIT_DAYS)
    text = ibis.literal("no visit for ") + counted(t.days_since_visit, "day")
    return Reason(t.days_since_visit >= usual, 30 + 10 * t.days_since_visit / usual, text)


def had_service(t: Any, at: Context) -> Reason:
    """Tell of a recent service contact."""
    days = t.days_since_service_contact
    text = ibis.literal("contacted service ") + counted(days, "day") + " ago"
    return Reason(days <= SERVICE_DAYS, 50, text)


def chance(t: Any, at: Context) -> Reason:
    """Give the calibrated probability of a purchase within the horizon."""
    text = percent(t.p_purchase) + " likely to buy within " + counted(t.horizon_days, "day")
    return Reason(t.p_purchase.notnull(), 20 + 40 * t.p_lapse, text)


def value(t: Any, at: Context) -> Reason:
    """Give the margin that a lapse puts at risk."""
    text = ibis.literal("about ") + whole(t.value_at_risk) + f" {at.currency} at risk"
    return Reason(t.value_at_risk >= 1, 35, text)


def last_bought(t: Any, at: Context) -> Reason:
    """Tell the last purchase and how many there were: always true, never strong."""
    day = short_day(day_before(at.as_of, t.days_since_purchase), at.as_of)
    text = counted(t.purchase_days, "purchase day") + " so far, the last on " + day
    return Reason(t.days_since_purchase.notnull(), 1, text)


CANDIDATES: tuple[Callable[[Any, Context], Reason], ...] = (
    rhythm,
    longest,
    due,
    buys_less,
    ignores,
    no_visit,
    had_service,
    chance,
    value,
    last_bought,
)
"""Every reason there is; at equal strength the earlier one comes first. Add one here and it takes part."""


def strongest(t: Any, as_of: date, currency: str) -> Any:
    """Return the applicable reasons of each row, strongest first.

    Parameters
    ----------
    t : ibis.Table
        Flagged contacts with the columns of `gather`.
    as_of : date
    currency : str
        Written beside the value at risk.

    Returns
    -------
    ibis array<string> column
    """
    at = Context(as_of, currency)
    keyed = []
    for number, candidate in enumerate(CANDIDATES):
        reason = candidate(t, at)
        weakness = 99 - ibis.least(ibis.greatest(reason.strength, 0), 99).round()
        key = weakness.cast("int64").cast("string").lpad(2, "0") + f"{number:02}"
        keyed.append(ibis.ifelse(reason.when, key + reason.text, None))
    return ibis.array(keyed).filter(lambda text: text.notnull()).sort().map(lambda text: text.substr(4))


def _silence(t: Any) -> Any:
    return counted(t.days_since_purchase, "day")
