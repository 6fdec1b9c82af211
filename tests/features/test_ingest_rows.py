"""Rows: what is used, what goes to quarantine, and what is said about it."""

import tomllib
from datetime import date, datetime
from decimal import Decimal

import ibis
import pytest
from ingest_desk import HEADER, good, notices, open_desk, reasons, rows

from winback_features.config import BrandConfig
from winback_features.contact_status import build_contact_status
from winback_features.facts import purchase_days, purchase_orders

AMSTERDAM = BrandConfig(timezone="Europe/Amsterdam")


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    yield from open_desk(tmp_path_factory.mktemp("rows"))


def test_lines_are_summed_by_contact_order_and_day(desk):
    text = "contact_id,order_id,ordered_at,amount,category,discount,coupon\n" + "\n".join(
        [
            "00123,o1,2024-01-05 09:00,10.10,tea,1,no",
            "00123,o1,2024-01-05 08:30,0.20,cups,,yes",
            "00123,o2,2024-01-06,,tea,,",
            "7,o1,2024-01-06T10:00:00,5,tea,,",
        ]
    )
    tables = desk.take(desk.csv(text))
    assert reasons(tables) == {}
    first, second, third = rows(tables.orders.order_by("contact_id", "order_id"))
    assert first["contact_id"] == "00123", "leading zeros are kept"
    assert first["amount"] == Decimal("10.3000")
    assert first["ordered_at"] == datetime(2024, 1, 5, 8, 30)
    assert (first["discount"], first["coupon"], first["is_gift"]) == (Decimal("1.0000"), True, None)
    assert (second["order_id"], second["amount"]) == ("o2", None)
    assert third["contact_id"] == "7"
    assert len(rows(tables.lines)) == 4
    assert not tables.has_events
    assert not tables.has_contacts
    assert rows(tables.events) == rows(tables.contacts) == []
    report = tables.report["orders"]
    assert (report.first_day, report.last_day) == (date(2024, 1, 5), date(2024, 1, 6))


BAD_LINES = (
    (",o,2024-01-05,1", "missing_contact_id", "contact_id", None),
    ("nan,o,2024-01-05,1", "missing_contact_id", "contact_id", "nan"),
    ("  ,o,2024-01-05,1", "missing_contact_id", "contact_id", ""),
    ("#VALUE!,o,2024-01-05,1", "missing_contact_id", "contact_id", "#VALUE!"),
    ("#NAAM?,o,2024-01-05,1", "missing_contact_id", "contact_id", "#NAAM?"),
    ("#DIV/0!,o,2024-01-05,1", "missing_contact_id", "contact_id", "#DIV/0!"),
    ("c,,2024-01-05,1", "missing_order_id", "order_id", None),
    ("c,########,2024-01-05,1", "missing_order_id", "order_id", "########"),
    ("c,o,,1", "missing_time", "ordered_at", None),
    ("c,o,NaT,1", "missing_time", "ordered_at", "NaT"),
    ("c,o,05/01/2024,1", "unreadable_time", "ordered_at", "05/01/2024"),
    ("c,o,2024-02-30,1", "unreadable_time", "ordered_at", "2024-02-30"),
    ("c,o,2024-01-05 25:00,1", "unreadable_time", "ordered_at", "2024-01-05 25:00"),
    ("c,o,infinity,1", "unreadable_time", "ordered_at", "infinity"),
    ("c,o,2024-01-05,ten", "unreadable_amount", "amount", "ten"),
    ("c,o,2024-01-05,nan", "unreadable_amount", "amount", "nan"),
    ("c,o,2024-01-05,inf", "unreadable_amount", "amount", "inf"),
    ("c,o,2024-01-05,1e30", "unreadable_amount", "amount", "1e30"),
    ("c,o,1900-01-01,1", "implausible_date", "ordered_at", "1900-01-01"),
    ("c,o,2024-07-01,1", "future_date", "ordered_at", "2024-07-01"),
    ('c,o,2024-01-05,"1,5"', "unreadable_amount", "amount", "1,5"),
)


def test_a_bad_row_goes_to_quarantine_with_its_reason(desk):
    lines = "\n".join(line for line, _, _, _ in BAD_LINES)
    tables = desk.take(desk.csv(f"{HEADER}\n{good(20)}\n{lines}\n{good(20, 20)}"), max_bad_share=0.5)
    expected = [(21 + i, column, reason, value) for i, (_, reason, column, value) in enumerate(BAD_LINES)]
    found = [(r["row_number"], r["column"], r["reason"], r["value"]) for r in rows(tables.quarantine)]
    assert found == expected
    assert sum(reasons(tables).values()) == len(BAD_LINES)
    assert tables.report["orders"].rows_used == 40


def test_a_number_sign_alone_makes_no_identifier_a_spreadsheet_error(desk):
    names = ("#", "#1001", "#VIP", "#REF", "a#REF!")
    lines = "\n".join(f"{name},{name},2024-01-05,1" for name in names)
    tables = desk.take(desk.csv(f"{HEADER}\n{lines}"))
    assert (
        {r["order_id"] for r in rows(tables.orders)}
        == {r["contact_id"] for r in rows(tables.orders)}
        == set(names)
    )


def test_optional_values_that_cannot_be_read_are_told_apart_from_missing_ones(desk):
    text = "contact_id,order_id,ordered_at,amount,coupon,discount\n" + "\n".join(
        [f"c,o{i},2024-01-05 10:00,1,YES,nan" for i in range(40)]
        + ["c,p,2024-01-05,1,perhaps,", "c,q,2024-01-05,1,,much"]
    )
    tables = desk.take(desk.csv(text))
    assert reasons(tables) == {"unreadable_coupon": 1, "unreadable_discount": 1}


def test_the_last_day_is_today_and_the_future_starts_tomorrow(desk):
    tables = desk.take(
        desk.csv(f"{HEADER}\n{good(30)}\nc,o,2024-06-30 23:59:59,1\nc,o,2024-07-01 00:00:00,1")
    )
    assert reasons(tables) == {"future_date": 1}
    assert tables.report["orders"].last_day == date(2024, 6, 30)


def test_a_repeated_line_is_one_line_at_an_instant_and_perhaps_two_on_a_day(desk):
    timed, dated = "c,o,2024-01-05 10:00:00,1", "c,p,2024-01-05,1"
    other = "c,o,2024-01-05 10:00:00,2"
    tables = desk.take(desk.csv("\n".join([HEADER, timed, dated, other, timed, dated, timed])))
    assert reasons(tables) == {"duplicate_line": 2}
    assert [r["row_number"] for r in rows(tables.quarantine)] == [4, 6]
    assert notices(tables) == {"duplicates_kept": 1}
    amounts = {r["order_id"]: r["amount"] for r in rows(tables.orders)}
    assert amounts == {"o": Decimal(3), "p": Decimal(2)}


def test_lines_that_differ_in_a_column_we_do_not_read_are_two_lines(desk):
    text = f"{HEADER},colour\nc,o,2024-01-05 10:00,1,red\nc,o,2024-01-05 10:00,1,blue"
    assert reasons(desk.take(desk.csv(text))) == {}


def test_zones_are_converted_row_by_row_and_mixing_them_is_said(desk):
    moments = {
        "a": ("2024-01-05 23:30:00Z", datetime(2024, 1, 6, 0, 30)),
        "b": ("2024-07-01T00:30:00+02:00", None),
        "c": ("2024-06-30 22:30 +0000", None),
        "d": ("2024-06-29T22:30z", datetime(2024, 6, 30, 0, 30)),
        "e": ("2024-01-05 23:30:00", datetime(2024, 1, 5, 23, 30)),
        "f": ("2024-01-05", datetime(2024, 1, 5)),
        "g": ("2024-01-05 10:00:00.123456-05", datetime(2024, 1, 5, 16, 0, 0, 123456)),
        "h": ("2024-01-05 10:00:00 America/New_York", datetime(2024, 1, 5, 16)),
    }
    lines = "\n".join(f"c,{key},{text},1" for key, (text, _) in moments.items())
    tables = desk.take(desk.csv(f"{HEADER}\n{lines}"), brand=AMSTERDAM, max_bad_share=0.5)
    assert reasons(tables) == {"future_date": 2}, "in Amsterdam it is already July"
    assert notices(tables)["mixed_zones"] == 1
    found = {r["order_id"]: r["ordered_at"] for r in rows(tables.orders)}
    assert found == {key: local for key, (_, local) in moments.items() if local}


def test_times_without_a_zone_are_read_in_the_zone_of_the_source(desk):
    text = f"{HEADER}\nc,o,2024-01-05 23:30:00,1\nc,p,2024-01-05,1"
    tables = desk.take(desk.csv(text), brand=AMSTERDAM, timezone="America/New_York")
    days = {r["order_id"]: r["ordered_at"] for r in rows(tables.orders)}
    assert days == {"o": datetime(2024, 1, 6, 5, 30), "p": datetime(2024, 1, 5)}, (
        "a date is a day, in any zone"
    )


def test_typed_columns_are_read_without_going_through_text(desk):
    import pyarrow as pa

    instants = pa.array([datetime(2024, 1, 5, 23, 30)] * 2, pa.timestamp("ns", tz="UTC"))
    name = desk.parquet(
        {
            "contact_id": pa.array([17850, 17851], pa.int64()),
            "order_id": ["a", "b"],
            "ordered_at": instants,
            "amount": pa.array([Decimal("1.25"), None], pa.decimal128(9, 2)),
            "coupon": pa.array([1, 0], pa.int8()),
        }
    )
    tables = desk.take(name, brand=AMSTERDAM)
    first, second = sorted(rows(tables.orders), key=lambda row: row["contact_id"])
    assert (first["contact_id"], first["day"], first["amount"]) == (
        "17850",
        date(2024, 1, 6),
        Decimal("1.2500"),
    )
    assert (second["amount"], second["coupon"]) == (None, False)


def test_an_amount_that_is_not_a_number_is_no_missing_amount(desk):
    name = desk.parquet(
        {
            "contact_id": ["c"] * 41,
            "order_id": [f"o{i}" for i in range(41)],
            "ordered_at": [date(2024, 1, 5)] * 41,
            "amount": [1.0] * 39 + [float("nan"), None],
        }
    )
    assert reasons(desk.take(name)) == {"unreadable_amount": 1}


def test_ids_that_look_like_floats_are_kept_as_written_and_said(desk):
    tables = desk.take(desk.csv(f"{HEADER}\n17850.0,o1,2024-01-05,1\n17850.0,o2,2024-01-06,1"))
    assert {r["contact_id"] for r in rows(tables.orders)} == {"17850.0"}
    assert notices(tables) == {"float_ids": 2}
    (notice,) = tables.report["orders"].warnings
    setting = notice.message.partition("map ")[2].removesuffix(".")
    assert tables.backend.sql(
        f"SELECT {tomllib.loads(setting)['contact_id']} AS x FROM (SELECT '17850.0' AS contact_id)"
    ).x.to_pyarrow().to_pylist() == ["17850"]


BUYERS = f"{HEADER}\nA1,o1,2024-01-05,1\nB2 ,o2,2024-01-06,1\n C3,o3,2024-01-06,1\nC3,o4,2024-01-06,1\n  D4,o5,2024-01-06,1"


def test_ids_that_only_blanks_at_their_ends_tell_apart_stay_apart_and_are_told(desk):
    contacts = desk.csv("contact_id\nA1\nA1 \nB2\nE5\n E6", "contacts.csv")
    tables = desk.take(desk.csv(BUYERS), contacts=contacts)
    assert {r["contact_id"] for r in rows(tables.orders)} == {"A1", "B2 ", " C3", "C3", "  D4"}
    assert notices(tables) == {"padded_ids": 2}, "B2 and C3; there is one D4 only"
    assert notices(tables, "contacts") == {"padded_ids": 1}
    (notice,) = tables.report["contacts"].warnings
    assert "such as 'A1 '" in notice.message
    assert 'contact_id = "trim(contact_id)"' in notice.message
    mended = desk.take(
        desk.csv(BUYERS),
        orders_columns={"contact_id": "trim(contact_id)"},
        contacts=contacts,
        contacts_columns={"contact_id": "trim(contact_id)"},
    )
    assert {r["contact_id"] for r in rows(mended.orders)} == {"A1", "B2", "C3", "D4"}
    assert notices(mended) == notices(mended, "contacts") == {}


def test_ids_that_are_padded_alike_everywhere_are_no_news(desk):
    contacts = desk.csv("contact_id\nA1 \nB2 \nE5", "contacts.csv")
    tables = desk.take(desk.csv(f"{HEADER}\nA1 ,o1,2024-01-05,1\nB2 ,o2,2024-01-06,1"), contacts=contacts)
    assert notices(tables) == notices(tables, "contacts") == {}


COUNTRIES = {
    "NL": "NL",
    "nl ": "NL",
    "NLD": "NL",
    "Netherlands": "NL",
    "united kingdom": "GB",
    "UK": "GB",
    "el": "GR",
    "XK": "XK",
    "The Netherlands": "NL",
    "Nederland": "NL",
    "België": "BE",
    "Belgique": "BE",
    "OSTERREICH": "AT",
    "U.S.A.": "US",
    "Côte d'Ivoire": "CI",
    "EIRE": "IE",
    "日本": "JP",
    "": None,
    "EU": "EU",
    "CT": "CT",
    "Atlantis": "Atlantis",
    "ZZ": "ZZ",
}


def test_a_country_is_read_as_its_code_and_what_is_none_is_told(desk):
    lines = "\n".join(f"c{i},{country}" for i, country in enumerate(COUNTRIES))
    contacts = desk.csv(f"contact_id,country\n{lines}", "contacts.csv")
    orders = desk.csv(f"{HEADER}\nc0,o1,2024-01-05,1")
    tables = desk.take(orders, contacts=contacts)
    found = {r["contact_id"]: r["country"] for r in rows(tables.contacts)}
    assert found == {f"c{i}": code for i, code in enumerate(COUNTRIES.values())}
    assert notices(tables, "contacts") == {"unknown_country": 4}
    (notice,) = tables.report["contacts"].warnings
    assert "atlantis (1), ct (1), eu (1), zz (1)" in notice.message


@pytest.mark.parametrize(("amount", "used"), [("99999999999999.99", True), ("1e14", False), ("-1e14", False)])
def test_an_amount_of_more_than_fourteen_digits_before_the_point_is_put_aside(desk, amount, used):
    tables = desk.take(desk.csv(f"{HEADER}\na,o1,2024-01-05,1\na,o2,2024-01-05,{amount}"), max_bad_share=0.5)
    assert reasons(tables) == ({} if used else {"unreadable_amount": 1})


def test_ids_in_a_float_column_are_kept_and_said(desk):
    name = desk.parquet(
        {
            "contact_id": [17850.0, float("nan")],
            "order_id": ["a", "b"],
            "ordered_at": [date(2024, 1, 5)] * 2,
            "amount": [1.0, 1.0],
        }
    )
    tables = desk.take(name, max_bad_share=0.5)
    assert reasons(tables) == {"missing_contact_id": 1}
    assert notices(tables) == {"float_ids": 1}


def test_contacts_with_returns_only_and_orders_of_zero_are_kept_and_said(desk):
    lines = "a,1,2024-01-05,-5\nb,2,2024-01-05,0\nb,3,2024-01-06,7"
    tables = desk.take(desk.csv(f"{HEADER}\n{lines}"))
    assert notices(tables) == {"returns_only": 1, "zero_orders": 1}
    cut = date(2024, 6, 1)
    assert [r["order_id"] for r in rows(purchase_orders(tables, cut))] == ["3"]
    assert [r["contact_id"] for r in rows(purchase_days(tables, cut))] == ["b"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("a,1,2024-01-05,-5", "1 contact has negative orders only: it is known, but never bought."),
        ("b,2,2024-01-05,0", "1 order comes to zero: it is kept and counted, and is no purchase."),
        (
            "c,o,2024-01-05,1\nc,o,2024-01-05,1",
            "1 line repeats an earlier line of the same day word for word.",
        ),
        ("b,2,2024-01-05,0\nb,3,2024-01-05,0", "2 orders come to zero: they are kept and counted"),
    ],
)
def test_one_is_told_as_one(desk, lines, said):
    tables = desk.take(desk.csv(f"{HEADER}\n{lines}"))
    assert any(notice.message.startswith(said) for notice in tables.report["orders"].warnings)


def test_purchase_days_count_days_and_know_only_what_was_known(desk):
    lines = "\n".join(
        [
            "a,1,2024-01-05 09:00,5",
            "a,2,2024-01-05 10:00,7.5",
            "a,3,2024-01-06,",
            "a,4,2024-01-07 10:00,20",
            "a,5,2024-01-09 10:00,-20",
        ]
    )
    tables = desk.take(desk.csv(f"{HEADER}\n{lines}"))

    def days(before: date) -> list[tuple]:
        found = rows(purchase_days(tables, before).order_by("day"))
        return [(r["day"].day, r["n_orders"], r["amount"]) for r in found]

    early = [(5, 2, Decimal("12.5000")), (6, 1, None)]
    assert days(date(2024, 1, 7)) == early
    assert days(date(2024, 1, 9)) == [*early, (7, 1, Decimal("20.0000"))]
    assert days(date(2024, 1, 10)) == early, "the order of the 7th is cancelled on the 9th"


def test_currencies_with_rates_become_the_brands(desk):
    lines = "a,1,2024-01-05,10,eur\na,2,2024-01-06,10, USD \na,3,2024-01-07,10,"
    brand = BrandConfig(currency="EUR", rates={"USD": 0.91234})
    tables = desk.take(desk.csv(f"{HEADER},currency\n{lines}"), brand=brand)
    assert [r["amount"] for r in rows(tables.orders)] == [Decimal("10"), Decimal("9.1234"), Decimal("10")]
    assert notices(tables) == {"one_currency_assumed": 1}


def test_the_report_is_json_ready_and_names_the_files_fingerprint(desk):
    import hashlib
    import json

    name = desk.csv(f"{HEADER}\n{good(5)}")
    report = desk.take(name).report.as_dict()
    assert json.loads(json.dumps(report)) == report
    assert report["orders"]["fingerprint"] == hashlib.sha256((desk.folder / name).read_bytes()).hexdigest()
    assert report["orders"]["source"] == name


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_file_gives_the_same_tables(desk, threads):
    name = desk.csv(f"{HEADER}\n{good(5000)}")
    desk.backend.raw_sql(f"SET threads = {threads}")
    first, second = desk.take(name), desk.take(name)
    orders, again = (t.orders.order_by("contact_id", "order_id", "day").to_pyarrow() for t in (first, second))
    assert orders.equals(again), "orders are a set: nothing reads them by their place"
    assert first.report == second.report


def test_one_customer_no_repeat_buyer_or_all_alike_are_no_reason_to_refuse(desk):
    once = "\n".join(f"c{i},o{i},2024-01-05,9.99" for i in range(30))
    one = "\n".join(f"c,o{i},2024-01-{i:02d},9.99" for i in range(1, 30))
    for lines in (once, one, "c,o,2024-01-05,1"):
        assert reasons(desk.take(desk.csv(f"{HEADER}\n{lines}"))) == {}


def test_an_unsubscribe_is_of_a_channel_that_can_be_left(desk):
    """``post`` is ``direct_mail``, as in the consents; where it was said, such as on the site, is no channel to leave."""
    left = {
        "SMS": "sms",
        "push": "push",
        "direct_mail": "direct_mail",
        "phone": "phone",
        "Post": "direct_mail",
    }
    left |= dict.fromkeys(("email", "site", "form", "pigeon"), "email")
    text = "".join(f"{name},2024-01-05 10:00:00,unsubscribe,{name}\n" for name in left)
    visit = "visit,2024-01-05 10:00:00,site_visit,app\n"
    events = desk.csv(f"contact_id,occurred_at,kind,channel\n{text}{visit}", "events.csv")
    tables = desk.take(desk.csv(f"{HEADER}\n{good(2)}"), events=events)
    found = {row["contact_id"]: row["channel"] for row in rows(tables.events)}
    assert found == left | {"visit": "app"}
    status = build_contact_status(tables, date(2024, 2, 1)).filter(ibis._.contact_id == "Post")
    assert [row["consent_post"] for row in rows(status)] == [False]
