"""Kill the daily job at many points, look at what it left, run it again, and compare with a job that nobody disturbed.

    python tests/serving/fault_injection.py --points 120

Every job runs in a process of its own, forked from one that has everything imported. It is killed by SIGKILL: either by
itself, just before it touches the home folder for the k-th time (``sys.addaudithook`` counts), or from outside, after a
share of the time that a step takes; that reaches into the engine's own threads.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import os
import random
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import ibis
import pyarrow.parquet as pq

from winback_features.files import file_digest
from winback_serving.batch import score_day
from winback_serving.cli import explain
from winback_serving.settings import Settings, load_settings
from winback_serving.store import RunStore

FIRST, DAY = date(1998, 6, 1), date(1998, 6, 8)
CLOCK_FILES = ("timings.json",)
EVERY = 40
"""Each so-many-th customer of CDNOW's sample."""

TOUCHES = {
    "open",
    "os.mkdir",
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.listdir",
    "os.scandir",
    "fcntl.flock",
}
BUG = 1

Say = Callable[[str], object]
Snapshot = dict[str, str]


@dataclass(frozen=True)
class Point:
    """Where a job is killed: before its ``touch``-th touch of the home folder, or after a ``share`` of a step."""

    touch: int | None = None
    step: int = 0
    share: float = 0.0


@dataclass(frozen=True)
class Plan:
    """What an undisturbed job does: touches of the home folder, steps with their seconds, and what it publishes."""

    touches: tuple[str, ...]
    steps: tuple[tuple[str, float], ...]
    result: Snapshot

    def points(self, most: int, seed: int) -> list[Point]:
        """Return every touch as a point, and the rest spread over the steps by their length, in a fixed order."""
        touches = [Point(touch=n) for n in range(1, len(self.touches) + 1)]
        rng = random.Random(seed)
        left, whole = max(most - len(touches), 0), sum(seconds for _, seconds in self.steps)
        points = list(touches)
        for n, (_, seconds) in enumerate(self.steps):
            here = max(3, round(left * seconds / whole))
            points += [Point(step=n, share=(k + rng.random()) / here) for k in range(here)]
        rng.shuffle(points)
        return points


def fixtures() -> Any:
    """Return the module of fixtures beside this file: the small shop and the quick model."""
    spec = importlib.util.spec_from_file_location("serving_fixtures", Path(__file__).with_name("conftest.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def listen(home: Path, touched: Callable[[str], object]) -> None:
    """Call back whenever this process touches the home folder from Python, just before it does."""
    beginning = str(home)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event not in TOUCHES:
            return
        paths = [str(a) for a in args[:2] if isinstance(a, str | os.PathLike)]
        if event == "fcntl.flock" or any(path.startswith(beginning) for path in paths):
            touched(" ".join([event, *(Path(path).name for path in paths)]))

    sys.addaudithook(hook)


def kill_at(home: Path, touch: int) -> None:
    """Let this process kill itself just before its ``touch``-th touch of the home folder."""
    counter = iter(range(1, touch + 1))

    def count(_: str) -> None:
        if next(counter) == touch:
            os.kill(os.getpid(), signal.SIGKILL)

    listen(home, count)


def start(job: Callable[[], object]) -> int:
    """Fork a process for a job and return its id; it ends with the exit code that the command line gives its error."""
    pid = os.fork()
    if pid:
        return pid
    code = BUG
    try:
        job()
        code = 0
    except Exception as error:
        code = int(explain(error)["exit_code"])
        if code == BUG:
            traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def wait(pid: int) -> int:
    """Return a job's exit code; minus the number of the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def snapshot(home: Path) -> Snapshot:
    """Return name and digest of everything published, but for what holds clock time."""
    files = (path for path in (home / "runs").glob("????-??-??/**/*") if path.is_file())
    return {str(p.relative_to(home)): file_digest(p) for p in files if p.name not in CLOCK_FILES}


class Bench:
    """A shop with one published day, copies of it, and jobs for the next day on them."""

    def __init__(self, folder: Path) -> None:
        _ = ibis.duckdb  # imported late otherwise, once for each job
        gc.disable()
        module = fixtures()
        self.model, self.folder, self.origin = module.RuleModel(), folder, folder / "origin"
        module.write_sample(self.origin, every=EVERY)
        assert wait(start(lambda: self.job(self.settings(self.origin), FIRST))) == 0
        self.before = snapshot(self.origin / ".winback")

    @staticmethod
    def settings(shop: Path) -> Settings:
        return load_settings(shop / "winback.toml", {})

    def copy(self, name: str) -> Settings:
        """Return the settings of a fresh copy of the shop."""
        return self.settings(Path(shutil.copytree(self.origin, self.folder / name)))

    def job(self, settings: Settings, day: date = DAY, say: Say = lambda text: None) -> None:
        """Do a day's work in this process."""
        score_day(settings, day, self.model, "digest", say)

    def undisturbed(self) -> Plan:
        """Run one job to its end, and note what there is to disturb."""
        settings = self.copy("undisturbed")
        ours, theirs = os.pipe()

        def tell(kind: str, text: str) -> None:
            os.write(theirs, f"{kind}\t{time.perf_counter()}\t{text}\n".encode())

        def job() -> None:
            listen(settings.home, lambda text: tell("touch", text))
            self.job(settings, say=lambda text: tell("step", text))
            tell("step", "")

        pid = start(job)
        os.close(theirs)
        with os.fdopen(ours, encoding="utf-8") as pipe:
            told = [line.rstrip("\n").split("\t") for line in pipe]
        assert wait(pid) == 0
        steps = [(float(when), text) for kind, when, text in told if kind == "step"]
        return Plan(
            touches=tuple(text for kind, _, text in told if kind == "touch"),
            steps=tuple((text, end - begin) for (begin, text), (end, _) in pairwise(steps)),
            result=snapshot(settings.home),
        )

    def kill(self, settings: Settings, point: Point, plan: Plan) -> tuple[str, bool]:
        """Kill a job at a point; return the step that it was in, and whether it was killed before it ended."""
        ours, theirs = os.pipe()

        def job() -> None:
            os.close(ours)
            if point.touch is not None:
                kill_at(settings.home, point.touch)
            self.job(settings, say=lambda text: os.write(theirs, b"."))

        pid, begun = start(job), 0
        os.close(theirs)
        try:
            while True:
                in_step = point.touch is None and begun == point.step + 1
                seconds = plan.steps[point.step][1] * point.share if in_step else None
                if not select.select([ours], [], [], seconds)[0]:
                    os.kill(pid, signal.SIGKILL)
                    break
                if not os.read(ours, 1):
                    break
                begun += 1
                if point.touch is None and begun > point.step + 1:  # quicker than when it was timed
                    os.kill(pid, signal.SIGKILL)
                    break
        finally:
            os.close(ours)
        code = wait(pid)
        assert code in (0, -signal.SIGKILL), code
        names = ["Taking the lock", *(text for text, _ in plan.steps)]
        return names[min(begun, len(names) - 1)], code != 0

    def wrong_after_a_kill(self, settings: Settings, plan: Plan) -> list[str]:
        """Say what is wrong with what readers see: they must find the old state or the new one, and either whole."""
        store, seen = RunStore(settings.home), snapshot(settings.home)
        wrong = [f"{name} changed" for name, digest in self.before.items() if seen.get(name) != digest]
        for run in store.list_runs():
            files = run.info()["files"].items()
            wrong += [f"{n} is not what run.json says" for n, d in files if file_digest(run.folder / n) != d]
        if store.current(DAY) is not None:
            wrong += [f"{name} differs" for name, digest in plan.result.items() if seen.get(name) != digest]
        return wrong

    def wrong_at_the_end(self, settings: Settings, plan: Plan) -> list[str]:
        """Say what is wrong once a rerun has ended: other bytes, people entered twice or lost, leftovers."""
        code = wait(start(lambda: self.job(settings)))
        if code:
            return [f"the rerun ended with {code}"]
        store, seen = RunStore(settings.home), snapshot(settings.home)
        wrong = [
            f"{n} is not as undisturbed" for n in {*plan.result, *seen} if plan.result.get(n) != seen.get(n)
        ]
        runs = store.list_runs()
        entered = Counter(who for run in runs for who in _contacts(run.file("entries")))
        wrong += [f"contact {who} entered {n} times" for who, n in entered.items() if n > 1]
        first, last = (set(_contacts(run.file("states"))) for run in runs)
        wrong += [f"contact {who} was lost" for who in first - last]
        wrong += [f"left behind: {path.name}" for path in store.staging_base().iterdir()]
        lock = (store.root / ".lock").read_text(encoding="utf-8")
        return [*wrong, f"the lock still names {lock}"] if lock else wrong


def _contacts(path: Path) -> list[str]:
    found: list[str] = pq.read_table(path, columns=["contact_id"])["contact_id"].to_pylist()
    return found


def work(
    bench: Bench, plan: Plan, points: Sequence[Point], rerun_every: int, name: str
) -> Iterator[dict[str, Any]]:
    """Kill a job at each point; yield the step it was in and what was wrong.

    A home in which nothing but unfinished work was left may be killed in again before the rerun that completes it.
    """
    settings, since = bench.copy(name), 0
    for n, point in enumerate(points):
        step, killed = bench.kill(settings, point, plan)
        wrong, since = bench.wrong_after_a_kill(settings, plan), since + 1
        published = any((settings.home / "runs" / DAY.isoformat()).glob("*/run.json"))
        rerun = published or since >= rerun_every or n == len(points) - 1
        if rerun:
            wrong += bench.wrong_at_the_end(settings, plan)
            shutil.rmtree(bench.folder / name)
            settings, since = bench.copy(name), 0
        yield {"step": step, "killed": killed, "rerun": rerun, "wrong": wrong}


def run(folder: Path, points: int, seed: int, workers: int, rerun_every: int) -> dict[str, Any]:
    """Do all trials, some at a time, and return the sums."""
    bench = Bench(folder)
    plan = bench.undisturbed()
    chosen = plan.points(points, seed)

    def share(n: int) -> list[dict[str, Any]]:
        ours, theirs = os.pipe()

        def job() -> None:
            with os.fdopen(theirs, "w", encoding="utf-8") as pipe:
                for trial in work(bench, plan, chosen[n::workers], rerun_every, f"worker-{n}"):
                    pipe.write(json.dumps(trial) + "\n")
                    pipe.flush()

        pid = start(job)
        os.close(theirs)
        with os.fdopen(ours, encoding="utf-8") as pipe:
            trials = [json.loads(line) for line in pipe]
        assert wait(pid) == 0
        return trials

    with ThreadPoolExecutor(workers) as pool:
        trials = [trial for part in pool.map(share, range(workers)) for trial in part]
    killed = [trial for trial in trials if trial["killed"]]
    return {
        "points": len(trials),
        "killed": len(killed),
        "passed": sum(not trial["wrong"] for trial in killed),
        "reruns": sum(trial["rerun"] for trial in trials),
        "steps": dict(Counter(trial["step"] for trial in killed)),
        "touches": len(plan.touches),
        "wrong": sorted({wrong for trial in trials for wrong in trial["wrong"]}),
    }


def main() -> None:
    """Read the options, do the trials, and print the sums as JSON."""
    parser = argparse.ArgumentParser(description="Kill the daily job at many points and compare.")
    parser.add_argument("--points", type=int, default=120, help="so many at least")
    parser.add_argument(
        "--rerun-every", type=int, default=1, help="kills in one home before a rerun completes it"
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        said = run(Path(folder), options.points, options.seed, options.workers, options.rerun_every)
    print(json.dumps(said | {"seconds": round(time.perf_counter() - begun)}, indent=2))


if __name__ == "__main__":
    main()
