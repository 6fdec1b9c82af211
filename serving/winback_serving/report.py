"""The report: one HTML file that needs nothing else. No script, no address, pictures drawn in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from winback_models.charts import MODEL_LABELS
from winback_serving import wording
from winback_serving.brief import Brief
from winback_serving.one_page import Figure, render
from winback_serving.store import write_atomically


@dataclass(frozen=True, slots=True)
class Report:
    """What the report tells.

    Attributes
    ----------
    brief : Brief
    people, one : str
        What contacts are called in the plural and in the singular, such as ``households``, ``household``.
    source : str
        Where the data come from, as a sentence without its full stop.
    notes : sequence of str
        What a reader should know of the data and the model before trusting a number.
    figures : mapping of str to Figure
        Any of ``story``, ``risk``, ``cohorts``, ``calibration``, ``lift``, ``timing`` and ``money``; one that is absent is
        left out.
    commands : sequence of (str, str)
        What to type next, and what it does.
    """

    brief: Brief
    people: str
    one: str
    source: str
    notes: Sequence[str] = ()
    figures: Mapping[str, Figure] = field(default_factory=dict)
    commands: Sequence[tuple[str, str]] = ()


def render_report(report: Report) -> str:
    """Return the report as one HTML page.

    Everything is escaped, ids and categories of the shop included; only the figures' SVG is taken as it is.
    """
    return render(
        "report.html.j2",
        report=report,
        brief=report.brief,
        accuracy=report.brief.accuracy,
        figures=report.figures,
        w=wording,
        labels=MODEL_LABELS,
    )


def write_report(path: Path, report: Report) -> Path:
    """Write the report as one self-contained HTML file, replacing an earlier one in one step.

    Parameters
    ----------
    path : Path
    report : Report

    Returns
    -------
    Path
        The same path.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, render_report(report))
    return path
