"""Two jobs at once, and a disk that is full: what each job ends with, and what is wrong afterwards.

python tests/serving/fault_scenarios.py
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from fault_injection import Bench, Plan, start, wait

from winback_serving.prune import remove, stored_runs
from winback_serving.settings import Settings
from winback_serving.store import RunStore

LIMITS = (0, 300, 1_500, 5_000, 12_000, 20_000)
"""Bytes that no file may exceed: the lock, the first small table, a large one, the record …"""


def one_after_the_other(bench: Bench, plan: Plan, second: str) -> dict[str, Any]:
    """Start a second job while the first is at work."""
    settings = bench.copy(f"then-{second}")
    ours, theirs = os.pipe()
    first = start(lambda: bench.job(settings, say=lambda text: os.write(theirs, b".")))
    os.close(theirs)
    os.read(ours, 1)
    refused = wait(start(lambda: bench.job(settings) if second == "score" else prune(settings)))
    while os.read(ours, 1):
        pass
    os.close(ours)
    return {"first": wait(first), "second": refused, "wrong": bench.wrong_at_the_end(settings, plan)}


def prune(settings: Settings) -> None:
    """Try to remove everything, as a careless second job."""
    store = RunStore(settings.home)
    with store.lock("runs prune"):
        remove(store, [stored.run for stored in stored_runs(store)])


def at_the_same_time(bench: Bench, plan: Plan, n: int) -> dict[str, Any]:
    """Start two jobs at once; one of them does the work."""
    settings = bench.copy(f"at-once-{n}")
    both = [start(lambda: bench.job(settings)) for _ in range(2)]
    codes = sorted(map(wait, both))
    return {"codes": codes, "wrong": bench.wrong_at_the_end(settings, plan)}


def full_disk(bench: Bench, plan: Plan, limit: int) -> dict[str, Any]:
    """Run a job that can write no file beyond a size."""
    settings = bench.copy(f"full-{limit}")

    def job() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        bench.job(settings)

    code = wait(start(job))
    wrong = bench.wrong_after_a_kill(settings, plan)
    wrong += [f"left behind: {path.name}" for path in RunStore(settings.home).staging_base().iterdir()]
    return {"limit": limit, "code": code, "wrong": wrong + bench.wrong_at_the_end(settings, plan)}


def main() -> None:
    """Play all scenarios and print what came out as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        plan = bench.undisturbed()
        said = {
            "one_after_the_other": {s: one_after_the_other(bench, plan, s) for s in ("score", "prune")},
            "at_the_same_time": [at_the_same_time(bench, plan, n) for n in range(2)],
            "full_disk": [full_disk(bench, plan, limit) for limit in LIMITS],
        }
    print(json.dumps(said, indent=2))


if __name__ == "__main__":
    main()
