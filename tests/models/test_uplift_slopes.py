"""Slopes of which most are nil: against the closed form, against all subsets, and where there is nothing; and the averages."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from scipy.stats import multivariate_normal

from winback_models.uplift_slopes import EXPECTED, SIZES, Products, pseudo_bma, sparse_slopes


def rows(n: int = 400, d: int = 4, seed: int = 0, mixed: float = 0.3):
    rng = np.random.default_rng(seed)
    columns = rng.standard_normal((n, d)) @ (np.eye(d) + mixed * rng.standard_normal((d, d)))
    target = 0.2 * columns[:, 0] - 0.1 * columns[:, 1] + rng.standard_normal(n) + 2.0
    return columns, target, rng.uniform(0.2, 3.0, n)


def by_all_subsets(columns, target, likely):
    """Return the posterior means by adding up every subset of slopes, as the density of the rows themselves; weights all 1."""
    n, d = columns.shape
    width, variance = columns.std(axis=0), target.var()
    scaled, rest = (columns - columns.mean(axis=0)) / width, target - target.mean()
    slopes, evidence = [], []
    for expected, size in product(EXPECTED, SIZES):
        chance = np.clip(expected * likely / likely.sum(), 1e-4, 0.9)
        spread = size * variance / n
        for there in product([False, True], repeat=d):
            some = np.array(there)
            cover = variance * np.eye(n) + spread * scaled[:, some] @ scaled[:, some].T
            prior = np.log(np.where(some, chance, 1 - chance)).sum()
            evidence.append(prior + multivariate_normal.logpdf(rest, cov=cover))
            found = np.zeros(d)
            inner = scaled[:, some].T @ scaled[:, some] + np.eye(some.sum()) * variance / spread
            found[some] = np.linalg.solve(inner, scaled[:, some].T @ rest)
            slopes.append(found)
    return softmax(evidence) @ np.array(slopes) / width


@pytest.mark.parametrize(("mixed", "near"), [(0.0, 0.01), (0.15, 0.03)])
def test_the_slopes_are_those_of_all_subsets(mixed, near):
    columns, target, _ = rows(n=60, d=2, mixed=mixed, seed=3)
    if mixed == 0.0:  # columns that have nothing to do with each other: then the posterior is exact
        columns = np.linalg.qr(columns - columns.mean(axis=0))[0] * 5
    likely = np.array([1.0, 0.3])
    constant, slopes = sparse_slopes(Products.of(columns, target, np.ones(60)), likely)
    assert slopes == pytest.approx(by_all_subsets(columns, target, likely), abs=near)
    assert constant == pytest.approx(target.mean() - columns.mean(axis=0) @ slopes)


def test_with_many_rows_they_are_least_squares_and_nil():
    columns, target, weight = rows(n=40_000, d=6)
    constant, slopes = sparse_slopes(Products.of(columns, target, weight), np.ones(6))
    root = np.sqrt(weight)[:, None]
    known = np.column_stack([np.ones(len(target)), columns[:, :2]]) * root
    plain = np.linalg.lstsq(known, target * root[:, 0])[0]
    assert [constant, *slopes[:2]] == pytest.approx(plain.tolist(), abs=2e-3)
    assert np.abs(slopes[2:]).max() < 2e-3


def test_what_is_likelier_is_believed_sooner():
    columns, target, weight = rows(seed=5)
    sums = Products.of(columns, target, weight)
    sooner = sparse_slopes(sums, np.array([1.0, 1.0, 0.1, 0.1]))[1]
    later = sparse_slopes(sums, np.array([0.1, 0.1, 1.0, 1.0]))[1]
    assert abs(sooner[1]) > 1.1 * abs(later[1]) > 0


@settings(max_examples=settings.default.max_examples // 5, deadline=None)
@given(st.integers(0, 50), st.floats(0.01, 100), st.floats(-50, 50))
def test_units_of_columns_and_target_change_nothing(seed, scale, shift):
    columns, target, weight = rows(seed=seed, n=100)
    constant, slopes = sparse_slopes(Products.of(columns, target, weight), np.ones(4))
    moved = Products.of(columns * scale + shift, 3.0 * target, 7.0 * weight)
    again, found = sparse_slopes(moved, np.ones(4))
    said = again + (columns * scale + shift) @ found
    assert said == pytest.approx(3.0 * (constant + columns @ slopes), abs=1e-4)


@pytest.mark.parametrize("kind", ["constant column", "all constant", "constant target", "twice"])
def test_columns_that_say_nothing_new_do_no_harm(kind):
    columns, target, weight = rows()
    known = {
        "constant column": np.column_stack([columns, np.ones(len(columns))]),
        "all constant": np.ones((len(columns), 3)),
        "constant target": columns,
        "twice": np.column_stack([columns, columns]),
    }[kind]
    if kind == "constant target":
        target = np.full(len(target), 2.0)
    constant, slopes = sparse_slopes(Products.of(known, target, weight), np.ones(known.shape[1]))
    said = constant + known @ slopes
    assert np.isfinite(said).all()
    if kind in ("all constant", "constant target"):
        assert said == pytest.approx(np.full(len(said), np.average(target, weights=weight)), abs=1e-6)
    else:
        plain = sparse_slopes(Products.of(columns, target, weight), np.ones(4))
        assert said == pytest.approx(plain[0] + columns @ plain[1], abs=0.1)


def test_where_there_is_nothing_hardly_anything_is_found():
    rng = np.random.default_rng(1)
    sizes = []
    for _ in range(20):
        columns, target = rng.standard_normal((500, 20)), rng.standard_normal(500)
        slopes = sparse_slopes(Products.of(columns, target, np.ones(500)), np.ones(20))[1]
        plain = np.linalg.lstsq(columns, target)[0]
        sizes.append(np.linalg.norm(slopes) / np.linalg.norm(plain))
    assert np.mean(sizes) < 0.35


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=6), st.integers(0, 5))
def test_the_averages_sum_to_one_and_prefer_the_nearer(shifts, seed):
    target = np.random.default_rng(seed).standard_normal(40)
    foretold = np.column_stack([target + shift for shift in shifts])
    share = pseudo_bma(foretold, target, np.ones(40))
    assert share.sum() == pytest.approx(1.0)
    assert (share >= 0).all()
    order = np.argsort(np.abs(shifts), kind="stable")
    assert (np.diff(share[order]) <= 1e-9).all()


def test_models_that_foretell_alike_weigh_as_they_did_before():
    target = np.arange(10.0)
    foretold = np.column_stack([target + 1, target - 1, target + 1])
    assert pseudo_bma(foretold, target, np.ones(10)) == pytest.approx(np.full(3, 1 / 3))
    odds = np.array([6.0, 1.0, 1.0])
    assert pseudo_bma(foretold, target, np.ones(10), odds) == pytest.approx(odds / 8)
