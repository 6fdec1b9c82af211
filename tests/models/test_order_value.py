"""Gamma-Gamma: published numbers, the fallback where its assumption fails, and money that came after a cut."""

import json
import pickle
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from winback_models.order_value import OrderValueModel, fit_order_value, learn_order_value


@pytest.fixture(scope="module")
def cdnow_cut():
    """Buyers of the CDNOW sample by 1997-09-30, and their purchase days and money in the nine months after."""
    with (files("lifetimes") / "datasets" / "CDNOW_sample.txt").open("rb") as stream:
        rows = pd.read_csv(
            stream, sep=r"\s+", header=None, names=["_", "id", "day", "cds", "amount"], dtype=str
        )
    rows = rows.assign(amount=rows["amount"].astype(float))
    days = rows.groupby(["id", "day"])["amount"].sum()
    days = days[days > 0].reset_index()
    past, later = (
        g["amount"]
        for g in (days[days["day"] <= "19970930"].groupby("id"), days[days["day"] > "19970930"].groupby("id"))
    )
    repeat = days[days["day"] <= "19970930"].assign(first=lambda d: ~d["id"].duplicated())
    buyers = pd.DataFrame({"purchase_days": past.size(), "order_value_mean": past.mean()})
    buyers["frequency"] = buyers["purchase_days"] - 1
    buyers["monetary_value"] = repeat[~repeat["first"]].groupby("id")["amount"].mean()
    return buyers.assign(later_days=later.size(), later_spend=later.sum()).fillna(
        {"later_days": 0, "later_spend": 0}
    )


def poisson_deviance(actual, expected, weight):
    return float(np.average(2 * (actual * np.log(actual / expected) - actual + expected), weights=weight))


def test_cdnow_gives_the_published_parameters(cdnow_spend):
    model = fit_order_value(cdnow_spend["x"], cdnow_spend["zbar"])
    assert model.kind == "gamma_gamma"
    assert model.n_contacts == 946
    assert (model.p, model.q, model.gamma) == pytest.approx((6.25, 3.74, 15.44), abs=0.01)
    assert model.log_likelihood == pytest.approx(-4055.92, abs=0.01)
    assert model.correlation == pytest.approx(0.11, abs=0.01)  # Fader & Hardie 2013 give .11
    assert model.reason.startswith("Gamma-Gamma: spend does not go with frequency (r = 0.11")


def test_money_after_the_cut_is_foretold(cdnow_cut):
    model = learn_order_value(cdnow_cut)
    came = cdnow_cut[cdnow_cut["later_days"] > 0]
    expected = model.of(came)
    assert (expected * came["later_days"]).sum() / came["later_spend"].sum() == pytest.approx(1.0, abs=0.1)
    by_tenth = pd.DataFrame({"said": expected * came["later_days"], "came": came["later_spend"]})
    tenths = by_tenth.groupby(pd.qcut(expected, 5, labels=False)).sum()
    assert ((tenths["said"] / tenths["came"]).between(0.7, 1.3)).all()


def test_the_first_order_tells_what_a_one_time_buyer_spends(cdnow_cut):
    """Measured against the model that reads repeat orders only, and so says the same of every one-time buyer."""
    came = cdnow_cut[cdnow_cut["later_days"] > 0]
    actual = came["later_spend"] / came["later_days"]
    whole = learn_order_value(cdnow_cut)
    repeat_only = fit_order_value(cdnow_cut["frequency"], cdnow_cut["monetary_value"])
    once = came["frequency"] == 0
    assert np.ptp(repeat_only.of(came[once])) == 0 < np.ptp(whole.of(came[once]))
    deviances = [poisson_deviance(actual, m.of(came), came["later_days"]) for m in (whole, repeat_only)]
    assert deviances[0] < 0.97 * deviances[1]


def test_spend_that_grows_with_frequency_refuses_gamma_gamma():
    rng = np.random.default_rng(1)
    n = rng.integers(1, 20, 500).astype(float)
    model = fit_order_value(n, 5.0 * n + rng.gamma(2.0, 2.0, 500))
    assert model.correlation > 0.9
    assert model.kind == "empirical_bayes"
    assert "spend goes with frequency" in model.reason
    few, many = model.expected([1.0, 1000.0], [100.0, 100.0])
    assert abs(many - 100.0) < abs(few - 100.0)


def test_a_giant_order_cannot_hide_that_spend_goes_with_frequency():
    rng = np.random.default_rng(2)
    n = rng.integers(1, 20, 500).astype(float)
    mean = 5.0 * n + rng.gamma(2.0, 2.0, 500)
    n[0], mean[0] = 1.0, 77_183.0
    model = fit_order_value(n, mean)
    assert abs(model.correlation) < 0.3 < model.rank_correlation
    assert model.kind == "empirical_bayes"


@pytest.mark.parametrize("size", [50, 200, 1000])
def test_a_giant_order_does_not_ruin_the_others(size):
    rng = np.random.default_rng(5)
    n = rng.integers(1, 6, size).astype(float)
    own = rng.lognormal(3.4, 0.5, size)
    mean = own * rng.gamma(4 * n, 1 / (4 * n))
    planted = np.r_[1.0, n], np.r_[77_183.0, mean]
    plain, struck = fit_order_value(n, mean), fit_order_value(*planted)
    ratio = struck.expected(n, mean).sum() / plain.expected(n, mean).sum()
    assert ratio == pytest.approx(1.0, abs=0.25)
    assert float(struck.expected([1.0], [77_183.0])[0]) < 2_000.0


def test_the_empirical_bayes_weight_is_the_ratio_of_variances():
    """Log-means drawn with a spread of .5 between contacts and 1.0 within them: four orders weigh as much as the base."""
    rng = np.random.default_rng(8)
    n = rng.integers(1, 30, 20_000).astype(float)
    mean = np.exp(rng.normal(3.0, 0.5, n.size) + rng.normal(0, 1, n.size) / np.sqrt(n)) * n**2.0
    model = fit_order_value(n, mean / n**2.0)
    assert model.prior_orders == pytest.approx(4.0, rel=0.1)


@given(st.integers(0, 500), st.floats(0.01, 1e5))
def test_the_expected_value_lies_between_the_base_and_the_own_mean(n, mean):
    model = OrderValueModel("gamma_gamma", p=6.25, q=3.74, gamma=15.44)
    base = float(model.expected([0], [np.nan])[0])
    assert base == pytest.approx(6.25 * 15.44 / 2.74)
    own = float(model.expected([n], [mean])[0])
    low, high = min(base, mean), max(base, mean)
    assert low - 1e-9 <= own <= high + 1e-9


@pytest.mark.parametrize(
    "rows", [([], []), ([0.0], [np.nan]), ([2.0], [9.0]), ([1.0, 1.0, 1.0], [5.0, 5.0, 5.0])]
)
def test_little_data_give_a_finite_value(rows):
    model = fit_order_value(*rows)
    assert model.kind == "empirical_bayes"
    assert np.isfinite(model.expected([0.0, 3.0], [np.nan, 7.0])).all()
    assert "too few" in model.reason


def test_one_price_for_nearly_all_does_not_cut_the_others_off():
    mean = np.r_[np.full(95, 10.0), np.full(5, 25.0)]
    model = fit_order_value(np.full(100, 20.0), mean)
    assert float(model.expected([20.0], [25.0])[0]) > 23.0


def test_contacts_whose_amounts_are_unknown_are_worth_what_the_base_is():
    model = OrderValueModel("empirical_bayes", base_mean=30.0, columns=("purchase_days", "order_value_mean"))
    features = pd.DataFrame(
        {"purchase_days": [4, None, 2], "order_value_mean": [None, None, 60.0]}, dtype="Float64"
    )
    assert model.of(features) == pytest.approx([30.0, 30.0, 50.0])


def test_a_pickle_of_the_first_version_loads_and_agrees():
    """That version had nine fields, and read repeat orders only."""
    old = ["gamma_gamma", 6.25, 3.74, 15.44, 35.0, 2.0, 0.1, -4055.92, 946]
    model = OrderValueModel.__new__(OrderValueModel)
    model.__setstate__(old)
    assert model == OrderValueModel(*old)
    assert model.columns == ("frequency", "monetary_value")
    assert float(model.expected([1], [1e6])[0]) > 6e5  # no limit then, and none now


def test_what_is_kept_comes_back(cdnow_cut):
    model = learn_order_value(cdnow_cut)
    assert pickle.loads(pickle.dumps(model)) == model
    assert json.loads(json.dumps(model.as_dict()))["columns"] == ["purchase_days", "order_value_mean"]
    assert fit_order_value([], []).as_dict()["most"] is None
