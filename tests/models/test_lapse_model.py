"""The bundle: what it says of every contact, that training saw no future, and its form at rest."""

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from shop import HORIZON, NUMERIC, TODAY, buying_days, label_time, seen_before

from winback_features.errors import InputError
from winback_models.config import ScoreConfig
from winback_models.design import interval_edges, step_days, steps_each
from winback_models.first_purchase import base_rate_model
from winback_models.history import log_silence
from winback_models.lapse_fit import fit_lapse_model
from winback_models.lapse_model import LapseModel

SCORE = ScoreConfig(horizon_days=HORIZON, curve_days=(7, 14, 30, 60, 120))
DAY = date(2026, 8, 24)
COLUMNS = [
    "contact_id", "as_of", "horizon_days", "model_version", "p_purchase", "p_lapse",
    "p_within_7d", "p_within_14d", "p_within_30d", "p_within_60d", "p_within_120d",
    "p_alive", "expected_purchases", "next_purchase_date", "next_purchase_low", "next_purchase_high",
    "usual_gap_days", "days_since_purchase", "days_overdue", "expected_order_value", "value_at_risk", "clv_12m", "base",
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


def test_days_set_for_a_category_count_where_a_contacts_own_gaps_are_few(fitted, label_times, scores):
    features = label_times[0].features.assign(last_category="bread")
    features.loc[::2, "last_category"] = "beds"
    told = replace(SCORE, category_gap_days={"beds": 2900.0, "sofas": 1500.0})
    slower = fitted.predict(features, DAY, told)

    bed = (features["last_category"] == "beds").to_numpy()
    pd.testing.assert_frame_equal(slower[~bed], scores[~bed])
    rhythm = ["usual_gap_days", "days_overdue"]
    pd.testing.assert_frame_equal(slower.drop(columns=rhythm), scores.drop(columns=rhythm))
    gaps = features["frequency"].to_numpy()
    once, often = bed & (gaps == 0), bed & (gaps >= 8)
    assert once.any()
    assert often.any()
    assert np.allclose(slower.loc[once, "usual_gap_days"], 2900.0)
    assert (slower.loc[once, "days_overdue"] < 0).all()
    own = np.exp(features.loc[often, "gap_log_mean"])
    weight = 2.0 / (2.0 + gaps[often])
    assert np.allclose(slower.loc[often, "usual_gap_days"], own ** (1 - weight) * 2900.0**weight)


def test_days_set_for_a_category_need_the_category(fitted, label_times):
    features = label_times[0].features.drop(columns="last_category", errors="ignore")
    with pytest.raises(InputError, match="last_category"):
        fitted.predict(features, DAY, replace(SCORE, category_gap_days={"beds": 2900.0}))


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
    assert said["p_purchase"] == pytest.approx(3 / 50, rel=0.1)  # three of fifty, at every label time
    assert pd.isna(said["next_purchase_date"])
    assert pd.isna(said["usual_gap_days"])


def test_what_follows_a_first_purchase_counts_for_who_never_bought(fitted, label_times):
    """Three of fifty begin; what they then buy is worth as much as what any newcomer buys."""
    rows = label_times[0].features.head(3).copy()
    rows[[c for c in rows.columns if c != "contact_id"]] = np.nan
    rows["purchase_days"] = 0.0
    said = fitted.predict(rows, DAY, replace(SCORE, discount_rate=0.0))
    assert (said["expected_purchases"] > said["p_purchase"]).all()
    a_year = fitted.models.btyd.expected_purchases(0.0, 0.0, 0.0, 365.0)
    begin = fitted.curve(rows, [182.0, 365.0])
    bought = said["clv_12m"] / said["expected_order_value"]
    assert (bought > begin[:, 1] + 0.3 * a_year * begin[:, 0]).all()
    assert (bought < begin[:, 1] * (1.0 + a_year)).all()
    assert said["value_at_risk"].to_numpy() == pytest.approx(said["p_lapse"] * said["clv_12m"])
    alone = pd.concat([fitted.predict(rows.iloc[[i]], DAY, SCORE) for i in range(3)], ignore_index=True)
    assert alone.equals(fitted.predict(rows, DAY, SCORE))


def test_who_is_sure_to_begin_begins_once(fitted, label_times):
    """A hazard of 5 % a day is one first purchase soon, and not eighteen a year."""
    eager = replace(fitted, first_purchase=base_rate_model(0.05, HORIZON, "eager"))
    rows = label_times[0].features.head(1).copy()
    rows[[c for c in rows.columns if c != "contact_id"]] = np.nan
    rows["purchase_days"] = 0.0
    said = eager.predict(rows, DAY, SCORE).iloc[0]
    stake = said["value_at_risk"] / said["expected_order_value"] / said["p_lapse"]
    assert 1.0 < stake < 1.0 + fitted.models.btyd.expected_purchases(0.0, 0.0, 0.0, 365.0)


def test_a_repeat_buyer_whose_amounts_are_unknown_is_worth_what_the_base_is(fitted, label_times):
    rows = (
        label_times[0]
        .features.query("frequency > 2")
        .head(3)
        .assign(monetary_value=np.nan, order_value_mean=np.nan)
    )
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
    today, before = label_times

    def few(day):
        return [replace(t, features=t.features.head(15), waits=t.waits[:15]) for t in before(day)[:6]]

    model = fit_lapse_model(today, few, horizon_days=HORIZON, numeric_features=NUMERIC)
    assert model.hazard is None
    assert model.reactivation is None
    assert "too few" in model.info["status"]
    p = model.predict(today.features, DAY, SCORE)["p_purchase"]
    edges = np.array([float(HORIZON)])
    assert np.allclose(p, -np.expm1(log_silence(today.features, model.models, edges)[:, 0]))


def test_a_history_without_label_times_leaves_btyd_alone(label_times):
    model = fit_lapse_model(label_times[0], lambda day: [], horizon_days=HORIZON, numeric_features=NUMERIC)
    assert model.hazard is None
    assert "too short" in model.info["status"]
    assert model.predict(label_times[0].features, DAY, SCORE)["p_purchase"].between(0, 1).all()


def test_without_a_later_slice_the_weights_are_the_prior_ones(label_times):
    today, before = label_times

    def only_today(day):
        return before(day) if day == today.as_of else []

    model = fit_lapse_model(today, only_today, horizon_days=HORIZON, numeric_features=NUMERIC)
    assert "prior weights" in model.info["status"]
    assert sum(model.hazard.weights.values()) == pytest.approx(1.0)
    learned = {w for name, w in model.hazard.weights.items() if name != "btyd"}
    assert max(learned) == pytest.approx(min(learned))
    assert model.hazard.weights["btyd"] >= max(learned)


def test_direct_and_rolled_members_share_the_word(fitted):
    assert set(fitted.hazard.weights) == {
        "direct_boosting", "direct_logistic", "rolled_boosting", "rolled_logistic", "btyd"
    }  # fmt: skip
    assert sum(fitted.hazard.weights.values()) == pytest.approx(1.0)
    assert fitted.hazard.edges == interval_edges(HORIZON)


def test_what_was_not_seen_before_today_changes_nothing(label_times):
    """Waits beyond what a day could know are cut off by whoever gives the label times; today's are not read at all."""
    today, before = label_times
    blind = replace(today, waits=np.zeros_like(today.waits))
    a, b = (
        fit_lapse_model(t, before, horizon_days=HORIZON, numeric_features=NUMERIC).curve(today.features, [30])
        for t in (today, blind)
    )
    assert np.array_equal(a, b)


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


def test_nobody_is_late_for_days_on_which_the_shop_was_closed(fitted, label_times, scores):
    shut = fitted.predict(label_times[0].features.assign(closed_days_in_silence=10.0), DAY, SCORE)
    assert (shut["days_overdue"] == scores["days_overdue"] - 10).all()
    assert np.array_equal(shut["p_purchase"], scores["p_purchase"])


@pytest.fixture(scope="module")
def clockwork():
    """Buyers who come every 30 days, give or take one, until they leave: what is known of them today, and a model."""
    rng = np.random.default_rng(8)
    starts = rng.integers(0, 300, 500)
    shop = [start + np.cumsum(rng.normal(30.0, 1.0, 24)).astype(int) for start in starts]
    shop = [days[: rng.integers(4, 24)] for days in shop]
    today = label_time(shop, TODAY)
    return today, fit_lapse_model(today, seen_before(shop), horizon_days=HORIZON, numeric_features=NUMERIC)


def test_buyers_like_clockwork_are_not_told_by_a_model_of_chance(clockwork):
    """With labels in plenty the BTYD member is one like the others: where it fails clearly, it is dropped and named."""
    _, model = clockwork
    assert "btyd" in model.info["dropped"]
    assert "btyd" not in model.hazard.weights
    assert sum(model.hazard.weights.values()) == pytest.approx(1.0)


def test_buyers_like_clockwork_are_told_step_by_step(clockwork):
    """Intervals of two steps would be as long as what there is to tell: when in its month somebody comes."""
    today, model = clockwork
    assert model.hazard.edges == interval_edges(HORIZON, steps=1)
    coming = np.isfinite(today.waits)
    dates = model.predict(today.features[coming], DAY, SCORE)["next_purchase_date"]
    days = (dates - np.datetime64(DAY)).dt.days.to_numpy(float)
    assert np.median(np.abs(days - today.waits[coming])) <= step_days(HORIZON) / 2


def test_a_shop_that_was_closed_taught_nothing_meanwhile():
    """Two months without a purchase, and the weeks after them: what was learned then would call everybody lapsed."""
    closed = (490, 550)
    shop = [days[(days < closed[0]) | (days >= closed[1])] for days in buying_days()]
    shop = [days for days in shop if len(days)]
    today = label_time(shop, TODAY)
    active = today.features["days_since_purchase"] <= 2 * HORIZON
    bought = np.isfinite(today.waits[active]).mean()
    bias = {}
    for told in (None, closed):
        model = fit_lapse_model(
            today, seen_before(shop, told), horizon_days=HORIZON, numeric_features=NUMERIC
        )
        bias[told] = model.curve(today.features[active], [HORIZON])[:, 0].mean() - bought
    assert bias[None] < -0.05
    assert abs(bias[closed]) < abs(bias[None]) / 2


@pytest.mark.parametrize(("log_spread", "steps"), [(0.1, 1), (0.6, 1), (0.61, 2), (1.2, 2)])
def test_only_a_regular_base_pays_for_short_intervals(log_spread, steps):
    assert steps_each(log_spread) == steps
