"""Who comes back: cohorts, the way to the second order, the gaps between purchases, and the base month by month."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import altair as alt
import pandas as pd
from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from winback_features.retention import MONTHLY
from winback_serving import charts
from winback_serving.run_retention import read_retention
from winback_serving.web.format import Formatter
from winback_serving.web.pages.per_run import per_run
from winback_serving.web.pages.picture import Picture, draw
from winback_serving.web.pages.shade import shade
from winback_serving.web.pages.view import CurrentView
from winback_serving.web.reader import Run
from winback_serving.web.texts import Texts

router = APIRouter(include_in_schema=False)
COHORTS_SHOWN = 18
MONTHS_SHOWN = 18


@router.get("/retention", response_class=HTMLResponse)
def show_retention(v: CurrentView) -> HTMLResponse:
    """Show who comes back; in words what to do where the run is older than these figures."""
    found = figures(v.run)
    if not found or not found["contacts"]:
        return v.page("retention", found=None)
    return v.page(
        "retention",
        found=found,
        cohorts=cohorts(found),
        second=second_order(v.run, v.t, v.f),
        gaps=gaps(v.run, v.t, v.f),
        lifecycle=lifecycle(v.run, v.t, v.f),
        headline={row["days"]: row for row in found["second_order"]["rates"]},
        lines={round(100 * row["share"]): row["days"] for row in found["gaps"]["lines"]},
        month=lambda text: v.f.month(_first_day(text)),
    )


@per_run
def figures(run: Run) -> dict[str, Any] | None:
    """Return the run's ``retention.json``; None where it has none."""
    return read_retention(run.published)


def cohorts(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the newest cohorts: ``month, contacts`` and ``cells`` of ``share``, ``shade`` and ``complete``.

    The first month, in which everybody bought, is left out; shades compare the months after it.
    """
    newest = found["cohorts"][-COHORTS_SHOWN:]
    top = max((share for row in newest for share in row["share"][1:]), default=0.0) or 1.0
    return [
        {
            "month": row["month"],
            "contacts": row["contacts"],
            "cells": [
                {"share": share, "shade": shade(share / top), "complete": number < row["complete_months"]}
                for number, share in enumerate(row["share"][1 : MONTHS_SHOWN + 1], start=1)
            ],
        }
        for row in newest
    ]


@per_run
def second_order(run: Run, t: Texts, f: Formatter) -> Picture | None:
    """Draw how the share of buyers with a second order grows with the days since the first."""
    found = figures(run)
    curve = found["second_order"]["curve"] if found else []
    data = pd.DataFrame([row for row in curve if row["rate"] is not None])
    if len(data) < 2:
        return None
    x = alt.X("days:Q", title=t("retention.days_since_first")).axis(tickCount=6, grid=False)
    y = alt.Y("rate:Q", title=None).axis(format="%", tickCount=4)
    base = alt.Chart(data)
    band = base.mark_area(color=charts.CALM, opacity=0.16).encode(x=x, y=alt.Y("low:Q"), y2="high:Q")
    line = base.mark_line(color=charts.CALM, strokeWidth=2.4).encode(x=x, y=y)
    last = data.iloc[-1]
    label = t("retention.second_label", rate=f.percent(last["rate"]), days=f.number(last["days"]))
    rows = [
        (f.number(r["days"]), f.percent(r["rate"], 1), f.percent(r["low"], 1), f.percent(r["high"], 1))
        for r in curve
        if r["rate"] is not None
    ]
    heads = (
        t("retention.days_since_first"),
        t("retention.rate"),
        t("retention.low"),
        t("retention.high"),
    )
    svg = draw((band + line).properties(width=470, height=240), prefix="second", label=label, f=f)
    return Picture(t("retention.second_title"), t("retention.second_caption"), svg, heads, rows)


@per_run
def gaps(run: Run, t: Texts, f: Formatter) -> Picture | None:
    """Draw how long gaps between purchases are, with the days within which 50, 75 and 90 % of them close."""
    found = figures(run)
    bins = found["gaps"]["bins"][:-1] if found else []
    if not bins or not found:
        return None
    marks = [row for row in found["gaps"]["lines"] if row["days"] is not None]
    data = pd.DataFrame(bins).rename(columns={"from": "low", "to": "high"})
    data["high"] = data["high"] + 1  # a bin holds its last day
    end = float(data["high"].max())
    x = alt.X("low:Q", title=t("retention.gap_days")).scale(domain=[0, end], nice=False)
    bars = (
        alt.Chart(data)
        .mark_rect(color=charts.CALM, stroke=charts.QUIET, strokeWidth=0.4)
        .encode(
            x=x.axis(grid=False, tickCount=6),
            x2="high:Q",
            y=alt.Y("gaps:Q", title=t("retention.gap_count")).axis(tickCount=4, format="~s"),
            y2=alt.datum(0),
        )
    )
    names = [
        {"day": row["days"], "name": f.percent(row["share"]), "row": 4 + 15 * place}
        for place, row in enumerate(marks)
        if row["days"] <= end
    ]
    layers = [bars]
    for name in names:
        base = alt.Chart(pd.DataFrame([name]))
        text = base.mark_text(align="left", dx=4, baseline="top", color=charts.INK, fontSize=12)
        layers += [
            base.mark_rule(color=charts.INK, strokeDash=[3, 3]).encode(x="day:Q"),
            text.encode(x="day:Q", y=alt.value(name["row"]), text="name:N"),
        ]
    said = ", ".join(f"{f.percent(row['share'])}: {f.number(row['days'])}" for row in marks)
    label = t("retention.gap_label", lines=said or "–")
    rows = [
        (f"{f.number(b['from'])} – {f.number(b['to'])}", f.number(b["gaps"])) for b in found["gaps"]["bins"]
    ]
    svg = draw(alt.layer(*layers).properties(width=470, height=240), prefix="gaps", label=label, f=f)
    heads = (t("retention.gap_days"), t("retention.gap_count"))
    return Picture(t("retention.gap_title"), t("retention.gap_caption"), svg, heads, rows)


@per_run
def lifecycle(run: Run, t: Texts, f: Formatter) -> Picture | None:
    """Draw new, returning and resurrecting buyers of each month above the axis, those who fell dormant below."""
    found = figures(run)
    months = found["lifecycle"] if found else []
    if not months:
        return None
    names = [t(f"retention.{kind}") for kind in MONTHLY]
    rows = [
        {
            "month": charts.drawn_day(_first_day(row["month"])),
            "kind": name,
            "place": place,
            "n": -row[kind] if kind == "dormant" else row[kind],
        }
        for row in months
        for place, (kind, name) in enumerate(zip(MONTHLY, names, strict=True))
    ]
    colours = ["#56B4E9", charts.CALM, "#009E73", charts.QUIET]
    chart = (
        alt.Chart(pd.DataFrame(rows))
        .mark_bar()
        .encode(
            x=alt.X("yearmonth(month):O", title=None).axis(
                grid=False, format="%b %Y", labelAngle=0, labelOverlap=True
            ),
            y=alt.Y("n:Q", title=t("col.contacts")).axis(
                tickCount=6, labelExpr="format(abs(datum.value), '~s')"
            ),
            color=alt.Color("kind:N", scale=alt.Scale(domain=names, range=colours), sort=names).legend(
                orient="top", symbolType="square"
            ),
            order="place:O",
        )
        .properties(width=1060, height=250)
    )
    heads = (t("retention.month"), *names, t("retention.active"))
    table = [
        (
            f.month(_first_day(row["month"])) + ("" if row["complete"] else " *"),
            *(f.number(row[kind]) for kind in MONTHLY),
            f.number(row["active"]),
        )
        for row in reversed(months)
    ]
    label = t("retention.lifecycle_label", n=f.number(len(months)))
    svg = draw(chart, prefix="lifecycle", label=label, f=f)
    return Picture(t("retention.lifecycle_title"), t("retention.lifecycle_caption"), svg, heads, table)


def _first_day(month: str) -> date:
    return date.fromisoformat(month + "-01")
