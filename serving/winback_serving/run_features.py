"""What a run computes contact by contact, part by part of the shop: features, status, timeline and the counts of retention."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from ibis.util import gen_name

from winback_features.answers import name_of
from winback_features.build import SCHEMA as FEATURES
from winback_features.build import build_features, features_of
from winback_features.by_contact import compute, in_blocks, read_facts, together
from winback_features.contact_habits import habits_of
from winback_features.contact_status import build_contact_status
from winback_features.engine import threads_of
from winback_features.fact_arrays import Facts
from winback_features.parts import parts_of
from winback_features.retention_counts import SCHEMA as COUNTS
from winback_features.retention_counts import added, retention_counts
from winback_features.tables import Tables
from winback_serving.parquet import OrderedFile, write_expression
from winback_serving.run_timeline import SCHEMA as TIMELINE
from winback_serving.run_timeline import TIMELINE_ORDER, timeline

FEATURES_PER_GROUP = 10_000
"""Contacts in a row group of the features: the page of a contact reads one group."""


def write_features(tables: Tables, as_of: date, folder: Path, horizon_days: int) -> tuple[int, Any, pa.Table]:
    """Write ``features.parquet`` and ``timeline.parquet`` into the run's folder.

    Parameters
    ----------
    tables : Tables
    as_of : date
    folder : Path
    horizon_days : int
        Days without a purchase after which a contact is dormant.

    Returns
    -------
    int
        Contacts with features.
    ibis.Table
        The status of every known contact, held by the engine: see `build_contact_status`.
    pyarrow.Table
        What `winback_features.retention.retention_figures` is made of.
    """
    backend, paths = tables.backend, [folder / f"{name}.parquet" for name in ("features", "timeline")]
    if backend.name != "duckdb":
        days = compute(tables, as_of, partial(timeline, as_of=as_of), TIMELINE)
        write_expression(together(days), TIMELINE_ORDER, paths[1])
        contacts = write_expression(
            build_features(tables, as_of), ["contact_id"], paths[0], FEATURES_PER_GROUP
        )
        counting = partial(retention_counts, as_of=as_of, horizon_days=horizon_days)
        counts = together(compute(tables, as_of, counting, COUNTS)).to_pyarrow()
        status = build_contact_status(tables, as_of)
        return contacts, backend.create_table(gen_name("winback_status"), status, temp=True), counts
    statuses, counted, threads = [], [], threads_of(backend)
    work = partial(
        _work, as_of=as_of, closed=tables.closed, send_hours=tables.send_hours, horizon_days=horizon_days
    )
    with OrderedFile(paths[0], FEATURES_PER_GROUP) as features, OrderedFile(paths[1]) as ticks:
        for part in parts_of(tables):
            habits, of_part = [], []
            for columns, days, own, counts in in_blocks(work, read_facts(part, as_of, threads), threads):
                features.extend(columns.to_batches(), FEATURES)
                ticks.extend(days.to_batches(), TIMELINE)
                habits.append(own)
                of_part.append(counts)
            counted.append(added(pa.concat_tables(of_part)))
            held = backend.create_table(gen_name("winback_habits"), pa.concat_tables(habits), temp=True)
            status = build_contact_status(part, as_of, held)
            statuses.append(backend.create_table(gen_name("winback_status"), status, temp=True))
            backend.drop_table(name_of(held))
    return features.rows, together(statuses), pa.concat_tables(counted)


def _work(
    facts: Facts,
    as_of: date,
    closed: Sequence[tuple[date, date]],
    send_hours: tuple[int, int],
    horizon_days: int,
) -> tuple[pa.Table, pa.Table, pa.Table, pa.Table]:
    """Return the features, the timeline, the habits and the retention counts of some contacts."""
    counts = retention_counts(facts, as_of, horizon_days)
    habits = habits_of(facts, as_of, closed, send_hours)
    return features_of(facts, as_of, closed), timeline(facts, as_of), habits, counts
