"""Published runs on disk: written in a staging folder, published by one rename, never changed afterwards.

Layout under the home folder::

    runs/<as_of>/<run_id>/…      one immutable run
    runs/<as_of>/current         the run_id that readers take for that day
    runs/.staging/…              unfinished work; cleared away by the next job when its owner died
    runs/.lock                   held by the one job that may write; says who that is
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from winback_features.errors import InputError
from winback_serving.lock import MOST_HOURS, hold

SCHEMA_VERSION = 1
RUN_FILE = "run.json"
TIMINGS_FILE = "timings.json"


@dataclass(frozen=True, slots=True)
class PublishedRun:
    """One published run: where it is and which day it belongs to.

    Attributes
    ----------
    as_of : date
    run_id : str
    folder : Path
    fresh : bool
        Whether it was published just now; False when it had been there already.
    """

    as_of: date
    run_id: str
    folder: Path
    fresh: bool = False

    def file(self, name: str) -> Path:
        """Return the path of one of the run's Parquet files, such as ``scores``."""
        return self.folder / f"{name}.parquet"

    def info(self) -> dict[str, Any]:
        """Return the run's ``run.json``.

        Raises
        ------
        WinbackError
            When it is missing, damaged or of another schema version.
        """
        path = self.folder / RUN_FILE
        try:
            info: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(
                "The published run is damaged.",
                where=str(path),
                how="Delete its folder and score the day again.",
            ) from error
        if info.get("schema_version") != SCHEMA_VERSION:
            msg = f"The run has schema {info.get('schema_version')}, this winback reads {SCHEMA_VERSION}."
            raise InputError(
                msg,
                where=str(path),
                how="Score the day again with this version.",
            )
        return info


def made_earlier(run: PublishedRun, lacks: str) -> InputError:
    """Return the refusal of a run that lacks what only later versions write."""
    what = f"The run of {run.as_of} holds no {lacks}: an earlier version of winback made it."
    return InputError(what, where=str(run.folder), how=f"`winback score --as-of {run.as_of}` makes them.")


class RunStore:
    """The published runs of one home folder.

    Parameters
    ----------
    home : Path
        Nothing is created before something is written.
    """

    def __init__(self, home: Path) -> None:
        self.root = home / "runs"

    def days(self) -> list[date]:
        """Return the days that have a published run, oldest first."""
        if not self.root.is_dir():
            return []
        found = []
        for folder in self.root.iterdir():
            try:
                day = date.fromisoformat(folder.name)
            except ValueError:
                continue
            if (folder / "current").is_file():
                found.append(day)
        return sorted(found)

    def current(self, as_of: date) -> PublishedRun | None:
        """Return the run that stands for a day, or None."""
        try:
            run_id = (self.root / as_of.isoformat() / "current").read_text(encoding="utf-8").strip()
        except (FileNotFoundError, NotADirectoryError):
            return None
        folder = self.root / as_of.isoformat() / run_id
        return PublishedRun(as_of, run_id, folder) if folder.is_dir() else None

    def list_runs(self) -> list[PublishedRun]:
        """Return the run that stands for each day, oldest first."""
        return [run for run in map(self.current, self.days()) if run is not None]

    def on_disk(self) -> list[PublishedRun]:
        """Return every run there is, by day and id, also those that a newer one of their day has replaced."""
        folders = sorted(path for path in self.root.glob("????-??-??/*") if path.is_dir())
        return [PublishedRun(date.fromisoformat(path.parent.name), path.name, path) for path in folders]

    def previous_run(self, as_of: date) -> PublishedRun | None:
        """Return the newest published run of a day strictly before ``as_of``, or None."""
        earlier = [run for run in self.list_runs() if run.as_of < as_of]
        return earlier[-1] if earlier else None

    def read_run(self, as_of: date | None = None) -> PublishedRun:
        """Return the run of a day, or the newest one.

        Raises
        ------
        WinbackError
            When nothing is published (for that day).
        """
        runs = self.list_runs()
        found = [run for run in runs if as_of is None or run.as_of == as_of]
        if found:
            return found[-1]
        if as_of is None or not runs:
            raise InputError(
                "No run is published yet.", where=str(self.root), how="`winback score` makes one."
            )
        msg = f"No run is published for {as_of}."
        raise InputError(
            msg,
            where=str(self.root),
            how=f"`winback score --as-of {as_of}` makes it; the newest there is is {runs[-1].as_of}.",
        )

    @contextmanager
    def lock(
        self,
        command: str = "",
        *,
        say: Callable[[str], None] = lambda text: None,
        most_hours: float = MOST_HOURS,
    ) -> Iterator[None]:
        """Hold the store for one writing job, and clear away what a job that died has left half done.

        Readers never need it. The system releases it when the process ends, however it ends: see
        :mod:`winback_serving.lock`.

        Parameters
        ----------
        command : str
            What the job is, for those who are refused meanwhile.
        say : callable
            Told when the job before this one died.
        most_hours : float
            Age from which an owner on another machine counts as dead.

        Raises
        ------
        StoreBusyError
            When another job holds it.
        """
        _make_folder(self.root)
        with hold(self.root / ".lock", command, say=say, most_hours=most_hours):
            for left in self.staging_base().iterdir():
                shutil.rmtree(left, ignore_errors=True)
            yield

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """Give an empty folder to write a run in; whatever is left of it afterwards is removed.

        Under the lock: what lies there when the lock is taken belongs to nobody.
        """
        folder = self.staging_base() / uuid.uuid4().hex
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def publish(self, staged: Path, as_of: date, run_id: str) -> PublishedRun:
        """Make a staged folder the published run of its day.

        The folder is moved by one rename and then named in ``current`` by another; a reader sees the old run
        or the new one. A run that is already there (its name is a digest of its inputs) is kept as it is.

        Parameters
        ----------
        staged : Path
            A complete folder under :meth:`staging`.
        as_of : date
        run_id : str

        Returns
        -------
        PublishedRun
        """
        day = self.root / as_of.isoformat()
        _make_folder(day)
        target = day / run_id
        fresh = not target.exists()
        if fresh:
            for path in [*staged.rglob("*"), staged]:
                fsync(path)
            staged.rename(target)
            fsync(day)
        self.point_at(as_of, run_id)
        return PublishedRun(as_of, run_id, target, fresh)

    def point_at(self, as_of: date, run_id: str) -> None:
        """Name the run that stands for a day, atomically; nothing is written when it is named already."""
        current = self.current(as_of)
        if current is None or current.run_id != run_id:
            write_atomically(self.root / as_of.isoformat() / "current", run_id + "\n")

    def find(self, as_of: date, run_id: str) -> PublishedRun | None:
        """Return that very run if it is on disk (it may not be the day's current one)."""
        folder = self.root / as_of.isoformat() / run_id
        return PublishedRun(as_of, run_id, folder) if (folder / RUN_FILE).is_file() else None

    def staging_base(self) -> Path:
        """Return the folder of unfinished work, made if need be; the engine spills there as well."""
        base = self.root / ".staging"
        base.mkdir(parents=True, exist_ok=True)
        return base


def write_atomically(path: Path, text: str) -> None:
    """Write a small text file so that a reader sees the old text or the new, never a half."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    fsync(part)
    part.replace(path)
    fsync(path.parent)


def fsync(path: Path) -> None:
    """Ask the system to put a file, or the names in a folder, on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _make_folder(path: Path) -> None:
    """Make a folder, and its parents, so that their names outlive a power cut."""
    if not path.is_dir():
        _make_folder(path.parent)
        path.mkdir(exist_ok=True)
        fsync(path.parent)
