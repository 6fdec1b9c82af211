"""An input that is cut off or still being written is refused before anybody is forgotten."""

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest

from winback_features.config import SourceConfig
from winback_features.errors import InputError
from winback_features.reports import IngestReport, TableReport
from winback_serving.batch import score_day
from winback_serving.inputs import input_files, refuse_shrunken, standing_still
from winback_serving.settings import load_settings
from winback_serving.store import RunStore

DAY, NEXT = date(1998, 6, 1), date(1998, 6, 2)
WriteShop = Callable[..., Path]


def orders(folder: Path, text: str = "a\n1\n") -> SourceConfig:
    (folder / "orders.csv").write_text(text, encoding="utf-8")
    return SourceConfig(orders="orders.csv")


def report(rows: int) -> IngestReport:
    return IngestReport((TableReport("orders", "orders.csv", rows, rows, 0),))


def last(rows: int) -> dict[str, Any]:
    return {"as_of": "2026-03-01", "inputs": {"orders": {"rows_in": rows}}}


def append(file: Path) -> None:
    with file.open("a") as handle:
        handle.write("2\n")


def rewrite_in_time(file: Path) -> None:
    file.write_text("a\n2\n")
    os.utime(file, ns=(0, 0))


def replace(file: Path) -> None:
    new = file.with_name("new")
    new.write_text("a\n1\n")
    new.rename(file)


@pytest.mark.parametrize("change", [append, rewrite_in_time, replace])
def test_a_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    source = orders(tmp_path)
    with (
        pytest.raises(InputError, match="written to while it was read") as caught,
        standing_still(source, tmp_path),
    ):
        change(tmp_path / "orders.csv")
    assert caught.value.where == "orders.csv"
    assert "rename it when it is whole" in caught.value.how


def test_the_change_is_told_rather_than_what_half_a_file_looks_like(tmp_path: Path) -> None:
    source = orders(tmp_path)

    def read() -> None:
        append(tmp_path / "orders.csv")
        raise InputError("The file is damaged.")

    with pytest.raises(InputError, match="written to"), standing_still(source, tmp_path):
        read()
    with pytest.raises(InputError, match="damaged"), standing_still(source, tmp_path):
        raise InputError("The file is damaged.")


def test_a_file_that_joins_a_folder_meanwhile_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "1.csv").write_text("a\n1\n")
    source = SourceConfig(orders="parts/*.csv")
    with pytest.raises(InputError, match="written to"), standing_still(source, tmp_path):
        (tmp_path / "parts" / "2.csv").write_text("a\n1\n")


def test_files_that_stand_still_and_databases_pass(tmp_path: Path) -> None:
    with standing_still(orders(tmp_path), tmp_path):
        (tmp_path / "orders.csv").read_text()
    assert input_files(SourceConfig(orders="orders", database="duckdb:///x"), tmp_path) == {}


@pytest.mark.parametrize(("rows", "refused"), [(100, False), (90, False), (89, True), (110, False)])
def test_a_table_may_lose_a_tenth_of_its_rows(tmp_path: Path, rows: int, refused: bool) -> None:
    files = input_files(orders(tmp_path), tmp_path)
    if refused:
        with pytest.raises(InputError, match="It has 89 rows; the run of 2026-03-01 read 100") as caught:
            refuse_shrunken(report(rows), last(100), files, 0.1)
        assert "--accept-smaller" in caught.value.how
    else:
        refuse_shrunken(report(rows), last(100), files, 0.1)


def test_a_last_line_that_breaks_off_and_fewer_rows_are_a_cut_off_download(tmp_path: Path) -> None:
    files = input_files(orders(tmp_path, "a\n1\n2"), tmp_path)
    refuse_shrunken(report(100), last(100), files, 0.1)
    with pytest.raises(InputError, match="its last line breaks off"):
        refuse_shrunken(report(99), last(100), files, 0.1)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_a_file_that_ends_its_last_line_is_no_cut_off_download(tmp_path: Path, encoding: str) -> None:
    source = orders(tmp_path)
    (tmp_path / "orders.csv").write_bytes("a\r\n1\r\n".encode(encoding))
    refuse_shrunken(report(99), last(100), input_files(source, tmp_path), 0.1)


def test_a_table_that_the_last_run_did_not_have_has_lost_nothing(tmp_path: Path) -> None:
    refuse_shrunken(report(1), {"as_of": "2026-03-01", "inputs": {}}, {}, 0.1)


@pytest.mark.slow
def test_the_daily_job_refuses_half_a_download_and_takes_it_when_told(
    tmp_path: Path, write_shop: WriteShop, rule_model: Any
) -> None:
    settings = load_settings(write_shop(tmp_path, every=80), {})
    score_day(settings, DAY, rule_model(), "digest")
    whole = (tmp_path / "orders.csv").read_bytes()
    (tmp_path / "orders.csv").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="the run of 1998-06-01 read"):
        score_day(settings, NEXT, rule_model(), "digest")
    assert [run.as_of for run in RunStore(settings.home).list_runs()] == [DAY]
    assert score_day(settings, NEXT, rule_model(), "digest", accept_smaller=True).fresh


def test_half_a_parquet_file_is_refused_in_words(
    tmp_path: Path, write_shop: WriteShop, rule_model: Any
) -> None:
    config = write_shop(tmp_path, every=80)
    text = pa.schema([(name, pa.string()) for name in ("contact_id", "order_id")])
    kinds = csv.ConvertOptions(column_types=text)
    pq.write_table(csv.read_csv(tmp_path / "orders.csv", convert_options=kinds), tmp_path / "orders.parquet")
    whole = (tmp_path / "orders.parquet").read_bytes()
    (tmp_path / "orders.parquet").write_bytes(whole[: len(whole) // 2])
    config.write_text(config.read_text().replace("orders.csv", "orders.parquet"))
    settings = load_settings(config, {})
    with pytest.raises(InputError, match="cannot be read"):
        score_day(settings, DAY, rule_model(), "digest")
    assert RunStore(settings.home).list_runs() == []
    assert list(RunStore(settings.home).staging_base().iterdir()) == []
