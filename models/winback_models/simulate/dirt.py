"""Bad rows on request: some of every kind that a typed file can hold, with what ingest should say of each.

A column of a Parquet file has one type, so a time or a flag that cannot be read does not come up here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

import pyarrow as pa

from winback_models.simulate.shop import Block
from winback_models.simulate.world import World

ROWS = 3
"""Bad rows of each kind."""

Spoil = Callable[[pa.Table], pa.Table]


def dirty(world: World, block: Block) -> tuple[Block, dict[str, dict[str, int]]]:
    """Append bad rows to a block.

    Parameters
    ----------
    world : World
    block : Block
        With at least a few rows in each table.

    Returns
    -------
    Block
        The same rows, and after them the bad ones.
    dict
        ``table -> reason code -> rows``: what the quarantine should hold.

    Examples
    --------
    >>> from winback_models.simulate.shop import simulate
    >>> world = World(contacts=200, days=300)
    >>> (block,) = simulate(world)
    >>> spoilt, told = dirty(world, block)
    >>> spoilt.orders.num_rows - block.orders.num_rows == sum(told["orders"].values())
    True
    """
    told: dict[str, dict[str, int]] = {}
    for name, kinds in _kinds(world).items():
        table: pa.Table = getattr(block, name)
        bad = [spoil(table.slice(ROWS * place, ROWS)) for place, spoil in enumerate(kinds.values())]
        told[name] = {reason: rows.num_rows for reason, rows in zip(kinds, bad, strict=True)}
        block = replace(block, **{name: pa.concat_tables([table, *bad])})
    return block, told


def _kinds(world: World) -> dict[str, Mapping[str, Spoil]]:
    far = datetime.combine(world.end, time(9)) + timedelta(days=100 * 365)

    def times(column: str) -> dict[str, Spoil]:
        return {
            "missing_time": _with(column, None),
            "implausible_date": _with(column, datetime.combine(date(1970, 1, 1), time(9))),
            "future_date": _with(column, far),
        }

    nobody = {"missing_contact_id": _with("contact_id", None)}
    twice: dict[str, Spoil] = {"duplicate_line": lambda rows: rows}
    return {
        "orders": {
            **nobody,
            "missing_order_id": _with("order_id", None),
            **times("ordered_at"),
            "unreadable_amount": _with("amount", float("nan")),
            **twice,
        },
        "events": {**nobody, **times("occurred_at"), "missing_kind": _with("kind", None), **twice},
        "contacts": {**nobody, **twice, "duplicate_contact": _with("acquisition_source", "elsewhere")},
    }


def _with(column: str, value: Any) -> Spoil:
    def spoil(rows: pa.Table) -> pa.Table:
        place = rows.schema.get_field_index(column)
        kind = rows.schema.field(place)
        return rows.set_column(place, kind, pa.array([value] * rows.num_rows, kind.type))

    return spoil
