"""Records held without need: sleepers and their cost, retention with due dates, purpose, suppression keys."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest

from winback_policy import hygiene
from winback_policy.config import PolicyConfig

AS_OF = date(2025, 3, 10)

GONE: dict[str, Any] = {
    "base": "lapsed",
    "days_since_purchase": 400,
    "days_since_activity": 400.0,
    "email_ignored_in_a_row": 30.0,
    "active_days_90d": 0.0,
    "email_sends_90d": 90.0,
}
KNOWN: dict[str, dict[str, Any]] = {
    "buys": {"days_since_activity": 31.0},
    "sleeps": GONE,
    "sleeps long": {**GONE, "days_since_activity": 1000.0},
    "past retention": {**GONE, "days_since_activity": 1100.0, "country": "FR"},
    "no purpose": {
        "base": "never_bought",
        "purchase_days": 0.0,
        "days_since_purchase": None,
        "tenure_days": 10.0,
        "active_days_90d": 0.0,
        "consent_email": None,
    },
    "only consent": {"purchase_days": 0.0, "tenure_days": 10.0, "active_days_90d": 0.0},
    "erased": {"erased": True},
    "objects": {"objected_profiling": True, "consent_email": None},
}
PRICE = PolicyConfig(email_price=0.002)


@pytest.fixture(scope="module")
def held(world: Any) -> Any:
    """Judge the records of one day, of which one had been asleep for 200 days."""
    since = AS_OF - timedelta(days=200)
    before = {"sleeps long": {"state": "sunset", "asleep_since": since, "journeys": 0}}
    decision = world.decide(KNOWN, previous=before)
    features, status = world.known(KNOWN)
    features = features.filter(features.contact_id.notin(["erased", "objects"]))  # nobody counts what they do
    return world.materialise(hygiene.records(decision.winback, features, status, AS_OF, PRICE))


def test_every_record_but_the_erased_is_judged(world: Any, held: Any) -> None:
    rows = {row["contact_id"]: row for row in world.backend.to_pyarrow(held).to_pylist()}
    assert set(rows) == set(KNOWN) - {"erased"}
    marks = ("inactive", "engaged", "past_retention", "without_purpose", "sleeping")
    found = {name: tuple(mark for mark in marks if row[mark]) for name, row in rows.items()}
    assert found == {
        "buys": ("engaged",),
        "sleeps": ("inactive", "sleeping"),
        "sleeps long": ("inactive", "sleeping"),
        "past retention": ("inactive", "past_retention", "sleeping"),
        "no purpose": ("without_purpose",),
        "only consent": (),
        "objects": (),
    }
    assert rows["objects"]["retention_due"] is None
    assert rows["sleeps"]["retention_due"] == AS_OF + timedelta(days=1095 - 400)
    assert rows["past retention"]["retention_due"] == AS_OF - timedelta(days=5)
    assert rows["sleeps"]["sleeper_cost_per_year"] == pytest.approx(0.002 * 365)
    assert rows["buys"]["sleeper_cost_per_year"] == 0.0


def test_farewell_is_due_when_the_retention_ends(world: Any, held: Any) -> None:
    rows = {row["contact_id"]: row for row in world.backend.to_pyarrow(held).to_pylist()}
    assert {name: row["state"] for name, row in rows.items() if row["farewell_due"]} == {
        "sleeps long": "farewell"
    }
    assert rows["sleeps long"]["farewell_due"] == AS_OF + timedelta(days=1095 - 1000)


def test_the_summary_says_what_removing_the_sleepers_does(world: Any, held: Any) -> None:
    (row,) = world.backend.to_pyarrow(hygiene.summary(held, PRICE)).to_pylist()
    assert row == {
        "contacts": 7,
        "inactive": 3,
        "sunset": 2,
        "farewell": 1,
        "past_retention": 1,
        "without_purpose": 1,
        "sleeper_emails_90d": 270,
        "sleeper_cost_per_year": pytest.approx(3 * 0.002 * 365),
        "inactive_share": pytest.approx(3 / 7),
        "engaged_rate": pytest.approx(1 / 7),
        "engaged_rate_without_sleepers": pytest.approx(1 / 4),
    }


def test_an_empty_base_has_no_rates(world: Any, held: Any) -> None:
    (row,) = world.backend.to_pyarrow(hygiene.summary(held.filter(held.contact_id == ""), PRICE)).to_pylist()
    assert (row["contacts"], row["engaged_rate"], row["sleeper_cost_per_year"]) == (0, None, 0.0)


def test_a_suppression_key_does_not_depend_on_how_the_address_is_written(backend: Any) -> None:
    addresses = ["jane.doe@example.com", "  Jane.Doe@Example.com\t", "", None]
    backend.con.register("addresses", pa.table({"email": addresses, "n": [1, 2, 3, 4]}))
    t = backend.table("addresses")
    keys = backend.to_pyarrow(t.mutate(k=hygiene.suppression_key(t.email)).order_by("n"))["k"].to_pylist()
    known = hashlib.sha256(b"jane.doe@example.com").hexdigest()
    assert known == "86e0b9e56c17cc4d12387e1949b85053fbe73bc3ce5a1188713a9d300cc6133d"
    assert keys == [known, known, None, None]


def test_an_erased_contact_is_not_imported_again(backend: Any) -> None:
    key = hashlib.sha256(b"jane.doe@example.com").hexdigest()
    backend.con.register("keys", pa.table({"suppression_key": [key]}))
    backend.con.register("imported", pa.table({"email": ["JANE.DOE@example.com", "joe@example.com", None]}))
    found = hygiene.suppressed(backend.table("imported"), backend.table("keys"))
    assert backend.to_pyarrow(found).to_pydict() == {"email": ["JANE.DOE@example.com"]}
