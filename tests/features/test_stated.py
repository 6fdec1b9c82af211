"""What contacts said of why they stopped, as it is read and against plain Python over the same answers."""

from datetime import date, datetime, time, timedelta

import pytest
from feature_shop import Shop, event, random_shop, rows_of
from ingest_desk import HEADER, notices, open_desk, rows

from winback_features.contracts import STATED_REASONS

CUT = date(2024, 5, 1)


@pytest.fixture
def desk(tmp_path):
    yield from open_desk(tmp_path)


def ago(days: int) -> date:
    return CUT - timedelta(days=days)


def said(contact: str, days: int, reason: str | None, at: time = time(9), **more) -> dict:
    return event(contact, ago(days), "survey_answer", at, reason=reason, **more)


def stated(engine, shop: Shop) -> dict[str, tuple]:
    return {
        c: (row["stated_reason"], row["stated_days"]) for c, row in rows_of(engine.status(shop, CUT)).items()
    }


def test_the_last_reason_given_counts(shop_engine):
    events = [
        said("changed", 90, "price"),
        said("changed", 9, "delivery"),
        said("later without", 90, "price"),
        said("later without", 9, None),
        said("two at once", 9, "price"),
        said("two at once", 9, "moved_away"),
        said("same day", 9, "moved_away", time(8)),
        said("same day", 9, "price", time(10)),
        said("a machine", 9, "price", machine=True),
        said("tomorrow", 0, "price"),
        said("none", 9, None),
    ]
    assert stated(shop_engine, Shop(events=events)) == {
        "changed": ("delivery", 9),
        "later without": ("price", 90),
        "two at once": ("moved_away", 9),
        "same day": ("price", 9),
        "a machine": (None, None),
        "none": (None, None),
    }


@pytest.mark.parametrize("withdrawn", ["objected_profiling_at", "erased_at"])
def test_nothing_is_said_of_who_withdrew(shop_engine, withdrawn):
    contacts = [{"contact_id": "a", withdrawn: datetime.combine(ago(1), time())}]
    assert stated(shop_engine, Shop(events=[said("a", 9, "price")], contacts=contacts)) == {"a": (None, None)}


@pytest.mark.parametrize("seed", range(3))
def test_against_plain_python(shop_engine, seed):
    shop = random_shop(seed)
    withdrawn = {
        c["contact_id"]
        for c in shop.contacts
        if any(at and at.date() < CUT for at in (c.get("erased_at"), c.get("objected_profiling_at")))
    }
    given = [e for e in shop.events if e.get("reason") and not e["machine"] and e["day"] < CUT]
    found = stated(shop_engine, shop)
    assert any(reason for reason, _ in found.values())
    for contact, told in found.items():
        mine = [e for e in given if e["contact_id"] == contact and contact not in withdrawn]
        last = max(mine, key=lambda e: (e["occurred_at"], -STATED_REASONS.index(e["reason"])), default=None)
        assert told == ((last["reason"], (CUT - last["day"]).days) if last else (None, None)), contact


def test_a_time_zone_that_nobody_knows_is_told(desk):
    orders = desk.csv(f"{HEADER}\na,1,2024-01-05,10")
    contacts = desk.csv(
        "contact_id,timezone\na,europe/Amsterdam\nb,Mars/Olympus\nc,\nd, UTC ", "contacts.csv"
    )
    tables = desk.take(orders, contacts=contacts)
    assert notices(tables, "contacts") == {"unknown_timezone": 1}
    assert tables.timezone == "UTC"


def test_reasons_are_read_from_survey_answers_alone(desk):
    orders = desk.csv(f"{HEADER}\na,1,2024-01-05,10")
    events = desk.csv(
        "contact_id,occurred_at,kind,reason\n"
        "a,2024-02-01 09:00:00,survey_answer, Price \n"
        "a,2024-02-02 09:00:00,survey_answer,too far\n"
        "a,2024-02-03 09:00:00,survey_answer,\n"
        "a,2024-02-04 09:00:00,email_bounce_soft,mailbox full",
        "events.csv",
    )
    tables = desk.take(orders, events=events)
    told = {row["day"].day: row["reason"] for row in rows(tables.events)}
    assert told == {1: "price", 2: "other", 3: None, 4: None}
    assert notices(tables, "events") == {"unknown_reason": 1}
