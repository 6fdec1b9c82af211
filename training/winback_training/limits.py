"""What a model cannot do, in sentences made from its own numbers; nothing is said that its tests did not show."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from winback_training.gate import chance_ece, number

POPULATIONS = {
    "whole": "every buyer",
    "active": "the active base",
    "one_time": "active contacts that bought once",
    "repeat": "active contacts that bought more than once",
    "lapsed": "lapsed contacts",
    "never_bought": "contacts that never bought",
    "held_out": "the held out of the active base",
}
"""In the order in which they are reported."""

MAY_LACK = ("held_out",)
"""Those that are there only where messages were sent."""

WEAK_AUC = 0.55
DOUBTFUL_ECE = 0.03
COVERAGE, OFF_COVERAGE, SURE = 0.80, 0.04, 1.96
OFF_TIME = 0.01
FEW_TESTS = 3
FEW_CONTACTS = 30


def limitations(
    populations: Mapping[str, Mapping[str, Mapping[str, float]]],
    differences: Sequence[Mapping[str, Any]],
    tests: int,
    info: Mapping[str, Any],
    money: Sequence[Mapping[str, Any]] = (),
) -> tuple[str, ...]:
    """Return each limitation as a sentence, the gravest kinds first.

    Parameters
    ----------
    populations : mapping
        Population -> model -> metric -> mean over the forward tests; nan where not known.
    differences : sequence of mapping
        Our loss minus each baseline's over all tests: ``baseline, metric, difference, low, high``.
    tests : int
        Forward tests made.
    info : mapping
        ``LapseModel.info``.
    money : sequence of mapping
        ``origin, population, ratio, ratio_low, ratio_high``: expected over actual money in each test.

    Examples
    --------
    >>> limitations({}, [], 0, {"status": "BTYD alone"})[0]
    'Untested: the history holds no forward test, so nothing below is known of how good it is.'
    """
    if tests == 0:
        untested = "Untested: the history holds no forward test, so nothing below is known of how good it is."
        return (untested, *_learned(info))
    said = (
        *_baselines(differences),
        *(
            line
            for name in POPULATIONS
            if name != "whole"
            for line in _population(name, populations.get(name, {}))
        ),
        *_timing(populations.get("active", {}).get("winback", {})),
        *_money(money),
        *_learned(info),
        *_unknown(populations, tests),
    )
    return tuple(said)


def _baselines(differences: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    measures = {"brier": "Brier score", "ibs": "integrated Brier score"}
    for row in differences:
        if number(row, "low") > 0.0:
            yield (
                f"{row['baseline']} does better on the active base: its {measures.get(row['metric'], row['metric'])} is "
                f"{row['difference']:.4f} lower (95 % interval {row['low']:.4f} to {row['high']:.4f})."
            )


def _population(name: str, models: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    ours, who = models.get("winback", {}), POPULATIONS[name]
    n = number(ours, "n")
    if n < FEW_CONTACTS:
        yield f"How good it is for {who} cannot be said: {n:.0f} of them per forward test."
        return
    if (auc := number(ours, "auc")) < WEAK_AUC:
        yield f"Among {who} it ranks {'no' if auc <= 0.5 else 'hardly'} better than chance: AUC {auc:.3f}."
    if (skill := number(ours, "brier_skill")) <= 0.0:
        yield f"For {who} it says no more than their base rate does: Brier skill {skill:.3f}."
    if (ece := number(ours, "ece")) > max(DOUBTFUL_ECE, chance_ece(n, number(ours, "prevalence"))):
        bias = number(ours, "bias")
        way = "too many" if bias > 0 else "too few"
        yield (
            f"For {who} its probabilities are off by {ece:.1%} on average; in total it expected {abs(bias):.1%} of them "
            f"{way} to buy."
        )


def _timing(ours: Mapping[str, float]) -> Iterator[str]:
    covered, n = number(ours, "coverage_80"), number(ours, "n")
    if n < FEW_CONTACTS:
        return  # said above
    if abs(covered - COVERAGE) > max(OFF_COVERAGE, SURE * math.sqrt(COVERAGE * (1.0 - COVERAGE) / n)):
        width = "wide" if covered > COVERAGE else "narrow"
        yield f"The 80 % interval of the next purchase held {covered:.0%} of them: it is too {width}."
    if number(ours, "d_calibration_p") < OFF_TIME:
        yield "Purchases come at other times than it says, beyond noise: see the picture of timing."


def _money(money: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for row in money:
        ratio = number(row, "ratio")
        low, high = number(row, "ratio_low"), number(row, "ratio_high")
        if row.get("population") == "active" and (low > 1.0 or high < 1.0):
            yield (
                f"From {row['origin']} on it expected {ratio:.2f} times the money that came from the active base "
                f"(95 % interval {low:.2f} to {high:.2f})."
            )


def _learned(info: Mapping[str, Any]) -> Iterator[str]:
    for part, who in ((info, "the active base"), (info.get("lapsed") or {}, "lapsed contacts")):
        if status := part.get("status"):
            dropped = part.get("dropped") or []
            if not part.get("weights"):
                yield f"For {who} nothing personal was learned beyond the purchase rhythm: {status}."
            elif dropped:
                yield f"For {who} {', '.join(dropped)} failed on a later slice and was left out."
    first = info.get("never_bought") or {}
    if str(first.get("status", "")).startswith("base rate"):
        yield f"Contacts that never bought all get the same probability: {first['status']}."


def _unknown(populations: Mapping[str, Any], tests: int) -> Iterator[str]:
    if tests < FEW_TESTS:
        yield f"It was tested forward at {tests} past day{'s' if tests > 1 else ''} only: another season may differ."
    for name, who in POPULATIONS.items():
        if name not in MAY_LACK and not populations.get(name, {}).get("winback"):
            yield f"How good it is for {who} is not known: none were in the forward tests."
