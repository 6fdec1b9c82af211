"""A run's name follows from its inputs, and rows that do not add up are not published."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from winback_features.errors import InputError
from winback_features.reports import IngestReport, TableReport
from winback_serving.run_record import (
    count_run,
    day_notices,
    describe_experiment,
    inputs_identity,
    run_identity,
)


def report(
    source: str = "orders.csv", last: date | None = date(2020, 3, 1), fingerprint: str = "f"
) -> IngestReport:
    first = date(2020, 1, 1) if last else None
    return IngestReport(
        (TableReport("orders", source, 10, 9, 1, {"missing_time": 1}, (), first, last, fingerprint),)
    )


def test_the_name_follows_from_what_was_read_and_not_from_where_it_lay() -> None:
    def name(**kwargs: str) -> str:
        return run_identity({"inputs": inputs_identity(report(**kwargs))})

    assert name() == name(source="elsewhere/orders.csv")
    assert name() != name(fingerprint="g")
    assert len(name()) == 16


@pytest.mark.parametrize(
    ("day", "stale"), [(date(2020, 3, 2), False), (date(2020, 3, 8), False), (date(2020, 3, 9), True)]
)
def test_a_stale_day_is_noted(day: date, stale: bool) -> None:
    assert [notice["code"] for notice in day_notices(report(), day)] == ["stale_data"] * stale


@pytest.mark.parametrize("orders", [report(), report(last=None)])
def test_a_day_before_every_order_is_refused(orders: IngestReport) -> None:
    with pytest.raises(InputError, match="no order before 2020-01-01"):
        day_notices(orders, date(2020, 1, 1))


def write(folder: Path, scored: int, rank: list[int | None]) -> None:
    winback = {
        "state": ["flagged", "in_winback", "active", "active", "sunset"],
        "not_flagged_reason": [None, None, "low_risk", "on_time", "low_risk"],
        "rank": pa.array(rank, pa.int64()),
        "arm": ["holdout", "treatment", None, None, "holdout"],
        "p_purchase": [0.2, 0.3, 0.9, 0.8, None],
        "stated_reason": ["price", "delivery", None, "price", None],
    }
    pq.write_table(pa.table(winback), folder / "winback.parquet")
    for name, rows in {"scores": scored, "entries": 1, "exits": 0, "states": 7, "quarantine": 2}.items():
        pq.write_table(
            pa.table({"contact_id": pa.array(["c"] * rows, pa.string())}), folder / f"{name}.parquet"
        )


def test_every_contact_is_counted_once(tmp_path: Path) -> None:
    write(tmp_path, scored=4, rank=[1, 2, None, None, None])
    assert count_run(tmp_path) == {
        "contacts": 5,
        "scored": 4,
        "not_scored": 1,
        "flagged": 2,
        "not_flagged": {"low_risk": 2, "on_time": 1},
        "stated_reasons": {"delivery": 1, "price": 2},
        "entries": 1,
        "exits": 0,
        "holdout": 1,
        "states": {"active": 2, "flagged": 1, "in_winback": 1, "sunset": 1},
        "carried_states": 7,
        "quarantined": 2,
    }


def test_the_experiment_of_the_day(tmp_path: Path) -> None:
    write(tmp_path, scored=4, rank=[1, 2, None, None, None])
    assert describe_experiment(tmp_path) == {
        "treated": 1,
        "holdout": 1,
        "base_rate": 0.25,
        "detectable_effect": None,
    }
    write(tmp_path, scored=4, rank=[None] * 5)
    assert set(describe_experiment(tmp_path).values()) == {0, None}


@pytest.mark.parametrize(
    ("scored", "rank"), [(6, [1, 2, None, None, None]), (4, [1, None, None, None, None])]
)
def test_rows_that_do_not_add_up_are_a_bug(tmp_path: Path, scored: int, rank: list[int | None]) -> None:
    write(tmp_path, scored, rank)
    with pytest.raises(RuntimeError, match="do not add up"):
        count_run(tmp_path)
