"""Why this contact: at most three reasons in plain language, strongest first, none against another.

A reason is a cause or a fact. A cause names the driver of the risk that it puts into words; where the drivers are known it
is told only if that driver raises the risk by at least `FLOOR`, and the more the stronger. A fact (the day it was due, the
chance, the value, the last purchase) claims nothing and fills up. What the contact said itself comes before both. Without
drivers every reason has the strength of its own numbers, from 0 to 99. The sentences stand in `winback_policy.texts`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import ibis

from winback_policy.channels import CHANNELS, Channel
from winback_policy.dates import calendar_days
from winback_policy.drivers import driver_column, has_drivers
from winback_policy.texts import LANGUAGES
from winback_policy.wording import day_before, sentence

HOW_MANY = 3
FLOOR = 0.01
"""The least rise of the risk, as a probability, that is called a cause."""

STRONGEST, STRONGEST_FACT = 99, 49
"""Where the drivers are known, a cause stands above every fact."""

KEY_DIGITS = 6
"""Of what a reason is sorted by, written before its text: `_key`."""

IGNORED_AT_LEAST = 3
NO_VISIT_DAYS = 14
SERVICE_DAYS = 60
FEW_DAYS = 3
SMALL_ORDER = 0.75


@dataclass(frozen=True, slots=True)
class Context:
    """What the reasons need beside the contact's own row."""

    as_of: date
    currency: str
    closed: Sequence[tuple[date, date]] = ()


@dataclass(frozen=True, slots=True)
class Reason:
    """A candidate reason.

    Attributes
    ----------
    when : ibis bool column
        Where it is true.
    strength : ibis numeric column or float
        Clipped to 0…99.
    values : mapping of str to ibis column
        What its template names.
    driver : str
        The driver of the risk that it claims; empty for a fact.
    needs_driver : bool
        Whether it is left out where the drivers are not known: true, but by itself no reason.
    own_word : bool
        Whether the contact said so itself: no fact, and above every cause.
    """

    when: Any
    strength: Any
    values: Mapping[str, Any]
    driver: str = ""
    needs_driver: bool = False
    own_word: bool = False


def stated(t: Any, at: Context) -> Reason:
    """Repeat what the contact said of why it stopped, where that says anything."""
    when = t.stated_reason.notnull() & (t.stated_reason != "other")
    values = {"why": t.stated_reason, "on": day_before(at.as_of, t.stated_days)}
    return Reason(when, STRONGEST, values, own_word=True)


def rhythm(t: Any, at: Context) -> Reason:
    """Compare the silence with the contact's own average gap."""
    values = {"gap": t.gap_mean, "silence": t.days_since_purchase}
    over = t.days_since_purchase / t.gap_mean.nullif(0)
    return Reason(t.days_since_purchase > t.gap_mean, 50 + 15 * (over - 1), values, driver="silence")


def longest_silence(t: Any, at: Context) -> Reason:
    """Tell of a silence longer than any before; one earlier gap is no record to break."""
    when = (t.days_since_purchase > t.gap_max) & (t.purchase_days >= 3)
    values = {"silence": t.days_since_purchase, "longest": t.gap_max}
    over = t.days_since_purchase / t.gap_max.nullif(0)
    return Reason(when, 60 + 20 * (over - 1), values, driver="silence")


def _due(t: Any, at: Context) -> tuple[Any, Any]:
    """Return the days since the day by which the contact's own rhythm called it late, negative before it, and that day."""
    late = calendar_days(at.as_of, t.days_overdue.round().cast("int64"), at.closed)
    return late, day_before(at.as_of, late)


def overdue(t: Any, at: Context) -> Reason:
    """Name the day by which the contact's own rhythm called it late."""
    late, due = _due(t, at)
    strength = 55 + 20 * t.days_overdue.round() / t.usual_gap_days.fill_null(30).nullif(0)
    return Reason(late > 0, strength, {"due": due, "late": late})


def due_today(t: Any, at: Context) -> Reason:
    """Say that the contact's own rhythm calls it late from today."""
    late, due = _due(t, at)
    return Reason(late == 0, 30, {"due": due})


def due_soon(t: Any, at: Context) -> Reason:
    """Name the day by which the contact's own rhythm will call it late."""
    late, due = _due(t, at)
    return Reason(late < 0, 30, {"due": due, "left": -late})


def buys_less(t: Any, at: Context) -> Reason:
    """Tell of fewer purchase days in the last 90 days than in the 90 before."""
    now, before = t.purchase_days_90d, t.purchase_days_180d - t.purchase_days_90d
    strength = 40 + 50 * (1 - now / before.nullif(0))
    values = {"now": now, "before": before}
    return Reason((before >= 2) & (now < before), strength, values, driver="buying_less")


def few_purchases(t: Any, at: Context) -> Reason:
    """Tell of a contact that has bought on few days so far."""
    values = {"count": t.purchase_days}
    return Reason(t.purchase_days <= FEW_DAYS, 20, values, driver="few_purchases", needs_driver=True)


def small_last_order(t: Any, at: Context) -> Reason:
    """Tell of a last purchase day that brought much less than those before it."""
    last, days = t.order_value_last, t.purchase_days
    usual = (t.order_value_mean * days - last) / (days - 1).nullif(0)
    values = {"last": last, "usual": usual, "currency": ibis.literal(at.currency)}
    when = (last < SMALL_ORDER * usual) & (last.round() < usual.round())
    return Reason(when, 20, values, driver="small_last_order", needs_driver=True)


def returns(t: Any, at: Context) -> Reason:
    """Count what was sent back."""
    values = {"returns": t.returns, "orders": t.orders}
    return Reason(t.returns >= 1, 20, values, driver="returns", needs_driver=True)


def ignored(channel: Channel) -> Callable[[Any, Context], Reason]:
    """Return the candidate that counts a channel's unanswered sends in a row."""

    def candidate(t: Any, at: Context) -> Reason:
        """Count the channel's unanswered sends in a row."""
        count = t[f"{channel.prefix}_ignored_in_a_row"]
        driver = f"ignored_{channel.prefix}"
        return Reason(count >= IGNORED_AT_LEAST, 25 + 5 * count, {"count": count}, driver=driver)

    return candidate


def no_visit(t: Any, at: Context) -> Reason:
    """Tell of no visit for longer than the contact's usual gap."""
    usual = ibis.greatest(t.usual_gap_days.fill_null(NO_VISIT_DAYS), NO_VISIT_DAYS)
    strength = 30 + 10 * t.days_since_visit / usual
    return Reason(t.days_since_visit >= usual, strength, {"days": t.days_since_visit}, driver="no_visit")


def service(t: Any, at: Context) -> Reason:
    """Tell of a recent service contact."""
    days = t.days_since_service_contact
    return Reason(days <= SERVICE_DAYS, 50, {"days": days}, driver="service")


def chance(t: Any, at: Context) -> Reason:
    """Give the calibrated probability of a purchase within the horizon."""
    values = {"p": t.p_purchase, "horizon": t.horizon_days}
    return Reason(t.p_purchase.notnull(), 20 + 40 * t.p_lapse, values)


def value(t: Any, at: Context) -> Reason:
    """Give the margin that a lapse puts at risk."""
    values = {"value": t.value_at_risk, "currency": ibis.literal(at.currency)}
    return Reason(t.value_at_risk >= 1, 35, values)


def last_purchase(t: Any, at: Context) -> Reason:
    """Tell the last purchase and how many there were: always true, never strong."""
    values = {"count": t.purchase_days, "last": day_before(at.as_of, t.days_since_purchase)}
    return Reason(t.days_since_purchase.notnull(), 1, values)


CANDIDATES: Mapping[str, Callable[[Any, Context], Reason]] = {
    "stated": stated,
    "rhythm": rhythm,
    "longest_silence": longest_silence,
    "overdue": overdue,
    "due_today": due_today,
    "due_soon": due_soon,
    "buys_less": buys_less,
    "few_purchases": few_purchases,
    "small_last_order": small_last_order,
    "returns": returns,
    **{f"ignored_{channel.name}": ignored(channel) for channel in CHANNELS},
    "no_visit": no_visit,
    "service": service,
    "chance": chance,
    "value": value,
    "last_purchase": last_purchase,
}
"""Every reason there is, by code; at equal strength the earlier one comes first. Add one here, and its texts."""


def _reacted(channel: Channel) -> Callable[[Any], Any]:
    sent = f"{channel.prefix}_days_since_send"
    return lambda t: (t.days_since_click < t[sent]) | (t.days_since_purchase < t[sent])


FACTS: Mapping[str, Callable[[Any], Any]] = {
    "gap_shrinks": lambda t: t.gap_trend < 1,
    "seen_since_visit": lambda t: (
        (t.days_since_purchase < t.days_since_visit) | (t.days_since_click < t.days_since_visit)
    ),
    **{f"reacted_since_{channel.name}": _reacted(channel) for channel in CHANNELS},
}
"""What may be true of a contact and makes a reason sound wrong: see `NOT_TOGETHER`."""

NOT_TOGETHER: tuple[tuple[str, str], ...] = (
    ("rhythm", "longest_silence"),  # one silence, told twice
    ("last_purchase", "few_purchases"),  # one number, told twice
    ("due_soon", "rhythm"),  # not late yet, and late
    ("due_soon", "longest_silence"),
    ("buys_less", "gap_shrinks"),  # slower, and faster
    ("no_visit", "seen_since_visit"),  # away, and here
    *((f"ignored_{channel.name}", f"reacted_since_{channel.name}") for channel in CHANNELS),  # deaf, and not
)
"""What contradicts or repeats each other: a reason and a fact, and the reason is not told; or two reasons, and the stronger
is told."""


def strongest(
    t: Any, as_of: date, currency: str, language: str = "en", closed: Sequence[tuple[date, date]] = ()
) -> Any:
    """Return the table with ``said``: the reasons of each row, strongest first.

    Parameters
    ----------
    t : ibis.Table
        Flagged contacts with the columns of `gather`, with or without those of the drivers.
    as_of : date
    currency : str
        Written beside amounts.
    language : str
        One of `winback_policy.texts.LANGUAGES`.
    closed : sequence of (first day, day after the last), optional
        Days on which the shop was or will be closed: the day on which a contact was due lies before them.

    Returns
    -------
    ibis.Table
        ``t`` and ``said``, array<string> of at most `HOW_MANY`.
    """
    at = Context(as_of, currency, closed)
    reasons = {code: candidate(t, at) for code, candidate in CANDIDATES.items()}
    keys = {
        code: ibis.ifelse(_holds(t, code, reason), _key(t, number, reason), None)
        for number, (code, reason) in enumerate(reasons.items())
    }
    t = t.mutate(**{f"key_{code}": key for code, key in keys.items()})
    told = []
    for code, candidate in CANDIDATES.items():
        text = sentence(code, candidate(t, at).values, LANGUAGES[language], as_of)
        told.append(ibis.ifelse(_outdone(t, code), None, t[f"key_{code}"] + text))
    ordered = ibis.array(told).filter(lambda text: text.notnull()).sort()
    said = ordered.map(lambda text: text.substr(KEY_DIGITS))[:HOW_MANY]
    return t.mutate(said=said).drop(*(f"key_{code}" for code in CANDIDATES))


def _effect(t: Any, reason: Reason) -> Any:
    return t[driver_column(reason.driver)].fill_null(0.0)


def _holds(t: Any, code: str, reason: Reason) -> Any:
    """Say whether the reason is true, is a cause if it claims to be one, and goes against no fact."""
    holds = reason.when.fill_null(False)
    if has_drivers(t) and reason.driver:
        holds = holds & (_effect(t, reason) >= FLOOR)
    elif reason.needs_driver:
        holds = ibis.literal(False)
    for fact in _partners(code, FACTS):
        holds = holds & ~FACTS[fact](t).fill_null(False)
    return holds


def _key(t: Any, number: int, reason: Reason) -> Any:
    """Return what a reason sorts by: its strength downwards, then that of its own numbers, then its place."""
    own = _clipped(reason.strength, STRONGEST)
    if not has_drivers(t) or reason.own_word:
        strength = own
    elif reason.driver:
        strength = _clipped(STRONGEST_FACT + 1 + 100 * _effect(t, reason), STRONGEST)
    else:
        strength = _clipped(reason.strength, STRONGEST_FACT)
    return _weakness(strength) + _weakness(own) + f"{number:02}"


def _outdone(t: Any, code: str) -> Any:
    """Say whether a stronger reason is told that this one may not stand beside."""
    mine = t[f"key_{code}"]
    others = [t[f"key_{other}"] for other in _partners(code, CANDIDATES)]
    return ibis.or_(ibis.literal(False), *((other < mine).fill_null(False) for other in others))


def _partners(code: str, among: Mapping[str, Any]) -> list[str]:
    """Return what a reason may not stand beside."""
    pairs = [pair for pair in NOT_TOGETHER if code in pair]
    return [other for pair in pairs for other in pair if other != code and other in among]


def _clipped(strength: Any, most: int) -> Any:
    return ibis.least(ibis.greatest(strength, 0), most)


def _weakness(strength: Any) -> Any:
    return (STRONGEST - strength).round().cast("int64").cast("string").lpad(2, "0")
