"""What a job logs for machines: one JSON object on a line, on stderr. Never an id, an address or a value of a contact."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TextIO

FORMATS = ("text", "json")


@dataclass(frozen=True)
class JobLog:
    """Lines of JSON with ``ts`` (UTC, ISO 8601), ``level``, what is said, and ``run_id`` once it is known.

    Attributes
    ----------
    stream : file, optional
        The process's stderr, as it is at the time, when absent.
    known : dict
        Fields that go into every line from now on.

    Examples
    --------
    >>> log = JobLog(sys.stdout)
    >>> log.write("info", step="ingest", seconds=0.5, rows=10)  # doctest: +ELLIPSIS
    {"ts": "...", "level": "info", "step": "ingest", "seconds": 0.5, "rows": 10}
    """

    stream: TextIO | None = None
    known: dict[str, Any] = field(default_factory=dict)

    def write(self, level: str, **fields: Any) -> None:
        """Write one line.

        Parameters
        ----------
        level : {"info", "warning", "error"}
        **fields
            ``run_id`` stays for the lines after this one.
        """
        if "run_id" in fields:
            self.known["run_id"] = fields.pop("run_id")
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"ts": now, "level": level, **self.known, **fields}
        print(json.dumps(line, ensure_ascii=False, default=str), file=self.stream or sys.stderr, flush=True)
