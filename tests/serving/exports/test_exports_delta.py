"""Changes only: who joined, who changed, and a plain word about everybody who left."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from winback_serving.exports.cells import sha256_hex

DAY = date(2025, 3, 10)
YESTERDAY = DAY - timedelta(days=1)


@pytest.fixture
def days(shop: Any, kinds: Any) -> Any:
    """Yesterday and today: one stays as it was, one changes, one joins, one leaves, one is known no more."""
    treated, active = kinds["treated"], kinds["active"]
    before = {
        "stays": treated,
        "changes": {**treated, "rank": 2, "channel": "sms"},
        "leaves": {**treated, "rank": 3},
        "joins": active,
        "gone": {**treated, "rank": 4},
    }
    after = {
        "stays": {**treated, "rank": 4, "days_since_purchase": 41, "reason_1": "No purchase for 41 days"},
        "changes": {**treated, "rank": 1},
        "leaves": kinds["bought"],
        "joins": {**kinds["entered"], "rank": 3},
    }
    return shop.run(before, YESTERDAY), shop.run(after)


@pytest.mark.parametrize(
    "to", ["klaviyo", *(pytest.param(to, marks=pytest.mark.slow) for to in ("braze", "csv"))]
)
def test_only_what_changed_with_a_row_for_who_left(to: str, shop: Any, days: Any, read: Any) -> None:
    before, run = days
    rows = read(shop.export(run, "current", to, before).files[0].path, to)
    key = "external_id" if to == "braze" else "contact_id"
    flags = {row[key]: str(row["winback_flag"]).lower() for row in rows}
    assert list(flags)[:2] == ["gone", "leaves"], "who left comes first"
    assert flags == {"gone": "false", "leaves": "false", "changes": "true", "joins": "true"}
    if to == "csv":
        assert {row["contact_id"]: row["on_list"] for row in rows} == flags
    else:
        left = next(row for row in rows if row[key] == "leaves")
        assert left["winback_state"] == "reactivated"
        assert (left["recommended_action"], left["exit_reason"]) == ("none", "purchased")
        gone = next(row for row in rows if row[key] == "gone")
        assert (gone["winback_state"], gone["recommended_action"]) == ("inactive", "none")
        assert str(gone["exclude_from_regular"]).lower() == "false"
    if to == "klaviyo":
        assert gone["Email"] == "gone@example.com"


def test_without_a_run_before_everything_is_new(shop: Any, days: Any) -> None:
    _, run = days
    exported = shop.export(run, "current", "klaviyo", None, delta=True)
    assert exported.rows == 3


def test_the_same_run_twice_has_no_changes(shop: Any, days: Any) -> None:
    _, run = days
    assert shop.export(run, "current", "klaviyo", run).rows == 0
    assert shop.export(run, "winback", "csv", run).rows == 0


def test_lists_of_one_day_are_changes_already(shop: Any, days: Any, read: Any) -> None:
    before, run = days
    rows = read(shop.export(run, "entries", "klaviyo", before).files[0].path, "klaviyo")
    assert [row["contact_id"] for row in rows] == ["joins"]
    rows = read(shop.export(run, "exits", "klaviyo", before).files[0].path, "klaviyo")
    assert [(row["contact_id"], row["winback_flag"]) for row in rows] == [("leaves", "false")]


def test_an_audience_forgets_the_old_address(shop: Any, kinds: Any, read: Any) -> None:
    treated = kinds["treated"]
    before = shop.run({"a": {**treated, "email": "old@example.com"}, "b": treated}, YESTERDAY)
    run = shop.run({"a": {**treated, "email": "new@example.com"}, "b": {**treated, "consent_email": False}})
    exported = shop.export(run, "retargeting_add", "meta", before)
    (added,), (removed,) = exported.files, exported.removals
    assert removed.path.name == "retargeting_add-remove.meta"
    assert {row["email"] for row in read(added.path, "meta")} == {sha256_hex("new@example.com")}
    assert {row["email"] for row in read(removed.path, "meta")} == {
        sha256_hex("old@example.com"),
        sha256_hex("b@example.com"),
    }


def test_an_address_that_another_contact_keeps_is_not_taken_out(shop: Any, kinds: Any, read: Any) -> None:
    shared = {"email": "shared@example.com"}
    before = shop.run(
        {"leaves": {**kinds["treated"], **shared}, "stays": {**kinds["active"], **shared}}, YESTERDAY
    )
    run = shop.run({"leaves": {**kinds["bought"], **shared}, "stays": {**kinds["treated"], **shared}})
    rows = read(shop.export(run, "current", "klaviyo", before).files[0].path, "klaviyo")
    assert [(row["contact_id"], row["winback_flag"]) for row in rows] == [("stays", "true")]


def test_who_shares_the_address_of_one_that_leaves_has_its_row_then(shop: Any, kinds: Any, read: Any) -> None:
    """Unchanged itself, it was left out for the other, whose row would say that the address has left."""
    shared = {**kinds["treated"], "email": "shared@example.com"}
    before = shop.run({"leaves": shared, "stays": {**shared, "rank": 2}}, YESTERDAY)
    run = shop.run(
        {"leaves": {**kinds["bought"], "email": "shared@example.com"}, "stays": {**shared, "rank": 2}}
    )
    rows = read(shop.export(run, "current", "klaviyo", before).files[0].path, "klaviyo")
    assert [(row["contact_id"], row["winback_flag"]) for row in rows] == [("stays", "true")]


def test_a_change_of_one_that_is_left_out_overwrites_nobody(shop: Any, kinds: Any, read: Any) -> None:
    shared = {**kinds["treated"], "email": "shared@example.com"}
    second = {**shared, "rank": 2}
    before = shop.run({"first": shared, "second": second}, YESTERDAY)
    run = shop.run({"first": shared, "second": {**second, "incentive_tier": "high"}})
    exported = shop.export(run, "current", "klaviyo", before)
    assert read(exported.files[0].path, "klaviyo") == []
    assert exported.left_out["duplicate_email"].contacts == ["second"]


@pytest.mark.parametrize("to", ["klaviyo", "meta"])
def test_an_address_that_another_contact_refused_since_leaves(
    to: str, shop: Any, kinds: Any, read: Any
) -> None:
    treated, shared = kinds["treated"], {"email": "shared@example.com"}
    before = shop.run({"stays": {**treated, **shared}, "refuses": {**kinds["active"], **shared}}, YESTERDAY)
    run = shop.run({"stays": {**treated, **shared}, "refuses": {**kinds["objected"], **shared}})
    exported = shop.export(run, "retargeting_add", to, before)
    if to == "meta":
        (removed,) = read(exported.removals[0].path, to)
        assert (removed["email"], exported.files[0].rows) == (sha256_hex("shared@example.com"), 0)
        (removed,) = read(shop.export(run, "retargeting_add", to).removals[0].path, to)
        assert removed["extern_id"] == "stays"
    else:
        (row,) = read(exported.files[0].path, to)
        flags = {name: row[name] for name in ("retargeting", "email_allowed")}
        assert (row["Email"], flags) == ("shared@example.com", dict.fromkeys(flags, "false"))


def test_an_old_address_leaves(shop: Any, kinds: Any, read: Any) -> None:
    treated = kinds["treated"]
    before = shop.run(
        {n: {**treated, "email": f"{n}.old@example.com"} for n in ("moved", "no_more")}, YESTERDAY
    )
    run = shop.run({"moved": treated, "no_more": {**treated, "email": None}})
    exported = shop.export(run, "current", "klaviyo", before)
    rows = {row["Email"]: row for row in read(exported.files[0].path, "klaviyo")}
    assert {email: row["winback_flag"] for email, row in rows.items()} == {
        "moved.old@example.com": "false",
        "no_more.old@example.com": "false",
        "moved@example.com": "true",
    }
    old = rows["moved.old@example.com"]
    assert (old["winback_state"], old["exclude_from_regular"], old["reason_1"]) == ("inactive", "false", "")
    assert exported.left_out["no_key"].contacts == ["no_more"]


def test_who_leaves_with_the_address_of_another_says_nothing_of_it(shop: Any, kinds: Any, read: Any) -> None:
    stays = {"stays": {**kinds["treated"], "email": "shared@example.com"}}
    before = shop.run(
        {"leaves": {**kinds["treated"], "email": "old@example.com", "rank": 2}, **stays}, YESTERDAY
    )
    run = shop.run({"leaves": {**kinds["bought"], "email": "shared@example.com"}, **stays})
    rows = read(shop.export(run, "current", "klaviyo", before).files[0].path, "klaviyo")
    assert [(row["Email"], row["winback_flag"]) for row in rows] == [("old@example.com", "false")]


@pytest.mark.parametrize("delta", [False, True])
def test_the_erased_leave_an_audience_also_by_its_changes(
    delta: bool, shop: Any, kinds: Any, read: Any
) -> None:
    before = shop.run({"erased": kinds["treated"]}, YESTERDAY)
    run = shop.run({"erased": {**kinds["erased"], "exit_reason": "erased", "entered_at": date(2025, 3, 1)}})
    exported = shop.export(run, "retargeting_remove", "meta", before, delta=delta)
    assert [row["email"] for row in read(exported.files[0].path, "meta")] == [
        sha256_hex("erased@example.com")
    ]


BY_ADDRESS = ("klaviyo", "mailchimp", "hubspot", "mautic", "listmonk")


@pytest.fixture
def erased_since(shop: Any, kinds: Any) -> Any:
    """Yesterday in a journey, erased today: the list of today has neither name nor address."""
    treated = kinds["treated"]
    before = shop.run({"erased": treated, "stays": {**treated, "rank": 2}}, YESTERDAY)
    gone = {**kinds["erased"], "state": "erased", "exit_reason": "erased", "entered_at": date(2025, 3, 1)}
    return before, shop.run({"erased": gone, "stays": {**treated, "rank": 2}})


@pytest.mark.parametrize(
    ("name", "delta"),
    [
        *((name, True) for name in ("current", "exclude_from_regular", "winback", "retargeting_remove")),
        *((name, False) for name in ("exits", "retargeting_remove")),
    ],
)
def test_a_tool_is_told_of_the_erased_by_the_address_that_it_holds(
    name: str, delta: bool, shop: Any, erased_since: Any, read: Any
) -> None:
    """The address of the run before, every flag false, and nothing else about the person."""
    before, run = erased_since
    exported = shop.export(run, name, "klaviyo", before, delta=delta)
    assert exported.left_out == {}
    (row,) = read(exported.files[0].path, "klaviyo")
    said = {column: value for column, value in row.items() if value not in ("", "false")}
    assert {n: said.pop(n) for n in ("Email", "contact_id", "winback_state")} == {
        "Email": "erased@example.com",
        "contact_id": "erased",
        "winback_state": "erased",
    }
    nothing = {"recommended_action": "none", "incentive_tier": "none", "incentive_kind": "none"}
    ours = {"entered_at": "2025-03-01", "exit_reason": "erased", "currency": "EUR"}
    assert said.items() <= (nothing | ours).items()


@pytest.mark.parametrize("to", [pytest.param(to, marks=pytest.mark.slow) for to in BY_ADDRESS[1:]])
def test_every_tool_that_knows_addresses_is_told_of_the_erased(
    to: str, shop: Any, erased_since: Any, read: Any
) -> None:
    before, run = erased_since
    (row,) = read(shop.export(run, "current", to, before).files[0].path, to)
    assert "erased@example.com" in row.values()
    assert not {"Jane", "Doe", "Jane Doe", "+31612345678"} & set(row.values())


@pytest.mark.parametrize("to", ["braze", "csv"])
def test_no_address_of_the_erased_is_told_where_none_is_needed(
    to: str, shop: Any, erased_since: Any, read: Any
) -> None:
    """Braze knows ids; a plain file is the shop's own record, and none of a tool."""
    before, run = erased_since
    for name in ("current", "exits", "retargeting_remove"):
        exported = shop.export(run, name, to, before, delta=name == "current")
        assert b"erased@example.com" not in exported.files[0].path.read_bytes()
        (row,) = read(exported.files[0].path, to)
        assert row["external_id" if to == "braze" else "contact_id"] == "erased"


def test_the_address_of_the_erased_that_another_contact_has_is_not_taken_out(
    shop: Any, kinds: Any, read: Any
) -> None:
    shared = {"email": "shared@example.com"}
    stays = {"stays": {**kinds["treated"], **shared, "rank": 2}}
    before = shop.run({"erased": {**kinds["treated"], **shared}, **stays}, YESTERDAY)
    run = shop.run({"erased": {**kinds["erased"], "state": "erased", "email": None}, **stays})
    rows = read(shop.export(run, "current", "klaviyo", before).files[0].path, "klaviyo")
    assert [(row["contact_id"], row["winback_flag"]) for row in rows] == [("stays", "true")]


def test_removals_are_not_repeated(shop: Any, kinds: Any) -> None:
    over = {**kinds["active"], "exited_at": YESTERDAY}
    before = shop.run({"a": over, "b": kinds["treated"]}, YESTERDAY)
    run = shop.run({"a": over, "b": kinds["bought"]})
    assert shop.export(run, "retargeting_remove", "google").rows == 2
    assert shop.export(run, "retargeting_remove", "google", before).rows == 1
