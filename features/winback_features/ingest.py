"""Take the shop's tables in: what is sound becomes :class:`Tables`, the rest goes to quarantine.

A row that breaks a rule is put aside with a reason and the run goes on; a table that breaks one is
refused with :class:`~winback_features.errors.InputError`, before anything was written. Nothing is dropped
silently: for every table ``rows in == rows used + rows quarantined``.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import ibis
from ibis.util import gen_name

from winback_features import clean, refusals
from winback_features.answers import count, name_of, names_beneath, records
from winback_features.config import BrandConfig, SourceConfig
from winback_features.contracts import CAMPAIGN_LOG, CONTACTS, EVENTS, ORDERS, TableSpec
from winback_features.errors import ConfigError
from winback_features.mapping import MappedTable, map_columns
from winback_features.netting import cancellations, with_cancellations
from winback_features.notices import (
    country_notices,
    matching_notices,
    order_notices,
    padded_notices,
    table_notices,
)
from winback_features.order_sums import orders_of
from winback_features.quarantine import quarantined
from winback_features.reports import IngestReport, TableReport
from winback_features.rules import (
    DUPLICATE_CONTACT,
    DUPLICATE_LINE,
    UNREADABLE_LINE,
    repeated_rows,
    superseded_contacts,
)
from winback_features.sources import ROW, RawTable, open_sources
from winback_features.staging import FAULT, StagedTable, stage, without_digests
from winback_features.tables import (
    CAMPAIGN_LOG_SCHEMA,
    CONTACTS_SCHEMA,
    EVENTS_SCHEMA,
    LINES_SCHEMA,
    ORDERS_SCHEMA,
    QUARANTINE_SCHEMA,
    Tables,
)
from winback_features.values import Clock

__all__ = ["Tables", "ingest"]


def ingest(
    backend: Any,
    source: SourceConfig,
    brand: BrandConfig,
    *,
    today: date,
    base_dir: Path = Path(),
    with_log: bool = False,
    work_dir: Path | None = None,
    hold: bool = True,
) -> Tables:
    """Read, check and clean every configured table.

    Parameters
    ----------
    backend : ibis backend
        From :func:`winback_features.engine.open_engine`; it holds the tables as long as it is open.
    source : SourceConfig
    brand : BrandConfig
    today : datetime.date
        The last day, in the brand's zone, on which something can have happened; later rows are quarantined.
    base_dir : pathlib.Path
        Folder to which relative paths of ``source`` are relative.
    with_log : bool
        Whether the campaign log is read as well, where there is one. It may be empty: on the first day nothing has been sent.
    work_dir : pathlib.Path, optional
        Where a copy of a file may lie while it is read; the system's temporary folder when absent.
    hold : bool
        Whether the clean tables are written out, for work that reads them many times. Otherwise they are expressions over the
        rows as read, which cost less where each is read a few times. Another engine than DuckDB holds them always.

    Returns
    -------
    Tables

    Raises
    ------
    InputError
        If a table cannot be read or breaks the contract as a whole.
    ConfigError
        If a zone, the column mapping or the database is wrong.
    """
    clock, hold = _clock(source, brand), hold or backend.name != "duckdb"
    with tempfile.TemporaryDirectory(prefix="winback-", dir=work_dir) as work:
        intake = _Intake(backend, source, brand, clock, today, base_dir, Path(work), with_log, hold)
        return intake.run()


def _clock(source: SourceConfig, brand: BrandConfig) -> Clock:
    for name, zone in (("brand.timezone", brand.timezone), ("source.timezone", source.timezone)):
        try:
            ZoneInfo(zone or "UTC")
        except (ZoneInfoNotFoundError, ValueError, OSError):
            what = f"There is no time zone called {zone!r}."
            raise ConfigError(what, where=name, how='Write it like "Europe/Amsterdam".') from None
    return Clock(brand.timezone, source.timezone or brand.timezone)


@dataclass(frozen=True)
class _Taken:
    """One table's sound rows, quarantined rows and report."""

    rows: ibis.Table
    quarantine: ibis.Table
    report: TableReport
    scratch: tuple[str, ...]
    mapped: MappedTable
    padded: int  # rows whose id begins or ends with a blank


@dataclass(frozen=True)
class _Intake:
    """One run of ingest."""

    backend: Any
    source: SourceConfig
    brand: BrandConfig
    clock: Clock
    today: date
    base_dir: Path
    work_dir: Path
    with_log: bool
    hold: bool

    def run(self) -> Tables:
        asked = (ORDERS, EVENTS, CONTACTS, *([CAMPAIGN_LOG] if self.with_log else []))
        specs = [spec for spec in asked if getattr(self.source, spec.name) is not None]
        names = [spec.name for spec in specs]
        on_spark = self.backend.name == "pyspark"
        reader, catalog = (
            (self.backend.reader, self.backend.copy_from_catalog) if on_spark else (self.backend, None)
        )
        raws = open_sources(reader, names, self.source, self.base_dir, self.work_dir, catalog)
        taken = {spec.name: self._take(raw, spec) for spec, raw in zip(specs, raws, strict=True)}

        lines = clean.order_lines(taken["orders"].rows, self.brand)
        summed = self._keep("summed", orders_of(lines))
        cancelled = self._keep("cancelled", cancellations(summed, self.brand.cancellation_days))
        orders = self._clean("orders", with_cancellations(summed, cancelled), ORDERS_SCHEMA)
        vocabulary = self.backend.create_table(gen_name("winback_vocabulary"), clean.VOCABULARY, temp=True)
        events = clean.clean_events(taken["events"].rows, vocabulary) if "events" in taken else None
        written = _countries(taken["contacts"]) if "contacts" in taken else {}
        contacts = clean.clean_contacts(taken["contacts"].rows, written) if "contacts" in taken else None
        log = taken["campaign_log"].rows if "campaign_log" in taken else None
        notices = {
            name: order_notices(summed) if name == "orders" else matching_notices(summed, t.rows, name)
            for name, t in taken.items()
        }
        if any(t.padded for t in taken.values()):
            ids = {name: (t.rows, t.mapped.in_sql("contact_id")) for name, t in taken.items()}
            for name, notice in padded_notices(ids).items():
                notices[name].append(notice)
        if "contacts" in taken:
            notices["contacts"] += country_notices(written)
        reports = tuple(t.report.adding(notices[name]) for name, t in taken.items())
        quarantine = (
            ibis.union(*(t.quarantine for t in taken.values()))
            if len(taken) > 1
            else taken["orders"].quarantine
        )
        tables = Tables(
            backend=self.backend,
            orders=orders,
            lines=self._clean("lines", clean.used_lines(lines), LINES_SCHEMA),
            events=self._clean("events", events, EVENTS_SCHEMA),
            contacts=self._clean("contacts", contacts, CONTACTS_SCHEMA),
            quarantine=self._keep(
                "quarantine", quarantine.order_by("table", "row_number"), QUARANTINE_SCHEMA
            ),
            report=IngestReport(reports),
            has_events="events" in taken,
            has_contacts="contacts" in taken,
            closed=self.brand.closed,
            send_hours=self.brand.send_hours,
            timezone=self.brand.timezone,
            campaign_log=None if log is None else self._keep("campaign_log", log, CAMPAIGN_LOG_SCHEMA),
        )
        if self.hold:
            scratch = (n for t in taken.values() for n in t.scratch)
            for name in (*map(name_of, (summed, cancelled, vocabulary)), *scratch):
                self.backend.drop_table(name)
        return tables

    def _take(self, raw: RawTable, spec: TableSpec) -> _Taken:
        """Read one table; refuse it, or part its rows into used and quarantined."""
        staged = self._stage(raw, spec)
        raw = staged.mapped.raw
        reasons = _broken_rules(staged)
        sound = reasons.pop("")
        rows_in = sound + reasons.total()
        if spec is not CAMPAIGN_LOG:
            refusals.refuse_empty(raw.label, rows_in)
        refusals.refuse_damaged_ids(staged)
        refusals.refuse_bad_share(staged, reasons, rows_in, self.source.max_bad_share)
        if spec is ORDERS:
            refusals.refuse_mixed_currencies(staged, self.brand)
        dropped, duplicates_kept = self._repeats(staged)
        staged = without_digests(staged)
        reasons.update(_count_by(dropped, "reason"))
        rows = staged.sound()
        if any(reason in reasons for reason in (DUPLICATE_LINE, DUPLICATE_CONTACT)):
            rows = rows.anti_join(dropped, ROW)
        found = _summary(rows, spec)
        report = TableReport(
            name=spec.name,
            source=raw.label,
            rows_in=rows_in,
            rows_used=found["rows"],
            rows_quarantined=reasons.total(),
            reasons=dict(sorted(reasons.items())),
            warnings=table_notices(staged, rows, self.brand, duplicates_kept),
            first_day=found.get("first"),
            last_day=found.get("last"),
            fingerprint=raw.fingerprint,
        )
        scratch = (*raw.scratch, *names_beneath(staged.rows), name_of(dropped))
        return _Taken(rows, quarantined(staged, dropped), report, scratch, staged.mapped, found["padded"])

    def _stage(self, raw: RawTable, spec: TableSpec) -> StagedTable:
        """Read one table into the engine; where that is Spark, in its tasks."""
        mapping: Mapping[str, str] = getattr(self.source, f"{spec.name}_columns")
        if self.backend.name == "pyspark":
            from winback_features.spark_staging import stage_in_tasks

            return stage_in_tasks(self.backend, raw, spec, mapping, self.clock, self.today)
        return stage(self.backend, map_columns(raw, spec, mapping), spec, self.clock, self.today)

    def _repeats(self, staged: StagedTable) -> tuple[ibis.Table, int]:
        """Return the rows to drop (``ROW, reason``) and how many equal lines are kept."""
        repeats = self._keep("repeats", repeated_rows(staged.sound(), staged.spec.time_column))
        dropped = repeats.filter(repeats.timed).select(ROW, reason=ibis.literal(DUPLICATE_LINE))
        kept = count(repeats.filter(~repeats.timed))
        if staged.spec is CONTACTS:
            older = superseded_contacts(staged.sound().anti_join(dropped, ROW))
            dropped = dropped.union(older.select(ROW, reason=ibis.literal(DUPLICATE_CONTACT)))
        return self._keep("dropped", dropped), kept

    def _clean(self, name: str, table: ibis.Table | None, schema: ibis.Schema) -> ibis.Table:
        """Hold one of the clean tables, or leave it an expression over what was read."""
        if self.hold or table is None:
            return self._keep(name, table, schema)
        return table.select(*schema.names).cast(schema)

    def _keep(self, name: str, table: ibis.Table | None, schema: ibis.Schema | None = None) -> ibis.Table:
        """Write an expression to a temporary table, in the given schema; an empty one for None."""
        place = gen_name(f"winback_{name}")
        if table is None:
            return self.backend.create_table(place, schema=schema, temp=True)
        if schema is not None:
            table = table.select(*schema.names).cast(schema)
        return self.backend.create_table(place, table, temp=True)


def _count_by(table: ibis.Table, column: str) -> dict[Any, int]:
    counts = table.group_by(column).aggregate(n=table.count())
    return {row[column]: row["n"] for row in records(counts)}


def _broken_rules(staged: StagedTable) -> Counter[str]:
    """Count rows by reason; sound rows under the empty reason."""
    reasons: Counter[str] = Counter({"": 0})
    for index, n in _count_by(staged.rows, FAULT).items():
        reasons["" if index is None else staged.rules[index].reason] += n
    rejected = staged.mapped.raw.rejected
    if rejected is not None and (lines := count(rejected)):
        reasons[UNREADABLE_LINE] = lines
    return reasons


def _summary(rows: ibis.Table, spec: TableSpec) -> dict[str, Any]:
    """Count rows, and those whose id begins or ends with a blank; with a time, their first and last day."""
    ids = rows.contact_id
    asked = {"rows": rows.count(), "padded": (ids.startswith(" ") | ids.endswith(" ")).sum().fill_null(0)}
    if spec.time_column is not None:
        moment = rows[spec.time_column]
        asked |= {"first": moment.min().date(), "last": moment.max().date()}
    (found,) = records(rows.aggregate(**asked))
    return found


def _countries(contacts: _Taken) -> dict[str, int]:
    """Count the contacts of each country as it is written."""
    if "country" not in contacts.mapped.theirs:
        return {}
    found = _count_by(contacts.rows, "country")
    return {country: n for country, n in found.items() if country is not None}
