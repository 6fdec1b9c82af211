"""The day's work: inputs to features, scores and decisions, written aside and published as one run.

A run is a function of the inputs, the model, the settings and the previous run's states. Its name is a digest
of those, so the same day with the same inputs is the same run, and nothing is published twice.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ibis.util import gen_name

from winback_features.engine import open_engine
from winback_features.errors import ConfigError
from winback_features.files import file_digest
from winback_features.ingest import ingest
from winback_features.parts import WHOLE, contact_ranges
from winback_features.tables import Tables
from winback_models.config import ScoreConfig
from winback_models.uplift_bundle import UpliftBundle, load_uplift
from winback_policy.decide import DecisionDay, decide, entries_of
from winback_policy.drivers import worth_explaining
from winback_policy.rfm import RfmThresholds
from winback_serving.clock import today_in
from winback_serving.inputs import input_files, refuse_shrunken, standing_still
from winback_serving.intact import checked_file
from winback_serving.parquet import count_rows, write_expression
from winback_serving.run_features import write_features
from winback_serving.run_record import (
    count_run,
    day_notices,
    describe_experiment,
    inputs_identity,
    run_identity,
)
from winback_serving.run_retention import RETENTION_FILE, write_retention
from winback_serving.run_segments import THRESHOLDS_KEY, measure_thresholds
from winback_serving.run_uplift import FOLDER as UPLIFT_FOLDER
from winback_serving.run_uplift import write_uplift
from winback_serving.scorer import BATCH_ROWS, Predictor, score_drivers, score_features
from winback_serving.settings import Settings
from winback_serving.spark_jobs import explain_on_spark, score_on_spark
from winback_serving.store import RUN_FILE, SCHEMA_VERSION, TIMINGS_FILE, PublishedRun, RunStore
from winback_serving.suppression import suppressed_keys, without_suppressed

QUARANTINE_ORDER = ("table", "row_number", "column", "reason")


@dataclass
class _Progress:
    """Tells what is done, and keeps the seconds of each step: beside the run, not in it, so that a rerun has the same bytes."""

    say: Callable[[str], None]
    tick: Callable[[int, int], None]
    note: Callable[..., None]
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str, begins: str) -> Iterator[None]:
        self.say(begins)
        begun = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - begun, 3)

    def tell(self, name: str, rows: int, **known: str) -> None:
        """Note that a step is done, and what is known since."""
        self.note(**known, step=name, seconds=self.seconds[name], rows=rows)


def score_day(
    settings: Settings,
    as_of: date,
    model: Predictor,
    model_digest: str,
    say: Callable[[str], None] = lambda text: None,
    *,
    tick: Callable[[int, int], None] = lambda done, total: None,
    note: Callable[..., None] = lambda **fields: None,
    accept_smaller: bool = False,
) -> PublishedRun:
    """Score one day and publish the run.

    Parameters
    ----------
    settings : Settings
    as_of : date
        The day, in the brand's zone; facts before its first instant are used.
    model : Predictor
        The champion.
    model_digest : str
        sha256 of its bundle.
    say, tick : callable
        Told what begins, and (done, total) contacts while scoring.
    note : callable
        Told ``run_id`` once it is known, and ``step``, ``seconds`` and ``rows`` of what is done.
    accept_smaller : bool
        Take a table also when it lost more rows since the last run than ``source.max_shrink`` allows.

    Returns
    -------
    PublishedRun
        ``fresh`` is False when this very run had been published before.

    Raises
    ------
    InputError
        When a table breaks the contract, was written to meanwhile or was cut off, there is no order before
        ``as_of``, or the states of the run before are not those that were published. Nothing is published.
    StoreBusyError
        When another job is writing.
    ConfigError
        When the model looks another number of days ahead than the settings ask.
    """
    score, uplift = _score_config(settings, model), load_uplift(settings.home / UPLIFT_FOLDER)
    store, work, hours = RunStore(settings.home), _Progress(say, tick, note), settings.operations.lock_hours
    with store.lock("score", say=say, most_hours=hours), store.staging() as folder:
        previous = store.previous_run(as_of)
        with open_engine(settings.engine, store.staging_base()) as backend:
            with work.step("ingest", "Reading and checking the inputs"):
                tables = _read(backend, settings, as_of, store.staging_base())
            last = store.current(as_of) or previous
            if last and not accept_smaller:
                files_read = input_files(settings.source, settings.base_dir)
                refuse_shrunken(tables.report, last.info(), files_read, settings.source.max_shrink)
            erased = suppressed_keys(settings.home)
            tables = without_suppressed(tables, erased)
            notices = day_notices(tables.report, as_of)
            record = {
                "as_of": as_of.isoformat(),
                "winback": version("winback"),
                "model": {
                    "name": settings.training.model_name,
                    "version": model.version,
                    "digest": model_digest,
                },
                "config_hash": settings.config_hash(),
                "horizon_days": score.horizon_days,
                "previous_run": {"as_of": previous.as_of.isoformat(), "run_id": previous.run_id}
                if previous
                else None,
            }
            keys: dict[str, Any] = {"suppressed": sorted(erased)} if erased else {}
            if uplift is not None:
                record["uplift"] = uplift.digest
            run_id = run_identity({**record, **keys, "inputs": inputs_identity(tables.report)})
            work.tell("ingest", sum(table.rows_in for table in tables.report.tables), run_id=run_id)
            there = store.find(as_of, run_id)
            if there is not None:
                say(f"Nothing has changed: run {run_id} of {as_of} is published already")
                store.point_at(as_of, run_id)
                return there
            files, cuts = _write_tables(tables, folder, as_of, model, score, uplift, previous, settings, work)
        counts = count_run(folder)
        inputs = tables.report.as_dict()
        info = {
            "schema_version": SCHEMA_VERSION,
            "run_id": run_id,
            **record,
            "inputs": inputs,
            "counts": counts,
            "experiment": describe_experiment(folder),
            THRESHOLDS_KEY: cuts.as_dict() if cuts else None,
        }
        info["model_status"] = getattr(model, "info", {}).get("status")
        info |= {"notices": notices, "files": {name: file_digest(folder / name) for name in files}}
        _write_json(folder / RUN_FILE, info)
        _write_json(folder / TIMINGS_FILE, work.seconds)
        say("Publishing the run")
        return store.publish(folder, as_of, run_id)


def _write_tables(
    tables: Tables,
    folder: Path,
    as_of: date,
    model: Predictor,
    score: ScoreConfig,
    uplift: UpliftBundle | None,
    previous: PublishedRun | None,
    settings: Settings,
    work: _Progress,
) -> tuple[list[str], RfmThresholds | None]:
    """Write every table of the run into its folder; return the file names, and the cuts between the RFM scores."""
    backend, currency = tables.backend, settings.brand.currency
    on_spark = backend.name == "pyspark"
    states_before = checked_file(previous, "states") if previous else None

    def path(name: str) -> Path:
        return folder / f"{name}.parquet"

    with work.step("features", "Building features"):
        contacts, status, counts = write_features(tables, as_of, folder, score.horizon_days)
        write_expression(tables.quarantine, QUARANTINE_ORDER, path("quarantine"))
    work.tell("features", contacts)
    with work.step("retention", "Counting who comes back"):
        write_retention(counts, as_of, score.horizon_days, currency, folder / RETENTION_FILE)
    work.tell("retention", contacts)
    tables.release(status)
    with work.step("scores", "Scoring contacts"):
        if on_spark:
            score_on_spark(backend, path("features"), model, as_of, score, currency, path("scores"))
        else:
            threads, tick = settings.engine.threads, work.tick
            score_features(
                path("features"), model, as_of, score, currency, path("scores"), threads=threads, tick=tick
            )
    work.tell("scores", contacts)
    scores, features = (backend.read_parquet(path(name)) for name in ("scores", "features"))
    states = backend.read_parquet(states_before) if states_before else None
    if uplift is not None:
        write_uplift(features, scores, uplift, score.margin_share, path("uplift"))
    with work.step("drivers", "Asking what raises their risk"):
        asked = features.semi_join(worth_explaining(scores, states, settings.policy), "contact_id")
        if on_spark:
            explain_on_spark(backend, asked, model, score.horizon_days, path("drivers"))
        else:
            rows = asked.order_by("contact_id").to_pyarrow_batches(chunk_size=BATCH_ROWS)
            score_drivers(rows, model, score.horizon_days, path("drivers"), threads=settings.engine.threads)
    work.tell("drivers", count_rows(path("drivers")))
    with work.step("decisions", "Deciding who enters and who leaves"):
        ranges = WHOLE if on_spark else contact_ranges(status, contacts)
        cuts = settings.policy.rfm or measure_thresholds(backend, folder)
        decision = decide(
            scores,
            features,
            status,
            states,
            DecisionDay(
                as_of=as_of,
                config=replace(
                    settings.policy, rfm=cuts
                ),  # they score as the quintiles do, without ranking anew
                currency=currency,
                has_contacts=tables.has_contacts,
                closed=tables.closed,
            ),
            drivers=backend.read_parquet(path("drivers")),
            uplift=backend.read_parquet(path("uplift")) if uplift else None,
            cache=lambda table: backend.create_table(gen_name("decision"), table, temp=True),
            ranges=ranges,
        )
        for name in ("winback", "states", "exits"):
            write_expression(getattr(decision, name), ["contact_id"], path(name), ranges=ranges)
        listed = backend.read_parquet(path("winback"))  # to read the list is much less than to make it again
        write_expression(entries_of(listed), ["contact_id"], path("entries"))
    work.tell("decisions", contacts)
    return sorted([*(file.name for file in folder.glob("*.parquet")), RETENTION_FILE]), cuts


def _score_config(settings: Settings, model: Predictor) -> ScoreConfig:
    """Return the questions to ask, with the model's own horizon where that is learned."""
    if settings.horizon_auto:
        return replace(settings.score, horizon_days=model.horizon_days)
    if model.horizon_days != settings.score.horizon_days:
        msg = f"The model looks {model.horizon_days} days ahead; {settings.score.horizon_days} are asked for."
        raise ConfigError(
            msg,
            where="[brand] horizon_days",
            how=f"Set it to {model.horizon_days}, or train and promote a model for the other.",
        )
    return settings.score


def _read(backend: Any, settings: Settings, as_of: date, work_dir: Path) -> Tables:
    """Read the inputs, which must stand still meanwhile."""
    with standing_still(settings.source, settings.base_dir):
        return ingest(
            backend,
            settings.source,
            settings.brand,
            today=max(as_of, today_in(settings.brand.timezone)),
            base_dir=settings.base_dir,
            with_log=True,
            work_dir=work_dir,
            hold=False,
        )


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
