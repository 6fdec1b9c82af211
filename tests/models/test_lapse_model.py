"""The bundle: what it says of every contact, that training saw no future, and its form at rest."""

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from shop import HORIZON, NUMERIC

from winback_features.errors import InputError
from winback_models.config import ScoreConfig
from winback_models.design import choose_edges
from winback_models.hazard import at_risk, fit_calibration, fit_weights, mix
from winback_models.lapse_fit import fit_lapse_model
from winback_models.lapse_model import LapseModel

SCORE = ScoreConfig(horizon_days=HORIZON, curve_days=(7, 14, 30, 60, 120))
DAY = date(2026, 8, 24)
COLUMNS = [
    "contact_id", "as_of", "horizon_days", "model_version", "p_purchase", "p_lapse",
    "p_within_7d", "p_within_14d", "p_within_30d", "p_within_60d", "p_within_120d",
    "p_alive", "expected_purchases", "next_purchase_date", "next_purchase_low", "next_purchase_high",
    "usual_gap_days", "days_since_purchase", "days_overdue", "expected_order_value", "value_at_risk", "base",
]  # fmt: skip


@pytest.fixture(scope="module")
def scores(fitted, label_times):
    return fitted.predict(label_times[0].features, DAY, SCORE)


def test_scores_have_the_contract_columns_in_order(scores, label_times):
    assert list(scores.columns) == COLUMNS
    assert list(scores["contact_id"]) == list(label_times[0].features["contact_id"])


def test_probabilities_and_curves(scores):
    p = scores[[c for c in COLUMNS if c.startswith("p_within_")]].to_numpy()
    assert ((p >= 0) & (p <= 1)).all()
    assert (np.diff(p, axis=1) >= -1e-12).all()
    assert np.allclose(scores["p_purchase"], scores["p_within_60d"])
    assert np.allclose(scores["p_purchase"] + scores["p_lapse"], 1)
    assert scores["p_alive"].between(0, 1).all()
    assert (scores["expected_purchases"] >= scores["p_purchase"] - 1e-9).all()


def test_dates_are_in_order_and_never_in_the_past(scores):
    known = scores.dropna(subset=["next_purchase_low", "next_purchase_date", "next_purchase_high"])
    assert len(known) > 20
    assert (known["next_purchase_low"] >= np.datetime64(DAY)).all()
    assert (known["next_purchase_low"] <= known["next_purchase_date"]).all()
    assert (known["next_purchase_date"] <= known["next_purchase_high"]).all()
    unlikely = scores[scores["p_within_120d"] < 0.05]
    assert len(unlikely)
    assert unlikely["next_purchase_date"].isna().all()


def test_the_score_ranks_and_is_calibrated_on_what_came_after(fitted, label_times):
    from sklearn.metrics import roc_auc_score

    today = label_times[0]
    bought = np.isfinite(today.waits)
    p = fitted.curve(today.features, [HORIZON])[:, 0]
    assert roc_auc_score(bought, p) > 0.75
    assert abs(p.mean() - bought.mean()) < 0.06
    base_rate = bought.mean() * (1 - bought.mean())
    assert ((p - bought) ** 2).mean() < 0.8 * base_rate


def test_every_base_is_named(fitted, label_times):
    rows = label_times[0].features.head(4).copy()
    rows["purchase_days"] = [0.0, 1.0, 5.0, 5.0]
    rows["days_since_purchase"] = [np.nan, 10.0, 10.0, 2 * HORIZON + 1.0]
    assert list(fitted.base(rows)) == ["never_bought", "one_time", "active", "lapsed"]


def test_a_contact_that_never_bought_gets_the_bases_rate(fitted, label_times):
    row = label_times[0].features.head(1).copy()
    row[[c for c in row.columns if c != "contact_id"]] = np.nan
    row["purchase_days"] = 0.0
    said = fitted.predict(row, DAY, SCORE).iloc[0]
    assert said["base"] == "never_bought"
    assert said["p_purchase"] == pytest.approx(
        15.5 / 250, rel=0.05
    )  # 15 first purchases of 250 in one horizon
    assert pd.isna(said["next_purchase_date"])
    assert pd.isna(said["usual_gap_days"])


def test_a_repeat_buyer_whose_amounts_are_unknown_is_worth_what_the_base_is(fitted, label_times):
    rows = label_times[0].features.query("frequency > 2").head(3).assign(monetary_value=np.nan)
    said = fitted.predict(rows, DAY, SCORE)
    base = float(fitted.order_value.expected([0], [np.nan])[0])
    assert said["expected_order_value"].to_numpy() == pytest.approx(base)
    assert np.isfinite(said["value_at_risk"]).all()


def test_row_order_and_ids_do_not_matter(fitted, label_times, scores):
    features = label_times[0].features
    shuffled = features.sample(frac=1.0, random_state=5).assign(contact_id=lambda d: "x" + d["contact_id"])
    again = fitted.predict(shuffled, DAY, SCORE).assign(contact_id=lambda d: d["contact_id"].str[1:])
    merged = scores.merge(again, on="contact_id", suffixes=("", "_again"))
    assert np.array_equal(merged["p_purchase"], merged["p_purchase_again"])
    assert np.array_equal(merged["value_at_risk"], merged["value_at_risk_again"])


def test_scoring_in_batches_changes_no_bit(fitted, label_times, scores):
    features = label_times[0].features
    parts = pd.concat([fitted.predict(features[i : i + 37], DAY, SCORE) for i in range(0, len(features), 37)])
    pd.testing.assert_frame_equal(parts.reset_index(drop=True), scores, check_exact=True)


def test_too_few_purchases_leave_btyd_alone_and_say_so(label_times):
    today, closed = label_times
    few = [replace(t, features=t.features.head(40), waits=t.waits[:40]) for t in closed[:2]]
    model = fit_lapse_model(today, few, horizon_days=HORIZON, numeric_features=NUMERIC)
    assert model.hazard is None
    assert "too few" in model.info["status"]
    p = model.predict(today.features, DAY, SCORE)["p_purchase"]
    x, t_x, age = (today.features[c].to_numpy() for c in ("frequency", "recency_days", "T_days"))
    assert np.allclose(p, model.models.btyd.p_purchase(x, t_x, age, HORIZON))


def test_older_windows_without_purchases_leave_equal_weights_and_say_so(label_times):
    today, closed = label_times
    silent = [replace(t, waits=np.full_like(t.waits, np.inf)) for t in closed[3:]]
    model = fit_lapse_model(today, [*closed[:3], *silent], horizon_days=HORIZON, numeric_features=NUMERIC)
    assert "equal weights" in model.info["status"]
    assert set(model.hazard.weights.values()) == {1 / 3}


def test_a_bundle_survives_the_disk(fitted, label_times, scores, tmp_path):
    digest = fitted.save(tmp_path / "bundle")
    back = LapseModel.load(tmp_path / "bundle")
    pd.testing.assert_frame_equal(back.predict(label_times[0].features, DAY, SCORE), scores, check_exact=True)
    described = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
    assert described["sha256"] == digest
    assert described["info"]["status"].startswith("personal model")


def test_a_changed_bundle_is_not_opened(fitted, tmp_path):
    fitted.save(tmp_path)
    with (tmp_path / "bundle.joblib").open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(InputError, match="digest does not match"):
        LapseModel.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"format": 99}, "format 99"), ({"libraries": {"scikit-learn": "0.1.0"}}, "scikit-learn 0.1.0")],
)
def test_a_bundle_of_another_version_is_refused_in_words(fitted, tmp_path, change, said):
    fitted.save(tmp_path)
    described = json.loads((tmp_path / "bundle.json").read_text()) | change
    (tmp_path / "bundle.json").write_text(json.dumps(described))
    with pytest.raises(InputError, match=said):
        LapseModel.load(tmp_path)


def test_a_missing_bundle_and_missing_features_are_named(fitted, label_times, tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        LapseModel.load(tmp_path / "nowhere")
    with pytest.raises(InputError, match="lack gap_log_mean"):
        fitted.predict(label_times[0].features.drop(columns="gap_log_mean"), DAY, SCORE)
    with pytest.raises(InputError, match="horizon of 60 days"):
        fitted.predict(label_times[0].features, DAY, ScoreConfig(horizon_days=30))


def test_at_risk_follows_each_contact_until_it_buys(fitted):
    design = type(fitted.hazard.design)((), (), (10, 20, 30))
    risk, bought = at_risk(design, [0, 10, 29, np.inf])
    assert risk.tolist() == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
        [True, True, True],
    ]
    assert bought.tolist() == [[True, False, False], [False, True, False], [False, False, True], [False] * 3]


def test_edges_end_at_the_horizon_even_without_purchases():
    assert choose_edges([np.inf, np.inf], 30) == (30,)
    edges = choose_edges(np.arange(60), 60)
    assert edges[-1] == 60
    assert list(edges) == sorted(set(edges))


def test_weights_prefer_the_member_that_knows_and_calibration_mends_a_shift():
    rng = np.random.default_rng(2)
    truth = rng.normal(size=20_000)
    y = rng.random(20_000) < 1 / (1 + np.exp(-truth))
    said = {"good": truth, "noise": rng.normal(size=20_000)}
    weights = fit_weights(said, y)
    assert sum(weights.values()) == pytest.approx(1.0)
    assert weights["good"] == pytest.approx(0.75, abs=0.051)  # all of it, half-way shrunk to one half
    intercept, slope = fit_calibration(0.5 * truth + 1.0, y, prior=1.0)
    assert (intercept, slope) == pytest.approx((-2.0, 2.0), abs=0.15)
    assert mix({"a": truth, "b": -truth}, {"a": 0.5, "b": 0.5}) == pytest.approx(0.0)


def test_nobody_is_late_for_days_on_which_the_shop_was_closed(fitted, label_times, scores):
    shut = fitted.predict(label_times[0].features.assign(closed_days_in_silence=10.0), DAY, SCORE)
    assert (shut["days_overdue"] == scores["days_overdue"] - 10).all()
    assert np.array_equal(shut["p_purchase"], scores["p_purchase"])
