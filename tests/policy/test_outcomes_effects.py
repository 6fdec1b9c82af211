"""Effects against published numbers, against scipy and a bootstrap, and their coverage and error rates by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from winback_policy.outcomes.balance import covariate_balance, sample_ratio
from winback_policy.outcomes.cells import Metric
from winback_policy.outcomes.comparison import compare
from winback_policy.outcomes.effects import Interval, difference_of_means, difference_of_shares, mean, wilson
from winback_policy.outcomes.moments import Sums, added
from winback_policy.outcomes.money import difference_of_money, mean_of_money
from winback_policy.outcomes.multiple import heterogeneity, holm
from winback_policy.outcomes.sequential import always_valid

RUNS = 1_000

NEWCOMBE = [
    ((56, 70), (48, 80), 0.0524, 0.3339),
    ((9, 10), (3, 10), 0.1705, 0.8090),
    ((6, 7), (2, 7), 0.0582, 0.8062),
    ((5, 56), (0, 29), -0.0381, 0.1926),
    ((0, 10), (0, 20), -0.1611, 0.2775),
    ((0, 10), (0, 10), -0.2775, 0.2775),
    ((10, 10), (0, 20), 0.6791, 1.0000),
    ((10, 10), (0, 10), 0.6075, 1.0000),
]
"""Newcombe (1998), table II, method 10."""


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20260101)


def yes(k: int, n: int) -> Sums:
    return Sums(n, float(k), float(k))


@pytest.mark.parametrize(("ours", "theirs", "low", "high"), NEWCOMBE)
def test_the_difference_of_shares_has_the_published_bounds(
    ours: tuple[int, int], theirs: tuple[int, int], low: float, high: float
) -> None:
    found = difference_of_shares(yes(*ours), yes(*theirs))
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@given(k=st.integers(0, 50), more=st.integers(0, 50), j=st.integers(0, 50), rest=st.integers(0, 50))
def test_the_bounds_hold_the_estimate_and_turn_with_the_arms(k: int, more: int, j: int, rest: int) -> None:
    ours, theirs = yes(k, k + more + 1), yes(j, j + rest + 1)
    found, turned = difference_of_shares(ours, theirs), difference_of_shares(theirs, ours)
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert (-turned.high, -turned.low) == pytest.approx((found.low, found.high))
    share = wilson(ours.y, ours.n)
    assert 0 <= share.low <= share.value <= share.high <= 1


def test_the_test_of_shares_is_the_chi_square_without_correction() -> None:
    table = [[96, 9165 - 96], [29, 9102 - 29]]
    found = difference_of_shares(yes(96, 9165), yes(29, 9102))
    assert found.p == pytest.approx(stats.chi2_contingency(table, correction=False).pvalue, rel=1e-9)


def test_without_a_covariate_it_is_welchs_test(rng: np.random.Generator) -> None:
    ours, theirs = rng.lognormal(size=80), rng.lognormal(size=31)
    found = difference_of_means(Sums.of(ours), Sums.of(theirs))
    said = stats.ttest_ind(ours, theirs, equal_var=False)
    bounds = said.confidence_interval(0.95)
    assert (found.p, found.low, found.high) == pytest.approx((said.pvalue, bounds.low, bounds.high), rel=1e-9)
    assert mean(Sums.of(ours)).se == pytest.approx(stats.sem(ours), rel=1e-9)


def test_the_adjustment_is_the_residuals_difference(rng: np.random.Generator) -> None:
    """With equal arms the slope is the pooled regression's, and the difference that of what it leaves."""
    x1, x0 = rng.normal(size=400), rng.normal(size=400)
    y1, y0 = 3 * x1 + rng.normal(size=400) + 0.5, 3 * x0 + rng.normal(size=400)
    found = difference_of_means(Sums.of(y1, x1), Sums.of(y0, x0))
    slope = (np.cov(x1, y1)[0, 1] + np.cov(x0, y0)[0, 1]) / (np.var(x1, ddof=1) + np.var(x0, ddof=1))
    left = stats.ttest_ind(y1 - slope * x1, y0 - slope * x0, equal_var=False)
    bounds = left.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((bounds.low, bounds.high), rel=1e-6)
    plain = difference_of_means(Sums.of(y1, x1), Sums.of(y0, x0), adjust=False)
    assert found.high - found.low < 0.4 * (plain.high - plain.low)


def test_a_bootstrap_gives_the_same_bounds_for_money(rng: np.random.Generator) -> None:
    ours, theirs = spend(rng, 6000, 0.15), spend(rng, 2000, 0.1)
    drawn = [rng.choice(ours, len(ours)).mean() - rng.choice(theirs, len(theirs)).mean() for _ in range(2000)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    for difference in (difference_of_means, difference_of_money):
        found = difference(Sums.of(ours), Sums.of(theirs))
        assert (found.low, found.high) == pytest.approx((low, high), abs=0.06 * (found.high - found.low))


AMOUNTS = st.lists(st.integers(0, 5000), min_size=2, max_size=40).filter(lambda amounts: sum(amounts) > 0)


@given(AMOUNTS, AMOUNTS)
def test_the_bounds_of_money_hold_the_estimate_turn_with_the_arms_and_agree_with_the_p_value(
    ours: list[int], theirs: list[int]
) -> None:
    a, b = Sums.of(ours), Sums.of(theirs)
    found, turned = difference_of_money(a, b), difference_of_money(b, a)
    assert found.low <= found.value <= found.high
    assert (-turned.high, -turned.low) == pytest.approx((found.low, found.high))
    clear = found.low > 0 or found.high < 0
    assert clear == (found.p < 0.05) or found.p == pytest.approx(0.05, rel=1e-6)
    one = mean_of_money(a)
    assert 0 < one.low <= one.value <= one.high


def test_where_all_spend_and_many_are_asked_money_has_welchs_interval(rng: np.random.Generator) -> None:
    ours, theirs = (Sums.of(rng.normal(mean, 5, 3000)) for mean in (52, 51))
    found, welch = difference_of_money(ours, theirs), difference_of_means(ours, theirs)
    assert (found.low, found.high, found.p) == pytest.approx((welch.low, welch.high, welch.p), rel=0.01)


def test_money_that_nobody_spent_has_no_bounds_and_returns_have_welchs() -> None:
    nothing, some = Sums.of([0, 0, 0]), Sums.of([0, 9, 0])
    assert difference_of_money(some, nothing).high == float("inf")
    assert mean_of_money(nothing).low == float("-inf")
    returned = Sums.of([0, -9, 4])
    assert difference_of_money(some, returned) == difference_of_means(some, returned)
    assert mean_of_money(returned) == mean(returned)


def spend(rng: np.random.Generator, n: int, rate: float) -> np.ndarray:
    return np.where(rng.random(n) < rate, rng.lognormal(3.5, 0.7, n), 0.0)


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(-5, 5)), min_size=1, max_size=30), st.integers(0, 30)
)
def test_sums_of_parts_are_the_sums_of_the_whole(pairs: list[tuple[int, int]], cut: int) -> None:
    def sums(part: list[tuple[int, int]]) -> Sums:
        return Sums.of([y for y, _ in part], [x for _, x in part])

    assert added([sums(pairs[:cut]), sums(pairs[cut:])]) == sums(pairs)


def test_the_intervals_of_shares_cover_the_truth(rng: np.random.Generator) -> None:
    for n1, n0, p1, p0 in [(9000, 1000, 0.06, 0.04), (900, 100, 0.3, 0.2), (4500, 500, 0.012, 0.012)]:
        found = [
            difference_of_shares(yes(k, n1), yes(j, n0))
            for k, j in zip(rng.binomial(n1, p1, RUNS), rng.binomial(n0, p0, RUNS), strict=True)
        ]
        covered = np.mean([f.low <= p1 - p0 <= f.high for f in found])
        assert 0.93 <= covered <= 0.97, (n1, n0, covered)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("treated", "held_out", "rate", "spread"),
    [(900, 100, 0.03, 0.7), (900, 100, 0.1, 0.7), (900, 100, 0.1, 1.0), (9000, 1000, 0.1, 0.7)],
)
def test_the_intervals_of_money_cover_the_truth(
    rng: np.random.Generator, treated: int, held_out: int, rate: float, spread: float
) -> None:
    """1,000 campaigns with a known effect on who buys and for how much, and a covariate that tells of the amount."""
    truth = 0.5 * rate * np.exp(3.5 + 0.3**2 / 2 + spread**2 / 2)

    def arm(n: int, rate: float) -> Sums:
        x = rng.normal(size=n)
        y = np.where(rng.random(n) < rate, rng.lognormal(3.5 + 0.3 * x, spread, n), 0.0)
        return Sums(n, y.sum(), (y * y).sum(), x.sum(), (x * x).sum(), (x * y).sum())

    found = [difference_of_money(arm(treated, 1.5 * rate), arm(held_out, rate)) for _ in range(RUNS)]
    told = [f for f in found if f.high < float("inf")]
    assert len(told) > 0.9 * RUNS
    assert 0.93 <= np.mean([f.low <= truth <= f.high for f in told]) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize(("daily", "held_out", "rate"), [(60, 0.1, 0.1), (200, 0.1, 0.03), (100, 0.5, 0.3)])
def test_daily_looks_at_nothing_announce_a_win_in_no_more_than_one_in_twenty(
    rng: np.random.Generator, daily: int, held_out: float, rate: float
) -> None:
    days, announced, plain = 60, 0, 0
    for _ in range(RUNS):
        n = rng.poisson(daily, days)
        n0 = rng.binomial(n, held_out)
        arms = np.cumsum(
            [n - n0, rng.binomial(n - n0, rate), n0, rng.binomial(n0, rate)], axis=1, dtype=int
        ).T.tolist()
        looks = [
            compare(
                {"holdout": yes(j, m), "treatment": yes(k, n)}, Metric("bought"), "holdout", running=True
            )[0]
            for n, k, m, j in arms
            if n and m
        ]
        announced += any(c.verdict == "better" for c in looks)
        plain += any(c.low is not None and c.high is not None and not c.low <= 0 <= c.high for c in looks)
    assert announced <= 0.05 * RUNS
    assert plain > 0.1 * RUNS, "the plain interval, looked at daily, is wrong more often: the test can tell"


def test_one_reading_of_nothing_announces_a_win_in_no_more_than_one_in_twenty(
    rng: np.random.Generator,
) -> None:
    wins = 0
    for k, j, i in zip(*(rng.binomial(3000, 0.05, RUNS) for _ in range(3)), strict=True):
        arms = {"control": yes(k, 3000), "a": yes(j, 3000), "b": yes(i, 3000)}
        found = compare(arms, Metric("converted"), "control", running=False)
        wins += any(c.verdict == "better" for c in found)
    assert wins <= 0.05 * RUNS


def test_a_true_effect_is_announced_in_the_end() -> None:
    arms = {"holdout": yes(200, 2000), "treatment": yes(2700, 18000)}
    (found,) = compare(arms, Metric("bought"), "holdout", running=True)
    assert found.verdict == "better"
    assert found.often_low is not None
    assert found.low is not None
    assert 0 < found.often_low < found.low
    assert found.relative == pytest.approx(0.5)


@given(st.floats(0.001, 0.2), st.floats(-0.3, 0.3), st.integers(50, 10**6))
def test_the_p_value_and_the_bounds_of_any_reading_agree(se: float, value: float, n: int) -> None:
    found = always_valid(Interval(value, 0, 0, se), n)
    clear = found.low > 0 or found.high < 0
    assert clear == (found.p < 0.05) or found.p == pytest.approx(0.05, rel=1e-6)
    assert found.high - found.value > 1.96 * se, "wider than for one reading"


def test_a_handful_of_purchases_announces_nothing() -> None:
    (found,) = compare(
        {"holdout": yes(0, 500), "treatment": yes(30, 500)}, Metric("bought"), "holdout", running=True
    )
    assert found.verdict == "too_few"


def test_holm_is_bonferroni_at_first_and_never_falls() -> None:
    assert holm([0.5, 0.001, 0.02]) == pytest.approx([0.5, 0.003, 0.04])
    assert holm([]) == []


def test_heterogeneity_is_uniform_where_all_effects_are_one(rng: np.random.Generator) -> None:
    found = [heterogeneity([Interval(v, 0, 0, 0.1) for v in rng.normal(0.3, 0.1, 5)]) for _ in range(RUNS)]
    assert stats.kstest(found, "uniform").pvalue > 0.001


def test_the_sample_ratio_test_is_the_chi_square() -> None:
    counts = {"a": 9165, "b": 9102, "c": 9148}
    found = sample_ratio(counts, dict.fromkeys(counts, 1.0))
    assert found.p == pytest.approx(stats.chisquare(list(counts.values())).pvalue, rel=1e-9)
    assert found.passed
    assert not sample_ratio({"treatment": 850, "holdout": 150}, {"treatment": 0.9, "holdout": 0.1}).passed
    assert not sample_ratio({"treatment": 90, "stray": 1}, {"treatment": 1.0, "stray": 0.0}).passed


def test_arms_that_were_unlike_before_are_told(rng: np.random.Generator) -> None:
    def before(values: np.ndarray) -> Sums:
        return Sums(len(values), x=values.sum(), xx=(values**2).sum())

    arms = {"holdout": before(rng.normal(0, 1, 1000)), "treatment": before(rng.normal(0.3, 1, 9000))}
    (found,) = covariate_balance({"spend": arms}, "holdout")
    assert not found.passed
    assert found.difference == pytest.approx(0.3, abs=0.15)
    alike = {arm: before(rng.normal(size=1000)) for arm in ("holdout", "treatment")}
    assert covariate_balance({"spend": alike}, "holdout")[0].passed


HILLSTROM = {"No E-Mail": (9102, 29), "Mens E-Mail": (9165, 96), "Womens E-Mail": (9148, 63)}
"""Contacts and conversions of the e-mail experiment of MineThatData (Hillstrom 2008), lapsed for seven months or more."""


def test_the_published_experiment_reads_out_as_known() -> None:
    arms = {name: yes(k, n) for name, (n, k) in HILLSTROM.items()}
    men, women = compare(arms, Metric("converted"), "No E-Mail", running=False)
    assert (round(100 * men.value, 2), men.verdict) == (0.73, "better")
    assert (round(100 * women.value, 2), women.verdict) == (0.37, "better")
    assert men.low is not None
    assert women.low is not None
    assert min(men.low, women.low) > 0
    assert sample_ratio({name: n for name, (n, _) in HILLSTROM.items()}, dict.fromkeys(HILLSTROM, 1.0)).passed
