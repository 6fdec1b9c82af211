"""BG/NBD and MBG/NBD: published numbers, lifetimes as oracle, simulation, properties."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss, roc_auc_score

from winback_models.btyd import BtydModel
from winback_models.btyd_fit import fit_btyd, fit_each

PUBLISHED = BtydModel("bg_nbd", r=0.2426, alpha=4.4136, a=0.7929, b=2.4259)


@pytest.mark.parametrize(
    ("kind", "parameters", "log_likelihood"),
    [
        ("bg_nbd", (0.2426, 4.4136, 0.7929, 2.4259), -9582.43),  # Fader, Hardie & Lee 2005
        ("mbg_nbd", (0.5248, 6.1831, 0.8914, 1.6140), -9582.14),  # two programs agree
    ],
)
def test_the_cdnow_sample_gives_the_known_parameters(cdnow_sample, kind, parameters, log_likelihood):
    assert len(cdnow_sample) == 2357
    weeks = cdnow_sample["recency"] / 7, cdnow_sample["T"] / 7
    model = fit_btyd(cdnow_sample["frequency"], *weeks, kinds=(kind,))
    assert (model.r, model.alpha, model.a, model.b) == pytest.approx(
        parameters, abs=6e-5 if kind == "bg_nbd" else 6e-4
    )
    assert model.log_likelihood == pytest.approx(log_likelihood, abs=0.006)


def test_days_and_weeks_give_the_same_model(cdnow_sample):
    days = fit_btyd(cdnow_sample["frequency"], cdnow_sample["recency"], cdnow_sample["T"], kinds=("bg_nbd",))
    assert days.alpha / 7 == pytest.approx(4.4136, abs=2e-3)
    assert (days.r, days.a, days.b) == pytest.approx((0.2426, 0.7929, 2.4259), abs=1e-3)


def test_whole_weeks_give_the_other_known_parameters(cdnow_sample):
    """The trap of collapsing purchases by week: a different model, known too."""
    x, t_x, T = (cdnow_sample[c] for c in ("frequency", "recency", "T"))
    exact = fit_btyd(x, t_x / 7, T / 7)
    coarse = fit_btyd(x, np.floor(t_x / 7), np.floor(T / 7))
    assert abs(exact.alpha - coarse.alpha) > 0.05


def test_pareto_nbd_has_its_published_likelihood_on_our_histories(cdnow_sample):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lifetimes import ParetoNBDFitter

        weeks = (
            cdnow_sample["frequency"].to_numpy(),
            cdnow_sample["recency"].to_numpy() / 7,
            cdnow_sample["T"].to_numpy() / 7,
        )
        minus = ParetoNBDFitter()._negative_log_likelihood(
            np.array([0.553, 10.578, 0.606, 11.669]), *weeks, np.ones(2357), 0.0
        )
    assert -minus == pytest.approx(-9595.0, abs=0.1)


def test_p_purchase_reproduces_the_published_discrimination(cdnow_full):
    """CDNOW full, cut 1997-12-31, 181 days, to four digits."""
    assert len(cdnow_full) == 23570
    history = [cdnow_full[c] for c in ("frequency", "recency", "T")]
    p = fit_btyd(*history, kinds=("bg_nbd",)).p_purchase(*history, 181)
    assert round(roc_auc_score(cdnow_full["bought"], p), 4) == 0.7882
    assert round(log_loss(cdnow_full["bought"], p), 4) == 0.4244


def test_ranking_by_p_alive_would_be_inverted(cdnow_full):
    history = [cdnow_full[c] for c in ("frequency", "recency", "T")]
    assert roc_auc_score(cdnow_full["bought"], fit_btyd(*history, kinds=("bg_nbd",)).p_alive(*history)) < 0.5


@pytest.mark.parametrize("kind", ["bg_nbd", "mbg_nbd"])
def test_lifetimes_agrees_on_alive_and_expected(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lifetimes import BetaGeoFitter, ModifiedBetaGeoFitter
    import pandas as pd

    oracle = BetaGeoFitter() if kind == "bg_nbd" else ModifiedBetaGeoFitter()
    oracle.params_ = pd.Series({"r": 0.2426, "alpha": 4.4136, "a": 0.7929, "b": 2.4259})
    model = BtydModel(kind, 0.2426, 4.4136, 0.7929, 2.4259)
    x = np.array([0.0, 1.0, 2.0, 7.0, 26.0])
    t_x = np.array([0.0, 1.7, 30.43, 20.0, 38.0])
    T = np.full(5, 38.86)
    assert model.p_alive(x, t_x, T) == pytest.approx(
        np.asarray(oracle.conditional_probability_alive(x, t_x, T))
    )
    expected = oracle.conditional_expected_number_of_purchases_up_to_time(39.0, x, t_x, T)
    assert model.expected_purchases(x, t_x, T, 39.0) == pytest.approx(np.asarray(expected), rel=1e-6)


def test_closed_forms_agree_with_simulation():
    """Draw rate and dropout from the posterior of one history, and let it buy."""
    rng = np.random.default_rng(7)
    x, t_x, T, days, n = 4.0, 20.0, 26.0, 13.0, 200_000
    model = PUBLISHED
    rate = rng.gamma(model.r + x, 1.0 / (model.alpha + T), n)
    dropout = rng.beta(model.a, model.b + x, n)
    alive = rng.random(n) < float(model.p_alive(x, t_x, T))
    clock, count = np.zeros(n), np.zeros(n)
    while alive.any():
        clock = clock + rng.exponential(1.0 / rate)
        alive &= clock <= days
        count += alive
        alive &= rng.random(n) >= dropout
    assert float(model.p_purchase(x, t_x, T, days)) == pytest.approx((count > 0).mean(), abs=0.005)
    assert float(model.expected_purchases(x, t_x, T, days)) == pytest.approx(count.mean(), rel=0.02)


histories = st.tuples(
    st.integers(0, 300),
    st.floats(0.0, 1.0),
    st.floats(1.0, 3000.0),
    st.sampled_from(["bg_nbd", "mbg_nbd", "base_rate"]),
)


@settings(max_examples=200, deadline=None)
@given(histories, st.floats(0.05, 5.0), st.floats(0.5, 400.0), st.floats(0.05, 5.0), st.floats(0.05, 200.0))
def test_probabilities_are_probabilities_and_grow_with_time(history, r, alpha, a, b):
    x, share, T, kind = history
    t_x = share * T if x else 0.0
    model = BtydModel(kind, r, alpha, a, b)
    p = model.p_purchase(x, t_x, T, np.array([0.0, 1.0, 7.0, 30.0, 365.0, 1e5]))
    alive = float(model.p_alive(x, t_x, T))
    assert 0.0 <= alive <= 1.0
    assert np.all(np.diff(p) >= 0)
    assert p[0] == 0.0
    assert p[-1] <= alive + 1e-12
    expected = model.expected_purchases(x, t_x, T, 30.0)
    assert np.isfinite(expected)
    assert expected >= p[3] - 1e-6


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 60), st.floats(0.3, 1.0), st.floats(5.0, 900.0), st.floats(0.01, 0.95))
def test_quantile_inverts_p_purchase(x, share, T, q):
    t_x = share * T if x else 0.0
    wait = float(PUBLISHED.quantile(x, t_x, T, q))
    if np.isfinite(wait) and wait < 1e12:
        assert float(PUBLISHED.p_purchase(x, t_x, T, wait)) == pytest.approx(q, abs=1e-9)
    else:
        assert float(PUBLISHED.p_purchase(x, t_x, T, 1e12)) <= q + 1e-3


@pytest.mark.parametrize(
    ("x", "t_x", "T"),
    [
        ([3.0], [10.0], [20.0]),
        ([0.0, 0.0], [0.0, 0.0], [5.0, 9.0]),
        ([1.0] * 5, [4.0] * 5, [9.0] * 5),
        ([], [], []),
    ],
    ids=["one customer", "no repeat buyer", "all identical", "nobody"],
)
def test_where_nothing_can_be_learned_a_base_rate_speaks(x, t_x, T):
    model = fit_btyd(x, t_x, T)
    assert model.kind == "base_rate"
    assert np.isfinite(model.alpha)
    assert 0.0 < float(model.p_purchase(1.0, 4.0, 9.0, 30.0)) < 1.0


def test_weights_stand_for_repeated_rows(cdnow_sample):
    part = cdnow_sample.head(600)
    twice = fit_btyd(*(np.tile(part[c], 2) for c in ("frequency", "recency", "T")))
    weighted = fit_btyd(part["frequency"], part["recency"], part["T"], np.full(600, 2.0))
    assert (twice.r, twice.alpha, twice.a, twice.b) == (weighted.r, weighted.alpha, weighted.a, weighted.b)
    assert weighted.n_contacts == 1200


def test_the_likelier_model_is_taken(cdnow_sample):
    history = [cdnow_sample[c] for c in ("frequency", "recency", "T")]
    each = {m.kind: m for m in fit_each(*history)}
    assert set(each) == {"bg_nbd", "mbg_nbd"}
    assert each["mbg_nbd"].log_likelihood > each["bg_nbd"].log_likelihood
    assert fit_btyd(*history) == each["mbg_nbd"]
