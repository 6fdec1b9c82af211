"""On which channel a contact may be written to, on what basis, and which one answers best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ibis

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


def reachable(t: Any, channel: Channel, *, has_contacts: bool) -> Any:
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
        known = t.has_email.fill_null(False) if has_contacts else t.has_email.fill_null(~only_elsewhere)
        return known & (t.soft_bounces_in_a_row.fill_null(0) <= SOFT_BOUNCES)
    if channel.name == "sms":
        return t.phone.notnull() if has_contacts else sent_before
    return sent_before | t[f"consent_{channel.name}"].fill_null(False)


def permitted(t: Any, channel: Channel, config: PolicyConfig, *, has_contacts: bool) -> Any:
    """Say whether the contact may be approached on the channel.

    Consent permits. Unknown consent permits where ``config.unknown_consent`` is ``"flag"`` and the contact
    has declined no channel: who unsubscribes from e-mail is not chased by text message.
    """
    consent = t[f"consent_{channel.name}"]
    allowed = consent.fill_null(False)
    if config.unknown_consent == "flag":
        allowed = allowed | (consent.isnull() & ~refused_any(t))
    return allowed & reachable(t, channel, has_contacts=has_contacts)


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
    allowed = [permitted(t, c, config, has_contacts=has_contacts) for c in CHANNELS]
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


def consent_basis(t: Any, number: Any) -> Any:
    """Return ``consent``, ``unknown`` or, where no channel is permitted, ``none``."""
    consented = of_channel(number, [t[f"consent_{c.name}"].fill_null(False) for c in CHANNELS])
    return ibis.cases((number.isnull(), "none"), (consented, "consent"), else_="unknown")
