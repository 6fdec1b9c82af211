"""Codes, numbers and days in the words that a marketer reads, the same on a terminal and on a page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date

NOT_FLAGGED: Mapping[str, str] = {
    "erased": "erased on request",
    "objected_profiling": "objected to profiling, so not scored",
    "staff": "own staff",
    "hard_bounced": "address bounced for good",
    "past_retention": "silent for longer than their data may be used",
    "consent_undated": "agreed, but nobody knows when, and a consent holds for a time only",
    "consent_expired": "the consent, or the right to write to a buyer, has run out",
    "soft_bounced": "mailbox bounced too often in a row",
    "no_consent": "no channel they agreed to",
    "complained": "complained about our mail",
    "left_for_good": "said that they moved away or need it no more",
    "open_service_case": "a service case is open",
    "cart_open": "a cart is open: that journey has them",
    "in_other_journey": "another journey's offer is open",
    "recently_active": "active in the last few days: leave them be",
    "never_bought": "never bought",
    "one_time_buyer": "bought once: a second-order journey fits better",
    "no_relationship_basis": "all bought at one time: a second-order journey fits better",
    "gift_buyer": "buys gifts: the occasion decides",
    "occasion_buyer": "buys once a year: the season decides",
    "lapsed_already": "lapsed long ago: too late for this list",
    "cooldown": "has just left a win-back journey",
    "low_risk": "risk below the threshold: may well buy anyway",
    "on_time": "quiet, but within their own rhythm",
    "not_inactive": "not inactive by the definition in use",
    "left_asleep": "at risk, but a message would drive them away",
    "over_capacity": "at risk, but beyond today's capacity",
}
"""Why a contact is not on the list, by ``not_flagged_reason``."""

EXITS: Mapping[str, str] = {
    "purchased": "bought again",
    "risk_fell": "risk fell",
    "active_again": "not inactive any more",
    "journey_ended": "journey ended without a purchase",
    "unsubscribed": "unsubscribed",
    "past_retention": "silent for longer than their data may be used",
    "consent_undated": "agreed, but nobody knows when, and a consent holds for a time only",
    "consent_expired": "the consent, or the right to write to a buyer, has run out",
    "soft_bounced": "mailbox bounced too often in a row",
    "no_consent": "no channel left",
    "hard_bounced": "address bounced",
    "complained": "complained",
    "objected_profiling": "objected to profiling",
    "erased": "erased on request",
    "staff": "own staff",
    "history_cancelled": "purchases were cancelled",
    "left_for_good": "said that they moved away or need it no more",
}
"""Why a contact left the list, by ``exit_reason``."""

POPULATIONS: Mapping[str, str] = {
    "active": "Active base",
    "repeat": "of these, bought more than once",
    "one_time": "of these, bought once",
    "lapsed": "Lapsed: silent for more than two horizons",
    "never_bought": "Never bought",
    "held_out": "Held out of the active base: nobody wrote to them",
}
"""Who is reported apart, in the order of the report; ``active`` is ``repeat`` and ``one_time`` together."""

AMONG: Mapping[str, str] = {
    "active": "On the active base",
    "repeat": "Among active repeat buyers",
    "one_time": "Among active one-time buyers",
    "lapsed": "Among the lapsed",
    "never_bought": "Among contacts that never bought",
    "held_out": "Among the held out of the active base",
}
"""The same at the head of a sentence."""

CHANNELS: Mapping[str, str] = {
    "sms": "SMS",
    "email": "e-mail",
    "direct_mail": "direct mail",
    "post": "direct mail",
}
"""What a channel is called; any other by its own name."""

SEGMENTS: Mapping[str, str] = {"cant_lose": "can't lose"}
"""What an RFM segment is called; any other by its own name."""

DASH, OPEN = "–", "open"
NEAR_DAYS = 180


def words(code: str | None, known: Mapping[str, str] | None = None) -> str:
    """Return a code in words.

    >>> words("low_risk", NOT_FLAGGED), words("win_back"), words(None)
    ('risk below the threshold: may well buy anyway', 'win back', '–')
    """
    return (known or {}).get(code, code.replace("_", " ")) if code else DASH


def plain(text: str) -> str:
    r"""Return a text of the shop's on one line: what a terminal would act on, and not show, is written out.

    >>> print(plain("A\n1"), plain("Zoë 7"))
    A\n1 Zoë 7
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def percent(share: float | None) -> str:
    """Return a share in whole per cent; the ends are reached only when they are true.

    >>> percent(0.223), percent(0.004), percent(0.999), percent(0.0), percent(None)
    ('22 %', '<1 %', '>99 %', '0 %', '–')
    """
    if share is None or math.isnan(share):
        return DASH
    if 0 < share < 0.005:
        return "<1 %"
    if 0.995 < share < 1:
        return ">99 %"
    return f"{100 * share:.0f} %"


def number(value: float | None, digits: int = 0) -> str:
    """Return a number with thousands separated.

    >>> number(391326), number(0.08451, 4), number(float("nan"))
    ('391,326', '0.0845', '–')
    """
    return DASH if value is None or math.isnan(value) else f"{value:,.{digits}f}".replace("-", "−")


def money(value: float | None, currency: str) -> str:
    """Return an amount in whole units.

    >>> money(1234.5, "USD"), money(None, "EUR")
    ('1,234 USD', '–')
    """
    return DASH if value is None or math.isnan(value) else f"{value:,.0f} {currency}"


def day(value: date | None, today: date | None = None) -> str:
    """Return a day; without its year where it is less than half a year from today.

    >>> day(date(2017, 12, 9), date(2018, 1, 1)), day(date(2018, 12, 9), date(2018, 1, 1)), day(None)
    ('9 Dec', '9 Dec 2018', '–')
    """
    if value is None:
        return DASH
    text = f"{value.day} {value:%b}"
    near = today is not None and abs((value - today).days) < NEAR_DAYS
    return text if near else f"{text} {value.year}"


def lateness(days_overdue: float | None) -> str:
    """Return how late a contact is against its own rhythm.

    >>> lateness(9), lateness(1.2), lateness(-2), lateness(0)
    ('9 days late', '1 day late', 'due in 2 days', 'due today')
    """
    if days_overdue is None or math.isnan(days_overdue):
        return DASH
    days = round(days_overdue)
    if days == 0:
        return "due today"
    count = f"{abs(days):,} day{'' if abs(days) == 1 else 's'}"
    return f"{count} late" if days > 0 else f"due in {count}"


def count(value: int, one: str, many: str | None = None) -> str:
    """Return a number of things.

    >>> count(1, "row"), count(2400, "row"), count(3, "entry", "entries")
    ('1 row', '2,400 rows', '3 entries')
    """
    return f"{value:,} {one if value == 1 else many or one + 's'}"
