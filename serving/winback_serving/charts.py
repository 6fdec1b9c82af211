"""The report's own pictures: how risk is spread, one contact's story, how cohorts come back, and what they spend.

Every function takes a small summary (a histogram, one contact's curve, a cohort grid), never contacts or
orders, and returns an Altair chart for a light background in colours that colour-blind people can tell apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

import altair as alt
import pandas as pd

INK, MUTED, HAIR = "#1d2733", "#66717e", "#e4e2dc"
RISK, CALM, QUIET = "#c8500a", "#0b6aa2", "#b9c4cd"
HEIGHT = 270
FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"

LEGEND_PADDING = 36
"""Between the names of a legend, in pixels: a browser's font may be wider than the one that they were laid out in."""


def styled(chart: alt.TopLevelMixin) -> alt.TopLevelMixin:
    """Return ``chart`` in the report's hand: no frame, hairline grid, quiet axes."""
    axis = {
        "labelColor": MUTED,
        "titleColor": MUTED,
        "titleFontWeight": "normal",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "gridColor": HAIR,
        "domain": False,
        "ticks": False,
        "labelPadding": 6,
        "titlePadding": 10,
    }
    result: alt.TopLevelMixin = (
        chart.configure(font=FONT, background="transparent", padding=4)
        .configure_view(stroke=None)
        .configure_axis(**axis)
        .configure_legend(labelColor=MUTED, labelFontSize=12, title=None, columnPadding=LEGEND_PADDING)
        .configure_text(font=FONT)
    )
    return result


def risk_histogram(bins: pd.DataFrame, threshold: float) -> alt.TopLevelMixin:
    """Show how many contacts of the active base stand at each level of risk.

    Parameters
    ----------
    bins : DataFrame
        ``low, high`` (edges of P(no purchase), 0 to 1) and ``n`` (contacts).
    threshold : float
        Risk from which a contact can be flagged; drawn as a line, and the bars beyond it are coloured.
    """
    data = bins.assign(above=bins["low"] + 1e-9 >= threshold)
    data = data.assign(low=data["low"] + 0.001, high=data["high"] - 0.001)  # a hair between the bars
    beyond = int(data.loc[data["above"], "n"].sum())
    x = alt.X("low:Q", title="Risk: probability of no purchase within the horizon").axis(
        format=".0%", grid=False, values=[0, 0.25, 0.5, 0.75, 1]
    )
    bars = (
        alt.Chart(data)
        .mark_rect()
        .encode(
            x=x.scale(domain=[0, 1]),
            x2="high:Q",
            y=alt.Y("n:Q", title="Contacts").axis(tickCount=4, format=",d"),
            y2=alt.datum(0),
            color=alt.condition("datum.above", alt.value(RISK), alt.value(CALM)),
        )
    )
    mark = alt.Chart(
        pd.DataFrame({"at": [threshold], "label": [f"{beyond:,} at {100 * threshold:.0f} % or more"]})
    )
    line = mark.mark_rule(color=INK, strokeDash=[3, 3]).encode(x="at:Q")
    label = mark.mark_text(align="left", dx=6, baseline="top", color=INK, fontSize=12).encode(
        x="at:Q", y=alt.value(2), text="label:N"
    )
    return alt.layer(bars, line, label).properties(width=460, height=220)


def contact_story(
    curve: pd.DataFrame,
    purchases: Sequence[date],
    *,
    as_of: date,
    expected: tuple[date, date] | None = None,
    flagged_at: date | None = None,
) -> alt.TopLevelMixin:
    """Show one contact's chances over time above the days on which it bought.

    Parameters
    ----------
    curve : DataFrame
        ``day`` (date), ``p_purchase`` and ``p_alive`` (0 to 1), as the model would have said on each day.
    purchases : sequence of date
        Purchase days, drawn as ticks at the foot.
    as_of : date
        Today of the run: the right end of what is known.
    expected : (date, date), optional
        The 80 % interval of the next purchase, shaded.
    flagged_at : date, optional
        The day the contact entered the list.
    """
    start = min([*curve["day"], *purchases])
    end = max(as_of, expected[1]) if expected else as_of
    x_domain = [*map(drawn_day, (start, min(end, date.fromordinal(as_of.toordinal() + 120))))]
    x = alt.X("day:T", title=None).scale(domain=x_domain).axis(grid=False, format="%b %Y", tickCount=7)
    names = {"p_purchase": "P(buys within the horizon)", "p_alive": "P(still a customer)"}
    long = curve.assign(day=pd.to_datetime(curve["day"])).melt(
        "day", list(names), var_name="line", value_name="p"
    )
    long = long.dropna(subset=["p"]).assign(line=lambda d: d["line"].map(names))
    scale = alt.Scale(domain=list(names.values()), range=[RISK, CALM])
    lines = (
        alt.Chart(long)
        .mark_line(strokeWidth=2.2, interpolate="monotone")
        .encode(
            x=x,
            y=alt.Y("p:Q", title=None)
            .scale(domain=[-0.1, 1])
            .axis(format="%", values=[0, 0.25, 0.5, 0.75, 1]),
            color=alt.Color("line:N", scale=scale).legend(
                orient="top", symbolType="stroke", symbolStrokeWidth=3
            ),
            strokeDash=alt.StrokeDash(
                "line:N", scale=alt.Scale(domain=list(names.values()), range=[[1, 0], [5, 3]])
            ).legend(None),
        )
    )
    ticks = (
        alt.Chart(pd.DataFrame({"day": pd.to_datetime(pd.Series(list(purchases), dtype="object"))}))
        .mark_rule(color=INK, strokeWidth=1.1)
        .encode(x="day:T", y=alt.datum(-0.1), y2=alt.datum(-0.03))
    )
    layers = [lines, ticks]
    if expected:
        layers.insert(0, _band(expected, as_of))
    layers.append(_moment("today", as_of, right=True))
    if flagged_at and flagged_at != as_of:
        layers.append(_moment("flagged", flagged_at, right=False))
    return alt.layer(*layers).properties(width=860, height=HEIGHT)


def cohort_grid(cohorts: pd.DataFrame) -> alt.TopLevelMixin:
    """Show which share of each month's newcomers bought again so many months later.

    Parameters
    ----------
    cohorts : DataFrame
        ``cohort`` (month of the first purchase, as shown), ``position`` (its order from the top), ``month``
        (months since, from 1) and ``share`` (0 to 1).
    """
    months = int(cohorts["month"].max()) if len(cohorts) else 1
    base = alt.Chart(cohorts).encode(
        x=alt.X("month:O", title="Months after the first purchase").axis(
            labelAngle=0, orient="top", grid=False
        ),
        y=alt.Y("cohort:N", title=None, sort=alt.SortField("position")).axis(grid=False, labelLimit=160),
    )
    top = float(cohorts["share"].max()) if len(cohorts) else 1.0
    cells = base.mark_rect(stroke="#ffffff", strokeWidth=1.5, cornerRadius=2).encode(
        color=alt.Color("share:Q")
        .scale(domain=[0, top], range=["#f1f4f6", "#bcd7e8", "#5a9fca", CALM])
        .legend(None)
    )
    text = base.mark_text(fontSize=11 if months <= 12 else 9).encode(
        text=alt.Text("percent:Q", format=".0f"),
        color=alt.condition(f"datum.share > {0.62 * top:.6f}", alt.value("#ffffff"), alt.value(INK)),
    )
    rows = cohorts["cohort"].nunique()
    return (
        alt.layer(cells, text)
        .transform_calculate(percent="100 * datum.share")
        .properties(width=370, height=max(26 * rows, 60))
    )


def money_tenths(tenths: pd.DataFrame, currency: str) -> alt.TopLevelMixin:
    """Show what each tenth of the buyers was expected to spend, and spent.

    Parameters
    ----------
    tenths : DataFrame
        ``bin`` (from 1, the least expected first), ``expected`` and ``actual`` (money in total).
    currency : str
    """
    names = {"actual": "came", "expected": "expected"}
    long = tenths.melt("bin", list(names), var_name="kind", value_name="money")
    long = long.assign(kind=long["kind"].map(names))
    base = alt.Chart(long).encode(
        x=alt.X("bin:O", title="Tenths of the buyers, the most expected of on the right").axis(labelAngle=0),
        y=alt.Y("money:Q", title=currency).axis(tickCount=4, format="~s"),
        color=alt.Color("kind:N", scale=alt.Scale(domain=list(names.values()), range=[QUIET, RISK])).legend(
            orient="top", symbolType="square"
        ),
    )
    bars = base.transform_filter("datum.kind === 'came'").mark_bar()
    marks = base.transform_filter("datum.kind === 'expected'").mark_tick(
        thickness=3, opacity=1, width=alt.RelativeBandSize(0.9)
    )
    return alt.layer(bars, marks).properties(width=400, height=300)


def drawn_day(day: date) -> str:
    """Write a day for Vega, which reads one without a time as midnight in UTC: west of that, it is drawn as the day before.

    >>> drawn_day(date(2026, 3, 1))
    '2026-03-01T00:00:00'
    """
    return f"{day.isoformat()}T00:00:00"


def inline(svg: str, *, prefix: str, label: str) -> str:
    """Make an SVG fit to stand inside a page: no addresses, ids of its own, and words for who cannot see it.

    Parameters
    ----------
    svg : str
        A whole SVG document.
    prefix : str
        Put before every id, so that two pictures in one page do not share a clipping path.
    label : str
        What the picture shows, read by screen readers.

    Examples
    --------
    >>> inline('<svg xmlns="http://www.w3.org/2000/svg" width="9"><g id="a"/></svg>', prefix="x", label="B")
    '<svg role="img" aria-label="B" width="9"><g id="x-a"/></svg>'
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'\s+xmlns(:\w+)?="[^"]*"', "", svg)
    svg = re.sub(r'(\s)id="', rf'\1id="{prefix}-', svg)
    svg = re.sub(r"url\(#", f"url(#{prefix}-", svg)
    svg = re.sub(r'href="#', f'href="#{prefix}-', svg)
    svg = re.sub(r'\s(?:aria-roledescription|aria-label|role|tabindex)="[^"]*"', "", svg)
    words = label.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return svg.replace("<svg", f'<svg role="img" aria-label="{words}"', 1)


def _band(expected: tuple[date, date], as_of: date) -> alt.LayerChart | alt.FacetChart:
    """Return the shaded interval in which the next purchase is expected, from today on."""
    low, high = (pd.Timestamp(max(day, as_of)) for day in expected)
    base = alt.Chart(pd.DataFrame({"low": [low], "high": [high], "name": ["next purchase, 80 % interval"]}))
    text = base.mark_text(align="left", dx=6, baseline="bottom", color=MUTED, fontSize=12)
    return alt.layer(
        base.mark_rect(color=QUIET, opacity=0.3, clip=True).encode(x="low:T", x2="high:T"),
        text.encode(x="low:T", y=alt.value(HEIGHT - 24), text="name:N"),
    )


def _moment(name: str, day: date, *, right: bool) -> alt.LayerChart | alt.FacetChart:
    """Return a dashed line at ``day`` with its name at the top, on its right or left."""
    base = alt.Chart(pd.DataFrame({"day": [pd.Timestamp(day)], "name": [name]})).encode(x="day:T")
    text = base.mark_text(
        align="left" if right else "right", dx=5 if right else -5, baseline="top", color=INK, fontSize=12
    )
    return alt.layer(
        base.mark_rule(color=INK, strokeDash=[3, 3], strokeWidth=1),
        text.encode(y=alt.value(2), text="name:N"),
    )


def bare(chart: alt.LayerChart) -> alt.TopLevelMixin:
    """Return another module's chart fit for the report: no title of its own, no background, legend below."""
    result: alt.TopLevelMixin = chart.properties(
        title="", background="transparent", padding={"left": 4, "top": 4, "right": 24, "bottom": 4}
    ).configure_legend(
        orient="bottom",
        columns=3,
        title=None,
        labelColor=MUTED,
        labelFontSize=12,
        symbolStrokeWidth=3,
        symbolSize=240,
        columnPadding=LEGEND_PADDING / 2,
    )
    return result
