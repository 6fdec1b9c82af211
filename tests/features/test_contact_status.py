"""Contact status: consent, bounces, withdrawals, open carts and the hour at which a contact is there."""

from datetime import date, datetime, time, timedelta

import pytest
from feature_oracle import oracle_features
from feature_shop import CLOSED, Shop, event, order, random_shop, rows_of

from winback_features.contact_habits import contact_habits
from winback_features.contact_status import COLUMNS, CONSENTS, PROFILE, build_contact_status
from winback_features.many_days import habits_of_many_days

CUT = date(2024, 5, 1)


def ago(days: int) -> date:
    return CUT - timedelta(days=days)


def status(engine, **tables) -> dict[str, dict]:
    return rows_of(engine.status(Shop(**tables), CUT))


def test_every_known_contact_has_one_row_with_all_columns(shop_engine):
    shop = random_shop(3)
    table, features = shop_engine.status(shop, CUT), shop_engine.features(shop, CUT)
    assert tuple(table.column_names) == COLUMNS
    ids = table["contact_id"].to_pylist()
    assert ids == sorted(set(ids))
    scored = {r["contact_id"] for r in table.to_pylist() if not (r["erased"] or r["objected_profiling"])}
    assert scored == set(features["contact_id"].to_pylist()) < set(ids)


@pytest.mark.parametrize(
    ("seed", "cut"), [(3, CUT), (4, CLOSED[-1][0] + timedelta(days=9)), (5, CLOSED[0][1])]
)
def test_closed_days_of_each_silence_against_counting_them(shop_engine, seed, cut):
    """Since the last activity, since the contact is known, and since its points changed."""
    shop = random_shop(seed)
    found, features = rows_of(shop_engine.status(shop, cut)), oracle_features(shop, cut)

    def closed(days: float | None) -> int:
        silent = (cut - timedelta(days=n) for n in range(1, int(days or 0)))
        return sum(any(first <= day < after for first, after in CLOSED) for day in silent)

    told = 0
    for contact, facts in features.items():
        quiet, known = facts["days_since_activity"], facts["tenure_days"]
        wanted = {
            "closed_quiet_days": closed(known if quiet is None else quiet),
            "closed_known_days": closed(known),
            "closed_loyalty_days": closed(facts["days_since_loyalty_change"]),
        }
        assert {name: found[contact][name] for name in wanted} == wanted
        told += sum(wanted.values())
    assert told > 0


def test_a_buyer_without_a_contact_row_is_unknown_not_refused(shop_engine):
    row = status(shop_engine, orders=[order("a", ago(3))])["a"]
    assert (
        row["in_contacts"]
        is row["hard_bounced"]
        is row["erased"]
        is row["is_staff"]
        is row["has_email"]
        is False
    )
    assert all(row[consent] is None for consent in CONSENTS)


@pytest.mark.parametrize("kind", ["unsubscribe", "email_complaint"])
def test_leaving_a_channel_withdraws_its_consent(shop_engine, kind):
    contacts = [{"contact_id": c, "consent_email": True, "consent_sms": True, "email": "x"} for c in "ab"]
    events = [event("a", ago(3), kind), event("b", CUT, kind)]
    rows = status(shop_engine, contacts=contacts, events=events)
    assert (rows["a"]["consent_email"], rows["a"]["consent_sms"]) == (False, True)
    assert rows["a"]["complained"] == (kind == "email_complaint")
    assert rows["b"]["consent_email"] is True
    assert rows["b"]["complained"] is False


def test_a_consent_counts_from_its_day_and_a_refusal_at_once(shop_engine):
    dates = {"past": ago(3), "cut": CUT, "refused later": CUT, "refused": ago(3), "undated": None}
    contacts = [
        {
            "contact_id": name,
            "consent_email": not name.startswith("refused"),
            "consent_email_at": day and datetime.combine(day, time(12)),
        }
        for name, day in dates.items()
    ]
    rows = status(shop_engine, contacts=contacts)
    assert {name: (row["consent_email"], row["consent_email_days"]) for name, row in rows.items()} == {
        "past": (True, 3),
        "cut": (None, None),
        "refused later": (False, None),
        "refused": (False, None),
        "undated": (True, None),
    }


def test_who_agrees_anew_after_leaving_a_channel_has_agreed(shop_engine):
    moments = {"before": (ago(5), time(9)), "after": (ago(5), time(11)), "not yet": (CUT, time(9))}
    contacts = [
        {"contact_id": name, "consent_sms": True, "consent_sms_at": datetime.combine(*at)}
        for name, at in moments.items()
    ]
    contacts.append({"contact_id": "undated", "consent_sms": True})
    events = [event(c["contact_id"], ago(5), "unsubscribe", time(10), channel="sms") for c in contacts]
    rows = status(shop_engine, contacts=contacts, events=events)
    assert {name: (row["consent_sms"], row["consent_sms_days"]) for name, row in rows.items()} == {
        "before": (False, None),
        "after": (True, 5),
        "not yet": (False, None),
        "undated": (False, None),
    }


def test_an_unsubscribe_may_name_another_channel(shop_engine):
    events = [event("a", ago(3), "unsubscribe", channel="direct_mail")]
    row = status(shop_engine, events=events)["a"]
    assert (row["consent_post"], row["consent_email"]) == (False, None)


def test_bounces(shop_engine):
    soft, sent, opened = "email_bounce_soft", "email_sent", "email_open"
    events = [
        event("hard", ago(9), "email_bounce_hard"),
        *(
            event("row", ago(d), kind)
            for d, kind in [(9, soft), (8, opened), (7, sent), (6, soft), (5, soft)]
        ),
    ]
    contacts = [
        {"contact_id": "marked", "email_status": "hard_bounced"},
        {"contact_id": "fine", "email_status": "ok"},
    ]
    rows = status(shop_engine, events=events, contacts=contacts)
    assert {c for c, row in rows.items() if row["hard_bounced"]} == {"hard", "marked"}
    assert {c: row["soft_bounces_in_a_row"] for c, row in rows.items()} == {
        "fine": 0,
        "hard": 0,
        "marked": 0,
        "row": 2,
    }


def test_bounces_of_another_address_do_not_count(shop_engine):
    """Hard at nine 9 days ago, soft 8 and 2 days ago; what differs is when the present address came."""
    came = {
        "unknown": None,
        "before both": datetime.combine(ago(9), time(8)),
        "between": datetime.combine(ago(9), time(10)),
        "since": datetime.combine(ago(1), time(9)),
        "later": datetime.combine(CUT, time()),
    }
    kinds = ((9, "email_bounce_hard"), (8, "email_bounce_soft"), (2, "email_bounce_soft"))
    rows = status(
        shop_engine,
        events=[event(contact, ago(days), kind) for contact in came for days, kind in kinds],
        contacts=[{"contact_id": contact, "email_changed_at": at} for contact, at in came.items()],
    )
    assert {c: (row["hard_bounced"], row["soft_bounces_in_a_row"]) for c, row in rows.items()} == {
        "unknown": (True, 2),
        "before both": (True, 2),
        "between": (False, 2),
        "since": (False, 0),
        "later": (True, 2),
    }


def test_withdrawals_count_before_the_cut_only(shop_engine):
    past, cut = datetime.combine(ago(1), time(23)), datetime.combine(CUT, time())
    profile = {"email": "a@example.org", "first_name": "Ada", "is_staff": True}
    contacts = [
        {"contact_id": "erased", "erased_at": past} | profile,
        {"contact_id": "opposed", "objected_profiling_at": past} | profile,
        {"contact_id": "later", "erased_at": cut, "objected_profiling_at": cut} | profile,
    ]
    rows = status(shop_engine, contacts=contacts)
    assert [c for c, row in rows.items() if row["erased"]] == ["erased"]
    assert [c for c, row in rows.items() if row["objected_profiling"]] == ["opposed"]
    assert all(rows["erased"][name] is None for name in PROFILE)
    assert rows["later"]["first_name"] == rows["opposed"]["first_name"] == "Ada"
    assert set(rows_of(shop_engine.features(Shop(contacts=contacts), CUT))) == {"later"}


def test_a_cart_is_open_until_something_is_bought(shop_engine):
    events = [event(c, ago(4), "cart_add") for c in ("open", "closed", "same", "before", "zero")]
    orders = [
        order("closed", ago(2)),
        order("same", ago(4)),
        order("before", ago(5)),
        order("zero", ago(2), 0),
    ]
    rows = status(shop_engine, events=events, orders=orders)
    assert {c: r["cart_open_days"] for c, r in rows.items()} == {
        "open": 4,
        "closed": None,
        "same": None,
        "before": 4,
        "zero": 4,
    }


def test_send_time_prefers_clicks_and_breaks_ties_downwards(shop_engine):
    monday = date(2024, 4, 1)
    events = [
        event("clicks", monday, "email_click", time(20)),
        event("clicks", monday + timedelta(days=1), "site_visit", time(9, 59)),
        event("clicks", monday + timedelta(days=2), "email_open", time(3)),
        event("clicks", monday + timedelta(days=2), "email_click", time(3), machine=True),
    ]
    orders = [
        order("clicks", monday + timedelta(days=5), at=time(15)),
        *(order("buys", monday + timedelta(days=d), at=time(17, 5)) for d in (6, 13, 1)),
        order("dated", monday, at=time()),
    ]
    rows = status(shop_engine, events=events, orders=orders)
    found = {c: (r["send_weekday"], r["send_hour"], r["send_time_n"]) for c, r in rows.items()}
    assert found == {"clicks": (0, 9, 2), "buys": (6, 17, 3), "dated": (0, None, 1)}


def test_the_send_time_is_by_the_contacts_own_clock(shop_engine):
    """The brand's clock is UTC here; New York is four hours behind in April, five in March's first days."""
    tuesday = date(2024, 4, 2)
    zones = {
        "new york": "America/New_York",
        "small letters": " america/new_york",
        "tokyo": "Asia/Tokyo",
        "unknown": None,
        "no zone": "Mars/Olympus",
    }
    contacts = [{"contact_id": name, "timezone": zone} for name, zone in zones.items()]
    events = [event(name, tuesday, "site_visit", time(2, 30)) for name in zones]
    home = {"timezone": "America/New_York"}
    contacts += [{"contact_id": name, **home} for name in ("dated", "winter", "buys", "silent")]
    contacts.append({"contact_id": "erased", "erased_at": datetime(2024, 4, 5), **home})
    contacts.append({"contact_id": "objecting", "objected_profiling_at": datetime(2024, 4, 5), **home})
    events += [
        event("erased", tuesday, "site_visit", time(2, 30)),
        event("objecting", tuesday, "site_visit", time(2, 30)),
        event("dated", tuesday, "site_visit", time()),
        event("winter", date(2024, 3, 5), "site_visit", time(2, 30)),
    ]
    rows = status(
        shop_engine, contacts=contacts, events=events, orders=[order("buys", tuesday, at=time(17, 5))]
    )
    sends = ("send_weekday", "send_hour", "send_time_n", "send_timezone")
    assert {c: tuple(r[name] for name in sends) for c, r in rows.items()} == {
        "new york": (0, 22, 1, "America/New_York"),
        "small letters": (0, 22, 1, "America/New_York"),
        "tokyo": (1, 11, 1, "Asia/Tokyo"),
        "unknown": (1, 2, 1, "UTC"),
        "no zone": (1, 2, 1, "UTC"),
        "dated": (1, None, 1, "America/New_York"),
        "winter": (0, 21, 1, "America/New_York"),
        "buys": (1, 13, 1, "America/New_York"),
        "silent": (None, None, 0, None),
        "erased": (None, None, None, None),
        "objecting": (None, None, None, None),
    }


def test_the_hour_of_a_message_is_a_decent_one_of_the_contacts_own(shop_engine):
    tuesday = date(2024, 4, 2)
    hours = {
        "night and morning": (3, 3, 3, 9, 9, 14),
        "first": (8,),
        "last": (20, 21, 21),
        "late": (21, 23, 23),
        "early": (3, 7),
        "half past one": (1,),
        "as near to both": (2,),
    }
    events = [
        event(name, tuesday, "site_visit", time(hour, n + 1))
        for name, at in hours.items()
        for n, hour in enumerate(at)
    ]
    contacts = [{"contact_id": "tokyo", "timezone": "Asia/Tokyo"}]
    events += [event("tokyo", tuesday, "site_visit", time(hour, 30)) for hour in (1, 14, 14)]
    shop = Shop(events=[*events, event("dated", tuesday, "site_visit", time())], contacts=contacts)

    def found(*send_hours):
        rows = rows_of(shop_engine.status(shop, CUT, *send_hours))
        return {name: row["send_hour"] for name, row in rows.items()}

    assert found((8, 21)) == {
        "night and morning": 9,
        "first": 8,
        "last": 20,
        "late": 20,
        "early": 8,
        "half past one": 20,
        "as near to both": 8,
        "tokyo": 10,
        "dated": None,
    }
    assert set(found((11, 12)).values()) == {11, None}
    whole_day = found((0, 24))
    assert (whole_day["night and morning"], whole_day["late"], whole_day["tokyo"]) == (3, 23, 23)


def test_the_shops_hours_reach_the_habits(shop_engine):
    from dataclasses import replace

    night = event("a", ago(3), "site_visit", time(3, 30))
    tables = shop_engine.load(Shop(events=[night]))
    for send_hours, hour in (((8, 21), 8), ((2, 5), 3)):
        told = replace(tables, send_hours=send_hours)
        assert contact_habits(told, CUT).send_hour.to_pyarrow().to_pylist() == [hour]
        (many,) = (t.send_hour.to_pyarrow().to_pylist() for t in habits_of_many_days(told, [CUT]))
        assert many == [hour]
    assert contact_habits(tables, CUT).send_hour.to_pyarrow().to_pylist() == [8]


def test_without_a_contacts_table_an_address_is_unknown(shop_engine):
    from dataclasses import replace

    shop_engine.load(Shop([order("a", ago(3))]))
    tables = replace(shop_engine.tables, has_contacts=False)
    assert build_contact_status(tables, CUT).has_email.to_pyarrow().to_pylist() == [None]
