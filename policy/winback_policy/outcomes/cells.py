"""From a row per contact to sums per cell: the only place where outcomes of single contacts are looked at.

The sums are exact (decimals), so their order changes nothing, and what leaves this module names nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import ibis

from winback_policy.outcomes.moments import Sums

Kind = Literal["share", "money", "about"]

EXACT = "decimal(30, 6)"
SQUARED = "decimal(38, 12)"
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Metric:
    """Something measured of every contact.

    Attributes
    ----------
    name : str
    kind : {"share", "money", "about"}
        A yes or no, an amount, or a number that describes an arm and is compared with nothing.
    before : str, optional
        Column known before the treatment that tells of the outcome (CUPED); none when absent.
    """

    name: str
    kind: Kind = "share"
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """Sums over the contacts of one arm in one part of the base.

    Attributes
    ----------
    arm : str
    cohort : str
        Day of entry, ISO 8601; empty where there is one cohort.
    scope : str
        Name of the experiment; empty for the treated against the holdout.
    by, level : str
        Column and value that mark the part; both empty for the whole.
    metrics : mapping of str to Sums
    counts : mapping of str to number
        Plain sums: messages, costs.
    """

    arm: str
    cohort: str = ""
    scope: str = ""
    by: str = ""
    level: str = ""
    metrics: Mapping[str, Sums] = field(default_factory=dict)
    counts: Mapping[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the cell as a JSON-ready object."""
        named = {name: getattr(self, name) for name in ("arm", "cohort", "scope", "by", "level")}
        metrics = {name: sums.as_dict() for name, sums in sorted(self.metrics.items())}
        return {**named, "metrics": metrics, "counts": dict(sorted(self.counts.items()))}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Cell:
        """Read what ``as_dict`` wrote."""
        metrics = {name: Sums.from_dict(sums) for name, sums in fields["metrics"].items()}
        return cls(**{**fields, "metrics": metrics})


def measure(
    rows: Any,
    metrics: Sequence[Metric],
    *,
    by: Sequence[str] = (),
    counts: Sequence[str] = (),
) -> list[Cell]:
    """Sum outcomes up by arm, for the whole and for every level of every column in ``by``.

    Parameters
    ----------
    rows : ibis.Table
        One row per contact: ``arm``; a numeric column for each metric, null where it was not measured; the columns of ``by``
        and ``counts``. ``cohort`` and ``scope`` (text) where they differ between rows.
    metrics : sequence of Metric
    by : sequence of str
    counts : sequence of str

    Returns
    -------
    list of Cell
        In the order of scope, cohort, by, level and arm.

    Examples
    --------
    >>> import pyarrow as pa
    >>> rows = ibis.duckdb.connect().create_table("t", pa.table({"arm": ["a", "a", "b"], "bought": [1, 0, 1]}))
    >>> [(cell.arm, cell.metrics["bought"].n) for cell in measure(rows, [Metric("bought")])]
    [('a', 2), ('b', 1)]
    """
    keys = [name for name in ("scope", "cohort", "arm") if name in rows.columns]
    sums: dict[str, Any] = {}
    for number, metric in enumerate(metrics):
        y = rows[metric.name].cast(EXACT)
        sums |= {f"n_{number}": y.count(), f"y_{number}": y.sum(), f"yy_{number}": _product(y, y)}
        if metric.before:
            x = ibis.ifelse(y.isnull(), None, rows[metric.before].cast(EXACT).fill_null(0))
            sums |= {f"x_{number}": x.sum(), f"xx_{number}": _product(x, x), f"xy_{number}": _product(x, y)}
    sums |= {f"count_{name}": rows[name].cast(EXACT).sum() for name in counts}
    parts = []
    for name in ("", *by):
        level = rows[name].cast("string").fill_null(UNKNOWN) if name else ibis.literal("")
        grouped = rows.mutate(by=ibis.literal(name), level=level).group_by(*keys, "by", "level")
        parts.append(grouped.aggregate(**sums))
    found = ibis.union(*parts) if len(parts) > 1 else parts[0]
    answers = found.order_by([*keys[:-1], "by", "level", "arm"]).to_pyarrow().to_pylist()
    return [_cell(row, metrics, counts) for row in answers]


def _product(a: Any, b: Any) -> Any:
    return (a * b).cast(SQUARED).sum()


def _cell(row: Mapping[str, Any], metrics: Sequence[Metric], counts: Sequence[str]) -> Cell:
    def of(number: int) -> Sums:
        parts = (float(row.get(f"{name}_{number}") or 0) for name in ("y", "yy", "x", "xx", "xy"))
        return Sums(int(row[f"n_{number}"]), *parts)

    return Cell(
        arm=str(row["arm"]),
        cohort=str(row.get("cohort") or ""),
        scope=str(row.get("scope") or ""),
        by=row["by"],
        level=row["level"],
        metrics={metric.name: of(number) for number, metric in enumerate(metrics)},
        counts={name: float(row[f"count_{name}"] or 0) for name in counts},
    )


def total(cells: Iterable[Cell], metric: str) -> dict[str, Sums]:
    """Return the sums of one metric by arm, over the cells given; arms in alphabetical order.

    >>> total([Cell("a", metrics={"m": Sums(1, 1.0)}), Cell("a", metrics={"m": Sums(2)})], "m")["a"].n
    3
    """
    arms: dict[str, Sums] = {}
    for cell in cells:
        if metric in cell.metrics:
            arms[cell.arm] = arms.get(cell.arm, Sums()) + cell.metrics[metric]
    return dict(sorted(arms.items()))
