"""Clean tables that are held, and those that are expressions over the rows as read, are the same."""

from datetime import date

import pytest
from ingest_desk import open_desk

from winback_features.config import BrandConfig, SourceConfig
from winback_features.ingest import ingest

ORDERS = """
contact_id,order_id,ordered_at,amount,currency,category
c1,o1,2024-01-05 10:00:00,20.00,EUR,shoes
c1,o1,2024-01-05 10:00:00,20.00,EUR,shoes
c1,o2,2024-01-06 10:00:00,-20.00,EUR,shoes
c2,o3,2024-01-07,15.00,USD,hats
c2,o3,2024-01-07,5.00,EUR,
c3,o4,2024-01-08 12:00:00,oops,EUR,hats
c3,o5,2024-01-09 12:00:00,-3.00,EUR,hats
"""
EVENTS = """
contact_id,occurred_at,kind,channel,value,machine
c1,2024-01-05 09:00:00,Email_Click,email,,
c1,2024-01-05 09:00:00,Email_Click,email,,
c2,2024-01-07 11:00:00,waved,pigeon,,true
c3,2024-01-08 11:00:00,loyalty_points,,120,false
"""
CONTACTS = """
contact_id,email,email_status
c1,one@example.com,Active
c1,uno@example.com,hard_bounced
c4,four@example.com,strange
"""
NAMES = ("orders", "lines", "events", "contacts", "quarantine")


@pytest.fixture
def desk(tmp_path):
    yield from open_desk(tmp_path)


def test_held_or_not_the_tables_and_the_report_are_the_same(desk):
    source = SourceConfig(
        desk.csv(ORDERS),
        events=desk.csv(EVENTS, "events.csv"),
        contacts=desk.csv(CONTACTS, "contacts.csv"),
        max_bad_share=0.5,
    )
    brand = BrandConfig(rates={"USD": 0.9})
    found = []
    for hold in (True, False):
        tables = ingest(desk.backend, source, brand, today=date(2024, 6, 30), base_dir=desk.folder, hold=hold)
        rows = {name: getattr(tables, name).to_pyarrow() for name in NAMES}
        found.append(
            (
                {name: sorted(map(repr, table.to_pylist())) for name, table in rows.items()},
                {name: table.schema for name, table in rows.items()},
                tables.report.as_dict(),
            )
        )
    assert found[0] == found[1]
    counts = {name: len(rows) for name, rows in found[0][0].items()}
    assert counts == {"orders": 4, "lines": 5, "events": 3, "contacts": 2, "quarantine": 4}


def test_what_tells_nothing_is_not_held(desk):
    path = desk.folder / "orders.parquet"
    desk.backend.read_csv(desk.folder / desk.csv(ORDERS)).to_parquet(path)
    tables = ingest(
        desk.backend,
        SourceConfig(path.name, max_bad_share=0.5),
        BrandConfig(rates={"USD": 0.9}),
        today=date(2024, 6, 30),
        base_dir=desk.folder,
        hold=False,
    )
    columns = "SELECT table_name, column_name FROM duckdb_columns() WHERE table_name LIKE '%staged_orders%'"
    held = {column for _, column in desk.backend.raw_sql(columns).fetchall()}
    assert {"winback_row_number", "contact_id", "category"} <= held
    # Nothing asks for digests any more; these times are no text; and there is no such column in the file.
    assert not held & {"winback_digest", "winback_zoned", "product_id"}
    assert tables.report["orders"].rows_in == 7
    assert sorted(tables.quarantine.to_pyarrow()["row_number"].to_pylist()) == [2, 6]


def test_a_campaign_tells_two_events_apart_and_is_not_held(desk):
    (desk.folder / "events.csv").write_text(
        "contact_id,occurred_at,kind,campaign_id\n"
        "c1,2024-01-05 09:00:00,email_send,spring\n"
        "c1,2024-01-05 09:00:00,email_send,summer\n"
        "c1,2024-01-05 09:00:00,email_send,summer\n"
    )
    tables = ingest(
        desk.backend,
        SourceConfig(desk.csv(ORDERS), events="events.csv", max_bad_share=0.5),
        BrandConfig(rates={"USD": 0.9}),
        today=date(2024, 6, 30),
        base_dir=desk.folder,
        hold=False,
    )
    assert tables.report["events"].rows_used == 2
    columns = "SELECT column_name FROM duckdb_columns() WHERE table_name LIKE '%staged_events%'"
    held = {column for (column,) in desk.backend.raw_sql(columns).fetchall()}
    assert "kind" in held
    assert "campaign_id" not in held
