"""Members and how they are averaged: steps, intervals, silence, weights, recalibration."""

import pickle
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from shop import HORIZON
from sklearn.ensemble import HistGradientBoostingClassifier

from winback_features.dictionary import numeric_features
from winback_features.order_features import season_of
from winback_models.combine import (
    calibration_that_holds,
    failing,
    fit_calibration,
    fit_weights,
    level_kept,
    prior_weights,
    slope_that_holds,
)
from winback_models.design import Design, interval_edges, step_days
from winback_models.hazard import mix
from winback_models.linear import fit_linear
from winback_models.member_fits import snapped
from winback_models.members import BLOCK_ROWS, BtydMember, at_risk, in_blocks, mostly_shut
from winback_models.silence import SILENCE, SilentPath, movable


@given(st.integers(1, 800))
def test_intervals_end_at_the_horizon_and_hold_two_steps(horizon):
    edges, step = interval_edges(horizon), step_days(horizon)
    assert edges[-1] == horizon
    assert list(edges) == sorted(set(edges))
    assert set(np.diff((0, *edges))[:-1]) <= {2 * step}


def test_at_risk_follows_each_contact_until_it_buys():
    risk, bought = at_risk((10, 20, 30), [0, 10, 29, np.inf])
    assert risk.tolist() == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
        [True, True, True],
    ]
    assert bought.tolist() == [[True, False, False], [False, True, False], [False, False, True], [False] * 3]


def test_intervals_in_which_the_shop_was_closed_are_no_labels():
    risk, bought = at_risk((10, 20, 30), [5, 27, np.inf], shut=[(4, 9), (14, 22)])
    assert risk.tolist() == [[True, False, False], [True, False, True], [True, False, True]]
    assert bought.tolist() == [[True, False, False], [False, False, True], [False] * 3]


DAYS = st.integers(0, 40)


@given(DAYS, st.integers(1, 20), st.lists(st.integers(-5, 50), max_size=6, unique=True))
def test_closed_is_more_than_half_of_the_days(start, length, bounds):
    bounds = sorted(bounds)
    shut = list(zip(bounds[::2], bounds[1::2], strict=False))
    days = sum(any(a <= day < b for a, b in shut) for day in range(start, start + length))
    assert mostly_shut(start, start + length, shut) == (days > length / 2)


def test_every_feature_is_movable_or_tells_of_a_window_a_trend_or_a_season():
    stuck = [name for name in numeric_features() if not movable(name)]
    for name in stuck:
        window = name.rstrip("d").rsplit("_", 1)[-1].isdigit() or "90d_" in name
        assert window or "trend" in name or "season" in name, name


@given(st.floats(0, 400), st.floats(0, 400))
def test_two_silences_are_one_longer_silence(first, second):
    path = SilentPath((SILENCE, "purchase_days_decayed_30d", "silence_over_gap_mean", "frequency"))
    start = np.array([[12.0, 3.0, 0.5, 4.0], [1.0, 1.0, np.nan, 0.0]])
    assert path.at(path.at(start, first), second) == pytest.approx(
        path.at(start, first + second), rel=1e-9, nan_ok=True
    )


def test_a_path_of_an_earlier_bundle_finds_its_moves_anew():
    path = SilentPath((SILENCE, "purchase_days_decayed_30d", "frequency"))
    path.__dict__["_moves"] = ([0], [], [1], np.array([30.0]))  # as kept before there was a calendar
    again = pickle.loads(pickle.dumps(path))
    assert again == path
    assert again.at(np.array([[12.0, 3.0, 4.0]]), 30.0)[0] == pytest.approx([42.0, 3.0 / np.e, 4.0])


@given(st.integers(0, 364), st.floats(0, 1500))
def test_the_day_of_the_year_goes_on_along_the_silence(day, ahead):
    path = SilentPath((SILENCE, "season_cos", "frequency", "season_sin"))
    sin, cos = season_of(date(2023, 1, 1) + timedelta(days=day))
    then = path.at(np.array([[12.0, cos, 4.0, sin]]), ahead)[0]
    turn = 2 * np.pi * (day + ahead) / 365.25
    assert then == pytest.approx([12.0 + ahead, np.cos(turn), 4.0, np.sin(turn)], abs=1e-6)


@pytest.mark.parametrize("calendar", [False, True])
def test_a_design_with_a_calendar_tells_the_middle_of_each_interval(label_times, calendar):
    today = label_times[0]
    sin, cos = season_of(date(2026, 5, 4))
    features = today.features.assign(season_sin=sin, season_cos=cos)
    design = Design(("frequency",), (), (10, 30, HORIZON), calendar)
    told = design.by_interval(features, today.models)
    assert design.static(features).shape[1] + told.shape[2] == len(design.names)
    if calendar:
        days = [season_of(date(2026, 5, 4) + timedelta(days=d)) for d in (5, 20, (30 + HORIZON) // 2)]
        assert told[3, :, -2:] == pytest.approx(np.array(days), abs=1e-6)


def test_the_btyd_member_says_what_the_model_says(label_times):
    today = label_times[0]
    hazards = expit(BtydMember((20, 40, HORIZON)).log_odds(today.features, today.models))
    x, t_x, age = (today.features[c].to_numpy() for c in ("frequency", "recency_days", "T_days"))
    p = today.models.btyd.p_purchase(x, t_x, age, float(HORIZON))
    assert 1 - np.prod(1 - hazards, axis=1) == pytest.approx(p, abs=1e-5)


def test_rolled_members_fall_along_the_silence_and_a_batch_changes_nothing(fitted, label_times):
    features = label_times[0].features
    for member in fitted.hazard.members.values():
        said = member.log_odds(features, fitted.models)
        assert said.shape == (len(features), len(fitted.hazard.edges))
        assert np.array_equal(said[7:9], member.log_odds(features[7:9], fitted.models))
    rolled = fitted.hazard.members["rolled_logistic"].log_odds(features, fitted.models)
    assert rolled[:, -1].mean() < rolled[:, 0].mean()


def test_a_line_does_not_run_beyond_the_data_and_fills_what_is_unknown():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5000, 2)).astype(np.float32)
    y = rng.random(5000) < expit(2 * x[:, 0])
    line = fit_linear(x, y)
    far, edge = (line.decision_function(np.array([[v, 0.0]], np.float32))[0] for v in (1e6, line.high[0]))
    assert far == pytest.approx(edge)
    unknown = line.decision_function(np.array([[np.nan, 0.0]], np.float32))[0]
    assert unknown == pytest.approx(line.decision_function(np.array([[line.fill[0], 0.0]], np.float32))[0])


def test_a_column_that_is_empty_does_no_harm_to_a_line():
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(size=2000), np.full(2000, np.nan)]).astype(np.float32)
    y = rng.random(2000) < expit(x[:, 0])
    assert np.isfinite(fit_linear(x, y).decision_function(x)).all()


def test_weights_prefer_the_member_that_knows_and_stay_half_way_at_the_prior():
    rng = np.random.default_rng(2)
    truth = rng.normal(size=20_000)
    y = rng.random(20_000) < expit(truth)
    said = {"good": truth, "noise": rng.normal(size=20_000)}
    weights = fit_weights(said, y, {"good": 0.5, "noise": 0.5})
    assert sum(weights.values()) == pytest.approx(1.0)
    assert weights["good"] == pytest.approx(0.75, abs=0.051)
    assert mix({"a": truth, "b": -truth}, {"a": 0.5, "b": 0.5}) == pytest.approx(0.0)


def test_a_member_that_fails_is_named_and_the_one_that_is_spared_only_where_it_is_no_bad_luck():
    rng = np.random.default_rng(3)
    truth = rng.normal(size=20_000) - 1
    y = rng.random(20_000) < expit(truth)
    said = {"good": truth, "wild": truth + 0.6, "btyd": truth + 0.6}
    few = {name: score[:200] for name, score in said.items()}
    assert failing(said, y) == failing(few, y[:200]) == ("wild", "btyd")
    assert failing(few, y[:200], spared="btyd") == ("wild",)
    assert failing(said, y, spared="btyd") == ("wild", "btyd")
    assert failing({"good": said["good"], "btyd": said["good"]}, y, spared="btyd") == ()


@given(st.floats(0, 1e7))
def test_the_steady_member_steps_back_as_purchases_come_in(purchases):
    weights = prior_weights(["a", "b", "c", "d", "btyd"], purchases)
    assert sum(weights.values()) == pytest.approx(1.0)
    assert weights["btyd"] >= 0.2 - 1e-12
    assert weights["btyd"] <= 1.0
    assert weights["a"] == weights["d"]


def test_calibration_mends_a_shift():
    rng = np.random.default_rng(2)
    truth = rng.normal(size=20_000)
    y = rng.random(20_000) < expit(truth)
    assert fit_calibration(0.5 * truth + 1.0, y, prior=1.0) == pytest.approx((-2.0, 2.0), abs=0.15)
    assert fit_calibration(truth - 0.7, y, slope=1.0) == pytest.approx((0.7, 1.0), abs=0.05)


def test_a_correction_that_does_not_last_is_not_carried():
    rng = np.random.default_rng(4)
    truth = rng.normal(size=20_000)
    up, down = (rng.random(20_000) < expit(truth + shift) for shift in (1.0, -1.0))
    assert calibration_that_holds((truth, up), (truth, down)) == (0.0, 1.0)
    steep, flat = (rng.random(20_000) < expit(slope * truth) for slope in (2.0, 0.5))
    assert slope_that_holds((truth, steep), (truth, flat)) == 1.0


def test_a_slope_that_lasts_is_carried_and_the_level_is_not():
    rng = np.random.default_rng(5)
    truth = rng.normal(size=40_000)
    halves = [(truth, rng.random(40_000) < expit(1.6 * truth + shift)) for shift in (0.8, -0.3)]
    slope = slope_that_holds(*halves)
    assert slope == pytest.approx(1.6, abs=0.15)
    mixed = truth - 1.0
    intercept = level_kept(mixed, slope)
    assert expit(intercept + slope * mixed).mean() == pytest.approx(expit(mixed).mean(), abs=1e-9)
    assert level_kept(mixed, 1.0) == 0.0


def test_a_silent_path_needs_no_history(label_times):
    frame = pd.DataFrame({SILENCE: [3.0], "email_ignored_in_a_row": [2.0]})
    path = SilentPath(tuple(frame.columns))
    assert path.at(frame.to_numpy(), 4.0).tolist() == [[7.0, 2.0]]


def test_snapped_columns_have_few_values_close_to_their_own_and_keep_what_is_unknown():
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(size=5000), rng.integers(0, 3, 5000), np.full(5000, np.nan)]).astype(
        np.float32
    )
    x[:7, 0] = np.nan
    moved = snapped(x)
    assert len(np.unique(moved[7:, 0])) <= 255
    assert np.array_equal(moved[:, 1], x[:, 1]), "few values stay as they are"
    assert np.array_equal(np.isnan(moved), np.isnan(x))
    assert np.abs(moved[7:, 0] - x[7:, 0]).mean() < 0.02


@pytest.mark.parametrize("rows", [0, 1, BLOCK_ROWS, 2 * BLOCK_ROWS + 5])
def test_blocks_of_rows_change_no_bit_of_an_answer(rows):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(2 * BLOCK_ROWS + 5, 6)).astype(np.float32)
    x[rng.random(x.shape) < 0.1] = np.nan
    y = np.nan_to_num(x[:, 0]) + rng.normal(size=len(x)) > 0
    trees = HistGradientBoostingClassifier(max_iter=5, max_leaf_nodes=4).fit(x, y)
    for estimator in (trees, fit_linear(x, y)):
        whole = estimator.decision_function(x[:rows]) if rows else np.zeros(0)
        assert np.array_equal(in_blocks(estimator, x[:rows]), whole)
