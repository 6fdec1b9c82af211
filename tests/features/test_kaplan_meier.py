"""Kaplan-Meier: scipy's estimate, the definition without open waits, and the law that longer is never less."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from winback_features.kaplan_meier import kaplan_meier

CLOSED = st.dictionaries(st.integers(1, 60), st.integers(1, 5), min_size=1, max_size=12)
OPEN = st.dictionaries(st.integers(0, 70), st.integers(1, 5), max_size=12)


def repeated(counts: dict[int, int]) -> list[int]:
    return [day for day, n in counts.items() for _ in range(n)]


@pytest.mark.filterwarnings("ignore:The confidence interval is undefined")
@settings(deadline=None, max_examples=40)
@given(CLOSED, OPEN)
def test_agrees_with_scipy(closed, opened):
    found = kaplan_meier(closed, opened)
    data = stats.CensoredData(uncensored=repeated(closed), right=repeated(opened))
    expected = stats.ecdf(data).sf
    with np.errstate(all="ignore"):  # scipy divides by zero where nobody is left.
        interval = expected.confidence_interval(method="log-log")
    for day in range(found.last_day + 1):
        rate = found.after(day)
        share = float(expected.evaluate(day))
        assert rate.rate == pytest.approx(1 - share, abs=1e-9)
        if 1e-9 < share < 1 - 1e-9:
            low, high = float(interval.high.evaluate(day)), float(interval.low.evaluate(day))
            assert (rate.low, rate.high) == pytest.approx((1 - low, 1 - high), abs=1e-9)


@settings(deadline=None)
@given(CLOSED, OPEN)
def test_rates_rise_and_stay_inside_their_intervals(closed, opened):
    curve = kaplan_meier(closed, opened)
    rates = [curve.after(day) for day in range(curve.last_day + 1)]
    assert all(0 <= r.low <= r.rate + 1e-12 <= r.high + 2e-12 <= 1 + 2e-12 for r in rates)
    assert all(np.diff([r.rate for r in rates]) >= -1e-12)
    assert all(np.diff([r.at_risk for r in rates]) <= 0)
    assert curve.after(curve.last_day + 1) is None
    assert curve.after(-1) is None


@settings(deadline=None)
@given(CLOSED)
def test_without_open_waits_it_is_the_plain_share(closed):
    curve, days = kaplan_meier(closed, {}), np.array(repeated(closed))
    for day in range(curve.last_day + 1):
        assert curve.after(day).rate == pytest.approx((days <= day).mean(), abs=1e-12)
    for share in (0.1, 0.5, 0.9, 1.0):
        assert curve.quantile(share) == np.sort(days)[math.ceil(share * len(days) - 1e-9) - 1]


def test_nothing_closed_and_nothing_at_all():
    assert kaplan_meier({}, {5: 3}).quantile(0.5) is None
    assert kaplan_meier({}, {5: 3}).after(5).rate == 0
    assert kaplan_meier({}, {}).after(1) is None


def test_an_open_wait_counts_on_the_day_it_was_last_watched():
    assert kaplan_meier({5: 1}, {5: 1}).after(5).rate == 0.5
    assert kaplan_meier({5: 1}, {4: 1}).after(5).rate == 1


@pytest.mark.parametrize(("closed", "opened"), [({0: 1}, {}), ({}, {-1: 1}), ({3: -1}, {}), ({}, {3: -1})])
def test_refuses_what_cannot_be(closed, opened):
    with pytest.raises(ValueError, match="wait"):
        kaplan_meier(closed, opened)
