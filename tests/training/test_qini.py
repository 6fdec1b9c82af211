"""Qini against its definition, and intervals that hold what they promise."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from winback_training.qini import compare_rankings, effect_scores, qini, recovered, uplift_curve

GAINS = st.lists(st.tuples(st.integers(0, 3), st.integers(-5, 5)), min_size=1, max_size=6)


def area(gains: list[float]) -> float:
    """Trapezoids under the uplift curve of one order, less the triangle under the diagonal."""
    n = len(gains)
    curve = np.concatenate([[0.0], np.cumsum(gains)]) / n
    return float(np.sum((curve[1:] + curve[:-1]) / 2) / n - curve[-1] / 2)


@settings(deadline=None, max_examples=60)
@given(GAINS)
def test_equals_the_area_averaged_over_every_order_of_equals(pairs):
    ranking, gains = ([float(v) for v in column] for column in zip(*pairs, strict=True))
    orders = [
        [gains[k] for k in order]
        for order in itertools.permutations(range(len(pairs)))
        if all(ranking[a] >= ranking[b] for a, b in itertools.pairwise(order))
    ]
    assert qini(ranking, gains) == pytest.approx(np.mean([area(order) for order in orders]), abs=1e-12)


@settings(deadline=None)
@given(GAINS)
def test_only_the_order_counts_and_turning_it_round_turns_the_sign(pairs):
    ranking, gains = (np.array(column, float) for column in zip(*pairs, strict=True))
    assert qini(ranking**3 + 7, gains) == pytest.approx(qini(ranking, gains), abs=1e-12)
    assert qini(-ranking, gains) == pytest.approx(-qini(ranking, gains), abs=1e-12)
    assert qini(ranking, gains + 2) == pytest.approx(qini(ranking, gains), abs=1e-12)
    assert qini(ranking, gains) <= qini(gains, gains) + 1e-12


def test_the_share_recovered():
    effects = np.array([0.3, 0.2, 0.1, 0.0])
    assert recovered(effects, effects) == 1
    assert recovered(-effects, effects) == -1
    assert recovered([1, 1, 1, 1], effects) == 0


def test_the_curve_begins_at_nothing_and_ends_at_the_mean():
    curve = uplift_curve([4, 3, 2, 1], [1.0, 1.0, 0.0, -1.0], points=4)
    assert curve == [(0.0, 0.0), (0.25, 0.25), (0.5, 0.5), (0.75, 0.5), (1.0, 0.25)]


@pytest.mark.parametrize("guess", [0.0, 0.3])
def test_scores_have_the_effect_as_mean_whatever_the_guess(guess):
    rng = np.random.default_rng(1)
    n, effect = 400_000, 0.1
    propensity = np.where(rng.random(n) < 0.5, 0.9, 0.4)
    treated = rng.random(n) < propensity
    bought = (rng.random(n) < 0.2 + effect * treated).astype(float)
    scores = effect_scores(treated, bought, propensity, np.full(n, guess))
    assert scores.mean() == pytest.approx(effect, abs=4 * scores.std() / np.sqrt(n))


def campaign(rng: np.random.Generator, n: int = 400) -> tuple[np.ndarray, np.ndarray, float]:
    """A ranking, gains with noise, and the Qini that the ranking has in truth."""
    x = rng.random(n)
    gains = x - 0.5 + rng.standard_normal(n)
    return x, gains, 1 / 12  # cov(rank, gain) for gains that rise by one from the last to the first


def test_intervals_cover_the_truth():
    rng = np.random.default_rng(5)
    hits = 0
    for seed in range(100):
        x, gains, truth = campaign(rng)
        (found,), _ = compare_rankings([x], gains, seed=seed, resamples=200)
        hits += found.qini.low <= truth <= found.qini.high
        assert found.auuc.value == pytest.approx(found.qini.value + gains.mean() / 2)
        assert found.qini.value == pytest.approx(qini(x, gains))
    assert 88 <= hits <= 99


def test_the_lead_over_oneself_is_nothing_and_over_the_worse_is_proven():
    rng = np.random.default_rng(6)
    x, gains, _ = campaign(rng, 4000)
    found, leads = compare_rankings([x, rng.random(4000), -x], gains, resamples=100)
    assert (leads[0].value, leads[0].low, leads[0].high) == (0, 0, 0)
    assert leads[1].low > 0
    assert leads[2].low > leads[1].value
    assert found[0].qini.low > 0 > found[2].qini.high
    again, _ = compare_rankings([x, rng.random(4000), -x], gains, resamples=100)
    assert again[0] == found[0]
