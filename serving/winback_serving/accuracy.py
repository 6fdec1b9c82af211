"""How far the scores can be believed: what the forward tests found, in small frozen rows and plain sentences.

A sentence is said only where its numbers bear it; that a simpler model is better is said as plainly as that ours is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date

import pandas as pd

from winback_models.charts import MODEL_LABELS
from winback_serving import wording

OURS, BUYERS, ACTIVE = "winback", "whole", "active"
CHANCE_MARGIN = 0.02
"""An AUC less than this above 0.5 is called chance."""

NOTICEABLE = 1.005
"""Where no interval was computed, a baseline is called better when our Brier score is beyond this multiple of its own."""

MIN_OUTCOMES = 20
"""With fewer contacts in a forward test that bought, or that did not, a rival of a part of the base is not spoken of."""

ERRORS = {"brier": "Brier", "ibs": "Brier over the whole curve"}


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model or baseline on one population: means over the forward tests; None where it gives no such number."""

    model: str
    auc: float | None
    brier: float | None
    ibs: float | None
    brier_skill: float | None
    lift_10: float | None
    bias: float | None
    coverage_80: float | None


@dataclass(frozen=True, slots=True)
class PopulationRow:
    """Our model on one population, and the baseline with the lowest Brier score there.

    ``n`` are contacts per forward test, ``bought`` the share of them that did within the horizon.
    """

    population: str
    n: float
    bought: float
    ours: ModelRow
    rival: ModelRow | None


@dataclass(frozen=True, slots=True)
class MoneyRow:
    """Money expected within the horizon and money that came, of every buyer tested; the ratio with its 95 % interval."""

    origin: date
    expected: float
    actual: float
    ratio: float
    ratio_low: float
    ratio_high: float


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What the forward tests found; empty where there were none.

    Attributes
    ----------
    origins : tuple of date
        The days at which they looked ahead, oldest first.
    models : tuple of ModelRow
        On the active base, winback first.
    populations : tuple of PopulationRow
        In the order of ``wording.POPULATIONS``.
    verdicts : tuple of str
        What it comes to, in sentences.
    money : MoneyRow or None
        At the newest test; None where no money came.
    """

    origins: tuple[date, ...] = ()
    models: tuple[ModelRow, ...] = ()
    populations: tuple[PopulationRow, ...] = ()
    verdicts: tuple[str, ...] = ()
    money: MoneyRow | None = None

    @property
    def best_auc(self) -> float | None:
        """Return the highest AUC among the models; None when none was measured."""
        return max((m.auc for m in self.models if m.auc is not None), default=None)

    @property
    def best_brier(self) -> float | None:
        """Return the lowest Brier score among the models; None when none was measured."""
        return min((m.brier for m in self.models if m.brier is not None), default=None)

    @property
    def best_ibs(self) -> float | None:
        """Return the lowest integrated Brier score among the models; None when none was measured."""
        return min((m.ibs for m in self.models if m.ibs is not None), default=None)


def read_accuracy(metrics: pd.DataFrame, differences: pd.DataFrame, money: pd.DataFrame) -> Accuracy:
    """Read the tables of an ``Evaluation``: ``metrics``, ``differences`` and ``money``."""
    populations = compare_populations(metrics)
    return Accuracy(
        origins=tuple(sorted(set(metrics["origin"]))),
        models=compare_models(metrics),
        populations=populations,
        verdicts=verdicts(populations, differences),
        money=newest_money(money),
    )


def compare_models(metrics: pd.DataFrame, population: str = ACTIVE) -> tuple[ModelRow, ...]:
    """Return each model's mean over the origins on one population, in the order of the charts.

    Parameters
    ----------
    metrics : DataFrame
        ``Evaluation.metrics``: ``origin, population, model`` and the measures.
    """
    chosen = metrics[metrics["population"] == population]
    means = chosen.groupby("model")[[f.name for f in fields(ModelRow)][1:]].mean()
    rows = {
        str(n): [None if math.isnan(v) else float(v) for v in values] for n, *values in means.itertuples()
    }
    names = [name for name in MODEL_LABELS if name in rows] + sorted(set(rows) - set(MODEL_LABELS))
    return tuple(ModelRow(name, *rows[name]) for name in names)


def compare_populations(metrics: pd.DataFrame) -> tuple[PopulationRow, ...]:
    """Return our model and its closest rival on each population that was tested."""
    rows = []
    for population in wording.POPULATIONS:
        models = {row.model: row for row in compare_models(metrics, population)}
        if OURS not in models:
            continue
        own = metrics[(metrics["population"] == population) & (metrics["model"] == OURS)]
        others = [row for name, row in models.items() if name != OURS and row.brier is not None]
        rival = min(others, key=lambda row: row.brier or 0.0, default=None)
        n, bought = float(own["n"].mean()), float(own["prevalence"].mean())
        rows.append(PopulationRow(population, n, bought, models[OURS], rival))
    return tuple(rows)


def newest_money(money: pd.DataFrame) -> MoneyRow | None:
    """Return the newest test's money of every buyer; None where none came."""
    rows = money[(money["population"] == BUYERS) & (money["actual"] > 0)]
    if rows.empty:
        return None
    newest = rows.loc[rows["origin"] == rows["origin"].max()].iloc[0]
    numbers = (float(newest[f.name]) for f in fields(MoneyRow)[1:])
    return MoneyRow(newest["origin"], *numbers)


def verdicts(populations: Iterable[PopulationRow], differences: pd.DataFrame) -> tuple[str, ...]:
    """Say what the numbers come to: against chance, against the others, and where a simpler model is better.

    Parameters
    ----------
    populations : iterable of PopulationRow
    differences : DataFrame
        ``Evaluation.differences``: our loss minus a baseline's on the active base, with its 95 % interval.
    """
    said: list[str] = []
    for row in populations:
        said += _against_chance(row)
        said += _against_others(differences) if row.population == ACTIVE else _against_rival(row)
    return tuple(said)


def money_verdict(money: MoneyRow, currency: str) -> str:
    """Say whether the money was right.

    Examples
    --------
    >>> money_verdict(MoneyRow(date(2026, 1, 1), 12_300.0, 11_900.0, 1.034, 0.95, 1.12), "EUR")
    'Expected 12,300 EUR, came 11,900 EUR: ratio 1.03 (95 % 0.95–1.12).'
    """
    said = (
        f"Expected {wording.money(money.expected, currency)}, came {wording.money(money.actual, currency)}: "
        f"ratio {money.ratio:.2f} (95 % {money.ratio_low:.2f}–{money.ratio_high:.2f})."
    )
    if money.ratio_low > 1.0:
        return f"{said} Too much was promised."
    return f"{said} Too little was promised." if money.ratio_high < 1.0 else said


def _against_chance(row: PopulationRow) -> list[str]:
    auc, skill, who = row.ours.auc, row.ours.brier_skill, wording.AMONG[row.population]
    if auc is not None and auc < 0.5 + CHANCE_MARGIN:
        return [f"{who} the score ranks no better than chance (AUC {auc:.3f}; 0.5 is chance)."]
    if skill is not None and skill <= 0.0:
        number = wording.number(skill, 3)
        return [f"{who} the score says no more than one rate for everybody would (Brier skill {number})."]
    return []


def _against_others(differences: pd.DataFrame) -> list[str]:
    """Say which baselines we beat beyond chance, which not, and which beat us, by the tests together."""
    together = differences[
        (differences["origin"].astype(str) == "all") & (differences["population"] == ACTIVE)
    ]
    if together.empty:
        return []
    worse = together[together["low"] > 0.0]
    said = [
        f"{_label(row.baseline)} errs less than winback on the active base: {ERRORS[str(row.metric)]} lower by "
        f"{row.difference:.4f} (95 % {row.low:.4f} to {row.high:.4f})."
        for row in worse.itertuples()
    ]
    beaten = (together["high"] < 0.0).groupby(together["baseline"], sort=False).all()
    ours, level = list(beaten.index[beaten]), set(beaten.index[~beaten]) - set(worse["baseline"])
    if ours and not said and not level:
        return [
            "On the active base winback errs less than every other model, at the horizon and over the whole curve."
        ]
    if ours:
        said.append(f"On the active base winback errs less than {_names(ours)}.")
    if level:
        said.append(f"Against {_names(level)} the difference is not beyond chance in every respect.")
    return said


def _against_rival(row: PopulationRow) -> list[str]:
    rival, ours = row.rival, row.ours.brier
    if row.n * min(row.bought, 1.0 - row.bought) < MIN_OUTCOMES:
        return []
    if rival is None or rival.brier is None or ours is None or ours <= NOTICEABLE * rival.brier:
        return []
    return [
        f"{wording.AMONG[row.population]} {_label(rival.model)} errs less (Brier {rival.brier:.4f} against {ours:.4f})."
    ]


def _names(models: Iterable[str]) -> str:
    """Return models by the names a reader knows, in the order of the charts."""
    order = [*MODEL_LABELS]
    names = [_label(m) for m in sorted(models, key=lambda m: order.index(m) if m in order else len(order))]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _label(model: object) -> str:
    return wording.words(str(model), MODEL_LABELS)
