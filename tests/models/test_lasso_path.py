"""The lasso from sums is scikit-learn's lasso on the rows, and models are averaged by what they foretell."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Lasso

from winback_models.lasso_path import Products, pseudo_bma, top_penalty


def rows(n: int = 300, d: int = 6, seed: int = 0):
    rng = np.random.default_rng(seed)
    columns = rng.standard_normal((n, d)) @ (np.eye(d) + 0.3 * rng.standard_normal((d, d)))
    return (
        columns,
        columns[:, 0] - 0.5 * columns[:, 1] + rng.standard_normal(n) + 2.0,
        rng.uniform(0.2, 3.0, n),
    )


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
def test_the_path_is_that_of_the_rows(share):
    columns, target, weight = rows()
    sums = Products.of(columns, target, weight)
    penalty = share * top_penalty(sums)
    constants, slopes = sums.path(np.array([penalty]))
    rival = Lasso(alpha=penalty, tol=1e-8).fit(columns, target, sample_weight=weight)
    assert slopes[:, 0] == pytest.approx(rival.coef_, abs=2e-3)
    assert constants[0] == pytest.approx(rival.intercept_, abs=5e-3)


def test_at_the_top_nothing_is_left_and_below_it_something_is():
    columns, target, weight = rows()
    sums = Products.of(columns, target, weight)
    constants, slopes = sums.path(top_penalty(sums) * np.array([1.0, 0.9]))
    assert not slopes[:, 0].any()
    assert np.count_nonzero(slopes[:, 1]) == 1
    assert constants[0] == pytest.approx(np.average(target, weights=weight))


@pytest.mark.parametrize("kind", ["constant", "twice", "all constant"])
def test_columns_that_say_nothing_new_do_no_harm(kind):
    columns, target, weight = rows()
    known = np.column_stack([columns, columns[:, 0] if kind == "twice" else np.ones(len(columns))])
    if kind == "all constant":
        known = np.ones((len(columns), 2))
    sums = Products.of(known, target, weight)
    constants, slopes = sums.path(np.array([0.02]))
    said = constants[0] + known @ slopes[:, 0]
    plain = Products.of(columns, target, weight).path(np.array([0.02]))
    wanted = (
        np.average(target, weights=weight)
        if kind == "all constant"
        else plain[0][0] + columns @ plain[1][:, 0]
    )
    assert said == pytest.approx(wanted, abs=5e-3)


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=6), st.integers(0, 5))
def test_the_averages_sum_to_one_and_prefer_the_nearer(shifts, seed):
    target = np.random.default_rng(seed).standard_normal(40)
    foretold = np.column_stack([target + shift for shift in shifts])
    share = pseudo_bma(foretold, target, np.ones(40))
    assert share.sum() == pytest.approx(1.0)
    assert (share >= 0).all()
    order = np.argsort(np.abs(shifts), kind="stable")
    assert (np.diff(share[order]) <= 1e-9).all()


def test_models_that_foretell_alike_weigh_alike():
    target = np.arange(10.0)
    foretold = np.column_stack([target + 1, target - 1, target + 1])
    assert pseudo_bma(foretold, target, np.ones(10)) == pytest.approx(np.full(3, 1 / 3))
