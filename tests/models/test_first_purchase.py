"""The first purchase: a simulated shop whose daily hazard is known, what a fit steps back to, and what always holds."""

import json
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from winback_models.first_purchase import base_rate_model, fit_first_purchase
from winback_models.label_time import LabelTime

HORIZON = 60
NUMERIC = (
    "frequency",
    "days_since_purchase",
    "tenure_days",
    "visit_days_30d",
    "days_since_visit",
    "carts_30d",
)
TODAY = 440
EVERY = 40


def shop(contacts, seed, interest=3.0, level=1.0, days=TODAY + HORIZON):
    """Look around, and buy the more likely the fresher that is: (first day, visits, carts, day of first purchase)."""
    rng = np.random.default_rng(seed)
    start, keen = rng.integers(-200, days - HORIZON, contacts), rng.gamma(0.7, 1.0, contacts)
    here = np.arange(days) >= start[:, None]
    visits = here & (rng.random((contacts, days)) < 0.03 * keen[:, None])
    carts = visits & (rng.random((contacts, days)) < 0.2)
    heat = np.zeros((contacts, days))
    for t in range(1, days):
        heat[:, t] = 0.95 * heat[:, t - 1] + visits[:, t - 1] + 2.0 * carts[:, t - 1]
    buys = here & (rng.random((contacts, days)) < level * 0.0007 * (1.0 + interest * heat))
    return start, visits, carts, np.where(buys.any(axis=1), buys.argmax(axis=1), 10 * days)


def window(made, day):
    start, visits, carts, first = made
    rows = np.flatnonzero((first >= day) & (start < day))
    seen = visits[rows, :day]
    features = pd.DataFrame(
        {
            "contact_id": [f"c{i:05}" for i in rows],
            "frequency": 0.0,
            "days_since_purchase": np.nan,
            "tenure_days": (day - start[rows]).astype(float),
            "visit_days_30d": seen[:, -30:].sum(axis=1).astype(float),
            "days_since_visit": np.where(seen.any(axis=1), seen[:, ::-1].argmax(axis=1) + 1.0, np.nan),
            "carts_30d": carts[rows, day - 30 : day].sum(axis=1).astype(float),
        }
    )
    waits = np.where(first[rows] < day + HORIZON, first[rows] - day, np.inf).astype(float)
    return features, waits


def label_time(made, day):
    never, waits = window(made, day)
    return LabelTime(
        date(2025, 1, 1) + timedelta(days=day), pd.DataFrame(), np.array([]), None, HORIZON, never, waits
    )


def closed(made):
    return [label_time(made, day) for day in range(TODAY - HORIZON, 60, -EVERY)]


def fit(times, **changes):
    return fit_first_purchase(
        times, **{"horizon_days": HORIZON, "numeric_features": NUMERIC, "seed": 0, **changes}
    )


@pytest.fixture(scope="module")
def made():
    return shop(2500, seed=6)


@pytest.fixture(scope="module")
def model(made):
    return fit(closed(made))


def test_who_looks_around_is_more_likely_to_buy(model, made):
    later = pd.concat([window(made, TODAY)[0].iloc[:1]] * 3, ignore_index=True)
    later["visit_days_30d"], later["days_since_visit"] = [0.0, 2.0, 6.0], [120.0, 10.0, 1.0]
    later["carts_30d"] = [0.0, 0.0, 2.0]
    p = model.p_within(later, [HORIZON])[:, 0]
    assert p[0] < p[1] < p[2]
    assert np.all(np.diff(model.quantile(later, 0.5)) < 0)
    assert set(model.columns) == {"tenure_days", "visit_days_30d", "days_since_visit", "carts_30d"}


def test_better_than_the_base_rate_on_later_contacts_and_calibrated(model, made):
    features, waits = window(shop(6000, seed=77), TODAY)
    days = np.arange(5, HORIZON + 1, 5)
    bought = waits[:, None] < days
    p = model.p_within(features, days)
    assert roc_auc_score(bought[:, -1], p[:, -1]) > 0.62
    base = replace(model, members={}, weights={"base_rate": 1.0}).p_within(features, days)
    assert np.mean((p - bought) ** 2) < 0.99 * np.mean((base - bought) ** 2)
    fitted_on = np.mean([np.isfinite(t.never_waits).mean() for t in closed(made)])
    for part in np.array_split(np.argsort(p[:, -1]), 3):
        said, seen = p[part, -1].mean(), bought[part, -1].mean()
        error = np.sqrt(said * (1 - said) / len(part)) + said * np.sqrt(1 / (fitted_on * 2500))
        assert abs(said - seen) < 3.5 * error


def test_beyond_the_horizon_the_last_hazard_goes_on(model, made):
    features = window(made, TODAY)[0].iloc[:40]
    log_silent = np.log1p(-model.p_within(features, [model.edges[-2], 60.0, 90.0, 160.0]))
    daily = np.diff(log_silent, axis=1) / [60 - model.edges[-2], 30, 70]
    np.testing.assert_allclose(daily[:, 1:], daily[:, :1].repeat(2, axis=1), rtol=1e-9)


@given(
    st.lists(st.floats(0, 2000), min_size=2, max_size=8),
    st.integers(0, 10**6),
    st.floats(0.001, 0.999),
)
def test_a_curve_never_falls_stays_a_probability_and_its_quantile_inverts_it(model, days, seed, q):
    rng = np.random.default_rng(seed)
    features = pd.DataFrame({name: rng.lognormal(2, 3, 4) for name in NUMERIC})
    features = features.mask(pd.DataFrame(rng.random(features.shape) < 0.3, columns=features.columns))
    p = model.p_within(features, sorted(days))
    assert np.all((p >= 0) & (p <= 1))
    assert np.all(np.diff(p, axis=1) >= -1e-12)
    at = model.quantile(features, q)
    np.testing.assert_allclose([model.p_within(features, [d])[i, 0] for i, d in enumerate(at)], q, atol=1e-9)


def test_a_score_does_not_depend_on_the_batch_and_a_fit_not_on_the_order_of_rows(model, made):
    features = window(made, TODAY)[0]
    whole = model.p_within(features, [30, 60])
    np.testing.assert_array_equal(model.p_within(features.iloc[[5]], [30, 60]), whole[[5]])
    np.testing.assert_array_equal(model.p_within(features.iloc[::-1], [30, 60]), whole[::-1])
    mixed = []
    for i, t in enumerate(closed(made)):
        order = np.random.default_rng(i).permutation(len(t.never_waits))
        mixed.append(replace(t, never=t.never.iloc[order], never_waits=t.never_waits[order]))
    np.testing.assert_array_equal(fit(mixed).p_within(features, [30, 60]), whole)


def test_buyers_of_old_windows_are_all_kept_when_rows_are_thinned(made, model, monkeypatch):
    monkeypatch.setattr("winback_models.first_purchase.ROWS", 4000)
    features = window(made, TODAY)[0]
    thinned = fit(closed(made)).p_within(features, [HORIZON])
    whole = model.p_within(features, [HORIZON])
    assert not np.array_equal(thinned, whole)
    assert abs(thinned.mean() / whole.mean() - 1) < 0.1


def test_interest_that_says_nothing_is_not_believed():
    unmoved = shop(2000, seed=10, interest=0.0, level=2.0)
    model = fit(closed(unmoved))
    assert "failed on a later slice" in model.status
    assert model.columns == ()
    p = model.p_within(window(unmoved, TODAY)[0], [HORIZON])
    assert np.ptp(p) == 0
    assert p[0, 0] == pytest.approx(-np.expm1(-2.0 * 0.0007 * HORIZON), rel=0.15)


def test_few_first_purchases_give_the_shrunk_base_rate_and_say_so():
    times = closed(shop(200, seed=3, level=0.3))
    model = fit(times)
    waits = np.concatenate([t.never_waits for t in times])
    first, exposure = np.isfinite(waits).sum(), np.minimum(waits, HORIZON).sum()
    assert model.daily_rate == pytest.approx((first + 0.5) / (exposure + 10 * HORIZON))
    bought = {i for t in times for i in t.never["contact_id"][np.isfinite(t.never_waits)]}
    assert model.status.startswith(f"base rate: {len(bought)} first purchases after {len(times)} label times")
    assert model.columns == ()


def test_a_logistic_regression_speaks_before_trees_do():
    model = fit(closed(shop(600, seed=8, level=0.5)))
    assert set(model.members) == {"logistic"}
    assert "logistic" in model.status


def test_one_closed_label_time_gives_equal_weights(made):
    model = fit(closed(made)[:1])
    assert "no later slice" in model.status
    assert set(model.weights.values()) == {0.5}


def test_contacts_that_all_buy_at_once_teach_nothing(made):
    times = [replace(t, never_waits=np.zeros(len(t.never_waits))) for t in closed(made)]
    model = fit(times)
    assert "too few to learn from" in model.status
    assert model.p_within(pd.DataFrame(index=[0]), [HORIZON])[0, 0] > 0.9


def test_nothing_known_tells_contacts_apart(made):
    model = fit(closed(made), numeric_features=("frequency", "days_since_purchase"))
    assert "nothing known tells such contacts apart" in model.status


@pytest.mark.parametrize("times", [[], [LabelTime(date(2025, 1, 1), pd.DataFrame(), np.array([]), None, 60)]])
def test_no_contact_without_a_purchase(times):
    model = fit(times)
    assert model.daily_rate == pytest.approx(0.5 / (10 * HORIZON))
    assert "no closed label time" in model.status
    assert model.p_within(pd.DataFrame(), [30]).shape == (0, 1)
    assert model.quantile(pd.DataFrame(), 0.5).shape == (0,)


def test_no_contact_to_score(model, made):
    none = window(made, TODAY)[0].iloc[:0]
    assert model.p_within(none, [30, 60]).shape == (0, 2)
    assert model.quantile(none, 0.5).shape == (0,)


@given(st.floats(1e-6, 0.1), st.integers(5, 365), st.floats(0, 1000))
def test_a_base_rate_is_an_exponential(rate, horizon, days):
    model = base_rate_model(rate, horizon, "base rate")
    p = model.p_within(pd.DataFrame(index=range(2)), [days])
    np.testing.assert_allclose(p, -np.expm1(-rate * days), rtol=1e-9, atol=1e-12)


def test_it_is_described_in_json(model):
    said = json.loads(json.dumps(model.as_dict(), allow_nan=False))
    assert said["columns"] == list(model.columns)
    assert sum(said["weights"].values()) == pytest.approx(1.0)
    assert said["status"] == model.status
