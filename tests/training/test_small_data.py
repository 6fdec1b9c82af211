"""Small and odd shops through the real ingest: a usable score, an honest status, and a gate that says why not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from winback_features.build import build_features
from winback_features.config import BrandConfig, EngineConfig, SourceConfig
from winback_features.engine import open_engine
from winback_features.ingest import ingest
from winback_models.config import ScoreConfig
from winback_training.config import TrainingConfig
from winback_training.gate import GateConfig, GateVerdict, check_gate
from winback_training.train import TrainingResult, train

pytestmark = pytest.mark.slow  # whole trainings

HORIZON = 30
SCORE = ScoreConfig(horizon_days=HORIZON, curve_days=(7, 14, 30))
BEGIN, DAY = date(2024, 6, 1), date(2025, 6, 1)
HISTORY = (DAY - BEGIN).days


def orders(days: list[np.ndarray], begin: date = BEGIN) -> pd.DataFrame:
    """Return the orders of contacts that bought on these days, each an array of days after ``begin``."""
    rows = [
        (f"c{c}", begin + timedelta(days=int(day)), 20.0)
        for c, bought in enumerate(days)
        for day in np.unique(bought)
    ]
    frame = pd.DataFrame(rows, columns=["contact_id", "ordered_at", "amount"])
    return frame.assign(order_id=[f"o{i}" for i in range(len(frame))])


def lively(n: int, span: int = HISTORY, seed: int = 5) -> list[np.ndarray]:
    """Contacts that come at any time, buy at rates of their own and drop out."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(n):
        first, last = rng.uniform(0, span * 0.9), rng.exponential(150.0)
        rate = rng.gamma(1.5, 1 / 30)
        later = first + np.cumsum(rng.exponential(1 / max(rate, 1e-3), 60))
        out.append(np.floor(np.append(first, later[(later < span) & (later < first + last)])))
    return out


def memoryless(n: int, seed: int = 6) -> list[np.ndarray]:
    """Contacts that all buy at one and the same rate, from the first day to the last: nothing tells them apart."""
    rng = np.random.default_rng(seed)
    return [np.flatnonzero(rng.random(HISTORY) < 1 / 30) for _ in range(n)]


def run(
    folder: Path, frame: pd.DataFrame, config: TrainingConfig
) -> tuple[TrainingResult, GateVerdict, pd.DataFrame]:
    """Train as `winback train` does, ask the gate, and score the day."""
    frame.to_parquet(folder / "orders.parquet")
    with open_engine(EngineConfig()) as backend:
        source = SourceConfig(orders="orders.parquet")
        tables = ingest(backend, source, BrandConfig(), today=DAY, base_dir=folder)
        result = train(tables, DAY, SCORE, config)
        features = build_features(tables, DAY).to_pyarrow().to_pandas()
    scores = result.model.predict(features, DAY, SCORE)
    assert len(scores) == frame["contact_id"].nunique()
    return result, check_gate(result.summary(), GateConfig()), scores


def usable(scores: pd.DataFrame) -> bool:
    """Say whether every contact has a probability, and a curve that does not fall."""
    curve = scores[["p_within_7d", "p_within_14d", "p_within_30d"]].to_numpy()
    whole = np.isfinite(scores["p_purchase"]).all() and scores["p_purchase"].between(0, 1).all()
    return bool(whole and (np.diff(curve, axis=1) >= 0).all())


QUICK = TrainingConfig(cuts=2, origins=1)
FULL = TrainingConfig(cuts=4, origins=3)


@pytest.mark.parametrize(
    ("make", "status", "reason"),
    [
        (lambda: orders(lively(50)), "too few to learn from: BTYD alone", "Too few to judge"),
        (
            lambda: orders(lively(400, 60), DAY - timedelta(days=60)),
            "no later slice",
            "Too few to judge: 0 contacts",
        ),
        (
            lambda: orders([np.array([i % HISTORY]) for i in range(400)]),
            "0 purchases",
            "everybody on the active base",
        ),
    ],
    ids=["50 contacts", "two months of history", "one-time buyers only"],
)
def test_too_little_to_learn_from_is_said_and_scored(
    make: Callable[[], pd.DataFrame], status: str, reason: str, tmp_path: Path
) -> None:
    result, verdict, scores = run(tmp_path, make(), QUICK)
    assert usable(scores)
    assert status in result.model.info["status"]
    assert result.notices[0] == f"Model: {result.model.info['status']}."
    assert not verdict.passed
    assert any(reason in r for r in verdict.reasons), verdict.reasons


@pytest.mark.parametrize("n", [200, 1000])
def test_a_small_lively_shop_gets_a_model_that_is_better_than_chance(n: int, tmp_path: Path) -> None:
    result, verdict, scores = run(tmp_path, orders(lively(n)), FULL)
    assert usable(scores)
    assert len(result.evaluation.origins) == 3
    assert result.evaluation.value("winback", "auc") > 0.6
    assert not any("chance" in r or "Leakage" in r for r in verdict.reasons), verdict.reasons
    assert scores["p_purchase"].std() > 0.05


def test_on_memoryless_data_the_gate_refuses_and_says_why(tmp_path: Path) -> None:
    result, verdict, scores = run(tmp_path, orders(memoryless(1000)), FULL)
    assert usable(scores)
    assert not verdict.passed
    assert any("no better than chance" in r for r in verdict.reasons), verdict.reasons
    assert not any("Leakage" in r for r in verdict.reasons), verdict.reasons
    assert any("memoryless" in n for n in result.notices)
    came = 1 - (29 / 30) ** HORIZON
    assert abs(scores["p_purchase"].mean() - came) < 0.08
