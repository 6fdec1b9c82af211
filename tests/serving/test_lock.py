"""One writer at a time: the living are respected, the dead are not waited for, and both are told in words."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from winback_serving.lock import MOST_HOURS, Owner, StoreBusyError, hold

HOLD = """
import sys, time
from pathlib import Path
from winback_serving.lock import hold
with hold(Path(sys.argv[1]), "score"):
    print("held", flush=True)
    time.sleep(60)
"""


def leave(path: Path, owner: Owner) -> None:
    """Leave the text of an owner that is gone, as after kill -9."""
    path.write_text(json.dumps(asdict(owner)), encoding="utf-8")


def test_the_owner_is_named_while_it_holds_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with hold(path, "score"):
        with path.open() as file:
            owner = Owner.read(file)
        assert owner is not None
        assert (owner.pid, owner.command) == (os.getpid(), "score")
        with pytest.raises(
            StoreBusyError, match=r"`winback score`, process \d+ on .*, since 0 min"
        ) as caught:
            hold(path, "erase").__enter__()
        assert caught.value.exit_code == 2
        assert "Wait until it has ended" in caught.value.how
    assert path.read_text() == ""


def test_a_killed_owner_is_taken_over_in_words(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreBusyError, match=f"process {holder.pid}"):
            hold(path, "score").__enter__()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    said: list[str] = []
    with hold(path, "score", say=said.append):
        pass
    (words,) = said
    assert f"died at its work (`winback score`, process {holder.pid}" in words
    with hold(path, "score", say=said.append):
        pass
    assert len(said) == 1, "who ended well is not called dead"


def test_a_process_number_that_is_used_again_holds_nothing(tmp_path: Path) -> None:
    path, me = tmp_path / "lock", Owner.myself("score")
    leave(path, replace(me, since=me.since - 60))
    said: list[str] = []
    with hold(path, "score", say=said.append):
        assert f"process {me.pid}" in said[0]


@pytest.mark.parametrize("boot", ["", "another start"])
def test_the_same_host_started_again_has_no_living_owner_from_before(tmp_path: Path, boot: str) -> None:
    path = tmp_path / "lock"
    leave(path, replace(Owner.myself("score"), boot=boot))
    with hold(path, "score"):
        pass


def test_a_container_of_another_name_on_the_same_kernel_shares_the_locks(tmp_path: Path) -> None:
    path, me = tmp_path / "lock", Owner.myself("score")
    leave(path, replace(me, host="3f2a11", boot=me.boot or "b"))
    assert replace(me, host="3f2a11", boot="b").here(replace(me, boot="b"))
    assert not replace(me, host="3f2a11", boot="b").here(replace(me, boot="c"))


def test_an_owner_on_another_machine_is_believed_until_it_is_too_old(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    foreign = replace(Owner.myself("score"), host="elsewhere", boot="another start")
    leave(path, replace(foreign, since=foreign.since - 3600 * (MOST_HOURS - 1)))
    with pytest.raises(StoreBusyError, match=r"process \d+ on elsewhere, since 23 h 0 min") as caught:
        hold(path, "score").__enter__()
    assert "After 24 h it counts as dead" in caught.value.how
    with hold(path, "score", most_hours=22):
        pass


def test_an_owner_from_the_future_of_this_clock_does_not_block_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    foreign = replace(Owner.myself("score"), host="elsewhere", boot="x")
    leave(path, replace(foreign, since=foreign.since + 1e6))
    said: list[str] = []
    with hold(path, "score", say=said.append):
        assert "lies ahead of this clock" in said[0]


@pytest.mark.parametrize("text", ["process 4711", "{", '{"pid": 1}', "[1]"])
def test_a_text_that_is_no_owner_blocks_nobody(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lock"
    path.write_text(text)
    with hold(path, "score"):
        pass
