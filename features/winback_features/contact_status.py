"""What the policy must know of a contact besides its score: how to reach it, whether one may, what is open.

Addresses carry no time in the contract, so the contact row stands as it is; whatever has a time counts only before the cut.
A consent may have a date: before it, it is not known yet. A refusal always counts.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import ibis

from winback_features.contact_features import contacts_before, known_contacts, withdrawn_contacts
from winback_features.engagement_features import VISIT_ROLES
from winback_features.expressions import cut, facts_before, join_contacts, mode, mode_key
from winback_features.facts import personal_events, purchase_orders
from winback_features.stated import STATED, stated
from winback_features.tastes import TASTES, tastes

if TYPE_CHECKING:
    from winback_features.tables import Tables

PROFILE = ("email", "phone", "first_name", "last_name", "language", "country", "timezone")
CONSENTS = {
    "consent_email": "email",
    "consent_sms": "sms",
    "consent_push": "push",
    "consent_phone": "phone",
    "consent_post": "direct_mail",
}
"""Consent column -> the channel whose ``unsubscribe`` event withdraws it."""

CONSENT_DATES = {consent: f"{consent}_at" for consent in CONSENTS}
"""Consent column -> the column that says when it was given."""

CONSENT_DAYS = {consent: f"{consent}_days" for consent in CONSENTS}
"""Consent column -> the days since it was given, among the columns of the status."""

FLAGS = ("hard_bounced", "complained", "objected_profiling", "erased", "is_staff", "in_contacts")
COLUMNS = (
    *("contact_id", "in_contacts", *PROFILE, *CONSENTS, *CONSENT_DAYS.values()),
    *("hard_bounced", "soft_bounces_in_a_row", "complained", "objected_profiling", "erased", "is_staff"),
    *("has_email", "days_since_service_contact", "cart_open_days", "days_since_click", "days_since_visit"),
    *("send_weekday", "send_hour", "send_time_n", *TASTES, *STATED),
)
"""The columns of ``build_contact_status``, in order."""


def delivery_status(tables: Tables, as_of: date) -> ibis.Table:
    """Find bounces, complaints and channels a contact has left.

    A soft bounce is one of a row until an e-mail is opened or clicked after it; an opening machine proves
    delivery as well as a person.

    Returns
    -------
    ibis.Table
        ``contact_id``, ``bounced``, ``complained``, ``soft_bounces_in_a_row``, ``left_<channel>`` (when last; null where never).
    """
    events = facts_before(tables.events, as_of)
    delivered = events.filter((events.channel == "email") & events.role.isin(("open", "click")))
    delivered = delivered.group_by("contact_id").aggregate(delivered_at=delivered.occurred_at.max())
    events = events.filter(events.role.isin(("bounce", "optout")))
    events = join_contacts(events, delivered)
    in_a_row = events.delivered_at.isnull() | (events.occurred_at > events.delivered_at)
    left = {
        f"left_{channel}": events.occurred_at.max(
            where=(events.role == "optout") & (events.channel == channel)
        )
        for channel in CONSENTS.values()
    }
    return events.group_by("contact_id").aggregate(
        bounced=(events.kind == "email_bounce_hard").any(),
        complained=(events.kind == "email_complaint").any(),
        soft_bounces_in_a_row=events.count(where=(events.kind == "email_bounce_soft") & in_a_row),
        **left,
    )


def recent_contact(tables: Tables, as_of: date) -> ibis.Table:
    """Measure the days since the last service contact, click and visit, and since a cart left open.

    Returns
    -------
    ibis.Table
        ``contact_id``, ``days_since_service_contact``, ``days_since_click``, ``days_since_visit``,
        ``cart_open_days``; null where there is none. A purchase on the cart's day or later closes it.
    """
    events = personal_events(tables, as_of)
    age = events.age
    last = events.group_by("contact_id").aggregate(
        days_since_service_contact=age.min(where=events.role == "service"),
        days_since_click=age.min(where=events.role == "click"),
        days_since_visit=age.min(where=events.role.isin(VISIT_ROLES)),
        cart=age.min(where=events.role == "cart"),
    )
    orders = facts_before(purchase_orders(tables, as_of), as_of)
    t = join_contacts(last, orders.group_by("contact_id").aggregate(bought=orders.age.min()))
    closed = (t.bought <= t.cart).fill_null(False)
    return t.mutate(cart_open_days=ibis.ifelse(closed, ibis.null("int64"), t.cart)).drop("cart", "bought")


def send_time(tables: Tables, as_of: date) -> ibis.Table:
    """Find the weekday and hour at which a contact is most often there.

    Its own clicks and visits speak first; who has none is judged by the times of its purchases. Among equally
    frequent values the lowest wins. A time at midnight exactly is a date without a time: it has a weekday
    and no hour.

    Returns
    -------
    ibis.Table
        ``contact_id``, ``send_weekday`` (0 is Monday), ``send_hour`` (0–23, null where no time of day is
        known), ``send_time_n`` (how many events or purchases that rests on).
    """
    events = personal_events(tables, as_of)
    events = events.filter(events.role.isin(("click", *VISIT_ROLES)))
    orders = purchase_orders(tables, as_of)
    orders = orders.anti_join(events, "contact_id")
    times = ibis.union(
        events.select("contact_id", at=events.occurred_at),
        orders.select("contact_id", at=orders.ordered_at),
        distinct=False,
    )
    at = times.at
    dated = (at.hour() == 0) & (at.minute() == 0) & (at.second() == 0)
    slots = times.select(
        "contact_id",
        weekday=at.day_of_week.index().cast("int64"),
        hour=ibis.ifelse(dated, ibis.null("int64"), at.hour().cast("int64")),
    )
    weekdays = slots.group_by("contact_id", "weekday").aggregate(n=slots.count())
    weekdays = weekdays.group_by("contact_id").aggregate(
        send_weekday=mode(mode_key(weekdays.n, weekdays.weekday)), send_time_n=weekdays.n.sum().cast("int32")
    )
    hours = slots.filter(slots.hour.notnull())
    hours = hours.group_by("contact_id", "hour").aggregate(n=hours.count())
    hours = hours.group_by("contact_id").aggregate(send_hour=mode(mode_key(hours.n, hours.hour)))
    return join_contacts(weekdays, hours)


def _consent(t: ibis.Table, consent: str, left: Any, as_of: date) -> dict[str, Any]:
    """Return a consent as it stood before the cut, and the days since it was given."""
    given = t[CONSENT_DATES[consent]]
    agreed = t[consent].fill_null(False)
    ahead = agreed & (given.date() >= cut(as_of)).fill_null(False)
    withdrawn = left.notnull() & ~(agreed & ~ahead & (given > left).fill_null(False))
    stands = ibis.cases((withdrawn, ibis.literal(value=False)), (ahead, None), else_=t[consent])
    days = ibis.ifelse(stands.fill_null(False), cut(as_of).delta(given.date(), unit="day"), None)
    return {consent: stands, CONSENT_DAYS[consent]: days}


def build_contact_status(tables: Tables, as_of: date) -> ibis.Table:
    """Build what the policy needs to know of every contact known before ``as_of``.

    Parameters
    ----------
    tables : Tables
        From `winback_features.ingest.ingest`.
    as_of : date

    Returns
    -------
    ibis.Table
        The columns of `COLUMNS`, one row per contact known before ``as_of``, the opposed included and
        the erased (without their profile), ordered by contact. Flags are never null. ``consent_*`` is null
        where unknown, and false after an unsubscribe or complaint on that channel whatever the contact row
        says, unless it agreed at a later time; ``consent_*_days`` are the days since it agreed, null where it did not or nobody
        knows when. ``has_email`` is null when the shop has no contacts table. What an objecting contact likes, or
        said, is left out.
    """
    contacts = contacts_before(tables, as_of)
    contacts = contacts.select(
        *("contact_id", *PROFILE, *CONSENTS, *CONSENT_DATES.values(), "email_status", "is_staff"),
        in_contacts=ibis.literal(value=True),
    )
    t = join_contacts(
        known_contacts(tables, as_of).select("contact_id"),
        contacts,
        withdrawn_contacts(tables, as_of),
        delivery_status(tables, as_of),
        recent_contact(tables, as_of),
        send_time(tables, as_of),
        tastes(tables, as_of),
        stated(tables, as_of),
    )
    columns: dict[str, Any] = {name: t[name] for name in COLUMNS if name in t.columns}
    for consent, channel in CONSENTS.items():
        columns |= _consent(t, consent, t[f"left_{channel}"], as_of)
    undeliverable = (t.email_status == "hard_bounced").fill_null(False)
    columns["hard_bounced"] = t.bounced.fill_null(False) | undeliverable
    columns["has_email"] = t.email.notnull() if tables.has_contacts else ibis.null("boolean")
    columns |= {name: columns[name].fill_null(False) for name in FLAGS}
    columns |= {name: ibis.ifelse(columns["erased"], ibis.null("string"), t[name]) for name in PROFILE}
    opposed = columns["erased"] | columns["objected_profiling"]
    columns |= {name: ibis.ifelse(opposed, None, t[name]) for name in (*TASTES, *STATED)}
    columns |= {name: columns[name].fill_null(0) for name in ("soft_bounces_in_a_row", "send_time_n")}
    return t.select(**{name: columns[name] for name in COLUMNS}).order_by("contact_id")
