"""Who is not flagged, and why: each reason alone, the order between them, and the channel."""

from __future__ import annotations

from typing import Any

import pytest

from winback_policy.decide import PROFILE
from winback_policy.eligibility import NOT_FLAGGED_REASONS
from winback_policy.legal import LegalRule

RENEWED = (LegalRule("XX", "email", "opt_in", consent_max_age_days=730),)

ALONE: dict[str, dict[str, Any]] = {
    "erased": {"erased": True},
    "objected_profiling": {"objected_profiling": True},
    "staff": {"is_staff": True},
    "hard_bounced": {"hard_bounced": True},
    "complained": {"complained": True},
    "past_retention": {"days_since_activity": 3 * 365.0 + 1},
    "consent_undated": {"country": "XX"},
    "consent_expired": {"country": "XX", "consent_email_days": 731},
    "soft_bounced": {"soft_bounces_in_a_row": 8},
    "no_consent": {"consent_email": False},
    "left_for_good": {"stated_reason": "moved_away", "stated_days": 9},
    "open_service_case": {"days_since_service_contact": 7},
    "cart_open": {"cart_open_days": 3},
    "in_other_journey": {"days_since_incentive": 7.0},
    "recently_active": {"days_since_visit": 2},
    "never_bought": {"base": "never_bought"},
    "one_time_buyer": {"base": "one_time"},
    "no_relationship_basis": {"purchase_days": 2.0, "gap_mean": 3.0},
    "gift_buyer": {"gift_share": 0.8},
    "occasion_buyer": {"gap_mean": 365.0, "gap_max": 371.0},
    "lapsed_already": {"base": "lapsed"},
    "low_risk": {"p_lapse": 0.49},
    "on_time": {"usual_gap_days": 100.0, "days_overdue": -90},
}

NEARLY: dict[str, dict[str, Any]] = {
    "another channel": {"consent_email": False, "consent_sms": True, "phone": "+31612345678"},
    "old service case": {"days_since_service_contact": 8},
    "old cart": {"cart_open_days": 4},
    "old visit": {"days_since_visit": 3},
    "old click": {"days_since_click": 3},
    "at the threshold": {"p_lapse": 0.5},
    "within the lead": {"days_overdue": -3},
    "unknown consent": {"consent_email": None},
    "old offer": {"days_since_incentive": 8.0},
    "three years silent": {"days_since_activity": 3 * 365.0},
    "two weeks known": {"purchase_days": 2.0, "gap_mean": 4.0},
    "some gifts": {"gift_share": 0.79},
    "irregular years": {"gap_mean": 365.0, "gap_max": 500.0},
    "seven soft bounces": {"soft_bounces_in_a_row": 7},
    "agreed two years ago": {"country": "XX", "consent_email_days": 730},
    "agreed long ago, elsewhere": {"consent_email_days": 7300},
    "unknown flags": dict.fromkeys(("hard_bounced", "complained", "is_staff")),
}

MORE: dict[str, tuple[dict[str, Any], str]] = {
    "clicked": ({"days_since_click": 1}, "recently_active"),
    "bought": ({"days_since_purchase": 1}, "recently_active"),
    "no score": ({"base": None, "p_lapse": None, "days_overdue": None}, "never_bought"),
    "no risk known": ({"p_lapse": None}, "low_risk"),
    "no rhythm known": ({"days_overdue": None, "usual_gap_days": None}, "on_time"),
    "complained, and no other channel": ({"complained": True, "consent_email": False}, "complained"),
    "no address": ({"has_email": False, "email": None}, "no_consent"),
    "eight soft bounces": ({"soft_bounces_in_a_row": 8}, "soft_bounced"),
    "sms without a number": ({"consent_email": False, "consent_sms": True}, "no_consent"),
    "declined one, unknown other": (
        {"consent_email": False, "consent_sms": None, "phone": "+31612345678"},
        "no_consent",
    ),
}


@pytest.fixture(scope="module")
def listed(world: Any) -> dict[str, dict[str, Any]]:
    rows = ALONE | NEARLY | {name: row for name, (row, _) in MORE.items()}
    for first, second in zip(ALONE, list(ALONE)[1:], strict=False):
        rows[f"{first}+{second}"] = ALONE[second] | ALONE[first]
    rows["everything"] = {k: v for row in reversed(ALONE.values()) for k, v in row.items()}
    return world.winback(rows, legal=RENEWED)


@pytest.mark.parametrize("reason", ALONE)
def test_each_reason_alone(listed: Any, reason: str) -> None:
    assert listed[reason]["not_flagged_reason"] == reason
    assert listed[reason]["rank"] is None


@pytest.mark.parametrize("name", NEARLY)
def test_just_inside_every_limit_is_flagged(listed: Any, name: str) -> None:
    assert (listed[name]["state"], listed[name]["not_flagged_reason"]) == ("flagged", None)


@pytest.mark.parametrize("name", MORE)
def test_other_ways_to_a_reason(listed: Any, name: str) -> None:
    assert listed[name]["not_flagged_reason"] == MORE[name][1]


def test_the_first_reason_in_the_documented_order_is_given(listed: Any) -> None:
    assert [r for r in NOT_FLAGGED_REASONS if r in ALONE] == list(ALONE)
    # a mailbox matters only where one may write to it; what has run out has a date
    apart = {("soft_bounced", "no_consent"), ("consent_undated", "consent_expired")}
    for first, second in zip(ALONE, list(ALONE)[1:], strict=False):
        if (first, second) not in apart and not {"base"} <= (ALONE[first].keys() & ALONE[second].keys()):
            assert listed[f"{first}+{second}"]["not_flagged_reason"] == first
    assert listed["everything"]["not_flagged_reason"] == "erased"


def test_an_erased_contact_keeps_no_name_on_the_list(listed: Any) -> None:
    assert {listed["erased"][column] for column in PROFILE} == {None}
    assert listed["erased"]["consent_basis"] == "none"
    assert listed["staff"]["email"] == "someone@example.com"


def test_a_one_time_buyer_gets_another_action(listed: Any) -> None:
    assert listed["one_time_buyer"]["recommended_action"] == "onboard_second_purchase"
    assert listed["one_time_buyer"]["channel"] == "email"
    assert listed["lapsed_already"]["recommended_action"] == "none"
    assert listed["lapsed_already"]["channel"] is None


def test_the_entry_reason_says_whether_the_day_has_passed(listed: Any) -> None:
    assert listed["old cart"]["entry_reason"] == "late"
    assert listed["within the lead"]["entry_reason"] == "nearly_late"


def test_unknown_consent_can_block(world: Any) -> None:
    rows = {"unknown": {"consent_email": None}, "given": {"consent_email": True}}
    listed = world.winback(rows, unknown_consent="block")
    assert listed["unknown"]["not_flagged_reason"] == "no_consent"
    assert listed["unknown"]["consent_basis"] == "none"
    assert (listed["given"]["state"], listed["given"]["consent_basis"]) == ("flagged", "consent")


ANY_CONSENT = {"consent_sms": True, "consent_push": True, "consent_post": True, "phone": "+31612345678"}


def test_the_channel_that_answers_is_preferred(world: Any) -> None:
    rows = {
        "plain": ANY_CONSENT,
        "clicks on push": ANY_CONSENT | {"push_clicks_90d": 2.0},
        "worn out e-mail": ANY_CONSENT | {"email_ignored_in_a_row": 5.0},
        "all worn out": {"email_ignored_in_a_row": 9.0},
        "consent before habit": {"consent_email": None, "consent_post": True, "email_days_since_send": 3.0},
        "habit": {"consent_email": None, "direct_mail_days_since_send": 20.0},
    }
    listed = world.winback(rows)
    assert {name: (row["channel"], row["consent_basis"]) for name, row in listed.items()} == {
        "plain": ("email", "consent"),
        "clicks on push": ("push", "consent"),
        "worn out e-mail": ("sms", "consent"),
        "all worn out": ("email", "consent"),
        "consent before habit": ("post", "consent"),
        "habit": ("post", "legitimate_interest"),
    }


def test_without_a_contacts_table_nothing_is_known_and_e_mail_is_assumed(world: Any) -> None:
    unknown = {"has_email": None, "email": None, "consent_email": None, "in_contacts": False}
    rows = {
        "buyer": unknown,
        "mailed": unknown | {"direct_mail_clicks_90d": 1.0, "direct_mail_days_since_send": 9.0},
        "unsubscribed": unknown | {"consent_email": False},
        "only ever mailed": unknown
        | {"direct_mail_ignored_in_a_row": 9.0, "direct_mail_days_since_send": 9.0},
    }
    listed = world.winback(rows, has_contacts=False)
    assert listed["only ever mailed"]["channel"] == "post", "nobody knows an e-mail address of theirs"
    assert listed["only ever mailed"]["recommended_action"] == "refresh_content"
    assert (listed["buyer"]["channel"], listed["buyer"]["consent_basis"]) == ("email", "soft_opt_in_buyers")
    assert listed["mailed"]["channel"] == "post"
    assert listed["unsubscribed"]["not_flagged_reason"] == "no_consent"
