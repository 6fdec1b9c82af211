"""One forward test: what every model said at a past day, and what then happened, contact by contact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from winback_models.btyd import Array
from winback_models.history import ACTIVE_HORIZONS
from winback_models.label_time import LabelTime
from winback_models.lapse_model import LapseModel
from winback_training.baselines import (
    baseline_curves,
    baseline_rankings,
    constant_rate,
    equal_steps,
)
from winback_training.bootstrap import paired_bootstrap
from winback_training.dataset import bought_within
from winback_training.metrics import score_metrics
from winback_training.timing import (
    brier_losses,
    concordance,
    d_calibration,
    integrated_brier,
    interval_coverage,
    survival_intervals,
)

Mask = npt.NDArray[np.bool_]

OURS = "winback"
CONSTANT = "constant_rate"
BUYERS, ACTIVE, NEVER, HELD_OUT = "whole", "active", "never_bought", "held_out"
DIFFERENCE_COLUMNS = ("origin", "population", "baseline", "metric", "difference", "low", "high")


@dataclass(frozen=True)
class ForwardTest:
    """What every model said at ``origin``, and what came.

    Attributes
    ----------
    origin : date
    contact_ids : ndarray of object, shape (n,)
        Buyers, then contacts that never bought.
    waits : ndarray, shape (n,)
        Days to the next purchase, inf where none came within the horizon.
    populations : mapping of str to ndarray of bool
        Who is reported together.
    days : ndarray, shape (m,)
        Equal steps of the horizon; the last is the horizon.
    curves : mapping of str to ndarray
        Model -> P(purchase within each of ``days``), shape (n, m); of a mere ranking its score, shape (n, 1). nan in the rows
        of contacts that the model does not speak of.
    intervals : mapping of str to ndarray, shape (n, 2)
        Model -> where its survival function stood when the purchase came (see ``survival_intervals``).
    """

    origin: date
    contact_ids: npt.NDArray[np.object_]
    waits: Array
    populations: Mapping[str, Mask]
    days: Array
    curves: Mapping[str, Array]
    intervals: Mapping[str, Array]

    def has(self, population: str) -> bool:
        """Say whether there are such contacts."""
        return population in self.populations and bool(self.populations[population].any())

    def speaks_of(self, model: str, population: str) -> bool:
        """Say whether there are such contacts and the model gives all of them a number."""
        return self.has(population) and bool(
            np.isfinite(self.curves[model][self.populations[population]]).all()
        )

    def bought(self, population: str) -> Array:
        """Return 1.0 where a purchase came within the horizon, shape (members,)."""
        return bought_within(self.waits[self.populations[population]], float(self.days[-1]))

    def score(self, model: str, population: str) -> Array:
        """Return P(purchase within the horizon), or the score of a ranking, shape (members,)."""
        return np.asarray(self.curves[model][self.populations[population], -1])

    def metrics(self, model: str, population: str) -> dict[str, float]:
        """Return every metric of one model on one population; what a mere ranking lacks is nan."""
        mask = self.populations[population]
        curves, waits = self.curves[model][mask], self.waits[mask]
        known = model in self.intervals
        found = score_metrics(self.bought(population), curves[:, -1], probability=known)
        found["concordance"] = concordance(waits, curves.mean(axis=1))
        timing = dict.fromkeys(("ibs", "coverage_80", "d_calibration_p"), float("nan"))
        if known:
            intervals = self.intervals[model][mask]
            timing["ibs"] = integrated_brier(waits, curves, self.days)
            timing["coverage_80"] = interval_coverage(intervals)
            timing["d_calibration_p"] = d_calibration(intervals)[1]
        return {**found, **timing}

    def losses(self, model: str, population: str) -> Array:
        """Return each contact's (Brier loss at the horizon, mean Brier loss over ``days``), shape (members, 2)."""
        mask = self.populations[population]
        lost = brier_losses(self.waits[mask], self.curves[model][mask], self.days)
        return np.column_stack([lost[:, -1], lost.mean(axis=1)])


def forward_test(
    today: LabelTime,
    closed: Sequence[LabelTime],
    model: LapseModel,
    horizon_days: int,
    numeric_features: Sequence[str],
    seed: int,
    held_out: Mask | None = None,
) -> ForwardTest:
    """Let ``model`` and every baseline speak at one label time.

    Parameters
    ----------
    today : LabelTime
        Its waits are the truth; no model has seen them.
    closed : sequence of LabelTime
        Label times whose windows had closed by then: what the baselines learn from.
    held_out : ndarray of bool, optional
        Which of the buyers nobody writes to; None where no message could have changed what came.
    """
    waits = np.concatenate([today.waits, today.never_waits])
    before, after = len(today.waits), len(today.never_waits)
    steps = equal_steps(horizon_days)
    days = np.concatenate([steps, np.arange(horizon_days + 1.0)])
    said = {OURS: curve_of(model, today, days)}
    baselines = baseline_curves(today, closed, horizon_days, numeric_features, seed)
    said |= {name: _pad(curve(days), 0, after) for name, curve in baselines.items()}
    if after:
        earlier = [t.never_waits for t in closed]
        said[CONSTANT] = _pad(constant_rate(earlier, after)(days), before, 0)
    rankings = {name: _pad(score[:, None], 0, after) for name, score in baseline_rankings(today).items()}
    ids = [part["contact_id"].to_numpy(object) for part in (today.features, today.never) if len(part)]
    return ForwardTest(
        origin=today.as_of,
        contact_ids=np.concatenate(ids) if ids else np.zeros(0, object),
        waits=waits,
        populations=populations(today, horizon_days, held_out),
        days=steps,
        curves={name: p[:, : len(steps)] for name, p in said.items()} | rankings,
        intervals={name: survival_intervals(waits, 1.0 - p[:, len(steps) :]) for name, p in said.items()},
    )


def populations(time: LabelTime, horizon_days: int, held_out: Mask | None = None) -> dict[str, Mask]:
    """Return the mask of each population that is reported apart, over the buyers and then those who never bought.

    ``whole``: every buyer. ``active``: last purchase at most two horizons ago; of those ``one_time`` and ``repeat``.
    ``lapsed``: the other buyers. ``never_bought``: only where there are any. ``held_out``: of the active base, those nobody
    writes to; only where that is given.
    """
    after = len(time.never_waits)
    buyer = np.repeat([True, False], [len(time.waits), after])
    silence = np.pad(time.features["days_since_purchase"].to_numpy(np.float64), (0, after))
    once = np.pad(time.features["purchase_days"].to_numpy(np.float64) == 1, (0, after))
    active = buyer & (silence <= ACTIVE_HORIZONS * horizon_days)
    named = {
        BUYERS: buyer,
        ACTIVE: active,
        "one_time": active & once,
        "repeat": active & ~once,
        "lapsed": buyer & ~active,
    }
    if held_out is not None:
        named[HELD_OUT] = active & np.pad(held_out, (0, after))
    return named | ({NEVER: ~buyer} if after else {})


def compare(tests: Sequence[ForwardTest], population: str = ACTIVE, seed: int = 0) -> pd.DataFrame:
    """Return by how much our losses differ from each baseline's, with a 95 % paired bootstrap interval over contacts.

    Parameters
    ----------
    tests : sequence of ForwardTest
        Those in which a baseline is missing do not count for it.

    Returns
    -------
    DataFrame
        ``origin`` (a day, or "all" for the tests together), ``population, baseline, metric`` ("brier" or "ibs"),
        ``difference`` (ours minus the baseline's: below 0 we are better), ``low, high``.
    """
    rows = []
    for origin, group, names in _comparable(tests, population):
        ids = np.concatenate([t.contact_ids[t.populations[population]] for t in group])
        gaps = [
            np.hstack([t.losses(OURS, population) - t.losses(name, population) for name in names])
            for t in group
        ]
        found = paired_bootstrap(np.concatenate(gaps), pd.factorize(ids)[0], seed=seed)
        pairs = [(name, metric) for name in names for metric in ("brier", "ibs")]
        rows += [(origin, population, *pair, *row) for pair, row in zip(pairs, found, strict=True)]
    return pd.DataFrame(rows, columns=list(DIFFERENCE_COLUMNS))


def _comparable(
    tests: Sequence[ForwardTest], population: str
) -> list[tuple[date | str, list[ForwardTest], list[str]]]:
    """Return (origin, tests, baselines heard in all of them): each test alone, then together those of each baseline."""
    heard = [[m for m in t.intervals if m != OURS and t.speaks_of(m, population)] for t in tests]
    alone = [(t.origin, [t], names) for t, names in zip(tests, heard, strict=True) if names]
    together: dict[tuple[int, ...], list[str]] = {}
    for name in dict.fromkeys(name for names in heard for name in names):
        together.setdefault(tuple(i for i, names in enumerate(heard) if name in names), []).append(name)
    return [*alone, *(("all", [tests[i] for i in where], names) for where, names in together.items())]


def curve_of(model: LapseModel, time: LabelTime, days: Array) -> Array:
    """Return P(purchase) within each of ``days`` of the buyers, and then of those who never bought."""
    parts = [part for part in (time.features, time.never) if len(part)]
    return np.vstack([np.zeros((0, len(days))), *(model.curve(part, days.tolist()) for part in parts)])


def _pad(block: Array, before: int, after: int) -> Array:
    """Return the block with rows of nan around it, for the contacts that its model does not speak of."""
    return np.pad(block, ((before, after), (0, 0)), constant_values=np.nan)
