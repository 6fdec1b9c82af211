"""Batch by batch: what was released and when, and what came back before the next batch goes out.

The record names nobody. Who was in a batch follows from the run, which does not change.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import ibis
import pyarrow as pa
from ibis.util import gen_name

from winback_features.engine import open_engine
from winback_features.errors import ConfigError, GateRefusal, InputError
from winback_features.files import file_digest
from winback_features.ingest import ingest
from winback_features.tables import Tables
from winback_policy import guardrail
from winback_policy.config import PolicyConfig
from winback_serving.export import Exported, ExportRequest, mailed_contacts, write_export
from winback_serving.exports.fallen import Fallen, fell_out
from winback_serving.settings import Settings
from winback_serving.store import PublishedRun, RunStore, write_atomically

FOLDER = "releases"
BOUNCE, COMPLAINT, SENT = "email_bounce_hard", "email_complaint", "email_sent"


@dataclass(frozen=True, slots=True)
class ReleasedBatch:
    """One batch that was handed out.

    Attributes
    ----------
    batch : int
        From 1.
    released_at : str
        ISO 8601, in the brand's zone.
    rows : int
    sha256 : list of str
        Of its files.
    forced : bool
        Whether somebody overrode the guardrail.
    mailed : int or None
        Contacts to be e-mailed, without those who had fallen out; None in a record of an older version.
    """

    batch: int
    released_at: str
    rows: int
    sha256: list[str]
    forced: bool = False
    mailed: int | None = None

    @property
    def day(self) -> date:
        """The day of its release: what happened from its first instant on counts as an answer to it."""
        return datetime.fromisoformat(self.released_at).date()


@dataclass(frozen=True, slots=True)
class Release:
    """A list that goes out in batches: the record on disk.

    Attributes
    ----------
    as_of : str
    run_id : str
        Of the run that all batches come from, even where the day has been scored again since.
    name, to : str
        List and format.
    batches : int
        In all.
    released : list of ReleasedBatch
        In order.
    """

    as_of: str
    run_id: str
    name: str
    to: str
    batches: int
    released: list[ReleasedBatch] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class BatchExported:
    """A batch as it was written.

    Attributes
    ----------
    exported : Exported
    released : ReleasedBatch
    again : bool
        It had been released before, and was only written again.
    same : bool
        The bytes are those of the first time.
    readings : tuple of guardrail.Reading
        What the batches before it brought; empty for the first, and where the batch was released before.
    fallen : Fallen
        Who of the whole list has fallen out since its run, and how much is known.
    """

    exported: Exported
    released: ReleasedBatch
    again: bool
    same: bool
    readings: tuple[guardrail.Reading, ...]
    fallen: Fallen


def release_batch(
    settings: Settings, run: PublishedRun, request: ExportRequest, now: datetime | None = None
) -> BatchExported:
    """Write one batch of a list, unless what came back from the batches before it speaks against it.

    Who bought, refused, bounced or was erased since the run is left out.

    Parameters
    ----------
    settings : Settings
    run : PublishedRun
        The run of the day; once the first batch is out, the run that it came from counts.
    request : ExportRequest
        With ``batch``.
    now : datetime, optional
        When; the clock of the brand's zone when absent.

    Returns
    -------
    BatchExported

    Raises
    ------
    ConfigError
        If the batch before it has not been released.
    GateRefusal
        If too many complained or bounced, or nothing is known of the batches before; ``request.force`` overrides it.
    """
    number = request.batch
    assert number is not None  # noqa: S101
    store = RunStore(settings.home)
    path = record_path(settings.home, run.as_of, request)
    with store.lock():
        record = read_record(path) or Release(
            run.as_of.isoformat(), run.run_id, request.name, request.to, request.batches
        )
        found = store.find(run.as_of, record.run_id)
        if found is None:
            what = f"The run {record.run_id} that the batches came from is gone."
            raise InputError(what, where=str(path), how="Delete this record to begin with batch 1 again.")
        if number > len(record.released) + 1:
            what = f"Batch {len(record.released) + 1} of {request.name} of {run.as_of} has not been released yet."
            raise ConfigError(what, where=f"--batch {number}", how=_under_way(settings.home, request))
        again = number <= len(record.released)
        readings: tuple[guardrail.Reading, ...] = ()
        clock = datetime.now(ZoneInfo(settings.brand.timezone))
        today = max([clock.date(), *(batch.day for batch in record.released)])
        with open_engine(settings.engine, store.staging_base()) as backend:
            tables = ingest(backend, settings.source, settings.brand, today=today, base_dir=settings.base_dir)
            if number > 1 and not again:
                readings = _guard(tables, settings.policy, found, request, record.released)
            fallen = fell_out(tables, found, request.name, store.read_run(), today)
        exported = write_export(found, request, fallen.contacts)
        digests = [file_digest(file.path) for file in exported.files]
        if again:
            before = record.released[number - 1]
            return BatchExported(exported, before, True, digests == before.sha256, (), fallen)
        moment = (now or clock).isoformat(timespec="seconds")
        forced = any(reading.verdict == "too_many" for reading in readings) or (number > 1 and not readings)
        done = ReleasedBatch(number, moment, exported.rows, digests, forced, exported.mailed)
        _write_record(path, replace(record, released=[*record.released, done]))
        return BatchExported(exported, done, False, True, readings, fallen)


def record_path(home: Path, as_of: date, request: ExportRequest) -> Path:
    """Return where the record of a release lies."""
    return home / FOLDER / f"{as_of}-{request.name}-{request.to}-{request.batches}.json"


def read_record(path: Path) -> Release | None:
    """Return the record of a release, None where there is none.

    Raises
    ------
    InputError
        When it is damaged.
    """
    try:
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Release(**{**stored, "released": [ReleasedBatch(**batch) for batch in stored["released"]]})
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        how = "Restore it from a backup; without it nobody knows which batches went out."
        raise InputError("The record of a release is damaged.", where=str(path), how=how) from None


def reactions(
    events: Any, batches: Sequence[tuple[ReleasedBatch, pa.Table]]
) -> tuple[dict[int, guardrail.Reaction], date | None]:
    """Count what came back from each batch since the day of its release.

    Parameters
    ----------
    events : ibis.Table
        `winback_features.tables.Tables.events`.
    batches : sequence of (ReleasedBatch, pyarrow.Table)
        Each with ``contact_id`` of those it e-mailed.

    Returns
    -------
    dict of int to Reaction
        By batch. Where the shop records its sends, only who was sent an e-mail since counts as e-mailed.
    date or None
        Of the newest event, of whomever.
    """
    backend = events.get_backend()
    (whole,) = (
        events.aggregate(newest=events.day.max(), sends=events.count(where=events.kind == SENT))
        .to_pyarrow()
        .to_pylist()
    )
    found = {}
    for batch, contacts in batches:
        theirs = backend.create_table(gen_name("batch"), contacts, temp=True)
        t = events.filter(events.day >= ibis.literal(batch.day)).semi_join(theirs, "contact_id")
        counted = t.aggregate(
            {kind: t.contact_id.nunique(where=t.kind == kind) for kind in (SENT, COMPLAINT, BOUNCE)}
        )
        (row,) = counted.to_pyarrow().to_pylist()
        sent = contacts.num_rows if batch.mailed is None else batch.mailed
        mails = row[SENT] if whole["sends"] else sent
        mails = max(mails, row[COMPLAINT], row[BOUNCE])
        found[batch.batch] = guardrail.Reaction(mails, row[COMPLAINT], row[BOUNCE])
    return found, whole["newest"]


def _guard(
    tables: Tables,
    policy: PolicyConfig,
    run: PublishedRun,
    request: ExportRequest,
    released: Sequence[ReleasedBatch],
) -> tuple[guardrail.Reading, ...]:
    """Read what the released batches brought; refuse the next one where that is too much, or is not known."""
    last = released[-1]
    mailed = mailed_contacts(run, request, [batch.batch for batch in released])
    out = list(zip(released, mailed, strict=True))
    found, newest = reactions(tables.events, out)
    if (not found[last.batch].mails and out[-1][1].num_rows) or newest is None or newest < last.day:
        if request.force:
            return ()
        told = f"The newest event is of {newest}." if newest else "There are no events."
        what = f"Nothing is known of what batch {last.batch} brought, released at {last.released_at}. {told}"
        how = "Bring newer events. If your tool shows no complaints, --force releases the next batch."
        raise GateRefusal(what, where="[source] events", how=how)
    after = {f"batch {last.batch}": found[last.batch]}
    if len(found) > 1:
        sums = (sum(getattr(r, n) for r in found.values()) for n in ("mails", "complaints", "bounces"))
        after[f"batches 1 to {last.batch}"] = guardrail.Reaction(*sums)
    readings = guardrail.read(after, policy)
    if not request.force:
        guardrail.check(readings)
    return readings


def _under_way(home: Path, request: ExportRequest) -> str:
    """Say which release of this list is under way, where there is one."""
    pattern = f"*-{request.name}-{request.to}-{request.batches}.json"
    open_ones = [
        record
        for path in sorted((home / FOLDER).glob(pattern))
        if (record := read_record(path)) and 0 < len(record.released) < record.batches
    ]
    if not open_ones:
        return "Release the batches one after another, from --batch 1 on."
    newest = open_ones[-1]
    return f"Under way is that of {newest.as_of}: --as-of {newest.as_of} --batch {len(newest.released) + 1}."


def _write_record(path: Path, record: Release) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(asdict(record), indent=2, ensure_ascii=False) + "\n")
