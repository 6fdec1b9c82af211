"""What a run does not know, in words: old facts, no consent, a simple model. A page that hides it would mislead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from winback_serving.web.format import Formatter
from winback_serving.web.texts import Texts

FRESH_DAYS = 1
"""A daily job's newest run is of today, or of yesterday until it has run."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to know before trusting a number.

    Attributes
    ----------
    code : str
    text : str
    """

    code: str
    text: str


def notices(record: Mapping[str, Any], t: Texts, f: Formatter, today: date) -> list[Notice]:
    """Return what should be known of a run.

    Parameters
    ----------
    record : mapping
        Its ``run.json``.
    t, f
        Texts and locale.
    today : date
        Where the brand is.

    Returns
    -------
    list of Notice
        Empty where everything is fresh and known.
    """
    found = []
    age = (today - date.fromisoformat(record["as_of"])).days
    if age > FRESH_DAYS:
        found.append(("old_run", t("notice.old_run", days=t.count("day", age, f.number(age)))))
    told: set[str] = t.table["notice"].keys()  # type: ignore[assignment]
    for notice in record.get("notices", []):
        count = f.number(notice.get("count", 0))
        code = notice["code"]
        found.append((code, t(f"notice.{code}", n=count) if code in told else notice["message"]))
    inputs = record["inputs"]
    found += [(f"no_{name}", t(f"notice.no_{name}")) for name in ("contacts", "events") if name not in inputs]
    for name, table in inputs.items():
        if table["rows_quarantined"]:
            rows = f.number(table["rows_quarantined"])
            found.append(("quarantined", t("notice.quarantined", n=rows, table=t.word("table", name))))
    status = record.get("model_status")
    if status and "personal model" not in status:
        found.append(("simple_model", t("notice.simple_model", status=status)))
    return [Notice(code, text) for code, text in found]
