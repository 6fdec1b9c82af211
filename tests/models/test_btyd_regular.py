"""MBG/CNBD-k and Pareto/NBD: published numbers, lifetimes and numerical integration as oracles, simulation, properties."""

import math
import pickle
import warnings
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from sklearn.metrics import log_loss, roc_auc_score

from winback_models.btyd import BtydModel
from winback_models.btyd_fit import fit_btyd, fit_each
from winback_models.btyd_likelihoods import log_likelihood
from winback_models.pareto_nbd import p_purchase_if_alive, silent_days

PARETO = BtydModel("pareto_nbd", r=0.553, alpha=10.578, s=0.606, beta=11.669)
REGULAR = BtydModel("mbg_cnbd", r=0.9, alpha=6.0, a=0.6, b=2.0, k=3)
HISTORIES = (
    np.array([0.0, 1.0, 2.0, 7.0, 26.0]),
    np.array([0.0, 1.7, 30.43, 20.0, 38.0]),
    np.full(5, 38.86),
)


def lifetimes_fitter(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lifetimes
    return getattr(lifetimes, name)


def test_the_cdnow_sample_gives_the_published_pareto_parameters(cdnow_sample):
    """Fader, Hardie & Lee 2005, table 2."""
    weeks = cdnow_sample["recency"] / 7, cdnow_sample["T"] / 7
    model = fit_btyd(cdnow_sample["frequency"], *weeks, kinds=("pareto_nbd",))
    assert (model.r, model.alpha) == pytest.approx((0.553, 10.578), abs=0.001)
    assert (model.s, model.beta) == pytest.approx((0.606, 11.669), abs=0.006)
    assert model.log_likelihood == pytest.approx(-9595.0, abs=0.05)
    assert model.penalizer == 0.0


def test_pareto_reproduces_the_published_discrimination(cdnow_full):
    """CDNOW full, cut 1997-12-31, 181 days, to four digits."""
    history = [cdnow_full[c] for c in ("frequency", "recency", "T")]
    p = fit_btyd(*history, kinds=("pareto_nbd",)).p_purchase(*history, 181)
    assert round(roc_auc_score(cdnow_full["bought"], p), 4) == 0.7998
    assert round(log_loss(cdnow_full["bought"], p), 4) == 0.4208


@pytest.mark.parametrize(
    ("kind", "fitter"),
    [("bg_nbd", "BetaGeoFitter"), ("mbg_nbd", "ModifiedBetaGeoFitter"), ("pareto_nbd", "ParetoNBDFitter")],
)
def test_lifetimes_has_the_same_likelihood(kind, fitter):
    parameters = np.array([0.6, 9.0, 0.7, 12.0])
    values, _ = log_likelihood(kind)(np.log(parameters), *HISTORIES)
    oracle = lifetimes_fitter(fitter)
    if kind == "pareto_nbd":
        assert values == pytest.approx(oracle._conditional_log_likelihood(parameters, *HISTORIES), abs=1e-6)
        return
    theirs = oracle._negative_log_likelihood(np.log(parameters), *HISTORIES, np.ones(5), 0.0)
    assert -values.mean() == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize(
    ("kind", "k"), [("bg_nbd", 1), ("mbg_nbd", 1), ("mbg_cnbd", 2), ("mbg_cnbd", 4), ("pareto_nbd", 1)]
)
def test_gradients_are_those_of_the_values(kind, k):
    x, t_x, T = HISTORIES
    rows = (
        np.append(x, [3.0, 0.0]),
        np.append(t_x, [38.86, 0.0]),
        np.append(T, [38.86, 0.5]),
    )  # bought today; new
    theta, step = np.log([0.6, 9.0, 0.7, 3.0]), 1e-6
    likelihood = log_likelihood(kind, k)
    _, gradient = likelihood(theta, *rows)
    numeric = [
        (likelihood(theta + step * e, *rows)[0] - likelihood(theta - step * e, *rows)[0]) / (2 * step)
        for e in np.eye(4)
    ]
    assert gradient == pytest.approx(np.array(numeric), abs=1e-6)


def test_one_phase_is_mbg_nbd():
    one = replace(REGULAR, k=1)
    mbg = replace(REGULAR, kind="mbg_nbd", k=1)
    assert one.p_alive(*HISTORIES) == pytest.approx(mbg.p_alive(*HISTORIES))
    assert one.p_purchase(*HISTORIES, 9.0) == pytest.approx(mbg.p_purchase(*HISTORIES, 9.0))
    assert one.quantile(*HISTORIES, 0.01) == pytest.approx(mbg.quantile(*HISTORIES, 0.01))
    assert one.expected_purchases(*HISTORIES, 9.0) == pytest.approx(mbg.expected_purchases(*HISTORIES, 9.0))


def test_the_likelihood_of_regular_gaps_is_its_integral():
    """Gaps of 3 Erlang phases, integrated over the rate; death by a coin whose moments are Beta functions."""
    r, alpha, a, b, k, gaps, T = 0.9, 6.0, 0.6, 2.0, 3, np.array([4.0, 9.0]), 20.0
    x, t_x = len(gaps), gaps.sum()

    def beta(p, q):
        return math.gamma(p) * math.gamma(q) / math.gamma(p + q)

    def at_rate(rate):
        prior = alpha**r * rate ** (r - 1) * math.exp(-alpha * rate) / math.gamma(r)
        density = np.prod(rate**k * gaps ** (k - 1) * np.exp(-rate * gaps) / math.gamma(k))
        silent = sum((rate * (T - t_x)) ** j / math.factorial(j) for j in range(k)) * math.exp(
            -rate * (T - t_x)
        )
        return prior * density * (beta(a, b + x + 1) * silent + beta(a + 1, b + x)) / beta(a, b)

    truth = math.log(quad(at_rate, 0, 10, epsabs=0, epsrel=1e-10)[0])
    value, _ = log_likelihood("mbg_cnbd", k)(
        np.log([r, alpha, a, b]), *(np.array([float(v)]) for v in (x, t_x, T))
    )
    assert value[0] + (k - 1) * np.log(gaps).sum() == pytest.approx(truth, abs=1e-8)


def test_regular_gaps_agree_with_simulation():
    """Contacts drawn from the model whose histories happen to fall near one: how many of them buy again in time?"""
    rng = np.random.default_rng(3)
    n, T, days = 800_000, 30.0, 10.0
    rate = rng.gamma(REGULAR.r, 1.0 / REGULAR.alpha, n)
    coin = rng.beta(REGULAR.a, REGULAR.b, n)
    clock, last, x = np.zeros(n), np.zeros(n), np.zeros(n)
    alive, next_in = rng.random(n) >= coin, np.full(n, np.inf)
    while alive.any():
        at = np.flatnonzero(alive)
        clock[at] += rng.gamma(REGULAR.k, 1.0, len(at)) / rate[at]
        future = at[clock[at] > T]
        next_in[future] = clock[future] - T
        at = at[clock[at] <= T]
        x[at] += 1
        last[at] = clock[at]
        alive[:] = False
        alive[at] = rng.random(len(at)) >= coin[at]
    near = (x == 2) & (np.abs(last - 20.0) < 2.0)
    assert near.sum() > 3_000
    said = REGULAR.p_purchase(x[near], last[near], T, days).mean()
    assert said == pytest.approx((next_in[near] <= days).mean(), abs=0.02)
    assert REGULAR.p_alive(x[near], last[near], T).mean() == pytest.approx(
        np.isfinite(next_in[near]).mean(), abs=0.02
    )


def test_pareto_agrees_with_lifetimes():
    import pandas as pd

    oracle = lifetimes_fitter("ParetoNBDFitter")()
    oracle.params_ = pd.Series({"r": PARETO.r, "alpha": PARETO.alpha, "s": PARETO.s, "beta": PARETO.beta})
    assert PARETO.p_alive(*HISTORIES) == pytest.approx(
        oracle.conditional_probability_alive(*HISTORIES), abs=1e-6
    )
    theirs = oracle.conditional_expected_number_of_purchases_up_to_time(39.0, *HISTORIES)
    assert PARETO.expected_purchases(*HISTORIES, 39.0) == pytest.approx(theirs, rel=1e-5)
    none = [
        float(oracle.conditional_probability_of_n_purchases_up_to_time(0, 13.0, *h))
        for h in zip(*HISTORIES, strict=True)
    ]
    assert PARETO.p_purchase(*HISTORIES, 13.0) == pytest.approx(1.0 - np.array(none), abs=1e-6)


logs = st.floats(-1.5, 4.0)


@settings(max_examples=80, deadline=None)
@given(logs, logs, st.floats(-3.0, 4.0), logs, st.floats(-2.0, 7.0))
def test_the_quadrature_is_the_integral(log_R, log_A, log_s, log_B, log_days):
    R, A, s, B, days = np.exp([log_R, log_A + 3.0, log_s, log_B + 3.0, log_days])
    truth, _ = quad(
        lambda v: R * np.exp(-R * v - s * np.log1p(A * np.expm1(v) / B)),
        0.0,
        np.log1p(days / A),
        epsabs=1e-10,
        limit=200,
    )
    said = p_purchase_if_alive(*(np.array([v]) for v in (R, A, s, B, days)))
    assert said[0] == pytest.approx(truth, abs=2e-6)


def test_two_like_clocks_have_a_closed_form():
    one = np.ones(1)
    assert silent_days(2.0 * one, 7.0 * one, 1.5 * one, 7.0 * one, 9.0 * one)[0] == pytest.approx(
        7.0 / 2.5 * (1.0 - (7.0 / 16.0) ** 2.5), rel=1e-7
    )


@pytest.mark.parametrize("days", [np.linspace(90 / 24, 90, 24), np.array([7.0, 14.0, 30.0, 60.0, 90.0])])
def test_a_curve_is_its_points(days):
    """Summed from day to day, or each day in one go."""
    rng = np.random.default_rng(0)
    x, T = rng.poisson(rng.gamma(0.5, 20.0, 300)).astype(float), rng.uniform(1.0, 700.0, 300)
    t_x = np.where(x > 0, T * rng.random(300), 0.0)
    curve = PARETO.p_purchase(x[:, None], t_x[:, None], T[:, None], days[None, :])
    points = np.stack([PARETO.p_purchase(x, t_x, T, d) for d in days], axis=1)
    assert curve == pytest.approx(points, abs=2e-6)
    assert np.all(np.diff(curve, axis=1) >= 0.0)
    backwards = PARETO.p_purchase(x[:, None], t_x[:, None], T[:, None], days[None, ::-1])
    assert backwards[:, ::-1] == pytest.approx(points, abs=1e-12)


models = st.builds(
    lambda kind, r, alpha, third, fourth, k: (
        BtydModel(kind, r, alpha, s=third, beta=50.0 * fourth)
        if kind == "pareto_nbd"
        else BtydModel(kind, r, alpha, third, fourth, k=k)
    ),
    st.sampled_from(["mbg_cnbd", "pareto_nbd"]),
    st.floats(0.05, 5.0),
    st.floats(0.5, 400.0),
    st.floats(0.05, 5.0),
    st.floats(0.05, 200.0),
    st.integers(1, 4),
)
contacts = st.tuples(st.integers(0, 300), st.floats(0.0, 1.0), st.floats(1.0, 3000.0))


@settings(max_examples=80, deadline=None)
@given(models, contacts)
def test_probabilities_are_probabilities_and_grow_with_time(model, contact):
    x, share, T = contact
    t_x = share * T if x else 0.0
    p = model.p_purchase(x, t_x, T, np.array([0.0, 1.0, 7.0, 30.0, 365.0, 1e5]))
    alive = float(model.p_alive(x, t_x, T))
    assert 0.0 <= alive <= 1.0
    assert p[0] == 0.0
    assert np.all(np.diff(p) >= -2e-6)  # the quadrature's own error, of Pareto/NBD only
    assert p[-1] <= alive + 1e-12
    expected = model.expected_purchases(x, t_x, T, 30.0)
    assert np.isfinite(expected)
    assert expected >= p[3]


@settings(max_examples=80, deadline=None)
@given(models, contacts, st.floats(0.01, 0.95))
def test_quantile_inverts_p_purchase(model, contact, q):
    x, share, T = contact
    t_x = share * T if x else 0.0
    wait = float(model.quantile(x, t_x, T, q))
    assert wait >= 0.0
    if wait < 1e9:
        assert float(model.p_purchase(x, t_x, T, wait)) == pytest.approx(q, abs=2e-6)
    else:
        assert float(model.p_purchase(x, t_x, T, 1e9)) <= q + 1e-3


def test_regular_buyers_are_overdue_sooner():
    """Ten gaps of ten days: after twenty silent days regularity says that something has happened, chance does not."""
    chance = replace(REGULAR, kind="mbg_nbd", k=1, alpha=2.0)
    assert REGULAR.p_alive(10, 100, 120) < chance.p_alive(10, 100, 120) - 0.05


@pytest.mark.parametrize("kind", ["mbg_cnbd", "pareto_nbd"])
def test_the_fit_recovers_what_was_simulated(kind):
    rng = np.random.default_rng(5)
    n, truth = (
        10_000,
        BtydModel(kind, 1.2, 20.0, 0.8, 2.5, k=3)
        if kind == "mbg_cnbd"
        else BtydModel(kind, 0.8, 15.0, s=0.9, beta=60.0),
    )
    k = truth.k
    T = rng.uniform(20.0, 300.0, n)
    rate = rng.gamma(truth.r, 1.0 / truth.alpha, n)
    coin = rng.beta(truth.a, truth.b, n) if k > 1 else np.zeros(n)
    end = np.minimum(T, np.inf if k > 1 else rng.exponential(1.0 / rng.gamma(truth.s, 1.0 / truth.beta, n)))
    clock, last, x, log_gaps = np.zeros(n), np.zeros(n), np.zeros(n), 0.0
    alive = np.flatnonzero(rng.random(n) >= coin)
    while len(alive):
        gaps = rng.gamma(k, 1.0, len(alive)) / rate[alive]
        clock[alive] += gaps
        bought = clock[alive] < end[alive]
        log_gaps += float(np.log(gaps[bought]).sum())
        alive = alive[bought]
        x[alive] += 1
        last[alive] = clock[alive]
        alive = alive[rng.random(len(alive)) >= coin[alive]]
    model = fit_btyd(x, last, T, kinds=(kind,), log_gaps=log_gaps)
    assert model.k == k
    said, true = (np.log([m.r, m.alpha, *((m.a, m.b) if k > 1 else (m.s, m.beta))]) for m in (model, truth))
    errors = np.array(model.standard_errors)
    assert errors.max() < 0.2
    assert np.abs(said - true).max() < 4.0 * errors.max()
    assert np.all(np.abs(said - true) < 4.0 * errors)


def test_bundles_of_before_load_with_what_was_meant():
    """The state that a frozen, slotted dataclass wrote when it had nine attributes."""
    model = BtydModel("mbg_nbd", 0.5, 6.0, 0.9, 1.6, -9582.1, 2357, 0.001, ("fitted",))
    old = object.__new__(BtydModel)
    old.__setstate__([getattr(model, f.name) for f in fields(model)[:9]])
    assert old == model
    known = replace(PARETO, log_likelihood=-1.0, standard_errors=(0.1, 0.2))
    assert pickle.loads(pickle.dumps(known)) == known
    with pytest.raises(ValueError, match="1 values"):
        object.__new__(BtydModel).__setstate__(["bg_nbd"])


def test_regularity_is_not_judged_without_gaps(cdnow_sample):
    part = cdnow_sample.head(800)
    history = [part[c] for c in ("frequency", "recency", "T")]
    assert {m.kind for m in fit_each(*history, kinds=("mbg_nbd", "mbg_cnbd"))} == {"mbg_nbd"}
    both = fit_each(*history, kinds=("mbg_nbd", "mbg_cnbd"), log_gaps=3.0 * part["frequency"].sum())
    assert [(m.kind, m.k > 1) for m in both] == [("mbg_nbd", False), ("mbg_cnbd", True)]
    assert (
        fit_btyd(*history, kinds=("mbg_nbd", "mbg_cnbd"), log_gaps=1e6).kind == "mbg_nbd"
    )  # it must prove itself
