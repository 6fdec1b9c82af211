"""RFM thresholds, moves and the sandbox of published runs: the policy's segments over the files of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from winback_features.errors import InputError
from winback_policy.config import PolicyConfig
from winback_policy.moves import moves
from winback_policy.rfm import SEGMENTS, RfmThresholds, quintile_thresholds, rfm_values
from winback_policy.sandbox import Sandbox, sandbox_base
from winback_policy.sandbox_terms import Bound, Segment
from winback_serving.intact import checked_file
from winback_serving.store import PublishedRun

THRESHOLDS_KEY = "rfm_thresholds"
"""In ``run.json``; null where nobody has bought."""


def run_values(backend: Any, folder: Path) -> Any:
    """Return what the RFM scores of a run rest on, see `winback_policy.rfm.rfm_values`."""
    features, scores = (backend.read_parquet(folder / f"{name}.parquet") for name in ("features", "scores"))
    return rfm_values(features, scores)


def measure_thresholds(backend: Any, folder: Path) -> RfmThresholds | None:
    """Find the quintile thresholds of a run from its tables; None where nobody has bought."""
    (row,) = quintile_thresholds(run_values(backend, folder)).to_pyarrow().to_pylist()
    return RfmThresholds.from_row(row)


def run_thresholds(backend: Any, run: PublishedRun) -> RfmThresholds:
    """Return the thresholds that a published run was scored with.

    Raises
    ------
    InputError
        When nobody had bought by then.
    """
    info = run.info()
    stored = info.get(THRESHOLDS_KEY)
    # A run of version 0.1.0 does not hold them, and had quintiles.
    found = RfmThresholds.from_dict(stored) if stored else measure_thresholds(backend, run.folder)
    if found is None:
        what = f"Nobody had bought by {run.as_of}: there are no segments."
        raise InputError(what, where=str(run.folder), how="Take a later run.")
    return found


def moves_between(backend: Any, before: PublishedRun, after: PublishedRun) -> Any:
    """Follow every buyer from one published run to another.

    Parameters
    ----------
    backend : ibis backend
        Reads the runs' files.
    before, after : PublishedRun

    Returns
    -------
    ibis.Table
        See `winback_policy.moves.moves`.

    Raises
    ------
    InputError
        When nobody had bought by one of the days.
    """
    cuts = [run_thresholds(backend, run) for run in (before, after)]
    values = [run_values(backend, run.folder) for run in (before, after)]
    return moves(*values, *cuts)


def open_sandbox(backend: Any, run: PublishedRun, policy: PolicyConfig | None = None) -> Sandbox:
    """Prepare the base of a published run for the sandbox; see `winback_policy.sandbox.sandbox_base`."""
    scores, features = (backend.read_parquet(checked_file(run, name)) for name in ("scores", "features"))
    stored = run.info().get(THRESHOLDS_KEY)
    cuts = RfmThresholds.from_dict(stored) if stored else None
    return Sandbox.from_arrow(sandbox_base(scores, features, cuts, policy).to_pyarrow())


DESCRIBED = ("relationship_tier", "tenure_band", "recency_band", "last_behaviour")
"""Columns of the list by which a run is counted, beside the cells."""


def rfm_views(backend: Any, run: PublishedRun) -> list[dict[str, Any]]:
    """Measure the ten RFM segments of a run.

    Returns
    -------
    list of dict
        ``name, contacts, share, value_at_risk, hint, shares_with`` (see `winback_policy.own_content`); most value first,
        empty segments left out.
    """
    asked = [Segment(name, (Bound("rfm_segment", among=(name,)),)) for name in SEGMENTS]
    views = open_sandbox(backend, run).ask(asked).segments
    keys = ("name", "contacts", "share", "value_at_risk", "hint", "shares_with")
    found = [{key: getattr(view, key) for key in keys} for view in views if view.contacts]
    return sorted(found, key=lambda view: (-view["value_at_risk"], view["name"]))


def described_counts(backend: Any, run: PublishedRun) -> dict[str, list[dict[str, Any]]]:
    """Count a run's contacts by each of `DESCRIBED`, and by cell and its action; largest first.

    A run of version 0.1.0 does not hold them and gives none.
    """
    winback = backend.read_parquet(checked_file(run, "winback"))
    found = {}
    for name, columns in {
        **{name: (name,) for name in DESCRIBED},
        "cells": ("buyer_clicker_cell", "cell_action"),
    }.items():
        if {*columns} <= {*winback.columns}:
            known = winback.filter(winback[columns[0]].notnull())
            counted = known.group_by(*columns).aggregate(contacts=known.count())
            ordered = counted.order_by(counted.contacts.desc(), *columns)
            found[name] = ordered.to_pyarrow().to_pylist()
    return found
