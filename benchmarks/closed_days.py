"""What it brings to tell the models of closed days: real purchases with three weeks taken out, told and not told.

    python benchmarks/closed_days.py                       # CDNOW and the Complete Journey, from installed packages
    python benchmarks/closed_days.py --data FOLDER --markdown benchmarks/results/closed_days.md

Of every set three weeks of orders are left out, those that end a third of a horizon before the newest cut of ``accuracy.py``. Who
bought then is taken to have bought nothing, not later. Each set is trained and tested twice in the same run, with those days in
``brand.closed`` and without.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import duckdb
from accuracy import best_ibs, run, show_table
from tasks import Task, in_folder, packaged

from winback_serving.settings import load_settings
from winback_training.config import TrainingConfig

WEEKS = timedelta(weeks=3)
HEAD = (
    *("set, horizon", "closed", "contacts", "IBS not told", "IBS told", "ratio", "ratio, mean of the cuts"),
    *("told, to the best baseline", "bias not told", "bias told"),
)


def with_closure(task: Task, horizon: int, folder: Path) -> tuple[Path, date, date]:
    """Write the orders without those of three weeks; return the file, the first closed day and the day after the last."""
    folder.mkdir(parents=True)
    orders = duckdb.read_parquet(str(task.orders))
    row = orders.aggregate("max(ordered_at)::DATE").fetchone()
    assert row is not None
    end = row[0] - timedelta(days=horizon - 1) - timedelta(days=horizon // 3)
    first, path = end - WEEKS, folder / "orders.parquet"
    orders.filter(f"NOT ordered_at::DATE BETWEEN '{first}' AND '{end - timedelta(days=1)}'").write_parquet(
        str(path)
    )
    return path, first, end


def told(path: Path, task: Task, closed: str) -> Task:
    """Return the task of a shop that names these days as closed."""
    config = path.parent / "winback.toml"
    config.write_text(
        f'[source]\norders = "orders.parquet"\n[brand]\ntimezone = "{task.timezone}"\nclosed = {closed}\n'
    )
    return Task(task.name, path, task.horizon_days, settings=load_settings(config, {}))


def row(task: Task, horizon: int, folder: Path) -> list[str]:
    """Train without and with the closed days told; return a row of the table."""
    path, first, end = with_closure(task, horizon, folder)
    found = [run(told(path, task, c), TrainingConfig()) for c in ("[]", f'[["{first}", "{end}"]]')]
    newest = [f["newest"] for f in found]
    ibs, bias = ([part["models"]["winback"][name] for part in newest] for name in ("ibs", "bias"))
    mean = [f["mean"]["models"]["winback"]["ibs"] for f in found]
    return [
        f"{task.name} {horizon} d",
        f"{first} to {end - timedelta(days=1)}",
        f"{newest[0]['models']['winback']['n']:.0f}",
        f"{ibs[0]:.4f}",
        f"{ibs[1]:.4f}",
        f"**{ibs[1] / ibs[0]:.3f}**",
        f"{mean[1] / mean[0]:.3f}",
        f"{ibs[1] / best_ibs(newest[1]):.3f}",
        f"{bias[0]:+.3f}",
        f"{bias[1]:+.3f}",
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, help="folder with <set>/orders.parquet in place of the packages' sets"
    )
    parser.add_argument("--only", nargs="*", help="names of sets")
    parser.add_argument("--markdown", type=Path, help="also write the table")
    chosen = parser.parse_args(arguments)
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        tasks = in_folder(chosen.data) if chosen.data else packaged(Path(temporary) / "sets")
        for task in tasks:
            if task.horizon_days and (not chosen.only or task.name in chosen.only):
                folder = Path(temporary) / f"{task.name}-{task.horizon_days}"
                rows.append(row(task, task.horizon_days, folder))
                print(*rows[-1], flush=True)
    show_table("Active base, orders alone", HEAD, rows, chosen.markdown)


if __name__ == "__main__":
    main()
