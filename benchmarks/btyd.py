"""How long do the buy-till-you-die models take to fit, and what does gathering histories in cells cost?

    python benchmarks/btyd.py                        # a million simulated contacts under each truth
    python benchmarks/btyd.py --contacts 100000 --without-lifetimes

Two years of purchase days are drawn under BG/NBD and under Pareto/NBD. Ours is the whole fit: every kind, with all that is
done to a million rows before. The deviation is the largest of a kind's four parameters from our own fit of all distinct
histories. lifetimes fits BG/NBD alone, on the same distinct histories, weighted; where it gives up, it says so.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from winback_models.btyd import Array, BtydModel
from winback_models.btyd_fit import ALL_KINDS, fit_each

DAYS = 730
TRUTHS = {"BG/NBD": (0.6, 40.0, 0.8, 4.0), "Pareto/NBD": (0.6, 40.0, 0.5, 150.0)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--contacts", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without-lifetimes", action="store_true")
    options = parser.parse_args()
    print(
        "| truth | contacts | distinct | ours, all kinds | lifetimes, BG/NBD alone | kind | largest deviation |"
    )
    print("|---|---|---|---|---|---|---|")
    for truth in TRUTHS:
        x, t_x, age, log_gaps = simulate(truth, options.contacts, np.random.default_rng(options.seed))
        quick, seconds = timed(lambda: fit_each(x, t_x, age, kinds=ALL_KINDS, log_gaps=log_gaps))  # noqa: B023
        full = fit_each(x, t_x, age, kinds=ALL_KINDS, log_gaps=log_gaps, most_rows=options.contacts)
        distinct = len(np.unique(np.column_stack([x, t_x, age]), axis=0))
        theirs = "not run" if options.without_lifetimes else lifetimes_seconds(x, t_x, age)
        head = f"| {truth} | {options.contacts:,} | {distinct:,} | {seconds:.1f} s | {theirs} "
        for ours, exact in zip(quick, full, strict=True):
            print(f"{head}| {name(ours)} | {deviation(ours, exact):.2%} |")
            head = "| | | | | "


def name(model: BtydModel) -> str:
    return f"{model.kind} ({model.k} phases)" if model.k > 1 else model.kind


def parameters(model: BtydModel) -> Array:
    death = (model.s, model.beta) if model.kind == "pareto_nbd" else (model.a, model.b)
    return np.array([model.r, model.alpha, *death])


def deviation(ours: BtydModel, exact: BtydModel) -> float:
    return float(np.abs(parameters(ours) / parameters(exact) - 1.0).max())


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def simulate(truth: str, n: int, rng: np.random.Generator) -> tuple[Array, Array, Array, float]:
    """Draw purchase days; return (frequency, recency, age) of each contact, and the sum of the log-gaps."""
    r, alpha, third, fourth = TRUTHS[truth]
    age = rng.integers(1, DAYS, n).astype(float)
    rate = rng.gamma(r, 1.0 / alpha, n)
    coin = rng.beta(third, fourth, n) if truth == "BG/NBD" else np.zeros(n)
    death = rng.exponential(1.0 / rng.gamma(third, 1.0 / fourth, n)) if truth == "Pareto/NBD" else np.inf
    end = np.minimum(age, death)
    clock, last, x, log_gaps = np.zeros(n), np.zeros(n), np.zeros(n), 0.0
    buying = np.arange(n)
    while len(buying):
        clock[buying] += rng.exponential(1.0 / np.maximum(rate[buying], 1e-12))
        buying = buying[clock[buying] < np.broadcast_to(end, n)[buying]]
        day = np.floor(clock[buying])
        later = day > last[buying]  # two purchases on one day are one
        new = buying[later]
        log_gaps += float(np.log(day[later] - last[new]).sum())
        x[new] += 1
        last[new] = day[later]
        buying = buying[rng.random(len(buying)) >= coin[buying]]
    return x, last, age, log_gaps


def lifetimes_seconds(x: Array, t_x: Array, age: Array) -> str:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # lifetimes is archived and warns wherever it goes
        from lifetimes import BetaGeoFitter
        from lifetimes.utils import ConvergenceError

        start = time.perf_counter()
        rows, counts = np.unique(np.column_stack([x, t_x, age]), axis=0, return_counts=True)
        try:
            BetaGeoFitter().fit(*rows.T, weights=counts)
            outcome = ""
        except (ConvergenceError, ValueError) as error:
            outcome = f", then {type(error).__name__}"
        return f"{time.perf_counter() - start:.1f} s{outcome}"


if __name__ == "__main__":
    main()
