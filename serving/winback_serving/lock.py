"""The one lock of a home folder: who writes here, since when, and what to do about one who left without a word.

The system holds the lock (``flock``) and lets go of it when the process ends, however it ends; a process number that is
used again means nothing. The file's text says who the owner is, for people, and for machines that do not share locks:
an owner that is named there although the lock is free has died, if it was on this machine since it was started; of
another machine nobody can tell, and its word stands until it is too old.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from winback_features.errors import WinbackError

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
MOST_HOURS = 24.0
"""After so long the word of an owner on another machine counts no more."""


class StoreBusyError(WinbackError):
    """Another job holds the store."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds the lock.

    Attributes
    ----------
    pid : int
    host : str
    boot : str
        Of this start of the machine; empty where the system does not tell.
    command : str
        What it is doing, such as ``score``.
    since : float
        Seconds since 1970, UTC.
    """

    pid: int
    host: str
    boot: str
    command: str
    since: float

    @classmethod
    def myself(cls, command: str) -> Owner:
        """Return this process as an owner, from now."""
        boot = BOOT_ID.read_text(encoding="ascii").strip() if BOOT_ID.is_file() else ""
        return cls(os.getpid(), socket.gethostname(), boot, command, time.time())

    @classmethod
    def read(cls, file: TextIO) -> Owner | None:
        """Return the owner that a lock file names; None where it is empty or was cut off."""
        file.seek(0)
        try:
            return cls(**json.loads(file.read()))
        except (ValueError, TypeError):
            return None

    def here(self, other: Owner) -> bool:
        """Say whether both were on one machine: the same start of it, or the same name where that is not known."""
        if self.boot and self.boot == other.boot:
            return True
        return self.host == other.host

    def __str__(self) -> str:
        return f"`winback {self.command}`, process {self.pid} on {self.host}, since {self.age()}"

    def age(self, now: float | None = None) -> str:
        """Return how long it has been the owner.

        >>> Owner(7, "a", "", "score", 0.0).age(now=7500.0)
        '2 h 5 min'
        """
        seconds = (time.time() if now is None else now) - self.since
        if seconds < 0:
            return "a time that lies ahead of this clock"
        hours, minutes = divmod(int(seconds // 60), 60)
        return f"{hours} h {minutes} min" if hours else f"{minutes} min"


@contextmanager
def hold(
    path: Path,
    command: str,
    *,
    say: Callable[[str], None] = lambda text: None,
    most_hours: float = MOST_HOURS,
) -> Iterator[None]:
    """Hold a lock file for one job.

    Parameters
    ----------
    path : Path
        Its folder must exist. The file is never removed: one that is removed can be locked twice.
    command : str
        For those who are refused meanwhile.
    say : callable
        Told when the lock is taken over from an owner that died.
    most_hours : float
        Age from which an owner on another machine counts as dead.

    Raises
    ------
    StoreBusyError
        When another job holds it, or one on another machine did not say that it has ended.
    """
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            what = f"Another job is writing here: {Owner.read(file) or 'unknown'}."
            how = "Wait until it has ended. If it hangs, end it: the lock goes with it."
            raise StoreBusyError(what, where=str(path.parent), how=how) from None
        me, left = Owner.myself(command), Owner.read(file)
        if left is not None:
            _take_over(left, me, path, say, most_hours)
        _write(file, json.dumps(asdict(me)) + "\n")
        try:
            yield
        finally:
            _write(file, "")


def _take_over(left: Owner, me: Owner, path: Path, say: Callable[[str], None], most_hours: float) -> None:
    """Say that an owner has died, or refuse where it may live on another machine."""
    if not left.here(me) and 0 <= me.since - left.since < most_hours * 3600:
        what = f"A job on another machine has not said that it ended: {left}."
        how = f"Wait for it; if that machine is gone, empty {path.name} there. After {most_hours:g} h it counts as dead."
        raise StoreBusyError(what, where=str(path), how=how)
    say(f"The job before this one died at its work ({left}); what it left half done is cleared away")


def _write(file: TextIO, text: str) -> None:
    file.truncate(0)
    file.write(text)
    file.flush()
