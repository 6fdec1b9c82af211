"""Forward tests with a model that knows the truth, and one that is wrong by a known amount."""

import json
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from forward import DAY, FEATURES, HORIZON, earlier, label_time, truth

from winback_training.evaluate import METRICS, evaluate
from winback_training.forward_test import compare, forward_test, populations

ORIGINS = (DAY, DAY - timedelta(days=8))


VALUE = 12.0
"""What every purchase brings."""


@dataclass(frozen=True)
class Oracle:
    """Says the truth, raised to a power of the survival; and one purchase for each buyer, whose value it knows."""

    power: float = 1.0

    @property
    def info(self):
        return {"status": f"the truth, to the power of {self.power:g}"}

    def curve(self, features, days):
        return 1.0 - (1.0 - truth(features, np.asarray(days))) ** self.power

    def predict(self, features, as_of, score):
        p = self.curve(features, [score.horizon_days])[:, 0]
        return pd.DataFrame({"expected_purchases": p, "expected_order_value": VALUE})


def at(day):
    return label_time(day, n=1000, never=400, seed=(DAY - day).days)


def spend(day):
    """Return what those who bought within the horizon spent."""
    time = at(day)
    ids = pd.concat([time.features["contact_id"], time.never["contact_id"]])
    bought = np.isfinite(np.concatenate([time.waits, time.never_waits]))
    return pd.DataFrame({"contact_id": ids[bought], "spend": VALUE})


def evaluated(power=1.0, never=400):
    return evaluate(
        ORIGINS,
        HORIZON,
        at,
        lambda _: earlier(never=never),
        lambda _: Oracle(power),
        FEATURES,
        seed=2,
        spend=spend,
    )


def test_each_test_says_how_its_own_model_came_about():
    models = iter([Oracle(1.0), Oracle(2.0)])
    found = evaluate(ORIGINS, HORIZON, at, lambda _: earlier(), lambda _: next(models), FEATURES)
    assert found.statuses == ("the truth, to the power of 1", "the truth, to the power of 2")


@pytest.fixture(scope="module")
def found():
    return evaluated()


@pytest.fixture(scope="module")
def wrong():
    return evaluated(power=3.0)


def test_every_population_gets_the_models_that_speak_of_it(found):
    spoken = found.metrics.groupby("population")["model"].agg(set)
    buyers = {"winback", "bg_nbd", "own_gap", "logistic", "boosting", "recency"}
    for population in ("whole", "active", "one_time", "repeat", "lapsed"):
        assert spoken[population] == buyers
    assert spoken["never_bought"] == {"winback", "constant_rate"}
    assert list(found.metrics.columns) == ["origin", "population", "model", *METRICS]


def test_populations_part_the_base():
    time = at(DAY)
    masks = populations(time, HORIZON)
    silence = time.features["days_since_purchase"].to_numpy()
    assert masks["active"][:1000].tolist() == (silence <= 2 * HORIZON).tolist()
    assert (masks["whole"] == (masks["active"] ^ masks["lapsed"])).all()
    assert (masks["active"] == (masks["one_time"] ^ masks["repeat"])).all()
    assert masks["never_bought"].sum() == 400
    assert not (masks["whole"] & masks["never_bought"]).any()


def test_who_knows_the_truth_is_calibrated_in_size_and_time(found):
    for population in ("active", "lapsed", "never_bought"):
        assert abs(found.value("winback", "bias", population)) < 0.045
        assert found.value("winback", "coverage_80", population) == pytest.approx(0.8, abs=0.03)
    assert (found.metrics.query("model == 'winback'")["d_calibration_p"] > 0.001).all()
    assert found.value("own_gap", "coverage_80") < 0.4


def test_numbers_are_those_of_the_kept_curves(found):
    newest = found.tests[0]
    mask = newest.populations["active"]
    p, waits = newest.curves["logistic"][mask], newest.waits[mask]
    came = waits[:, None] < newest.days
    assert found.value("logistic", "ibs", origin="newest") == pytest.approx(((p - came) ** 2).mean())
    assert found.value("logistic", "brier", origin="newest") == pytest.approx(((p - came)[:, -1] ** 2).mean())
    assert newest.days.tolist() == np.arange(2, 25, 2).tolist()
    share = found.timing.query("model == 'winback'")["share"]
    assert share.sum() == pytest.approx(1.0)


def test_a_ranking_has_order_only(found):
    row = found.metrics.query("model == 'recency' and population == 'active'").iloc[0]
    assert np.isfinite(row[["auc", "concordance", "empc", "lift_10"]].astype(float)).all()
    assert row[["brier", "ibs", "coverage_80", "d_calibration_p"]].isna().all()


def test_differences_are_paired_and_know_the_better_model(found):
    rows = found.differences
    assert set(rows["origin"]) == {*ORIGINS, "all"}
    assert set(rows["baseline"]) == {"bg_nbd", "own_gap", "logistic", "boosting"}
    for row in rows.itertuples():
        assert row.low <= row.difference <= row.high
        if row.origin != "all":
            losses = found.metrics.query("origin == @row.origin and population == 'active'").set_index(
                "model"
            )[row.metric]
            assert row.difference == pytest.approx(losses["winback"] - losses[row.baseline])
    assert (rows.query("baseline in ('own_gap', 'bg_nbd')")["high"] < 0).all()


def test_a_wrong_model_is_told_from_the_truth_beyond_noise(wrong):
    assert wrong.value("winback", "coverage_80") < 0.72
    assert wrong.value("winback", "bias") > 0.1
    rows = wrong.differences.query("baseline == 'logistic' and origin == 'all'")
    assert (rows["low"] > 0).all()


def test_the_summary_is_strict_json_with_means_and_differences(found):
    said = json.loads(json.dumps(found.summary(), allow_nan=False))
    assert said["populations"]["active"]["winback"]["ibs"] == pytest.approx(found.value("winback", "ibs"))
    assert said["populations"]["active"]["recency"]["brier"] is None
    assert said["differences"][0].keys() == set(found.differences.columns)
    assert {row["origin"] for row in said["differences"]} == {"all", *(o.isoformat() for o in ORIGINS)}


def test_money_expected_is_held_against_money_spent_in_every_population(found):
    rows = found.money.set_index(["origin", "population"])
    assert set(rows.index) == {(o, p) for o in ORIGINS for p in found.metrics["population"]}
    for origin in ORIGINS:
        assert rows.loc[(origin, "whole"), "actual"] == np.isfinite(at(origin).waits).sum() * VALUE
        assert rows.loc[(origin, "never_bought"), "ratio"] == pytest.approx(1.0, abs=0.3)
        whole, parts = rows.loc[(origin, "whole")], rows.loc[[(origin, "active"), (origin, "lapsed")]]
        assert whole["ratio_low"] < 1.0 < whole["ratio_high"]
        assert whole["expected"] == pytest.approx(parts["expected"].sum())
    tenths = found.money_tenths
    assert tenths["n"].tolist() == [100] * 10
    assert tenths["actual"].sum() == rows.loc[(ORIGINS[0], "whole"), "actual"]
    assert found.summary()["money"][0].keys() == set(found.money.columns)


def test_a_model_that_promises_too_much_money_is_seen(wrong):
    rows = wrong.money.query("population == 'whole'")
    assert (rows["ratio_low"] > 1.1).all()


def test_the_order_of_contacts_changes_nothing():
    time = label_time(n=300)
    turn = np.random.default_rng(0).permutation(300)
    features = time.features.iloc[turn].reset_index(drop=True)
    turned = replace(time, features=features, waits=time.waits[turn])
    one, two = (forward_test(t, earlier(n=300), Oracle(), HORIZON, FEATURES, 0) for t in (time, turned))
    assert one.metrics("winback", "active") == pytest.approx(two.metrics("winback", "active"))
    assert one.metrics("boosting", "active") == pytest.approx(two.metrics("boosting", "active"))


def test_without_forward_tests_there_are_empty_tables():
    nothing = evaluate((), HORIZON, at, lambda _: [], lambda _: Oracle(), FEATURES)
    assert nothing.metrics.empty
    assert nothing.differences.empty
    assert nothing.money.empty
    assert nothing.money_tenths.empty
    assert nothing.summary()["money"] == []
    assert nothing.summary()["populations"] == {}
    assert np.isnan(nothing.value("winback", "auc"))
    assert isinstance(compare([]), pd.DataFrame)
