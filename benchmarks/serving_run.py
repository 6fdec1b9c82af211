"""A made-up run of any number of contacts in the published layout: real schemas, columns drawn by a hash, nothing trained."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import duckdb

from winback_features.dictionary import FEATURES
from winback_models.drivers import DRIVERS
from winback_policy.decide import EXITS_SCHEMA, WINBACK_SCHEMA
from winback_policy.eligibility import NOT_FLAGGED_REASONS
from winback_policy.gather import STATE_SCHEMA
from winback_policy.rfm import SEGMENTS
from winback_serving.parquet import ROWS_PER_GROUP, OrderedFile
from winback_serving.run_features import FEATURES_PER_GROUP
from winback_serving.run_record import count_run, describe_experiment
from winback_serving.scorer import score_columns
from winback_serving.store import RUN_FILE, SCHEMA_VERSION, PublishedRun, RunStore

CURVE_DAYS = (7, 14, 30, 60)
KINDS = {"string": "VARCHAR", "int64": "BIGINT", "float64": "DOUBLE", "date": "DATE", "boolean": "BOOLEAN"}
FLAGGED = "u < 0.05"
"""Every twentieth contact is to be won back."""


def draw(name: str, salt: str = "") -> str:
    """Return SQL for a number from 0 to 1 that is the contact's own in this column."""
    return f"(hash(i, '{name}{salt}') / 18446744073709551616.0)"


def pick(words: tuple[str, ...], name: str) -> str:
    """Return SQL for one of the words."""
    listed = ", ".join(f"'{word}'" for word in words)
    return f"([{listed}])[1 + (hash(i, '{name}') % {len(words)})::INT]"


def given(mark: str) -> dict[str, str]:
    """Return SQL for the columns that mean something; ``mark`` stands in every row, so that a mixture would show."""
    days = "(200 * u3)::BIGINT"
    return {
        "contact_id": "c",
        "rank": f"CASE WHEN {FLAGGED} THEN row_number() OVER (ORDER BY {FLAGGED} DESC, u2 DESC, i) END",
        "state": f"CASE WHEN {FLAGGED} THEN 'in_winback' WHEN u < 0.7 THEN 'active' ELSE 'inactive' END",
        "entered_at": f"CASE WHEN {FLAGGED} THEN d - (50 * u2)::INT END",
        "entry_reason": f"CASE WHEN {FLAGGED} THEN 'late' END",
        "not_flagged_reason": f"CASE WHEN {FLAGGED} THEN NULL ELSE {pick(NOT_FLAGGED_REASONS, 'why')} END",
        "purchase_inactive": "u > 0.7",
        "engagement_inactive": "u2 > 0.7",
        "p_purchase": "1 - u2",
        "p_lapse": "u2",
        "p_alive": "u3",
        "next_purchase_date": "d + (60 * u3)::INT",
        "next_purchase_low": "d + (20 * u3)::INT",
        "next_purchase_high": "d + (99 * u3)::INT",
        "days_since_purchase": days,
        "days_overdue": f"{days} - 30",
        "value_at_risk": "round(500 * u2 * u3, 6)",
        "currency": "'EUR'",
        "rfm_code": "(111 + (hash(i) % 444))::VARCHAR",
        "rfm_segment": pick(SEGMENTS, "segment"),
        "reason_1": f"CASE WHEN {FLAGGED} THEN 'buys every ' || i % 60 || ' days, now ' || {days} || ' silent' END",
        "reason_2": f"CASE WHEN {FLAGGED} THEN 'expected back by 16 Dec, ' || i % 30 || ' days ago' END",
        "reason_3": f"CASE WHEN {FLAGGED} THEN i % 100 || ' % likely to buy within 28 days' END",
        "recommended_action": f"CASE WHEN {FLAGGED} THEN 'win_back' ELSE 'none' END",
        "channel": f"CASE WHEN {FLAGGED} THEN {pick(('email', 'sms', 'post'), 'channel')} END",
        "incentive_tier": pick(("none", "low", "high"), "tier"),
        "last_category": f"'{mark}'",
        "arm": f"CASE WHEN {FLAGGED} THEN CASE WHEN u3 < 0.1 THEN 'holdout' ELSE 'treatment' END END",
        "consent_basis": pick(("consent", "none", "soft_opt_in_buyers"), "basis"),
        "email": "c || '@example.com'",
        "first_name": "'First' || i",
        "last_name": "'Last' || i",
        "language": pick(("de", "en", "fr"), "language"),
        "country": pick(("DE", "AT", "FR"), "country"),
        "as_of": "d",
        "horizon_days": "30::INTEGER",
        "model_version": f"'{mark}'",
        "base": "CASE WHEN u < 0.7 THEN 'active' ELSE 'lapsed' END",
        "hard_bounced": "false",
        "soft_bounces_in_a_row": "0::BIGINT",
        "journeys": "1::BIGINT",
    }


def tables() -> dict[str, tuple[Mapping[str, str], str]]:
    """Return table name to (column to SQL type, who is in it)."""

    def typed(schema: Mapping[str, str]) -> dict[str, str]:
        return {name: KINDS[str(kind)] for name, kind in schema.items()}

    winback = typed(WINBACK_SCHEMA)
    scores = {name: winback.get(name, "DOUBLE") for name in score_columns(CURVE_DAYS)}
    words = {"as_of": "DATE", "horizon_days": "INTEGER", "model_version": "VARCHAR", "base": "VARCHAR"}
    scores |= words | dict.fromkeys(("days_since_purchase", "days_overdue"), "DOUBLE")
    features = {"contact_id": "VARCHAR"} | {f.name: "DOUBLE" for f in FEATURES if f.name != "contact_id"}
    features |= dict.fromkeys(("last_category", "acquisition_source"), "VARCHAR")
    drivers = {"contact_id": "VARCHAR"} | {driver.column: "DOUBLE" for driver in DRIVERS}
    return {
        "winback": (winback, "TRUE"),
        "scores": (scores, "TRUE"),
        "features": (features, "TRUE"),
        "states": (typed(STATE_SCHEMA), "TRUE"),
        "drivers": (drivers, FLAGGED),
        "entries": (winback, f"{FLAGGED} AND u2 < 0.01"),
        "exits": (typed(EXITS_SCHEMA), "u > 0.9995"),
        "quarantine": ({"table": "VARCHAR", "row_number": "BIGINT", "key": "VARCHAR", "reason": "VARCHAR"}, "FALSE"),
    }  # fmt: skip


def publish_run(home: Path, as_of: date, contacts: int, mark: str) -> PublishedRun:
    """Write and publish a run in which every row bears ``mark``.

    Parameters
    ----------
    home : Path
    as_of : date
    contacts : int
    mark : str
        Also the run's id.

    Returns
    -------
    PublishedRun
    """
    store = RunStore(home)
    with store.lock(), store.staging() as folder, duckdb.connect() as connection:
        connection.execute("SET preserve_insertion_order = true")
        base = (
            f"SELECT i, printf('c%08d', i) AS c, DATE '{as_of}' AS d, {draw('a', mark)} AS u, "
            f"{draw('b', mark)} AS u2, {draw('c', mark)} AS u3 FROM range({contacts}) r(i)"
        )
        known = given(mark)
        for name, (schema, who) in tables().items():
            cells = []
            for column, kind in schema.items():
                number = f"round(90 * {draw(column)}, 3)" if kind == "DOUBLE" else "NULL"
                cells.append(f'CAST({known.get(column, number)} AS {kind}) AS "{column}"')
            sql = f"SELECT {', '.join(cells)} FROM (FROM b WHERE {who})"
            order = " ORDER BY contact_id" if "contact_id" in schema else ""
            connection.execute(f"CREATE OR REPLACE TEMP VIEW b AS {base}")
            reader = connection.execute(sql + order).to_arrow_reader(50_000)
            rows = FEATURES_PER_GROUP if name == "features" else ROWS_PER_GROUP
            with OrderedFile(folder / f"{name}.parquet", rows) as file:
                file.extend(reader, reader.schema)
        previous = store.previous_run(as_of)
        info = {
            "schema_version": SCHEMA_VERSION,
            "run_id": mark,
            "as_of": as_of.isoformat(),
            "winback": "made up",
            "model": {"name": "winback-lapse", "version": mark, "digest": "made up"},
            "config_hash": "made up",
            "horizon_days": 30,
            "previous_run": {"as_of": previous.as_of.isoformat(), "run_id": previous.run_id}
            if previous
            else None,
            "inputs": {},
            "counts": count_run(folder),
            "experiment": describe_experiment(folder),
            "rfm_thresholds": None,
            "notices": [],
            "files": {},
        }
        (folder / RUN_FILE).write_text(json.dumps(info, indent=2), encoding="utf-8")
        return store.publish(folder, as_of, mark)


def two_runs(home: Path, contacts: int) -> date:
    """Publish the run that a load test begins with unless it is there, and return its day."""
    day = date(2026, 3, 1)
    if RunStore(home).current(day) is not None:
        return day
    publish_run(home, day - timedelta(days=1), max(1000, contacts // 100), "run-before")
    publish_run(home, day, contacts, "run-one")
    return day


if __name__ == "__main__":
    place, on, many, name = sys.argv[1:]
    publish_run(Path(place), date.fromisoformat(on), int(many), name)
