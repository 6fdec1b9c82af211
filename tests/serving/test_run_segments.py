"""The segments of published runs: thresholds stored, moves between days, the sandbox of a run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pyarrow.parquet as pq
import pytest

from winback_features.errors import InputError
from winback_policy.rfm import RfmThresholds, rfm
from winback_policy.sandbox_terms import Bound, Segment
from winback_serving.batch import score_day
from winback_serving.run_segments import (
    THRESHOLDS_KEY,
    moves_between,
    open_sandbox,
    run_thresholds,
    run_values,
)
from winback_serving.settings import load_settings
from winback_serving.store import RUN_FILE, PublishedRun

Runs = tuple[PublishedRun, PublishedRun]

pytestmark = pytest.mark.slow  # whole runs


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, write_shop: Callable[..., Path], rule_model: Any) -> Runs:
    settings = load_settings(write_shop(tmp_path_factory.mktemp("shop")), {})
    days = date(1998, 3, 1), date(1998, 6, 1)
    first, second = (score_day(settings, day, rule_model(), "digest") for day in days)
    return first, second


@pytest.fixture(scope="module")
def backend() -> Any:
    return ibis.duckdb.connect(threads=1)


def segments(run: PublishedRun) -> dict[str, str]:
    rows = pq.read_table(run.file("winback"), columns=["contact_id", "rfm_segment", "rfm_code"]).to_pylist()
    return {r["contact_id"]: (r["rfm_segment"], r["rfm_code"]) for r in rows if r["rfm_segment"]}


def test_the_stored_thresholds_score_the_run_again(backend: Any, runs: Runs) -> None:
    for run in runs:
        cuts = run.info()[THRESHOLDS_KEY]
        assert cuts == run_thresholds(backend, run).as_dict()
        scored = rfm(run_values(backend, run.folder), RfmThresholds.from_dict(cuts)).to_pyarrow().to_pylist()
        assert {r["rfm_of"]: (r["rfm_segment"], r["rfm_code"]) for r in scored} == segments(run)


def test_moves_between_two_runs(backend: Any, runs: Runs) -> None:
    before, after = map(segments, runs)
    rows = moves_between(backend, *runs).to_pyarrow().to_pylist()
    assert [row["contact_id"] for row in rows] == sorted({*before, *after})
    for row in rows:
        contact = row["contact_id"]
        assert (row["segment_before"], row["code_before"]) == before.get(contact, (None, None))
        assert (row["segment_after"], row["code_after"]) == after.get(contact, (None, None))
    kinds = Counter(row["move"] for row in rows)
    assert kinds["real"] > 0
    assert kinds["stayed"] > 0
    assert {row["move"] for row in moves_between(backend, runs[0], runs[0]).to_pyarrow().to_pylist()} == {
        "stayed"
    }


def copied(run: PublishedRun, folder: Path, **changes: Any) -> PublishedRun:
    for name in ("features", "scores"):
        (folder / f"{name}.parquet").symlink_to(run.file(name))
    info = {**run.info(), **changes}
    (folder / RUN_FILE).write_text(json.dumps({k: v for k, v in info.items() if v is not None}))
    return replace(run, folder=folder)


def test_a_run_that_stored_none_is_measured(backend: Any, runs: Runs, tmp_path: Path) -> None:
    old = copied(runs[0], tmp_path, **{THRESHOLDS_KEY: None})
    assert run_thresholds(backend, old) == run_thresholds(backend, runs[0])


def test_a_base_without_buyers_has_no_thresholds(backend: Any, runs: Runs, tmp_path: Path) -> None:
    nobody = copied(runs[0], tmp_path, **{THRESHOLDS_KEY: None})
    scores = nobody.file("scores")
    empty = pq.read_table(scores).slice(0, 0)
    scores.unlink()
    pq.write_table(empty, scores)
    with pytest.raises(InputError, match="Nobody had bought by 1998-03-01"):
        moves_between(backend, nobody, runs[1])


def test_the_sandbox_of_a_run(backend: Any, runs: Runs) -> None:
    run = runs[1]
    risk, late = (
        Segment("risk", (Bound("p_lapse", at_least=0.5),)),
        Segment("late", (Bound("days_overdue", at_least=0),)),
    )
    view = open_sandbox(backend, run).ask([risk, late])
    scores = pq.read_table(run.file("scores")).to_pylist()
    at_risk = [row for row in scores if row["p_lapse"] is not None and row["p_lapse"] >= 0.5]
    assert view.contacts == len(scores)
    assert view.segments[0].contacts == len(at_risk)
    assert view.segments[0].value_at_risk == pytest.approx(sum(row["value_at_risk"] for row in at_risk))
    assert view.overlaps[0].contacts == sum(row["days_overdue"] >= 0 for row in at_risk)


def test_fixed_thresholds_are_those_of_the_run(
    tmp_path: Path, write_shop: Callable[..., Path], rule_model: Any
) -> None:
    fixed = "rfm = { recency_days = [300, 200, 100, 50], purchase_days = [2, 3, 4, 5], spend = [20, 40, 80, 160] }\n"
    config = write_shop(tmp_path / "fixed")
    text = config.read_text(encoding="utf-8").replace("[policy]\n", f"[policy]\n{fixed}", 1)
    config.write_text(text, encoding="utf-8")
    run = score_day(load_settings(config, {}), date(1998, 6, 1), rule_model(), "digest")
    assert run.info()["rfm_thresholds"]["recency_days"] == [300, 200, 100, 50]
    codes = duckdb.sql(
        f"select distinct rfm_code[1] r from '{run.file('winback')}' where days_since_purchase < 50"
    ).fetchall()
    assert codes == [("5",)]
