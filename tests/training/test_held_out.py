"""Forward tests on those whom nobody writes to: who they are, what is seen there, and what the gate makes of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from forward import DAY, FEATURES, HORIZON, earlier, label_time, truth
from ibis.util import gen_name

from winback_features.config import EngineConfig
from winback_features.engine import open_engine
from winback_features.errors import ConfigError
from winback_features.tables import Tables
from winback_models.label_time import LabelTime
from winback_policy.config import PolicyConfig
from winback_training.champion import compare_champion
from winback_training.evaluate import Evaluation, evaluate
from winback_training.forward_test import Mask
from winback_training.gate import GateConfig, check_gate
from winback_training.held_out import HeldOut
from winback_training.training_record import metrics_of

POLICY = PolicyConfig(holdout_share=0.3, holdout_salt="salt")
GOOD = {"n": 500.0, "auc": 0.71, "brier": 0.180, "brier_skill": 0.12, "bias": -0.02, "ece": 0.02}


def drawn(contact_id: str, policy: PolicyConfig = POLICY) -> bool:
    """Say whether a contact is held out, by the rule as docs/guide.md tells it."""
    digest = hashlib.sha256(f"{policy.holdout_salt}:{contact_id}".encode()).hexdigest()
    return int(digest[:8], 16) / 16**8 < policy.holdout_share


@pytest.fixture(scope="module")
def backend() -> Iterator[Any]:
    with open_engine(EngineConfig(memory_limit="1GB")) as engine:
        yield engine


def logged(backend: Any, sent: list[tuple[str, date]] | None) -> Tables:
    """Return tables with a campaign log only: nothing else is read."""
    log = None
    if sent is not None:
        rows = pa.table(
            {
                "contact_id": pa.array([c for c, _ in sent], pa.string()),
                "sent_at": pa.array(
                    [datetime(d.year, d.month, d.day, 23, 59) for _, d in sent], pa.timestamp("us")
                ),
            }
        )
        log = backend.create_table(gen_name("log"), rows, temp=True)
    return cast(Tables, SimpleNamespace(backend=backend, campaign_log=log))


def test_the_held_out_are_those_that_the_policy_draws(backend: Any) -> None:
    time = label_time(n=400)
    treated = next(c for c in time.features["contact_id"] if not drawn(c))
    found = HeldOut(logged(backend, [(treated, DAY)]), HORIZON, POLICY)
    mask = found.at(time)
    assert mask.tolist() == [drawn(c) for c in time.features["contact_id"]]
    assert 0.2 < mask.mean() < 0.4
    assert found.notices() == []


@pytest.mark.parametrize("away", [-HORIZON - 1, -HORIZON, 0, HORIZON - 1, HORIZON])
def test_a_message_counts_from_a_horizon_before_to_a_horizon_after(backend: Any, away: int) -> None:
    time = label_time(n=5)
    mask = HeldOut(logged(backend, [("c00001", DAY + timedelta(days=away))]), HORIZON, POLICY).at(time)
    assert (mask is not None) == (-HORIZON <= away < HORIZON)


@pytest.mark.parametrize(
    ("sent", "policy"),
    [
        (None, POLICY),
        ([], POLICY),
        ([("c00001", DAY)], replace(POLICY, holdout_share=0.0)),
        ([("a stranger", DAY)], POLICY),
    ],
    ids=["no log", "an empty log", "nobody held out", "nobody of them written to"],
)
def test_where_nothing_was_sent_or_nobody_held_out_there_is_nothing_apart(
    backend: Any, sent: list[tuple[str, date]] | None, policy: PolicyConfig
) -> None:
    assert HeldOut(logged(backend, sent), HORIZON, policy).at(label_time(n=50)) is None


def test_a_label_time_without_buyers_has_no_held_out(backend: Any) -> None:
    nobody = replace(label_time(n=5), features=pd.DataFrame(), waits=np.array([]))
    assert HeldOut(logged(backend, [("c00001", DAY)]), HORIZON, POLICY).at(nobody) is None


def test_a_holdout_that_was_written_to_is_said(backend: Any) -> None:
    time = label_time(n=100)
    everybody = [(c, DAY) for c in time.features["contact_id"]]
    found = HeldOut(logged(backend, everybody), HORIZON, POLICY)
    mask = found.at(time)
    (said,) = found.notices()
    assert said.startswith(f"{mask.sum()} of {mask.sum()} held-out contacts")


@dataclass(frozen=True)
class Untouched:
    """Says what contacts do when nobody writes: the truth."""

    version: str = "7"
    horizon_days: int = HORIZON
    info: Any = field(default_factory=dict)

    def curve(self, features: pd.DataFrame, days: Any) -> Any:
        return truth(features, np.asarray(days))


def written_to(day: date) -> LabelTime:
    """Return a label time at which every treated contact bought at once, because of a message."""
    time = label_time(day, n=1500, never=20, seed=(DAY - day).days)
    bought = np.array([not drawn(c) for c in time.features["contact_id"]])
    return replace(time, waits=np.where(bought, 0.0, time.waits))


ORIGINS = (DAY, DAY - timedelta(days=8))


def arms(time: LabelTime) -> Mask | None:
    """Return who is held out; of the older test nothing is known."""
    if time.as_of != DAY:
        return None
    return np.array([drawn(c) for c in time.features["contact_id"]])


@pytest.fixture(scope="module")
def found() -> Evaluation:
    said = Untouched()
    return evaluate(
        ORIGINS, HORIZON, written_to, lambda _: earlier(), lambda _: said, FEATURES, held_out=arms
    )


def test_who_is_held_out_shows_what_happens_without_messages(found: Evaluation) -> None:
    assert found.value("winback", "bias", "active") < -0.2
    n = found.value("winback", "n", "held_out")
    assert abs(found.value("winback", "bias", "held_out")) < 3 * np.sqrt(0.25 / n)
    assert 100 < n < found.value("winback", "n", "active")


def test_the_held_out_are_judged_where_messages_were_sent_beside_every_baseline(found: Evaluation) -> None:
    rows = found.metrics[found.metrics["population"] == "held_out"]
    assert set(rows["origin"]) == {DAY}
    assert set(rows["model"]) == set(found.metrics.query("population == 'active'")["model"])
    gaps = found.differences[found.differences["population"] == "held_out"]
    assert set(gaps["origin"]) == {DAY, "all"}
    assert set(gaps["baseline"]) == set(found.differences.query("population == 'active'")["baseline"])
    newest = found.tests[0]
    assert not (newest.populations["held_out"] & ~newest.populations["active"]).any()
    assert "held_out.brier" in metrics_of(found.metrics)
    assert found.summary()["populations"]["held_out"]["winback"]["n"] == newest.populations["held_out"].sum()


def test_the_champion_is_compared_among_them_as_well(found: Evaluation) -> None:
    champion = Untouched(info={"trained_as_of": "2020-01-01"})
    report = compare_champion(champion, found.tests, written_to, HORIZON, 0, "held_out")
    assert report.origins == (DAY.isoformat(),)
    assert report.champion == pytest.approx(found.value("winback", "brier", "held_out"))
    assert (report.difference, report.low, report.high) == (0.0, 0.0, 0.0)


def judged(**populations: Any) -> dict[str, Any]:
    rival = {"bg_nbd": {"brier": 0.184}}
    return {"populations": {name: {"winback": GOOD | ours, **rival} for name, ours in populations.items()}}


def test_the_gate_judges_on_whom_it_is_told_to() -> None:
    poor = judged(active={"bias": 0.3}, held_out={})
    assert not check_gate(poor, GateConfig()).passed
    assert check_gate(poor, GateConfig(population="held_out")).passed
    worse = check_gate(judged(active={}, held_out={"bias": 0.3}), GateConfig(population="held_out"))
    assert worse.reasons == ("It expects 30.0% of the held out too many to buy; 15.0% allowed.",)
    few = check_gate(judged(active={}, held_out={"n": 12}), GateConfig(population="held_out"))
    assert few.reasons == ("Too few to judge: 12 contacts among the held out per forward test, 30 needed.",)


def test_the_gate_refuses_in_one_sentence_where_nobody_is_held_out() -> None:
    verdict = check_gate(
        judged(active={}) | {"leakage": {"findings": ["x knows."]}}, GateConfig(population="held_out")
    )
    assert not verdict.passed
    assert verdict.reasons[0].startswith("Nobody to judge it on: gate.population is held_out")
    assert verdict.reasons[1:] == ("x knows.",)


def test_the_champion_and_the_intervals_are_those_of_the_population() -> None:
    held = GateConfig(population="held_out")
    better = {"version": "3", "ours": 0.18, "champion": 0.17, "low": 0.001, "high": 0.2}
    summary = judged(active={}, held_out={})
    assert check_gate(summary | {"champion": better}, held).passed
    assert not check_gate(summary | {"champion_held_out": better}, held).passed
    assert check_gate(summary | {"champion_held_out": better}, GateConfig()).passed
    noise = {"origin": "all", "baseline": "bg_nbd", "metric": "brier", "low": -0.1, "high": 0.1}
    behind = judged(held_out={"brier": 0.19})
    assert not check_gate(behind | {"differences": [noise | {"population": "active"}]}, held).passed
    assert check_gate(behind | {"differences": [noise | {"population": "held_out"}]}, held).passed


def test_another_population_is_refused_in_words() -> None:
    with pytest.raises(ConfigError, match=r"gate\.population"):
        GateConfig(population="lapsed")
