"""``outcomes.html``: what was sent and what came of it, as one page that needs nothing else."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from winback_policy.outcomes.readout import Readout
from winback_serving import charts, wording
from winback_serving.one_page import Figure, figure, render
from winback_serving.outcomes import Outcomes
from winback_serving.outcomes_charts import forest_chart, path_chart
from winback_serving.outcomes_told import Teller, Told
from winback_serving.store import write_atomically

LANGUAGE = "en"
"""Of the report and the terminal."""

MOST_ROWS = 40


def render_outcomes(found: Outcomes, brand: str) -> str:
    """Return the page of a shop's own runs; everything but the pictures is escaped."""
    said, teller = found.as_dict(), Teller.of(LANGUAGE, found.currency)
    readouts = [found.readout, *found.experiments.values()] if found.readout else found.experiments.values()
    return _page(
        teller,
        list(zip(teller.parts(said), readouts, strict=True)),
        brand=brand,
        title="What win-back brings",
        lead=teller.lead(said),
        simulated=found.simulated,
        window=found.window_days,
    )


def write_outcomes(home: Path, found: Outcomes, brand: str) -> Path:
    """Write ``outcomes.json`` and ``outcomes.html`` into the home folder, and return the page's path."""
    home.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**found.as_dict(), "told": tell(found)}, indent=2, sort_keys=True)
    write_atomically(home / "outcomes.json", text + "\n")
    page = home / "outcomes.html"
    write_atomically(page, render_outcomes(found, brand))
    return page


def render_experiment(found: Readout, name: str) -> str:
    """Return the page of an experiment read from one table."""
    teller = Teller.of(LANGUAGE, "")
    return _page(
        teller,
        [(teller.part(name, found.as_dict()), found)],
        brand=name,
        title="What the experiment shows",
        lead=[f"{wording.count(found.contacts, 'contact')}, read once, with all outcomes in."],
        simulated="",
        window=None,
    )


def tell(found: Outcomes) -> dict[str, Any]:
    """Return the readout in words and tables of words, for programs that only show it.

    Returns
    -------
    dict
        ``lead``: sentences. ``parts``: ``title``, ``sentences``, and ``tables`` of ``name, title, heads, rows``.
    """
    said, teller = found.as_dict(), Teller.of(LANGUAGE, found.currency)
    return {"lead": teller.lead(said), "parts": [part.as_dict() for part in teller.parts(said)]}


def pictures(found: Readout, teller: Teller, prefix: str) -> list[Figure]:
    """Draw what there are numbers for: the effect as it came in, and by segment."""
    out: list[Figure] = []
    running = found.plan.running
    for arm in dict.fromkeys(p.comparison.arm for p in found.path):
        points = [p for p in found.path if p.comparison.arm == arm and p.comparison.often_low is not None]
        if len(points) > 1:
            last = teller.difference(asdict(points[-1].comparison))
            label = f"The effect of {teller.arm(arm)} day by day; at last {last}."
            caption = (
                "By day of entry, each time with all that entered before. The band holds at every reading: look as often as you "
                "like, and say so when it leaves zero."
            )
            out.append(
                figure(
                    f"{prefix}p{len(out)}",
                    charts.styled(path_chart(points)),
                    "How the effect came in",
                    caption,
                    label,
                )
            )
    rows = [
        (teller.level(s.by, level) + (f", {teller.arm(c.arm)}" if len(found.plan.shares) > 2 else ""), c)
        for s in found.segments
        for level, c in s.levels
        if c.enough and (c.often_low if running else c.low) is not None
    ]
    if rows:
        caption = "A coloured one stays clear of zero after correction for how many are looked at (Holm). Others may be chance."
        label = f"The effect in {len(rows)} parts of the base."
        chart = forest_chart(rows[:MOST_ROWS], running=running)
        out.append(figure(f"{prefix}s", charts.styled(chart), "Where it differs", caption, label))
    return out


def _page(teller: Teller, parts: list[tuple[Told, Readout]], **rest: Any) -> str:
    sections = [
        {"told": told, "balanced": found.balanced, "pictures": pictures(found, teller, f"o{number}")}
        for number, (told, found) in enumerate(parts)
    ]
    return render("outcomes.html.j2", sections=sections, **rest)
