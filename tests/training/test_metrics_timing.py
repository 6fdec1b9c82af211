"""Metrics of time against brute force, and against purchases drawn from the very curves that are judged."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from winback_training.timing import (
    brier_losses,
    concordance,
    d_calibration,
    integrated_brier,
    interval_coverage,
    mass_below,
    survival_intervals,
)

HORIZON = 30


def shop(n=6000, seed=3):
    """Contacts with a daily hazard of their own; (waits, true survival over whole days)."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(1.2, 0.05, n)[:, None]
    survival = np.exp(-rate * np.arange(HORIZON + 1))
    day = np.floor(rng.exponential(1 / rate[:, 0]))
    return np.where(day < HORIZON, day, np.inf), survival


def test_integrated_brier_of_a_known_curve():
    waits = np.array([0.0, np.inf])
    perfect = np.array([[1.0, 1.0], [0.0, 0.0]])
    assert integrated_brier(waits, perfect, [1, 10]) == 0.0
    assert integrated_brier(waits, 1 - perfect, [1, 10]) == 1.0
    assert brier_losses(np.array([4.0]), np.array([[0.25, 0.25]]), [4, 4.5]).tolist() == [[0.0625, 0.5625]]


def by_pairs(waits, score):
    found = [
        0.5 if score[i] == score[j] else float(score[i] > score[j])
        for i in range(len(waits))
        for j in range(len(waits))
        if waits[i] < waits[j]
    ]
    return np.mean(found) if found else np.nan


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 1.0, 4.0, 9.0, np.inf]), st.integers(0, 6)), min_size=2, max_size=40
    )
)
def test_concordance_is_harrells_over_all_comparable_pairs(rows):
    waits, score = (np.array(v, dtype=float) for v in zip(*rows, strict=True))
    assert concordance(waits, score) == pytest.approx(by_pairs(waits, score), nan_ok=True)


def test_concordance_of_those_who_all_bought_or_did_not_is_the_auc():
    y, score = np.array([1, 1, 0, 0, 0.0]), np.array([0.9, 0.2, 0.5, 0.1, 0.2])
    assert concordance(np.where(y > 0, 3.0, np.inf), score) == pytest.approx(4.5 / 6)


def test_a_purchase_lies_within_its_day_and_one_unseen_below_the_last():
    survival = np.array([[1.0, 0.7, 0.4], [1.0, 0.7, 0.4], [1.0, 0.7, 0.4]])
    found = survival_intervals(np.array([0.0, 1.0, np.inf]), survival)
    np.testing.assert_allclose(found, [[0.7, 1.0], [0.4, 0.7], [0.0, 0.4]])
    assert interval_coverage(found) == pytest.approx((0.2 / 0.3 + 1.0 + 0.3 / 0.4) / 3)


def test_true_curves_cover_and_are_d_calibrated_though_many_never_came():
    waits, survival = shop()
    assert np.isinf(waits).mean() > 0.3
    intervals = survival_intervals(waits, survival)
    assert interval_coverage(intervals) == pytest.approx(0.8, abs=0.015)
    assert interval_coverage(intervals, 0.5) == pytest.approx(0.5, abs=0.015)
    table, p = d_calibration(intervals)
    assert p > 0.05
    assert table["share"].to_numpy() == pytest.approx(np.full(10, 0.1), abs=0.015)
    assert table["n"].sum() == pytest.approx(len(waits))


@pytest.mark.parametrize("power", [0.5, 2.0])
def test_curves_that_wait_too_long_or_too_short_are_found_out(power):
    waits, survival = shop()
    intervals = survival_intervals(waits, survival**power)
    table, p = d_calibration(intervals)
    assert p < 1e-6
    early, late = table["share"].iloc[-1], table["share"].iloc[0]
    assert early > late if power < 1 else early < late


def test_drawing_one_point_in_each_interval_gives_the_same_as_spreading_it():
    waits, survival = shop()
    low, high = survival_intervals(waits, survival).T
    u = np.random.default_rng(1).uniform(low, high)
    drawn = np.histogram(u, bins=10, range=(0, 1))[0] / len(u)
    table, _ = d_calibration(np.column_stack([low, high]))
    assert table["share"].to_numpy() == pytest.approx(drawn, abs=0.015)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20))
@example([(0.0, 2.2e-311)])
def test_no_mass_is_lost_at_points_or_borders(rows):
    intervals = np.sort(np.array(rows), axis=1)
    levels = np.array([mass_below(intervals, level) for level in np.linspace(0, 1, 11)])
    assert (np.diff(levels, axis=0) >= -1e-12).all()
    assert (levels[0] == 0).all()
    assert (levels[-1] == 1).all()
    assert d_calibration(intervals)[0]["n"].sum() == pytest.approx(len(rows))


def test_nobody_has_no_numbers():
    nobody = np.zeros((0, 2))
    assert np.isnan(
        [interval_coverage(nobody), d_calibration(nobody)[1], concordance(np.zeros(0), np.zeros(0))]
    ).all()
    assert np.isnan(integrated_brier(np.zeros(0), nobody, [1, 2]))
