"""Does the list come in time? Past days replayed, the policy's flags beside the vendors' fixed window and the own average gap.

    python benchmarks/policy.py                  # the Complete Journey, from an installed package
    python benchmarks/policy.py --data FOLDER    # complete_journey and online_retail, from FOLDER/<set>/orders.parquet
    python benchmarks/policy.py --data FOLDER --write benchmarks/results/policy.json --markdown benchmarks/results/policy.md

The model is trained once, at the beginning of the last third of the history; every day since whose horizon has closed is replayed
with the default policy. The rivals get the policy's number of flags and their best threshold, known afterwards. Nothing of ours
is chosen on these days. What the words mean stands in docs/backtest.md.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from accuracy import said, table, without_nan, write
from machine import machine
from tasks import Task, in_folder, packaged, span

from winback_features.config import BrandConfig, EngineConfig, SourceConfig
from winback_features.engine import open_engine
from winback_features.ingest import ingest
from winback_models.config import ScoreConfig
from winback_policy.config import PolicyConfig
from winback_serving.commands.backtest import run_backtest
from winback_serving.output import Reporter
from winback_training.config import TrainingConfig

SETS = {"complete_journey": 28, "online_retail": 60}
"""Sets that are replayed, and the days ahead."""

TARGETS = {"fixed_window": 0.25, "own_gap": 0.15}
"""So many more true lapses caught than each rule catches, at the same number of flags."""

ALONE = "risk_alone"


def run(task: Task, step: int) -> dict[str, Any]:
    """Replay one set; return its numbers."""
    began, worked = time.perf_counter(), time.process_time()
    folder = task.orders.resolve().parent
    events = "events.parquet" if (folder / "events.parquet").exists() else None
    brand = BrandConfig(timezone=task.timezone)
    with open_engine(EngineConfig()) as backend:
        source = SourceConfig(orders=task.orders.name, events=events)
        tables = ingest(backend, source, brand, today=datetime.now(UTC).date(), base_dir=folder)
        end = span(tables)[1] + timedelta(days=1)
        found = run_backtest(
            tables,
            end,
            ScoreConfig(horizon_days=SETS[task.name]),
            TrainingConfig(),
            PolicyConfig(),
            brand,
            step=step,
            work=Reporter(lambda text: None, lambda done, total: None),
        )
    return {
        "set": task.name,
        "seconds": round(time.perf_counter() - began, 1),
        "processor_seconds": round(time.process_time() - worked, 1),
        "met": {name: reached(found.rules[name], aim) for name, aim in TARGETS.items()},
        **found.as_dict(),
    }


def reached(rule: Mapping[str, Any], aim: float) -> bool:
    """Say whether ours catches so many more; where the rule catches none there is nothing to compare."""
    return rule["more"] is not None and rule["more"] >= aim


def markdown(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the tables of ``benchmarks/README.md``."""
    head = [
        *("set, horizon", "days", "true lapses", "flags", "caught", "unnecessary", "late", "median lead"),
        *("fixed window", "own gap", "targets", "risk alone", "processor time"),
    ]
    rows = []
    for r in results:
        alone = next((c[ALONE] for c in r["curves"] if c["flags"] == r["flags"]), 0.0)
        cells = [f"{r['set']} {r['horizon_days']} d", f"{r['first_day']} to {r['last_day']}"]
        cells += [str(r[name]) for name in ("true_lapses", "flags", "caught", "unnecessary", "late")]
        cells.append("–" if r["lead_days_median"] is None else f"{r['lead_days_median']:g} d")
        for name in TARGETS:
            rule = r["rules"][name]
            more = float("nan") if rule["more"] is None else 100 * rule["more"]
            cells.append(f"{rule['caught']:.0f} at {rule['threshold']:g} (ours {said(more, '+.0f')} %)")
        missed = [name.replace("_", " ") for name, met in r["met"].items() if not met]
        cells.append(f"missed: {', '.join(missed)}" if missed else "met")
        rows.append([*cells, f"{alone:.0f}", f"{r['processor_seconds']:.0f} s"])
    aims = ", ".join(f"{100 * aim:.0f} % more than {n.replace('_', ' ')}" for n, aim in TARGETS.items())
    return (
        "\n".join([f"Default policy; {machine()}. Targets: {aims}.", "", *table(head, rows)]).rstrip() + "\n"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with one folder of orders.parquet for each set")
    parser.add_argument("--only", action="append", help="only this set; may be given again")
    parser.add_argument("--step", type=int, default=1, help="days from one replayed day to the next")
    parser.add_argument("--write", type=Path, help="also write the numbers as JSON")
    parser.add_argument("--markdown", type=Path, help="also write the table")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        found = in_folder(chosen.data) if chosen.data else packaged(Path(temporary))
        tasks = {t.name: t for t in found if t.name in SETS and (not chosen.only or t.name in chosen.only)}
        if not tasks:
            parser.error("there is no such set of orders")
        results = []
        for task in tasks.values():
            results.append(run(task, chosen.step))
            print(f"{task.name}: {results[-1]['seconds']} s", flush=True)
    text = markdown(results)
    print(f"\n{text}")
    if chosen.markdown:
        write(chosen.markdown, text)
    if chosen.write:
        content = {"machine": machine(), "results": results}
        write(chosen.write, json.dumps(without_nan(content), indent=2) + "\n")


if __name__ == "__main__":
    main()
