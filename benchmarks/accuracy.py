"""Is the score better than the alternatives? Forward tests on real purchases, one row per set and model.

    python benchmarks/accuracy.py                      # CDNOW and the Complete Journey, from installed packages
    python benchmarks/accuracy.py --data FOLDER        # every FOLDER/<set>/orders.parquet that is known below
    python benchmarks/accuracy.py --data FOLDER --write benchmarks/results/accuracy.json

At each of three past days (origins) the whole training is repeated with what was known then, and judged on the horizon that
followed. Reported for the active base (last purchase at most two horizons ago): the mean over the origins, the newest alone,
and the ratio of Brier scores to BG/NBD's P(purchase) fitted at the same origin. Nothing is tuned on these windows.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import tempfile
import time
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from winback_features.config import BrandConfig, EngineConfig, SourceConfig
from winback_features.engine import open_engine
from winback_features.ingest import ingest
from winback_models.config import ScoreConfig
from winback_serving.demo_data import write_cdnow, write_complete_journey
from winback_training.config import TrainingConfig
from winback_training.train import train

MODELS = ("winback", "bg_nbd", "mbg_nbd", "boosting", "logistic", "own_gap")


@dataclass(frozen=True)
class Task:
    """One data set at one horizon; ``end`` is the day after the last full day of data."""

    folder: str
    horizon_days: int
    end: date


TASKS = (
    Task("online_retail", 60, date(2011, 12, 9)),
    Task("online_retail", 90, date(2011, 12, 9)),
    Task("complete_journey", 28, date(2017, 12, 31)),
    Task("cdnow_full", 90, date(1998, 7, 1)),
    Task("cdnow_sample", 90, date(1998, 7, 1)),
    Task("ta_feng", 30, date(2001, 3, 1)),
)


def packaged(folder: Path) -> tuple[Task, ...]:
    """Write the sets that installed packages carry, under the names the tasks use."""
    write_complete_journey(folder / "complete_journey")
    write_cdnow(folder / "cdnow_full")
    return tuple(t for t in TASKS if t.folder in {"complete_journey", "cdnow_full"})


def run(task: Task, data: Path, config: TrainingConfig) -> dict[str, Any]:
    """Train and test one task; return its rows."""
    started = time.perf_counter()
    events = data / task.folder / "events.parquet"
    source = SourceConfig(orders="orders.parquet", events="events.parquet" if events.exists() else None)
    with open_engine(EngineConfig()) as backend:
        tables = ingest(
            backend, source, BrandConfig(), today=task.end + timedelta(days=1), base_dir=data / task.folder
        )
        score = ScoreConfig(horizon_days=task.horizon_days)
        result = train(tables, task.end, score, config)
    found = result.evaluation
    rows = {
        model: {
            metric: {o: found.value(model, metric, "active", o) for o in ("mean", "newest")}
            for metric in ("n", "prevalence", "auc", "brier", "log_loss", "ece", "bias")
        }
        for model in MODELS
    }
    return {
        "set": task.folder,
        "horizon_days": task.horizon_days,
        "origins": [o.isoformat() for o in found.origins],
        "status": result.model.info["status"],
        "seconds": round(time.perf_counter() - started, 1),
        "models": rows,
    }


def said(number: float, form: str) -> str:
    """Return the number, or that the model could not be fitted."""
    return "no fit" if math.isnan(number) else format(number, form)


def markdown(results: list[dict[str, Any]]) -> str:
    """Return the tables of ``benchmarks/README.md``."""
    out = [
        "| set, horizon | contacts | bought | " + " | ".join(MODELS) + " | ratio to BG/NBD | newest alone |"
    ]
    out.append("|---" * (len(MODELS) + 5) + "|")
    for r in results:
        models = r["models"]
        ours, base = models["winback"], models["bg_nbd"]
        cells = [said(models[m]["brier"]["mean"], ".4f") for m in MODELS]
        ratios = [ours["brier"][o] / base["brier"][o] for o in ("mean", "newest")]
        out.append(
            f"| {r['set']} {r['horizon_days']} d | {ours['n']['mean']:.0f} | {ours['prevalence']['mean']:.2f} | "
            + " | ".join(cells)
            + f" | **{ratios[0]:.3f}** | {ratios[1]:.3f} |"
        )
    out += ["", "| set, horizon | " + " | ".join(f"{m} AUC" for m in MODELS) + " | our ECE | our bias |"]
    out.append("|---" * (len(MODELS) + 3) + "|")
    for r in results:
        models = r["models"]
        cells = [said(models[m]["auc"]["mean"], ".3f") for m in MODELS]
        ours = models["winback"]
        out.append(
            f"| {r['set']} {r['horizon_days']} d | "
            + " | ".join(cells)
            + f" | {ours['ece']['mean']:.3f} | {ours['bias']['mean']:+.3f} |"
        )
    return "\n".join(out)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with one folder of orders.parquet for each set")
    parser.add_argument("--only", action="append", help="only this set; may be given again")
    parser.add_argument("--write", type=Path, help="also write the numbers as JSON")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        data = chosen.data or Path(temporary)
        tasks = (
            packaged(data) if chosen.data is None else tuple(t for t in TASKS if (data / t.folder).is_dir())
        )
        tasks = tuple(t for t in tasks if not chosen.only or t.folder in chosen.only)
        results = []
        for task in tasks:
            results.append(run(task, data, TrainingConfig()))
            print(f"{task.folder} {task.horizon_days} d: {results[-1]['seconds']} s", flush=True)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"\nBrier score on the active base ({machine}); lower is better.\n\n{markdown(results)}")
    if chosen.write:
        chosen.write.parent.mkdir(parents=True, exist_ok=True)
        chosen.write.write_text(
            json.dumps({"machine": machine, "results": results}, indent=2) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
