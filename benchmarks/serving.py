"""How quick is the server with a million contacts? A made-up run, the real server, bounded load on loopback.

    python benchmarks/serving.py                                    # a million contacts, 20 s for each load
    python benchmarks/serving.py --contacts 50000 --seconds 5       # a quick look
    python benchmarks/serving.py --write benchmarks/results/serving.md

Six loads one after the other: the risk list with a filter and an order, one contact after the other, its page, the picture and
the past that the page loads (for which there is no aim), and many contact look-ups at a fixed rate. Then a second run is
published while lists and contacts are asked for: every answer must come, and each from one run (every row of a run bears its
mark). The load comes from this process; the server is another one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from machine import machine
from serving_run import two_runs

AIMS = {
    "list p95, ms": 250.0,
    "contact p95, ms": 60.0,
    "page of a contact p95, ms": 60.0,
    "look-ups, 1/s": 300.0,
    "look-ups p99, ms": 50.0,
    "peak memory, MiB": 1024.0,
}
SORTS = ("-value_at_risk", "-p_lapse", "rank", "days_overdue", "-clv_12m")
SEGMENTS = ("champion", "loyal", "at_risk", "cant_lose", "hibernating")
START_SECONDS = 240
CONNECTIONS = 32


@dataclass
class Times:
    """Seconds of each answer of one load, and what went wrong."""

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    took: float = 0.0

    def quantile(self, share: float) -> float:
        """Return a quantile in milliseconds."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.seconds) / self.took if self.took else float("nan")


Check = Callable[[httpx.Response], str]
"""Says what is wrong with an answer; nothing when it is right."""


async def ask(client: httpx.AsyncClient, url: str, times: Times, check: Check) -> None:
    """Ask once and note how long it took, or why it failed."""
    began = time.perf_counter()
    try:
        answer = await client.get(url)
        problem = check(answer) if answer.status_code == 200 else f"status {answer.status_code}"
    except (httpx.HTTPError, ValueError) as error:
        problem = repr(error)
    times.seconds.append(time.perf_counter() - began)
    if problem:
        times.failures.append(f"{url}: {problem}")


async def in_turn(
    url: Callable[[], str],
    client: httpx.AsyncClient,
    seconds: float,
    callers: int,
    check: Check,
) -> Times:
    """Let so many callers ask, each as soon as it has its answer."""
    times, until = Times(), time.perf_counter() + seconds

    async def caller() -> None:
        while time.perf_counter() < until:
            await ask(client, url(), times, check)

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    times.took = time.perf_counter() - began
    return times


async def at_rate(
    path: Callable[[], str], address: str, seconds: float, rate: float, connections: int
) -> Times:
    """Ask at a fixed rate whether or not the answers come: waiting for a free connection counts.

    Written for the socket itself: a client library takes longer to ask than the server to answer, on the same two cores.
    """
    times, free = Times(), asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]()
    host, port = address.removeprefix("http://").split(":")
    for _ in range(connections):
        free.put_nowait(await asyncio.open_connection(host, int(port)))

    async def ask_once(due: float) -> None:
        reader, writer = connection = await free.get()
        asked = path()
        writer.write(f"GET {asked} HTTP/1.1\r\nhost: {host}:{port}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        times.seconds.append(time.perf_counter() - due)
        free.put_nowait(connection)
        wrong = mixed(json.loads(body)) if head.startswith(b"http/1.1 200") else head[:20].decode()
        if wrong:
            times.failures.append(f"{asked}: {wrong}")

    began = time.perf_counter()
    waiting: list[Awaitable[None]] = []
    for number in range(int(seconds * rate)):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        waiting.append(asyncio.ensure_future(ask_once(due)))
    await asyncio.gather(*waiting)
    times.took = time.perf_counter() - began
    while not free.empty():
        free.get_nowait()[1].close()
    return times


def one_run(answer: httpx.Response) -> str:
    """Return what is wrong with an answer that should come from one run; every row of a run bears its id."""
    return mixed(answer.json())


def mixed(body: Any) -> str:
    """Return what is wrong with an answer whose rows should bear the id of its run."""
    rows = body["rows"] if "rows" in body else [body["contact"]]
    marks = {row["last_category"] for row in rows}
    return "" if marks <= {body["run_id"]} else f"rows of {sorted(marks)} in the run {body['run_id']}"


def whole_page(answer: httpx.Response) -> str:
    """Return what is wrong with the page of a contact."""
    return "" if "<h1>" in answer.text and answer.text.rstrip().endswith("</html>") else "no whole page"


def whole_picture(answer: httpx.Response) -> str:
    """Return what is wrong with the picture of a contact."""
    return "" if "<path" in answer.text and answer.text.endswith("</svg>") else "no whole picture"


def start(home: Path) -> tuple[subprocess.Popen[str], str]:
    """Start the server on a free port of the loopback address, and wait until the run can be asked."""
    config = home / "winback.toml"
    config.write_text('[home]\npath = "."\n[source]\norders = "orders.csv"\n', encoding="utf-8")
    command = [str(Path(sys.executable).with_name("winback")), "serve", "-c", str(config), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = process.stdout.readline().split()[2]
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        try:
            if httpx.get(f"{address}/api/v1/contacts/c00000000", timeout=START_SECONDS).status_code == 200:
                return process, address
        except httpx.HTTPError:
            time.sleep(0.5)
    process.terminate()
    raise SystemExit("the server did not become ready")


def memory(process: subprocess.Popen[str], word: str) -> float:
    """Return a line of the process's memory in MiB: ``VmHWM`` (peak), ``RssAnon``, ``RssFile``."""
    for line in Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(word):
            return int(line.split()[1]) / 1024
    return float("nan")


async def measure(address: str, day: Any, contacts: int, seconds: float, rate: float) -> dict[str, Times]:
    """Put the loads on the server, one after the other."""

    def list_url() -> str:
        sort, segment = random.choice(SORTS), random.choice(SEGMENTS)
        low = round(random.random() * 0.5, 3)
        return f"{address}/api/v1/contacts?segment={segment}&min_p_lapse={low}&sort={sort}&limit=50"

    def contact_url() -> str:
        return f"{address}/api/v1/contacts/c{random.randrange(contacts):08d}"

    def page_url() -> str:
        return contact_url().replace("/api/v1", "")

    def part_url(part: str) -> str:
        return f"{page_url().replace('/contacts', f'/{part}/contacts')}?as_of={day}&run=run-one"

    limits = httpx.Limits(max_connections=CONNECTIONS)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        return {
            "list": await in_turn(list_url, client, seconds, 2, one_run),
            "contact": await in_turn(contact_url, client, seconds, 1, one_run),
            "page of a contact": await in_turn(page_url, client, seconds, 1, whole_page),
            "its picture": await in_turn(lambda: part_url("pictures"), client, seconds, 1, whole_picture),
            "its past": await in_turn(lambda: part_url("past"), client, seconds, 1, whole_page),
            "look-ups": await at_rate(
                lambda: contact_url().removeprefix(address), address, seconds, rate, CONNECTIONS
            ),
        }


async def publish_under_load(
    process: subprocess.Popen[str], address: str, home: Path, day: Any, contacts: int, most_seconds: float
) -> tuple[Times, set[str], float]:
    """Publish a second run while lists and contacts are asked for, until its answers come; also say the most of own memory."""
    served: set[str] = set()
    own = 0.0

    def check(answer: httpx.Response) -> str:
        served.add(answer.json()["run_id"])
        return one_run(answer)

    def url() -> str:
        if random.random() < 0.2:
            return f"{address}/api/v1/list?sort=-p_lapse&limit=50"
        return f"{address}/api/v1/contacts/c{random.randrange(contacts):08d}"

    script = Path(__file__).with_name("serving_run.py")
    given = [str(home), str(day + timedelta(days=1)), str(contacts), "run-two"]
    job = subprocess.Popen(["nice", "-n", "10", sys.executable, str(script), *given])
    whole, until, after = Times(), time.monotonic() + most_seconds, 0
    async with httpx.AsyncClient(timeout=60) as client:
        while time.monotonic() < until and after < 3:
            part = await in_turn(url, client, 2, 4, check)
            whole.seconds += part.seconds
            whole.failures += part.failures
            whole.took += part.took
            own = max(own, memory(process, "RssAnon"))
            after += "run-two" in served
    job.terminate() if job.poll() is None else None
    job.wait()
    return whole, served, own


def table(times: dict[str, Times], peak: dict[str, float], switch: tuple[Times, set[str]], head: str) -> str:
    """Return the results as Markdown."""
    found = {
        "list p95, ms": times["list"].quantile(0.95),
        "contact p95, ms": times["contact"].quantile(0.95),
        "page of a contact p95, ms": times["page of a contact"].quantile(0.95),
        "look-ups, 1/s": times["look-ups"].rate,
        "look-ups p99, ms": times["look-ups"].quantile(0.99),
        "peak memory, MiB": peak["loads"],
    }
    lines = [head, "", "| | measured | aim | |", "|---|---|---|---|"]
    for name, aim in AIMS.items():
        met = found[name] >= aim if name.endswith("1/s") else found[name] <= aim
        lines.append(f"| {name} | {found[name]:.1f} | {aim:.0f} | {'met' if met else '**missed**'} |")
    lines += [
        "",
        "| load | answers | a second | p50, ms | p95, ms | p99, ms | failed |",
        "|---|---|---|---|---|---|---|",
    ]
    whole, served = switch
    for name, t in {**times, "while a run is published": whole}.items():
        cells = (
            len(t.seconds),
            f"{t.rate:.0f}",
            *(f"{t.quantile(q):.1f}" for q in (0.5, 0.95, 0.99)),
            len(t.failures),
        )
        lines.append(f"| {name} | {' | '.join(map(str, cells))} |")
    switched = (
        "the new run was served in the end"
        if "run-two" in served
        else "**the new run was not served in time**"
    )
    lines += [
        "",
        f"While a run was published: {len(whole.failures)} answers failed or mixed two runs; {switched}.",
    ]
    lines.append(
        f"Memory: peak {peak['loads']:.0f} MiB under the loads (of which {peak['file']:.0f} MiB mapped files at their end), "
        f"{peak['switch']:.0f} MiB while both runs were open (of which {peak['own']:.0f} MiB its own, the rest mapped files)."
    )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--contacts", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=20, help="for each load")
    parser.add_argument("--rate", type=float, default=320, help="look-ups a second asked for")
    parser.add_argument("--switch-seconds", type=float, default=300, help="at most, for the second run")
    parser.add_argument("--home", type=Path, help="a folder to work in, kept; a temporary one when absent")
    parser.add_argument("--write", type=Path, help="also write the table")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        home = chosen.home or Path(temporary)
        home.mkdir(exist_ok=True)
        day = two_runs(home, chosen.contacts)
        print(f"made a run of {chosen.contacts:,} contacts", flush=True)
        process, address = start(home)
        try:
            times = asyncio.run(measure(address, day, chosen.contacts, chosen.seconds, chosen.rate))
            peak = {"loads": memory(process, "VmHWM"), "file": memory(process, "RssFile")}
            whole, served, peak["own"] = asyncio.run(
                publish_under_load(process, address, home, day, chosen.contacts, chosen.switch_seconds)
            )
            peak["switch"] = memory(process, "VmHWM")
        finally:
            process.terminate()
            process.wait(timeout=30)
    head = f"{chosen.contacts:,} contacts; {machine()}; load and server share the cores."
    text = table(times, peak, (whole, served), head)
    print(text)
    for problem in [failure for t in (*times.values(), whole) for failure in t.failures][:5]:
        print(problem)
    if chosen.write:
        chosen.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
