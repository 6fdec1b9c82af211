"""winback beside lifetimes and pymc-marketing: one past day, the same contacts, the same horizon, in one run.

    python benchmarks/peers.py                                            # the packaged sets, pymc-marketing "not installed"
    python benchmarks/peers.py --data FOLDER --peer-python PATH --markdown benchmarks/results/peers.md

pymc-marketing is no dependency of this project: make it an environment of its own (``python3 -m venv peer``, then
``peer/bin/pip install pymc-marketing``) and give its interpreter as ``--peer-python``. The day is the last one of the data
+ 1 - horizon. All peers get winback's own purchase days up to it (cancelled orders out, one purchase a day) as frequency,
recency and T; the truth is winback's label of that day. Nothing is tuned on these days: everybody's defaults, and fallbacks
only where a fit fails (see ``peer_fit.py``). Each fit is a process of its own, with a limit of time.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from accuracy import write
from daily_job import Measured
from peer_tables import CLOSED, LIFETIMES, OWN, PYMC, Answer, Truth, judge, markdown, section, summary
from peer_winback import reading
from tasks import HORIZONS, Task, in_folder, packaged, span

from winback_models.btyd import Array, BtydModel
from winback_training.baselines import equal_steps
from winback_training.dataset import LabelTimes

HERE = Path(__file__).resolve().parent
SIMULATED_DAYS, SIMULATED_HORIZON = 540, 60
WARM_UP = 200
"""Histories of a first fit that is not measured: PyTensor compiles each model once and keeps what it compiled."""

NAMES = {"bg_nbd": "BG/NBD", "mbg_nbd": "MBG/NBD", "pareto_nbd": "Pareto/NBD"}
METHODS = {"ml": "", "map": ", MAP", "nuts": ", NUTS"}


@dataclass(frozen=True)
class Peer:
    """A library, one of its models and how that is fitted."""

    library: str
    kind: str
    method: str

    def __str__(self) -> str:
        return f"{self.library} {NAMES[self.kind]}{METHODS[self.method]}"


PEERS = (
    *(Peer(LIFETIMES, kind, "ml") for kind in NAMES),
    *(Peer(PYMC, kind, "map") for kind in NAMES),
    Peer(PYMC, "bg_nbd", "nuts"),
)


def truth(task: Task) -> Truth:
    """Return the newest day whose window has closed, with its outcomes."""
    if task.horizon_days is None:
        raise SystemExit(
            f"{task.name}: its horizon is not known; peers are measured on {', '.join(HORIZONS)}."
        )
    with reading(task.orders, task.timezone) as tables:
        as_of = span(tables)[1] + timedelta(days=1 - task.horizon_days)
        rows = 10**9
        time = LabelTimes(tables, task.horizon_days, [as_of], [as_of], rows, rows).at(as_of)
    return Truth(time, as_of, task.horizon_days)


def measured(limit: float, *command: object) -> Measured | str:
    """Run a process to its end; return what it took and printed, or in words why it gave nothing."""
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    words = [str(word) for word in command]
    begun = time.perf_counter()
    with tempfile.TemporaryFile("w+") as complaints:
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=complaints, text=True, env=environ, start_new_session=True
        )
        timer = threading.Timer(limit, os.killpg, (process.pid, signal.SIGKILL))
        timer.start()
        assert process.stdout is not None
        try:
            with process.stdout:
                printed = process.stdout.read()
            _, status, used = os.wait4(process.pid, 0)
        except KeyboardInterrupt:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - begun
        if process.returncode == -signal.SIGKILL and wall >= limit:
            return f"did not finish in {limit:g} s"
        if process.returncode:
            complaints.seek(0)
            return "failed: " + (complaints.read().strip().splitlines() or ["without a word"])[-1]
    return Measured(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6, printed)


def ask_winback(task: Task, known: Truth, folder: Path, tests: int | None) -> tuple[Answer, str]:
    """Train winback for the day; return its curves in the order of the truth, and its version."""
    out = folder / "winback.parquet"
    more = () if tests is None else ("--tests", tests)
    took = measured(
        3600, sys.executable, HERE / "peer_winback.py", task.orders, "--as-of", known.as_of, "--horizon",
        known.horizon_days, "--timezone", task.timezone, "--out", out, *more,
    )  # fmt: skip
    name = "winback" if tests is None else f"winback, {tests} forward tests"
    if isinstance(took, str):
        return Answer(name, OWN, note=took), ""
    printed = json.loads(took.printed.splitlines()[-1])
    took = replace(took, peak=printed["peak"])
    found = pd.read_parquet(out).set_index("contact_id")
    curve = found.loc[known.time.features["contact_id"]].to_numpy(np.float64)
    return Answer(name, OWN, curve, None, took, printed["note"]), printed["version"]


def ask(peer: Peer, python: Path | str, known: Truth, folder: Path, limit: float) -> tuple[list[Answer], str]:
    """Fit a peer and return its answers: by its own method where it has one, and by the closed form."""
    told, out = folder / "histories.csv", folder / "answers.npz"
    known.histories.to_csv(told, index=False)
    days = ",".join(f"{day:g}" for day in equal_steps(known.horizon_days))
    words = (peer.library, peer.kind, peer.method, "--histories", told, "--days", days, "--out", out)
    took = measured(limit, python, HERE / "peer_fit.py", *words)
    if isinstance(took, str):
        return [Answer(str(peer), "–", note=took)], ""
    printed = json.loads(took.printed.splitlines()[-1])
    took = replace(took, peak=printed["peak"])
    with np.load(out) as found:
        answers = dict(found)
    return list(
        answers_of(
            peer, answers, known.histories, equal_steps(known.horizon_days) / 7.0, took, printed["note"]
        )
    ), printed["version"]


def answers_of(
    peer: Peer,
    found: Mapping[str, Array],
    histories: pd.DataFrame,
    weeks: Array,
    took: Measured | None,
    note: str,
) -> Iterator[Answer]:
    """Give the peer's own P(purchase), and the closed form where it has none or not for every contact alike.

    A row of ``p_purchase`` that is not finite leaves the peer without an own curve, and the note says how many there were.
    BG/NBD of pymc-marketing has both: its own takes one-time buyers for possibly dead, which BG/NBD does not know.
    """
    ranking = np.asarray(found["expected"])
    lost = int((~np.isfinite(ranking)).sum())
    if lost:
        note += f"; no finite expected purchases for {lost:,}"
    own = found.get("p_purchase")
    if own is not None:
        broken = int((~np.isfinite(own).all(axis=1)).sum())
        whole = None if broken else own
        more = f"{note}; no finite P(purchase) for {broken:,}" if broken else note
        yield Answer(str(peer), OWN, whole, None if lost else ranking, took, more)
    if own is None or broken or peer.kind == "bg_nbd":
        curve = closed_form(peer.kind, found["parameters"], histories, weeks)
        yield Answer(str(peer), CLOSED, curve, None if lost else ranking, took, note)


def closed_form(kind: str, draws: Array, histories: pd.DataFrame, weeks: Array) -> Array:
    """Return P(purchase) within each of ``weeks``, the mean over the draws of the parameters, shape (n, m)."""
    names = ("r", "alpha", "s", "beta") if kind == "pareto_nbd" else ("r", "alpha", "a", "b")
    x, t_x, age = (histories[c].to_numpy(np.float64)[:, None] for c in ("frequency", "recency", "T"))
    total = np.zeros((len(histories), len(weeks)))
    for draw in draws:
        model = BtydModel(kind, **dict(zip(names, map(float, draw), strict=True)))  # type: ignore[arg-type]
        total += model.p_purchase(x, t_x, age, weeks[None, :])
    return total / len(draws)


def compare(
    task: Task, python: Path | None, limit: float, folder: Path
) -> tuple[list[str], list[str], dict[str, str]]:
    """Measure everybody on one set; return its row, its tables and the versions met."""
    known = truth(task)
    ours, version = ask_winback(task, known, folder, None)
    bare, _ = ask_winback(task, known, folder, 0)
    answers, versions = [ours, bare], {"winback": version}
    for peer in PEERS:
        if peer.library == PYMC and python is None:
            answers.append(Answer(str(peer), "–", note="not installed"))
            continue
        where = python if peer.library == PYMC and python else sys.executable
        found, version = ask(peer, where, known, folder, limit)
        answers += found
        versions |= {peer.library: version} if version else {}
        print(f"{task.name}: {peer}: {found[0].note}", flush=True)
    numbers = judge(answers, known)
    lines = section(task, known, answers, numbers)
    print("\n".join(lines), flush=True)
    return summary(task, known, answers, numbers), lines, versions


def warm_up(python: Path, folder: Path) -> None:
    """Let every model of pymc-marketing compile before it is measured."""
    rng = np.random.default_rng(0)
    age = rng.uniform(10.0, 50.0, WARM_UP)
    x = rng.poisson(2.0, WARM_UP)
    told = pd.DataFrame(
        {"frequency": x, "recency": np.where(x > 0, age * rng.random(WARM_UP), 0.0), "T": age}
    )
    told.to_csv(folder / "first.csv", index=False)
    for peer in (p for p in PEERS if p.library == PYMC):
        words = (peer.library, peer.kind, peer.method, "--histories", folder / "first.csv", "--days", "7,14")
        measured(600, python, HERE / "peer_fit.py", *words, "--out", folder / "first.npz")


def simulated(contacts: int, folder: Path) -> Task:
    """Make up a shop of so many contacts."""
    shop = folder / "shop"
    done = measured(
        3600, Path(sys.executable).with_name("winback"), "simulate", "--contacts", contacts, "--days",
        SIMULATED_DAYS, "--seed", 1, "--out", shop,
    )  # fmt: skip
    if isinstance(done, str):
        raise SystemExit(done)
    return Task(f"{contacts:,} simulated contacts", shop / "orders.parquet", SIMULATED_HORIZON)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with one folder of orders.parquet for each set")
    parser.add_argument("--only", action="append", help="only this set; may be given again")
    parser.add_argument("--peer-python", type=Path, help="interpreter of an environment with pymc-marketing")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds that one fit of a peer may take")
    parser.add_argument("--simulated", type=int, default=0, help="also a made-up shop of so many contacts")
    parser.add_argument("--markdown", type=Path, help="also write the tables")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        tasks = in_folder(chosen.data) if chosen.data else packaged(folder)
        tasks = [t for t in tasks if t.name in (chosen.only or HORIZONS)]
        if chosen.simulated:
            tasks.insert(0, simulated(chosen.simulated, folder))
        if chosen.peer_python:
            warm_up(chosen.peer_python, folder)
        rows: list[list[str]] = []
        sections: list[str] = []
        versions: dict[str, str] = {}
        for task in tasks:
            row, lines, met = compare(task, chosen.peer_python, chosen.limit, folder)
            rows, sections, versions = [*rows, row], [*sections, *lines], {**versions, **met}
            if chosen.markdown:
                write(chosen.markdown, markdown(rows, sections, versions))
    print(markdown(rows, sections, versions))


if __name__ == "__main__":
    main()
