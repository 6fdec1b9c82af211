"""The fit: ridges, cells, small and odd data."""

import numpy as np
import pandas as pd
import pytest

from winback_models.btyd import BtydModel
from winback_models.btyd_fit import ALL_KINDS, FINEST, Histories, fit_btyd, fit_each, gather_in_cells
from winback_models.history import STEADY_KIND, fit_rhythm_models


def base(n, *, dropout=0.0, r=1.0, alpha=30.0, oldest=300, seed=0):
    """Whole purchase days of contacts that stop after each with probability ``dropout``, and the sum of the log-gaps."""
    rng = np.random.default_rng(seed)
    T = rng.integers(1, oldest, n).astype(float)
    rate = np.maximum(rng.gamma(r, 1.0 / alpha, n), 1e-9)
    clock, last, x, log_gaps = np.zeros(n), np.zeros(n), np.zeros(n), 0.0
    alive = np.arange(n)
    while len(alive):
        clock[alive] += rng.exponential(1.0 / rate[alive])
        alive = alive[clock[alive] < T[alive]]
        day = np.floor(clock[alive])
        new = day > last[alive]
        log_gaps += float(np.log(day[new] - last[alive[new]]).sum())
        x[alive[new]] += 1
        last[alive] = day
        alive = alive[rng.random(len(alive)) >= dropout]
    return x, last, T, log_gaps


def parameters(model):
    return np.array(
        [model.r, model.alpha, *((model.s, model.beta) if model.kind == "pareto_nbd" else (model.a, model.b))]
    )


@pytest.mark.parametrize("kind", ["bg_nbd", "mbg_nbd", "pareto_nbd"])
def test_where_nobody_leaves_a_weak_prior_keeps_dropout_finite(kind):
    """Maximum likelihood would let the dropout's parameters run away: as on Online Retail."""
    *history, _ = base(2000)
    model = fit_btyd(*history, kinds=(kind,))
    assert model.kind == kind
    assert model.penalizer > 0.0
    assert len(model.path) > 1
    assert "runs away" in model.path[0] or "ridge" in model.path[0]
    assert np.isfinite(parameters(model)).all()
    assert (np.array(model.standard_errors) <= 2.0).all()
    assert (model.r, model.alpha) == pytest.approx((1.0, 30.0), rel=0.15)
    recent = model.p_alive(3.0, 80.0, 90.0)
    assert recent > 0.97


def test_neighbouring_label_times_agree_within_their_errors():
    x, last, T, _ = base(3000, dropout=0.15, seed=2)
    half = np.arange(len(x)) % 2 == 0
    one, other = (fit_each(x[s], last[s], T[s], kinds=("bg_nbd", "mbg_nbd")) for s in (half, ~half))
    for a, b in zip(one, other, strict=True):
        spread = np.hypot(a.standard_errors, b.standard_errors)
        assert (np.abs(np.log(parameters(a)) - np.log(parameters(b))) < 4.0 * spread).all()


def test_cells_keep_every_total_and_move_no_parameter_by_a_hundredth():
    x, last, T, _ = base(20_000, dropout=0.2, oldest=700)
    cells = gather_in_cells(Histories(x, last, T, np.ones(len(x))), *FINEST)
    assert len(cells.x) < len(x)
    for name, values in (("x", x), ("t_x", last), ("T", T)):
        assert float(getattr(cells, name) @ cells.n) == pytest.approx(values.sum())
    kinds = ("bg_nbd", "pareto_nbd")
    few = fit_each(x, last, T, kinds=kinds, most_rows=1000)
    all_rows = fit_each(x, last, T, kinds=kinds, most_rows=10**9)
    assert [m.kind for m in few] == [m.kind for m in all_rows] == list(kinds)
    for a, b in zip(few, all_rows, strict=True):
        assert parameters(a) == pytest.approx(parameters(b), rel=0.01), a.kind


def test_the_order_of_contacts_is_no_matter():
    x, last, T, _ = base(300, dropout=0.1)
    mixed = np.random.default_rng(0).permutation(len(x))
    one = fit_each(x, last, T, kinds=("bg_nbd", "mbg_nbd"))
    assert one == fit_each(x[mixed], last[mixed], T[mixed], kinds=("bg_nbd", "mbg_nbd"))


@pytest.mark.parametrize("seed", range(4))
def test_fifty_contacts_give_numbers_one_can_use(seed):
    x, last, T, log_gaps = base(50, dropout=0.3, seed=seed)
    fitted = fit_each(x, last, T, kinds=ALL_KINDS, log_gaps=log_gaps)
    for model in fitted:
        p = model.p_purchase(x, last, T, 30.0)
        assert np.isfinite(parameters(model)).all()
        assert ((p >= 0.0) & (p <= 1.0)).all()
        assert 0.2 * x.sum() / T.sum() < p.mean() / 30.0 < 5.0 * x.sum() / T.sum()


@pytest.mark.parametrize(
    ("x", "t_x", "T"),
    [([0.0] * 40, [0.0] * 40, list(range(1, 41))), ([2.0] * 40, [9.0] * 40, [30.0] * 40)],
    ids=["one-time buyers only", "everyone identical"],
)
def test_nothing_to_learn_gives_a_base_rate_of_every_kind(x, t_x, T):
    (model,) = fit_each(x, t_x, T, kinds=ALL_KINDS, log_gaps=0.0)
    assert model.kind == "base_rate"
    assert model.standard_errors == ()
    assert 0.0 < float(model.p_purchase(x[0], t_x[0], T[0], 30.0)) < 1.0


def test_the_state_is_ready_for_json():
    import json

    model = fit_btyd(*base(800, dropout=0.1)[:3], kinds=("pareto_nbd",))
    told = json.loads(json.dumps(model.as_dict()))
    assert (
        BtydModel(**{**told, "path": tuple(told["path"]), "standard_errors": tuple(told["standard_errors"])})
        == model
    )


def features(x, last, T, gap_log_mean=3.0):
    has = np.where(x > 0, gap_log_mean, np.nan)
    return pd.DataFrame(
        {"frequency": x, "recency_days": last, "T_days": T, "gap_log_mean": has, "gap_log_sd": 0.0 * has}
    )


def test_every_kind_is_fitted_at_a_label_time():
    frame = features(*base(300, dropout=0.1)[:3])
    models = fit_rhythm_models(frame.assign(n=1), frame)
    assert [m.kind for m in models.candidates] == list(ALL_KINDS)
    assert models.btyd.kind == STEADY_KIND
    nobody = fit_rhythm_models(frame.head(0).assign(n=1), frame.head(0))
    assert nobody.btyd.kind == "base_rate"
