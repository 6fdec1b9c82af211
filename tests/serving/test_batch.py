"""The daily job on a small real shop: same inputs same bytes, nothing half, everything accounted for."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from winback_features import parts
from winback_features.engine import open_engine
from winback_features.errors import ConfigError, InputError
from winback_features.files import file_digest
from winback_policy.rfm import rfm
from winback_serving.batch import score_day
from winback_serving.lists import open_list, top_of_list
from winback_serving.run_segments import run_values
from winback_serving.settings import Settings, load_settings
from winback_serving.store import PublishedRun, RunStore

DAY, NEXT = date(1998, 6, 1), date(1998, 6, 2)
TABLES = ("drivers", "entries", "exits", "features", "quarantine", "scores", "states", "timeline", "winback")
WriteShop = Callable[..., Path]
TwoDays = tuple[PublishedRun, PublishedRun]


def score(settings: Settings, day: date, model: Any, **kwargs: Any) -> PublishedRun:
    return score_day(settings, day, model, "digest", **kwargs)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, write_shop: WriteShop) -> Settings:
    return load_settings(write_shop(tmp_path_factory.mktemp("shop")), {})


@pytest.fixture(scope="module")
def two_days(shop: Settings, rule_model: Any) -> tuple[PublishedRun, PublishedRun]:
    return score(shop, DAY, rule_model()), score(shop, NEXT, rule_model())


def digests(run: PublishedRun) -> dict[str, str]:
    return {p.name: file_digest(p) for p in run.folder.iterdir() if p.name != "timings.json"}


@pytest.mark.slow
def test_a_day_decided_in_ranges_of_contacts_has_the_same_bytes(
    two_days: TwoDays,
    tmp_path: Path,
    write_shop: WriteShop,
    rule_model: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parts, "CONTACTS_PER_PART", 50)
    settings = load_settings(write_shop(tmp_path), {})
    runs = [score(settings, day, rule_model()) for day in (DAY, NEXT)]
    assert [digests(run) for run in runs] == [digests(run) for run in two_days]
    assert runs[0].info()["counts"]["contacts"] > 200, "several ranges"


def test_the_segments_of_a_run_are_the_quintiles_of_its_base(two_days: TwoDays, shop: Settings) -> None:
    with open_engine(shop.engine) as backend:
        for run in two_days:
            expected = (
                rfm(run_values(backend, run.folder)).select("rfm_of", "rfm_code").to_pyarrow().to_pylist()
            )
            listed = pq.read_table(run.file("winback"), columns=["contact_id", "rfm_code"]).to_pylist()
            found = {row["contact_id"]: row["rfm_code"] for row in listed if row["rfm_code"]}
            assert found == {row["rfm_of"]: row["rfm_code"] for row in expected}
            assert len(set(found.values())) > 20, "many cells"


def test_a_run_holds_every_table_and_says_what_it_was_made_of(
    two_days: TwoDays,
) -> None:
    run, _ = two_days
    info = run.info()
    assert run.fresh
    assert set(info["files"]) == {"retention.json", *(f"{name}.parquet" for name in TABLES)}
    assert all(file_digest(run.folder / name) == digest for name, digest in info["files"].items())
    assert info["as_of"] == "1998-06-01"
    assert info["run_id"] == run.run_id == run.folder.name
    assert info["model"] == {"name": "winback-lapse", "version": "7", "digest": "digest"}
    assert info["horizon_days"] == 60
    assert info["previous_run"] is None
    assert info["notices"] == []
    assert {name: len(cuts) for name, cuts in info["rfm_thresholds"].items()} == {
        "recency_days": 4,
        "purchase_days": 4,
        "spend": 4,
    }
    assert set(json.loads((run.folder / "timings.json").read_text())) == {
        "ingest",
        "features",
        "scores",
        "drivers",
        "decisions",
        "retention",
    }


def test_rows_in_are_rows_out_plus_exclusions(two_days: TwoDays) -> None:
    for run in two_days:
        info = run.info()
        orders, counts = info["inputs"]["orders"], info["counts"]
        assert orders["rows_in"] == orders["rows_used"] + orders["rows_quarantined"] > 500
        assert counts["contacts"] == counts["flagged"] + sum(counts["not_flagged"].values())
        assert counts["contacts"] == counts["scored"] + counts["not_scored"]
        assert counts["contacts"] == sum(counts["states"].values())
        assert counts["flagged"] > 0


def test_tables_are_ordered_by_contact(two_days: TwoDays) -> None:
    for name in set(TABLES) - {"quarantine"}:
        ids = pq.read_table(two_days[1].file(name), columns=["contact_id"])["contact_id"].to_pylist()
        assert ids == sorted(ids)


def test_the_second_day_carries_the_first_ones_states(two_days: TwoDays) -> None:
    first, second = two_days
    assert second.info()["previous_run"] == {"as_of": "1998-06-01", "run_id": first.run_id}
    flagged = {row["contact_id"] for row in pq.read_table(first.file("entries")).to_pylist()}
    again = {row["contact_id"] for row in pq.read_table(second.file("entries")).to_pylist()}
    assert flagged
    assert not flagged & again
    stays = pq.read_table(second.file("winback"), filters=[("state", "=", "in_winback")])
    left = pq.read_table(second.file("exits"))
    assert set(stays["contact_id"].to_pylist()) | set(left["contact_id"].to_pylist()) == flagged


def test_the_same_day_again_publishes_nothing_new(shop: Settings, two_days: TwoDays, rule_model: Any) -> None:
    _, second = two_days
    before = {p: p.stat().st_mtime_ns for p in second.folder.iterdir()}
    said: list[str] = []
    again = score(shop, NEXT, rule_model(), say=said.append)
    assert (again.fresh, again.run_id) == (False, second.run_id)
    assert "published already" in said[-1]
    assert {p: p.stat().st_mtime_ns for p in second.folder.iterdir()} == before
    assert [run.as_of for run in RunStore(shop.home).list_runs()] == [DAY, NEXT]


@pytest.mark.slow
def test_the_same_inputs_elsewhere_in_another_order_and_with_other_threads_give_the_same_bytes(
    tmp_path: Path, write_shop: WriteShop, two_days: TwoDays, rule_model: Any
) -> None:
    settings = load_settings(write_shop(tmp_path / "elsewhere", extra="threads = 1\n"), {})
    first, second = score(settings, DAY, rule_model()), score(settings, NEXT, rule_model())
    for here, there in zip(two_days, (first, second), strict=True):
        assert here.run_id == there.run_id
        assert digests(here) == digests(there)

    orders = tmp_path / "elsewhere" / "orders.csv"
    header, *lines = orders.read_text().splitlines()
    orders.write_text("\n".join([header, *reversed(lines)]) + "\n")
    shuffled = score(settings, DAY, rule_model())
    for name in TABLES:
        assert file_digest(shuffled.file(name)) == file_digest(two_days[0].file(name)), name


def test_facts_at_or_after_the_day_change_no_byte(
    tmp_path: Path, write_shop: WriteShop, two_days: TwoDays, rule_model: Any
) -> None:
    settings = load_settings(write_shop(tmp_path), {})
    orders = tmp_path / "orders.csv"
    header, *lines = orders.read_text().splitlines()
    known = [line for line in lines if line.split(",")[2] < "1998-06-01"]
    assert len(known) < len(lines)
    contact = known[0].split(",")[0]
    added = [f"{contact},late1,1998-06-01,900.00", f"{contact},late2,1998-06-01,-{known[0].split(',')[3]}"]
    orders.write_text("\n".join([header, *known, *added]) + "\n")
    run = score(settings, DAY, rule_model())
    for name in set(TABLES) - {"quarantine"}:
        assert file_digest(run.file(name)) == file_digest(two_days[0].file(name)), name


class Stumbling:
    """A model that fails on its only batch."""

    horizon_days, version = 60, "7"

    def predict(self, *args: Any) -> Any:
        msg = "the disk is full"
        raise OSError(msg)


def test_a_failing_run_publishes_nothing(tmp_path: Path, write_shop: WriteShop) -> None:
    settings = load_settings(write_shop(tmp_path, every=40), {})
    with pytest.raises(OSError, match="disk is full"):
        score(settings, DAY, Stumbling())
    assert RunStore(settings.home).list_runs() == []
    assert list((settings.home / "runs" / ".staging").iterdir()) == []
    assert not (settings.home / "runs" / "1998-06-01").exists()


KILLED = """
import os, sys
from datetime import date
from pathlib import Path
from winback_policy.rfm import rfm
from winback_serving.batch import score_day
from winback_serving.settings import load_settings
class Killed:
    horizon_days, version = 60, "7"
    def predict(self, *args):
        os._exit(9)
score_day(load_settings(Path(sys.argv[1]), {}), date(1998, 6, 1), Killed(), "digest")
"""


@pytest.mark.slow
def test_a_job_killed_half_way_leaves_no_half_run_and_a_rerun_completes(
    tmp_path: Path, write_shop: WriteShop, rule_model: Any
) -> None:
    config = write_shop(tmp_path, every=40)
    assert subprocess.run([sys.executable, "-c", KILLED, config], check=False).returncode == 9
    settings = load_settings(config, {})
    assert RunStore(settings.home).list_runs() == []
    run = score(settings, DAY, rule_model())
    assert run.fresh
    assert run.info()["counts"]["contacts"] == run.info()["counts"]["scored"] > 0


def test_a_table_that_is_refused_publishes_nothing(
    tmp_path: Path, write_shop: WriteShop, rule_model: Any
) -> None:
    settings = load_settings(write_shop(tmp_path, every=40), {})
    (tmp_path / "orders.csv").write_text("contact_id,order_id,amount\nc1,o1,3\n")
    with pytest.raises(InputError, match="ordered_at"):
        score(settings, DAY, rule_model())
    assert RunStore(settings.home).list_runs() == []


def test_a_day_before_every_order_is_refused(tmp_path: Path, write_shop: WriteShop, rule_model: Any) -> None:
    settings = load_settings(write_shop(tmp_path, every=40), {})
    with pytest.raises(InputError, match="There is no order before 1997-01-01"):
        score(settings, date(1997, 1, 1), rule_model())


def test_another_horizon_is_refused(tmp_path: Path, write_shop: WriteShop, rule_model: Any) -> None:
    config = write_shop(tmp_path, every=40)
    with pytest.raises(ConfigError, match=r"90 days ahead; 60 are asked"):
        score(load_settings(config, {}), DAY, rule_model(horizon_days=90))


@pytest.mark.slow
def test_another_horizon_passes_where_it_is_learned_and_a_stale_day_is_noted(
    tmp_path: Path, write_shop: WriteShop, rule_model: Any
) -> None:
    config = write_shop(tmp_path, every=40)
    config.write_text(config.read_text().replace("horizon_days = 60", 'horizon_days = "auto"'))
    run = score(load_settings(config, {}), date(1998, 9, 1), rule_model(horizon_days=90))
    assert run.info()["horizon_days"] == 90
    (notice,) = run.info()["notices"]
    assert notice["code"] == "stale_data"
    assert "--as-of 1998-06-26" in notice["message"]
    assert set(pq.read_table(run.file("scores"))["horizon_days"].to_pylist()) == {90}


def test_the_top_of_the_list_is_ranked_and_gives_reasons(two_days: TwoDays) -> None:
    run = two_days[1]
    top = top_of_list(run, 3)
    assert [row["rank"] for row in top] == [1, 2, 3]
    assert all(row["reason_1"] and row["reason_2"] and row["reason_3"] for row in top)
    with open_list(run, "winback") as reader:
        ids = reader.read_all()["contact_id"].to_pylist()
    assert ids[:3] == [row["contact_id"] for row in top]
    assert len(ids) == duckdb.read_parquet(str(run.file("winback"))).shape[0]
