"""What the policy must know of a contact besides its score: how to reach it, whether one may, what is open.

Addresses carry no time in the contract, so the contact row stands as it is; whatever has a time counts only before the cut.
A consent may have a date: before it, it is not known yet. A refusal always counts.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import ibis

from winback_features.contact_features import contacts_before, withdrawn_contacts
from winback_features.contact_habits import CLOSED_DAYS, STATED, TASTES, contact_habits
from winback_features.expressions import cut, join_contacts
from winback_features.sent_log import LOGGED, sent_by_log, unlogged

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
SEND_TIME = ("send_weekday", "send_hour", "send_timezone", "send_time_n")
LEFT_OUT = (*SEND_TIME, *TASTES, *STATED, *LOGGED)
"""What is not told of who is erased or objects to profiling."""

COLUMNS = (
    *("contact_id", "in_contacts", *PROFILE, *CONSENTS, *CONSENT_DAYS.values()),
    *("hard_bounced", "soft_bounces_in_a_row", "complained", "objected_profiling", "erased", "is_staff"),
    *("has_email", "days_since_service_contact", "cart_open_days", "days_since_click", "days_since_visit"),
    *(*SEND_TIME, *TASTES, *STATED, *CLOSED_DAYS),
    *LOGGED,
)
"""The columns of ``build_contact_status``, in order."""


def _consent(t: ibis.Table, consent: str, left: Any, as_of: date) -> dict[str, Any]:
    """Return a consent as it stood before the cut, and the days since it was given."""
    given = t[CONSENT_DATES[consent]]
    agreed = t[consent].fill_null(False)
    ahead = agreed & (given.date() >= cut(as_of)).fill_null(False)
    withdrawn = left.notnull() & ~(agreed & ~ahead & (given > left).fill_null(False))
    stands = ibis.cases((withdrawn, ibis.literal(value=False)), (ahead, None), else_=t[consent])
    days = ibis.ifelse(stands.fill_null(False), cut(as_of).delta(given.date(), unit="day"), None)
    return {consent: stands, CONSENT_DAYS[consent]: days}


def build_contact_status(tables: Tables, as_of: date, habits: ibis.Table | None = None) -> ibis.Table:
    """Build what the policy needs to know of every contact known before ``as_of``.

    Parameters
    ----------
    tables : Tables
        From `winback_features.ingest.ingest`.
    as_of : date
    habits : ibis.Table, optional
        Those of the same day, where they are known already; see `winback_features.contact_habits`.

    Returns
    -------
    ibis.Table
        The columns of `COLUMNS`, one row per contact known before ``as_of``, the opposed included and
        the erased (without their profile), ordered by contact. Flags are never null. ``consent_*`` is null
        where unknown, and false after an unsubscribe or complaint on that channel whatever the contact row
        says, unless it agreed at a later time; ``consent_*_days`` are the days since it agreed, null where it did not or nobody
        knows when. ``closed_*_days`` are the days of each silence on which the shop was closed. ``has_email`` is
        null when the shop has no contacts table. ``send_timezone`` is the zone by whose clock ``send_weekday`` and ``send_hour``
        are: the contact's, else the brand's; null where there are none. When an opposed contact is there, what it likes, said, or
        was sent by the campaign log is left out; without a log nothing was sent by it.
    """
    contacts = contacts_before(tables, as_of)
    contacts = contacts.select(
        *("contact_id", *PROFILE, *CONSENTS, *CONSENT_DATES.values(), "email_status", "is_staff"),
        in_contacts=ibis.literal(value=True),
    )
    log = () if tables.campaign_log is None else (sent_by_log(tables.campaign_log, as_of),)
    t = join_contacts(
        contact_habits(tables, as_of) if habits is None else habits,
        contacts,
        withdrawn_contacts(tables, as_of),
        *log,
    )
    columns: dict[str, Any] = unlogged() | {name: t[name] for name in COLUMNS if name in t.columns}
    for consent, channel in CONSENTS.items():
        columns |= _consent(t, consent, t[f"left_{channel}"], as_of)
    undeliverable = (t.email_status == "hard_bounced").fill_null(False)
    columns["hard_bounced"] = t.bounced | undeliverable
    columns["has_email"] = t.email.notnull() if tables.has_contacts else ibis.null("boolean")
    columns |= {name: columns[name].fill_null(False) for name in FLAGS}
    columns |= {name: ibis.ifelse(columns["erased"], ibis.null("string"), t[name]) for name in PROFILE}
    zone = t.own_zone.fill_null(tables.timezone)
    columns["send_timezone"] = ibis.ifelse(t.send_weekday.notnull(), zone, ibis.null("string"))
    opposed = columns["erased"] | columns["objected_profiling"]
    columns |= {name: ibis.ifelse(opposed, None, columns[name]) for name in LEFT_OUT}
    return t.select(**{name: columns[name] for name in COLUMNS}).order_by("contact_id")
