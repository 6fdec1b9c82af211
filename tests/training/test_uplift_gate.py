"""The gate of the uplift model: enough outcomes, an effect that differs, a proven lead; and sleeping dogs only by proof."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from winback_models.uplift import Experiment
from winback_training.qini import Estimate
from winback_training.uplift import (
    WITHIN_REACH,
    how_far,
    sleeping_dogs,
    times_as_many,
    told_distance,
    train_uplift,
)

NAMES = ("a", "b")


def campaign(effect: str, seed: int, n: int = 5000) -> tuple[Experiment, np.ndarray, np.ndarray]:
    """An experiment, the value of each contact, and the usual ranking: by value times risk."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 2))
    treated = rng.random(n) < 0.5
    rise = {
        "none": np.zeros(n),
        "same": np.full(n, 0.1),
        "differs": np.where(x[:, 0] > 0, 0.25, -0.15),
    }[effect]
    anyway = np.clip(0.3 + 0.1 * x[:, 1], 0.2, 0.6)
    bought = (rng.random(n) < anyway + rise * treated).astype(float)
    value = np.exp(0.3 * rng.standard_normal(n)) * 20
    return Experiment(x, treated, bought, np.full(n, 0.5)), value, value * (1 - anyway)


def test_an_effect_that_differs_is_accepted_and_its_sleeping_dogs_found():
    data, value, usual = campaign("differs", 1)
    model, verdict = train_uplift(data, NAMES, value, usual)
    assert verdict.accepted
    assert verdict.reasons == ()
    assert verdict.uplift.qini.low > 0
    assert verdict.lead.low > 0
    # Ranked by value and effect the whole gains; ranked by risk about as much as at random.
    assert verdict.uplift.qini.value > 3 * abs(verdict.usual.qini.value)
    assert verdict.sleeping.share == pytest.approx(0.3, abs=0.01)
    assert verdict.sleeping.effect.high < 0
    harmed = model.effect(np.column_stack([np.full(9, -1.0), np.zeros(9)]))
    moved = model.effect(np.column_stack([np.full(9, 1.0), np.zeros(9)]))
    assert (harmed <= verdict.sleeping.at_most).all()
    assert (moved > 0.1).all()
    assert json.loads(json.dumps(verdict.as_dict()))["lead"]["low"] > 0


def test_a_proof_out_of_reach_is_not_promised():
    assert "12.5 times as many contacts would show it" in told_distance(12.5)
    assert "next to nothing" in told_distance(510.0)
    assert "times as many" not in told_distance(510.0)
    assert told_distance(None) == ""


@pytest.mark.slow
@pytest.mark.parametrize("effect", ["none", "same"])
def test_an_effect_that_is_the_same_for_all_changes_nothing(effect):
    data, value, usual = campaign(effect, 2)
    _, verdict = train_uplift(data, NAMES, value, usual)
    assert not verdict.accepted
    assert any("not proven better" in reason for reason in verdict.reasons)
    assert verdict.times_lead == times_as_many(verdict.lead)
    if verdict.times_qini is not None and verdict.times_qini <= WITHIN_REACH:
        assert f"{verdict.times_qini:,.1f} times as many" in verdict.reasons[0]
    elif verdict.times_qini is not None:
        assert "next to nothing" in verdict.reasons[0]
    assert verdict.sleeping.at_most is None


@pytest.mark.slow
def test_without_any_effect_a_model_is_hardly_ever_accepted():
    accepted = 0
    for seed in range(40):
        data, value, usual = campaign("none", 100 + seed, n=2500)
        accepted += train_uplift(data, NAMES, value, usual, needed=100)[1].accepted
    assert accepted <= 3


def test_with_too_few_outcomes_nothing_is_learned():
    data, value, usual = campaign("differs", 3, n=400)
    model, verdict = train_uplift(data, NAMES, value, usual)
    assert model is None
    assert not verdict.accepted
    assert verdict.reasons == (verdict.distance.sentence,)
    assert verdict.distance.more_contacts > 0
    assert verdict.uplift is None


@given(st.floats(0.01, 10), st.floats(0.01, 10))
def test_so_many_times_the_contacts_bring_the_lower_bound_to_zero(value, width):
    times = times_as_many(Estimate(value, value - width, value + width))
    if width < value:
        assert times is None
    else:
        assert value - width / math.sqrt(times) == pytest.approx(0.0, abs=1e-9 * width)
    assert times_as_many(Estimate(-value, -value - width, 0.0)) is None


def test_how_far_counts_the_scarcest():
    treated = np.array([True] * 900 + [False] * 100)
    bought = np.array([1.0] * 450 + [0.0] * 450 + [1.0] * 10 + [0.0] * 90)
    assert how_far(treated, bought).more_contacts == 2900
    assert "2,900 more" in how_far(treated, bought).sentence
    assert how_far(treated, bought, needed=10).more_contacts == 0
    assert "enough" in how_far(treated, bought, needed=10).sentence
    assert "contacts without a purchase" in how_far(treated, 1 - bought, needed=50).sentence
    assert "too few to say" in how_far(treated, np.zeros(1000)).sentence
    assert "too few to say" in how_far([], []).sentence


def test_a_group_is_left_asleep_only_by_proof():
    rng = np.random.default_rng(4)
    effects = np.linspace(-0.1, 0.2, 20_000)
    proven = sleeping_dogs(effects, effects + rng.standard_normal(20_000) * 0.5)
    assert proven.share == pytest.approx(0.3)
    assert proven.at_most == pytest.approx(-0.01, abs=1e-3)
    assert sleeping_dogs(effects, rng.standard_normal(20_000)).at_most is None
    assert sleeping_dogs(effects + 0.2, effects - 1).at_most is None, "nobody is predicted to be driven away"
