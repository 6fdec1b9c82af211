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


def test_a_date_beyond_reach_is_null():
    dates = days_to_date(np.array([1.0, 730.0, 730.1, np.inf]), np.datetime64("2026-01-01"), 730)
    assert [str(d) for d in dates] == ["2026-01-01", "2027-12-31", "NaT", "NaT"]
