"""What a command shows: progress on stderr, its result on stdout, for people or as one JSON object."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from winback_serving.joblog import JobLog


@dataclass(frozen=True, slots=True)
class Reporter:
    """The callbacks that work reports through.

    Attributes
    ----------
    say : callable
        Told what begins now.
    tick : callable
        Told (done, total) within it.
    note : callable
        Told what a log for machines should know of what is done, as fields.
    """

    say: Callable[[str], None]
    tick: Callable[[int, int], None]
    note: Callable[..., None] = lambda **fields: None


@dataclass(frozen=True, slots=True)
class Output:
    """Where a command's words go.

    Attributes
    ----------
    as_json : bool
        Print one JSON object instead of tables.
    console : rich.console.Console
        The result, on stdout.
    log : rich.console.Console
        Progress and warnings, on stderr.
    lines : JobLog or None
        Where those go instead, as one JSON object a line, with ``--log-format json``.
    """

    as_json: bool = False
    console: Console = field(default_factory=lambda: Console(highlight=False))
    log: Console = field(default_factory=lambda: Console(stderr=True, highlight=False))
    lines: JobLog | None = None

    @contextmanager
    def working(self) -> Iterator[Reporter]:
        """Show progress: a bar for each step on a terminal, a plain line for each in a log, or JSON."""
        if self.lines is not None:
            write = self.lines.write
            yield Reporter(
                lambda text: write("info", message=text),
                lambda done, total: None,
                lambda **fields: write("info", **fields),
            )
            return
        if not self.log.is_terminal:
            yield Reporter(
                lambda text: self.log.print(escape(text), soft_wrap=True), lambda done, total: None
            )
            return
        columns = (
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.log) as progress:
            steps = _Steps(progress)
            yield Reporter(steps.say, steps.tick)
            steps.finish()

    def warn(self, text: str) -> None:
        """Say what the user should know although the work goes on."""
        if self.lines is not None:
            self.lines.write("warning", message=text)
            return
        self.log.print(f"[yellow]Note:[/] {escape(text)}", soft_wrap=True)

    def result(self, fields: Mapping[str, Any], show: Callable[[Console], None]) -> None:
        """Print a command's result.

        Parameters
        ----------
        fields : mapping
            The JSON object; ``ok`` is added.
        show : callable
            Prints the same for people on the console that it is given.
        """
        if self.as_json:
            text = json.dumps({"ok": True, **fields}, default=_plain, ensure_ascii=False, allow_nan=False)
            self.console.print(text, markup=False, soft_wrap=True)
        else:
            show(self.console)


@dataclass
class _Steps:
    """Steps shown one below the other; a new one ends the one before."""

    progress: Progress
    task: TaskID | None = None

    def say(self, text: str) -> None:
        self.finish()
        self.task = self.progress.add_task(escape(text), total=None)

    def tick(self, done: int, total: int) -> None:
        if self.task is not None:
            self.progress.update(self.task, completed=done, total=total)

    def finish(self) -> None:
        if self.task is not None:
            self.progress.update(self.task, completed=1, total=1)


def _plain(value: Any) -> Any:
    """Return what JSON has no word for as text or number."""
    if isinstance(value, (date, Path)):
        return str(value)
    if hasattr(value, "item"):
        return value.item()
    msg = f"{type(value).__name__} has no JSON form"
    raise TypeError(msg)
