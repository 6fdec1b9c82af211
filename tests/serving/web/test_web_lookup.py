"""The rows of one contact are found wherever the row groups begin and end."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from winback_serving.web.lookup import rows_of

IDS = [f"c{k // 3:03d}" for k in range(60)]


def written(path: Path, ids: list[str], group: int, **options) -> Path:
    table = pa.table({"contact_id": pa.array(ids, pa.string()), "n": list(range(len(ids)))})
    pq.write_table(table, path, row_group_size=group, **options)
    return path


@pytest.mark.parametrize("group", [1, 2, 7, 100])
@pytest.mark.parametrize("options", [{}, {"write_statistics": False}])
def test_every_contact_has_the_rows_that_a_scan_gives_it(tmp_path, group, options):
    path = written(tmp_path / "rows.parquet", IDS, group, **options)
    for contact in [*dict.fromkeys(IDS), "", "a", "c0005", "z"]:
        wanted = [{"contact_id": i, "n": n} for n, i in enumerate(IDS) if i == contact]
        assert rows_of(path, contact) == wanted


def test_a_file_in_another_order_is_read_as_well(tmp_path):
    path = written(tmp_path / "rows.parquet", IDS[::-1][::2] + IDS[::2], 5)
    assert [row["n"] for row in rows_of(path, "c000", ["n"])] == [29, 30, 31]


def test_a_column_that_the_file_lacks_is_null_and_others_are_not_read(tmp_path):
    path = written(tmp_path / "rows.parquet", IDS, 8)
    assert rows_of(path, "c001", ("later", "n")) == [{"later": None, "n": n} for n in (3, 4, 5)]


def test_a_file_that_was_replaced_is_read_anew(tmp_path):
    path = written(tmp_path / "rows.parquet", ["a", "b"], 8)
    assert rows_of(path, "b", ["n"]) == [{"n": 1}]
    written(tmp_path / "new.parquet", ["a", "x"], 8).replace(path)
    assert rows_of(path, "b", ["n"]) == []
    assert rows_of(path, "x", ["n"]) == [{"n": 1}]


def test_a_file_without_rows_has_none(tmp_path):
    assert rows_of(written(tmp_path / "rows.parquet", [], 8), "a") == []
