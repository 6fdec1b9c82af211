"""Customer value: lifetimes and brute force as oracles, simulation, and what must hold for any contact."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from winback_models.btyd import BtydModel
from winback_models.customer_value import (
    customer_lifetime_value,
    discounted_purchases,
    newcomers_purchases,
    value_at_risk,
)

DAILY = BtydModel("bg_nbd", r=0.2426, alpha=4.4136 * 7, a=0.7929, b=2.4259)
MODIFIED = BtydModel("mbg_nbd", r=0.5248, alpha=6.1831 * 7, a=0.8914, b=1.6140)


def own(model, x, t_x, T, horizon=90, **options):
    """Anchored on the model's own probability, so that nothing is rescaled."""
    p = model.p_purchase(x, t_x, T, horizon)
    return discounted_purchases(model, x, t_x, T, p, horizon_days=horizon, **options)


def brute_force(model, x, t_x, T, days, rate):
    """Every day's expected purchases, discounted at that day's middle."""
    edges = np.arange(days + 1.0)
    expected = model.expected_purchases(x[:, None], t_x[:, None], T[:, None], edges[None, :])
    return np.diff(expected) @ (1 + rate) ** (-(edges[:-1] + 0.5) / 365)


def test_lifetimes_agrees_on_cdnow(cdnow_sample):
    """Its CLV discounts 12 months of 30 days, each at its end; moved to the months' middle it is ours within .2 %."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lifetimes import BetaGeoFitter
        from lifetimes.utils import _customer_lifetime_value
    oracle = BetaGeoFitter()
    oracle.params_ = pd.Series({"r": DAILY.r, "alpha": DAILY.alpha, "a": DAILY.a, "b": DAILY.b})
    oracle.predict = oracle.conditional_expected_number_of_purchases_up_to_time  # fit() would set it
    some = cdnow_sample[::5]
    x, t_x, T = (some[c] for c in ("frequency", "recency", "T"))
    value = pd.Series(np.linspace(10, 90, len(some)), index=some.index)
    monthly = 1.1 ** (30 / 365) - 1
    theirs = _customer_lifetime_value(oracle, x, t_x, T, value, time=12, discount_rate=monthly, freq="D")
    ours = customer_lifetime_value(own(DAILY, x, t_x, T, days=360), value, 1.0)
    assert ours == pytest.approx(theirs.to_numpy() * 1.1 ** (15 / 365), rel=2e-3, abs=1e-6)
    assert ours.sum() == pytest.approx(theirs.sum(), rel=0.01)


@pytest.mark.parametrize("model", [DAILY, MODIFIED], ids=lambda m: m.kind)
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5])
@pytest.mark.parametrize(("horizon", "days"), [(28, 365), (90, 365), (365, 365), (180, 90)])
def test_four_evaluations_do_what_daily_sums_do(cdnow_sample, model, rate, horizon, days):
    x, t_x, T = (cdnow_sample[c].to_numpy()[::20] for c in ("frequency", "recency", "T"))
    said = own(model, x, t_x, T, horizon, days=days, annual_rate=rate)
    exact = brute_force(model, x, t_x, T, days, rate)
    assert said.sum() == pytest.approx(exact.sum(), rel=0.005)
    assert said == pytest.approx(exact, rel=0.01, abs=1e-6)


def test_simulated_customers_buy_what_they_are_worth():
    """Whole BG/NBD histories are drawn; the money of the year after the cut is discounted purchase by purchase."""
    rng, n, T = np.random.default_rng(4), 60_000, 200.0
    model = BtydModel("bg_nbd", r=0.9, alpha=40.0, a=0.8, b=2.5)
    rate, dropout = rng.gamma(model.r, 1 / model.alpha, n), rng.beta(model.a, model.b, n)
    clock, alive = np.zeros(n), np.ones(n, bool)
    x, t_x, worth = np.zeros(n), np.zeros(n), np.zeros(n)
    while alive.any():
        clock = np.where(alive, clock + rng.exponential(1 / rate), np.inf)
        past, ahead = clock <= T, (clock > T) & (clock <= T + 365)
        x, t_x = x + past, np.where(past, clock, t_x)
        worth[ahead] += 1.1 ** (-(clock[ahead] - T) / 365)
        alive &= (clock <= T + 365) & (rng.random(n) >= dropout)
    said = own(model, x, t_x, np.full(n, T))
    assert said.mean() == pytest.approx(worth.mean(), rel=0.02)
    often = x >= 5
    assert said[often].mean() == pytest.approx(worth[often].mean(), rel=0.03)
    silent = T - t_x > 100
    assert said[silent].mean() == pytest.approx(worth[silent].mean(), rel=0.05)


def test_the_horizon_holds_as_many_purchases_as_the_score_says():
    """Within the horizon alone, without interest: the probability times the purchases per buyer."""
    x, t_x, T = 5.0, 150.0, 180.0
    per_buyer = float(DAILY.expected_purchases(x, t_x, T, 90) / DAILY.p_purchase(x, t_x, T, 90))
    for p in (0.0, 0.001, 0.4, 1.0):
        said = discounted_purchases(DAILY, x, t_x, T, p, horizon_days=90, days=90, annual_rate=0.0)
        assert float(said) == pytest.approx(p * per_buyer)


def test_beyond_the_horizon_the_root_of_the_ratio_is_carried_within_bounds():
    x, t_x, T = np.array([5.0]), np.array([150.0]), np.array([180.0])
    modelled = DAILY.p_purchase(x, t_x, T, 90)
    beyond = DAILY.expected_purchases(x, t_x, T, 365) - DAILY.expected_purchases(x, t_x, T, 90)

    def carried(p):
        year, near = (
            discounted_purchases(DAILY, x, t_x, T, p, horizon_days=90, days=d, annual_rate=0.0)
            for d in (365, 90)
        )
        return float(((year - near) / beyond)[0])

    assert carried(modelled) == pytest.approx(1.0)
    assert carried(modelled / 4) == pytest.approx(0.5)
    assert carried(modelled / 1000) == pytest.approx(0.25)
    dead = np.array([40.0]), np.array([10.0]), np.array([900.0])
    as_good_as = discounted_purchases(DAILY, *dead, np.array([0.5]), horizon_days=90)
    assert 0.48 < float(as_good_as[0]) < 3.0


@pytest.mark.parametrize("annual_rate", [0.0, 0.5])
def test_newcomers_begin_at_their_rate_and_go_on_as_buyers(annual_rate):
    """Begin at rate m, and then buy at the rate l for ever: both integrals are known."""
    m, rate, days = 0.003, 0.02, 365.0
    force = np.log1p(annual_rate) / 365.0
    sure = BtydModel("base_rate", r=1e7, alpha=1e7 / rate)
    ends = days * np.arange(1, 25) / 24
    t = (np.arange(200_000) + 0.5) * days / 200_000
    after = (np.exp(-force * t) - np.exp(-force * days)) / force if force else days - t
    exact = (m * np.exp(-m * t) * (np.exp(-force * t) + rate * after)).mean() * days
    said = newcomers_purchases(sure, -np.expm1(-m * ends)[None, :], ends, annual_rate=annual_rate)
    assert float(said[0]) == pytest.approx(exact, rel=2e-3)


def test_money_of_a_year_by_hand():
    assert float(customer_lifetime_value(2.0, 40.0, 0.3)) == 24.0
    assert value_at_risk([1.0, 0.0], 0.1, 10.0, value_horizon_days=100, margin_share=1.0) == pytest.approx(
        [100, 0]
    )


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match=r"at least 0, not -0\.1"):
        newcomers_purchases(DAILY, [[0.5]], [365], annual_rate=-0.1)
    with pytest.raises(ValueError, match="must be positive, not 0 and 365"):
        discounted_purchases(DAILY, 1.0, 5.0, 9.0, 0.5, horizon_days=0)


contacts = st.tuples(st.integers(0, 300), st.floats(0.0, 1.0), st.floats(1.0, 3000.0))
parameters = st.tuples(
    st.sampled_from(["bg_nbd", "mbg_nbd", "base_rate"]),
    st.floats(0.05, 5.0),
    st.floats(0.5, 400.0),
    st.floats(0.05, 5.0),
    st.floats(0.05, 200.0),
)


@settings(max_examples=150, deadline=None)
@given(contacts, parameters, st.floats(1, 400), st.floats(1, 800), st.floats(0, 1), st.floats(0, 1))
def test_value_is_finite_grows_with_the_probability_and_falls_with_interest(
    contact, chosen, horizon, days, low, rate
):
    x, share, T = contact
    history = float(x), share * T if x else 0.0, T
    model = BtydModel(*chosen)
    p = np.array([low * 0.5, 0.5 + low * 0.5])
    said = discounted_purchases(model, *history, p, horizon_days=horizon, days=days, annual_rate=rate)
    plain = discounted_purchases(model, *history, p, horizon_days=horizon, days=days, annual_rate=0.0)
    assert np.isfinite(said).all()
    assert (said >= 0).all()
    assert said[0] <= said[1] + 1e-9
    assert (said <= plain * (1 + 1e-3) + 1e-9).all()
