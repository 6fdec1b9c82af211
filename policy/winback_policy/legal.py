"""On what legal basis a contact may be written to, how long that lasts, and how long its data may be kept: as data.

Pointers, not advice: a shop that knows better overrides a row with ``[[policy.legal]]``. The most specific row counts: that
of the country and the channel, then of the country, then of the channel, then of everybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ibis

from winback_features.countries import IN_USE
from winback_features.errors import ConfigError

OPT_IN = "opt_in"
SOFT_OPT_IN = "soft_opt_in_buyers"
LEGITIMATE_INTEREST = "legitimate_interest"
BASES = (OPT_IN, SOFT_OPT_IN, LEGITIMATE_INTEREST)

CHANNEL_NAMES = ("email", "sms", "push", "post")
ANY = "*"
YEAR = 365

AGES = ("max_age_days", "soft_opt_in_max_age_days", "consent_max_age_days")


@dataclass(frozen=True, slots=True)
class LegalRule:
    """What holds in a country on a channel where no consent is recorded, and how old each of these may grow.

    Attributes
    ----------
    country : str
        ISO 3166-1 alpha-2, or ``"*"`` for every other. ``UK`` and ``EL`` become ``GB`` and ``GR``, as those of contacts do.
    channel : str
        ``email``, ``sms``, ``push``, ``post``, or ``"*"``.
    basis : {"opt_in", "soft_opt_in_buyers", "legitimate_interest"}
        Prior consent only; or existing buyers may be written to until they decline; or anybody may.
    max_age_days : int
        After so many days without a sign of the person (purchase, click, visit, answer; an open is none) the contact may
        not be approached, and its data are past their retention.
    soft_opt_in_max_age_days : int, optional
        Where buyers may be written to without consent: until so many days after their last purchase. No limit when absent.
    consent_max_age_days : int, optional
        A consent is to be renewed after so many days. No limit when absent.

    Raises
    ------
    ConfigError
        If the country is no two capital letters, the channel or basis is no known word, an age is not positive, or the soft
        opt-in has an age and is not the basis.

    Examples
    --------
    >>> LegalRule("BE", "email", "soft_opt_in_buyers", 730).max_age_days
    730
    """

    country: str
    channel: str
    basis: str
    max_age_days: int = 3 * YEAR
    soft_opt_in_max_age_days: int | None = None
    consent_max_age_days: int | None = None

    def __post_init__(self) -> None:
        where = "policy.legal"
        code = self.country
        if code != ANY and not (len(code) == 2 and code.isascii() and code.isalpha() and code.isupper()):
            how = 'Write two capital letters such as "NL", or "*".'
            raise ConfigError(f"The country is {code!r}.", where=where, how=how)
        object.__setattr__(self, "country", IN_USE.get(code, code))
        for what, value, known in (
            ("channel", self.channel, (*CHANNEL_NAMES, ANY)),
            ("basis", self.basis, BASES),
        ):
            if value not in known:
                how = f"Write one of {', '.join(known)}."
                raise ConfigError(f"The {what} is {value!r}.", where=where, how=how)
        for name in AGES:
            days = getattr(self, name)
            if days is not None and days < 1:
                raise ConfigError(f"{name} is {days}.", where=where, how="Write a number of days above 0.")
        if self.soft_opt_in_max_age_days is not None and self.basis != SOFT_OPT_IN:
            what = f"soft_opt_in_max_age_days is set, and the basis is {self.basis}."
            raise ConfigError(what, where=where, how=f'Leave it out, or write basis = "{SOFT_OPT_IN}".')


LEGAL = (
    # e-mail marketing to buyers until they decline: ePrivacy directive, art. 13(2)
    LegalRule(ANY, "email", SOFT_OPT_IN),
    LegalRule(ANY, "sms", OPT_IN),
    LegalRule(ANY, "push", OPT_IN),
    LegalRule(ANY, "post", LEGITIMATE_INTEREST),
    # Telecommunicatiewet art. 11.7: electronic messages to existing buyers only
    LegalRule("NL", "sms", SOFT_OPT_IN),
    # Prawo komunikacji elektronicznej art. 398: prior consent for every electronic channel
    LegalRule("PL", "email", OPT_IN),
    # CNIL: three years from the last contact by the person
    LegalRule("FR", "email", SOFT_OPT_IN, 3 * YEAR),
    LegalRule("FR", "post", LEGITIMATE_INTEREST, 3 * YEAR),
    # Canada's anti-spam law, s. 10(10): implied consent for two years from the purchase; express consent does not age
    LegalRule("CA", "email", SOFT_OPT_IN, soft_opt_in_max_age_days=2 * YEAR),
    LegalRule("CA", "sms", SOFT_OPT_IN, soft_opt_in_max_age_days=2 * YEAR),
)
"""Where nothing else is said."""


def rule_for(country: str, channel: str, own: tuple[LegalRule, ...] = ()) -> LegalRule:
    """Return the row that counts for a country and a channel; of equally specific ones the shop's own.

    Examples
    --------
    >>> rule_for("PL", "email").basis, rule_for("BE", "email").basis
    ('opt_in', 'soft_opt_in_buyers')
    """
    rules = {(rule.country, rule.channel): rule for rule in (*LEGAL, *own)}
    places = ((country, channel), (country, ANY), (ANY, channel), (ANY, ANY))
    return next(rules[place] for place in places if place in rules)


def _by_country(t: Any, own: tuple[LegalRule, ...], value: Any) -> Any:
    """Pick a value by the contact's country; an unknown country has that of everybody."""
    countries = sorted({rule.country for rule in (*LEGAL, *own)} - {ANY})
    default = value(ANY)
    cases = [(code, found) for code in countries if (found := value(code)) != default]
    return t.country.cast("string").upper().cases(*cases, else_=default) if cases else ibis.literal(default)


def _limit(t: Any, channel: str, own: tuple[LegalRule, ...], name: str) -> Any:
    """Pick an age by the contact's country, as days; null where there is none."""
    return _by_country(t, own, lambda code: getattr(rule_for(code, channel, own), name) or 0).nullif(0)


def basis(t: Any, channel: str, own: tuple[LegalRule, ...] = ()) -> Any:
    """Return the basis of each contact on a channel, by its country."""
    return _by_country(t, own, lambda code: rule_for(code, channel, own).basis)


def max_age_days(t: Any, channel: str, own: tuple[LegalRule, ...] = ()) -> Any:
    """Return after how many days without a sign of the person each contact may not be approached on a channel."""
    return _by_country(t, own, lambda code: rule_for(code, channel, own).max_age_days)


def soft_opt_in_days(t: Any, channel: str, own: tuple[LegalRule, ...] = ()) -> Any:
    """Return how long after its last purchase each contact may be written to as a buyer; null where without limit."""
    return _limit(t, channel, own, "soft_opt_in_max_age_days")


def consent_days(t: Any, channel: str, own: tuple[LegalRule, ...] = ()) -> Any:
    """Return after how many days the consent of each contact is to be renewed; null where never."""
    return _limit(t, channel, own, "consent_max_age_days")


def retention_days(t: Any, own: tuple[LegalRule, ...] = ()) -> Any:
    """Return how many days after the last sign of the person its data may be kept: the longest over the channels."""
    return _by_country(
        t, own, lambda code: max(rule_for(code, channel, own).max_age_days for channel in CHANNEL_NAMES)
    )


def silence_days(t: Any) -> Any:
    """Return the days since the last sign of the person; of one that never gave any, since it is known."""
    return t.days_since_activity.fill_null(t.tenure_days)
