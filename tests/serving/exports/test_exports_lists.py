"""Who is on which list, in every format: never the holdout where somebody is written to, never who withdrew."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import pytest

from winback_features.errors import ConfigError
from winback_serving.exports.cells import email_spaceless, email_trimmed, sha256_hex
from winback_serving.exports.formats import FORMATS
from winback_serving.lists import LISTS

MEMBERS = {
    "winback": {
        *("treated", "entered", "held_out", "held_out_entered", "bought", "held_out_bought", "active"),
        *("sunset", "sunset_held_out", "sunset_bounced", "farewell", "objected", "erased"),
    },
    "entries": {"entered"},
    "exits": {"bought", "held_out_bought", "objected", "erased"},
    "current": {"treated", "entered"},
    "exclude_from_regular": {
        *("treated", "entered", "held_out", "held_out_entered"),
        *("sunset", "sunset_held_out", "sunset_bounced", "farewell"),
    },
    "sunset": {"sunset", "sunset_held_out", "sunset_bounced"},
    "farewell": {"farewell"},
    "preference_form": {"sunset"},
    "retargeting_add": {"treated"},
    "retargeting_remove": {"bought", "objected", "erased"},
    "validate": set(),
}
TOOLS = [name for name, form in FORMATS.items() if not form.raw]
PAIRS = list(itertools.product(MEMBERS, FORMATS))
WITHDRAWN = {"objected", "erased"}


@pytest.fixture(scope="module")
def export_once(two_days: Any) -> Any:
    """Give a function that exports a list of the second day, each only once."""
    shop, before, run = two_days

    @functools.cache
    def export(name: str, to: str, delta: bool = False) -> Any:
        out = shop.folder / f"{name}-{delta}.{to}"
        return shop.export(run, name, to, before if delta else None, force=True, out=out)

    return export


def names_of(rows: list[dict[str, Any]], to: str, kinds: dict[str, Any]) -> set[str]:
    """Return who the rows are about, whatever the tool calls them."""
    if to in ("csv", "parquet", "klaviyo", "mailchimp", "hubspot", "mautic"):
        return {row["contact_id"] for row in rows}
    if to == "braze":
        return {row["external_id"] for row in rows}
    address = {f"{name}@example.com": name for name in kinds}
    if to == "listmonk":
        return {address[row["email"]] for row in rows}
    normalise = email_trimmed if to == "meta" else email_spaceless
    hashes = {sha256_hex(normalise(email) or ""): name for email, name in address.items()}
    return {hashes[row["email" if to == "meta" else "Email"]] for row in rows}


def test_every_list_is_expected_here() -> None:
    assert set(MEMBERS) | {"scores"} == set(LISTS)


@pytest.mark.parametrize("name", MEMBERS)
def test_who_is_on_a_list(name: str, export_once: Any, read: Any, kinds: Any) -> None:
    exported = export_once(name, "csv")
    assert names_of(read(exported.files[0].path, "csv"), "csv", kinds) == MEMBERS[name]


def test_who_said_that_it_left_for_good_is_not_asked_for_its_wishes(shop: Any, kinds: Any, read: Any) -> None:
    gone = {"stated_reason": "moved_away", "not_flagged_reason": "left_for_good"}
    run = shop.run({"sunset": kinds["sunset"], "gone": kinds["sunset"] | gone, "treated": kinds["treated"]})
    asked, asleep = (
        {row["contact_id"] for row in read(shop.export(run, name, "csv", force=True).files[0].path, "csv")}
        for name in ("preference_form", "sunset")
    )
    assert (asked, asleep) == ({"sunset"}, {"sunset", "gone"})


@pytest.mark.parametrize("state", ["active", "inactive", "farewell", "reactivated"])
def test_who_said_that_it_left_for_good_gets_no_regular_campaign(
    state: str, shop: Any, kinds: Any, read: Any
) -> None:
    """Whatever its state: a run of an older version left it where it was, and who bought and left that day is reactivated."""
    gone = {"state": state, "stated_reason": "no_need", "not_flagged_reason": "left_for_good"}
    objecting = gone | {"not_flagged_reason": "objected_profiling"}
    rows = {"gone": gone, "stays": {"stated_reason": "price"}, "objecting": objecting}
    run = shop.run({name: kinds["active"] | row for name, row in rows.items()})
    files = shop.export(run, "exclude_from_regular", "klaviyo", force=True).files
    assert {row["contact_id"] for row in read(files[0].path, "klaviyo")} == {"gone"}
    everybody = read(shop.export(run, "winback", "klaviyo", force=True).files[0].path, "klaviyo")
    flags = {row["contact_id"]: row["exclude_from_regular"] for row in everybody}
    assert flags == {"gone": "true", "stays": "false"}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "to"), PAIRS)
def test_a_list_in_a_format(name: str, to: str, export_once: Any, read: Any, kinds: Any) -> None:
    exported = export_once(name, to)
    found = names_of([row for f in exported.files for row in read(f.path, to)], to, kinds)
    taken_out = names_of([row for f in exported.removals for row in read(f.path, to)], to, kinds)
    assert exported.rows == len(found) + len(taken_out)
    expected = MEMBERS[name]
    if to in TOOLS and not LISTS[name].removes:
        expected = expected - WITHDRAWN
    if FORMATS[to].audience:
        expected = {n for n in expected if n not in ("held_out", "held_out_entered", "held_out_bought")}
    left_out = {c for out in exported.left_out.values() for c in out.contacts}
    assert found | left_out >= expected
    assert found <= expected
    assert left_out <= {"erased"}
    if name == "retargeting_add" and FORMATS[to].audience:
        assert taken_out | left_out == MEMBERS["retargeting_remove"]
    else:
        assert not taken_out


CHANGING = ("winback", "current", "exclude_from_regular", "retargeting_add", "retargeting_remove")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "to", "delta"),
    [
        *((name, to, False) for name, to in PAIRS if to in TOOLS),
        *((name, to, True) for name in CHANGING for to in ("klaviyo", "braze", "meta")),
    ],
)
def test_the_holdout_never_looks_treated(
    name: str, to: str, delta: bool, export_once: Any, read: Any, kinds: Any
) -> None:
    exported = export_once(name, to, delta)
    rows = [row for f in exported.files for row in read(f.path, to)]
    if LISTS[name].writes or FORMATS[to].audience:
        named = names_of(rows, to, {**kinds, "vanished": {}})
        assert not {n for n in named if n.startswith("held_out") and n != "sunset_held_out"}
    if to in ("klaviyo", "mailchimp", "hubspot", "mautic", "braze"):
        treated = {
            str(row["contact_id" if to != "braze" else "external_id"])
            for row in rows
            if str(row["winback_flag"]).lower() == "true"
        }
        assert treated <= {"treated", "entered"}
        held = [row for row in rows if str(row.get("contact_id", row.get("external_id"))).startswith("held")]
        for row in held:
            assert row["winback_state"] == "active"
            assert row["recommended_action"] == row["incentive_tier"] == row["incentive_kind"] == "none"
            assert not any(row.get(n) for n in ("entered_at", "exit_reason", "reason_1", "channel"))
            assert "arm" not in row


def test_an_objector_leaves_without_a_profile(two_days: Any, read: Any) -> None:
    shop, _, run = two_days
    rows = {r["contact_id"]: r for r in read(shop.export(run, "exits", "klaviyo").files[0].path, "klaviyo")}
    objector = rows["objected"]
    assert (objector["Email"], objector["winback_flag"]) == ("objected@example.com", "false")
    gone = (
        "First Name",
        "Last Name",
        "Phone Number",
        "country",
        "send_timezone",
        "rfm_segment",
        "stated_reason",
    )
    assert not any(objector[n] for n in gone)


def test_the_erased_leave_an_audience_by_the_address_it_knew(two_days: Any, read: Any) -> None:
    shop, before, run = two_days
    wanted = {sha256_hex(f"{n}@example.com") for n in ("bought", "objected", "erased")}
    alone = shop.export(run, "retargeting_remove", "meta")
    assert alone.left_out["no_key"].contacts == ["erased"]
    told = shop.export(run, "retargeting_remove", "meta", before=before, delta=False)
    assert told.left_out == {}
    assert {row["email"] for row in read(told.files[0].path, "meta")} == wanted


def test_scores_are_for_analysts() -> None:
    from pathlib import Path

    from winback_serving.export import ExportRequest

    with pytest.raises(ConfigError, match="no list of contacts"):
        ExportRequest("scores", "klaviyo", Path("x"))
    with pytest.raises(ConfigError, match="one file or more"):
        ExportRequest("current", "klaviyo", Path("x"), batches=0)
    with pytest.raises(ConfigError, match="no share"):
        ExportRequest("current", "klaviyo", Path("x"), max_bounce_exposure=2.0)


def test_a_consent_that_has_run_out_is_no_opt_in(shop: Any, kinds: Any, read: Any) -> None:
    """Neither for ads nor for e-mail, though ``consent_email`` says what was agreed; the journey goes on by push."""
    bases = {"agreed": "consent", "ran_out": "none", "by_law": "soft_opt_in_buyers", "older_version": None}
    contacts = {
        name: {**kinds["treated"], "rank": n + 1, "email_basis": basis, "channel": "push"}
        for n, (name, basis) in enumerate(bases.items())
    }
    run = shop.run(contacts)
    shown_ads = shop.export(run, "retargeting_add", "csv", force=True).files[0].path
    assert {row["contact_id"] for row in read(shown_ads, "csv")} == {"agreed", "older_version"}
    no_more = shop.export(run, "retargeting_remove", "csv", force=True).files[0].path
    assert {row["contact_id"] for row in read(no_more, "csv")} == {"ran_out"}
    current = read(shop.export(run, "current", "klaviyo", force=True).files[0].path, "klaviyo")
    assert {row["contact_id"]: row["email_allowed"] for row in current} == {
        "agreed": "true",
        "ran_out": "false",
        "by_law": "true",
        "older_version": "true",
    }


@pytest.mark.parametrize("refusal", [{"consent_email": False}, {"hard_bounced": True}, {"state": "erased"}])
def test_an_address_that_another_contact_refuses_is_nobodys_opt_in(
    refusal: dict[str, Any], shop: Any, kinds: Any, read: Any
) -> None:
    """Also on lists and in formats that know contacts by id, or hold everybody."""
    contacts = {
        "in_journey": {**kinds["treated"], "email": "Shared@example.com"},
        "refuses": {**kinds["active"], "email": " shared@example.com", **refusal},
        "other": {**kinds["treated"], "rank": 2},
        "alone": {**kinds["active"], **refusal},
    }
    run = shop.run(contacts)
    for name in ("winback", "current"):
        rows = read(shop.export(run, name, "braze", force=True).files[0].path, "braze")
        allowed = {row["external_id"]: row["email_allowed"] for row in rows}
        assert (allowed["in_journey"], allowed["other"]) == (False, True)
    shown_ads, no_more = (
        {row["contact_id"] for row in read(shop.export(run, name, "csv", force=True).files[0].path, "csv")}
        for name in ("retargeting_add", "retargeting_remove")
    )
    assert (shown_ads, no_more) == ({"other"}, {"in_journey"})
