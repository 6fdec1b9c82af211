"""The season: last year's turn found through noise and drift, trusted as far as it comes again, laid on the calendar."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from winback_features.order_features import season_of
from winback_models.hazard import HazardModel
from winback_models.season import (
    LAST_YEAR,
    TRUST,
    Season,
    Window,
    level,
    middles_of,
    trust_in,
    turn_of,
)

DAY = date(2026, 10, 1)
EDGES = (10, 20, 30, 40, 50, 60)
RISING = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])


def window(day, shifts, n=20_000, drift=0.0, seed=0):
    """A horizon in which the hazards, in log-odds, were so much above what was said; nobody buys twice."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(-2.0, 1.0, (n, 1)) * np.ones(len(EDGES))
    happened = rng.random((n, len(EDGES))) < expit(odds + shifts + drift)
    risk = np.cumsum(np.column_stack([np.zeros(n, int), happened[:, :-1]]), axis=1) == 0
    return Window(day, odds, risk, happened & risk)


def last_year(shifts, drift=0.0, day=DAY, n=20_000):
    same = day - timedelta(days=LAST_YEAR)
    return [
        window(same + timedelta(days=60), shifts[-1], n, drift, seed=1),
        window(same, shifts, n, drift, seed=2),
        window(same - timedelta(days=60), 0.0, n, drift, seed=3),
    ]


def calendar(day, n=2):
    sin, cos = season_of(day)
    return pd.DataFrame({"season_sin": [sin] * n, "season_cos": [cos] * n})


@given(st.floats(-1.0, 1.0), st.floats(-4.0, 1.0))
def test_a_level_is_found_again(shift, odds):
    n = 50_000
    y = np.arange(n) < round(n * expit(odds + shift))
    assert level(np.full(n, odds), y, ridge=4.0) == pytest.approx(shift, abs=0.02)


@given(st.integers(0, 30), st.integers(1, 30))
def test_a_ridge_keeps_the_level_finite_and_small_where_few_were_seen(bought, n):
    y = np.arange(n) < bought
    assert abs(level(np.zeros(n), y, ridge=16.0)) <= n / 16.0


def test_shifts_are_found_interval_by_interval():
    assert window(DAY, RISING).shifts() == pytest.approx(RISING, abs=0.1)


@pytest.mark.parametrize("drift", [-0.5, 0.0, 0.5])
def test_the_turn_of_last_year_is_free_of_what_has_changed_since(drift):
    turn = turn_of(last_year(RISING, drift), DAY, EDGES)
    assert turn is not None
    assert turn.ahead[: len(EDGES)] == tuple(middles_of(EDGES))
    assert turn.ahead[len(EDGES)] == 65.0, "the horizon after it follows"
    assert np.array(turn.shifts[: len(EDGES)]) == pytest.approx(RISING, abs=0.12)


def test_without_the_days_before_or_since_there_is_no_turn():
    later, same, earlier = last_year(RISING, n=100)
    assert turn_of([later, same], DAY, EDGES) is None
    assert turn_of([earlier], DAY, EDGES) is None
    assert turn_of([], DAY, EDGES) is None
    assert turn_of([earlier, same], DAY, EDGES) is not None


def test_a_season_counts_as_far_as_it_comes_again():
    turn = Season(DAY, tuple(middles_of(EDGES)), tuple(RISING))
    again, flat, opposite = (trust_in(turn, window(DAY, by * RISING), EDGES) for by in (1.0, 0.0, -1.0))
    assert 0.9 < again <= 1.0
    assert flat < 0.2
    assert opposite == 0.0
    still = Season(DAY, turn.ahead, tuple(0.0 * RISING))
    assert trust_in(still, window(DAY, RISING), EDGES) == TRUST


@given(st.integers(-20, 120), st.dates(date(2020, 1, 1), date(2030, 12, 31)))
def test_a_season_is_asked_by_the_calendar(passed, learned):
    """A model some weeks old meets the season where it is; a day's error at most, where leap days lie between."""
    season = Season(learned, (0.0, 200.0), (0.0, 2.0))
    said = season.at(calendar(learned + timedelta(days=passed)), np.array([0.0, 10.0]))
    assert said.shape == (2, 2)
    assert said[0] == pytest.approx(np.clip((passed + np.array([0.0, 10.0])) / 100.0, 0.0, 2.0), abs=0.016)


def test_the_season_is_added_to_the_log_odds_and_each_row_counts_by_itself():
    class Even:
        columns = ()

        def log_odds(self, features, models):
            return np.full((len(features), 2), -1.0)

    plain = HazardModel((10, 20), {"even": Even()}, {"even": 1.0})
    seasoned = replace(plain, season=Season(DAY, (5.0, 15.0), (0.2, 0.4)))
    here = calendar(DAY)
    added = logit(seasoned.hazards(here, None)) - logit(plain.hazards(here, None))
    assert added == pytest.approx(np.array([[0.2, 0.4]] * 2), abs=1e-9)
    assert seasoned.feature_names == ("season_sin", "season_cos")
    assert plain.feature_names == ()
    both = pd.concat([here[:1], calendar(DAY + timedelta(days=5), 1)])
    assert np.array_equal(seasoned.hazards(both, None)[:1], seasoned.hazards(here[:1], None))
