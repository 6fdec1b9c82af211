"""Training from real purchases: what a model may know, and what small data give."""

import hashlib
from datetime import date, timedelta

import pandas as pd
import pytest

from winback_features.config import BrandConfig, EngineConfig, SourceConfig
from winback_features.engine import open_engine
from winback_features.errors import InputError
from winback_features.ingest import ingest
from winback_models.config import ScoreConfig
from winback_models.design import step_days
from winback_policy.config import PolicyConfig
from winback_training.config import TrainingConfig
from winback_training.evaluate import Evaluation
from winback_training.train import ranking_notice, train

SCORE = ScoreConfig(horizon_days=60, curve_days=(7, 30, 60))
FAST = TrainingConfig(cuts=2, origins=1)
DAY = date(2025, 6, 1)


def orders(n=250, days=420, seed=4):
    """A shop with a rhythm of about three weeks; contacts drop out."""
    import numpy as np

    rng = np.random.default_rng(seed)
    rows = []
    for c in range(n):
        day, rate, end = rng.uniform(0, 200), rng.gamma(2.0, 1 / 45), rng.exponential(250)
        last = day + end
        while day < min(days, last):
            rows.append(
                (
                    f"c{c}",
                    f"o{len(rows)}",
                    date(2024, 6, 1) + timedelta(days=int(day)),
                    round(rng.gamma(3, 10), 2),
                )
            )
            day += rng.exponential(1 / rate)
    return pd.DataFrame(rows, columns=["contact_id", "order_id", "ordered_at", "amount"])


def trained(tmp_path, frame, day=DAY, config=FAST, policy=None, log=None):
    frame.to_parquet(tmp_path / "orders.parquet")
    with open_engine(EngineConfig()) as backend:
        tables = ingest(
            backend,
            SourceConfig(orders="orders.parquet", campaign_log=log),
            BrandConfig(),
            today=date(2026, 1, 1),
            base_dir=tmp_path,
            with_log=log is not None,
        )
        return train(tables, day, SCORE, config, policy=policy)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("shop"), orders())


def test_the_forward_test_judges_ours_beside_every_baseline(result):
    metrics = result.evaluation.metrics
    assert set(metrics["model"]) == {
        "winback", "bg_nbd", "mbg_nbd", "boosting", "logistic", "recency", "own_gap",
    }  # fmt: skip
    assert set(metrics["population"]) - {"never_bought"} == {
        "whole", "active", "one_time", "repeat", "lapsed",
    }  # fmt: skip
    assert result.evaluation.origins == (DAY - timedelta(days=60),)
    assert result.evaluation.value("winback", "auc", "whole") > 0.7
    assert result.evaluation.summary()["populations"]["active"]["winback"]["brier"] < 0.25
    assert len(result.fingerprints["orders"]) == 64


def test_label_windows_close_before_training(result):
    times = [date.fromisoformat(t) for t in result.model.info["label_times"]]
    assert times
    assert max(times) + timedelta(days=step_days(60)) <= DAY, "a step at least has been seen to its end"
    assert min(times) + timedelta(days=60) <= DAY, "and some windows have closed"


@pytest.mark.slow
def test_messages_set_the_held_out_apart_and_a_policy_alone_nothing(result, tmp_path):
    frame, policy = orders(), PolicyConfig(holdout_share=0.4)
    again = trained(tmp_path, frame, policy=policy)
    pd.testing.assert_frame_equal(again.evaluation.metrics, result.evaluation.metrics, check_exact=True)
    ids = sorted(set(frame["contact_id"]))
    held = {
        c
        for c in ids
        if int(hashlib.sha256(f"{policy.holdout_salt}:{c}".encode()).hexdigest()[:8], 16) < 0.4 * 16**8
    }
    sent = pd.DataFrame(
        {"contact_id": [c for c in ids if c not in held], "sent_at": DAY - timedelta(days=20)}
    )
    sent.to_parquet(tmp_path / "log.parquet")
    found = trained(tmp_path, frame, policy=policy, log="log.parquet")
    newest = found.evaluation.tests[0]
    mask = newest.populations["held_out"]
    assert {*newest.contact_ids[mask]} == {*newest.contact_ids[newest.populations["active"]]} & held
    rows = found.evaluation.metrics.query("population == 'held_out'")
    assert set(rows["model"]) == set(result.evaluation.metrics["model"])
    assert set(found.evaluation.money["population"]) >= {"held_out"}
    assert not any("held-out contacts" in notice for notice in found.notices)
    assert found.summary()["champion_held_out"]["note"] == "There is no champion yet to compare it with."


@pytest.mark.slow
def test_facts_at_or_after_the_day_change_nothing(result, tmp_path):
    frame = orders()
    late = pd.to_datetime(frame["ordered_at"]) >= pd.Timestamp(DAY)
    assert late.any()
    changed = frame.assign(amount=frame["amount"].where(~late, 9999.0))
    changed = changed[~late | (changed.index % 2 == 0)]
    more = pd.DataFrame([("c1", "new", DAY, 5.0)], columns=frame.columns)
    again = trained(tmp_path, pd.concat([changed, more], ignore_index=True))
    assert again.model.models == result.model.models
    assert again.model.order_value == result.model.order_value
    assert again.model.hazard.weights == result.model.hazard.weights
    assert again.model.hazard.intercept == result.model.hazard.intercept
    pd.testing.assert_frame_equal(again.evaluation.metrics, result.evaluation.metrics, check_exact=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(
            {"contact_id": ["a"], "order_id": ["1"], "ordered_at": [date(2025, 1, 1)], "amount": [5.0]}
        ),
        pd.DataFrame(
            {
                "contact_id": [f"c{i}" for i in range(60)],
                "order_id": [f"o{i}" for i in range(60)],
                "ordered_at": [date(2024, 6, 1) + timedelta(days=5 * i) for i in range(60)],
                "amount": [5.0] * 60,
            }
        ),
        pd.DataFrame(
            {
                "contact_id": [f"c{i % 50}" for i in range(300)],
                "order_id": [f"o{i}" for i in range(300)],
                "ordered_at": [date(2024, 6, 1) + timedelta(days=60 * (i // 50)) for i in range(300)],
                "amount": [5.0] * 300,
            }
        ),
    ],
    ids=["one customer", "no repeat buyer", "every customer identical"],
)
def test_poor_data_degrade_in_the_open(tmp_path, frame):
    found = trained(tmp_path, frame)
    assert found.model.hazard is None
    assert any("BTYD" in n for n in found.notices)


def test_a_day_before_the_first_order_is_refused_in_words(tmp_path):
    with pytest.raises(InputError, match="Nobody bought anything before 2020-01-01"):
        trained(tmp_path, orders(n=20), day=date(2020, 1, 1))


@pytest.mark.parametrize(
    ("ours", "recency", "words"),
    [
        (0.70, 0.72, ""),
        (0.51, 0.51, "these purchases look memoryless"),
        (0.51, None, "these purchases look memoryless"),
        (0.51, 0.72, "something simpler ranks it with an AUC of 0.720"),
    ],
)
def test_what_something_simpler_ranks_is_not_called_memoryless(ours, recency, words):
    """Yearly gifts: the silence alone tells who is due, and a model that misses it is no proof of chance."""
    rows = [("winback", ours), ("recency", recency)]
    metrics = pd.DataFrame(
        [(DAY, "active", name, 900.0, 0.4, auc) for name, auc in rows],
        columns=["origin", "population", "model", "n", "prevalence", "auc"],
    ).astype({"auc": "float64"})
    said = ranking_notice(Evaluation((DAY,), 60, metrics, pd.DataFrame(), pd.DataFrame()))
    assert words in said
    assert bool(said) == bool(words)
