"""The gate a model passes before it becomes champion: better than chance, than the baselines, and honest.

Pure: it reads the summary of an :class:`~winback_training.evaluate.Evaluation` and says yes, or no and why.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MODEL = "winback"
BASELINES = ("bg_nbd", "mbg_nbd")
POPULATION = "active"


@dataclass(frozen=True, slots=True)
class GateConfig:
    """What a model must reach on the active base, in the mean over the forward tests.

    Attributes
    ----------
    min_auc_margin : float
        AUC above 0.5; memoryless data stay below it, and then no score is worth acting on.
    max_brier_ratio : float
        Brier score against the better of BG/NBD and MBG/NBD; 1.02 allows 2 % worse.
    min_brier_skill : float
        1 - Brier / Brier of saying the base rate to everyone; it must be above this.
    max_bias : float
        Mean predicted minus observed share of buyers, either way.
    min_contacts : int
        Contacts on the active base per forward test; fewer prove nothing.
    """

    min_auc_margin: float = 0.02
    max_brier_ratio: float = 1.02
    min_brier_skill: float = 0.0
    max_bias: float = 0.15
    min_contacts: int = 30


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """Whether the model may become champion, and each reason why not, as a sentence."""

    passed: bool
    reasons: tuple[str, ...] = ()


def check_gate(summary: Mapping[str, Any], config: GateConfig) -> GateVerdict:
    r"""Judge a model by its forward tests.

    Parameters
    ----------
    summary : mapping
        ``Evaluation.summary()``: under ``populations``, population -> model -> metric -> mean over the
        forward tests. What is missing, null or not a number was not measured, and does not pass.
    config : GateConfig

    Returns
    -------
    GateVerdict

    Examples
    --------
    >>> good = {"n": 500, "auc": 0.71, "brier": 0.180, "brier_skill": 0.12, "bias": -0.02}
    >>> active = {"winback": good, "bg_nbd": {"brier": 0.184}}
    >>> check_gate({"populations": {"active": active}}, GateConfig())
    GateVerdict(passed=True, reasons=())
    >>> coin = active | {"winback": good | {"auc": 0.503, "brier_skill": -0.01}}
    >>> verdict = check_gate({"populations": {"active": coin}}, GateConfig())
    >>> print(*verdict.reasons, sep="\n")
    It ranks no better than chance: AUC 0.503 on the active base, 0.520 needed.
    It predicts no better than the base rate: Brier skill -0.010, above 0.000 needed.
    """
    active = (summary.get("populations") or {}).get(POPULATION) or {}
    model = active.get(MODEL) or {}
    baselines = [
        value for name in BASELINES if not math.isnan(value := _number(active.get(name) or {}, "brier"))
    ]
    checks = (
        _contacts(_number(model, "n"), config.min_contacts),
        _auc(_number(model, "auc"), 0.5 + config.min_auc_margin),
        _brier(_number(model, "brier"), min(baselines, default=math.nan), config.max_brier_ratio),
        _skill(_number(model, "brier_skill"), config.min_brier_skill),
        _bias(_number(model, "bias"), config.max_bias),
    )
    reasons = tuple(reason for reason in checks if reason)
    return GateVerdict(not reasons, reasons)


def _number(metrics: Mapping[str, Any], name: str) -> float:
    value = metrics.get(name)
    return math.nan if value is None else float(value)


def _contacts(n: float, needed: int) -> str:
    if n >= needed:
        return ""
    found = 0 if math.isnan(n) else math.floor(n)
    return f"Too few to judge: {found} contacts on the active base per forward test, {needed} needed."


def _auc(auc: float, needed: float) -> str:
    if math.isnan(auc):
        return "Its ranking could not be measured: everybody on the active base did the same."
    if auc >= needed:
        return ""
    return f"It ranks no better than chance: AUC {auc:.3f} on the active base, {needed:.3f} needed."


def _brier(brier: float, baseline: float, ratio: float) -> str:
    if math.isnan(brier):
        return "Its Brier score on the active base could not be measured."
    if math.isnan(baseline):
        return "There is no BG/NBD or MBG/NBD baseline on the active base to compare it with."
    if brier <= baseline * ratio:
        return ""
    return (
        f"It is worse than buy-till-you-die: Brier {brier:.4f} on the active base, "
        f"at most {baseline * ratio:.4f} allowed ({ratio:g} times the baseline's {baseline:.4f})."
    )


def _skill(skill: float, needed: float) -> str:
    if math.isnan(skill):
        return "Its Brier skill on the active base could not be measured."
    if skill > needed:
        return ""
    return f"It predicts no better than the base rate: Brier skill {skill:.3f}, above {needed:.3f} needed."


def _bias(bias: float, allowed: float) -> str:
    if math.isnan(bias):
        return "Its bias on the active base could not be measured."
    if abs(bias) <= allowed:
        return ""
    way = "too many" if bias > 0 else "too few"
    return f"It expects {abs(bias):.1%} of the active base {way} to buy; {allowed:.1%} allowed."
