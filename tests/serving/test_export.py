"""Files for others: every column, safe in a spreadsheet, whole or not there."""

import csv
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from winback_features.errors import ConfigError
from winback_serving.export import export_list, format_of, safe_cell
from winback_serving.store import PublishedRun


@pytest.fixture
def run(tmp_path: Path) -> PublishedRun:
    folder = tmp_path / "run"
    folder.mkdir()
    rows = {
        "contact_id": ["a", "b", "=cmd()", "d"],
        "rank": pa.array([2, None, 1, None], pa.int64()),
        "first_name": ["Ann", 'Bo "B", Jr.', "@SUM(A1)", None],
        "phone": ["+31612345678", "+cmd", "0612", None],
        "p_lapse": [0.5, 0.25, 1e-7, None],
        "entered_at": pa.array([date(2020, 1, 2), None, None, None]),
        "consented": [True, False, None, None],
    }
    pq.write_table(pa.table(rows), folder / "winback.parquet")
    return PublishedRun(date(2020, 1, 2), "aa", folder)


def test_csv_is_ordered_by_rank_and_safe(run: PublishedRun, tmp_path: Path) -> None:
    out = tmp_path / "list.csv"
    assert export_list(run, "winback", "csv", out) == 4
    raw = out.read_bytes().decode("utf-8")
    assert raw.count("\r\n") == 5
    rows = list(csv.DictReader(raw.splitlines()))
    assert [row["contact_id"] for row in rows] == ["'=cmd()", "a", "b", "d"]
    assert [row["first_name"] for row in rows] == ["'@SUM(A1)", "Ann", 'Bo "B", Jr.', ""]
    assert [row["phone"] for row in rows] == ["0612", "+31612345678", "'+cmd", ""]
    assert [row["p_lapse"] for row in rows] == ["1e-07", "0.5", "0.25", ""]
    assert rows[1]["entered_at"] == "2020-01-02"
    assert [row["consented"] for row in rows] == ["", "true", "false", ""]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["list.csv", "run"]


def test_parquet_keeps_types_and_order(run: PublishedRun, tmp_path: Path) -> None:
    out = tmp_path / "list.parquet"
    assert export_list(run, "winback", "parquet", out) == 4
    table = pq.read_table(out)
    assert table["rank"].to_pylist() == [1, 2, None, None]
    assert table["contact_id"].to_pylist()[0] == "=cmd()"


def test_a_file_that_cannot_be_written_is_told_and_nothing_is_left(run: PublishedRun, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        export_list(run, "winback", "csv", tmp_path / "no" / "such" / "list.csv")
    with pytest.raises(ConfigError, match="cannot be written"):
        export_list(run, "winback", "csv", tmp_path / "run")
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_the_ending_names_the_format() -> None:
    assert format_of(Path("a.CSV")) == "csv"
    with pytest.raises(ConfigError, match=r"\.csv or \.parquet"):
        format_of(Path("a.xlsx"))


@given(st.text())
def test_no_text_starts_a_formula(text: str) -> None:
    cell = safe_cell(text, "first_name")
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert cell.removeprefix("'") == text.removeprefix("'")
