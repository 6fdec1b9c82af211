"""Time the daily job on a made-up shop, as whole processes with their peak memory, beside a script in pandas.

    python benchmarks/daily_job.py --work FOLDER --contacts 1000000 --days 730 --markdown benchmarks/results/daily_job.md
    python benchmarks/daily_job.py --work FOLDER --growth      # one million contacts, and four
    python benchmarks/daily_job.py --work FOLDER --memory 4GB 1500MB    # under each of these limits

A model is trained once on a smaller shop of the same kind. What is in the work folder already is used again.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from machine import machine

from winback_features.engine import open_engine
from winback_features.ingest import ingest
from winback_models.simulate.world import World
from winback_serving.run_features import write_features
from winback_serving.settings import load_settings

HERE = Path(__file__).resolve().parent
MODEL_CONTACTS = 30_000


@dataclass(frozen=True)
class Measured:
    """A finished process: wall and processor seconds, peak memory in MB, and what it printed."""

    wall: float
    processor: float
    peak: float
    printed: str


def run(*command: object, **environ: str) -> Measured:
    """Run a process to its end and measure it."""
    words = [str(word) for word in command]
    begun = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, **environ})
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(words)} failed with status {os.waitstatus_to_exitcode(status)}:\n{printed}")
    wall = time.perf_counter() - begun
    return Measured(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6, printed)


def winback(*args: object, home: Path) -> Measured:
    """Run a command of winback with its home folder."""
    return run(Path(sys.executable).with_name("winback"), *args, WINBACK_HOME=str(home))


def prepare(work: Path, contacts: int, days: int, *, seed: int, home: Path) -> Path:
    """Make up a shop unless it is there, and return its settings."""
    folder = work / f"shop-{contacts}-{days}"
    if not (folder / "winback.toml").exists():
        shutil.rmtree(folder, ignore_errors=True)
        made = winback(
            "simulate", "--contacts", contacts, "--days", days, "--seed", seed, "--out", folder, home=home
        )
        print(f"made up {contacts:,} contacts in {made.wall:.0f} s, peak {made.peak:,.0f} MB", flush=True)
    return folder / "winback.toml"


def train(work: Path, days: int, home: Path) -> None:
    """Train a model on a small shop and make it the champion, unless there is one."""
    config = prepare(work, MODEL_CONTACTS, days, seed=2, home=home)
    if (home / "mlflow.db").exists():
        return
    trained = winback("train", "-c", config, "--as-of", end(days), home=home)
    winback("models", "promote", "1", "-c", config, home=home)
    print(f"trained in {trained.wall:.0f} s", flush=True)


def end(days: int) -> date:
    """Return the day to score."""
    return World(contacts=1, days=days).end


def build_only(config: Path, as_of: date) -> None:
    """Read the inputs and write the features, as the daily job does, and nothing else."""
    settings = load_settings(config)
    out = config.parent / "features-only"
    out.mkdir(exist_ok=True)
    begun = time.perf_counter()
    with open_engine(settings.engine, out) as backend:
        tables = ingest(
            backend, settings.source, settings.brand, today=as_of, base_dir=settings.base_dir, hold=False
        )
        read = time.perf_counter()
        write_features(tables, as_of, out, settings.score.horizon_days)
    seconds = {"ingest": round(read - begun, 2), "features": round(time.perf_counter() - read, 2)}
    print(json.dumps({"seconds": seconds}))


def daily_job(config: Path, as_of: date, home: Path) -> tuple[Measured, dict[str, float], dict[str, int]]:
    """Score the first day there is, as a process of its own; return it, its steps and the rows it read."""
    shutil.rmtree(home / "runs", ignore_errors=True)
    done = winback("score", "-c", config, "--as-of", as_of, "--json", home=home)
    said = json.loads(done.printed)
    folder = Path(said["path"])
    steps = json.loads((folder / "timings.json").read_text(encoding="utf-8"))
    rows = {name: table["rows_in"] for name, table in said["run"]["inputs"].items()}
    return done, steps, rows


def limited(config: Path, memory: str) -> Path:
    """Write the settings once more, with another memory limit."""
    text = re.sub('memory_limit = "[^"]*"', f'memory_limit = "{memory}"', config.read_text(encoding="utf-8"))
    path = config.with_name(f"winback-{memory}.toml")
    path.write_text(text, encoding="utf-8")
    return path


def report(contacts: int, days: int, work: Path, home: Path, memory: str, *, reference: bool) -> list[str]:
    """Measure one size under one limit and return its table in Markdown."""
    config, as_of = limited(prepare(work, contacts, days, seed=1, home=home), memory), end(days)
    job, steps, rows = daily_job(config, as_of, home)
    said = ", ".join(f"{n:,} {name}" for name, n in rows.items())
    lines = [
        f"## {contacts:,} contacts over {days} days, memory_limit {memory}",
        "",
        f"{said}; scored for {as_of}.",
        "",
        "| step | wall s | processor s | peak MB |",
        "|---|---|---|---|",
        f"| **winback score**, whole process | {job.wall:.1f} | {job.processor:.1f} | {job.peak:,.0f} |",
        *(f"| – {name} | {seconds:.1f} | | |" for name, seconds in steps.items()),
    ]
    ours = run(sys.executable, __file__, "--features-of", config, "--as-of", as_of)
    inner = json.loads(ours.printed)["seconds"]
    lines.append(
        f"| winback, inputs and features only | {ours.wall:.1f} | {ours.processor:.1f} | {ours.peak:,.0f} |"
    )
    lines += [f"| – {name} | {seconds:.1f} | | |" for name, seconds in inner.items()]
    if reference:
        script = (sys.executable, HERE / "reference_job.py", config.parent, "--as-of", as_of)
        theirs = run(*script, "--features-only")
        lines.append(
            f"| reference, inputs and features only | {theirs.wall:.1f} | {theirs.processor:.1f} | {theirs.peak:,.0f} |"
        )
        whole = run(*script, "--out", work / "reference.parquet")
        lines.append(f"| reference, whole | {whole.wall:.1f} | {whole.processor:.1f} | {whole.peak:,.0f} |")
        inner = json.loads(whole.printed)["seconds"]
        lines += [f"| – {name} | {seconds:.1f} | | |" for name, seconds in inner.items()]
        faster, leaner = theirs.wall / ours.wall, ours.peak / theirs.peak
        lines += ["", f"Inputs and features: {faster:.1f} times as fast, with {leaner:.0%} of the memory."]
    print("\n".join(lines), flush=True)
    return [*lines, ""]


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, help="a folder for shops, models and runs")
    parser.add_argument("--contacts", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument(
        "--memory", nargs="+", default=["4GB"], help="limits to measure under, one after the other"
    )
    parser.add_argument("--growth", action="store_true", help="also four times as many contacts")
    parser.add_argument("--no-reference", action="store_true")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file")
    parser.add_argument("--features-of", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--as-of", type=date.fromisoformat, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.features_of:
        build_only(args.features_of, args.as_of)
        return
    if args.work is None:
        parser.error("--work is needed")
    work, home = args.work.resolve(), args.work.resolve() / "home"
    work.mkdir(parents=True, exist_ok=True)
    train(work, args.days, home)
    lines = [
        "# The daily job at scale",
        "",
        f"{machine()}.",
        "A row without a dash is a process of its own, the rows below it are its steps. Made by `benchmarks/daily_job.py`.",
        "",
    ]
    for memory in args.memory:
        lines += report(args.contacts, args.days, work, home, memory, reference=not args.no_reference)
        if args.growth:
            lines += report(4 * args.contacts, args.days, work, home, memory, reference=False)
    if args.markdown:
        args.markdown.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
