"""What a run computes contact by contact, part by part of the shop: features, status and timeline."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

import ibis
from ibis.util import gen_name

from winback_features.answers import name_of
from winback_features.build import build_features
from winback_features.contact_status import build_contact_status
from winback_features.parts import parts_of
from winback_features.tables import Tables
from winback_serving.parquet import OrderedFile, write_expression
from winback_serving.run_timeline import TIMELINE_ORDER, timeline

FEATURES_PER_GROUP = 10_000
"""Contacts in a row group of the features: the page of a contact reads one group."""


def write_features(tables: Tables, as_of: date, folder: Path) -> tuple[int, Any]:
    """Write ``features.parquet`` and ``timeline.parquet`` into the run's folder.

    Parameters
    ----------
    tables : Tables
    as_of : date
    folder : Path

    Returns
    -------
    int
        Contacts with features.
    ibis.Table
        The status of every known contact, held by the engine: see `build_contact_status`.
    """
    backend, paths = tables.backend, [folder / f"{name}.parquet" for name in ("features", "timeline")]
    if backend.name != "duckdb":
        contacts = write_expression(
            build_features(tables, as_of), ["contact_id"], paths[0], FEATURES_PER_GROUP
        )
        write_expression(timeline(tables, as_of), TIMELINE_ORDER, paths[1])
        return contacts, backend.create_table(
            "winback_status", build_contact_status(tables, as_of), temp=True
        )
    statuses: list[Any] = []
    views: list[Any] = []
    with ExitStack() as stack:
        features = stack.enter_context(OrderedFile(paths[0], FEATURES_PER_GROUP))
        ticks = stack.enter_context(OrderedFile(paths[1]))
        for part in parts_of(tables):
            # To write the SQL takes as long as to run it on a small shop: it is the same for every part.
            views = views or [
                backend.create_view(gen_name("winback_view"), build(part, as_of))
                for build in (build_features, timeline, build_contact_status)
            ]
            features.append(views[0], ["contact_id"])
            ticks.append(views[1], TIMELINE_ORDER)
            statuses.append(backend.create_table(gen_name("winback_status"), views[2], temp=True))
    for view in views:
        backend.drop_view(name_of(view))
    return features.rows, statuses[0] if len(statuses) == 1 else ibis.union(*statuses)
