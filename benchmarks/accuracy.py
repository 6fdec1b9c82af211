"""Is the score better than every alternative? Forward tests on real purchases, ours beside all baselines in one run.

    python benchmarks/accuracy.py                               # CDNOW and the Complete Journey, from installed packages
    python benchmarks/accuracy.py --data FOLDER                 # every FOLDER/<set>/orders.parquet
    python benchmarks/accuracy.py --orders FILE --horizon 60    # any other orders, CSV or Parquet, in the data contract's columns
    python benchmarks/accuracy.py --config winback.toml         # those of a shop, read as its settings say: other columns, zones
    python benchmarks/accuracy.py --data FOLDER --write benchmarks/results/accuracy.json --markdown accuracy.md

A file events.parquet beside the orders is read as well. A set that cannot be measured is named with the reason, the others are
measured all the same, and the exit code is 1.

The newest cut is the last day of the data + 1 - horizon, so that its window has just closed; two older cuts lie thirds of a
horizon before it, where the history reaches so far. At each the whole training is repeated with what was known then. Reported
for the active base (last purchase at most two horizons ago): the newest cut alone, and the mean of the three. IBS is the Brier
score of the whole curve, at 12 equal steps of the horizon, each to the end of its last day. An interval is a 95 % paired
bootstrap over contacts. Nothing is tuned on these windows; "in hindsight" is what the best mixture of all voices would have
reached, had it known the outcomes (see ``hindsight.py``).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from hindsight import hindsight_ibs
from machine import machine
from tasks import Task, span, tasks_of

from winback_features.config import EngineConfig
from winback_features.engine import open_engine
from winback_features.errors import InputError, WinbackError
from winback_features.ingest import ingest
from winback_models.config import ScoreConfig
from winback_serving.horizon import learn_horizon
from winback_training.config import TrainingConfig
from winback_training.evaluate import OURS, Evaluation
from winback_training.label_times import origins
from winback_training.train import train

TESTS = TrainingConfig().origins
REPORTED = ("n", "prevalence", "ibs", "brier", "auc", "ece", "bias", "coverage_80", "concordance", "log_loss")
LOSSES = ("ibs", "brier")
BTYD = "bg_nbd"
MAX_RATIO, MAX_ECE, COVERAGE = 1.005, 0.03, (0.76, 0.84)
MEANS = {("ibs", "best"): 0.985, ("ibs", BTYD): 0.955}
"""Geometric means over the tasks that are aimed at: our loss over the best baseline's of each task, and over BG/NBD's."""


def run(task: Task, config: TrainingConfig) -> dict[str, Any]:
    """Train and test one task; return its numbers."""
    started = time.perf_counter()
    source, brand, folder = task.source()
    with open_engine(EngineConfig()) as backend:
        tables = ingest(backend, source, brand, today=datetime.now(UTC).date(), base_dir=folder)
        first, last = span(tables)
        end = last + timedelta(days=1)
        horizon = task.horizon_days or learn_horizon(tables, end).days
        as_of = training_day(first, end, horizon)
        result = train(tables, as_of, ScoreConfig(horizon_days=horizon), config)
    return {
        "set": task.name,
        "horizon_days": horizon,
        "origins": [o.isoformat() for o in result.evaluation.origins],
        "status": result.evaluation.statuses[0] if result.evaluation.statuses else "",
        "seconds": round(time.perf_counter() - started, 1),
        **{which: numbers(result.evaluation, which) for which in ("newest", "mean")},
    }


def training_day(first: date, end: date, horizon_days: int) -> date:
    """Return the day to train for, so that the newest forward test's window ends with the data."""
    days = origins(end, first, horizon_days, 1)
    if not days:
        longest = next((h for h in range(horizon_days, 0, -1) if origins(end, first, h, 1)), 0)
        raise InputError(
            f"{(end - first).days} days of orders are too few to test {horizon_days} days ahead.",
            how=f"At most {longest} days can be tested." if longest else "Bring a longer history.",
        )
    return end + (end - timedelta(days=horizon_days) - days[0])


def numbers(found: Evaluation, which: str) -> dict[str, Any]:
    """Return the metrics of every model, and ours against the best baseline: of the newest test, or over all."""
    if not math.isfinite(found.value(OURS, "ibs", "active", which)):
        silent = 2 * found.horizon_days
        raise InputError(
            f"Nobody bought in the {silent} days before the newest cut: there is no active base to judge."
        )
    names = dict.fromkeys(found.metrics.query("population == 'active'")["model"])
    models = {
        str(model): {metric: found.value(str(model), metric, "active", which) for metric in REPORTED}
        for model in names
    }
    tests = [t for t in (found.tests if which == "mean" else found.tests[:1]) if t.has("active")]
    return {
        "models": models,
        "against": {loss: against(found, models, which, loss) for loss in LOSSES},
        "hindsight_ibs": float(np.mean([hindsight_ibs(test) for test in tests])),
    }


def against(found: Evaluation, models: Mapping[str, Mapping[str, float]], which: str, loss: str) -> Any:
    """Return the best baseline of one loss, our ratio to it and to BG/NBD, and our difference with its interval.

    In the mean only baselines count that were heard in every test: means over other tests than ours are not comparable.
    """
    tests = found.metrics.query("population == 'active'")["model"].value_counts()
    losses = {
        m: v[loss]
        for m, v in models.items()
        if m != OURS and math.isfinite(v[loss]) and (which == "newest" or tests[m] == tests[OURS])
    }
    best = min(losses, key=losses.__getitem__)
    rows = found.differences
    origin = "all" if which == "mean" else found.origins[0]
    row = rows[(rows["origin"] == origin) & (rows["baseline"] == best) & (rows["metric"] == loss)].iloc[0]
    ours = models[OURS][loss]
    return {
        "best": best,
        "ratio": over(ours, losses[best]),
        "ratio_bg_nbd": over(ours, losses.get(BTYD, math.nan)),
        **{name: float(row[name]) for name in ("difference", "low", "high")},
    }


def over(ours: float, theirs: float) -> float:
    """Return the ratio of two losses; nan where the other is nothing, or not known."""
    return ours / theirs if theirs > 0.0 else math.nan


def best_ibs(part: Mapping[str, Any]) -> float:
    """Return the IBS of the best baseline."""
    return float(part["models"][part["against"]["ibs"]["best"]]["ibs"])


def targets(part: Mapping[str, Any]) -> dict[str, bool]:
    """Return which targets one task meets."""
    ours = part["models"][OURS]
    return {
        **{loss: part["against"][loss]["ratio"] <= MAX_RATIO for loss in LOSSES},
        "ece": ours["ece"] <= MAX_ECE,
        "coverage": COVERAGE[0] <= ours["coverage_80"] <= COVERAGE[1],
    }


def geometric_means(results: Sequence[Mapping[str, Any]], which: str) -> dict[str, dict[str, float]]:
    """Return, for each loss, the geometric mean over the tasks of our ratio to the best baseline and to BG/NBD."""

    def mean(ratios: Sequence[float]) -> float:
        known = [math.log(ratio) for ratio in ratios if ratio > 0.0]
        return math.exp(sum(known) / len(known)) if known else math.nan

    def against(loss: str, key: str) -> float:
        return mean([r[which]["against"][loss][key] for r in results])

    means = {loss: {"best": against(loss, "ratio"), BTYD: against(loss, "ratio_bg_nbd")} for loss in LOSSES}
    hindsight = [over(r[which]["hindsight_ibs"], best_ibs(r[which])) for r in results]
    return {**means, "hindsight": {"best": mean(hindsight)}}


def said(number: float, form: str) -> str:
    """Return the number, or a dash where there is none."""
    return "–" if math.isnan(number) else format(number, form)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines] + [""]


def summary(results: Sequence[Mapping[str, Any]], which: str) -> list[str]:
    """Return the table of one row for each task, and what it comes to."""
    rows = []
    for r in results:
        part, ours = r[which], r[which]["models"][OURS]
        cells = [f"{r['set']} {r['horizon_days']} d", f"{ours['n']:.0f}", f"{ours['prevalence']:.2f}"]
        for loss in LOSSES:
            a = part["against"][loss]
            cells += [
                f"{ours[loss]:.4f}",
                f"{part['models'][a['best']][loss]:.4f} {a['best']}",
                f"**{said(a['ratio'], '.3f')}**",
                f"{a['difference']:+.4f} ({a['low']:+.4f} to {a['high']:+.4f})",
                said(a["ratio_bg_nbd"], ".3f"),
            ]
        missed = [name for name, met in targets(part).items() if not met]
        cells += [f"{ours['ece']:.3f}", f"{ours['bias']:+.3f}", said(ours["coverage_80"], ".3f")]
        cells.append(said(over(part["hindsight_ibs"], best_ibs(part)), ".3f"))
        rows.append([*cells, f"missed: {', '.join(missed)}" if missed else "all met"])
    columns = [f"{x.upper() if x == 'ibs' else 'Brier'}{y}" for x in LOSSES for y in ("", *_COMPARED)]
    judged = ("ECE", "bias", "coverage of 80 %", "IBS ratio in hindsight", "targets")
    head = ["set, horizon", "contacts", "bought", *columns, *judged]
    means = geometric_means(results, which)
    words = []
    for (loss, whose), aim in MEANS.items():
        ratio, name = means[loss][whose], "the best baseline" if whose == "best" else "BG/NBD"
        verdict = "not known" if math.isnan(ratio) else "met" if ratio <= aim else "missed"
        words.append(f"{loss.upper()} to {name} {said(ratio, '.4f')} (aim {aim}: {verdict})")
    words += [f"Brier to the best baseline {said(means['brier']['best'], '.4f')}"]
    words += [f"Brier to BG/NBD {said(means['brier'][BTYD], '.4f')}"]
    words += [f"IBS in hindsight to the best baseline {said(means['hindsight']['best'], '.4f')}"]
    return [*table(head, rows), f"Geometric means over the tasks ({len(results)}): {'; '.join(words)}.", ""]


_COMPARED = (", best baseline", ", ratio", ", difference (95 %)", ", ratio to BG/NBD")


def details(result: Mapping[str, Any]) -> list[str]:
    """Return the table of every model on one task: the newest cut, and after a slash the mean."""
    metrics = {"ibs": ".4f", "brier": ".4f", "auc": ".3f", "ece": ".3f", "bias": "+.3f", "coverage_80": ".3f"}
    newest, mean = result["newest"]["models"], result["mean"]["models"]
    rows = [
        [
            model,
            *(
                f"{said(newest.get(model, {}).get(m, math.nan), f)} / {said(mean[model][m], f)}"
                for m, f in metrics.items()
            ),
        ]
        for model in mean
    ]
    cuts = ", ".join(result["origins"])
    title = f"### {result['set']}, {result['horizon_days']} days"
    note = f"Cuts {cuts}; newest / mean. {result['seconds']} s. {result['status']}."
    if len(result["origins"]) < TESTS:
        note += f" **Only {len(result['origins'])} of {TESTS} cuts**: the history does not reach back far enough for more."
    return [title, "", note, "", *table(["model", "IBS", "Brier", "AUC", "ECE", "bias", "coverage"], rows)]


def markdown(results: Sequence[Mapping[str, Any]], ran_on: str, refused: Sequence[str] = ()) -> str:
    """Return the tables of ``benchmarks/README.md``, and what could not be measured."""
    lines = [
        f"Active base; {ran_on}. Targets: IBS and Brier at most {MAX_RATIO} times the best baseline's, "
        f"ECE at most {MAX_ECE}, coverage of the 80 % interval {COVERAGE[0]} to {COVERAGE[1]}.",
        "",
        *(f"Not measured: {reason}\n" for reason in refused),
        "## The newest cut alone",
        "",
        *summary(results, "newest"),
        "## Mean of the cuts",
        "",
        *summary(results, "mean"),
        "## Every model",
        "",
    ]
    return "\n".join(lines + [line for r in results for line in details(r)]).rstrip() + "\n"


def without_nan(content: Any) -> Any:
    """Return the same with null for what is not a finite number: JSON knows no NaN."""
    if isinstance(content, dict):
        return {key: without_nan(value) for key, value in content.items()}
    if isinstance(content, list):
        return [without_nan(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def show_table(said: str, head: Sequence[str], rows: Sequence[Sequence[str]], file: Path | None) -> None:
    """Print what a table is of, the machine and the table, and write them where a file is named."""
    text = "\n".join([f"{said}; {machine()}.", "", *table(head, rows)]).rstrip() + "\n"
    print(f"\n{text}")
    if file:
        write(file, text)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with one folder of orders.parquet for each set")
    parser.add_argument("--orders", type=Path, help="one orders file instead, CSV or Parquet")
    parser.add_argument("--config", type=Path, help="a shop's winback.toml instead: its [source] and [brand]")
    parser.add_argument(
        "--horizon",
        type=int,
        help="days ahead; else those of the known sets or of the settings, or learned from the gaps",
    )
    parser.add_argument("--only", action="append", help="only this set; may be given again")
    parser.add_argument("--write", type=Path, help="also write the numbers as JSON")
    parser.add_argument("--markdown", type=Path, help="also write the tables")
    chosen = parser.parse_args(arguments)
    if chosen.horizon is not None and chosen.horizon < 1:
        parser.error("--horizon is a number of days, at least 1")
    results, refused = [], []
    with tempfile.TemporaryDirectory() as temporary:
        try:
            tasks = [t for t in tasks_of(chosen, Path(temporary)) if not chosen.only or t.name in chosen.only]
        except WinbackError as error:
            parser.error(str(error))
        if not tasks:
            parser.error("there is no such set of orders")
        for task in tasks:
            try:
                results.append(run(task, TrainingConfig()))
            except WinbackError as error:
                refused.append(f"{task.name}: {error}")
                print(refused[-1], file=sys.stderr, flush=True)
            else:
                print(f"{task.name} {results[-1]['horizon_days']} d: {results[-1]['seconds']} s", flush=True)
    if results:
        report(results, refused, chosen)
    if refused:
        raise SystemExit(1)


def report(results: Sequence[Mapping[str, Any]], refused: Sequence[str], chosen: argparse.Namespace) -> None:
    """Print the tables, and write what is to be written."""
    text = markdown(results, machine(), refused)
    print(f"\n{text}")
    if chosen.markdown:
        write(chosen.markdown, text)
    if chosen.write:
        content = {
            "machine": machine(),
            "geometric_means": {which: geometric_means(results, which) for which in ("newest", "mean")},
            "results": [{**r, "targets": targets(r["newest"])} for r in results],
        }
        write(chosen.write, json.dumps(without_nan(content), indent=2) + "\n")


if __name__ == "__main__":
    main()
