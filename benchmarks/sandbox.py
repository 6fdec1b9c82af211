"""How fast does the sandbox answer, and is it exact?

    python benchmarks/sandbox.py                       # a million simulated contacts
    python benchmarks/sandbox.py --contacts 100000

The base is simulated, with unknown values in it. The same eight segments are asked of the sandbox and of pandas (one
boolean filter for each segment and each pair); the answers must agree. Each time is the median of ``--repeats``.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from machine import machine

from winback_policy.rfm import SEGMENTS
from winback_policy.sandbox import DESCRIBING, Sandbox
from winback_policy.sandbox_terms import Bound, SandboxView, Segment

ASKED = (
    Segment("high risk", (Bound("p_lapse", at_least=0.5), Bound("base", among=("active",)))),
    Segment("very high risk", (Bound("p_lapse", at_least=0.7), Bound("base", among=("active",)))),
    Segment("late", (Bound("days_overdue", at_least=-3), Bound("base", among=("active",)))),
    Segment("worth it", (Bound("p_lapse", at_least=0.5), Bound("value_at_risk", at_least=50))),
    Segment("1 to 3 months", (Bound("days_since_purchase", at_least=30, below=90),)),
    Segment("3 to 6 months", (Bound("days_since_purchase", at_least=90, below=180),)),
    Segment("lapsed", (Bound("base", among=("lapsed",)),)),
    Segment("best at risk", (Bound("rfm_segment", among=("cant_lose", "at_risk")),)),
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--contacts", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    base = simulate(options.contacts, np.random.default_rng(options.seed))
    frame = base.to_pandas()

    sandbox, prepared = timed(lambda: Sandbox.from_arrow(base), 1)
    view, ours = timed(lambda: sandbox.ask(ASKED), options.repeats)
    reference, theirs = timed(lambda: with_pandas(frame), max(1, options.repeats // 3))
    compare(view, reference)

    print(f"{machine()}, numpy {np.__version__}\n")
    print("| contacts | segments | prepared once in | an answer | pandas | ratio |")
    print("|---|---|---|---|---|---|")
    print(
        f"| {options.contacts:,} | {len(ASKED)} | {prepared:.2f} s | {ours:.3f} s | {theirs:.2f} s | {ours / theirs:.3f} |"
    )
    for segment in view.segments:
        print(f"{segment.name:>15}: {segment.contacts:>8,} {segment.value_at_risk:>14,.0f} {segment.hint}")


def simulate(n: int, rng: np.random.Generator) -> pa.Table:
    """Draw a base: risk rises with the silence, value is skewed, a third never clicked or visited."""
    days = np.ceil(rng.gamma(1.2, 120, n))
    p_lapse = np.clip(1 / (1 + np.exp(-(days - 90) / 60)) + rng.normal(0, 0.1, n), 0, 1)
    value = rng.lognormal(3.5, 1.0, n) * p_lapse
    columns: dict[str, Any] = {
        "p_lapse": p_lapse,
        "days_since_purchase": days,
        "days_overdue": days - np.ceil(rng.gamma(2, 45, n)),
        "value_at_risk": np.where(rng.random(n) < 0.02, np.nan, value),
        "base": np.select([days < 180, rng.random(n) < 0.3], ["active", "one_time"], "lapsed").astype(object),
        "rfm_segment": np.array(SEGMENTS, object)[rng.integers(0, len(SEGMENTS), n)],
    }
    for i, name in enumerate(DESCRIBING):
        known = rng.random(n) > 0.3 if i % 2 else np.ones(n, bool)
        columns[name] = np.where(known, rng.gamma(2, 1 + i, n) + 3 * p_lapse * (i % 3), np.nan)
    return pa.table(columns)


def with_pandas(frame: pd.DataFrame) -> dict[str, Any]:
    """Answer the same questions the plain way."""
    inside = {segment.name: mask(frame, segment) for segment in ASKED}
    defining = {bound.column for segment in ASKED for bound in segment.bounds}
    describing = [name for name in DESCRIBING if name not in defining]
    sd = frame[describing].std(ddof=0)
    answer: dict[str, Any] = {}
    for name, members in inside.items():
        here = frame[members]
        gaps = (here[describing].mean() - frame.loc[~members, describing].mean()) / sd
        answer[name] = (len(here), here["value_at_risk"].sum(), gaps.to_dict())
        for other, others in inside.items():
            answer[name, other] = int((members & others).sum())
    return answer


def mask(frame: pd.DataFrame, segment: Segment) -> pd.Series:
    members = pd.Series(data=True, index=frame.index)
    for bound in segment.bounds:
        values = frame[bound.column]
        if bound.among:
            members &= values.isin(bound.among)
        if bound.at_least is not None:
            members &= values >= bound.at_least
        if bound.below is not None:
            members &= values < bound.below
    return members


def compare(view: SandboxView, reference: dict[str, Any]) -> None:
    for segment in view.segments:
        contacts, value, gaps = reference[segment.name]
        assert segment.contacts == contacts, segment
        assert math.isclose(segment.value_at_risk, value, rel_tol=1e-9), segment
        assert all(math.isclose(segment.differs[n], gap, abs_tol=1e-9) for n, gap in gaps.items()), segment
    for pair in view.overlaps:
        assert pair.contacts == reference[pair.first, pair.second], pair


def timed(work: Callable[[], Any], repeats: int) -> tuple[Any, float]:
    seconds, result = [], None
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return result, statistics.median(seconds)


if __name__ == "__main__":
    main()
