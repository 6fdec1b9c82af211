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


def permitted(t: Any, channel: Channel, config: PolicyConfig, *, has_contacts: bool) -> Any:
    """Say whether the contact agreed, or the law lets one write, and there is an address.

    Consent permits. Where none is recorded and ``config.unknown_consent`` is ``"flag"``, the legal basis of the country
    and channel counts (`winback_policy.legal`), for a contact that has declined no channel: who unsubscribes from e-mail
    is not chased by text message.
    """
    consent = t[f"consent_{channel.name}"]
    allowed = consent.fill_null(False)
    if config.unknown_consent == "flag":
        basis = legal.basis(t, channel.name, config.legal)
        buyer = t.base != "never_bought"
        by_law = (basis == legal.LEGITIMATE_INTEREST) | ((basis == legal.SOFT_OPT_IN) & buyer)
        allowed = allowed | (consent.isnull() & ~refused_any(t) & by_law)
    return allowed & has_address(t, channel, has_contacts=has_contacts)


def open_to(t: Any, channel: Channel, config: PolicyConfig, *, has_contacts: bool) -> Any:
    """Say whether the contact may be written to today: permitted, not too old, and not bouncing."""
    fresh = permitted(t, channel, config, has_contacts=has_contacts) & ~too_old(t, channel, config)
    return fresh & ~soft_bounced(t) if channel.name == "email" else fresh


def closed_by(t: Any, config: PolicyConfig, *, has_contacts: bool) -> Any:
    """Return what closes the last channel that would be permitted: ``soft_bounced``, ``past_retention``, or null."""
    may = [permitted(t, c, config, has_contacts=has_contacts) for c in CHANNELS]
    fresh = [m & ~too_old(t, c, config) for m, c in zip(may, CHANNELS, strict=True)]
    return ibis.cases((ibis.or_(*fresh), "soft_bounced"), (ibis.or_(*may), "past_retention"), else_=None)


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
    consented = of_channel(number, [t[f"consent_{c.name}"].fill_null(False) for c in CHANNELS])
    by_law = of_channel(number, [legal.basis(t, c.name, config.legal) for c in CHANNELS])
    return ibis.cases((number.isnull(), "none"), (consented, "consent"), else_=by_law)
