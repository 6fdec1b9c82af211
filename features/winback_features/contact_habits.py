"""What a contact's facts say of how to write to it: what reaches it, when it is there, what it likes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from winback_features.build import known_days, named
from winback_features.by_contact import compute, together
from winback_features.config import SEND_HOURS
from winback_features.contracts import STATED_REASONS
from winback_features.engagement_features import VISIT_ROLES, loyalty_features, quiet_days
from winback_features.fact_arrays import BEFORE_TIME, CHANNELS, FAULTS, Events, Facts, Lines, Orders
from winback_features.order_features import dearest
from winback_features.purchase_features import closed_days
from winback_features.segments import Floats, Ints, Segments, changes, pairs, sums
from winback_features.zones import HOUR, SECOND, in_own_zones, known_zones

if TYPE_CHECKING:
    import ibis

    from winback_features.tables import Tables

TASTES = ("last_product", "top_interest")
"""What a contact bought last and buys most: for the words of a message, not for a score."""

STATED = ("stated_reason", "stated_days")
"""Why a contact said that it stopped, and the days since."""

CLOSED_DAYS = ("closed_quiet_days", "closed_known_days", "closed_loyalty_days")
"""Days on which the shop was closed since the last activity, else since the contact is known; since it is known; since its
loyalty points changed. 0 where there is no such silence."""

SCHEMA = pa.schema(
    [
        ("contact_id", pa.string()),
        ("bounced", pa.bool_()),
        ("complained", pa.bool_()),
        ("soft_bounces_in_a_row", pa.int64()),
        *((f"left_{channel}", pa.timestamp("us")) for channel in CHANNELS),
        ("days_since_service_contact", pa.int64()),
        ("days_since_click", pa.int64()),
        ("days_since_visit", pa.int64()),
        ("cart_open_days", pa.int64()),
        ("send_weekday", pa.int64()),
        ("send_hour", pa.int64()),
        ("send_time_n", pa.int32()),
        ("own_zone", pa.string()),
        *((taste, pa.string()) for taste in TASTES),
        ("stated_reason", pa.string()),
        ("stated_days", pa.int64()),
        *((name, pa.int64()) for name in CLOSED_DAYS),
    ]
)
"""The columns of the habits, in order."""

DAY = 86_400 * SECOND
MIDNIGHT_SHIFT = 3
"""The first day of the clock, 1970-01-01, was a Thursday; 0 is Monday."""


def contact_habits(tables: Tables, as_of: date) -> ibis.Table:
    """Build the habits of every contact known before ``as_of``; see `habits_of`. Computed at once, and held by the engine."""
    work = partial(habits_of, as_of=as_of, closed=tables.closed, send_hours=tables.send_hours)
    return together(compute(tables, as_of, work, SCHEMA))


def habits_of(
    facts: Facts,
    as_of: date,
    closed: Sequence[tuple[date, date]] = (),
    send_hours: tuple[int, int] = SEND_HOURS,
) -> pa.Table:
    """Build the habits of every contact in the facts that is known before their day.

    Parameters
    ----------
    facts : Facts
        Of before ``as_of``.
    as_of : date
    closed : sequence of (first day, day after the last)
        Days on which silence is not inactivity; periods that do not overlap.
    send_hours : (first hour, hour after the last)
        Of a day, 0 to 24: ``send_hour`` is always one of them.

    Returns
    -------
    pyarrow.Table
        `SCHEMA`, by rising contact id. ``left_<channel>`` is when it was left last. ``cart_open_days`` is null where a
        purchase on the cart's day or later closed it. ``send_weekday`` (0 is Monday) and ``send_hour`` (null where no time of
        day is known) rest on ``send_time_n`` events or purchases; ``own_zone`` is the contact's, null where it is not known.
    """
    lines = facts.lines.of_purchases
    last_lines = lines.only(lines.newest)
    zones = known_zones(facts.zone)
    found: dict[str, Any] = {
        **_delivery(facts, as_of),
        **_recent(facts.orders, facts.events),
        **_send_time(facts, zones, send_hours),
        **_stated(facts.events),
        **_closed(facts, closed, as_of),
    }
    kept = np.flatnonzero(facts.known)
    words = {
        "own_zone": zones.take(kept),
        "last_product": named(facts.products, dearest(last_lines, last_lines.product)[kept]),
        "top_interest": named(facts.categories, _most_days(lines)[kept]),
        "stated_reason": named(pa.array(STATED_REASONS), found["stated_reason"][kept]),
    }
    columns = [
        words[f.name] if f.name in words else _column(found[f.name][kept], f.type) for f in list(SCHEMA)[1:]
    ]
    return pa.table([facts.ids.take(kept), *columns], schema=SCHEMA)


def _column(values: Any, kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind):
        return pa.array(values, mask=values == BEFORE_TIME).cast(kind)
    return pa.array(values, from_pandas=True).cast(kind)


def _delivery(facts: Facts, as_of: date) -> dict[str, Any]:
    """Find bounces, complaints and channels a contact has left.

    A soft bounce is one of a row until an e-mail is opened or clicked after it; an opening machine proves
    delivery as well as a person. Bounces of before the contact got its address are those of another.
    """
    events = facts.events
    delivered = events.last_at(events.on("email") & events.played("open", "click"))
    cut = np.datetime64(as_of, "us").astype(np.int64)
    address_at = np.where(facts.address_at < cut, facts.address_at, BEFORE_TIME)
    events = events.only(events.played("bounce", "optout"))
    hard, soft, complaint = (events.fault == place for place in range(len(FAULTS)))
    of_address = events.at >= address_at[events.rows.contact]
    in_a_row = soft & of_address & (events.at > delivered[events.rows.contact])
    left = {f"left_{c}": events.last_at(events.played("optout") & events.on(c)) for c in CHANNELS}
    return left | {
        "bounced": events.rows.count(hard & of_address) > 0,
        "complained": events.rows.count(complaint) > 0,
        "soft_bounces_in_a_row": events.rows.count(in_a_row),
    }


def _recent(orders: Orders, events: Events) -> dict[str, Floats]:
    """Measure the days since the last service contact, click and visit, and since a cart left open."""

    def since(*roles: str) -> Floats:
        return events.rows.first(events.age, events.personal & events.played(*roles))

    cart = since("cart")
    closed = orders.rows.first(orders.age, orders.bought) <= cart
    return {
        "days_since_service_contact": since("service"),
        "days_since_click": since("click"),
        "days_since_visit": since(*VISIT_ROLES),
        "cart_open_days": np.where(closed, np.nan, cart),
    }


def _send_time(facts: Facts, zones: pa.Array, send_hours: tuple[int, int]) -> dict[str, Any]:
    """Find the weekday and hour at which a contact is most often there, by the clock of its own zone where that is known.

    Its own clicks and visits speak first; who has none is judged by the times of its purchases. Among equally
    frequent values the lowest wins. A time at midnight exactly is a date without a time: it has a weekday
    and no hour, and is the same day everywhere. Hours outside of ``send_hours`` are nobody's: see `_decent_hour`.
    """
    events, orders = facts.events, facts.orders
    events = events.only(events.personal & events.played("click", *VISIT_ROLES))
    silent = events.rows.count() == 0
    orders = orders.only(orders.bought & silent[orders.rows.contact])
    contact = np.concatenate([events.rows.contact, orders.rows.contact])
    at, n = np.concatenate([events.at, orders.at]), orders.rows.n
    timed = at // SECOND * SECOND % DAY != 0
    at[timed] = in_own_zones(at[timed], contact[timed], zones, facts.home)
    weekdays = _counts(contact, (at // DAY + MIDNIGHT_SHIFT) % 7, n, 7)
    hours = _counts(contact[timed], at[timed] // HOUR % 24, n, 24)
    return {
        "send_weekday": _mode(weekdays),
        "send_hour": _decent_hour(hours, send_hours),
        "send_time_n": weekdays.sum(axis=1),
    }


def _stated(events: Events) -> dict[str, Floats]:
    """Find the reason of each contact's last survey answer that gave one; of several at one instant the first word counts."""
    told = events.only(events.personal & (events.reason >= 0))
    by = np.lexsort((told.reason, -told.at, told.rows.contact))
    last = Segments(told.rows.contact[by], told.rows.n)
    return {"stated_reason": last.first(told.reason[by]), "stated_days": last.first(told.age[by])}


def _closed(facts: Facts, closed: Sequence[tuple[date, date]], as_of: date) -> dict[str, Floats]:
    """Count the closed days of each silence that a definition of inactive may speak of; those since a purchase are a feature."""
    quiet, known = quiet_days(facts.orders, facts.events), known_days(facts)
    loyalty = np.asarray(loyalty_features(facts.events)["days_since_loyalty_change"], dtype=np.float64)
    silences = (np.where(np.isnan(quiet), known, quiet), known, loyalty)
    return {
        name: np.nan_to_num(closed_days(silence, closed, as_of))
        for name, silence in zip(CLOSED_DAYS, silences, strict=True)
    }


def _counts(contact: Ints, value: Ints, n: int, values: int) -> Ints:
    """Count how often each contact has each value; shape (n, values)."""
    return np.bincount(contact.astype(np.int64) * values + value, minlength=n * values).reshape(n, values)


def _mode(counts: Ints) -> Floats:
    """Return the most frequent value, the lowest of equals, NaN where there is none; shape (n,)."""
    return np.where(counts.any(axis=1), counts.argmax(axis=1), np.nan)


def _decent_hour(counts: Ints, send_hours: tuple[int, int]) -> Floats:
    """Return the most frequent hour of those at which one may write; shape (n,), NaN where no time of day is known.

    Who is only there at others gets the permitted hour that is nearest to the most frequent, round midnight too; of two
    equally near the earlier.
    """
    first, after = send_hours
    permitted = np.arange(first, after)
    apart = np.abs(np.arange(24)[:, None] - permitted)
    nearest = permitted[np.minimum(apart, 24 - apart).argmin(axis=1)]
    inside = counts[:, first:after]
    chosen = np.where(inside.any(axis=1), first + inside.argmax(axis=1), nearest[counts.argmax(axis=1)])
    return np.where(counts.any(axis=1), chosen, np.nan)


def _most_days(lines: Lines) -> Floats:
    """Return the category bought on most days, then with most money, then the first; shape (contacts,), NaN for none."""
    lines = lines.only(lines.category >= 0)
    key = pairs(lines.rows.contact, lines.category)
    by = np.argsort(key, kind="stable")  # the days stay in their order
    key, age = key[by], lines.age[by]
    starts = np.flatnonzero(changes(key))
    contact, category = key[starts] >> 32, key[starts] & 0xFFFFFFFF
    days, money = sums(changes(key, age).astype(np.int64), starts), sums(lines.amount[by], starts)
    best = np.lexsort((category, -money, -days, contact))
    return Segments(contact[best], lines.rows.n).first(category[best])
