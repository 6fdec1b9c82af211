"""How good and how dear the answers of ``peers.py`` are, as tables: functions of what was said and what came."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from accuracy import said, table
from daily_job import Measured
from machine import machine
from tasks import Task

from winback_models.btyd import Array
from winback_models.history import history
from winback_models.label_time import LabelTime
from winback_training.baselines import equal_steps
from winback_training.bootstrap import paired_bootstrap
from winback_training.dataset import bought_within
from winback_training.forward_test import ACTIVE, BUYERS, Mask, populations
from winback_training.metrics import score_metrics
from winback_training.timing import brier_losses, integrated_brier

LIFETIMES, PYMC = "lifetimes", "pymc-marketing"
OWN, CLOSED = "own method", "closed form"
CAN = (
    ("winback", "yes, for any t", "yes", "yes, with an 80 % interval"),
    (LIFETIMES, "Pareto/NBD alone", "yes", "no"),
    (PYMC, "BG/NBD (see below) and Pareto/NBD", "yes", "no"),
)
NUMBERS = (
    "active brier",
    "active auc",
    "active ibs",
    "active ranked",
    "whole brier",
    "whole auc",
    "whole ibs",
)
GAP = ("difference", "low", "high")
HEAD = (
    "model", "P(purchase) by", "Brier", "AUC", "IBS", "AUC of expected purchases", "IBS: winback minus this (95 %)",
    "whole base: Brier", "AUC", "IBS",
)  # fmt: skip
SUMMARY = (
    "set, horizon", "buyers", "winback IBS", "best of lifetimes", "winback minus it (95 %)", f"best of {PYMC}",
    "winback minus it (95 %)", f"processor s: winback / lifetimes / {PYMC}",
)  # fmt: skip


@dataclass(frozen=True)
class Truth:
    """One set on one day: who is judged, and what came.

    Attributes
    ----------
    time : LabelTime
        Features and waits of every buyer.
    as_of : date
    horizon_days : int
    """

    time: LabelTime
    as_of: date
    horizon_days: int

    def of(self, population: str) -> Mask:
        """Return the mask of a population over the buyers."""
        mask = populations(self.time, self.horizon_days)[population]
        return np.asarray(mask[: len(self.time.waits)])

    @property
    def histories(self) -> pd.DataFrame:
        """Return frequency, and recency and T in weeks."""
        x, t_x, age = history(self.time.features)
        return pd.DataFrame({"frequency": x.astype(int), "recency": t_x / 7.0, "T": age / 7.0})


@dataclass(frozen=True)
class Answer:
    """What one process said, and what it took: ``curve`` is None where there is none, ``ranking`` the expected purchases."""

    name: str
    source: str
    curve: Array | None = None
    ranking: Array | None = None
    took: Measured | None = None
    note: str = ""


def judge(answers: Sequence[Answer], known: Truth) -> list[dict[str, float]]:
    """Return the numbers of each answer; the first of them is ours. What an answer lacks is nan."""
    steps, waits = equal_steps(known.horizon_days), known.time.waits
    found = []
    for answer in answers:
        numbers = dict.fromkeys((*NUMBERS, *GAP), math.nan)
        for which in (ACTIVE, BUYERS):
            mask = known.of(which)
            y = bought_within(waits[mask], float(known.horizon_days))
            if answer.ranking is not None:
                ranked = score_metrics(y, answer.ranking[mask], probability=False)
                numbers[f"{which} ranked"] = ranked["auc"]
            if answer.curve is not None:
                p = answer.curve[mask]
                metrics = score_metrics(y, p[:, -1])
                numbers |= {f"{which} {name}": metrics[name] for name in ("brier", "auc")}
                numbers[f"{which} ibs"] = integrated_brier(waits[mask], p, steps)
        if answer.curve is not None and answers[0].curve is not None:
            gap = difference(answers[0].curve, answer.curve, known.of(ACTIVE), waits, steps)
            numbers |= dict(zip(GAP, gap, strict=True))
        found.append(numbers)
    return found


def difference(ours: Array, theirs: Array, mask: Mask, waits: Array, steps: Array) -> Array:
    """Return how much our IBS lies above theirs, and its 95 % paired interval."""
    gaps = [brier_losses(waits[mask], curve[mask], steps).mean(axis=1) for curve in (ours, theirs)]
    return np.asarray(paired_bootstrap((gaps[0] - gaps[1])[:, None])[0])


def section(
    task: Task, known: Truth, answers: Sequence[Answer], numbers: Sequence[dict[str, float]]
) -> list[str]:
    """Return the tables of one set: how good, and at what cost."""
    good = [
        [a.name, a.source, *shown(n, NUMBERS[:4]), gap_of(n) if i else "–", *shown(n, NUMBERS[4:])]
        for i, (a, n) in enumerate(zip(answers, numbers, strict=True))
    ]
    cost = {a.name: [a.name, *seconds(a.took), a.note] for a in reversed(answers)}
    active = known.of(ACTIVE)
    share = bought_within(known.time.waits[active], float(known.horizon_days)).mean()
    return [
        f"## {task.name}, {known.horizon_days} days from {known.as_of}",
        "",
        f"{len(active):,} buyers, of whom {int(active.sum()):,} on the active base; of these {share:.0%} bought.",
        "",
        *table(HEAD, good),
        *table(("model", "wall s", "processor s", "peak MB", "what happened"), [*cost.values()][::-1]),
    ]


def shown(numbers: Mapping[str, float], names: Sequence[str]) -> list[str]:
    """Return the cells of some numbers: losses to four places, AUC to three."""
    return [said(numbers[name], ".3f" if name.endswith(("auc", "ranked")) else ".4f") for name in names]


def gap_of(numbers: Mapping[str, float]) -> str:
    """Return our difference from another in words."""
    gap, low, high = (numbers[name] for name in GAP)
    return "–" if math.isnan(gap) else f"{gap:+.4f} ({low:+.4f} to {high:+.4f})"


def seconds(took: Measured | None) -> list[str]:
    """Return wall and processor seconds, and the peak in MB."""
    return [f"{took.wall:.0f}", f"{took.processor:.0f}", f"{took.peak:,.0f}"] if took else ["–"] * 3


def summary(
    task: Task, known: Truth, answers: Sequence[Answer], numbers: Sequence[dict[str, float]]
) -> list[str]:
    """Return the row of one set: ours beside the best answer of each library, known only afterwards."""
    ours = numbers[0]
    cells = [
        f"{task.name}, {known.horizon_days} d",
        f"{len(known.time.waits):,}",
        said(ours["active ibs"], ".4f"),
    ]
    spent = [f"{answers[0].took.processor:.0f}" if answers[0].took else "–"]
    for library in (LIFETIMES, PYMC):
        theirs = [i for i, a in enumerate(answers) if a.name.startswith(library) and a.curve is not None]
        if not theirs:
            cells += ["–", "–"]
            spent.append("–")
            continue
        best = min(theirs, key=lambda i: numbers[i]["active ibs"])
        cells += [
            f"{numbers[best]['active ibs']:.4f} {answers[best].name.removeprefix(library).strip()}",
            gap_of(numbers[best]),
        ]
        took = answers[best].took
        spent.append(f"{took.processor:.0f}" if took else "–")
    return [*cells, " / ".join(spent)]


def markdown(rows: Sequence[Sequence[str]], sections: Sequence[str], versions: Mapping[str, str]) -> str:
    """Return the whole page."""
    met = ", ".join(f"{name} {version}" for name, version in versions.items())
    lines = [
        "# winback beside its peers",
        "",
        f"{met}; {machine()}. Made by `benchmarks/peers.py`.",
        "",
        *table(("", "P(purchase within t)", "expected purchases", "a date for the next purchase"), CAN),
        f"*{OWN}*: the library has a method for P(purchase). *{CLOSED}*: it has none that serves every contact, and we compute",
        "it from its fitted parameters; its user would have to do the same. Seconds and memory are of whole processes, from the",
        "start of the interpreter to the answers written, with what it starts itself; the peak is that of the main process.",
        "winback begins with the orders, the peers with histories made for them. IBS is the Brier score over twelve steps of the",
        "horizon; a difference below 0 speaks for winback. In the short table the best answer of a library is picked afterwards,",
        "on the outcomes. pymc-marketing's own P(purchase) under BG/NBD takes one-time buyers for possibly dead, though its",
        "P(alive) of them is 1; hence the closed form beside it.",
        "",
        "## In short: active base",
        "",
        *table(SUMMARY, rows),
    ]
    return "\n".join([*lines, *sections]).rstrip() + "\n"
