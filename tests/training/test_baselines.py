"""The alternatives: closed forms against themselves, the learned ones against a shop whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest
from forward import BG, FEATURES, HORIZON, earlier, label_time, truth

from winback_models.history import history
from winback_training.baselines import (
    StepCurve,
    baseline_curves,
    baseline_rankings,
    constant_rate,
    equal_steps,
)

DAYS = np.array([1.0, 2.5, 12.0, 24.0])


@pytest.fixture(scope="module")
def today():
    return label_time(seed=1)


@pytest.fixture(scope="module")
def curves(today):
    return baseline_curves(today, earlier(), HORIZON, FEATURES, seed=0)


def test_every_alternative_has_a_curve(curves):
    assert list(curves) == ["bg_nbd", "own_gap", "logistic", "boosting"]


@pytest.mark.parametrize("name", ["bg_nbd", "own_gap", "logistic", "boosting"])
def test_curves_are_probabilities_that_never_fall(curves, name):
    p = curves[name](np.concatenate([[0.0], DAYS]))
    assert (p[:, 0] == 0).all()
    assert ((p >= 0) & (p <= 1)).all()
    assert (np.diff(p, axis=1) >= 0).all()


def test_btyd_speaks_its_closed_form(curves, today):
    assert curves["bg_nbd"](DAYS)[:, 2] == pytest.approx(BG.p_purchase(*history(today.features), 12.0))


@pytest.mark.parametrize("name", ["logistic", "boosting"])
def test_the_classifiers_find_the_truth_at_every_step(curves, today, name):
    """The truth is a constant rate of 1 / mean gap, over more than two orders of magnitude."""
    days = equal_steps(HORIZON)
    error = curves[name](days) - truth(today.features, days)
    assert np.abs(error.mean(axis=0)).max() < 0.02
    assert np.sqrt((error**2).mean()) < 0.08


def test_the_rule_of_the_own_gap_is_a_step_on_the_due_day(today):
    features = today.features.iloc[:3].assign(
        gap_mean=[10.0, 10.0, np.nan], days_since_purchase=[4.0, 11.0, 25.0]
    )
    rule = baseline_curves(replace(today, features=features), [], HORIZON, (), 0)["own_gap"]
    due_in_six, past, base_gap_of_thirty = rule(np.array([5.0, 6.0, 6.5, 24.0]))
    assert due_in_six.tolist() == [0, 0, 1, 1]
    assert past.tolist() == [0, 0, 0, 0]
    assert base_gap_of_thirty.tolist() == [0, 1, 1, 1]


def test_recency_ranks_the_latest_buyer_first(today):
    silence = today.features["days_since_purchase"]
    assert np.argmax(baseline_rankings(today)["recency"]) in np.flatnonzero(silence == silence.min())


def test_todays_waits_and_the_order_of_contacts_change_nothing(curves, today):
    turned = replace(
        today, features=today.features.iloc[::-1].reset_index(drop=True), waits=np.zeros_like(today.waits)
    )
    again = baseline_curves(turned, earlier(), HORIZON, FEATURES, seed=0)
    for name, curve in curves.items():
        assert again[name](DAYS)[::-1] == pytest.approx(curve(DAYS), abs=1e-12)


def test_without_both_outcomes_nothing_is_learned(today):
    nobody = [replace(t, waits=np.full(len(t.waits), np.inf)) for t in earlier()]
    for closed in ([], nobody, [replace(t, waits=np.zeros(len(t.waits))) for t in earlier()]):
        assert list(baseline_curves(today, closed, HORIZON, FEATURES, 0)) == ["bg_nbd", "own_gap"]


def test_between_its_edges_a_step_curve_keeps_the_hazard():
    curve = StepCurve(np.array([2.0, 4.0]), np.array([[0.5, 0.75]]))
    assert curve(np.array([0.0, 1.0, 2.0, 3.0, 4.0]))[0] == pytest.approx(
        [0, 1 - 0.5**0.5, 0.5, 1 - 0.5 * 0.25**0.5, 1 - 0.5 * 0.25]
    )


def test_a_constant_rate_is_the_share_that_bought():
    curve = constant_rate([np.array([0.0, 3.0]), np.array([np.inf, np.inf])], 2)
    assert curve(np.array([0.0, 1.0, 3.0, 4.0])).tolist() == [[0.0, 0.25, 0.25, 0.5]] * 2
    assert constant_rate([], 1)(np.array([9.0])).tolist() == [[0.0]]
