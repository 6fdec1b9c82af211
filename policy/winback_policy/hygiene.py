"""Whom a base keeps without need: sleepers and what they cost, retention, records without purpose, suppression keys.

Every function takes tables and gives one row per contact or one row in all; nothing is deleted here.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis

from winback_policy.channels import CHANNELS
from winback_policy.config import PolicyConfig
from winback_policy.dates import days_from
from winback_policy.legal import retention_days, silence_days
from winback_policy.states import ASLEEP

SENDS_PER_YEAR = 365 / 90
"""From the e-mails of 90 days to those of a year."""

FEATURE_COLUMNS = (
    "tenure_days",
    "days_since_activity",
    "active_days_90d",
    "purchase_days",
    "email_sends_90d",
)


def normalised_email(email: Any) -> Any:
    """Return an address as it is compared: trimmed, in lower case; null where it is empty."""
    return email.strip().lower().nullif("")


def suppression_key(email: Any) -> Any:
    """Return the key by which an erased contact is recognised without its address: ``sha256(normalised e-mail)``, in hex.

    Keep the keys of the erased, and leave out of every import whose key is among them.

    Parameters
    ----------
    email : ibis string column

    Returns
    -------
    ibis string column
        64 hexadecimal digits; null without an address.
    """
    return normalised_email(email).hexdigest("sha256")


def suppressed(contacts: Any, keys: Any) -> Any:
    """Return the contacts of an import that had been erased before.

    Parameters
    ----------
    contacts : ibis.Table
        With ``email``.
    keys : ibis.Table
        With ``suppression_key``.

    Returns
    -------
    ibis.Table
        The rows of ``contacts`` whose key is among ``keys``.
    """
    keyed = contacts.mutate(suppression_key=suppression_key(contacts.email))
    return keyed.semi_join(keys, "suppression_key").drop("suppression_key")


def records(winback: Any, features: Any, status: Any, as_of: date, config: PolicyConfig) -> Any:
    """Judge every record that is held.

    Parameters
    ----------
    winback : ibis.Table
        ``Decision.winback`` of the day.
    features : ibis.Table
        From ``winback_features.build_features``, at the same day.
    status : ibis.Table
        From ``winback_features.build_contact_status``.
    as_of : date
    config : PolicyConfig

    Returns
    -------
    ibis.Table
        One row per contact in ``winback`` save the erased: ``contact_id``, ``state``, ``country``, ``farewell_due``;
        ``inactive`` (by both definitions), ``engaged`` (any activity in 90 days); ``retention_due`` (the day on which its data
        have to go, null where nothing dates the contact, or it objects to profiling) and ``past_retention``;
        ``without_purpose`` (no purchase, no activity, no consent); ``sleeping`` (in ``sunset`` or ``farewell``),
        ``sleeper_emails_90d`` (e-mails sent to it in 90 days; 0 where it is awake) and ``sleeper_cost_per_year`` (what they cost,
        at that pace).
    """
    w = winback.filter(winback.state != "erased").select(
        "contact_id", "state", "country", "farewell_due", "purchase_inactive", "engagement_inactive"
    )
    f = features.select(*FEATURE_COLUMNS, features_of="contact_id")
    consents = [status[f"consent_{c.name}"].fill_null(False) for c in CHANNELS]
    s = status.select(status_of="contact_id", consented=ibis.or_(*consents))
    t = w.left_join(f, w.contact_id == f.features_of).left_join(s, w.contact_id == s.status_of)
    silence = silence_days(t)
    left = (retention_days(t, config.legal) - silence).cast("int64")
    sleeping = t.state.isin(ASLEEP)
    emails = ibis.ifelse(sleeping, t.email_sends_90d.fill_null(0), 0).cast("int64")
    # Of who objects to profiling there are no features: what it did is not known, and not nothing.
    never = t.features_of.notnull() & (t.purchase_days.fill_null(0) == 0) & t.days_since_activity.isnull()
    return t.select(
        "contact_id",
        "state",
        "country",
        "farewell_due",
        inactive=(t.purchase_inactive & t.engagement_inactive).fill_null(False),
        engaged=(t.active_days_90d > 0).fill_null(False),
        retention_due=days_from(as_of, left),
        past_retention=(left < 0).fill_null(False),
        without_purpose=never & ~t.consented.fill_null(False),
        sleeping=sleeping,
        sleeper_emails_90d=emails,
        sleeper_cost_per_year=_yearly(emails, config),
    )


def _yearly(emails_90d: Any, config: PolicyConfig) -> Any:
    """Return what so many e-mails in 90 days cost in a year."""
    return emails_90d.cast("float64") * ibis.literal(repr(config.email_price * SENDS_PER_YEAR)).cast(
        "float64"
    )


def summary(held: Any, config: PolicyConfig) -> Any:
    """Count what `records` found.

    Parameters
    ----------
    held : ibis.Table
        From `records`.
    config : PolicyConfig

    Returns
    -------
    ibis.Table
        One row: ``contacts``, ``inactive``, ``inactive_share``, ``sunset``, ``farewell``, ``past_retention``,
        ``without_purpose``; ``engaged_rate`` and ``engaged_rate_without_sleepers`` (share of contacts with any activity in 90
        days, of all and of those that are left when the sleepers are removed; null where nobody is); ``sleeper_emails_90d``,
        ``sleeper_cost_per_year``.
    """
    awake = ~held.sleeping
    t = held.aggregate(
        contacts=held.count(),
        inactive=held.count(where=held.inactive),
        sunset=held.count(where=held.state == "sunset"),
        farewell=held.count(where=held.state == "farewell"),
        past_retention=held.count(where=held.past_retention),
        without_purpose=held.count(where=held.without_purpose),
        engaged=held.count(where=held.engaged),
        engaged_awake=held.count(where=held.engaged & awake),
        awake=held.count(where=awake),
        sleeper_emails_90d=held.sleeper_emails_90d.sum().fill_null(0).cast("int64"),
    )

    def share(part: Any, whole: Any) -> Any:
        return part.cast("float64") / whole.nullif(0)

    return t.select(
        "contacts",
        "inactive",
        "sunset",
        "farewell",
        "past_retention",
        "without_purpose",
        "sleeper_emails_90d",
        sleeper_cost_per_year=_yearly(t.sleeper_emails_90d, config),
        inactive_share=share(t.inactive, t.contacts),
        engaged_rate=share(t.engaged, t.contacts),
        engaged_rate_without_sleepers=share(t.engaged_awake, t.awake),
    )
