"""Who took which list out of the house: one line of JSON for each export, without a word about any contact."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def write_audit(path: Path, who: str, action: str, fields: Mapping[str, Any]) -> None:
    """Append a line; one write, so that lines of two threads never mix.

    Parameters
    ----------
    path : Path
        Made readable for its owner only.
    who : str
        Name of the caller.
    action : str
    fields : mapping
        JSON-ready; nothing personal.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    line = json.dumps({"at": now, "who": who, "action": action, **fields}, ensure_ascii=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, line.encode())
    finally:
        os.close(handle)
