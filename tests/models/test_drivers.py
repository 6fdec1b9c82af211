"""The drivers of a risk: coherent counterfactuals, true to the model that is asked, and no more than that."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from engaged import WINDOWS, Classifier, contacts, features_of
from shop import HORIZON

from winback_features.dictionary import feature_names, numeric_features
from winback_models.drivers import DRIVERS, driver_effects

NAMES = [driver.name for driver in DRIVERS]


@pytest.fixture(scope="module")
def shop():
    return contacts()


@pytest.fixture(scope="module")
def classifier(shop):
    features, bought, _ = shop
    return Classifier(features, bought)


@pytest.fixture(scope="module")
def effects(shop, classifier):
    return driver_effects(classifier, shop[0], HORIZON)


def otherwise(driver, features):
    """(rows for whom the fact holds, the same rows without it)."""
    before = features[driver.applies(features)]
    return before, driver.without(before)


def test_one_column_for_each_driver_in_the_order_of_the_rows(shop, effects):
    assert list(effects.columns) == ["contact_id", *(f"risk_from_{name}" for name in NAMES)]
    assert list(effects["contact_id"]) == list(shop[0]["contact_id"])
    assert len(set(NAMES)) == len(NAMES)
    assert np.isfinite(effects.drop(columns="contact_id").to_numpy()).all()


@pytest.mark.parametrize("driver", DRIVERS, ids=NAMES)
def test_an_effect_is_what_the_model_says_once_the_fact_is_gone(driver, shop, classifier, effects):
    features = shop[0]
    holds = driver.applies(features)
    assert 10 <= holds.sum() < len(features)
    before, after = otherwise(driver, features)
    moved = classifier.curve(after, [HORIZON])[:, 0] - classifier.curve(before, [HORIZON])[:, 0]
    assert np.array_equal(effects[driver.column][holds], moved)
    assert (effects[driver.column][~holds] == 0).all()
    assert (np.abs(moved) > 0.01).any(), "the model looks at it"


@pytest.mark.parametrize("driver", DRIVERS, ids=NAMES)
def test_without_the_fact_it_holds_no_more(driver, shop):
    _, after = otherwise(driver, shop[0])
    assert not driver.applies(after).any()


@pytest.mark.parametrize("driver", DRIVERS, ids=NAMES)
def test_a_counterfactual_is_a_contact_that_could_be(driver, shop):
    before, after = otherwise(driver, shop[0])
    assert list(after.columns) == list(before.columns)
    assert list(after["contact_id"]) == list(before["contact_id"])
    assert not before.equals(after)
    for stem, total, windows in (
        ("purchase_days", "purchase_days", WINDOWS),
        ("spend", "spend_total", (30, 90, 180, 365)),
        ("visit_days", "visit_days_90d", (30, 90)),
        ("active_days", "active_days_90d", (30, 90)),
    ):
        nested = after[[*(f"{stem}_{w}d" for w in windows), total]].to_numpy()
        assert (np.diff(nested, axis=1) >= -1e-9).all(), stem
        assert (nested >= 0).all()
    assert np.allclose(after["recency_days"] + after["days_since_purchase"], after["T_days"])
    assert np.array_equal(after["purchase_days"], after["frequency"] + 1)
    repeat = after[after["frequency"] > 0]
    assert np.allclose(repeat["gap_mean"] * repeat["frequency"], repeat["recency_days"])
    for mean in ("gap_mean", "gap_median", "gap_max"):
        assert np.allclose(repeat[f"silence_over_{mean}"] * repeat[mean], repeat["days_since_purchase"])
    for w in WINDOWS:
        inside = after["days_since_purchase"] <= w
        assert (after[f"purchase_days_{w}d"] >= 1).eq(inside).all(), "a purchase within w days, and only then"
    assert (
        after["days_since_activity"] <= after[["days_since_purchase", "days_since_visit"]].min(axis=1)
    ).all()
    ages = after[
        ["days_since_purchase", *(f"days_since_last_{n}_purchases" for n in (2, 3, 5, 10)), "T_days"]
    ]
    for n, name in zip((1, 2, 3, 5, 10), ages, strict=False):
        assert (ages[name].notna() == (after["purchase_days"] >= n)).all()
    assert (np.diff(ages.ffill(axis=1).to_numpy(), axis=1) >= -1e-9).all(), (
        "the last n began before the last n - 1"
    )
    for w in (7, 30, 90, 365):
        last = np.exp(-after["days_since_purchase"] / w)
        assert (after[f"purchase_days_decayed_{w}d"] >= last * (1 - 1e-9)).all()
        assert (after[f"purchase_days_decayed_{w}d"] <= after["purchase_days"] * last * (1 + 1e-9)).all()
    counted = [n for n in after if n.startswith(("purchase_days", "frequency", "orders")) or "clicks" in n]
    counted = [n for n in counted if "_decayed_" not in n]
    assert ((after[counted] == np.round(after[counted])) | after[counted].isna()).all(axis=None)


def test_what_a_driver_leaves_alone(shop):
    features = shop[0]
    moved = {}
    for driver in DRIVERS:
        before, after = otherwise(driver, features)
        same = [name for name in before if before[name].equals(after[name])]
        moved[driver.name] = set(before) - set(same)
    purchases = {"frequency", "days_since_purchase", "gap_mean", "purchase_days_90d", "spend_total"}
    assert moved["returns"] == {"returns", "return_share", "return_amount_share"}
    assert moved["service"] == {"service_contacts_90d", "days_since_service_contact"}
    assert not purchases & (moved["no_visit"] | moved["ignored_email"])
    assert not {"days_since_purchase", "frequency", "gap_mean"} & moved["small_last_order"]
    assert not {"days_since_purchase", "gap_mean", "silence_over_gap_mean"} & moved["few_purchases"]
    assert not {"frequency", "gap_mean", "recency_days", "gap_last"} & moved["silence"]
    assert "days_since_purchase" not in moved["buying_less"]
    faded = {name for name in features if "_decayed_" in name or name.startswith("days_since_last_")}
    assert all(moved[name] - faded <= set(feature_names()) for name in NAMES)


def test_a_history_moved_forward_is_the_history_of_a_later_start(shop):
    """The oracle: the same lists of days, each later by so much, counted anew."""
    features, _, lives = shop
    silence = next(driver for driver in DRIVERS if driver.name == "silence")
    rows = np.flatnonzero(silence.applies(features))
    after = silence.without(features.iloc[rows])
    for place, row in list(enumerate(rows))[:60]:
        days, *rest = lives[row]
        shift = int(features["days_since_purchase"][row] - after["days_since_purchase"].iloc[place])
        exact = features_of([d + shift for d in days], *rest, 500)
        got = after.iloc[place]
        faded = [name for name in after if "_decayed_" in name or name.startswith("days_since_last_")]
        assert len(faded) == 10
        told = ("T_days", "recency_days", "gap_mean", "silence_over_gap_max", "frequency", "spend_total")
        for name in (*told, *faded):
            assert got[name] == pytest.approx(exact[name], nan_ok=True), name
        for w in WINDOWS:  # between the windows before and after the shifted one nothing finer is known
            known = [features[f"purchase_days_{v}d"][row] for v in WINDOWS]
            low = max([k for k, v in zip(known, WINDOWS, strict=True) if v <= w + shift], default=0)
            high = min(
                [k for k, v in zip(known, WINDOWS, strict=True) if v >= w + shift],
                default=exact["purchase_days"],
            )
            assert low <= exact[f"purchase_days_{w}d"] <= high
            assert low <= got[f"purchase_days_{w}d"] <= high


def test_the_pace_that_was_by_hand():
    contact = {
        "contact_id": "c", "frequency": 11.0, "purchase_days": 12.0, "days_since_purchase": 30.0, "T_days": 250.0,
        "recency_days": 220.0, "gap_mean": 20.0, "purchase_days_30d": 1.0, "purchase_days_60d": 2.0,
        "purchase_days_90d": 2.0, "purchase_days_180d": 11.0, "gap_trend": 2.5,
    }  # fmt: skip
    slower = next(driver for driver in DRIVERS if driver.name == "buying_less")
    after = slower.without(pd.DataFrame([contact])).iloc[0]
    # 9 purchase days in the 90 before; at that pace 6 in the 60 days up to the last purchase, where there were 2.
    assert after["purchase_days_90d"] == 6
    assert after["purchase_days_60d"] == 4
    assert after["purchase_days_30d"] == 1
    assert after["purchase_days_180d"] == 15
    assert after["frequency"] == 15
    assert after["gap_mean"] == pytest.approx(220 / 15)
    assert after["gap_trend"] == 1


def test_unknown_is_no_fact():
    nothing = pd.DataFrame([{"contact_id": "c", **dict.fromkeys(numeric_features(), np.nan)}])
    assert not any(driver.applies(nothing).any() for driver in DRIVERS)
    assert not any(driver.applies(nothing[["contact_id"]]).any() for driver in DRIVERS)


def test_only_those_for_whom_it_holds_are_asked_again(shop, classifier):
    features = shop[0].head(50)
    classifier.asked = 0
    driver_effects(classifier, features, HORIZON)
    assert classifier.asked == 50 + sum(driver.applies(features).sum() for driver in DRIVERS)


def test_nobody_and_batches(shop, classifier, effects):
    features = shop[0]
    assert driver_effects(classifier, features.head(0), HORIZON).empty
    parts = [driver_effects(classifier, features[i : i + 37], HORIZON) for i in range(0, len(features), 37)]
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), effects)


def test_the_lapse_model_itself_is_asked(fitted, label_times):
    """On the fitted model: taking each fact away moves its own score just so, and silence is what raises a risk."""
    features = label_times[0].features
    effects = driver_effects(fitted, features, HORIZON)
    p = fitted.predict(features, date(2026, 8, 24), _score())["p_purchase"].to_numpy()
    for driver in DRIVERS:
        holds = driver.applies(features)
        if holds.any():
            again = fitted.predict(driver.without(features[holds]), date(2026, 8, 24), _score())
            assert np.allclose(effects[driver.column][holds], again["p_purchase"] - p[holds], atol=1e-12)
    at_risk = (p < 0.5) & (fitted.base(features) == "active")
    assert at_risk.sum() > 20
    late = at_risk & (features["days_since_purchase"] > 2 * features["gap_mean"]).to_numpy()
    assert (effects["risk_from_silence"][late] > 0).mean() > 0.9


def _score():
    from winback_models.config import ScoreConfig

    return ScoreConfig(horizon_days=HORIZON, curve_days=(7, HORIZON))
