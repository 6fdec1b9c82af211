"""What came of the published runs: entries by their arm, followed through windows that have closed, frozen for good.

The sums of a day's entries are written to ``<home>/outcomes/`` once their window has closed, and are never written again. They
name nobody, so an erasure changes no past figure; everything that is told is read from them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import ibis
from ibis.util import gen_name

from winback_features.answers import count, records
from winback_features.tables import Tables
from winback_policy.config import PolicyConfig
from winback_policy.outcomes import windows
from winback_policy.outcomes.cells import Cell, Metric
from winback_policy.outcomes.config import OutcomesConfig
from winback_policy.outcomes.moments import added
from winback_policy.outcomes.readout import Measured, Plan, Readout, read
from winback_serving.erase import NOBODY
from winback_serving.intact import checked_file
from winback_serving.store import PublishedRun, RunStore, write_atomically

FOLDER = "outcomes"
SCHEMA_VERSION = 1
HOLDOUT = "holdout"
ENTRY_COLUMNS = {
    "contact_id": "string",
    "entered_at": "date",
    "arm": "string",
    "p_purchase": "float64",
    "value_at_risk": "float64",
    "rfm_segment": "string",
    "channel": "string",
    "entry_reason": "string",
}


@dataclass(frozen=True, slots=True)
class SentLog:
    """What the campaign log says beside the arms.

    Attributes
    ----------
    rows : int
    other_arm : int
        Rows whose arm is not the one drawn at entry.
    not_entered : int
        Rows to contacts that had not entered by then.
    """

    rows: int
    other_arm: int
    not_entered: int


@dataclass(frozen=True, slots=True)
class Outcomes:
    """All that is told of what was sent and what came of it.

    Attributes
    ----------
    as_of : date
        Facts of that day or later are not looked at.
    window_days : int
    currency : str
    entered, open, erased, again : int
        First entries, also those frozen of runs that are gone; of them those whose window is still open; those of contacts erased
        since; and later entries of the same contacts, which are left out.
    first_closes : date or None
        When the first open window closes.
    readout : Readout or None
        The treated against the holdout; None before a window has closed.
    experiments : mapping of str to Readout
    newcomers : Measured or None
        First basket of those who first bought on the days of entry.
    log : SentLog or None
        None where there is no log.
    simulated : str
        Says what was made up; empty where nothing was.
    """

    as_of: date
    window_days: int
    currency: str
    entered: int
    open: int
    erased: int = 0
    again: int = 0
    first_closes: date | None = None
    readout: Readout | None = None
    experiments: Mapping[str, Readout] = field(default_factory=dict)
    newcomers: Measured | None = None
    log: SentLog | None = None
    simulated: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as a JSON-ready object."""
        own = {
            name: getattr(self, name)
            for name in ("window_days", "currency", "entered", "open", "erased", "again")
        }
        return {
            "schema_version": SCHEMA_VERSION,
            "as_of": self.as_of.isoformat(),
            **own,
            "first_closes": self.first_closes and self.first_closes.isoformat(),
            "readout": self.readout and self.readout.as_dict(),
            "experiments": {name: found.as_dict() for name, found in self.experiments.items()},
            "newcomers": self.newcomers and _fields(self.newcomers),
            "log": self.log and _fields(self.log),
            "simulated": self.simulated,
        }


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


def read_outcomes(
    home: Path,
    tables: Tables,
    end: date,
    config: OutcomesConfig,
    policy: PolicyConfig,
    *,
    horizon_days: int,
    currency: str,
    margin_share: float = 1.0,
) -> Outcomes:
    """Freeze what has closed since the last reading, and read all that is frozen.

    Parameters
    ----------
    home : Path
    tables : Tables
        With the campaign log where there is one.
    end : date
        Facts of that day or later are not looked at; windows that end by then have closed.
    config : OutcomesConfig
    policy : PolicyConfig
        ``holdout_share`` and ``experiments`` say what shares were agreed.
    horizon_days : int
        The window where the settings name none.
    currency : str
    margin_share : float
        Of an amount.
    """
    window = config.window_days or horizon_days
    store = RunStore(home)
    runs = [run for run in store.list_runs() if run.as_of < end]
    entries, found = _entries(tables.backend, runs)
    frozen = Frozen(home / FOLDER, end)
    with store.lock():
        days = frozen.missing(found.days, f"{window}d", window)
        if days:
            cells = windows.outcome_cells(_on(entries, days), tables, end, window)
            cells += _experiment_cells(_on(entries, days), tables, end, window)
            frozen.write(days, f"{window}d", [*cells, *windows.newcomer_cells(tables, days, end)])
        for later in config.later_days:
            name = f"{window}d.after-{later}d"
            days = frozen.missing(found.days, name, later)
            if days:
                frozen.write(days, name, windows.later_cells(_on(entries, days), tables, end, later, window))
    cells = frozen.read(f"{window}d")
    later_cells = [c for later in config.later_days for c in frozen.read(f"{window}d.after-{later}d")]
    ours = [*(c for c in cells if not c.scope), *later_cells]
    newcomers = added(c.metrics["basket"] for c in cells if c.scope == windows.NEWCOMERS)
    kept = {run.as_of.isoformat() for run in runs}
    gone = [c for c in cells if not c.scope and not c.by and c.cohort not in kept]
    waiting = [day for day in found.days if day + timedelta(days=window) > end]
    return Outcomes(
        as_of=end,
        window_days=window,
        currency=currency,
        entered=sum(found.days.values()) + sum(cell.metrics["bought"].n for cell in gone),
        open=sum(found.days[day] for day in waiting),
        erased=found.erased,
        again=found.again,
        first_closes=min(waiting) + timedelta(days=window) if waiting else None,
        readout=summarise(ours, policy, config, margin_share) if ours else None,
        experiments=_experiments(cells, policy, config, margin_share),
        newcomers=Measured(windows.NEW, "basket", "about", newcomers.n, newcomers.mean, None, None)
        if newcomers.n
        else None,
        log=_log(entries, tables.campaign_log),
    )


def summarise(
    cells: Sequence[Cell], policy: PolicyConfig, config: OutcomesConfig, margin_share: float = 1.0
) -> Readout | None:
    """Read the treated against the holdout; None where nobody was held out."""
    if not any(c.arm == HOLDOUT for c in cells):
        return None
    shares = {HOLDOUT: policy.holdout_share, "treatment": 1 - policy.holdout_share}
    return _read(cells, HOLDOUT, shares, config, margin_share)


def _read(
    cells: Sequence[Cell],
    control: str,
    shares: Mapping[str, float],
    config: OutcomesConfig,
    margin_share: float,
) -> Readout:
    known = {name for cell in cells for name, sums in cell.metrics.items() if sums.n}
    metrics = [m for m in windows.METRICS if m.name in known]
    if margin_share != 1.0:
        revenue = next(m for m in metrics if m.name == "revenue")
        metrics.insert(metrics.index(revenue) + 1, replace(revenue, name="margin"))
        cells = [_with_margin(cell, margin_share) for cell in cells]
    metrics += [
        Metric(name, "share", "p_purchase") for name in sorted(known) if name.startswith("active_after")
    ]
    return read(cells, Plan(control, tuple(metrics), shares, running=True, confidence=config.confidence))


def _with_margin(cell: Cell, share: float) -> Cell:
    revenue = cell.metrics.get("revenue")
    if revenue is None:
        return cell
    margin = replace(revenue, y=revenue.y * share, yy=revenue.yy * share**2, xy=revenue.xy * share)
    return replace(cell, metrics={**cell.metrics, "margin": margin})


def _experiment_cells(entries: Any, tables: Tables, end: date, window: int) -> list[Cell]:
    varied = entries.filter(entries.experiment.notnull() & entries.variant.notnull())
    if not count(varied):
        return []
    varied = varied.mutate(arm=varied.variant, scope=varied.experiment)
    return windows.outcome_cells(varied, tables, end, window, by=())


def _experiments(
    cells: Sequence[Cell], policy: PolicyConfig, config: OutcomesConfig, margin_share: float
) -> dict[str, Readout]:
    """Read every experiment there is an outcome of; one that the settings have forgotten by equal shares."""
    agreed = {e.name: e for e in policy.experiments}
    out = {}
    for name in sorted({c.scope for c in cells if c.scope not in ("", windows.NEWCOMERS)}):
        here = [c for c in cells if c.scope == name]
        arms = sorted({c.arm for c in here})
        control = agreed[name].control if name in agreed else arms[0]
        shares = agreed[name].share_of if name in agreed else dict.fromkeys(arms, 1.0)
        if control in arms:
            out[name] = _read(here, control, shares, config, margin_share)
    return out


@dataclass(frozen=True, slots=True)
class _Found:
    days: Mapping[date, int]
    erased: int
    again: int


def _entries(backend: Any, runs: Sequence[PublishedRun]) -> tuple[Any, _Found]:
    """Return the first entry of each contact over all runs, and how many there are on each day."""
    optional = {"experiment": "string", "variant": "string"}
    kinds = ENTRY_COLUMNS | optional
    parts = []
    for run in runs:
        table = backend.read_parquet(checked_file(run, "entries"))
        nulls = {n: ibis.null(kind) for n, kind in kinds.items() if n not in table.columns}
        there = {n: table[n].cast(kind) for n, kind in kinds.items() if n in table.columns}
        parts.append(table.select(**there, **nulls).select(*kinds))
    name = gen_name("outcome_entries")
    if not parts:
        return backend.create_table(name, schema=ibis.schema(kinds), temp=True), _Found({}, 0, 0)
    every = ibis.union(*parts) if len(parts) > 1 else parts[0]
    erased = every.contact_id.startswith(NOBODY)
    known = every.filter(~erased & every.arm.notnull())
    first = windows.first_entries(without_earlier(backend, known, runs))
    entries = backend.create_table(name, first, temp=True)
    (n,) = records(every.aggregate(rows=every.count(), erased=erased.sum()))
    days = {
        row["entered_at"]: row["n"]
        for row in records(entries.group_by("entered_at").aggregate(n=entries.count()))
    }
    gone = int(n["erased"] or 0)
    return entries, _Found(dict(sorted(days.items())), gone, n["rows"] - gone - sum(days.values()))


def without_earlier(backend: Any, entries: Any, runs: Sequence[PublishedRun]) -> Any:
    """Leave out the contacts that entered before the oldest run that is left, as its states tell.

    Parameters
    ----------
    backend : ibis backend
    entries : ibis.Table
        With ``contact_id``.
    runs : sequence of PublishedRun
        Oldest first; at least one.
    """
    states = backend.read_parquet(checked_file(runs[0], "states"))
    return entries.anti_join(windows.entered_before(states), "contact_id")


def _on(entries: Any, days: Sequence[date]) -> Any:
    return entries.filter(entries.entered_at.isin([ibis.literal(day) for day in days]))


def _log(entries: Any, log: Any | None) -> SentLog | None:
    if log is None:
        return None
    drawn = entries.select(entry_id="contact_id", drawn="arm", since="entered_at")
    t = log.left_join(drawn, (log.contact_id == drawn.entry_id) & (log.sent_at.date() >= drawn.since))
    (n,) = records(
        t.aggregate(
            rows=t.count(), other=(t.arm != t.drawn).fill_null(False).sum(), missing=t.entry_id.isnull().sum()
        )
    )
    return SentLog(n["rows"], int(n["other"] or 0), int(n["missing"] or 0))


@dataclass(frozen=True)
class Frozen:
    """The sums of each day's entries on disk; what is there is never written again.

    Attributes
    ----------
    folder : Path
    end : date
        Windows that end by then have closed.
    """

    folder: Path
    end: date

    def path(self, day: date, name: str) -> Path:
        """Return the file of one day and window."""
        return self.folder / f"{day.isoformat()}.{name}.json"

    def missing(self, days: Mapping[date, int], name: str, window: int) -> list[date]:
        """Return the days whose window has closed and that are not frozen yet."""
        closed = [day for day in days if day + timedelta(days=window) <= self.end]
        return [day for day in closed if not self.path(day, name).exists()]

    def write(self, days: Sequence[date], name: str, cells: Sequence[Cell]) -> None:
        """Freeze the sums of these days."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for day in days:
            own = [cell.as_dict() for cell in cells if cell.cohort == day.isoformat()]
            text = json.dumps(
                {"schema_version": SCHEMA_VERSION, "day": day.isoformat(), "cells": own}, indent=1
            )
            write_atomically(self.path(day, name), text + "\n")

    def read(self, name: str) -> list[Cell]:
        """Return all cells of one kind of window, oldest day first."""
        paths = sorted(self.folder.glob(f"????-??-??.{name}.json"))
        return [
            Cell.from_dict(cell) for path in paths for cell in json.loads(path.read_text("utf-8"))["cells"]
        ]
