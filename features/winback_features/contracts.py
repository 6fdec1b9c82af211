"""The data contract in code: tables, columns, event kinds.

Everything that reads or checks an input takes the names from here; ``docs/data-contract.md`` is its prose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["string", "timestamp", "amount", "number", "bool"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an input table.

    Attributes
    ----------
    name : str
    kind : {"string", "timestamp", "amount", "number", "bool"}
        What its values are read as.
    required : bool
        Whether the table is refused without it.
    nullable : bool
        Whether a row may leave it empty; a row that may not goes to quarantine.
    held : bool
        Whether anything asks for it once the table is read; one that nothing asks for still tells two rows apart.
    """

    name: str
    kind: Kind
    required: bool = False
    nullable: bool = True
    held: bool = True


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One input table: its name and its columns, the time column named apart."""

    name: str
    columns: tuple[Column, ...]
    time_column: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the column names in order."""
        return tuple(c.name for c in self.columns)


ORDERS = TableSpec(
    "orders",
    (
        Column("contact_id", "string", required=True, nullable=False),
        Column("order_id", "string", required=True, nullable=False),
        Column("ordered_at", "timestamp", required=True, nullable=False),
        Column("amount", "amount", required=True),
        Column("currency", "string"),
        Column("category", "string"),
        Column("product_id", "string"),
        Column("discount", "number"),
        Column("coupon", "bool"),
        Column("is_gift", "bool"),
    ),
    time_column="ordered_at",
)

EVENTS = TableSpec(
    "events",
    (
        Column("contact_id", "string", required=True, nullable=False),
        Column("occurred_at", "timestamp", required=True, nullable=False),
        Column("kind", "string", required=True, nullable=False),
        Column("channel", "string"),
        Column("campaign_id", "string", held=False),
        Column("value", "number"),
        Column("machine", "bool"),
        Column("reason", "string"),
    ),
    time_column="occurred_at",
)

CONTACTS = TableSpec(
    "contacts",
    (
        Column("contact_id", "string", required=True, nullable=False),
        Column("email", "string"),
        Column("phone", "string"),
        Column("first_name", "string"),
        Column("last_name", "string"),
        Column("language", "string"),
        Column("country", "string"),
        Column("timezone", "string"),
        Column("created_at", "timestamp"),
        Column("acquisition_source", "string"),
        Column("consent_email", "bool"),
        Column("consent_sms", "bool"),
        Column("consent_push", "bool"),
        Column("consent_phone", "bool"),
        Column("consent_post", "bool"),
        Column("consent_email_at", "timestamp"),
        Column("consent_sms_at", "timestamp"),
        Column("consent_push_at", "timestamp"),
        Column("consent_phone_at", "timestamp"),
        Column("consent_post_at", "timestamp"),
        Column("email_status", "string"),
        Column("email_changed_at", "timestamp"),
        Column("objected_profiling_at", "timestamp"),
        Column("erased_at", "timestamp"),
        Column("is_staff", "bool"),
    ),
)

CAMPAIGN_LOG = TableSpec(
    "campaign_log",
    (
        Column("contact_id", "string", required=True, nullable=False),
        Column("sent_at", "timestamp", required=True, nullable=False),
        Column("run_id", "string"),
        Column("step", "string"),
        Column("channel", "string"),
        Column("arm", "string"),
        Column("incentive", "string"),
        Column("cost", "amount"),
    ),
    time_column="sent_at",
)

TABLES = {t.name: t for t in (ORDERS, EVENTS, CONTACTS, CAMPAIGN_LOG)}

SEND_CHANNELS = ("email", "sms", "push", "direct_mail")
"""Channels on which a shop writes to people, in the order features name them."""

LIST_NAMES = {"post": "direct_mail"}
"""Channels that consents, the list and the campaign log call by another name than the events; an event may say either."""

Role = Literal[
    "send", "open", "click", "bounce", "optout", "visit", "cart", "service", "loyalty", "answer", "incentive"
]


@dataclass(frozen=True, slots=True)
class EventKind:
    """What an event kind means: its usual channel and the role it plays in the features."""

    channel: str
    role: Role


EVENT_KINDS: dict[str, EventKind] = {
    "email_sent": EventKind("email", "send"),
    "email_open": EventKind("email", "open"),
    "email_click": EventKind("email", "click"),
    "email_bounce_soft": EventKind("email", "bounce"),
    "email_bounce_hard": EventKind("email", "bounce"),
    "email_complaint": EventKind("email", "optout"),
    "unsubscribe": EventKind("email", "optout"),
    "sms_sent": EventKind("sms", "send"),
    "sms_click": EventKind("sms", "click"),
    "push_sent": EventKind("push", "send"),
    "push_open": EventKind("push", "click"),
    "direct_mail_sent": EventKind("direct_mail", "send"),
    "coupon_redeemed": EventKind("direct_mail", "click"),
    "site_visit": EventKind("site", "visit"),
    "app_visit": EventKind("app", "visit"),
    "product_view": EventKind("site", "visit"),
    "cart_add": EventKind("site", "cart"),
    "checkout_start": EventKind("site", "cart"),
    "service_contact": EventKind("service", "service"),
    "loyalty_points": EventKind("loyalty", "loyalty"),
    "preference_answer": EventKind("form", "answer"),
    "survey_answer": EventKind("form", "answer"),
    "incentive_sent": EventKind("incentive", "incentive"),
}
"""Known kinds. An unknown kind is kept as activity of kind ``other`` and warned about.

A push is opened by a person's tap, so ``push_open`` counts as a click; a redeemed coupon answers a mailing.
"""

OTHER_KIND = "other"

SURVEY = "survey_answer"
STATED_REASONS = (
    *("moved_away", "no_need", "price", "delivery", "service", "quality", "assortment"),
    *("too_many_messages", "competitor", "other"),
)
"""Why a contact says that it stopped, in the ``reason`` of a `SURVEY` answer. Of several at once the first here counts; an
unknown one reads ``other``."""

EMAIL_STATUSES = ("ok", "soft_bounced", "hard_bounced", "unknown")
