"""On which channel a contact may be written to, on what basis, and which one answers best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ibis

from winback_policy import legal

if TYPE_CHECKING:
    from winback_policy.config import PolicyConfig

SOFT_BOUNCES = 7
"""More soft bounces in a row than this close the e-mail channel."""

IGNORED_SENDS = 5
"""From so many unanswered sends in a row a channel is worn out."""

_NOT_PERMITTED = 99


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel we may recommend.

    Attributes
    ----------
    name : str
        As in the ``channel`` column and in ``consent_{name}``.
    prefix : str
        Of its engagement features.
    """

    name: str
    prefix: str


CHANNELS = (
    Channel("email", "email"),
    Channel("sms", "sms"),
    Channel("push", "push"),
    Channel("post", "direct_mail"),
)
"""In order of preference where nothing else tells them apart (price, mostly)."""


def refused_any(t: Any) -> Any:
    """Say whether the contact declined at least one channel (unsubscribed, complained, or never opted in)."""
    return ibis.or_(*(~t[f"consent_{c.name}"].fill_null(True) for c in CHANNELS))


def worn_out(t: Any, channel: Channel) -> Any:
    """Say whether the last `IGNORED_SENDS` sends on the channel went unanswered."""
    return t[f"{channel.prefix}_ignored_in_a_row"].fill_null(0) >= IGNORED_SENDS


def has_address(t: Any, channel: Channel, *, has_contacts: bool) -> Any:
    """Say whether there is an address: from the contacts table, else from what was sent before.

    Without a contacts table everybody is taken to have an e-mail address, unless the shop has written to the
    contact on other channels only. Push and post have no address column in the contract: a consent given
    there, or an earlier send, stands for one.
    """
    sent_before = t[f"{channel.prefix}_days_since_send"].notnull()
    if channel.name == "email":
        only_elsewhere = ~sent_before & ibis.or_(
            *(t[f"{c.prefix}_days_since_send"].notnull() for c in CHANNELS)
        )
        return t.has_email.fill_null(False) if has_contacts else t.has_email.fill_null(~only_elsewhere)
    if channel.name == "sms":
        return t.phone.notnull() if has_contacts else sent_before
    return sent_before | t[f"consent_{channel.name}"].fill_null(False)


def soft_bounced(t: Any) -> Any:
    """Say whether the e-mail address was full or away too often in a row."""
    return t.soft_bounces_in_a_row.fill_null(0) > SOFT_BOUNCES


def too_old(t: Any, channel: Channel, config: PolicyConfig) -> Any:
    """Say whether the person has been silent for longer than the law of its country lets one write."""
    silence = legal.silence_days(t)
    return (silence > legal.max_age_days(t, channel.name, config.legal)).fill_null(False)


def agreed_in_time(t: Any, channel: Channel, config: PolicyConfig) -> Any:
    """Say of who agreed whether that holds today: ``None`` where nobody knows since when, and it does not hold for ever."""
    limit = legal.consent_days(t, channel.name, config.legal)
    return limit.isnull() | (t[f"consent_{channel.name}_days"] <= limit)


def lawful(t: Any, channel: Channel, config: PolicyConfig) -> tuple[Any, Any]:
    """Say whether the law lets one write without consent, whenever the contact bought; and whether it does so today.

    Only where ``config.unknown_consent`` is ``"flag"``, and for a contact that has declined no channel: who unsubscribes from
    e-mail is not chased by text message. What the law says stands in `winback_policy.legal`.
    """
    if config.unknown_consent != "flag":
        return ibis.literal(False), ibis.literal(False)
    basis = legal.basis(t, channel.name, config.legal)
    unknown = t[f"consent_{channel.name}"].isnull() & ~refused_any(t)
    interest = unknown & (basis == legal.LEGITIMATE_INTEREST)
    buyer = unknown & (basis == legal.SOFT_OPT_IN) & (t.base != "never_bought")
    limit = legal.soft_opt_in_days(t, channel.name, config.legal)
    in_time = limit.isnull() | (t.days_since_purchase <= limit).fill_null(False)
    return interest | buyer, interest | (buyer & in_time)


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether a channel is permitted, age apart and all in all; four bool columns without nulls.

    Attributes
    ----------
    once : ibis column
        The contact agreed, or the law let one write, at any time; and there is an address.
    undated : ibis column
        Of these: it agreed nobody knows when, where a consent is to be renewed.
    fresh : ibis column
        Of ``once``: the person is not silent for longer than the law lets one write.
    today : ibis column
        Of ``fresh``: the consent, or the right to write to a buyer, has not run out.
    """

    once: Any
    undated: Any
    fresh: Any
    today: Any


def permission(t: Any, channel: Channel, config: PolicyConfig, *, has_contacts: bool) -> Permission:
    """Say whether the contact agreed, or the law lets one write, and there is an address.

    A consent that has run out is not replaced by the law: the contact was asked once, and is to be asked again.
    """
    agreed = t[f"consent_{channel.name}"].fill_null(False)
    holds = agreed_in_time(t, channel, config)
    by_law, by_law_today = lawful(t, channel, config)
    address = has_address(t, channel, has_contacts=has_contacts)
    once = (agreed | by_law) & address
    fresh = once & ~too_old(t, channel, config)
    today = fresh & ((agreed & holds.fill_null(False)) | by_law_today)
    return Permission(once, once & agreed & holds.isnull(), fresh, today)


def open_to(t: Any, channel: Channel, config: PolicyConfig, *, has_contacts: bool) -> Any:
    """Say whether the contact may be written to today: permitted, not too old, and not bouncing."""
    today = permission(t, channel, config, has_contacts=has_contacts).today
    return today & ~soft_bounced(t) if channel.name == "email" else today


def closed_by(t: Any, config: PolicyConfig, *, has_contacts: bool) -> Any:
    """Return what closes the last channel that would be permitted, or null.

    ``soft_bounced``: the mailbox alone. ``consent_undated``: agreed, nobody knows when, and a consent is to be renewed.
    ``consent_expired``: what was agreed, or the right to write to a buyer, has run out. ``past_retention``: silent for too long.
    """
    found = [permission(t, c, config, has_contacts=has_contacts) for c in CHANNELS]
    return ibis.cases(
        (ibis.or_(*(p.today for p in found)), "soft_bounced"),
        (ibis.or_(*(p.fresh & p.undated for p in found)), "consent_undated"),
        (ibis.or_(*(p.fresh for p in found)), "consent_expired"),
        (ibis.or_(*(p.once for p in found)), "past_retention"),
        else_=None,
    )


def _preference(t: Any, channel: Channel) -> Any:
    """Rank a permitted channel: 0 clicked lately, 1 consented, 2 used before, 3 the rest, 4 worn out."""
    return ibis.cases(
        (worn_out(t, channel), 4),
        (t[f"{channel.prefix}_clicks_90d"].fill_null(0) > 0, 0),
        (t[f"consent_{channel.name}"].fill_null(False), 1),
        (t[f"{channel.prefix}_days_since_send"].notnull(), 2),
        else_=3,
    )


def choose_channel(t: Any, config: PolicyConfig, *, has_contacts: bool) -> Any:
    """Return the number of the best permitted channel in `CHANNELS`, null where none is permitted."""
    allowed = [open_to(t, c, config, has_contacts=has_contacts) for c in CHANNELS]
    ranks = [
        ibis.ifelse(allowed[i], _preference(t, c) * 10 + i, _NOT_PERMITTED) for i, c in enumerate(CHANNELS)
    ]
    return ibis.least(*ranks).nullif(_NOT_PERMITTED) % 10


def channel_name(number: Any) -> Any:
    """Return the name of a channel number from `choose_channel`."""
    return number.cases(*((i, c.name) for i, c in enumerate(CHANNELS)), else_=None)


def of_channel(number: Any, values: list[Any]) -> Any:
    """Pick, of one value per channel, that of the chosen one."""
    return ibis.cases(*((number == i, value) for i, value in enumerate(values)), else_=None)


def consent_basis(t: Any, number: Any, config: PolicyConfig) -> Any:
    """Return ``consent``, ``soft_opt_in_buyers`` or ``legitimate_interest``; ``none`` where no channel is open."""
    found = of_channel(number, [_basis(t, c, config) for c in CHANNELS])
    return ibis.ifelse(number.isnull(), "none", found)


def email_basis(t: Any, config: PolicyConfig, *, has_contacts: bool) -> Any:
    """Return the same for e-mail, whichever channel is chosen; a full mailbox changes no basis."""
    email = next(c for c in CHANNELS if c.name == "email")
    today = permission(t, email, config, has_contacts=has_contacts).today
    return ibis.ifelse(today, _basis(t, email, config), "none")


def _basis(t: Any, channel: Channel, config: PolicyConfig) -> Any:
    agreed = t[f"consent_{channel.name}"].fill_null(False)
    return ibis.ifelse(agreed, "consent", legal.basis(t, channel.name, config.legal))
