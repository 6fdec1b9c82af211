"""The benchmark of peers: whose number is whose, what a failed fit leaves, and who is ahead of whom."""

import importlib.util
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from winback_models.btyd import BtydModel
from winback_models.label_time import LabelTime
from winback_training.baselines import equal_steps

FOLDER = Path(__file__).parents[2] / "benchmarks"
SPEC = importlib.util.spec_from_file_location("peers", FOLDER / "peers.py")
peers = importlib.util.module_from_spec(SPEC)
HELPERS = ("accuracy", "hindsight", "daily_job", "machine", "peer_tables", "peer_winback", "tasks")
WEEKS = np.array([2.0, 8.0])
DRAWS = np.array([[0.243, 4.414, 0.793, 2.426], [0.3, 6.0, 0.4, 2.0]])
HISTORIES = pd.DataFrame({"frequency": [0, 2, 5], "recency": [0.0, 30.43, 38.0], "T": [20.0, 38.86, 39.0]})


@pytest.fixture(scope="module", autouse=True)
def loaded():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        patch.setitem(sys.modules, "peers", peers)
        SPEC.loader.exec_module(peers)
        yield
    for name in HELPERS:
        sys.modules.pop(name, None)


def known(waits, silence):
    """Return a day with one contact for each wait; those silent for more than 60 days are lapsed."""
    features = pd.DataFrame(
        {
            "frequency": 1.0,
            "recency_days": 70.0,
            "T_days": 70.0 + np.asarray(silence),
            "days_since_purchase": np.asarray(silence, float),
            "purchase_days": 2.0,
        }
    )
    time = LabelTime(date(2025, 1, 1), features, np.asarray(waits, float), None, 30)
    return peers.Truth(time, time.as_of, 30)


def answers(kind, method="map", **found):
    told = {"parameters": DRAWS, "expected": np.ones(3), **found}
    peer = peers.Peer(peers.PYMC, kind, method)
    return list(peers.answers_of(peer, told, HISTORIES, WEEKS, None, "fine"))


def test_the_closed_form_is_the_mean_over_the_draws():
    x, t_x, age = (HISTORIES[c].to_numpy()[:, None] for c in HISTORIES)
    models = [BtydModel("bg_nbd", r=r, alpha=alpha, a=a, b=b) for r, alpha, a, b in DRAWS]
    expected = np.mean([m.p_purchase(x, t_x, age, WEEKS) for m in models], axis=0)
    np.testing.assert_allclose(peers.closed_form("bg_nbd", DRAWS, HISTORIES, WEEKS), expected)


def test_what_a_peer_says_itself_stands_apart_from_what_is_computed_for_it():
    own = np.full((3, 2), 0.4)
    assert [a.source for a in answers("bg_nbd", p_purchase=own)] == [peers.OWN, peers.CLOSED]
    assert [a.source for a in answers("pareto_nbd", p_purchase=own)] == [peers.OWN]
    assert [a.source for a in answers("mbg_nbd")] == [peers.CLOSED]
    assert answers("bg_nbd", p_purchase=own)[0].curve is own


def test_what_is_not_finite_is_counted_and_the_closed_form_steps_in():
    broken = np.array([[0.1, 0.2], [0.1, np.nan], [0.1, 0.2]])
    own, closed = answers("pareto_nbd", p_purchase=broken, expected=np.array([1.0, np.inf, 2.0]))
    assert own.curve is None
    assert closed.curve.shape == (3, 2)
    assert own.ranking is None
    assert own.note == "fine; no finite expected purchases for 1; no finite P(purchase) for 1"


def test_a_fit_that_takes_too_long_or_fails_is_said_in_words():
    assert (
        peers.measured(0.5, sys.executable, "-c", "import time; time.sleep(60)") == "did not finish in 0.5 s"
    )
    said = peers.measured(60, sys.executable, "-c", "raise ValueError('no such model')")
    assert said == "failed: ValueError: no such model"
    assert peers.measured(60, sys.executable, "-c", "print('done')").printed == "done\n"


def test_the_better_curve_is_ahead_and_the_lapsed_count_on_the_whole_base_alone():
    rng = np.random.default_rng(0)
    waits = np.where(rng.random(200) < 0.5, 0.0, np.inf)
    truth = known(waits, np.repeat([10.0, 90.0], 100))
    sure = np.repeat(np.where(np.isinf(waits), 0.1, 0.9)[:, None], 12, axis=1)
    wrong_of_lapsed = np.where(np.arange(200)[:, None] < 100, sure, 1.0 - sure)
    said = [
        peers.Answer("winback", peers.OWN, sure),
        peers.Answer("lifetimes a", peers.OWN, 1.0 - sure),
        peers.Answer("lifetimes b", peers.CLOSED, wrong_of_lapsed),
        peers.Answer(f"{peers.PYMC} c", "–", note="did not finish in 600 s"),
    ]
    ours, worse, partly, none = peers.judge(said, truth)
    assert ours["active ibs"] == pytest.approx(0.01)
    assert worse["difference"] == pytest.approx(-0.8)
    assert worse["high"] < 0
    assert partly["active brier"] == ours["active brier"]
    assert partly["whole brier"] == pytest.approx((0.01 + 0.81) / 2)
    assert all(np.isnan(value) for value in none.values())


def test_the_page_names_the_best_of_each_library_and_what_did_not_finish():
    truth = known(np.where(np.arange(40) % 3, 5.0, np.inf), np.full(40, 10.0))
    curve = np.full((40, 12), 0.6)
    said = [
        peers.Answer("winback", peers.OWN, curve),
        peers.Answer("lifetimes BG/NBD", peers.CLOSED, curve - 0.3),
        peers.Answer("lifetimes MBG/NBD", peers.CLOSED, curve - 0.1),
        peers.Answer(f"{peers.PYMC} BG/NBD, NUTS", "–", note="did not finish in 600 s"),
    ]
    task = peers.Task("shop", Path("orders.parquet"), 30)
    numbers = peers.judge(said, truth)
    row = peers.summary(task, truth, said, numbers)
    assert row[3].endswith(" MBG/NBD")
    assert row[5:] == ["–", "–", "– / – / –"]
    page = peers.markdown([row], peers.section(task, truth, said, numbers), {"winback": "1"})
    assert f"| {peers.PYMC} BG/NBD, NUTS | – | – | – | did not finish in 600 s |" in page


def test_lifetimes_is_asked_in_a_process_of_its_own_and_finds_the_published_parameters(tmp_path):
    folder = Path(importlib.util.find_spec("lifetimes").origin).parent / "datasets"
    cdnow = pd.read_csv(folder / "cdnow_customers_summary.csv")
    features = cdnow.assign(recency_days=cdnow["recency"] * 7, T_days=cdnow["T"] * 7)
    time = LabelTime(date(1997, 10, 1), features, np.full(len(features), np.inf), None, 30)
    truth = peers.Truth(time, time.as_of, 30)
    peer = peers.Peer("lifetimes", "bg_nbd", "ml")
    (found,), version = peers.ask(peer, sys.executable, truth, tmp_path, 120)
    published = peers.closed_form("bg_nbd", DRAWS[:1], truth.histories, equal_steps(30) / 7.0)
    assert version
    assert found.note == "no error"
    np.testing.assert_allclose(found.curve, published, atol=0.002)
