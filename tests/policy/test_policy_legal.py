"""On what basis whom to write to: country × channel, consent, age; and a shop's own rows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from winback_features.errors import ConfigError
from winback_policy.channels import CHANNELS, choose_channel, closed_by
from winback_policy.config import PolicyConfig
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
    assert tuple(channel.name for channel in CHANNELS) == CHANNEL_NAMES


CANADA: dict[str, Any] = {**UNKNOWN, "country": "CA"}
BACK = {"days_since_activity": 3.0}
AGED = (
    LegalRule("XX", "email", "soft_opt_in_buyers", 1095, 540, 730),
    LegalRule("XX", "push", "opt_in", consent_max_age_days=365),
)

AGES: dict[str, tuple[dict[str, Any], str | None, str, str | None]] = {
    # contact: what is known, channel, basis, why not
    "bought two years ago": ({**CANADA, "days_since_purchase": 730}, "email", "soft_opt_in_buyers", None),
    "a day more": ({**CANADA, "days_since_purchase": 731}, None, "none", "consent_expired"),
    "a day more, still clicks": (
        {**CANADA, **BACK, "days_since_purchase": 731},
        None,
        "none",
        "consent_expired",
    ),
    "a day more, agreed": ({"country": "CA", "days_since_purchase": 731}, "email", "consent", None),
    "a day more, elsewhere": (
        {**UNKNOWN, "country": "NL", "days_since_purchase": 731},
        "email",
        "soft_opt_in_buyers",
        None,
    ),
    "a shop's own limit": (
        {**UNKNOWN, "country": "XX", "days_since_purchase": 541},
        None,
        "none",
        "consent_expired",
    ),
    # who was never asked may be written to as a buyer; who agreed, for a time, is to be asked again
    "never asked": ({**UNKNOWN, "country": "XX"}, "email", "soft_opt_in_buyers", None),
    "agreed in time": ({"country": "XX", "consent_email_days": 730}, "email", "consent", None),
    "to be renewed": ({"country": "XX", "consent_email_days": 731}, None, "none", "consent_expired"),
    "to be renewed, written small": (
        {"country": "xx", "consent_email_days": 731},
        None,
        "none",
        "consent_expired",
    ),
    "agreed at some time": ({"country": "XX"}, None, "none", "consent_undated"),
    "no address either": ({"country": "XX", "has_email": False, "email": None}, None, "none", "no_consent"),
    "refused": (
        {"country": "XX", "consent_email": False, "consent_email_days": 3},
        None,
        "none",
        "no_consent",
    ),
    "run out here, not there": (
        {"country": "XX", "consent_email_days": 900, "consent_push": True, "consent_push_days": 365},
        "push",
        "consent",
        None,
    ),
    "run out here, undated there": (
        {"country": "XX", "consent_email_days": 900, "consent_push": True},
        None,
        "none",
        "consent_undated",
    ),
    "run out, and silent for years": (
        {**OLD, "country": "XX", "consent_email_days": 900},
        None,
        "none",
        "past_retention",
    ),
    "run out, and the mailbox is full": (
        {"country": "XX", "consent_email_days": 900, "soft_bounces_in_a_row": 9},
        None,
        "none",
        "consent_expired",
    ),
}


def test_how_long_a_basis_lasts(world: Any) -> None:
    listed = world.winback({name: row for name, (row, *_) in AGES.items()}, legal=AGED)
    found = {n: (r["channel"], r["consent_basis"], r["not_flagged_reason"]) for n, r in listed.items()}
    assert found == {name: tuple(told) for name, (_, *told) in AGES.items()}


def test_e_mail_has_a_basis_of_its_own_beside_the_channel_that_is_chosen(world: Any) -> None:
    push = {"consent_push": True, "consent_push_days": 3, "country": "XX"}
    rows: dict[str, dict[str, Any]] = {
        "agreed to push alone, in Poland": {**UNKNOWN, "consent_push": True, "country": "PL"},
        "run out": {**push, "consent_email_days": 731},
        "agreed to both": {**push, "consent_email_days": 5, "push_clicks_90d": 2.0},
        "full mailbox": {**push, "consent_email_days": 5, "soft_bounces_in_a_row": 9},
        "objecting": {**push, "consent_email_days": 5, "objected_profiling": True},
        "known as a buyer": {**UNKNOWN, "consent_push": True, "country": "NL"},
    }
    listed = world.winback(rows, legal=AGED)
    assert {name: (row["channel"], row["email_basis"]) for name, row in listed.items()} == {
        "agreed to push alone, in Poland": ("push", "none"),
        "run out": ("push", "none"),
        "agreed to both": ("push", "consent"),
        "full mailbox": ("push", "consent"),
        "objecting": (None, "none"),
        "known as a buyer": ("push", "soft_opt_in_buyers"),
    }


MEASURES = ("ignored_in_a_row", "clicks_90d", "days_since_send")
days = st.sampled_from([None, 1, 30, 364, 365, 366, 800])
people = st.fixed_dictionaries(
    {
        "country": st.sampled_from(["XX", "NL", "CA", None]),
        "consent_email": st.sampled_from([True, True, None, False]),
        "consent_email_days": days,
        "consent_push": st.sampled_from([True, None]),
        "consent_push_days": days,
        "days_since_purchase": st.sampled_from([20, 400, 800]),
        "days_since_activity": st.sampled_from([None, 20.0, 1200.0]),
        "soft_bounces_in_a_row": st.sampled_from([0, 9]),
    }
)


COLUMNS: dict[str, str] = {
    **dict.fromkeys(("country", "phone", "base"), "string"),
    **{f"consent_{channel}": "boolean" for channel in CHANNEL_NAMES},
    **{f"consent_{channel}_days": "int64" for channel in CHANNEL_NAMES},
    **{f"{channel.prefix}_{what}": "int64" for channel in CHANNELS for what in MEASURES},
    **dict.fromkeys(
        ("soft_bounces_in_a_row", "days_since_purchase", "days_since_activity", "tenure_days"), "int64"
    ),
    "has_email": "boolean",
}


@settings(
    max_examples=5,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(rows=st.lists(people, min_size=40, max_size=60), limits=st.tuples(*[st.integers(20, 900)] * 3))
def test_a_longer_limit_closes_nothing(backend: Any, rows: Any, limits: Any) -> None:
    """And no limit is the longest; what a limit closes is told, and every other reason stays as it was."""
    given = [{"base": "active", "has_email": True, **row} for row in rows]
    types = ibis.schema(COLUMNS).to_pyarrow()
    t = backend.create_table(
        ibis.util.gen_name("people"), pa.Table.from_pylist(given, schema=types), temp=True
    )

    def told(consent: int | None, bought: int | None) -> Any:
        own = (
            LegalRule("XX", "email", "soft_opt_in_buyers", 1095, bought, consent),
            LegalRule("XX", "push", "opt_in", consent_max_age_days=consent),
        )
        config = PolicyConfig(legal=own)
        closed = closed_by(t, config, has_contacts=True).fill_null("no_consent")
        return ibis.ifelse(choose_channel(t, config, has_contacts=True).notnull(), "open", closed)

    shortest, longer = min(limits[:2]), max(limits[:2])
    columns = {"short": told(shortest, limits[2]), "long": told(longer, limits[2]), "free": told(None, None)}
    # the mailbox is told where e-mail is the only channel that has not run out
    run_out = {"consent_undated", "consent_expired", "soft_bounced"}
    for row in backend.to_pyarrow(t.select("country", **columns)).to_pylist():
        assert row["short"] in {row["long"], *run_out}
        assert row["long"] in {row["free"], *run_out}
        assert row["country"] == "XX" or row["short"] == row["long"] == row["free"]


def test_the_document_has_the_table() -> None:
    text = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
    table = text.split("### Legal bases")[1].split("```")[0]
    rows = re.findall(
        r"^\| (any other|[A-Z]{2}) \| `(\w+)` \| `(\w+)` \| (.+) \| (.+) \| (.+) \|$", table, re.MULTILINE
    )
    said = [("*" if c == "any other" else c, *rest) for c, *rest in rows]
    ages = ("max_age_days", "soft_opt_in_max_age_days", "consent_max_age_days")
    held = [(r.country, r.channel, r.basis, *(str(getattr(r, n) or "–") for n in ages)) for r in LEGAL]
    assert said == held


def test_a_row_for_a_code_in_use_holds_for_the_code_that_contacts_have() -> None:
    own = (LegalRule("UK", "email", "opt_in"), LegalRule("EL", "sms", "legitimate_interest"))
    assert rule_for("GB", "email", own).basis == "opt_in"
    assert rule_for("GR", "sms", own).basis == "legitimate_interest"


@pytest.mark.parametrize(
    "row",
    [
        ("PL", "email", "opt_in", 1095, 30),
        ("PL", "email", "soft_opt_in_buyers", 1095, 0),
        ("PL", "email", "opt_in", 1095, None, 0),
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
