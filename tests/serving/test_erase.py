"""Erasing persons: gone from every run and not imported again, while past totals stay."""

import contextlib
import io
import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from winback_features.errors import InputError
from winback_serving import cli
from winback_serving.batch import score_day
from winback_serving.erase import FOLDER, NOBODY, _rewrite, erase
from winback_serving.settings import Settings, load_settings
from winback_serving.store import RunStore
from winback_serving.suppression import key_of, suppressed_keys

DAY, NEXT = date(1998, 6, 1), date(1998, 6, 2)
WriteShop = Callable[..., Path]


def shop_with_addresses(folder: Path, write_shop: WriteShop) -> Settings:
    config = write_shop(folder)
    orders = (folder / "orders.csv").read_text(encoding="utf-8").splitlines()[1:]
    ids = sorted({line.split(",")[0] for line in orders})
    lines = ["contact_id,email,first_name,acquisition_source"]
    lines += [f"{i},Jane{i}@Example.com,Jane,fair" for i in ids]
    (folder / "contacts.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("[source]", '[source]\ncontacts = "contacts.csv"', 1), encoding="utf-8")
    return load_settings(config, {})


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, write_shop: WriteShop, rule_model: Any) -> Path:
    settings = shop_with_addresses(tmp_path_factory.mktemp("published"), write_shop)
    score_day(settings, DAY, rule_model(), "digest")
    return settings.base_dir


@pytest.fixture
def shop(tmp_path: Path, published: Path) -> Settings:
    shutil.copytree(published, tmp_path / "shop")
    return load_settings(tmp_path / "shop" / "winback.toml", {})


def winback(settings: Settings, day: date, columns: str) -> list[tuple[Any, ...]]:
    file = RunStore(settings.home).read_run(day).file("winback")
    return duckdb.sql(f"select {columns} from '{file}'").fetchall()


def two_of(settings: Settings) -> list[str]:
    return [i for (i,) in winback(settings, DAY, "contact_id")][:2]


def totals(settings: Settings, day: date) -> list[tuple[Any, ...]]:
    return winback(settings, day, "count(*), sum(value_at_risk), count(rank), count(distinct state)")


def every_byte(home: Path) -> bytes:
    def opened(path: Path) -> bytes:
        if path.suffix != ".parquet":
            return path.read_bytes()
        return repr(duckdb.sql(f"select * from '{path}'").fetchall()).encode()

    return b"\n".join(opened(path) for path in sorted((home / "runs").rglob("*.*")) if path.is_file())


def check_that_two_are_erased(shop: Settings, days: list[date]) -> None:
    ids = two_of(shop)
    before = [totals(shop, day) for day in days]
    infos = [RunStore(shop.home).read_run(day).info() for day in days]
    proof, path = erase(shop.home, ids)
    left = every_byte(shop.home)
    assert not any(f"'{i}'".encode() in left or f"jane{i}@".encode() in left.lower() for i in ids)
    assert [totals(shop, day) for day in days] == before
    assert [RunStore(shop.home).read_run(day).info() for day in days] == infos
    assert proof.aggregates_untouched
    assert {"features", "scores", "states", "winback"} <= {Path(f.path).stem for f in proof.files}
    assert all(f.before != f.after for f in proof.files)
    for table in ("winback", "features"):
        file = RunStore(shop.home).read_run(days[-1]).file(table)
        words = f"select distinct acquisition_source from '{file}' where starts_with(contact_id, '{NOBODY}')"
        assert duckdb.sql(words).fetchall() == [(None,)], "a word of the shop's may name a person"
    told = path.read_text(encoding="utf-8")
    assert path.parent.name == FOLDER
    assert json.loads(told)["keys"] == sorted(key_of(t) for i in ids for t in (i, f"jane{i}@example.com"))
    assert not any(f'"{i}"' in told or f"jane{i}" in told.lower() for i in ids)


def test_the_erased_are_in_no_file_and_every_total_is_as_it_was(shop: Settings) -> None:
    check_that_two_are_erased(shop, [DAY])


@pytest.mark.slow
def test_nobodys_rows_cannot_be_followed_from_run_to_run(shop: Settings, rule_model: Any) -> None:
    score_day(shop, NEXT, rule_model(), "digest")
    check_that_two_are_erased(shop, [DAY, NEXT])
    tokens = [{i for (i,) in winback(shop, day, "contact_id") if i.startswith(NOBODY)} for day in (DAY, NEXT)]
    assert [len(t) for t in tokens] == [2, 2]
    assert tokens[0].isdisjoint(tokens[1])


@pytest.mark.slow
def test_the_erased_do_not_come_back_with_the_next_import(shop: Settings, rule_model: Any) -> None:
    ids = two_of(shop)
    known = {i for (i,) in winback(shop, DAY, "contact_id")}
    erase(shop.home, ids)
    orders = shop.base_dir / "orders.csv"
    again = "\n".join(line.replace(f"{ids[0]},", "renamed,", 1) if line.startswith(f"{ids[0]},") else line
                      for line in orders.read_text(encoding="utf-8").splitlines())  # fmt: skip
    orders.write_text(again + "\n", encoding="utf-8")
    contacts = shop.base_dir / "contacts.csv"
    contacts.write_text(
        contacts.read_text(encoding="utf-8") + f"renamed,JANE{ids[0]}@example.com,J,\n", encoding="utf-8"
    )
    score_day(shop, NEXT, rule_model(), "digest")
    tonight = {i for (i,) in winback(shop, NEXT, "contact_id")}
    assert tonight == known - {*ids}
    assert "renamed" not in tonight


def test_erasing_twice_changes_nothing_more(shop: Settings) -> None:
    ids = two_of(shop)
    erase(shop.home, ids)
    once = every_byte(shop.home)
    proof, _ = erase(shop.home, ids)
    assert proof.files == ()
    assert every_byte(shop.home) == once


def test_who_is_unknown_is_still_kept_out(tmp_path: Path) -> None:
    proof, _ = erase(tmp_path, ["a stranger"])
    assert proof.rows == 0
    assert suppressed_keys(tmp_path) == {key_of("a stranger")}
    with pytest.raises(InputError, match="nobody to erase"):
        erase(tmp_path, [])


def test_the_command_reads_ids_from_a_file(shop: Settings, tmp_path: Path) -> None:
    first, second = two_of(shop)
    listed = tmp_path / "ids.txt"
    listed.write_text(f"{second}\n\n", encoding="utf-8")
    config = str(shop.base_dir / "winback.toml")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        code = cli.run(["erase", "-c", config, first, "--file", str(listed), "--json"])
    assert code == 0
    said = json.loads(printed.getvalue())
    assert said["rows"] > 4
    assert said["aggregates_untouched"] is True


def test_the_groups_of_a_file_stay_as_small_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "features.parquet"
    path.parent.mkdir()
    rows = pa.table({"contact_id": [f"c{n}" for n in range(8)], "orders": [1.0] * 8})
    pq.write_table(rows, path, row_group_size=3)
    assert _rewrite(path, {"c4"}, tmp_path) is not None
    found = pq.ParquetFile(path).metadata
    assert [found.row_group(n).num_rows for n in range(found.num_row_groups)] == [3, 3, 2]
