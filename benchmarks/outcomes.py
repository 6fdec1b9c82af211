"""A known experiment read as a user reads it, and the error rates of the readout by simulation.

    python benchmarks/outcomes.py path/to/hillstrom/experiment.parquet

writes benchmarks/results/outcomes.md.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from winback_features.config import EngineConfig
from winback_features.engine import open_engine
from winback_policy.outcomes.cells import Metric
from winback_policy.outcomes.comparison import compare
from winback_policy.outcomes.effects import Interval, difference_of_shares
from winback_policy.outcomes.moments import Sums
from winback_policy.outcomes.money import difference_of_money
from winback_serving.experiment_table import ExperimentTable, read_experiment
from winback_serving.outcomes_told import Teller

RUNS = 1_000
MONEY = (
    (900, 100, 0.05, 0.03, 0.7),
    (900, 100, 0.15, 0.1, 0.7),
    (1800, 200, 0.3, 0.2, 0.7),
    (9000, 1000, 0.15, 0.1, 0.7),
    (900, 100, 0.15, 0.1, 1.0),
    (9000, 1000, 0.15, 0.1, 1.0),
)
"""Contacts treated and held out, the share of each that buys, and the standard deviation of the logarithm of what it spends."""
RESULT = Path(__file__).parent / "results" / "outcomes.md"


def hillstrom(path: str) -> list[str]:
    """Read the e-mail experiment, those lapsed for seven months or more."""
    what = ExperimentTable(
        path,
        arm="segment",
        control="No E-Mail",
        converted="conversion",
        amount="spend",
        covariates=("history", "recency", "mens", "newbie"),
        where="recency >= 7",
    )
    with open_engine(EngineConfig()) as backend:
        found = read_experiment(backend, what)
    told = Teller.of("en", "").part("Hillstrom", found.as_dict())
    lines = [line for table in told.tables for line in (*rows(table), "")]
    return [*lines, *told.headline, *told.balance]


def rows(table: Mapping[str, Any]) -> list[str]:
    """Return a table in Markdown."""
    cells = [table["heads"], ["---"] * len(table["heads"]), *table["rows"]]
    return ["| " + " | ".join(row) + " |" for row in cells]


def coverage(rng: np.random.Generator) -> list[str]:
    """Return how often the 95 % interval holds the known effect."""
    lines = [
        "| outcome | treated | held out | share that buys | no interval | interval holds the truth | too low | too high |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for n1, n0, p1, p0 in [
        (900, 100, 0.05, 0.03),
        (9000, 1000, 0.06, 0.04),
        (900, 100, 0.3, 0.2),
        (20000, 2000, 0.01, 0.006),
    ]:
        drawn = zip(rng.binomial(n1, p1, RUNS), rng.binomial(n0, p0, RUNS), strict=True)
        found = [difference_of_shares(Sums(n1, k, k), Sums(n0, j, j)) for k, j in drawn]
        lines.append(f"| bought | {n1:,} | {n0:,} | {p1:g} and {p0:g} | {_hits(found, p1 - p0)} |")
    for n1, n0, p1, p0, spread in MONEY:
        truth = (p1 - p0) * np.exp(3.5 + 0.3**2 / 2 + spread**2 / 2)
        found = [
            difference_of_money(_money(rng, n1, p1, spread), _money(rng, n0, p0, spread)) for _ in range(RUNS)
        ]
        told = f"money, spread {spread:g}"
        lines.append(f"| {told} | {n1:,} | {n0:,} | {p1:g} and {p0:g} | {_hits(found, truth)} |")
    return lines


def _hits(found: list[Interval], truth: float) -> str:
    """Return the share without an interval, and of the others how many hold the truth, lie below it and above it."""
    told = [f for f in found if isfinite(f.high)]
    below, above = np.mean([f.high < truth for f in told]), np.mean([f.low > truth for f in told])
    return f"{1 - len(told) / len(found):.1%} | {1 - below - above:.1%} | {below:.1%} | {above:.1%}"


def _money(rng: np.random.Generator, n: int, rate: float, spread: float) -> Sums:
    x = rng.normal(size=n)
    y = np.where(rng.random(n) < rate, rng.lognormal(3.5 + 0.3 * x, spread, n), 0.0)
    return Sums(n, y.sum(), (y * y).sum(), x.sum(), (x * x).sum(), (x * y).sum())


def daily_looks(rng: np.random.Generator, days: int = 60) -> list[str]:
    """Return how often a mailing without an effect is announced as a win, looked at every day."""
    lines = [
        "| a day | held out | share that buys | announced a win | plain interval, looked at daily |",
        "|---|---|---|---|---|",
    ]
    for daily, held_out, rate in [(60, 0.1, 0.1), (200, 0.1, 0.03), (100, 0.5, 0.3)]:
        wins = plain = 0
        for _ in range(RUNS):
            n = rng.poisson(daily, days)
            n0 = rng.binomial(n, held_out)
            arms = np.cumsum(
                [n - n0, rng.binomial(n - n0, rate), n0, rng.binomial(n0, rate)], axis=1
            ).T.tolist()
            looks = [
                compare({"h": Sums(m, j, j), "t": Sums(n, k, k)}, Metric("bought"), "h", running=True)[0]
                for n, k, m, j in arms
                if n and m
            ]
            wins += any(c.verdict == "better" for c in looks)
            plain += any((c.low or 0) > 0 or (c.high or 0) < 0 for c in looks)
        lines.append(
            f"| {daily} | {held_out:.0%} | {rate:.0%} | {wins / RUNS:.1%} | wrong in {plain / RUNS:.1%} |"
        )
    return lines


def main() -> None:
    """Write the page of results."""
    rng = np.random.default_rng(8)
    parts = {
        "Hillstrom's e-mail experiment": hillstrom(sys.argv[1]),
        "Coverage of the intervals, 1,000 campaigns each": coverage(rng),
        "Daily looks at nothing, 60 days, 1,000 campaigns each": daily_looks(rng),
    }
    text = "\n\n".join(f"## {title}\n\n" + "\n".join(lines) for title, lines in parts.items())
    RESULT.write_text(f"# Outcomes\n\nWritten by `benchmarks/outcomes.py`.\n\n{text}\n", encoding="utf-8")
    print(RESULT.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
