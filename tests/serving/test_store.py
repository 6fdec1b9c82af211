"""Runs appear whole or not at all, and the newest one named for a day is the one that is read."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from winback_features.errors import WinbackError
from winback_serving.lock import StoreBusyError
from winback_serving.store import RunStore

DAY = date(2020, 1, 2)


def publish(store: RunStore, day: date, run_id: str, text: str = '{"schema_version": 1}') -> Path:
    with store.lock(), store.staging() as folder:
        (folder / "run.json").write_text(text)
        return store.publish(folder, day, run_id).folder


def test_an_empty_home_has_no_runs_and_nothing_is_created(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    assert store.list_runs() == []
    assert store.current(DAY) is None
    assert store.previous_run(DAY) is None
    with pytest.raises(WinbackError, match="No run is published yet"):
        store.read_run()
    assert list(tmp_path.iterdir()) == []


def test_a_published_run_is_the_current_one(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    folder = publish(store, DAY, "aa")
    assert folder == tmp_path / "runs" / "2020-01-02" / "aa"
    assert (folder.parent / "current").read_text() == "aa\n"
    assert store.read_run().folder == folder
    assert store.read_run(DAY).info() == {"schema_version": 1}
    assert list((tmp_path / "runs" / ".staging").iterdir()) == []


def test_the_newer_run_of_a_day_replaces_the_older_which_stays_on_disk(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    first, second = publish(store, DAY, "aa"), publish(store, DAY, "bb")
    assert store.read_run(DAY).folder == second
    assert first.is_dir()
    publish(store, DAY, "aa")
    assert store.read_run(DAY).folder == first


def test_a_run_that_is_there_is_never_written_again(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    folder = publish(store, DAY, "aa")
    before = (folder / "run.json").stat()
    with store.staging() as staged:
        (staged / "run.json").write_text("other")
        assert not store.publish(staged, DAY, "aa").fresh
    after = (folder / "run.json").stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_the_previous_run_is_of_an_earlier_day(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    for day in (4, 1, 2):
        publish(store, date(2020, 1, day), f"run{day}")
    for day, expected in ((1, None), (2, "run1"), (3, "run2"), (4, "run2"), (9, "run4")):
        previous = store.previous_run(date(2020, 1, day))
        assert (previous and previous.run_id) == expected
    assert [run.run_id for run in store.list_runs()] == ["run1", "run2", "run4"]


def test_a_failure_in_staging_publishes_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    store = RunStore(tmp_path)

    def fail() -> None:
        with store.lock(), store.staging() as folder:
            (folder / "scores.parquet").write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.list_runs() == []
    assert list((tmp_path / "runs" / ".staging").iterdir()) == []


def test_a_run_renamed_but_not_yet_named_is_not_seen_and_is_taken_up_again(tmp_path: Path) -> None:
    """As after a crash between the two renames."""
    store = RunStore(tmp_path)
    folder = publish(store, DAY, "aa")
    (folder.parent / "current").unlink()
    assert store.list_runs() == []
    found = store.find(DAY, "aa")
    assert found is not None
    store.point_at(DAY, "aa")
    assert store.read_run(DAY).folder == folder


def test_what_a_dead_job_left_is_swept_with_the_next_lock_and_not_before(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    left = store.staging_base() / "left"
    left.mkdir()
    (left / "scores.parquet").write_text("half")
    assert store.list_runs() == []
    assert left.exists(), "readers clear nothing away"
    with store.lock("score"):
        assert list(store.staging_base().iterdir()) == []


HOLD = """
import sys, time
from pathlib import Path
from winback_serving.store import RunStore
with RunStore(Path(sys.argv[1])).lock():
    print("held", flush=True)
    time.sleep(60)
"""


def test_two_jobs_do_not_write_at_once_and_a_dead_one_does_not_block(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(StoreBusyError, match=f"process {holder.pid}") as caught,
            RunStore(tmp_path).lock(),
        ):
            pass
        assert caught.value.exit_code == 2
        holder.kill()
        holder.wait()
        with RunStore(tmp_path).lock():
            pass


@pytest.mark.parametrize("text", ["", "{", '{"schema_version": 99}'])
def test_a_damaged_run_is_told_in_words(tmp_path: Path, text: str) -> None:
    store = RunStore(tmp_path)
    publish(store, DAY, "aa", text)
    with pytest.raises(WinbackError, match="again"):
        store.read_run(DAY).info()


def test_a_day_without_a_run_names_the_newest_there_is(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    publish(store, DAY, "aa")
    with pytest.raises(WinbackError, match=r"2020-01-03.*2020-01-02"):
        store.read_run(date(2020, 1, 3))
