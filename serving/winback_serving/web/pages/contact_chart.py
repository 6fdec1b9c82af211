"""The picture of one contact: its chances run by run, what it did, since when it is flagged, when it is expected.

Altair builds the Vega-Lite object once for each language; a contact only brings its own data, so that its page is quick.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any

import altair as alt

from winback_serving import charts
from winback_serving.web.format import Formatter
from winback_serving.web.pages.picture import Picture, render, standing_alone
from winback_serving.web.texts import Texts

BACK_DAYS = 400
AHEAD_DAYS = 120
"""What the picture shows at most, around the day of the run."""

WIDTH, HEIGHT, FOOT, HEAD = 1080, 290, -0.22, 1.16
WIDTH_DRAWN, HEIGHT_DRAWN = 1125, 346
"""Roughly, with axes and legend: the page keeps that room until the picture has come."""


@dataclass(frozen=True, slots=True)
class Story:
    """What is drawn of a contact.

    Attributes
    ----------
    as_of : date
    scores : sequence of mapping
        ``day, p_purchase, p_alive``, oldest first.
    purchases, clicks : sequence of date
    flags : sequence of date
        Days on which it entered the list.
    expected : (date or None, date or None)
        The 80 % interval of the next purchase; None where it is open.
    """

    as_of: date
    scores: Sequence[Mapping[str, Any]]
    purchases: Sequence[date]
    clicks: Sequence[date]
    flags: Sequence[date]
    expected: tuple[date | None, date | None]


def draw_contact(story: Story, t: Texts, f: Formatter) -> str:
    """Draw a contact's story as an SVG document of its own.

    Parameters
    ----------
    story : Story
    t, f
        Texts and locale.
    """
    spec = copy.deepcopy(_spec(t, f))
    spec["datasets"] = data_of(story, t)
    now = f.percent(story.scores[-1]["p_purchase"] if story.scores else None)
    label = t("contact.chart_label", p=now, day=f.day(story.as_of))
    return standing_alone(render(spec, prefix="story", label=label, f=f))


def numbers_of(scores: Sequence[Mapping[str, Any]], t: Texts, f: Formatter) -> Picture:
    """Return the numbers behind the picture, the newest first."""
    rows = [
        (f.day(row["day"]), f.percent(row["p_purchase"]), f.percent(row["p_alive"]))
        for row in reversed(scores)
    ]
    heads = (t("contact.run_of"), t("contact.p_purchase_line"), t("contact.p_alive_line"))
    return Picture(t("contact.chart_title"), t("contact.chart_caption"), "", heads, rows)


def data_of(story: Story, t: Texts) -> dict[str, list[dict[str, Any]]]:
    """Return the data of the picture, by the names that `_spec` asks for.

    Examples
    --------
    >>> from winback_serving.web.texts import texts
    >>> day = date(2026, 3, 1)
    >>> story = Story(day, [{"day": day, "p_purchase": 0.2, "p_alive": 0.9}], [day - timedelta(days=9)], [], [], (None, None))
    >>> data = data_of(story, texts("en"))
    >>> data["span"], data["band"]
    ([{'day': '2026-02-04T00:00:00'}, {'day': '2026-03-15T00:00:00'}], [])
    """
    start, end = span(story)
    shown = [day for day in story.purchases if day >= start]
    clicks = [day for day in story.clicks if day >= start]
    names = {"p_purchase": t("contact.p_purchase_line"), "p_alive": t("contact.p_alive_line")}
    low, high = story.expected
    band = (
        [{"low": charts.drawn_day(max(low, story.as_of)), "high": charts.drawn_day(min(high or end, end))}]
        if low and low <= end
        else []
    )
    moments = [
        {"day": charts.drawn_day(day), "name": t("contact.flagged")} for day in story.flags if day >= start
    ]
    return {
        "span": [{"day": charts.drawn_day(start)}, {"day": charts.drawn_day(end)}],
        "lines": [
            {"day": charts.drawn_day(row["day"]), "line": name, "p": row[column]}
            for row in story.scores
            for column, name in names.items()
            if row[column] is not None and row["day"] >= start
        ],
        "purchases": [{"day": charts.drawn_day(day)} for day in shown],
        "clicks": [{"day": charts.drawn_day(day)} for day in clicks],
        "band": [{**row, "name": t("contact.expected")} for row in band],
        "today": [{"day": charts.drawn_day(story.as_of), "name": t("contact.this_run")}],
        "flags": moments,
    }


def span(story: Story) -> tuple[date, date]:
    """Return the first and the last day that are drawn."""
    known = [*story.purchases, *story.clicks, *(row["day"] for row in story.scores)]
    start = max(min(known, default=story.as_of), story.as_of - timedelta(days=BACK_DAYS))
    start = min(start, story.as_of - timedelta(days=25))
    low, high = story.expected
    far = high or (low + timedelta(days=45) if low else story.as_of)
    end = min(max(far, story.as_of + timedelta(days=14)), story.as_of + timedelta(days=AHEAD_DAYS))
    return start, end


@cache
def _spec(t: Texts, f: Formatter) -> dict[str, Any]:
    """Return the Vega-Lite object without its data."""

    def named(name: str) -> alt.Chart:
        return alt.Chart(alt.NamedData(name=name))

    # A tick is written as finely as the ticks stand.
    ticks = dict.fromkeys(("year", "month"), "%b %Y") | dict.fromkeys(("week", "date", "day"), f.axis_day)
    x = alt.X("day:T", title=None).axis(grid=False, format=ticks, tickCount=7, labelOverlap=True)
    y = alt.Y("p:Q", title=None).scale(domain=[FOOT, HEAD]).axis(format="%", values=[0, 0.25, 0.5, 0.75, 1])
    names = [t("contact.p_purchase_line"), t("contact.p_alive_line")]
    colour = alt.Color("line:N", scale=alt.Scale(domain=names, range=[charts.RISK, charts.CALM]))
    dashes = alt.Scale(domain=names, range=[[1, 0], [5, 3]])
    lines = named("lines").encode(
        x=x,
        y=y,
        color=colour.legend(orient="top", symbolType="stroke", symbolStrokeWidth=3, labelLimit=400),
        strokeDash=alt.StrokeDash("line:N", scale=dashes).legend(None),
    )
    dots = named("lines").mark_point(filled=True, size=22, opacity=1).encode(x=x, y=y, color=colour)
    bought = named("purchases").mark_rule(color=charts.INK, strokeWidth=1.2)
    clicked = named("clicks").mark_point(
        shape="triangle-up", filled=True, size=46, color=charts.CALM, opacity=1
    )
    band = named("band")
    spec: dict[str, Any] = charts.styled(
        alt.layer(
            named("span").mark_rule(opacity=0).encode(x=x),
            band.mark_rect(color=charts.QUIET, opacity=0.28).encode(x="low:T", x2="high:T"),
            band.mark_text(align="left", dx=5, baseline="top", color=charts.MUTED, fontSize=12).encode(
                x="low:T", y=alt.value(HEIGHT - 18), text="name:N"
            ),
            lines.mark_line(strokeWidth=2.2, interpolate="monotone"),
            dots,
            bought.encode(x=x, y=alt.datum(FOOT), y2=alt.datum(FOOT + 0.08)),
            clicked.encode(x=x, y=alt.datum(FOOT + 0.13)),
            _moment(named("flags"), charts.RISK),
            _moment(named("today"), charts.INK, right=True),
        ).properties(width=WIDTH, height=HEIGHT)
    ).to_dict()
    return spec


def _moment(base: alt.Chart, colour: str, *, right: bool = False) -> alt.LayerChart | alt.FacetChart:
    """Return dashed lines at the days of ``base``, with their names at the top."""
    text = base.mark_text(
        align="left" if right else "right", dx=5 if right else -5, baseline="top", color=colour, fontSize=12
    )
    return alt.layer(
        base.mark_rule(color=colour, strokeDash=[3, 3], strokeWidth=1).encode(x="day:T"),
        text.encode(x="day:T", y=alt.value(2), text="name:N"),
    )
