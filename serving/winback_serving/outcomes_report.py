"""``outcomes.html``: what was sent and what came of it, as one page that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from winback_models.charts import to_svg
from winback_policy.outcomes.readout import Readout
from winback_serving import charts, outcomes_words, wording
from winback_serving.figures import Figure
from winback_serving.outcomes import Outcomes
from winback_serving.outcomes_charts import forest_chart, path_chart
from winback_serving.store import write_atomically

MOST_ROWS = 40


def render_outcomes(found: Outcomes, brand: str) -> str:
    """Return the page of a shop's own runs; everything but the pictures is escaped."""
    return _page(
        brand=brand,
        title="What win-back brings",
        lead=sentences(found),
        simulated=found.simulated,
        parts=_parts(found),
        currency=found.currency,
        newcomers=found.newcomers,
        window=found.window_days,
    )


def _parts(found: Outcomes) -> dict[str, Readout]:
    """Return every readout under its title."""
    parts: dict[str, Readout] = {"Treated against held out": found.readout} if found.readout else {}
    return parts | {f"Experiment: {name}": readout for name, readout in found.experiments.items()}


def write_outcomes(home: Path, found: Outcomes, brand: str) -> Path:
    """Write ``outcomes.json`` and ``outcomes.html`` into the home folder, and return the page's path."""
    home.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**found.as_dict(), "told": tell(found)}, indent=2, sort_keys=True)
    write_atomically(home / "outcomes.json", text + "\n")
    page = home / "outcomes.html"
    write_atomically(page, render_outcomes(found, brand))
    return page


def render_experiment(found: Readout, name: str, currency: str = "") -> str:
    """Return the page of an experiment read from one table."""
    lead = [f"{wording.count(found.contacts, 'contact')}, read once, with all outcomes in."]
    return _page(
        brand=name,
        title="What the experiment shows",
        lead=lead,
        simulated="",
        parts={name: found},
        currency=currency,
        newcomers=None,
        window=None,
    )


def sentences(found: Outcomes) -> list[str]:
    """Say what was looked at, and what is missing."""
    closed = found.entered - found.open
    said = [
        f"{wording.count(closed, 'contact')} entered win-back and could be followed for {found.window_days} days; for "
        f"{found.open:,} more the days are not over."
    ]
    if found.readout is None and closed:
        said.append(
            "Nobody was held out, so nobody knows what would have happened anyway: set [policy] holdout_share."
        )
    elif found.readout is None and found.first_closes:
        said.append(f"The first can be read on {wording.day(found.first_closes)}.")
    elif found.readout is None:
        said.append("There is no entry in the published runs yet.")
    if found.again:
        said.append(
            f"{wording.count(found.again, 'later entry', 'later entries')} of the same contacts are left out: who comes back "
            "decides who enters again."
        )
    if found.erased:
        said.append(f"{found.erased:,} were erased since, and are in the frozen sums only.")
    if found.log is None:
        said.append(
            "There is no campaign log: who was drawn is known, not who was reached. The comparison needs no more."
        )
    else:
        log = found.log
        said.append(f"The campaign log names {wording.count(log.rows, 'message')}.")
        if log.other_arm:
            said.append(f"{log.other_arm:,} name another arm than the one drawn at entry, which counts.")
        if log.not_entered:
            said.append(f"{log.not_entered:,} went to contacts that had not entered by then.")
    return said


def tell(found: Outcomes) -> dict[str, Any]:
    """Return the readout in words and tables of words, for pages that only show it.

    Returns
    -------
    dict
        ``lead``: sentences. ``parts``: ``title``, ``sentences``, and ``tables`` of ``title, heads, rows``.
    """
    return {
        "lead": sentences(found),
        "parts": [_part(*part, found.currency) for part in _parts(found).items()],
    }


def _part(title: str, found: Readout, currency: str) -> dict[str, Any]:
    w, running = outcomes_words, found.plan.running
    effects = [
        [
            w.metric(c.metric),
            w.arm(c.arm),
            w.difference(c, currency),
            w.bounds(c, running=running),
            w.bounds(c, running=False),
            w.VERDICTS[c.verdict],
        ]
        for c in found.effects
    ]
    arms = [
        [w.metric(m.metric), w.arm(m.arm), wording.number(m.contacts), w.measured(m, currency)]
        for m in found.arms
    ]
    months = [[m.month, w.arm(m.arm), wording.number(m.contacts), w.share(m.share)] for m in found.months]
    heads = ["Measured", "Arm", "Difference", "Holds at every reading", "For one reading", "Verdict"]
    tables = [
        {"title": "The effect", "heads": heads, "rows": effects},
        {"title": "The arms", "heads": ["Measured", "Arm", "Contacts", "Value"], "rows": arms},
        {"title": "By month of entry", "heads": ["Month", "Arm", "Contacts", "Bought again"], "rows": months},
    ]
    said = [*w.headline(found, currency), *w.balance(found), *w.sent(found)]
    return {"title": title, "sentences": said, "tables": [t for t in tables if t["rows"]]}


def pictures(found: Readout, prefix: str) -> list[Figure]:
    """Draw what there are numbers for: the effect as it came in, and by segment."""
    out: list[Figure] = []
    running = found.plan.running
    for arm in dict.fromkeys(p.comparison.arm for p in found.path):
        points = [p for p in found.path if p.comparison.arm == arm and p.comparison.often_low is not None]
        if len(points) > 1:
            last = outcomes_words.difference(points[-1].comparison)
            label = f"The effect of {outcomes_words.arm(arm)} day by day; at last {last}."
            caption = (
                "By day of entry, each time with all that entered before. The band holds at every reading: look as often as you "
                "like, and say so when it leaves zero."
            )
            out.append(
                _figure(f"{prefix}p{len(out)}", path_chart(points), "How the effect came in", caption, label)
            )
    rows = [
        (_level(s.by, level, c.arm, found), c)
        for s in found.segments
        for level, c in s.levels
        if c.enough and (c.often_low if running else c.low) is not None
    ]
    if rows:
        caption = "A coloured one stays clear of zero after correction for how many are looked at (Holm). Others may be chance."
        label = f"The effect in {len(rows)} parts of the base."
        chart = forest_chart(rows[:MOST_ROWS], running=running)
        out.append(_figure(f"{prefix}s", chart, "Where it differs", caption, label))
    return out


def _level(by: str, level: str, arm: str, found: Readout) -> str:
    several = len(found.plan.shares) > 2
    said = f"{outcomes_words.column(by)}: {level.replace('_', ' ')}"
    return f"{said}, {outcomes_words.arm(arm)}" if several else said


def _page(*, parts: Mapping[str, Readout], **rest: Any) -> str:
    environment = Environment(
        loader=PackageLoader("winback_serving"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"svg": Markup, "number": wording.number}
    sections = [
        {
            "title": title,
            "found": found,
            "headline": outcomes_words.headline(found, rest["currency"]),
            "balance": outcomes_words.balance(found),
            "sent": outcomes_words.sent(found),
            "pictures": pictures(found, f"o{number}"),
        }
        for number, (title, found) in enumerate(parts.items())
    ]
    page = environment.get_template("outcomes.html.j2")
    return page.render(sections=sections, w=outcomes_words, **rest)


def _figure(name: str, chart: Any, title: str, caption: str, label: str) -> Figure:
    svg = charts.inline(to_svg(charts.styled(chart.properties(description=label))), prefix=name, label=label)
    return Figure(title, caption, svg.replace("<title></title>", f"<title>{title}</title>", 1))
