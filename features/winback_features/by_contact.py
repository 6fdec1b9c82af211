"""Compute what hangs on one contact's facts alone: in parts of the shop on one machine, in tasks on Spark."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, TypeVar

import ibis
import pyarrow as pa
import pyarrow.compute as pc
from ibis.formats.pyarrow import PyArrowSchema
from ibis.util import gen_name

from winback_features.engine import threads_of
from winback_features.fact_arrays import Facts
from winback_features.fact_queries import fact_queries, facts_of
from winback_features.in_order import in_order
from winback_features.parts import ROWS_PER_PART, parts_of

if TYPE_CHECKING:
    from winback_features.tables import Tables

Result = TypeVar("Result")

Work = Callable[[Facts], pa.Table]
"""From the facts of some contacts to rows of these contacts, by rising contact id."""

CONTACTS_PER_BLOCK = 20_000
"""Contacts that are worked on at a time: few enough that their arrays stay in a processor's cache, enough for NumPy's loops."""

_TABLE = "of_table"


def read_facts(tables: Tables, as_of: date, threads: int = 1) -> Facts:
    """Read the facts before a day; so many threads lay them out."""
    found = {name: query.to_pyarrow() for name, query in fact_queries(tables, as_of).items()}
    return facts_of(found, threads)


def in_blocks(work: Callable[[Facts], Result], facts: Facts, threads: int) -> Iterator[Result]:
    """Yield what some work makes of block after block of contacts, in their order; so many threads work at a time.

    What hangs on one contact's facts alone is the same however many contacts lie beside it.
    """
    return in_order(work, facts.blocks(CONTACTS_PER_BLOCK), threads)


def compute(tables: Tables, as_of: date, work: Work, schema: pa.Schema) -> list[Any]:
    """Compute rows from the facts before a day, and let the engine hold them.

    Parameters
    ----------
    tables : Tables
    as_of : date
    work : callable
        From `Facts` to rows; sent to the tasks on Spark.
    schema : pyarrow.Schema
        Of the rows.

    Returns
    -------
    list of ibis.Table
        Temporary tables; all of them together hold the rows.
    """
    backend = tables.backend
    if backend.name == "pyspark":
        rows = sum(table.rows_used for table in tables.report.tables)
        groups = -(-max(rows, 1) // ROWS_PER_PART)
        queries = fact_queries(tables, as_of)
        kinds = {name: PyArrowSchema.from_ibis(query.schema()) for name, query in queries.items()}
        return [backend.apply_by_contact(_laid_together(queries), _Task(work, kinds), schema, groups)]
    threads = threads_of(backend)
    parts = (in_blocks(work, read_facts(part, as_of, threads), threads) for part in parts_of(tables))
    return [
        backend.create_table(gen_name("winback_computed"), pa.concat_tables(blocks), temp=True)
        for blocks in parts
    ]


def together(tables: list[Any]) -> Any:
    """Return the rows of some tables as those of one."""
    return tables[0] if len(tables) == 1 else ibis.union(*tables)


def _laid_together(queries: Mapping[str, Any]) -> Any:
    """Return the rows of all tables as those of one, with every column of any, and the place of the table."""
    kinds = dict(kind for query in queries.values() for kind in query.schema().items())
    return ibis.union(
        *(
            query.select(
                **{
                    name: query[name] if name in query.columns else ibis.null(kind)
                    for name, kind in kinds.items()
                },
                **{_TABLE: ibis.literal(place, "int8")},
            )
            for place, query in enumerate(queries.values())
        )
    )


@dataclass(frozen=True)
class _Task:
    """Takes the rows of some contacts of all tables apart, and works on them; sent to a task."""

    work: Work
    kinds: Mapping[str, pa.Schema]

    def __call__(self, rows: pa.Table) -> pa.Table:
        """Return what the work makes of them."""
        found = {
            table: rows.filter(pc.equal(rows[_TABLE], place)).select(kind.names).cast(kind)
            for place, (table, kind) in enumerate(self.kinds.items())
        }
        return pa.concat_tables(in_blocks(self.work, facts_of(found), threads=1))
