"""Bounce exposure: what is likely to bounce is told before it is sent, and too much is refused."""

from __future__ import annotations

from typing import Any

import pytest

from winback_features.errors import GateRefusal
from winback_serving.exports.bounce import BounceExposure


def exposure(shop: Any, contacts: Any, to: str = "klaviyo", **options: Any) -> BounceExposure:
    found: BounceExposure = shop.export(shop.run(contacts), "current", to, **options).exposure
    return found


@pytest.mark.parametrize(
    ("facts", "rate"),
    [
        ({}, 0.003),
        pytest.param({"email_days_since_send": 179}, 0.003, marks=pytest.mark.slow),
        pytest.param({"email_days_since_send": 180}, 0.1, marks=pytest.mark.slow),
        pytest.param({"email_days_since_send": None}, 0.05, marks=pytest.mark.slow),
        pytest.param({"soft_bounces_in_a_row": 3}, 0.3, marks=pytest.mark.slow),
        ({"soft_bounces_in_a_row": 1, "email_days_since_send": None}, 0.1),
    ],
)
def test_what_an_address_weighs(facts: dict[str, Any], rate: float, shop: Any, kinds: Any) -> None:
    contacts = {"a": {**kinds["treated"], **facts}, "fresh": {**kinds["active"]}}
    found = exposure(shop, contacts, force=True)
    assert found.addresses == 1
    assert found.share == pytest.approx(rate)


@pytest.mark.slow
def test_where_no_send_is_recorded_never_mailed_says_nothing(shop: Any, kinds: Any) -> None:
    never = {"email_days_since_send": None}
    found = exposure(shop, {n: {**kinds[n], **never} for n in ("treated", "active")})
    assert found.share == pytest.approx(0.003)
    assert found.never_mailed == 0


@pytest.mark.parametrize("to", ["csv", pytest.param("klaviyo", marks=pytest.mark.slow)])
def test_the_addresses_that_weigh_are_a_list(to: str, shop: Any, kinds: Any, read: Any) -> None:
    """Whoever they are of, as long as they may be e-mailed: the held-out look like any other."""
    facts: dict[str, dict[str, Any]] = {
        "lately": {"email_days_since_send": 179},
        "long_ago": {"email_days_since_send": 180},
        "never": {"email_days_since_send": None},
        "full": {"soft_bounces_in_a_row": 1},
        "held_out": {**kinds["held_out"], "email_days_since_send": 400},
        "active": {**kinds["active"], "email_days_since_send": 400},
        "refuses": {"email_days_since_send": 400, "consent_email": False},
        "bounced": {"email_days_since_send": 400, "hard_bounced": True},
        "no_address": {"email_days_since_send": 400, "email": None},
        "objected": {**kinds["objected"], "email_days_since_send": 400},
    }
    run = shop.run({name: {**kinds["treated"], **row} for name, row in facts.items()})
    exported = shop.export(run, "validate", to)
    rows = {row["contact_id"]: row for row in read(exported.files[0].path, to)}
    assert set(rows) == {"long_ago", "never", "full", "held_out", "active"}
    assert exported.exposure is None
    if to == "klaviyo":
        assert rows["held_out"]["Email"] == "held_out@example.com"
        assert rows["held_out"]["winback_flag"] == "false"


def test_who_was_never_mailed_is_not_validated_where_no_send_is_recorded(
    shop: Any, kinds: Any, read: Any
) -> None:
    run = shop.run({name: {**kinds[name], "email_days_since_send": None} for name in ("treated", "active")})
    assert read(shop.export(run, "validate", "csv").files[0].path, "csv") == []


def test_who_may_not_be_mailed_does_not_count(shop: Any, kinds: Any) -> None:
    contacts = {
        "a": kinds["treated"],
        "refuses": {**kinds["treated"], "consent_email": False, "channel": "sms"},
        "soft": {**kinds["treated"], "soft_bounces_in_a_row": 8, "channel": "sms"},
        "ran out": {**kinds["treated"], "email_basis": "none", "channel": "sms"},
        "by law": {**kinds["treated"], "consent_email": None, "email_basis": "soft_opt_in_buyers"},
    }
    assert exposure(shop, contacts).addresses == 2


@pytest.mark.parametrize("to", [pytest.param("klaviyo", marks=pytest.mark.slow), "csv"])
def test_too_much_is_refused_and_nothing_written(to: str, shop: Any, kinds: Any) -> None:
    stale = {**kinds["treated"], "email_days_since_send": 400}
    run = shop.run({"stale": stale, "fresh": {**kinds["treated"], "rank": 2}})
    with pytest.raises(GateRefusal, match=r"5\.2% of 2 e-mails are likely to bounce, more than 2\.0%: 1 not"):
        shop.export(run, "current", to)
    assert not list(shop.folder.glob("*current*"))
    assert shop.export(run, "current", to, force=True).rows == 2
    assert shop.export(run, "current", to, max_bounce_exposure=0.06).rows == 2
    assert shop.export(run, "exclude_from_regular", to).exposure is None
    assert shop.export(run, "retargeting_add", "meta").exposure is None


@pytest.mark.slow
def test_an_empty_list_bounces_nowhere(shop: Any, kinds: Any) -> None:
    found = exposure(shop, {"a": kinds["active"]})
    assert (found.share, found.addresses) == (0.0, 0)
    assert found.as_dict()["share"] == 0.0
