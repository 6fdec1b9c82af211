"""Do the retention figures equal an SQL computation that knows nothing of ours?

    python benchmarks/retention.py --data FOLDER                                     # FOLDER/<set>/orders.parquet
    python benchmarks/retention.py --data FOLDER --markdown benchmarks/results/retention.md

Ours run on the tables that ingest hands on. The SQL runs on them as well, so that duplicates and cancelled orders are the same on
both sides; from there on it shares no code: self-joins and plain counts in place of windows, and the product-limit estimate as a
sum of logarithms over a list of days. The command fails on the first figure that differs.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from winback_features.config import BrandConfig, EngineConfig, SourceConfig
from winback_features.engine import open_engine
from winback_features.ingest import ingest
from winback_features.retention import retention

SETS = {"online_retail": (date(2011, 12, 10), 60), "cdnow_full": (date(1998, 7, 1), 90)}
"""Set -> the day after its last, and the days after which a contact is dormant."""

BASE = """
CREATE TEMP TABLE bought AS
SELECT contact_id AS c, day AS d, sum(amount)::DOUBLE AS money FROM {orders}
WHERE day < $as_of AND (amount > 0 OR amount IS NULL) AND NOT coalesce(cancelled_on < $as_of, false)
GROUP BY ALL
"""
NEXT = """
CREATE TEMP TABLE follows AS
SELECT b.c, b.d, b.money, (SELECT count(*) FROM bought x WHERE x.c = b.c AND x.d <= b.d) AS k,
  (SELECT min(x.d) FROM bought x WHERE x.c = b.c AND x.d > b.d) AS after,
  (SELECT max(x.d) FROM bought x WHERE x.c = b.c AND x.d < b.d) AS before
FROM bought b
"""
COHORTS = """
SELECT strftime(f.first, '%Y-%m') AS cohort, strftime(b.d, '%Y-%m') AS month, count(DISTINCT b.c) AS active, sum(money) AS revenue
FROM bought b JOIN (SELECT c, min(d) AS first FROM bought GROUP BY c) f USING (c) GROUP BY ALL
"""
LIFECYCLE = """
WITH flows AS (
  SELECT strftime(d, '%Y-%m') AS month, count(DISTINCT c) FILTER (k = 1) AS new,
    count(DISTINCT c) FILTER (d - before > $h) AS resurrecting,
    count(DISTINCT c) FILTER (d - before <= $h AND NOT EXISTS (
      SELECT 1 FROM bought x
        WHERE x.c = follows.c AND x.d < follows.d AND strftime(x.d, '%Y-%m') = strftime(follows.d, '%Y-%m')
    )) AS returning
  FROM follows GROUP BY ALL),
fell AS (SELECT strftime(d + $h::INT, '%Y-%m') AS month, count(*) AS dormant FROM follows
  WHERE d + $h::INT < $as_of AND NOT coalesce(after <= d + $h::INT, false) GROUP BY ALL)
SELECT * FROM flows FULL JOIN fell USING (month)
"""
ACTIVE = "SELECT count(DISTINCT c) FROM bought WHERE d < $morning AND d >= $morning::DATE - $h::INT"
SURVIVAL = """
WITH w AS (SELECT coalesce(after - d, $as_of::DATE - d - 1) AS t, after IS NOT NULL AS came FROM follows WHERE k = $k OR $k = 0),
steps AS (SELECT t, count(*) AS n FROM w WHERE came AND t <= $by GROUP BY t)
SELECT 1 - exp(coalesce(sum(CASE WHEN n = (SELECT count(*) FROM w WHERE w.t >= steps.t) THEN -1e9
  ELSE ln(1 - n / (SELECT count(*) FROM w WHERE w.t >= steps.t)) END), 0)) FROM steps
"""
CLOSED = "SELECT after - d FROM follows WHERE after IS NOT NULL AND (k = $k OR $k = 0) ORDER BY 1"


class Check:
    """Counts what was compared, and stops at what differs."""

    def __init__(self) -> None:
        self.figures = 0

    def same(self, what: str, ours: Any, theirs: Any) -> None:
        """Compare one figure."""
        close = ours == theirs or (
            ours is not None
            and theirs is not None
            and math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1.1e-6)
        )
        if not close:
            raise SystemExit(f"{what}: ours {ours}, SQL {theirs}")
        self.figures += 1


def run(folder: Path, as_of: date, horizon: int) -> tuple[dict[str, Any], int, float]:
    """Compute both for one set; return ours, how many figures were equal, and our seconds."""
    with open_engine(EngineConfig()) as backend:
        source = SourceConfig(orders="orders.parquet")
        tables = ingest(backend, source, BrandConfig(), today=as_of, base_dir=folder)
        began = time.perf_counter()
        ours = retention(tables, as_of, horizon)
        took = time.perf_counter() - began
        con = backend.con
        name = backend.create_table("clean_orders", tables.orders, temp=True).get_name()
        con.execute(BASE.format(orders=name), {"as_of": as_of})
        con.execute(NEXT)
        return ours, compare(con, ours, as_of, horizon), took


def compare(con: Any, ours: dict[str, Any], as_of: date, horizon: int) -> int:
    """Hold every figure against SQL."""
    check = Check()
    cells = {(c, m): (n, money) for c, m, n, money in con.execute(COHORTS).fetchall()}
    for row in ours["cohorts"]:
        for k, month in enumerate(months(row["month"], len(row["active"]))):
            n, money = cells.pop((row["month"], month), (0, 0.0))
            check.same(f"cohort {row['month']}, {month}", row["active"][k], n)
            check.same(f"share {row['month']}, {month}", row["share"][k], n / row["contacts"])
            check.same(f"revenue {row['month']}, {month}", row["revenue"][k], round(money or 0.0, 2))
    check.same("cells of cohorts left over", 0, len(cells))
    dates = {"h": horizon, "as_of": as_of}
    names = ("month", "new", "resurrecting", "returning", "dormant")
    flows = {row[0]: dict(zip(names, row, strict=True)) for row in con.execute(LIFECYCLE, dates).fetchall()}
    for row in ours["lifecycle"]:
        for name in names[1:]:
            check.same(f"{name} {row['month']}", row[name], flows.get(row["month"], {}).get(name) or 0)
        year, month = map(int, row["month"].split("-"))
        morning = min(date(year + month // 12, month % 12 + 1, 1), as_of)
        (active,) = con.execute(ACTIVE, {"morning": morning, "h": horizon}).fetchone()
        check.same(f"active {row['month']}", row["active"], active)
    for row in ours["by_order_number"]:
        check_waits(con, check, row, row["order"], as_of)
    for line in ours["gaps"]["lines"]:
        closed = [gap for (gap,) in con.execute(CLOSED, {"k": 0}).fetchall()]
        check.same("closed line", line["closed_days"], closed[math.ceil(line["share"] * len(closed)) - 1])
        if line["days"] is not None:
            below, by = (survival(con, as_of, 0, line["days"] - back) for back in (1, 0))
            check.same("line with open gaps", below < line["share"] <= by + 1e-9, True)
    return check.figures


def check_waits(con: Any, check: Check, row: dict[str, Any], k: int, as_of: date) -> None:
    """Hold the way to the next order against SQL."""
    sql = "SELECT count(*), count(after) FROM follows WHERE k = $k"
    contacts, came = con.execute(sql, {"k": k}).fetchone()
    check.same(f"order {k}", row["contacts"], contacts)
    check.same(f"next of {k}", row["next"], came)
    check.same(f"naive rate of {k}", row["naive_rate"], came / contacts)
    closed = [gap for (gap,) in con.execute(CLOSED, {"k": k}).fetchall()]
    check.same(
        f"median of {k}", row["median_days"], closed[math.ceil(len(closed) / 2) - 1] if closed else None
    )
    for rate in row["rates"]:
        if rate["rate"] is not None:
            check.same(f"rate of {k} at {rate['days']}", rate["rate"], survival(con, as_of, k, rate["days"]))
    if row["km_median_days"] is not None:
        below, by = (survival(con, as_of, k, row["km_median_days"] - back) for back in (1, 0))
        check.same(f"km median of {k}", below < 0.5 <= by + 1e-9, True)


def survival(con: Any, as_of: date, k: int, by: int) -> float:
    """Return the product-limit share that has come by a day."""
    (share,) = con.execute(SURVIVAL, {"as_of": as_of, "k": k, "by": by}).fetchone()
    return float(share)


def months(first: str, n: int) -> Iterator[str]:
    """Yield ``n`` months from the first."""
    day = date.fromisoformat(f"{first}-15")
    for _ in range(n):
        yield f"{day:%Y-%m}"
        day = (day.replace(day=1) + timedelta(days=45)).replace(day=15)


def main() -> None:
    """Compare every set that is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="holds <set>/orders.parquet")
    parser.add_argument("--markdown", type=Path, help="write the table here")
    args = parser.parse_args()
    lines = [
        "# Retention against SQL",
        "",
        "`python benchmarks/retention.py --data FOLDER --markdown benchmarks/results/retention.md`: the figures of",
        "`retention.json` beside an SQL computation that shares no code with it. The command fails on a difference.",
        "",
        "| set | as of | H | buyers | figures equal | second order within 90 d | naive | median days | gaps 50/75/90 % |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, (as_of, horizon) in SETS.items():
        ours, figures, took = run(args.data / name, as_of, horizon)
        second = ours["second_order"]
        rate = next(r for r in second["rates"] if r["days"] == 90)
        median = second["km_median_days"] or "–"
        gaps = " / ".join(str(line["days"] or "–") for line in ours["gaps"]["lines"])
        lines.append(
            f"| {name} | {as_of} | {horizon} | {ours['contacts']:,} | {figures:,} of {figures:,} | {rate['rate']:.1%} "
            f"({rate['low']:.1%} to {rate['high']:.1%}) | {second['naive_rate']:.1%} | {median} | {gaps} |"
        )
        print(f"{name}: {figures:,} figures equal, ours in {took:.2f} s")
    if args.markdown:
        args.markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
