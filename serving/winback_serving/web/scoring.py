"""Score histories that a client sends: the batch's own ingest, features, model and decisions, on a few contacts in memory."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from ibis.util import gen_name

from winback_features.config import EngineConfig, SourceConfig
from winback_features.contracts import CONTACTS, EVENTS, ORDERS, TableSpec
from winback_features.engine import open_engine
from winback_features.errors import ConfigError, InputError
from winback_features.ingest import ingest
from winback_policy.decide import DecisionDay, decide
from winback_policy.drivers import worth_explaining
from winback_policy.rfm import RfmThresholds
from winback_serving.clock import today_in
from winback_serving.intact import checked_file
from winback_serving.run_features import write_features
from winback_serving.run_segments import THRESHOLDS_KEY
from winback_serving.scorer import Predictor, score_drivers, score_features
from winback_serving.settings import Settings
from winback_serving.store import RunStore
from winback_serving.suppression import suppressed_keys, without_suppressed
from winback_serving.web.columns import PERSONAL
from winback_serving.web.errors import BusyError, ConflictError
from winback_serving.web.reader import Run

Rows = Sequence[Mapping[str, Any]]
WAIT_SECONDS = 20.0
"""So long a request waits for the one before it."""

ENGINE = EngineConfig(memory_limit="1GB", threads=1)


@dataclass(frozen=True, slots=True)
class Histories:
    """What a client knows of a few contacts, in the columns of the data contract."""

    orders: Rows
    events: Rows = ()
    contacts: Rows = ()


class Scorer:
    """Holds the model of the run that is served; one request at a time.

    Parameters
    ----------
    settings : Settings
        What the daily job is told.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._one = threading.Lock()
        self._loaded: tuple[str, Predictor] | None = None

    def score(self, run: Run, histories: Histories) -> list[dict[str, Any]]:
        """Score histories as of the day of a run, with its model and its RFM thresholds.

        Parameters
        ----------
        run : Run
        histories : Histories

        Returns
        -------
        list of dict
            For each contact, by id, the columns of ``winback`` and ``scores`` and a dict ``drivers``, as the batch gives them.

        Raises
        ------
        InputError
            When a row breaks the data contract.
        ConflictError
            When the model of the run is not the champion any more.
        BusyError
            When others wait already.
        """
        if not self._one.acquire(timeout=WAIT_SECONDS):
            raise BusyError("Another history is being scored.", how="Try again in a few seconds.")
        try:
            model = self._model(run)
            return score_histories(self.settings, run, model, histories)
        finally:
            self._one.release()

    def _model(self, run: Run) -> Predictor:
        wanted = run.record["model"]["digest"]
        if self._loaded is None or self._loaded[0] != wanted:
            # MLflow takes seconds and memory that a server nobody asks for a score need not spend.
            from winback_serving.loader import load_champion

            try:
                champion = load_champion(self.settings.tracking_uri, self.settings.training.model_name)
            except ConfigError as error:
                raise ConflictError(error.what, where=error.where, how=error.how) from error
            self._loaded = (champion.digest, champion.model)
        if self._loaded[0] != wanted:
            what = f"The run of {run.as_of} was scored by version {run.record['model']['version']}, which is not the champion."
            raise ConflictError(what, where="model", how="Ask for a newer run, or score the day again.")
        return self._loaded[1]


def score_histories(
    settings: Settings, run: Run, model: Predictor, histories: Histories
) -> list[dict[str, Any]]:
    """Score histories with a given model; see `Scorer.score`."""
    as_of, record = run.as_of, run.record
    stored = record.get(THRESHOLDS_KEY)
    policy = replace(settings.policy, rfm=RfmThresholds.from_dict(stored)) if stored else settings.policy
    score = replace(settings.score, horizon_days=record["horizon_days"])
    currency = settings.brand.currency
    with (
        tempfile.TemporaryDirectory(prefix="winback-score-") as name,
        open_engine(ENGINE, Path(name)) as backend,
    ):
        folder = Path(name)
        source = _write_sources(settings.source, histories, folder)
        today = max(as_of, today_in(settings.brand.timezone))
        try:
            tables = ingest(backend, source, settings.brand, today=today, base_dir=folder, work_dir=folder)
        except InputError as error:
            # The caller sent rows, and knows nothing of the files they were put in.
            place, ending, _ = error.where.partition(".parquet")
            where = f"body.{place}" if ending else error.where
            raise InputError(error.what, where=where, how=error.how) from error
        tables = without_suppressed(tables, suppressed_keys(settings.home))

        made = folder / "made"
        made.mkdir()

        def path(table: str) -> Path:
            return made / f"{table}.parquet"

        _, status, _ = write_features(tables, as_of, made, score.horizon_days)
        score_features(path("features"), model, as_of, score, currency, path("scores"))
        scores, features = (backend.read_parquet(path(table)) for table in ("scores", "features"))
        states = _states_before(settings.home, run, status, backend)
        asked = features.semi_join(worth_explaining(scores, states, policy), "contact_id")
        rows = asked.order_by("contact_id").to_pyarrow_batches()
        score_drivers(rows, model, score.horizon_days, path("drivers"))
        moved = _write_uplift(settings.home, run, features, scores, score.margin_share, path("uplift"))
        decision = decide(
            scores,
            features,
            status,
            states,
            DecisionDay(
                as_of=as_of,
                config=policy,
                currency=currency,
                has_contacts=tables.has_contacts,
                closed=tables.closed,
            ),
            drivers=backend.read_parquet(path("drivers")),
            uplift=backend.read_parquet(path("uplift")) if moved else None,
            usual_value=_usual_value(run),
            cache=lambda table: backend.create_table(gen_name("decision"), table, temp=True),
        )
        winback = decision.winback.order_by("contact_id").to_pyarrow().to_pylist()
        return _joined(winback, *(pq.read_table(path(table)).to_pylist() for table in ("scores", "drivers")))


def _joined(
    winback: list[dict[str, Any]], scores: list[dict[str, Any]], drivers: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    scored = {row["contact_id"]: row for row in scores}
    driven = {row.pop("contact_id"): row for row in drivers}
    found = []
    for row in winback:
        contact_id = row["contact_id"]
        shown = {name: value for name, value in row.items() if name not in PERSONAL}
        shown = scored.get(contact_id, {}) | shown
        # Only a whole list has ranks.
        found.append(shown | {"rank": None, "drivers": driven.get(contact_id)})
    return found


def _write_uplift(home: Path, run: Run, features: Any, scores: Any, margin_share: float, path: Path) -> bool:
    """Write what the uplift model of the run says of the contacts; say whether it had one."""
    wanted = run.record.get("uplift")
    if wanted is None:
        return False
    # Like MLflow: what it is made of takes a second to import, and few runs have one.
    from winback_models.uplift_bundle import load_uplift
    from winback_serving.run_uplift import FOLDER, write_uplift

    bundle = load_uplift(home / FOLDER)
    if bundle is None or bundle.digest != wanted:
        what = f"The uplift model that the run of {run.as_of} was decided with is there no more."
        raise ConflictError(what, where="uplift", how="Ask for a newer run, or score the day again.")
    write_uplift(features, scores, bundle, margin_share, path)
    return True


def _usual_value(run: Run) -> float | None:
    """Return the usual order of the run's base, against which each contact's is measured."""
    checked_file(run.published, "features")
    (found,) = run.query("SELECT median(order_value_mean) AS usual FROM features")
    value: float | None = found["usual"]
    return value


def _states_before(home: Path, run: Run, status: Any, backend: Any) -> Any:
    """Return the contacts' states on the eve of the run, or None where it is the first."""
    previous = run.record.get("previous_run")
    if previous is None:
        return None
    found = RunStore(home).find(date.fromisoformat(previous["as_of"]), previous["run_id"])
    if found is None:
        return None
    return backend.read_parquet(checked_file(found, "states")).semi_join(status, "contact_id")


def _write_sources(source: SourceConfig, histories: Histories, folder: Path) -> SourceConfig:
    """Write the rows as files in the contract's own columns, every value as text, and say where they are."""
    given = ((ORDERS, histories.orders), (EVENTS, histories.events), (CONTACTS, histories.contacts))
    places = {spec.name: _write(spec, rows, folder) for spec, rows in given}
    return SourceConfig(
        orders=places["orders"] or "",
        events=places["events"],
        contacts=places["contacts"],
        timezone=source.timezone,
        max_bad_share=0.0,
    )


def _write(spec: TableSpec, rows: Rows, folder: Path) -> str | None:
    if not rows:
        return None
    schema = pa.schema([(name, pa.string()) for name in spec.names])
    table = pa.Table.from_pylist(
        [{name: _text(row.get(name)) for name in spec.names} for row in rows], schema
    )
    there = [name for name in spec.names if table.column(name).null_count < table.num_rows]
    needed = [column.name for column in spec.columns if column.required and column.name not in there]
    pq.write_table(table.select([*there, *needed]), folder / f"{spec.name}.parquet")
    return f"{spec.name}.parquet"


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, datetime) else str(value)
