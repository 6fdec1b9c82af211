"""The retention figures of a run as plain tables, for a terminal and for files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from winback_features.waits import RATE_DAYS
from winback_serving.exports.cells import csv_line, safe_cell
from winback_serving.store import write_atomically

STEP = ("contacts", "next", "naive_rate", "median_days", "km_median_days")
CURVE = ("days", "rate", "low", "high", "at_risk")


@dataclass(frozen=True, slots=True)
class FlatTable:
    """One table: the name of its file, its columns and its rows."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def as_csv(self) -> str:
        r"""Return the table as CSV, safe to open in a spreadsheet.

        >>> FlatTable("sources", ("source", "rate"), (("=ads", 0.25), (None, 0.5))).as_csv()
        "source,rate\r\n'=ads,0.25\r\n,0.5\r\n"
        """
        lines = [
            csv_line([safe_cell(v, c) for c, v in zip(self.columns, row, strict=True)]) for row in self.rows
        ]
        return b"".join([csv_line(list(self.columns)), *lines]).decode("utf-8")


def flat_tables(figures: Mapping[str, Any]) -> tuple[FlatTable, ...]:
    """Lay the figures of ``retention.json`` out as tables.

    Parameters
    ----------
    figures : mapping
        From `winback_serving.run_retention.read_retention`.

    Returns
    -------
    tuple of FlatTable
        ``second_order``, ``second_order_curve``, ``by_order_number``, ``gaps``, ``gap_lines``, ``cohorts`` (a row for each
        cohort and month since), ``lifecycle``, ``sources`` and ``sources_curve``. Rates are shares of 1.
    """
    second, gaps, sources = figures["second_order"], figures["gaps"], figures["sources"]
    rates = tuple(f"rate_{days}d" for days in RATE_DAYS)
    months = ("month", "new", "returning", "resurrecting", "dormant", "active", "complete")
    return (
        _table("second_order", CURVE, second["rates"]),
        _table("second_order_curve", CURVE, second["curve"]),
        FlatTable(
            "by_order_number",
            ("order", *STEP, *rates),
            tuple((row["order"], *_step(row)) for row in figures["by_order_number"]),
        ),
        _table("gaps", ("from", "to", "gaps", "share"), gaps["bins"]),
        _table("gap_lines", ("share", "days", "closed_days"), gaps["lines"]),
        FlatTable(
            "cohorts",
            ("month", "contacts", "months_since", "active", "share", "revenue", "complete"),
            tuple(_cohorts(figures["cohorts"])),
        ),
        _table("lifecycle", months, figures["lifecycle"]),
        FlatTable(
            "sources",
            ("kind", "source", *STEP, *rates),
            tuple((row["kind"], row["source"], *_step(row)) for row in sources),
        ),
        FlatTable(
            "sources_curve",
            ("kind", "source", *CURVE),
            tuple(
                (row["kind"], row["source"], *(point[name] for name in CURVE))
                for row in sources
                for point in row["curve"]
            ),
        ),
    )


def write_tables(tables: Sequence[FlatTable], folder: Path) -> tuple[Path, ...]:
    """Write each table as a CSV file into a folder, which is made if need be, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = tuple(folder / f"{table.name}.csv" for table in tables)
    for file, table in zip(files, tables, strict=True):
        write_atomically(file, table.as_csv())
    return files


def _table(name: str, columns: tuple[str, ...], rows: Sequence[Mapping[str, Any]]) -> FlatTable:
    return FlatTable(name, columns, tuple(tuple(row[column] for column in columns) for row in rows))


def _step(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the way to the next order in one line: counts, medians and the rate after so many days."""
    rates = {point["days"]: point["rate"] for point in row["rates"]}
    return (*(row[name] for name in STEP), *(rates.get(days) for days in RATE_DAYS))


def _cohorts(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        for since, cell in enumerate(zip(row["active"], row["share"], row["revenue"], strict=True)):
            yield row["month"], row["contacts"], since, *cell, since < row["complete_months"]
