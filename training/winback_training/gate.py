"""The gate a model passes before it becomes champion: better than chance, than every alternative, calibrated, and no leak.

Pure: it reads what a training found (``TrainingResult.summary()``) and says yes, or no and why. A difference counts where it
is beyond noise *and* matters: on a million contacts every difference is beyond noise, on fifty none is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from winback_features.errors import ConfigError

MODEL = "winback"
BASELINES = {
    "bg_nbd": "BG/NBD",
    "mbg_nbd": "MBG/NBD",
    "boosting": "gradient boosting",
    "logistic": "logistic regression",
    "own_gap": "the own mean gap",
}
"""Who is beaten or equalled, and what a reader calls it."""

POPULATIONS = {"active": "on the active base", "held_out": "among the held out"}
"""On whom a model may be judged, and how a sentence says it."""

CHAMPIONS = {"active": "champion", "held_out": "champion_held_out"}
"""Under which name the summary holds the comparison with the champion."""

NOBODY_HELD_OUT = (
    "Nobody to judge it on: gate.population is held_out, and no forward test holds contacts that were held out while messages "
    "were sent. It takes a campaign log and a holdout; until then write active."
)
UNTESTED = "Too few to judge: 0 contacts on the active base in any forward test. It takes a longer history, or a shorter horizon."
BINS = 10
"""Of the calibration error, as ``winback_training.metrics`` counts them."""

USEFUL_AUC = 0.6
"""Where luck alone may give more than this, a test holds too few contacts to tell a useful ranking from chance."""

NO_LOSS = 1e-6
"""A Brier score below it is no error at all: each probability is right to a thousandth."""

ONE_SIDED = 1.645
"""Standard errors above chance that an AUC needs: a coin stays below them in 95 of 100 trials."""


@dataclass(frozen=True, slots=True)
class GateConfig:
    """What a model must reach, in the mean over the forward tests.

    Attributes
    ----------
    population : {"active", "held_out"}
        On whom: the active base, or those of it whom nobody writes to. Messages change what the others do, so a shop with much
        win-back judges on its holdout; this needs a campaign log.
    min_auc_margin : float
        AUC above 0.5, or what chance alone gives on so few contacts if that is more; memoryless data stay below it, and then
        no score is worth acting on. 0 or less leaves chance aside.
    max_brier_ratio : float
        Brier score against each baseline and the champion; 1.005 allows 0.5 % worse. More is refused where it is beyond
        noise as well.
    min_brier_skill : float
        1 - Brier / Brier of saying the base rate to everyone; it must be above this.
    max_bias : float
        Mean predicted minus observed share of buyers, either way.
    max_ece : float
        Expected calibration error; more is refused where it is beyond noise.
    warn_ece : float
        Above this the verdict carries a note.
    min_contacts : int
        Such contacts per forward test; fewer prove nothing.
    """

    population: str = "active"
    min_auc_margin: float = 0.02
    max_brier_ratio: float = 1.005
    min_brier_skill: float = 0.0
    max_bias: float = 0.15
    max_ece: float = 0.10
    warn_ece: float = 0.03
    min_contacts: int = 30

    def __post_init__(self) -> None:
        if self.population not in POPULATIONS:
            how = f"Write one of {', '.join(POPULATIONS)}."
            raise ConfigError(f"It is {self.population!r}.", where="gate.population", how=how)


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """Whether the model may become champion, each reason why not, and what else one should know, as sentences."""

    passed: bool
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def check_gate(summary: Mapping[str, Any], config: GateConfig) -> GateVerdict:
    r"""Judge a model by its forward tests.

    Parameters
    ----------
    summary : mapping
        ``TrainingResult.summary()``. ``populations``: population -> model -> metric -> mean over the forward tests.
        ``differences``: our loss minus each baseline's, with its interval; where a baseline has none, the ratio alone
        decides. ``champion`` and ``leakage``: what those checks found. A metric that is missing, null or not a number was
        not measured, and does not pass.
    config : GateConfig

    Returns
    -------
    GateVerdict

    Examples
    --------
    >>> good = {"n": 500, "auc": 0.71, "brier": 0.180, "brier_skill": 0.12, "bias": -0.02, "ece": 0.02}
    >>> active = {"winback": good, "bg_nbd": {"brier": 0.184}}
    >>> check_gate({"populations": {"active": active}}, GateConfig())
    GateVerdict(passed=True, reasons=(), notes=())
    >>> coin = active | {"winback": good | {"auc": 0.503, "brier_skill": -0.01}}
    >>> verdict = check_gate({"populations": {"active": coin}}, GateConfig())
    >>> print(*verdict.reasons, sep="\n")
    It ranks no better than chance: AUC 0.503 on the active base, 0.520 needed.
    It predicts no better than chance: Brier skill over the base rate -0.010, above 0.000 needed.
    """
    models = (summary.get("populations") or {}).get(config.population) or {}
    model, who = models.get(MODEL) or {}, POPULATIONS[config.population]
    found = (summary.get("leakage") or {}).get("findings") or ()
    if config.population == "active" and not model:
        return GateVerdict(False, (UNTESTED, *found), tuple(_notes(summary, model, config)))
    if config.population != "active" and not models:
        return GateVerdict(False, (NOBODY_HELD_OUT, *found), tuple(_notes(summary, model, config)))
    checks = (
        _contacts(number(model, "n"), config.min_contacts, who),
        _auc(number(model, "auc"), auc_needed(model, config.min_auc_margin), config.min_auc_margin, who),
        *_baselines(models, summary.get("differences") or (), config),
        _champion(summary.get(CHAMPIONS[config.population]) or {}, config.max_brier_ratio),
        _skill(number(model, "brier_skill"), config.min_brier_skill, who),
        _bias(number(model, "bias"), config.max_bias, who),
        _calibration(model, config.max_ece, who),
        *found,
    )
    reasons = tuple(reason for reason in checks if reason)
    return GateVerdict(not reasons, reasons, tuple(_notes(summary, model, config)))


def number(metrics: Mapping[str, Any], name: str) -> float:
    """Return a metric of that name; nan where it is missing or null."""
    value = metrics.get(name)
    return math.nan if value is None else float(value)


def auc_needed(model: Mapping[str, Any], wanted: float) -> float:
    """Return the AUC that is better than chance: ``wanted`` above 0.5, or what luck gives (Mann & Whitney 1947) if that is more.

    Parameters
    ----------
    model : mapping
        With ``n`` and ``prevalence``.
    wanted : float

    Examples
    --------
    >>> auc_needed({"n": 100_000, "prevalence": 0.5}, 0.02)
    0.52
    >>> round(auc_needed({"n": 200, "prevalence": 0.5}, 0.02), 3)
    0.567
    """
    n, buyers = number(model, "n"), number(model, "n") * number(model, "prevalence")
    if wanted <= 0.0 or not 0.0 < buyers < n:
        return 0.5 + wanted
    return 0.5 + max(wanted, ONE_SIDED * math.sqrt((n + 1.0) / (12.0 * buyers * (n - buyers))))


def too_few_to_tell(auc: float, needed: float, margin: float) -> bool:
    """Tell whether a ranking that is refused may be a good one: above chance, where even a useful one could not be proven.

    Parameters
    ----------
    auc : float
    needed : float
        From :func:`auc_needed`.
    margin : float
        The AUC above 0.5 that is wanted whatever the number of contacts.

    Examples
    --------
    >>> too_few_to_tell(0.81, 0.84, 0.02), too_few_to_tell(0.49, 0.84, 0.02), too_few_to_tell(0.53, 0.54, 0.02)
    (True, False, False)
    """
    return needed > USEFUL_AUC and 0.5 + margin <= auc < needed


def _contacts(n: float, needed: int, who: str) -> str:
    if n >= needed:
        return ""
    found = 0 if math.isnan(n) else math.floor(n)
    return f"Too few to judge: {found} contacts {who} per forward test, {needed} needed."


def _auc(auc: float, needed: float, margin: float, who: str) -> str:
    if math.isnan(auc):
        return f"Its ranking could not be measured: everybody {who} did the same."
    if auc >= needed:
        return ""
    if too_few_to_tell(auc, needed, margin):
        return (
            f"Its ranking cannot be told from chance on so few who bought or who stayed away {who}: "
            f"AUC {auc:.3f}, {needed:.3f} needed."
        )
    return f"It ranks no better than chance: AUC {auc:.3f} {who}, {needed:.3f} needed."


def _baselines(models: Mapping[str, Any], differences: Any, config: GateConfig) -> Iterator[str]:
    """Yield a sentence for each baseline that is better, or one where nothing can be compared."""
    who = POPULATIONS[config.population]
    ours = number(models.get(MODEL) or {}, "brier")
    theirs = {name: number(models.get(name) or {}, "brier") for name in BASELINES}
    theirs = {name: brier for name, brier in theirs.items() if not math.isnan(brier)}
    if math.isnan(ours):
        yield f"Its Brier score {who} could not be measured."
    elif not theirs:
        yield f"There is no baseline {who} to compare it with."
    else:
        surely = {d["baseline"]: d for d in differences if _over_all_tests(d, config.population)}
        for name, brier in theirs.items():
            noise = surely.get(name, {})
            if _worse(ours, brier, config.max_brier_ratio) and _beyond_noise(noise):
                yield (
                    f"{_capital(BASELINES[name])} is better: Brier {brier:.4f} {who}, "
                    f"ours {ours:.4f}{_interval(noise)}."
                )


def _worse(ours: float, theirs: float, ratio: float) -> bool:
    """Say whether a loss is the larger one; where both are as good as none, neither is."""
    return ours > ratio * theirs and ours > NO_LOSS


def _over_all_tests(difference: Mapping[str, Any], population: str) -> bool:
    wanted = {"origin": "all", "population": population, "metric": "brier"}
    return all(difference.get(key) == value for key, value in wanted.items())


def _beyond_noise(difference: Mapping[str, Any]) -> bool:
    """Say whether the interval of a loss in excess lies above 0; an interval that was not measured excuses nothing."""
    low = number(difference, "low")
    return math.isnan(low) or low > 0.0


def _interval(difference: Mapping[str, Any]) -> str:
    low, high = number(difference, "low"), number(difference, "high")
    return "" if math.isnan(low) else f", {low:.4f} to {high:.4f} more (95 % interval)"


def _champion(found: Mapping[str, Any], ratio: float) -> str:
    ours, theirs = number(found, "ours"), number(found, "champion")
    if not (_worse(ours, theirs, ratio) and _beyond_noise(found)):
        return ""
    return (
        f"The champion is better: version {found.get('version')} has a Brier score of {theirs:.4f} in the same forward "
        f"tests, this one {ours:.4f}{_interval(found)}."
    )


def _skill(skill: float, needed: float, who: str) -> str:
    if math.isnan(skill):
        return f"Its Brier skill {who} could not be measured."
    if skill > needed:
        return ""
    return f"It predicts no better than chance: Brier skill over the base rate {skill:.3f}, above {needed:.3f} needed."


def _bias(bias: float, allowed: float, who: str) -> str:
    if math.isnan(bias):
        return f"Its bias {who} could not be measured."
    if abs(bias) <= allowed:
        return ""
    way = "too many" if bias > 0 else "too few"
    base = who.partition(" ")[2]
    return f"It expects {abs(bias):.1%} of {base} {way} to buy; {allowed:.1%} allowed."


def chance_ece(n: float, prevalence: float) -> float:
    """Return the expected calibration error that right probabilities stay below in 95 of 100 samples; 0 where sizes are unknown.

    In each of ten bins the share that buys errs by a normal amount; the mean of ten absolute errors is about normal itself.

    >>> round(chance_ece(278, 0.5), 3), round(chance_ece(20_000, 0.4), 3)
    (0.105, 0.012)
    """
    variance = BINS * prevalence * (1.0 - prevalence) / n if n > 0 else math.nan
    if math.isnan(variance):
        return 0.0
    mean, spread = math.sqrt(2.0 / math.pi), math.sqrt((1.0 - 2.0 / math.pi) / BINS)
    return (mean + ONE_SIDED * spread) * math.sqrt(variance)


def _off(model: Mapping[str, Any], limit: float) -> bool:
    """Say whether the calibration error is above the limit and beyond noise."""
    return number(model, "ece") > max(limit, chance_ece(number(model, "n"), number(model, "prevalence")))


def _calibration(model: Mapping[str, Any], allowed: float, who: str) -> str:
    if not _off(model, allowed):
        return ""
    ece = number(model, "ece")
    return f"Its probabilities are off by {ece:.1%} on average {who}; {allowed:.1%} allowed."


def _notes(summary: Mapping[str, Any], model: Mapping[str, Any], config: GateConfig) -> Iterator[str]:
    """Yield what does not refuse and should be known."""
    ece = number(model, "ece")
    if _off(model, config.warn_ece) and not _off(model, config.max_ece):
        yield f"Its probabilities are off by {ece:.1%} on average {POPULATIONS[config.population]}: read them with that margin."
    for check in (CHAMPIONS[config.population], "leakage"):
        if note := (summary.get(check) or {}).get("note"):
            yield note


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
