"""Label times: windows closed, history enough, one shared grid."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from winback_models.design import step_days
from winback_models.season import LAST_YEAR
from winback_training.label_times import (
    all_label_times,
    closed_label_times,
    closing_days,
    label_times,
    last_year_label_times,
    origins,
)

FIRST = date(2024, 1, 1)


@given(st.integers(1, 400), st.integers(0, 2000), st.integers(1, 12))
def test_every_window_has_closed_and_every_cut_has_a_horizon_of_history(horizon, age, cuts):
    today = FIRST + timedelta(days=age)
    times = closed_label_times(today, FIRST, horizon, cuts)
    assert len(times) <= cuts
    assert all(t + timedelta(days=horizon) <= today for t in times)
    assert all(t - timedelta(days=horizon) >= FIRST for t in times)
    assert list(times) == sorted(set(times), reverse=True)


@given(st.integers(1, 400), st.integers(0, 2000), st.integers(1, 12))
def test_recent_label_times_lie_on_the_same_grid_with_history_before_them(horizon, age, cuts):
    today, step = FIRST + timedelta(days=age), step_days(horizon)
    times = label_times(today, FIRST, horizon, cuts)
    assert set(closed_label_times(today, FIRST, horizon, cuts)) <= set(times)
    assert list(times) == sorted(set(times), reverse=True)
    for t in times:
        assert (today - t).days % step == 0, "one grid"
        assert (today - t).days >= step, "a step must have passed"
        assert 3 * (t - FIRST).days >= 2 * horizon


@given(st.integers(1, 200), st.integers(0, 2000))
def test_forward_tests_share_the_grid_of_label_times(horizon, age):
    today = FIRST + timedelta(days=age)
    for origin in origins(today, FIRST, horizon, 3):
        assert (today - origin).days % step_days(horizon) == 0
        assert (today - origin).days >= closing_days(horizon)
        assert closed_label_times(origin, FIRST, horizon, 6), (
            "a forward test must have something to learn from"
        )


@given(st.integers(1, 400), st.integers(0, 2000))
def test_last_years_windows_have_closed_on_the_same_weekdays_with_history_before_them(horizon, age):
    today = FIRST + timedelta(days=age)
    times = last_year_label_times(today, FIRST, horizon)
    assert list(times) == sorted(times, reverse=True)
    assert all(t + timedelta(days=horizon) <= today for t in times)
    assert all(t - timedelta(days=horizon) >= FIRST for t in times)
    if age >= LAST_YEAR + closing_days(horizon) + horizon and closing_days(horizon) <= LAST_YEAR:
        assert today - timedelta(days=LAST_YEAR) in times, (
            "the same day of last year, and on the same weekday"
        )
    assert set(times) <= all_label_times([today], FIRST, horizon, 6)


def test_without_the_season_no_label_time_of_last_year_is_asked_for():
    today = FIRST + timedelta(days=700)
    with_it, without = (all_label_times([today], FIRST, 28, 6, season=season) for season in (True, False))
    assert without < with_it
    assert not set(last_year_label_times(today, FIRST, 28)) & without
