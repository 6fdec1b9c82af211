"""Curves and quantiles: consistent with each other, inside and beyond the horizon."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from winback_models.btyd import BtydModel
from winback_models.curve import PurchaseCurve, days_to_date

BTYD = BtydModel("bg_nbd", r=0.8, alpha=30.0, a=0.7, b=2.5)


def curve_of(hazards, x=3.0, t_x=100.0, T=120.0):
    edges = np.array([7.0, 14.0, 30.0])
    return PurchaseCurve(
        edges,
        np.cumsum(np.log1p(-np.array([hazards])), axis=1),
        BTYD,
        np.array([x]),
        np.array([t_x]),
        np.array([T]),
    )


hazards = st.lists(st.floats(0.0, 0.999), min_size=3, max_size=3)


@settings(max_examples=200, deadline=None)
@given(hazards, st.lists(st.floats(0.0, 2000.0), min_size=2, max_size=8))
def test_curves_never_fall(said, days):
    p = [float(curve_of(said).p_within(d)[0]) for d in sorted(days)]
    assert all(0.0 <= v <= 1.0 for v in p)
    assert all(b >= a - 1e-12 for a, b in pairwise(p))


@settings(max_examples=200, deadline=None)
@given(hazards, st.floats(0.01, 0.99))
def test_quantiles_invert_the_curve(said, q):
    curve = curve_of(said)
    day = float(curve.quantile(q)[0])
    if not np.isfinite(day):
        assert float(curve.p_within(1e9)[0]) <= q + 1e-6
    elif day not in (7.0, 14.0, 30.0):  # a curve may rest at an edge
        assert float(curve.p_within(day)[0]) == pytest.approx(q, abs=1e-6)


def test_the_edges_are_hit_exactly():
    curve = curve_of([0.2, 0.5, 0.25])
    assert [float(curve.p_within(d)[0]) for d in (7, 14, 30)] == pytest.approx([0.2, 0.6, 0.7])
    assert float(curve.quantile(0.2)[0]) == pytest.approx(7.0)


def test_beyond_the_horizon_the_curve_goes_on_as_btyd_does():
    curve = curve_of([0.1, 0.1, 0.1])
    survived = 0.9**3
    ratio = (1 - BTYD.p_purchase(3, 100, 120, 90)) / (1 - BTYD.p_purchase(3, 100, 120, 30))
    assert float(curve.p_within(90)[0]) == pytest.approx(1 - survived * float(ratio))


@pytest.mark.parametrize("kind", ["bg_nbd", "mbg_nbd", "mbg_cnbd", "pareto_nbd", "base_rate"])
def test_at_the_horizon_the_curve_does_not_fall_by_a_bit(kind):
    """The two sides of the horizon are written differently; those as good as dead showed it in the last digit."""
    rng = np.random.default_rng(0)
    age = rng.integers(1, 800, 3000).astype(float)
    recency = np.floor(age * rng.random(3000))
    x = np.floor(recency * rng.random(3000) / 8.0)
    silent = np.log1p(-(10.0 ** rng.uniform(-9.0, -0.01, 3000)))
    btyd = BtydModel(kind, r=1.4, alpha=28.0, a=0.2, b=0.4, k=2 if kind == "mbg_cnbd" else 1)
    curve = PurchaseCurve(np.array([60.0]), silent[:, None], btyd, x, recency, age)
    p = np.column_stack([curve.p_within(d) for d in (59, 60, 61, 90, 365)])
    assert (np.diff(p, axis=1) >= 0.0).all()


def test_who_is_sure_to_buy_within_the_horizon_is_so_beyond_it():
    """A daily buyer under a base rate: the survival at the horizon is too small for a number, and 0 / 0 is none."""
    btyd = BtydModel("base_rate", r=1.0, alpha=1.0)
    history = (np.array([399.0]), np.array([399.0]), np.array([400.0]))
    silent = np.log1p(-btyd.p_purchase(*history, 30.0))
    curve = PurchaseCurve(np.array([30.0, 90.0]), np.column_stack([silent, 3.0 * silent]), btyd, *history)
    p = [float(curve.p_within(d)[0]) for d in (30, 90, 91, 365)]
    assert p == sorted(p)
    assert p[-1] == pytest.approx(1.0)


def test_a_date_beyond_reach_is_null():
    dates = days_to_date(np.array([1.0, 730.0, 730.1, np.inf]), np.datetime64("2026-01-01"), 730)
    assert [str(d) for d in dates] == ["2026-01-01", "2027-12-31", "NaT", "NaT"]
