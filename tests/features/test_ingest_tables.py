"""Tables: what is refused as a whole, in which words, and what is still accepted."""

import re
import tomllib
from datetime import date, datetime

import pyarrow as pa
import pytest
from ingest_desk import CLEAN, HEADER, good, open_desk, reasons, rows

from winback_features.config import BrandConfig


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    yield from open_desk(tmp_path_factory.mktemp("tables"))


def test_a_missing_file_is_named_with_its_neighbour(desk):
    desk.csv(f"{HEADER}\n{good(3)}", "purchases.csv")
    message = desk.refuse("purchase.csv")
    assert message.startswith("purchase.csv: There is no such file.")
    assert "purchases.csv" in message


def test_a_path_in_which_backslashes_have_become_something_else_says_so(desk):
    message = desk.refuse("C:\temp\new.csv")
    assert message.startswith(r"C:\temp\new.csv: There is no such file.")
    assert "use single quotes, or /" in message


@pytest.mark.parametrize("content", [b"", HEADER.encode() + b"\n"])
def test_an_empty_file_is_refused(desk, content):
    (desk.folder / "empty.csv").write_bytes(content)
    message = desk.refuse("empty.csv")
    assert "empty.csv" in message
    assert "empty: 0 bytes" in message or "no rows" in message


def test_a_parquet_file_without_rows_is_refused(desk):
    name = desk.parquet({k: pa.array(v).slice(0, 0) for k, v in CLEAN.items()})
    assert "no rows" in desk.refuse(name)


@pytest.mark.parametrize("share", [0.3, 0.7, 0.999])
def test_a_truncated_parquet_file_is_refused(desk, share):
    whole = (desk.folder / desk.parquet(CLEAN, "whole.parquet")).read_bytes()
    (desk.folder / "cut.parquet").write_bytes(whole[: int(len(whole) * share)])
    assert "cut.parquet: The file cannot be read" in desk.refuse("cut.parquet")


def test_a_damaged_page_inside_a_parquet_file_is_refused(desk):
    columns = {k: v * 3000 for k, v in CLEAN.items()} | {
        "order_id": [f"{i * 7919 % 10007}" for i in range(9000)]
    }
    whole = bytearray((desk.folder / desk.parquet(columns, "whole.parquet")).read_bytes())
    whole[8:4000] = bytes(255 - b for b in whole[8:4000])
    (desk.folder / "damaged.parquet").write_bytes(whole)
    assert "damaged.parquet" in desk.refuse("damaged.parquet")


def test_text_that_is_not_utf8_is_refused_with_its_line_and_read_with_its_encoding(desk):
    name = desk.csv(f"{HEADER},category\nc,o,2024-01-05,1,tea\nc,p,2024-01-06,1,café", encoding="cp1252")
    message = desk.refuse(name)
    assert "Line 3 is not UTF-8" in message
    assert "cp1252" in message
    tables = desk.take(name, encoding="cp1252")
    assert {r["category"] for r in rows(tables.lines)} == {"tea", "café"}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_files_with_a_byte_order_mark_are_read(desk, encoding):
    name = desk.csv(f"{HEADER}\n{good(3)}", encoding=encoding)
    source = {} if encoding == "utf-8-sig" else {"encoding": "utf-16"}
    assert desk.take(name, **source).report["orders"].rows_used == 3


def test_an_encoding_nobody_knows_is_a_setting_to_mend(desk):
    assert "source.encoding" in desk.refuse(desk.csv(f"{HEADER}\n{good(3)}"), encoding="utf-99")


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_delimiter_is_found_in_the_header(desk, delimiter):
    text = f"{HEADER}\n{good(3)}".replace(",", delimiter)
    assert desk.take(desk.csv(text)).report["orders"].rows_used == 3


def test_a_missing_column_is_named_with_those_there_are(desk):
    message = desk.refuse(desk.csv("contact_id,order_id,order_date,amount\nc,o,2024-01-05,1"))
    assert "required column ordered_at is missing" in message
    assert "contact_id, order_id, order_date, amount" in message
    assert 'ordered_at = "order_date"' in message


def test_a_column_named_twice_is_refused(desk):
    assert "amount more than once" in desk.refuse(desk.csv(f"{HEADER},amount\nc,o,2024-01-05,1,2"))


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("ordered_at", [20240105, 20240106, 20240207], ["ordered_at should be a time", "try_strptime"]),
        ("amount", [True, False, True], ["amount should be an amount of money", "boolean"]),
        ("amount", [{"value": 1}] * 3, ["amount should be", "struct"]),
        ("contact_id", [[1], [2], [3]], ["contact_id should be text", "array"]),
        ("ordered_at", ["13/01/2024", "14/01/2024", ""], ["2 unread", "row 1 '13/01/2024'", "try_strptime"]),
        ("ordered_at", ["13/01/2024"] * 3, ["No row can be used", "unreadable_time", "'13/01/2024'"]),
        ("amount", ["1,50", "2,50", "3,50"], ["unreadable_amount throughout", "'1,50'", "replace(amount"]),
        ("ordered_at", [date(2199, 1, 1)] * 3, ["Every date lies in the future", "2199-01-01"]),
    ],
)
def test_a_wrong_type_throughout_is_refused_with_the_first_offenders(desk, column, values, words):
    message = desk.refuse(desk.parquet(CLEAN | {column: values}))
    assert message.startswith("orders.parquet: ")
    for word in words:
        assert word.replace("2 unread", "unreadable_time 2") in message


def suggested(message: str) -> list[dict[str, str]]:
    """Return the settings that a refusal proposes, as the settings file would read them."""
    return [
        tomllib.loads(found)
        for found in re.findall(r'\w+ = "(?:[^"\\]|\\.)*"', message.split("Write under")[1])
    ]


@pytest.mark.parametrize(
    ("column", "values", "first"),
    [
        ("consent_email", ["ja", "nee", "", "yes"], [True, False, None, True]),
        ("consent_email", ["WAAR", "ONWAAR", "waar", "true"], [True, False, True, True]),
        ("consent_email", ["Tak", "nie", "FAŁSZ", "prawda"], [True, False, False, True]),
        ("created_at", ["31/12/2023", "01/01/2024", "", "2024-02-29"], datetime(2023, 12, 31)),
    ],
)
def test_what_a_refusal_proposes_reads_the_contacts(desk, column, values, first):
    lines = "\n".join(f"{contact};{value}" for contact, value in zip("abcd", values, strict=True))
    orders, contacts = desk.parquet(CLEAN), desk.csv(f"contact_id;Their column\n{lines}", "contacts.csv")
    message = desk.refuse(orders, contacts=contacts, contacts_columns={column: "Their column"})
    (proposed,) = suggested(message)
    tables = desk.take(orders, contacts=contacts, contacts_columns=proposed)
    found = [r[column] for r in rows(tables.contacts.order_by("contact_id"))]
    assert found == first if isinstance(first, list) else found[0] == first
    assert tables.report["contacts"].rows_used == 4


def test_the_value_of_an_event_with_a_decimal_comma_is_refused_with_the_expression_that_reads_it(desk):
    orders, head = desk.parquet(CLEAN), "contact_id;occurred_at;kind;value"
    events = desk.csv(f"{head}\na;2024-01-05 10:00;loyalty_points;12,5", "events.csv")
    message = desk.refuse(orders, events=events)
    (proposed,) = suggested(message)
    tables = desk.take(orders, events=events, events_columns=proposed)
    assert [r["value"] for r in rows(tables.events)] == [12.5]


def test_words_nobody_knows_for_yes_and_no_are_asked_for(desk):
    contacts = desk.csv("contact_id,consent_email\na,on\nb,off\nc,", "contacts.csv")
    message = desk.refuse(desk.parquet(CLEAN), contacts=contacts)
    assert "Which words mean yes" in message
    proposed = tomllib.loads(re.search(r'consent_email = ".*"', message)[0])
    tables = desk.take(desk.parquet(CLEAN), contacts=contacts, contacts_columns=proposed)
    assert [r["consent_email"] for r in rows(tables.contacts.order_by("contact_id"))] == [True, False, None]


@pytest.mark.parametrize(
    ("column", "values", "first"),
    [
        ("ordered_at", ["13/01/2024", "04/02/2024"], date(2024, 1, 13)),
        ("ordered_at", ["01/13/2024", "02/04/2024"], date(2024, 1, 13)),
        ("ordered_at", ["13.1.24, 9:30", "4.2.24, 10:15"], datetime(2024, 1, 13, 9, 30)),
        ("ordered_at", ["13-01-2024 09:30:05", "04-02-2024 10:15:00"], datetime(2024, 1, 13, 9, 30, 5)),
        ("ordered_at", ["20240113", "20240204"], date(2024, 1, 13)),
        ("ordered_at", ["45304.5", "45326"], datetime(2024, 1, 13, 12)),
        ("ordered_at", ["1705141800000", "1707041700000"], datetime(2024, 1, 13, 11, 30)),
        ("ordered_at", ["2024-01-13 09:30", "24.02.2024"], datetime(2024, 1, 13, 9, 30)),
        ("amount", ["1,50", "2,50"], 1.5),
        ("amount", ["1,234.50", "12.00"], 1234.5),
        ("amount", ["1.234,50", "12,00"], 1234.5),
        ("amount", ["€ 1.234,50", "€ -12,00"], 1234.5),
        ("amount", ["$1,234.50", "$12.00"], 1234.5),
    ],
)
def test_what_a_refusal_proposes_reads_the_table(desk, column, values, first):
    """Also from a column whose name wants quotes."""
    columns = {name: [str(v) for v in column_[:2]] for name, column_ in CLEAN.items() if name != column}
    name = desk.parquet(columns | {"Their column": values})
    plain = '"Their column"'
    message = desk.refuse(name, orders_columns={column: "Their column"})
    (proposed,) = suggested(message)
    assert plain in proposed[column]
    tables = desk.take(name, orders_columns=proposed, brand=BrandConfig(timezone="Europe/Amsterdam"))
    found = [r[column] for r in sorted(rows(tables.orders), key=lambda r: r["order_id"])]
    assert None not in found
    assert len(found) == 2
    expected = datetime(*first.timetuple()[:6]) if column == "ordered_at" else first
    assert found[0] == expected


@pytest.mark.parametrize(
    ("column", "values"), [("ordered_at", ["01/02/2024"] * 3), ("amount", ["1,234", "2,500", "3,125"])]
)
def test_where_two_readings_fit_both_are_proposed(desk, column, values):
    """A comma before three digits may be a decimal sign or a thousands sign: a thousand times as much."""
    message = desk.refuse(desk.parquet(CLEAN | {column: values}))
    assert len(suggested(message)) == 2
    assert "only you know" in message


def test_an_expression_that_gives_nothing_is_held_against_the_values(desk):
    name = desk.parquet(CLEAN | {"ordered_at": ["13.01.2024"] * 3})
    message = desk.refuse(name, orders_columns={"ordered_at": "try_strptime(ordered_at, '%d/%m/%Y')"})
    assert "The expression gives nothing there" in message
    assert "max_bad_share" not in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (f"{HEADER}\n{good(3)}".encode("utf-16"), 'set encoding = "utf-16"'),
        (b"PK\x03\x04\x14\x00\xff\xfe", "save its sheet as"),
    ],
)
def test_a_file_in_another_form_is_told_by_its_first_bytes(desk, content, words):
    (desk.folder / "other.csv").write_bytes(content)
    assert words in desk.refuse("other.csv")


def test_a_workbook_is_called_one(desk):
    (desk.folder / "orders.xlsx").write_bytes(b"PK\x03\x04")
    assert "save its sheet as" in desk.refuse("orders.xlsx")


def test_a_currency_sign_is_no_code(desk):
    message = desk.refuse(desk.parquet(CLEAN | {"currency": ["€"] * 3}))
    assert 'currency = "€"' not in message
    name = desk.parquet(CLEAN | {"currency": ["€"] * 3})
    assert desk.take(name, orders_columns={"currency": "'EUR'"}).report["orders"].rows_used == 3


@pytest.mark.parametrize("damaged", ["1.03293E+19", "1,03E+19", "8E+12"])
@pytest.mark.parametrize("column", ["contact_id", "order_id"])
def test_ids_a_spreadsheet_has_rounded_are_refused(desk, damaged, column):
    message = desk.refuse(desk.parquet(CLEAN | {column: ["x", damaged, "y"]}))
    assert f"row 2 '{damaged}'" in message
    assert column in message


def test_ids_a_float_column_has_rounded_are_refused(desk):
    message = desk.refuse(desk.parquet(CLEAN | {"contact_id": [1.0, float(2**53), 3.0]}))
    assert "1 values of contact_id" in message


def test_ten_per_cent_bad_rows_are_refused_unless_allowed(desk):
    bad = "\n".join(f",o{i},2024-01-05,1" for i in range(10))
    name = desk.csv(f"{HEADER}\n{good(90)}\n{bad}")
    message = desk.refuse(name)
    assert "10 of 100 rows (10.0%) are bad" in message
    assert "missing_contact_id 10" in message
    assert "max_bad_share" in message
    assert reasons(desk.take(name, max_bad_share=0.1)) == {"missing_contact_id": 10}


def test_many_repeated_lines_are_no_reason_to_refuse(desk):
    tables = desk.take(desk.csv(f"{HEADER}\n{good(30)}\n{good(30)}"))
    assert reasons(tables) == {"duplicate_line": 30}


@pytest.mark.parametrize("currencies", [["EUR", "USD", "EUR"], ["USD", "USD", "USD"], ["USD", None, "USD"]])
def test_amounts_in_another_currency_than_the_brands_are_refused(desk, currencies):
    name = desk.parquet(CLEAN | {"currency": currencies})
    message = desk.refuse(name)
    assert "USD" in message
    assert "[brand" in message
    dollars = BrandConfig(currency="USD")
    if "EUR" not in currencies:
        assert desk.take(name, brand=dollars).report["orders"].rows_used == 3


def test_lines_with_too_few_or_too_many_fields_go_to_quarantine(desk):
    text = f"{HEADER}\n{good(30)}\nc,o\n{good(30, 30)}\nc,o,2024-01-05,1,2,3\nc,o,2030-01-05,1"
    tables = desk.take(desk.csv(text))
    assert reasons(tables) == {"unreadable_line": 2, "future_date": 1}
    found = [(r["row_number"], r["reason"]) for r in rows(tables.quarantine)]
    assert found == [(31, "unreadable_line"), (62, "unreadable_line"), (63, "future_date")]
    assert rows(tables.quarantine)[0]["value"] == "c,o"


def test_a_quote_that_is_never_closed_loses_nothing_silently(desk):
    lines = ["c,o,2024-01-05,1,tea", 'c,p,2024-01-06,1,"tea', "c,q,2024-01-07,1,tea"]
    name = desk.csv("\n".join([f"{HEADER},category", *lines]))
    message = desk.refuse(name)
    assert "unreadable_line" in message or "cannot be read" in message


def test_an_unknown_zone_is_a_setting_to_mend(desk):
    assert "brand.timezone" in desk.refuse(desk.parquet(CLEAN), brand=BrandConfig(timezone="Europe/Atlantis"))


def test_a_suffix_nobody_knows_is_refused(desk):
    (desk.folder / "orders.xlsx").write_bytes(b"PK")
    assert "Parquet or CSV" in desk.refuse("orders.xlsx")
