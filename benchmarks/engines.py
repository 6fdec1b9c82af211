"""Do the engines agree? One day of every set, computed by DuckDB and by Spark on this machine, compared cell by cell.

    python benchmarks/engines.py --data FOLDER                       # every set in FOLDER/<set>/orders.parquet
    python benchmarks/engines.py --data FOLDER --only cdnow_sample --markdown benchmarks/results/engines.md

It needs the extra spark, and Java. The model has fixed parameters: what is compared are engines, not predictions. The seconds say
what the small sets cost on one machine, which is where Spark has nothing to win.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

sys.path.append(str(Path(__file__).parents[1] / "tests" / "training"))

from tracked import small_model

from winback_serving.batch import score_day
from winback_serving.settings import load_settings
from winback_serving.store import PublishedRun

ENGINES = {
    "duckdb": "",
    "spark": 'name = "spark"\nspark_master = "local[2]"\nspark_conf = {"spark.sql.shuffle.partitions" = "4"}\n',
}
TOLERANCE = 1e-9


def newest_day(orders: Path) -> date:
    """Return the day after the last order."""
    last: Any = pc.max(pq.read_table(orders, columns=["ordered_at"])["ordered_at"]).as_py()
    return date.fromisoformat(str(last)[:10]) + timedelta(days=1)


def run(data: Path, engine: str, home: Path) -> tuple[PublishedRun, float]:
    """Compute the newest day of a set; return its run and the seconds it took."""
    events = f'events = "{data / "events.parquet"}"\n' if (data / "events.parquet").exists() else ""
    config = home / f"{engine}.toml"
    config.write_text(
        f'[home]\npath = "{engine}"\n[source]\norders = "{data / "orders.parquet"}"\n{events}'
        f"max_bad_share = 0.5\n[brand]\nhorizon_days = 60\n[engine]\n{ENGINES[engine]}",
        encoding="utf-8",
    )
    began = time.perf_counter()
    done = score_day(load_settings(config, {}), newest_day(data / "orders.parquet"), small_model(60), "fixed")
    return done, time.perf_counter() - began


def compare(one: pa.Table, other: pa.Table) -> tuple[float, int]:
    """Return the largest difference of numbers, relative above 1, and how many other cells differ."""
    if one.schema != other.schema or one.num_rows != other.num_rows:
        return math.inf, max(one.num_rows, other.num_rows)
    largest, unequal = 0.0, 0
    for a, b in zip(one.columns, other.columns, strict=True):
        if pa.types.is_floating(a.type):
            gap = pc.divide(pc.abs(pc.subtract(a, b)), pc.max_element_wise(pc.abs(a), 1.0))
            largest = max(largest, pc.max(gap).as_py() or 0.0)
            unequal += pc.sum(pc.xor(pc.is_null(a), pc.is_null(b))).as_py() or 0
        else:
            same = pc.or_kleene(pc.equal(a, b).fill_null(False), pc.and_(pc.is_null(a), pc.is_null(b)))
            unequal += len(a) - (pc.sum(same).as_py() or 0)
    return largest, unequal


def lines_of(name: str, data: Path) -> list[str]:
    """Compute a set on both engines; return the rows of the table."""
    with tempfile.TemporaryDirectory(prefix="winback-engines-") as folder:
        (ours, quick), (theirs, slow) = (run(data, engine, Path(folder)) for engine in ENGINES)
        found = []
        for file in sorted(ours.folder.glob("*.parquet")):
            one, other = pq.read_table(file), pq.read_table(theirs.file(file.stem))
            largest, unequal = compare(one, other)
            same = file.read_bytes() == theirs.file(file.stem).read_bytes()
            verdict = (
                "same bytes" if same else "agrees" if largest <= TOLERANCE and not unequal else "DIFFERS"
            )
            found.append(
                f"| {name} | {file.stem} | {one.num_rows:,} | {largest:.1e} | {unequal} | {verdict} |"
            )
        inputs = [json.dumps(r.info()["inputs"], sort_keys=True) for r in (ours, theirs)]
        reports = "same" if inputs[0] == inputs[1] and ours.run_id == theirs.run_id else "DIFFERS"
        found.append(f"| {name} | report of the inputs, run id | | | | {reports} |")
        found.append(f"| {name} | seconds | | {quick:.0f} DuckDB | {slow:.0f} Spark | |")
        return found


def main() -> int:
    """Compare, print, and fail where the engines differ."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="*", help="names of sets")
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    sets = sorted(path.parent for path in given.data.absolute().glob("*/orders.parquet"))
    text = [
        "# DuckDB and Spark",
        "",
        "One day of each set on both engines, by `benchmarks/engines.py`: the largest difference of numbers (relative "
        f"above 1), and the other cells that differ. Python {platform.python_version()}, `local[2]`.",
        "",
        "| set | table | rows | largest difference | other cells | |",
        "|---|---|---|---|---|---|",
    ]
    for data in sets:
        if not given.only or data.name in given.only:
            for line in lines_of(data.name, data):
                print(line, flush=True)
                text.append(line)
    if given.markdown:
        given.markdown.write_text("\n".join(text) + "\n", encoding="utf-8")
    return int(any("DIFFERS" in line for line in text))


if __name__ == "__main__":
    sys.exit(main())
