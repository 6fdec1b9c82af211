"""Metrics against scikit-learn and against hand-made cases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss

from winback_training.metrics import (
    calibration_table,
    lift_table,
    score_metrics,
    top_lift,
)


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(11)
    p = rng.beta(2, 3, 5000)
    return (rng.random(5000) < p).astype(float), p


def test_scikit_learn_agrees(drawn):
    y, p = drawn
    said = score_metrics(y, p)
    assert said["brier"] == pytest.approx(brier_score_loss(y, p))
    assert said["log_loss"] == pytest.approx(log_loss(y, p))
    assert said["brier_skill"] == pytest.approx(1 - said["brier"] / np.mean((y - y.mean()) ** 2))


def test_true_probabilities_are_calibrated_and_shifted_ones_are_not(drawn):
    y, p = drawn
    assert score_metrics(y, p)["ece"] < 0.03
    shifted = np.clip(p + 0.2, 0, 1)
    assert score_metrics(y, shifted)["ece"] > 0.15
    assert score_metrics(y, shifted)["bias"] == pytest.approx(shifted.mean() - y.mean())


def test_a_ranking_gets_no_probability_metrics(drawn):
    y, p = drawn
    said = score_metrics(y, 7 * p - 3, probability=False)
    assert said["auc"] == pytest.approx(score_metrics(y, p)["auc"])
    assert np.isnan(said["brier"])


def test_lift_of_a_perfect_and_of_a_blind_ranking():
    y = np.repeat([0.0, 1.0], [100, 300])
    assert top_lift(y, y, 0.25) == pytest.approx(4.0)
    assert top_lift(y, np.full(400, 0.5), 0.25) == pytest.approx(1.0)
    table = lift_table(y, y)
    assert table["captured"].iloc[4] == pytest.approx(1.0)
    assert lift_table(y, np.full(400, 0.5))["captured"].to_numpy() == pytest.approx(table["share"].to_numpy())


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=60))
def test_calibration_bins_hold_everyone_once(rows):
    y, p = (np.array(v, dtype=float) for v in zip(*rows, strict=True))
    table = calibration_table(y, p)
    assert table["n"].sum() == len(y)
    assert (table["n"] * table["observed"]).sum() == pytest.approx(y.sum())
    assert table["predicted"].is_monotonic_increasing
