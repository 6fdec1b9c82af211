"""The demo's own arithmetic on a small shop, and the whole of it on real data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from winback_features.build import build_features
from winback_features.config import BrandConfig, EngineConfig, SourceConfig
from winback_features.engine import open_engine
from winback_features.ingest import ingest
from winback_features.retention import retention
from winback_features.tables import Tables
from winback_models.config import ScoreConfig
from winback_serving.cli import run
from winback_serving.demo import cohort_table, consecutive_days, contact_story

ORDERS = """contact_id,order_id,ordered_at,amount
ann,1,2017-01-05,10
ann,2,2017-02-05,10
ann,3,2017-02-25,10
ann,4,2017-04-02,10
bob,5,2017-01-31,10
bob,6,2017-03-01,10
bob,7,2017-03-20,0
cat,8,2017-02-01,10
dan,9,2017-04-01,10
"""


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "orders.csv").write_text(ORDERS, encoding="utf-8")
    with open_engine(EngineConfig(memory_limit="500MB", threads=1)) as backend:
        yield ingest(
            backend, SourceConfig(orders="orders.csv"), BrandConfig(), today=date(2017, 5, 1), base_dir=folder
        )


def cohorts(tables: Tables, day: date) -> pd.DataFrame:
    return cohort_table(retention(tables, day, horizon_days=30)["cohorts"])


def test_cohorts_count_people_not_purchases_and_keep_empty_months(tables: Tables) -> None:
    table = cohorts(tables, date(2017, 4, 1))
    rows = [tuple(row) for row in table[["cohort", "month", "share"]].itertuples(index=False)]
    assert rows == [("Jan 2017 · 2", 1, 0.5), ("Jan 2017 · 2", 2, 0.5), ("Feb 2017 · 1", 1, 0.0)]
    assert table["position"].tolist() == [0, 0, 1]


def test_a_month_that_is_not_over_is_left_out(tables: Tables) -> None:
    whole, partly = cohorts(tables, date(2017, 4, 1)), cohorts(tables, date(2017, 4, 20))
    pd.testing.assert_frame_equal(whole, partly)
    assert len(cohorts(tables, date(2017, 5, 1))) == 3 + 2, "nobody first bought in March"


def test_without_a_whole_month_after_the_first_there_is_no_cohort(tables: Tables) -> None:
    assert cohorts(tables, date(2017, 2, 3)).empty


@dataclass
class Recorder:
    """Stands for a model: keeps what it is shown, and answers with the number of purchase days."""

    horizon_days: int = 28
    shown: list[pd.DataFrame] = field(default_factory=list)

    def predict(self, features: pd.DataFrame, as_of: date, score: ScoreConfig) -> pd.DataFrame:
        self.shown.append(features)
        return pd.DataFrame({"p_purchase": features["purchase_days"] / 10, "p_alive": 1.0})


def test_a_story_is_told_with_what_was_known_on_each_day(tables: Tables) -> None:
    model = Recorder()
    curve, purchases = contact_story(tables, model, "ann", date(2017, 4, 3), ScoreConfig(horizon_days=28))
    step = timedelta(days=7)
    assert curve["day"].tolist() == [date(2017, 4, 3) - step * back for back in reversed(range(len(curve)))]
    known = [date(2017, 1, 5), date(2017, 2, 5), date(2017, 2, 25), date(2017, 4, 2)]
    assert curve["p_purchase"].tolist() == [sum(d < day for d in known) / 10 for day in curve["day"]]
    assert curve["day"].iloc[0] == date(2017, 1, 9), "it begins after the first purchase"
    assert purchases == known[1:]


def test_the_features_of_a_past_day_are_those_that_were_built_on_it(tables: Tables) -> None:
    model = Recorder()
    curve, _ = contact_story(tables, model, "ann", date(2017, 4, 3), ScoreConfig(horizon_days=28))
    other = ["contact_id", "season_sin", "season_cos"]
    for position in (0, 5, len(curve) - 1):
        then = build_features(tables, curve["day"].iloc[position]).to_pyarrow().to_pandas()
        then = then[then["contact_id"] == "ann"].drop(columns=other).reset_index(drop=True)
        now = model.shown[0].drop(columns=other).iloc[[position]].reset_index(drop=True)
        pd.testing.assert_frame_equal(now, then)


def test_consecutive_days_end_with_the_last() -> None:
    days = consecutive_days(date(2018, 1, 1), 5)
    assert days[-1] == date(2018, 1, 1)
    assert [(b - a).days for a, b in pairwise(days)] == [1] * 4


@pytest.mark.slow
@pytest.mark.parametrize("data", ["complete-journey", "cdnow"])
def test_the_demo_ends_with_a_list_and_a_report(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "a demo"
    assert run(["demo", "--data", data, "--home", str(home), "--json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    brief = told["brief"]
    assert told["ok"]
    assert brief["listed"] >= 1
    assert brief["contacts"] == brief["listed"] + sum(brief["excluded"].values())
    assert all(len(row["reasons"]) == 3 for row in brief["top"])
    assert len(brief["days"]) == 5
    assert sum(day["entries"] for day in brief["days"]) >= brief["listed"]
    ours = {model["model"]: model for model in brief["accuracy"]["models"]}
    baseline = min(ours["bg_nbd"]["brier"], ours["mbg_nbd"]["brier"])
    assert ours["winback"]["brier"] <= 1.02 * baseline, "what the gate promises"
    page = (home / "report.html").read_text(encoding="utf-8")
    assert page.count("<figure") == 7
    assert "http" not in page
    newest = brief["days"][-1]
    assert run(["score", "-c", str(home / "winback.toml"), "--as-of", newest["as_of"], "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["published"] is False
    assert again["run"]["run_id"] == newest["run_id"]
