"""The gate: each rule refuses alone, at its border, and says why in a sentence."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winback_training.gate import GateConfig, GateVerdict, check_gate

GOOD = {"n": 500.0, "auc": 0.71, "brier": 0.180, "brier_skill": 0.12, "bias": -0.02}


def summary(baseline: float | None = 0.184, **changes: Any) -> dict[str, Any]:
    models: dict[str, Any] = {"winback": GOOD | changes, "mbg_nbd": {"brier": 0.190}}
    if baseline is not None:
        models["bg_nbd"] = {"brier": baseline}
    return {"populations": {"active": models, "whole": {"winback": {"auc": 0.1}}}}


def test_a_good_model_passes_without_reasons() -> None:
    assert check_gate(summary(), GateConfig()) == GateVerdict(True, ())


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"n": 29}, "29 contacts"),
        ({"n": None}, "0 contacts"),
        ({"auc": 0.519}, "no better than chance"),
        ({"auc": math.nan}, "ranking could not be measured"),
        ({"brier": 0.1877}, "worse than buy-till-you-die"),
        ({"brier": None}, "Brier score on the active base could not be measured"),
        ({"brier_skill": 0.0}, "no better than the base rate"),
        ({"brier_skill": math.nan}, "skill on the active base could not be measured"),
        ({"bias": 0.1501}, "too many to buy"),
        ({"bias": -0.1501}, "too few to buy"),
        ({"bias": None}, "bias on the active base could not be measured"),
    ],
)
def test_each_rule_refuses_alone(changes: dict[str, Any], word: str) -> None:
    verdict = check_gate(summary(**changes), GateConfig())
    assert not verdict.passed
    assert len(verdict.reasons) == 1
    assert word in verdict.reasons[0]
    assert verdict.reasons[0].endswith(".")


@pytest.mark.parametrize(
    "changes", [{"n": 30}, {"auc": 0.52}, {"brier": 0.184 * 1.02}, {"bias": 0.15}, {"bias": -0.15}]
)
def test_borders_belong_to_the_passing_side(changes: dict[str, Any]) -> None:
    assert check_gate(summary(**changes), GateConfig()).passed


def test_the_better_baseline_counts_and_one_is_enough() -> None:
    assert not check_gate(summary(baseline=0.170), GateConfig()).passed
    assert check_gate(summary(baseline=None), GateConfig()).passed
    assert check_gate(summary(baseline=math.nan), GateConfig()).passed


@pytest.mark.parametrize("empty", [{}, {"populations": {}}, {"populations": {"active": {"winback": {}}}}])
def test_what_was_not_measured_is_not_passed(empty: dict[str, Any]) -> None:
    verdict = check_gate(empty, GateConfig())
    assert not verdict.passed
    assert len(verdict.reasons) == 5


def test_the_gate_can_be_opened_by_its_configuration() -> None:
    wide = GateConfig(
        min_auc_margin=-0.5, max_brier_ratio=9.0, min_brier_skill=-9.0, max_bias=1.0, min_contacts=0
    )
    assert check_gate(summary(n=1, auc=0.1, brier=0.9, brier_skill=-4.0, bias=0.9), wide).passed


metric = st.floats(0, 1)


@given(
    n=st.integers(0, 1000),
    auc=metric,
    brier=metric,
    skill=st.floats(-1, 1),
    bias=st.floats(-1, 1),
    better=st.floats(0, 0.5),
)
def test_a_better_model_is_never_refused_where_a_worse_one_passes(
    n: int, auc: float, brier: float, skill: float, bias: float, better: float
) -> None:
    worse = check_gate(summary(n=n, auc=auc, brier=brier, brier_skill=skill, bias=bias), GateConfig())
    improved = summary(
        n=n,
        auc=min(1.0, auc + better),
        brier=max(0.0, brier - better),
        brier_skill=skill + better,
        bias=bias * (1 - better),
    )
    assert len(check_gate(improved, GateConfig()).reasons) <= len(worse.reasons)
