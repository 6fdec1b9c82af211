"""Label times: windows closed, history enough, one shared grid."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from winback_training.label_times import grid_step, label_times, origins

FIRST = date(2024, 1, 1)


@given(st.integers(1, 400), st.integers(0, 2000), st.integers(1, 12))
def test_every_window_has_closed_and_every_cut_has_a_horizon_of_history(horizon, age, cuts):
    today = FIRST + timedelta(days=age)
    times = label_times(today, FIRST, horizon, cuts)
    assert len(times) <= cuts
    assert all(t + timedelta(days=horizon) <= today for t in times)
    assert all(t - timedelta(days=horizon) >= FIRST for t in times)
    assert list(times) == sorted(set(times), reverse=True)


@given(st.integers(1, 200), st.integers(0, 2000))
def test_forward_tests_share_the_grid_of_label_times(horizon, age):
    today = FIRST + timedelta(days=age)
    step = timedelta(days=grid_step(horizon))
    for origin in origins(today, FIRST, horizon, 3):
        assert (today - origin) % step == timedelta(0)
        assert label_times(origin, FIRST, horizon, 6), "a forward test must have something to learn from"
