"""The day at a glance: who is new, what is at stake, who left and why, what changed, how fresh it all is."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import altair as alt
import pandas as pd
from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from winback_features.errors import WinbackError
from winback_serving import brief, charts
from winback_serving.store import PublishedRun
from winback_serving.web.format import Formatter
from winback_serving.web.pages.per_run import per_run
from winback_serving.web.pages.picture import Picture, draw
from winback_serving.web.pages.view import CurrentView
from winback_serving.web.reader import Run
from winback_serving.web.texts import Texts

router = APIRouter(include_in_schema=False)
TREND_DAYS = 30
NAMED_DAYS = 6
"""Days named under the picture at most."""
NEW_SHOWN = 6

_LISTED_SQL = """
    SELECT count(*) AS n, coalesce(sum(CAST(value_at_risk AS DECIMAL(28, 4))), 0)::DOUBLE AS value,
           count(*) FILTER (arm = 'holdout') AS held_out
    FROM winback WHERE rank IS NOT NULL
"""
_EXITS_SQL = (
    "SELECT exit_reason AS reason, count(*) AS n FROM exits GROUP BY exit_reason ORDER BY n DESC, reason"
)
_ENTERED_SQL = """
    SELECT rank, contact_id, rfm_segment, value_at_risk, p_purchase, days_overdue, reason_1, arm
    FROM entries ORDER BY rank, contact_id LIMIT ?
"""


@router.get("/", response_class=HTMLResponse)
def today(v: CurrentView) -> HTMLResponse:
    """Show the day."""
    before = v.runs.before(v.run)
    days = [day for day in v.runs.days() if day < v.run.as_of][: TREND_DAYS - 1]
    past = [found for day in reversed(days) if (found := v.runs.store.current(day))]
    return v.page(
        "today",
        counts=v.run.record["counts"],
        now=listed(v.run),
        earlier=listed(before) if before else None,
        before=before,
        exits=v.run.query(_EXITS_SQL),
        entered=v.run.query(_ENTERED_SQL, [NEW_SHOWN]),
        trend=trend(v.run, tuple(past), v.t, v.f) if past else None,
        risk=risk(v.run, v.t, v.f),
    )


@per_run
def listed(run: Run) -> dict[str, Any]:
    """Return the size and the worth of the list: ``n``, ``value``, ``held_out``."""
    return run.query(_LISTED_SQL)[0]


@per_run
def trend(run: Run, past: tuple[PublishedRun, ...], t: Texts, f: Formatter) -> Picture:
    """Draw how long the list was on the last days, and how many came and went.

    Parameters
    ----------
    run : Run
        The newest of the days.
    past : tuple of PublishedRun
        Those of the days before it, oldest first.
    t, f
        Texts and locale.
    """
    rows = []
    for published in (*past, run.published):
        with suppress(WinbackError):  # a damaged run of the past leaves a gap in the picture
            counts = published.info()["counts"]
            rows.append((published.as_of, counts["flagged"], counts["entries"], counts["exits"]))
    heads = (t("today.day"), t("today.on_list"), t("today.entered"), t("today.left"))
    data = pd.DataFrame(rows, columns=["day", "listed", "entered", "left"])
    data["day"] = pd.to_datetime(data["day"])
    named = pd.DatetimeIndex(data["day"][:: -(-len(rows) // NAMED_DAYS)])
    ticks = [alt.DateTime(year=day.year, month=day.month, date=day.day) for day in named]
    x = alt.X("day:T", title=None).scale(padding=12).axis(grid=False, values=ticks, format=f.axis_day)
    top = alt.Y("listed:Q", title=heads[1]).axis(tickCount=4, format=",d")
    area = alt.Chart(data).encode(x=x, y=top)
    line = area.mark_area(color=charts.CALM, opacity=0.14) + area.mark_line(
        color=charts.CALM, strokeWidth=2.4, point=alt.OverlayMarkDef(color=charts.CALM, size=34, filled=True)
    )
    flow = data.assign(left=-data["left"]).melt("day", ["entered", "left"], var_name="kind", value_name="n")
    flow["kind"] = flow["kind"].map({"entered": heads[2], "left": heads[3]})
    colour = alt.Color(
        "kind:N", scale=alt.Scale(domain=list(heads[2:]), range=[charts.RISK, charts.QUIET])
    ).legend(orient="bottom", symbolType="square")
    bars = (
        alt.Chart(flow)
        .mark_bar(size=9)
        .encode(
            x=x,
            y=alt.Y("n:Q", title=None).axis(
                tickCount=4, labelExpr="format(abs(datum.value), ',d')", format=",d"
            ),
            color=colour,
        )
    )
    chart = alt.vconcat(
        line.properties(width=470, height=150), bars.properties(width=470, height=84), spacing=14
    ).resolve_scale(x="shared")
    label = t(
        "today.trend_label",
        n=len(rows),
        first=f.number(rows[0][1]),
        last=f.number(rows[-1][1]),
        day=f.day(rows[0][0]),
    )
    return Picture(
        t("today.trend_title"),
        t("today.trend_caption"),
        draw(chart, prefix="trend", label=label, f=f),
        heads,
        [(f.day(row[0]), *map(f.number, row[1:])) for row in reversed(rows)],
    )


@per_run
def risk(run: Run, t: Texts, f: Formatter) -> Picture | None:
    """Draw how risk is spread over the active base; None where nobody is active."""
    bins = brief.risk_bins(run.published)
    total = int(bins["n"].sum())
    if not total:
        return None
    data = bins.assign(low=bins["low"] + 0.001, high=bins["high"] - 0.001)  # a hair between the bars
    x = alt.X("low:Q", title=t("today.risk_axis")).axis(
        format=".0%", grid=False, values=[0, 0.25, 0.5, 0.75, 1]
    )
    bars = (
        alt.Chart(data)
        .mark_rect()
        .encode(
            x=x.scale(domain=[0, 1]),
            x2="high:Q",
            y=alt.Y("n:Q", title=t("today.risk_contacts")).axis(tickCount=4, format=",d"),
            y2=alt.datum(0),
            color=alt.condition("datum.low >= 0.5", alt.value(charts.RISK), alt.value(charts.CALM)),
        )
    )
    beyond = int(bins.loc[bins["low"] >= 0.5 - 1e-9, "n"].sum())
    label = t("today.risk_label", n=f.number(total), beyond=f.number(beyond))
    rows = [
        (f"{f.percent(low)} – {f.percent(high)}", f.number(n))
        for low, high, n in zip(bins["low"], bins["high"], bins["n"], strict=True)
    ]
    return Picture(
        t("today.risk_title"),
        t("today.risk_caption", n=f.number(total), beyond=f.number(beyond)),
        draw(bars.properties(width=470, height=262), prefix="risk", label=label, f=f),
        (t("today.risk_axis"), t("today.risk_contacts")),
        rows,
    )
