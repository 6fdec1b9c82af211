"""What a run is called, whether its day makes sense, and whether its rows add up."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

from winback_features.errors import InputError
from winback_features.reports import IngestReport
from winback_policy.holdout import detectable_effect
from winback_serving.parquet import count_rows

STALE_DAYS = 7
"""A gap between the newest fact and ``as_of`` that is worth a word."""


def run_identity(parts: Mapping[str, Any]) -> str:
    """Return the name of the run that follows from its inputs: 16 hex digits.

    Parameters
    ----------
    parts : mapping
        JSON-ready: day, inputs, model digest, settings digest, previous run, version.

    Examples
    --------
    >>> run_identity({"as_of": "2020-01-01"})
    '4ff0ce1b1fb63c1d'
    """
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def inputs_identity(report: IngestReport) -> dict[str, Any]:
    """Return what of the inputs decides a run: bytes read and rows used, not where they lay."""
    tables = report.as_dict()
    return {name: {k: v for k, v in table.items() if k != "source"} for name, table in tables.items()}


def newest_fact(report: IngestReport) -> date | None:
    """Return the last day on which anything happened, over orders and events."""
    facts = (t for t in report.tables if t.name in ("orders", "events"))
    return max((t.last_day for t in facts if t.last_day is not None), default=None)


def default_day(report: IngestReport, now: date) -> date:
    """Return the day after the newest order, and not later than today."""
    newest = report["orders"].last_day
    return now if newest is None else min(now, newest + timedelta(days=1))


def day_notices(report: IngestReport, as_of: date) -> list[dict[str, Any]]:
    """Judge a day against the facts there are.

    Returns
    -------
    list of dict
        ``code`` and ``message`` of what should be known; empty when the facts are fresh.

    Raises
    ------
    InputError
        When there is no order before ``as_of``.
    """
    orders = report["orders"]
    if orders.first_day is None or orders.first_day >= as_of:
        began = f" The first is of {orders.first_day}." if orders.first_day else ""
        msg = f"There is no order before {as_of}.{began}"
        raise InputError(
            msg,
            where=orders.source,
            how="Say a later day with --as-of.",
        )
    newest = newest_fact(report)
    if newest is None or (as_of - newest).days <= STALE_DAYS:
        return []
    message = (
        f"The newest fact is of {newest}, {(as_of - newest).days} days before {as_of}: everybody looks "
        f"silent. Bring newer data, or say --as-of {newest + timedelta(days=1)}."
    )
    return [{"code": "stale_data", "message": message, "count": (as_of - newest).days}]


def count_run(folder: Path) -> dict[str, Any]:
    """Count a run's tables and check that every contact is accounted for.

    Parameters
    ----------
    folder : Path
        Holds the run's Parquet files.

    Returns
    -------
    dict
        ``contacts`` = ``flagged`` + the sum of ``not_flagged`` = ``scored`` + ``not_scored``.

    Raises
    ------
    RuntimeError
        When the rows do not add up; nothing is published then.
    """
    with duckdb.connect() as connection:
        winback = connection.read_parquet(str(folder / "winback.parquet"))
        groups = winback.aggregate(
            "state, not_flagged_reason, arm, rank IS NOT NULL AS ranked, count(*) AS n"
        ).fetchall()
        said = winback.aggregate("stated_reason, count(*) AS n").filter("stated_reason IS NOT NULL")
        stated = dict(sorted(said.fetchall()))
    reasons: Counter[str] = Counter()
    states: Counter[str] = Counter()
    flagged = held_out = ranked = 0
    for state, reason, arm, has_rank, n in groups:
        states[state] += n
        ranked += n * has_rank
        if reason is None:
            flagged += n
            held_out += n * (arm == "holdout")
        else:
            reasons[reason] += n
    contacts, scored = states.total(), _rows(folder, "scores")
    counts = {
        "contacts": contacts,
        "scored": scored,
        "not_scored": contacts - scored,
        "flagged": flagged,
        "not_flagged": dict(sorted(reasons.items())),
        "stated_reasons": stated,
        "entries": _rows(folder, "entries"),
        "exits": _rows(folder, "exits"),
        "holdout": held_out,
        "states": dict(sorted(states.items())),
        "carried_states": _rows(folder, "states"),
        "quarantined": _rows(folder, "quarantine"),
    }
    if scored > contacts or ranked != flagged:
        msg = f"the run's rows do not add up: {ranked} ranked, {counts}"
        raise RuntimeError(msg)
    return counts


def describe_experiment(folder: Path) -> dict[str, Any]:
    """Say what the holdout of the contacts in a journey today could show.

    Parameters
    ----------
    folder : Path
        Holds the run's Parquet files.

    Returns
    -------
    dict
        ``treated`` and ``holdout`` (contacts), ``base_rate`` (the share that the model expects to buy within the horizon
        anyway) and ``detectable_effect`` (the smallest rise over it that would show, in probability); null where there is
        none.
    """
    with duckdb.connect() as connection:
        winback = connection.read_parquet(str(folder / "winback.parquet"))
        listed = winback.filter("rank IS NOT NULL")
        ((treated, held_out, base_rate),) = listed.aggregate(
            "count(*) FILTER (arm = 'treatment'), count(*) FILTER (arm = 'holdout'), "
            "avg(CAST(p_purchase AS DECIMAL(18, 9)))"
        ).fetchall()
    effect = None if base_rate is None else detectable_effect(treated, held_out, float(base_rate))
    return {
        "treated": treated,
        "holdout": held_out,
        "base_rate": None if base_rate is None else round(float(base_rate), 6),
        "detectable_effect": None if effect is None else round(effect, 6),
    }


def _rows(folder: Path, name: str) -> int:
    return count_rows(folder / f"{name}.parquet")
