"""Which published runs are kept, and how one goes: whole, by one rename out of the readers' sight."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from winback_features.errors import InputError
from winback_serving.parquet import count_rows
from winback_serving.store import RUN_FILE, PublishedRun, RunStore

OUTCOME_DAYS = 365
"""What became of those flagged is read for so long after their entry, at least."""

READ_WITHIN = 31
"""Days after the last window has closed within which it will have been read."""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """One run folder on disk.

    Attributes
    ----------
    run : PublishedRun
    current : bool
        Whether readers take it for its day.
    entries : int
        Contacts that were flagged on its day.
    bytes : int
        On disk.
    """

    run: PublishedRun
    current: bool
    entries: int
    bytes: int


def stored_runs(store: RunStore) -> list[StoredRun]:
    """Return every run on disk, by day and id, also those that a newer one of their day has replaced."""
    found = []
    for run in store.on_disk():
        if not (run.folder / RUN_FILE).is_file():
            continue
        current = store.current(run.as_of)
        entries = run.file("entries")
        found.append(
            StoredRun(
                run,
                current is not None and current.run_id == run.run_id,
                count_rows(entries) if entries.is_file() else 0,
                folder_bytes(run.folder),
            )
        )
    return found


def outcome_days(window_days: int, later_days: Sequence[int]) -> int:
    """Return for how many days after an entry its run is needed to read what became of the contact.

    Parameters
    ----------
    window_days : int
        Length of the window that outcomes are read in.
    later_days : sequence of int
        So long after entry it is asked whether the contact still buys.

    Examples
    --------
    >>> outcome_days(90, (91, 182, 365)), outcome_days(730, (91, 182, 365))
    (396, 761)
    """
    return max(OUTCOME_DAYS, window_days, *later_days) + READ_WITHIN


def choose(
    runs: Sequence[StoredRun],
    keep_days: int,
    *,
    forget_outcomes: bool = False,
    read_days: int = OUTCOME_DAYS,
) -> tuple[list[StoredRun], list[StoredRun]]:
    """Say which runs may go, and which are old enough but still needed.

    Parameters
    ----------
    runs : sequence of StoredRun
    keep_days : int
        Days up to the newest run whose runs stay.
    forget_outcomes : bool
        Also let go what is needed to read what became of those flagged.
    read_days : int
        What became of those flagged is read for so many days: see `outcome_days`.

    Returns
    -------
    list of StoredRun
        May go. Never the newest two current runs: the next day's states and today's comparison come from them.
    list of StoredRun
        Old, but kept: contacts entered on that day less than ``read_days`` before the newest run.
    """
    current = sorted(stored.run.as_of for stored in runs if stored.current)
    if not current:
        return [], []
    newest, needed = current[-1], {*current[-2:]}
    old = [
        stored
        for stored in runs
        if stored.run.as_of <= newest - timedelta(days=keep_days)
        and not (stored.current and stored.run.as_of in needed)
    ]
    young = newest - timedelta(days=read_days)
    held = [
        stored
        for stored in old
        if stored.current and stored.entries and stored.run.as_of > young and not forget_outcomes
    ]
    return [stored for stored in old if stored not in held], held


def remove(store: RunStore, runs: Sequence[PublishedRun]) -> None:
    """Remove runs, under the lock. Killed half way, it is finished by the next job.

    A folder leaves by one rename into staging, from where every job sweeps; then its day goes if nothing else is in it.
    """
    for run in runs:
        aside = store.staging_base() / uuid.uuid4().hex
        run.folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
    for day in store.root.glob("????-??-??"):
        if not any(day.glob(f"*/{RUN_FILE}")):
            shutil.rmtree(day, ignore_errors=True)


def withdraw(store: RunStore, day: date) -> list[PublishedRun]:
    """Take the newest published day back, with every run of it; the caller holds the lock.

    Parameters
    ----------
    store : RunStore
    day : date

    Returns
    -------
    list of PublishedRun
        What was removed.

    Raises
    ------
    InputError
        When nothing is published for that day, or a later day is: its states come from this one.
    """
    published = [run.as_of for run in store.list_runs()]
    newest = published[-1] if published else None
    if day not in published:
        there = f"The newest day that is published is {newest}." if newest else "No day is published."
        raise InputError(
            f"No run is published for {day}: there is nothing to withdraw.", where=str(store.root), how=there
        )
    if day != newest:
        raise InputError(
            f"Runs of later days are published, up to {newest}; their states come from this one.",
            where=str(day),
            how=f"Only the newest day can be withdrawn: begin with {newest}.",
        )
    runs = [stored.run for stored in stored_runs(store) if stored.run.as_of == day]
    remove(store, runs)
    return runs


def folder_bytes(path: Path) -> int:
    """Return what a folder takes on disk, in bytes."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
