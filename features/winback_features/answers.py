"""Ask the engine for a few plain Python values, without a detour through pandas."""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.operations as ops


def count(table: ibis.Table) -> int:
    """Return the number of rows."""
    return int(table.count().to_pyarrow().as_py())


def records(table: ibis.Table) -> list[dict[str, Any]]:
    """Return the rows of a small result as dictionaries."""
    rows: list[dict[str, Any]] = table.to_pyarrow().to_pylist()
    return rows


def name_of(table: ibis.Table) -> str:
    """Return the bare name of a table of the engine."""
    return str(table.get_name()).rpartition(".")[2]


def names_beneath(table: ibis.Table) -> set[str]:
    """Return the bare names of the engine's tables that an expression is computed from."""
    return {node.name for node in table.op().find(ops.DatabaseTable)}
