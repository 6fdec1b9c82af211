"""The expected maximum profit against the integral it stands for."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from winback_training.profit import PAPER, RetentionCampaign, expected_maximum_profit

ACCEPTANCE = (np.arange(20_000) + 0.5) / 20_000


def by_integration(y, p, c):
    """Maximise the profit over every threshold at every acceptance rate, then integrate over the Beta."""
    stops = np.concatenate([[-np.inf], np.unique(p)])
    lapsers = np.array([((p <= t) * (1 - y)).sum() for t in stops]) / len(y)
    stayers = np.array([((p <= t) * y).sum() for t in stops]) / len(y)
    gain = c.clv * (
        ACCEPTANCE[:, None] * (1 - c.incentive / c.clv) * lapsers
        - c.contact_cost / c.clv * lapsers
        - (c.incentive + c.contact_cost) / c.clv * stayers
    )
    weight = beta.pdf(ACCEPTANCE, c.alpha, c.beta)
    weight /= weight.sum()
    best = gain.argmax(axis=1)
    return (gain.max(axis=1) * weight).sum(), ((lapsers + stayers)[best] * weight).sum()


def drawn(n, seed):
    rng = np.random.default_rng(seed)
    p = np.round(rng.beta(2, 1, n), 2)  # rounded: ties
    return (rng.random(n) < p).astype(float), p


@pytest.mark.parametrize(
    "campaign",
    [PAPER, RetentionCampaign(2.0, 2.0, 50.0, 5.0, 0.0), RetentionCampaign(clv=40.0, contact_cost=8.0)],
)
def test_it_is_the_integral_of_the_best_profit(campaign):
    y, p = drawn(300, 5)
    assert expected_maximum_profit(y, p, campaign) == pytest.approx(
        by_integration(y, p, campaign), rel=2e-4, abs=1e-6
    )


def test_the_defaults_are_the_papers():
    assert RetentionCampaign(alpha=6, beta=14, clv=200, incentive=10, contact_cost=1) == PAPER


def test_a_better_ranking_earns_more_and_a_blind_one_treats_all_alike():
    y, p = drawn(2000, 6)
    perfect, real = expected_maximum_profit(y, y)[0], expected_maximum_profit(y, p)[0]
    blind, share = expected_maximum_profit(y, np.full(2000, 0.3))
    assert perfect > real > blind
    lapsed = 1 - y.mean()
    worth = (
        11 * (1 - lapsed) / lapsed + 1
    ) / 190  # everybody is targeted above this acceptance rate, nobody below it
    assert share == pytest.approx(beta.sf(worth, 6, 14))


@settings(max_examples=30)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=1, max_size=50))
def test_only_the_order_counts_and_nothing_is_lost_by_doing_nothing(rows):
    y, p = (np.array(v, dtype=float) for v in zip(*rows, strict=True))
    profit, share = expected_maximum_profit(y, p)
    assert profit >= -1e-9
    assert -1e-9 <= share <= 1 + 1e-9
    assert expected_maximum_profit(y, 2 * p - 7) == pytest.approx((profit, share))
    assert expected_maximum_profit(y, p, replace(PAPER, clv=400.0))[0] >= profit - 1e-9


def test_without_lapsers_there_is_nothing_to_earn():
    assert expected_maximum_profit(np.ones(5), np.arange(5.0)) == (0.0, 0.0)
    assert np.isnan(expected_maximum_profit(np.zeros(0), np.zeros(0))).all()
