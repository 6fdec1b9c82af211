"""The campaign log is taken in like the other tables, and only when it is asked for."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from ingest_desk import HEADER, TODAY, Desk, good, open_desk, reasons, rows

from winback_features.config import BrandConfig, SourceConfig
from winback_features.errors import InputError
from winback_features.ingest import ingest

LOG = "contact_id,sent_at,run_id,step,channel,arm,incentive,cost"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    yield from open_desk(tmp_path)


def take(desk: Desk, lines: str, with_log: bool = True, **columns):
    desk.csv(f"{HEADER}\n{good(30)}")
    desk.csv(lines, "log.csv")
    source = SourceConfig(
        "orders.csv", campaign_log="log.csv", campaign_log_columns=columns, max_bad_share=0.9
    )
    return ingest(desk.backend, source, BrandConfig(), today=TODAY, base_dir=desk.folder, with_log=with_log)


def test_what_was_sent_is_read_as_written(desk: Desk) -> None:
    tables = take(desk, f"{LOG}\nc1,2024-03-01 09:30:00,ab12,1,email,treatment,low,0.25\nc2,2024-03-02,,,,,,")
    first, second = sorted(rows(tables.campaign_log), key=lambda row: row["contact_id"])
    assert first == {
        "contact_id": "c1",
        "sent_at": datetime(2024, 3, 1, 9, 30),
        "run_id": "ab12",
        "step": "1",
        "channel": "email",
        "arm": "treatment",
        "incentive": "low",
        "cost": Decimal("0.2500"),
    }
    assert second["sent_at"] == datetime(2024, 3, 2)
    assert {second[name] for name in ("run_id", "step", "channel", "arm", "incentive", "cost")} == {None}


def test_bad_rows_go_to_quarantine_with_a_reason(desk: Desk) -> None:
    tables = take(
        desk,
        f"{LOG}\nc1,2024-03-01,,,,,,\n,2024-03-01,,,,,,\nc1,never,,,,,,\nc1,2034-01-01,,,,,,\nc2,2024-03-01,,,,,,dear",
    )
    assert reasons(tables, "campaign_log") == {
        "missing_contact_id": 1,
        "unreadable_time": 1,
        "future_date": 1,
        "unreadable_cost": 1,
    }
    assert tables.report["campaign_log"].last_day == date(2024, 3, 1)


def test_columns_are_mapped(desk: Desk) -> None:
    tables = take(desk, "who,sent\nc1,2024-03-01", contact_id="who", sent_at="sent")
    assert [row["contact_id"] for row in rows(tables.campaign_log)] == ["c1"]


def test_a_log_without_times_is_refused(desk: Desk) -> None:
    with pytest.raises(InputError, match="sent_at is missing"):
        take(desk, "contact_id\nc1")


def test_the_daily_job_does_not_read_it(desk: Desk) -> None:
    tables = take(desk, "no,log,at,all", with_log=False)
    assert tables.campaign_log is None
    assert [table.name for table in tables.report.tables] == ["orders"]
