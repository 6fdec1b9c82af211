"""Gamma-Gamma: published numbers, and the fallback where its assumption fails."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from winback_models.order_value import OrderValueModel, fit_order_value


def test_cdnow_gives_the_published_parameters(cdnow_spend):
    model = fit_order_value(cdnow_spend["x"], cdnow_spend["zbar"])
    assert model.kind == "gamma_gamma"
    assert model.n_contacts == 946
    assert (model.p, model.q, model.gamma) == pytest.approx((6.25, 3.74, 15.44), abs=0.01)
    assert model.log_likelihood == pytest.approx(-4055.92, abs=0.01)


def test_spend_that_grows_with_frequency_refuses_gamma_gamma():
    rng = np.random.default_rng(1)
    n = rng.integers(1, 20, 500).astype(float)
    model = fit_order_value(n, 5.0 * n + rng.gamma(2.0, 2.0, 500))
    assert model.correlation > 0.9
    assert model.kind == "empirical_bayes"
    few, many = model.expected([1.0, 1000.0], [100.0, 100.0])
    assert abs(many - 100.0) < abs(few - 100.0)


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
