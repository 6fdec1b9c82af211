"""Whether the files of a published run are those that were published, or those that an erasure has left.

A run's record holds the digest of each of its files, and erasures write down those before and after each file they replace. A
file is looked at once for as long as it stays the same file; one that nothing is recorded of is not looked at.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from winback_features.errors import InputError
from winback_features.files import file_digest
from winback_serving.erase import replaced_files
from winback_serving.store import PublishedRun


def checked_file(run: PublishedRun, name: str) -> Path:
    """Return the path of one of a run's Parquet files, such as ``states``, for work that must not rest on another.

    Raises
    ------
    InputError
        When it is neither the file that was published nor what erasures have made of it.
    """
    path = run.file(name)
    if fault := _fault(run, path.name):
        raise InputError(
            f"The file of the run {run.run_id} of {run.as_of} {fault}.",
            where=str(path),
            how=f"Bring it back from the backup, or delete the run's folder and `winback score --as-of {run.as_of}`.",
        )
    return path


def faults_of(run: PublishedRun) -> dict[str, str]:
    """Return what is wrong with the files of a run, by name; empty where each is as it should be.

    Raises
    ------
    InputError
        When its record is damaged.
    """
    return {name: fault for name in recorded(run) if (fault := _fault(run, name))}


def recorded(run: PublishedRun) -> dict[str, str]:
    """Return the digest of each file of a run as it was published; none of a run made before there were any."""
    digests: dict[str, str] = run.info().get("files", {})
    return digests


def digest_of(path: Path) -> str:
    """Return the sha256 of a file, as hex; computed once for as long as it is the same file."""
    stat = path.stat()
    return _digest(path, stat.st_ino, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=1024)
def _digest(path: Path, inode: int, mtime_ns: int, size: int) -> str:
    return file_digest(path)


def _fault(run: PublishedRun, name: str) -> str:
    """Say what is wrong with a file; nothing, in the usual case."""
    published = recorded(run).get(name)
    if published is None:
        return ""
    path = run.folder / name
    if not path.is_file():
        return "is gone"
    found = digest_of(path)  # before the erasures are read: they write down first, and replace then
    if found == published or found in _left_by_erasures(run, name, published):
        return ""
    return "is not the one that was published"


def _left_by_erasures(run: PublishedRun, name: str, published: str) -> set[str]:
    """Return the digests that a file had since, erasure by erasure; what was made of a changed file is not among them."""
    home, left = run.folder.parents[2], {published}
    steps = replaced_files(home).get((run.folder / name).relative_to(home).as_posix(), [])
    while more := {after for before, after in steps if before in left} - left:
        left |= more
    return left
