"""Does last year's season help where there is one, and do no harm where there is none? Made-up shops whose pace swings.

    python benchmarks/season.py
    python benchmarks/season.py --contacts 4000 --markdown benchmarks/results/season.md
    python benchmarks/season.py --contacts 3000 --horizon 180 --markdown benchmarks/results/season_long.md

Each shop is trained twice in the same run, with ``training.season`` as it is by default and without, and tested forward as in
``accuracy.py``: the newest window that has closed, and the mean of three. The shops end at different times of the year, so
that the windows lie in the rise before December, past the peak, and in the trough (those of 60 days; longer ones begin
earlier). A swing of .25 is that of ``winback simulate``: the base buys a quarter faster in mid-December and a quarter slower in
mid-June.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
from accuracy import best_ibs, run, show_table
from tasks import Task

from winback_models.simulate.shop import simulate
from winback_models.simulate.world import World
from winback_training.config import TrainingConfig

SWINGS = (0.0, 0.25, 0.5)
DAYS = {700: "rise", 790: "past the peak", 900: "trough"}
"""Length of the histories, from the first of January two or more years back, and where the newest windows lie."""

FIRST_DAY = date(2023, 1, 1)
HEAD = (
    *("swing", "windows", "contacts", "IBS without", "IBS with", "ratio", "ratio, mean of three"),
    *("best baseline", "bias without", "bias with"),
)


def shop(folder: Path, swing: float, days: int, contacts: int) -> Path:
    """Write the orders of a made-up shop."""
    folder.mkdir(parents=True)
    path = folder / "orders.parquet"
    world = World(contacts=contacts, days=days, seed=days, season=swing, first_day=FIRST_DAY)
    writer = None
    for block in simulate(world):
        writer = writer or pq.ParquetWriter(path, block.orders.schema)
        writer.write_table(block.orders)
    if writer:
        writer.close()
    return path


def row(orders: Path, swing: float, days: int, horizon: int) -> list[str]:
    """Train with and without the season; return a row of the table."""
    task = Task(orders.parent.name, orders, horizon)
    without, with_it = (run(task, TrainingConfig(season=season)) for season in ("none", "last_year"))
    newest = [found["newest"] for found in (without, with_it)]
    ibs, bias = ([found["models"]["winback"][name] for found in newest] for name in ("ibs", "bias"))
    mean = [found["mean"]["models"]["winback"]["ibs"] for found in (without, with_it)]
    return [
        f"{swing:g}",
        DAYS[days],
        f"{newest[0]['models']['winback']['n']:.0f}",
        f"{ibs[0]:.4f}",
        f"{ibs[1]:.4f}",
        f"**{ibs[1] / ibs[0]:.3f}**",
        f"{mean[1] / mean[0]:.3f}",
        f"{best_ibs(newest[0]):.4f}",
        f"{bias[0]:+.3f}",
        f"{bias[1]:+.3f}",
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--contacts", type=int, default=4000, help="contacts of each shop")
    parser.add_argument("--horizon", type=int, default=60, help="days ahead")
    parser.add_argument("--markdown", type=Path, help="also write the table")
    chosen = parser.parse_args(arguments)
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for swing in SWINGS:
            for days in DAYS:
                orders = shop(Path(temporary) / f"{swing:g}-{days}", swing, days, chosen.contacts)
                rows.append(row(orders, swing, days, chosen.horizon))
                print(*rows[-1], flush=True)
    said = f"Active base, {chosen.horizon} days ahead, {chosen.contacts:,} contacts"
    show_table(said, HEAD, rows, chosen.markdown)


if __name__ == "__main__":
    main()
