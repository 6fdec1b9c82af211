"""Trainings that the tracker does not have: kept from before they are logged until it has taken them."""

from __future__ import annotations

import shlex
import shutil
from contextlib import suppress
from pathlib import Path

from winback_training.training_record import BUNDLE, FILES, RECORD_FILE, TrainingRecord

FOLDER = "unlogged"
"""In the home folder."""


def keep(folder: Path, record: TrainingRecord, home: Path) -> tuple[Path, str]:
    """Copy a training to where it stays whatever becomes of the process.

    Parameters
    ----------
    folder : Path
        By `write_training`, which gave the record.
    record : TrainingRecord
    home : Path

    Returns
    -------
    Path
        Where it lies.
    str
        A sentence that says so, and what to do with it; or why it could not be kept.
    """
    place = home / FOLDER / f"{record.as_of}-{record.tags['digest'][:12]}"
    unfinished = place.with_name(f".{place.name}")
    try:
        shutil.copytree(folder, unfinished, dirs_exist_ok=True)
        clear(place)  # of the same training, logged in vain before
        unfinished.rename(place)
    except OSError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        return place, f"The trained model could not be kept in {place} either ({error})."
    return (
        place,
        f"The trained model is kept, and need not be trained again: `{register(place)}` logs and registers it.",
    )


def register(place: Path) -> str:
    """Return the command that logs and registers a kept training.

    >>> register(Path("my shop/unlogged/2024-01-01-5f"))
    "winback models register 'my shop/unlogged/2024-01-01-5f'"
    """
    return f"winback models register {shlex.quote(str(place))}"


def waiting(home: Path) -> tuple[Path, ...]:
    """Return the kept trainings, oldest day first."""
    return tuple(sorted(record.parent for record in (home / FOLDER).glob(f"[!.]*/{RECORD_FILE}")))


def clear(place: Path) -> None:
    """Remove a training that the tracker has taken, and its folder unless something else lies in it."""
    (place / RECORD_FILE).unlink(missing_ok=True)
    for name in (BUNDLE, FILES):
        shutil.rmtree(place / name, ignore_errors=True)
    with suppress(OSError):
        place.rmdir()
        if place.parent.name == FOLDER:
            place.parent.rmdir()
