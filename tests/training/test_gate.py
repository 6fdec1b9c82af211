"""The gate: each rule refuses alone, at its border, and says why in a sentence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from winback_training.gate import GateConfig, GateVerdict, chance_ece, check_gate
from winback_training.metrics import expected_calibration_error

GOOD = {"n": 500.0, "auc": 0.71, "brier": 0.180, "brier_skill": 0.12, "bias": -0.02, "ece": 0.02}


def summary(baseline: float | None = 0.184, **changes: Any) -> dict[str, Any]:
    models: dict[str, Any] = {"winback": GOOD | changes, "mbg_nbd": {"brier": 0.190}}
    if baseline is not None:
        models["bg_nbd"] = {"brier": baseline}
    return {"populations": {"active": models, "whole": {"winback": {"auc": 0.1}}}}


def difference(low: float | None, baseline: str = "bg_nbd", **changes: Any) -> dict[str, Any]:
    row = {"origin": "all", "population": "active", "baseline": baseline, "metric": "brier"}
    return {**row, "difference": 0.01, "low": low, "high": 0.02, **changes}


def test_a_good_model_passes_without_reasons() -> None:
    assert check_gate(summary(), GateConfig()) == GateVerdict(True, ())


def test_where_nobody_errs_nobody_is_better() -> None:
    """Daily buyers: one says 1 and the other all but 1; no ratio to nothing refuses that."""
    models = {"winback": GOOD | {"brier": 1e-12}, "own_gap": {"brier": 0.0}}
    told = {"populations": {"active": models}, "differences": [difference(1e-13, "own_gap")]}
    assert check_gate(told, GateConfig()).passed
    champion = {"ours": 1e-12, "champion": 0.0, "version": "3", "low": 1e-13, "high": 1e-11}
    assert check_gate(summary() | {"champion": champion}, GateConfig()).passed
    off = {"populations": {"active": models | {"winback": GOOD | {"brier": 0.01}}}}
    assert not check_gate(off, GateConfig()).passed


def test_a_ranking_on_too_few_is_not_called_chance() -> None:
    """An AUC of 0.81 is no coin; on 60 contacts of whom two stayed away it only proves nothing."""
    verdict = check_gate(summary(auc=0.811, n=60, prevalence=58 / 60), GateConfig())
    (reason,) = verdict.reasons
    assert "cannot be told from chance" in reason
    assert "no better than chance" not in reason
    assert "AUC 0.811" in reason


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"n": 29}, "29 contacts"),
        ({"n": None}, "0 contacts"),
        ({"auc": 0.519}, "no better than chance"),
        ({"auc": math.nan}, "ranking could not be measured"),
        ({"brier": 0.1850}, "BG/NBD is better: Brier 0.1840 on the active base, ours 0.1850"),
        ({"brier": None}, "Brier score on the active base could not be measured"),
        ({"brier_skill": 0.0}, "predicts no better than chance"),
        ({"ece": 0.1001}, "off by 10.0% on average on the active base; 10.0% allowed"),
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
    "changes",
    [
        {"n": 30},
        {"auc": 0.52},
        {"brier": 0.184 * 1.005},
        {"ece": 0.10},
        {"ece": 0.03},
        {"bias": 0.15},
        {"bias": -0.15},
    ],
)
def test_borders_belong_to_the_passing_side(changes: dict[str, Any]) -> None:
    assert check_gate(summary(**changes), GateConfig()).passed


@pytest.mark.parametrize("baseline", ["bg_nbd", "mbg_nbd", "boosting", "logistic", "own_gap"])
def test_every_baseline_counts(baseline: str) -> None:
    found = summary()
    found["populations"]["active"][baseline] = {"brier": 0.170}
    verdict = check_gate(found, GateConfig())
    assert len(verdict.reasons) == 1
    assert "is better: Brier 0.1700" in verdict.reasons[0]


@pytest.mark.parametrize(
    ("brier", "low", "passes"),
    [
        (0.1800, 0.001, True),  # better in the mean: nothing to prove
        (0.1848, 0.0005, True),  # worse beyond noise, and it does not matter
        (0.1890, -0.0001, True),  # it would matter, and may be noise
        (0.1890, 0.0001, False),  # both
        (0.1890, None, False),  # an interval that was not measured excuses nothing
    ],
)
def test_a_baseline_is_better_where_it_matters_and_is_beyond_noise(
    brier: float, low: float | None, passes: bool
) -> None:
    found = summary(brier=brier) | {"differences": [difference(low)]}
    found["populations"]["active"]["mbg_nbd"] = {"brier": 0.2}
    assert check_gate(found, GateConfig()).passed is passes


@pytest.mark.parametrize(
    "other", [{"origin": "2024-01-01"}, {"metric": "ibs"}, {"baseline": "logistic"}, {"population": "whole"}]
)
def test_the_interval_of_another_comparison_excuses_nothing(other: dict[str, str]) -> None:
    found = summary(brier=0.1895, baseline=0.184) | {"differences": [difference(-0.1, **other)]}
    assert not check_gate(found, GateConfig()).passed


@pytest.mark.parametrize(
    ("theirs", "low", "passes"), [(0.185, 0.1, True), (0.17, -0.001, True), (0.17, 0.001, False)]
)
def test_the_champion_must_not_be_better(theirs: float, low: float, passes: bool) -> None:
    champion = {"version": "3", "ours": 0.18, "champion": theirs, "low": low, "high": 0.2, "note": ""}
    verdict = check_gate(summary() | {"champion": champion}, GateConfig())
    assert verdict.passed is passes
    assert passes or "version 3 has a Brier score of 0.1700" in verdict.reasons[0]


def test_a_champion_that_could_not_be_compared_is_a_note() -> None:
    verdict = check_gate(summary() | {"champion": {"note": "It is too young."}}, GateConfig())
    assert verdict == GateVerdict(True, (), ("It is too young.",))


def test_leakage_is_refused_and_what_was_not_checked_is_a_note() -> None:
    leak = check_gate(summary() | {"leakage": {"findings": ["x knows."], "note": ""}}, GateConfig())
    assert leak == GateVerdict(False, ("x knows.",))
    assert check_gate(summary() | {"leakage": {"note": "Not checked."}}, GateConfig()).notes == (
        "Not checked.",
    )


def test_doubtful_calibration_passes_with_a_note() -> None:
    verdict = check_gate(summary(ece=0.05), GateConfig())
    assert verdict.passed
    assert "off by 5.0% on average" in verdict.notes[0]


@pytest.mark.slow
def test_right_probabilities_stay_below_the_calibration_error_of_chance() -> None:
    rng = np.random.default_rng(8)
    p = np.full(300, 0.4) + rng.uniform(-0.05, 0.05, 300)
    errors = [expected_calibration_error((rng.random(300) < p).astype(float), p) for _ in range(1000)]
    limit = chance_ece(300, 0.4)
    assert 900 <= sum(error <= limit for error in errors) <= 985
    sizes = {"n": 300.0, "prevalence": 0.4}
    assert check_gate(summary(ece=limit - 0.001, **sizes), GateConfig(max_ece=0.05)).passed
    assert not check_gate(summary(ece=limit + 0.001, **sizes), GateConfig(max_ece=0.05)).passed


@pytest.mark.slow
def test_the_auc_of_a_coin_needs_more_contacts_than_luck_does() -> None:
    """Of 1,000 shops whose score is a coin, some 5 % pass by luck; by the margin alone, a third would."""
    rng = np.random.default_rng(5)
    y = np.repeat([0.0, 1.0], [60, 40])
    aucs = [roc_auc_score(y, rng.random(100)) for _ in range(1000)]
    sizes = {"n": 100.0, "prevalence": 0.4}
    passed = sum(check_gate(summary(auc=auc, **sizes), GateConfig()).passed for auc in aucs)
    assert 30 <= passed <= 75
    assert sum(auc >= 0.52 for auc in aucs) > 300


def test_the_better_baseline_counts_and_one_is_enough() -> None:
    assert not check_gate(summary(baseline=0.170), GateConfig()).passed
    assert check_gate(summary(baseline=None), GateConfig()).passed
    assert check_gate(summary(baseline=math.nan), GateConfig()).passed


@pytest.mark.parametrize("empty", [{}, {"populations": {}}, {"populations": {"active": {"winback": {}}}}])
def test_what_was_not_measured_is_not_passed(empty: dict[str, Any]) -> None:
    verdict = check_gate(empty, GateConfig())
    assert not verdict.passed
    (reason,) = verdict.reasons
    assert "0 contacts on the active base in any forward test" in reason


def test_what_of_a_test_was_not_measured_is_not_passed() -> None:
    unknown = {"populations": {"active": {"winback": dict.fromkeys(GOOD, math.nan) | {"n": 500.0}}}}
    verdict = check_gate(unknown, GateConfig())
    assert not verdict.passed
    assert len(verdict.reasons) == 4


def test_a_leak_is_told_of_an_untested_model_too() -> None:
    verdict = check_gate({"leakage": {"findings": ["x knows."], "note": ""}}, GateConfig())
    assert verdict.reasons[1:] == ("x knows.",)


def test_the_gate_can_be_opened_by_its_configuration() -> None:
    wide = GateConfig(
        min_auc_margin=-0.5,
        max_brier_ratio=9.0,
        min_brier_skill=-9.0,
        max_bias=1.0,
        max_ece=1.0,
        min_contacts=0,
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
