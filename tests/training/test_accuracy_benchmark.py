"""The accuracy benchmark: where the newest cut lies, what counts as met, and that misses are said."""

import importlib.util
import json
import math
import sys
from argparse import Namespace
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from winback_features.errors import InputError
from winback_training.evaluate import METRICS, Evaluation, ForwardTest
from winback_training.label_times import origins
from winback_training.timing import integrated_brier

SPEC = importlib.util.spec_from_file_location(
    "accuracy", Path(__file__).parents[2] / "benchmarks" / "accuracy.py"
)
accuracy = importlib.util.module_from_spec(SPEC)
ORIGINS = (date(2025, 3, 1), date(2025, 2, 1))


@pytest.fixture(scope="module", autouse=True)
def loaded():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(SPEC.origin).parent)
        patch.setitem(sys.modules, "accuracy", accuracy)
        SPEC.loader.exec_module(accuracy)
        yield
    for name in ("hindsight", "machine", "tasks"):
        sys.modules.pop(name, None)


def evaluation(ours):
    losses = {"winback": ours, "bg_nbd": 0.20, "boosting": 0.18, "recency": math.nan}
    rows = [
        dict.fromkeys(METRICS, 0.02)
        | {
            "origin": o,
            "population": "active",
            "model": m,
            "brier": v + i / 100,
            "ibs": v,
            "coverage_80": 0.8,
        }
        for i, o in enumerate(ORIGINS)
        for m, v in losses.items()
    ]
    differences = [
        (o, "active", m, metric, ours - losses[m], ours - losses[m] - 0.01, ours - losses[m] + 0.01)
        for o in (*ORIGINS, "all")
        for m in ("bg_nbd", "boosting")
        for metric in ("brier", "ibs")
    ]
    names = ["origin", "population", "baseline", "metric", "difference", "low", "high"]
    nothing = pd.DataFrame()
    return Evaluation(
        ORIGINS,
        30,
        pd.DataFrame(rows),
        nothing,
        nothing,
        differences=pd.DataFrame(differences, columns=names),
        tests=tuple(forward_test(origin, seed, 40) for seed, origin in enumerate(ORIGINS)),
    )


def forward_test(origin, seed, n=300):
    """Two voices that each know of another half of the contacts, and one that knows nobody."""
    drawn = np.random.default_rng(seed)
    rate = drawn.choice([0.01, 0.2], size=(n, 2))
    days = np.arange(1.0, 13.0)
    within = {
        "bg_nbd": -np.expm1(-rate[:, :1] * days),
        "boosting": -np.expm1(-rate[:, 1:] * days),
        "logistic": np.tile(days / 13.0, (n, 1)),
    }
    waits = drawn.exponential(1.0 / np.sqrt(rate[:, 0] * rate[:, 1]))
    everybody = {"active": np.ones(n, dtype=bool)}
    return ForwardTest(origin, np.arange(n).astype(object), waits, everybody, days, within, {})


def result(ours):
    found = evaluation(ours)
    return {
        "set": "shop",
        "horizon_days": 30,
        "origins": [str(o) for o in ORIGINS],
        "status": "personal model",
        "seconds": 1.0,
        **{which: accuracy.numbers(found, which) for which in ("newest", "mean")},
    }


@given(st.integers(7, 200))
def test_the_newest_window_ends_with_the_data(horizon):
    first, end = date(2020, 1, 1), date(2023, 6, 10)
    as_of = accuracy.training_day(first, end, horizon)
    assert origins(as_of, first, horizon, 3)[0] == end - timedelta(days=horizon)


def test_too_short_a_history_is_refused_in_words():
    with pytest.raises(InputError, match="40 days of orders are too few to test 30 days ahead") as refused:
        accuracy.training_day(date(2025, 1, 1), date(2025, 2, 10), 30)
    assert refused.value.how == "At most 13 days can be tested."
    assert accuracy.training_day(date(2025, 1, 1), date(2025, 2, 10), 13)
    with pytest.raises(InputError):
        accuracy.training_day(date(2025, 1, 1), date(2025, 2, 10), 14)


def test_a_day_without_an_active_base_is_refused_in_words():
    found = evaluation(0.17)
    older = found.metrics[found.metrics["origin"] != ORIGINS[0]]
    with pytest.raises(InputError, match="Nobody bought in the 60 days before the newest cut"):
        accuracy.numbers(replace(found, metrics=older), "newest")


def test_in_the_mean_only_baselines_of_every_test_are_held_against_ours():
    found = evaluation(0.171)
    once = found.metrics[(found.metrics["origin"] == ORIGINS[1]) & (found.metrics["model"] == "boosting")]
    metrics = pd.concat([found.metrics, once.assign(model="base_rate", ibs=0.1, brier=0.1)])
    against = accuracy.numbers(replace(found, metrics=metrics), "mean")["against"]
    assert [against[loss]["best"] for loss in ("ibs", "brier")] == ["boosting", "boosting"]


def test_a_baseline_without_any_loss_breaks_no_table():
    perfect = result(0.17)
    for which in ("newest", "mean"):
        perfect[which]["models"]["boosting"] |= {"ibs": 0.0, "brier": 0.0}
        for against in perfect[which]["against"].values():
            against |= {"best": "boosting", "ratio": math.nan}
    assert accuracy.over(0.1, 0.0) is math.nan
    text = accuracy.markdown([perfect], "machine")
    assert "**–**" in text
    assert "IBS to the best baseline – (aim 0.985: not known)" in text


def test_a_set_that_cannot_be_measured_is_named_and_the_others_go_on(tmp_path, capsys, monkeypatch):
    def run(task, config):
        if task.name == "bad":
            raise InputError("It is damaged.", where="orders.parquet", how="Export it again.")
        return result(0.17) | {"set": task.name}

    for name in ("bad", "good"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "orders.parquet").touch()
    monkeypatch.setattr(accuracy, "run", run)
    with pytest.raises(SystemExit) as ended:
        accuracy.main(["--data", str(tmp_path), "--markdown", str(tmp_path / "out.md")])
    said, text = capsys.readouterr(), (tmp_path / "out.md").read_text()
    reason = "bad: orders.parquet: It is damaged. Export it again."
    assert ended.value.code == 1
    assert reason in said.err
    assert "Traceback" not in said.err
    assert f"Not measured: {reason}" in text
    assert "### good, 30 days" in text


def test_a_history_too_short_for_three_cuts_is_said():
    assert "**Only 2 of 3 cuts**" in "\n".join(accuracy.details(result(0.17)))
    three = result(0.17) | {"origins": ["2025-03-01", "2025-02-01", "2025-01-01"]}
    assert "Only" not in "\n".join(accuracy.details(three))


def asked(**changes):
    return Namespace(**dict.fromkeys(("data", "orders", "config", "horizon")) | changes)


def test_a_shop_is_read_as_its_settings_say(tmp_path):
    (tmp_path / "winback.toml").write_text(
        '[source]\norders = "sales.csv"\n[source.orders_columns]\ncontact_id = "client"\n'
        '[brand]\nname = "Shop"\ntimezone = "Europe/Paris"\nhorizon_days = 45\n'
    )
    (task,) = accuracy.tasks_of(asked(config=tmp_path / "winback.toml"), tmp_path)
    source, brand, folder = task.source()
    assert (task.name, task.horizon_days, folder) == ("Shop", 45, tmp_path)
    assert (source.orders, source.orders_columns, brand.timezone) == (
        "sales.csv",
        {"contact_id": "client"},
        "Europe/Paris",
    )
    (task,) = accuracy.tasks_of(asked(config=tmp_path / "winback.toml", horizon=7), tmp_path)
    assert task.horizon_days == 7


def test_ours_stands_against_the_best_baseline_and_bg_nbd():
    newest, mean = (result(0.171)[which]["against"]["brier"] for which in ("newest", "mean"))
    assert newest["best"] == "boosting"
    assert newest["ratio"] == pytest.approx(0.171 / 0.18)
    assert newest["ratio_bg_nbd"] == pytest.approx(0.171 / 0.20)
    assert mean["ratio"] == pytest.approx(0.176 / 0.185)
    assert (newest["difference"], newest["low"]) == pytest.approx((-0.009, -0.019))


@pytest.mark.parametrize(("ours", "met"), [(0.1808, True), (0.1810, False)])
def test_half_a_per_cent_worse_is_the_border(ours, met):
    assert accuracy.targets(result(ours)["newest"]) == {
        "ibs": met,
        "brier": met,
        "ece": True,
        "coverage": True,
    }


def test_misses_are_said():
    text = accuracy.markdown([result(0.19), result(0.171)], "machine")
    assert "missed: ibs, brier" in text
    assert "all met" in text
    assert "| recency | – / – |" in text
    ratio = math.sqrt(0.19 * 0.171) / 0.18
    assert f"IBS to the best baseline {ratio:.4f} (aim 0.985: missed)" in text


def test_numbers_are_strict_json():
    said = json.loads(json.dumps(accuracy.without_nan(result(0.19)), allow_nan=False))
    assert said["newest"]["models"]["recency"]["ibs"] is None


def test_every_folder_with_orders_is_a_task(tmp_path):
    for name in ("my_shop", "ta_feng", "online_retail"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "orders.parquet").touch()
    (tmp_path / "empty").mkdir()
    found = [(t.name, t.horizon_days) for t in accuracy.tasks_of(asked(data=tmp_path), tmp_path)]
    assert found == [("online_retail", 60), ("online_retail", 90), ("ta_feng", 30), ("my_shop", None)]
    found = [(t.name, t.horizon_days) for t in accuracy.tasks_of(asked(data=tmp_path, horizon=7), tmp_path)]
    assert found == [("online_retail", 7), ("ta_feng", 7), ("my_shop", 7)]


@pytest.mark.slow
def test_any_orders_file_can_be_judged(tmp_path, capsys):
    rng = np.random.default_rng(1)
    days = np.cumsum(rng.exponential(rng.gamma(3, 8, (150, 1)), (150, 30)), axis=1)
    contact, order = np.nonzero(days < 240)
    frame = pd.DataFrame(
        {
            "contact_id": [f"c{c}" for c in contact],
            "order_id": [f"o{i}" for i in range(len(contact))],
            "ordered_at": pd.Timestamp("2024-01-01") + pd.to_timedelta(days[contact, order].astype(int), "D"),
            "amount": 10.0,
        }
    )
    frame.to_csv(tmp_path / "mine.csv", index=False)
    accuracy.main(
        ["--orders", str(tmp_path / "mine.csv"), "--horizon", "30", "--write", str(tmp_path / "out.json")]
    )
    found = json.loads((tmp_path / "out.json").read_text())["results"][0]
    end = frame["ordered_at"].max().date() + timedelta(days=1)
    assert found["origins"][0] == str(end - timedelta(days=30))
    assert found["newest"]["models"]["winback"]["brier"] < 0.3
    assert "### mine, 30 days" in capsys.readouterr().out


def test_no_single_voice_is_better_than_the_best_mixture_in_hindsight():
    test = forward_test(ORIGINS[0], 0)
    alone = {name: integrated_brier(test.waits, p, test.days) for name, p in test.curves.items()}
    found = accuracy.hindsight_ibs(test)
    assert found < 0.95 * min(alone.values())


def test_a_level_that_all_voices_missed_is_found_in_hindsight():
    test = forward_test(ORIGINS[0], 0)
    mixed = np.sqrt(np.prod([-np.log1p(-test.curves[m]) for m in ("bg_nbd", "boosting")], axis=0))
    truth, late = -np.expm1(-mixed), -np.expm1(-0.5 * mixed)
    lost = [integrated_brier(test.waits, p, test.days) for p in (truth, late)]
    hindsight = importlib.import_module("hindsight")
    assert hindsight.best_mixture({"late": late}, test.waits, test.days) < lost[0] + 0.1 * (lost[1] - lost[0])


def test_the_table_says_what_hindsight_would_have_given():
    found = result(0.17)
    said = accuracy.geometric_means([found], "newest")["hindsight"]["best"]
    assert said == pytest.approx(found["newest"]["hindsight_ibs"] / 0.18)
    assert f"in hindsight to the best baseline {said:.4f}" in "\n".join(accuracy.summary([found], "newest"))
