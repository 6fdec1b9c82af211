"""The campaign log is taken in like the other tables, and only when it is asked for."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from ingest_desk import HEADER, TODAY, Desk, good, open_desk, reasons, rows

from winback_features.config import BrandConfig, SourceConfig
from winback_features.contact_status import build_contact_status
from winback_features.errors import InputError
from winback_features.ingest import ingest
from winback_features.sent_log import LOGGED

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


def test_an_empty_log_is_a_log(desk: Desk) -> None:
    """On the first day nothing has been sent yet."""
    tables = take(desk, LOG)
    assert rows(tables.campaign_log) == []
    assert tables.report["campaign_log"].rows_in == 0


def test_what_was_sent_by_the_log_is_told_to_the_policy(desk: Desk) -> None:
    lines = [
        "c1,2024-03-05,,,email,,low,",
        "c1,2024-03-08,,,Post,,none,",
        "c1,2024-03-08,,,,,voucher,",  # on no channel that is known
        "c1,2024-03-10,,,sms,,high,",  # on the day itself: not before it
        "c2,2023-01-02,,,email,,low,",
        "nobody,2024-03-05,,,email,,low,",
    ]
    tables = take(desk, "\n".join([LOG, *lines]))
    found = {row["contact_id"]: row for row in rows(build_contact_status(tables, date(2024, 3, 10)))}
    assert {c: tuple(found[c][name] for name in LOGGED) for c in ("c1", "c2", "c3")} == {
        "c1": (5, None, None, 2, 2),
        "c2": (433, None, None, None, 0),
        "c3": (None, None, None, None, None),
    }
    assert "nobody" not in found
    without = rows(build_contact_status(replace(tables, campaign_log=None), date(2024, 3, 10)))
    assert {row[name] for row in without for name in LOGGED} == {None}


def test_it_is_only_read_where_it_is_asked_for(desk: Desk) -> None:
    tables = take(desk, "no,log,at,all", with_log=False)
    assert tables.campaign_log is None
    assert [table.name for table in tables.report.tables] == ["orders"]
