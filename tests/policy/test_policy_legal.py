"""On what basis whom to write to: country × channel, consent, age; and a shop's own rows."""

from __future__ import annotations

from typing import Any

import pytest

from winback_features.errors import ConfigError
from winback_policy.legal import ANY, BASES, CHANNEL_NAMES, LEGAL, LegalRule, rule_for

UNKNOWN: dict[str, Any] = {"consent_email": None}
STRANGER = {**UNKNOWN, "base": "never_bought", "days_since_purchase": None}
OLD = {"days_since_activity": 3 * 365 + 1.0}
NUMBER = {"phone": "+31612345678", "has_email": False}

WHO: dict[str, tuple[dict[str, Any], str | None, str]] = {
    # contact: what is known, channel, basis
    "agreed, in Poland": ({"country": "PL"}, "email", "consent"),
    "unknown, in Poland": ({**UNKNOWN, "country": "PL"}, None, "none"),
    "unknown, in the Netherlands": ({**UNKNOWN, "country": "NL"}, "email", "soft_opt_in_buyers"),
    "written small": ({**UNKNOWN, "country": "pl"}, None, "none"),
    "unknown, nowhere": (UNKNOWN, "email", "soft_opt_in_buyers"),
    "text message in the Netherlands": ({**UNKNOWN, **NUMBER, "country": "NL"}, "sms", "soft_opt_in_buyers"),
    "text message in Germany": ({**UNKNOWN, **NUMBER, "country": "DE"}, None, "none"),
    "declined": ({"consent_email": False, "country": "NL"}, None, "none"),
    "declined, with a number": ({**NUMBER, "consent_email": False, "country": "NL"}, None, "none"),
    "mailed in Poland": (
        {**UNKNOWN, "country": "PL", "direct_mail_days_since_send": 40.0},
        "post",
        "legitimate_interest",
    ),
    "too old": ({**OLD, "country": "FR"}, None, "none"),
    "opens only": ({**OLD, "country": "FR", "email_days_since_send": 3.0}, None, "none"),
    "three years to the day": ({"days_since_activity": 1095.0, "country": "FR"}, "email", "consent"),
    "never active, long known": ({"tenure_days": 1096.0}, None, "none"),
}


def test_the_basis_of_each_contact(world: Any) -> None:
    listed = world.winback({name: row for name, (row, _, _) in WHO.items()})
    found = {name: (row["channel"], row["consent_basis"]) for name, row in listed.items()}
    assert found == {name: (channel, basis) for name, (_, channel, basis) in WHO.items()}


def test_a_stranger_is_no_buyer(world: Any) -> None:
    """Soft opt-in is for buyers: who never bought needs consent."""
    rows = {"stranger": STRANGER, "who agreed": {**STRANGER, "consent_email": True}}
    listed = world.winback(rows)
    assert listed["stranger"]["not_flagged_reason"] == "no_consent"
    assert listed["who agreed"]["not_flagged_reason"] == "never_bought"


def test_a_shop_overrides_a_row(world: Any) -> None:
    own = (LegalRule("NL", "email", "opt_in", 100), LegalRule(ANY, "post", "opt_in"))
    rows: dict[str, dict[str, Any]] = {
        "unknown": {**UNKNOWN, "country": "NL"},
        "agreed": {"country": "NL"},
        "agreed, old": {"country": "NL", "days_since_activity": 101.0},
        "abroad": {**UNKNOWN, "country": "BE"},
    }
    listed = world.winback(rows, legal=own)
    assert {name: row["not_flagged_reason"] for name, row in listed.items()} == {
        "unknown": "no_consent",
        "agreed": None,
        "agreed, old": "past_retention",
        "abroad": None,
    }


def test_every_channel_has_a_row_everywhere() -> None:
    for country in {rule.country for rule in LEGAL} | {"XX"}:
        assert all(rule_for(country, channel).basis in BASES for channel in CHANNEL_NAMES)


def test_the_channels_are_those_of_the_policy() -> None:
    from winback_policy.channels import CHANNELS

    assert tuple(channel.name for channel in CHANNELS) == CHANNEL_NAMES


@pytest.mark.parametrize(
    "row",
    [
        ("Poland", "email", "opt_in"),
        ("PL", "fax", "opt_in"),
        ("PL", "email", "maybe"),
        ("PL", "email", "opt_in", 0),
    ],
)
def test_a_row_that_makes_no_sense_is_refused(row: tuple[Any, ...]) -> None:
    with pytest.raises(ConfigError) as refused:
        LegalRule(*row)
    assert (refused.value.where, bool(refused.value.how)) == ("policy.legal", True)
