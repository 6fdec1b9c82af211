"""A daily job can be killed anywhere: readers see whole runs, and the next job ends as if nothing had happened."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def play(script: str, *options: str) -> dict[str, Any]:
    """Run a script beside this file, in a process that may fork, and return what it prints."""
    command = [sys.executable, Path(__file__).with_name(script), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_job_killed_at_any_of_a_hundred_points_loses_and_repeats_nothing() -> None:
    said = play("fault_injection.py", "--points", "110", "--rerun-every", "8")
    assert said["wrong"] == []
    assert said["killed"] == said["passed"] >= 100
    assert said["reruns"] >= said["killed"] // 8
    assert set(said["steps"]) >= {
        "Taking the lock",
        "Reading and checking the inputs",
        "Building features",
        "Scoring contacts",
        "Asking what raises their risk",
        "Deciding who enters and who leaves",
        "Publishing the run",
    }


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_jobs_at_once_and_a_full_disk_harm_nothing() -> None:
    said = play("fault_scenarios.py")
    for second in said["one_after_the_other"].values():
        assert second == {"first": 0, "second": 2, "wrong": []}
    for both in said["at_the_same_time"]:
        assert both["codes"] in ([0, 0], [0, 2])
        assert both["wrong"] == []
    for trial in said["full_disk"]:
        assert trial == {"limit": trial["limit"], "code": 2, "wrong": []}
