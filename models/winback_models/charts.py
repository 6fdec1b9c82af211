"""Pictures of how far a model can be believed: calibration, lift and timing beside the baselines, and how it ages.

Pure functions from a table to an Altair chart, and from a chart to SVG. The SVG is made inside this process
(``vl-convert``): no script runs in the page that shows it, and no address is asked. Colours are those of
Okabe & Ito (2008), told apart by every common kind of colour vision; each line has its own dash besides.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

MODEL_LABELS = {
    "winback": "winback",
    "boosting": "Gradient boosting",
    "logistic": "Logistic regression",
    "bg_nbd": "BG/NBD",
    "mbg_nbd": "MBG/NBD",
    "pareto_nbd": "Pareto/NBD",
    "mbg_cnbd": "MBG/CNBD-k",
    "recency": "Days since purchase",
    "own_gap": "Own mean gap",
}
"""Names a reader knows, in the order of the legend."""

_COLOURS = (
    *("#0072B2", "#009E73", "#56B4E9", "#D55E00", "#E69F00"),
    *("#000000", "#8C6D1F", "#CC79A7", "#555555"),
)
_DASHES = ([1, 0], [6, 3], [2, 2], [8, 2], [4, 4], [3, 1], [10, 4], [8, 2, 2, 2], [1, 3])
_AGEING = {"frozen": "left as it was", "fresh": "trained anew"}
_FONT = "Helvetica, Arial, sans-serif"
_INK, _MUTED, _GRID = "#1f2328", "#57606a", "#e6e8eb"


def calibration_chart(calibration: pd.DataFrame, *, width: int = 420, height: int = 320) -> alt.LayerChart:
    """Draw how many bought of those told the same probability.

    Parameters
    ----------
    calibration : DataFrame
        ``model, bin, n, predicted, observed``; ``predicted`` and ``observed`` in [0, 1].
    width, height : int
        Pixels of the plot itself.

    Returns
    -------
    altair.LayerChart
        On the diagonal a probability means what it says.

    Raises
    ------
    ValueError
        When a column is missing.
    """
    table = _labelled(calibration, ("model", "bin", "n", "predicted", "observed"))
    table = table.dropna(subset=["predicted", "observed"]).sort_values(["model", "bin"])
    top = _round_up(max(table[["predicted", "observed"]].max().max(), 0.1) if len(table) else 1.0)
    axis = alt.Axis(format="%", tickCount=5)
    scale = alt.Scale(domain=[0, top], nice=False)
    x = alt.X("predicted:Q", title="said: probability of a purchase", scale=scale, axis=axis)
    y = alt.Y("observed:Q", title="seen: share that bought", scale=scale, axis=axis)
    lines = alt.Chart(table).mark_line().encode(x=x, y=y, order="bin:Q", **_lines(table))
    points = (
        alt.Chart(table[table["label"] == MODEL_LABELS["winback"]])
        .mark_point(filled=True, size=45, opacity=1, color=_COLOURS[0])
        .encode(x=x, y=y, description=alt.Description("observed:Q", format=".0%"))
    )
    ends = pd.DataFrame({"predicted": [0.0, top], "observed": [0.0, top]})
    description = (
        "Calibration: the probability of a purchase that each model gave, against the share of contacts that "
        f"bought. {_calibration_words(table)}"
    )
    return _finish(
        _reference(ends, "predicted", "observed") + lines + points,
        "Can the probability be taken at its word?",
        "On the dashed diagonal as many buy as was said",
        description,
        width,
        height,
    )


def lift_chart(lift: pd.DataFrame, *, width: int = 420, height: int = 320) -> alt.LayerChart:
    """Draw the share of all who lapse that is found among the riskiest contacts.

    Parameters
    ----------
    lift : DataFrame
        ``model, share, captured, lift``; ``share`` of the base targeted, riskiest first, and the share
        ``captured`` of all lapsers, both in [0, 1].
    width, height : int
        Pixels of the plot itself.

    Returns
    -------
    altair.LayerChart
        On the diagonal the order is no better than drawing lots.

    Raises
    ------
    ValueError
        When a column is missing.
    """
    table = _labelled(lift, ("model", "share", "captured", "lift")).dropna(subset=["share", "captured"])
    table = table.sort_values(["model", "share"])
    axis = alt.Axis(format="%", tickCount=5)
    scale = alt.Scale(domain=[0, 1])
    x = alt.X("share:Q", title="contacts written to, riskiest first", scale=scale, axis=axis)
    y = alt.Y("captured:Q", title="of all who lapse, found", scale=scale, axis=axis)
    lines = alt.Chart(table).mark_line().encode(x=x, y=y, order="share:Q", **_lines(table))
    ends = pd.DataFrame({"share": [0.0, 1.0], "captured": [0.0, 1.0]})
    description = (
        f"Lift: the share of all contacts who lapse that is found among the riskiest. {_lift_words(table)}"
    )
    return _finish(
        _reference(ends, "share", "captured") + lines,
        "How many of those who lapse are on the list?",
        "On the dashed diagonal the list is drawn by lot",
        description,
        width,
        height,
    )


def timing_chart(timing: pd.DataFrame, *, width: int = 420, height: int = 200) -> alt.LayerChart:
    """Draw whether purchases come as early and as late as was said: D-calibration.

    Parameters
    ----------
    timing : DataFrame
        ``model, bin, low, high, n, share``: the share of contacts whose survival function stood between ``low`` and
        ``high`` when they bought. Only our own model is drawn.
    width, height : int
        Pixels of the plot itself.

    Returns
    -------
    altair.LayerChart
        On the dashed line every bar is as high as the others: the timing is right.

    Raises
    ------
    ValueError
        When a column is missing.
    """
    table = _labelled(timing, ("model", "bin", "low", "high", "n", "share")).dropna(subset=["share"])
    ours = table[table["label"] == MODEL_LABELS["winback"]].sort_values("bin")
    even = 1.0 / max(len(ours), 1)
    x = alt.X("low:Q", title="← later than expected · purchases · sooner than expected →")
    bars = (
        alt.Chart(ours)
        .mark_bar(color=_COLOURS[0], opacity=0.85, stroke="white")
        .encode(
            x=x.scale(domain=[0, 1]).axis(labels=False, ticks=False, grid=False),
            x2="high:Q",
            y2=alt.Y2Datum(0),
            y=alt.Y("share:Q", title="share of contacts", scale=alt.Scale(zero=True)).axis(
                format="%", tickCount=4
            ),
            description=alt.Description("share:Q", format=".1%"),
        )
    )
    ends = pd.DataFrame({"low": [0.0, 1.0], "share": [even, even]})
    off = float((ours["share"] - even).abs().sum() / 2.0)
    words = f"{off:.1%} of them would have to move." if len(ours) else "No data."
    return _finish(
        bars + _reference(ends, "low", "share"),
        "Do purchases come when they are due?",
        "On the dashed line as many come early, on time and late as was said",
        f"Timing: the share of contacts by how likely a purchase had been by the day it came. {words}",
        width,
        height,
    )


def decay_chart(decay: pd.DataFrame, *, width: int = 420, height: int = 200) -> alt.LayerChart:
    """Draw how a model ages: the oldest one, left as it was, beside those trained anew.

    Parameters
    ----------
    decay : DataFrame
        ``age_days, model, ibs``; ``model`` is ``frozen`` or ``fresh``.
    width, height : int
        Pixels of the plot itself.

    Returns
    -------
    altair.LayerChart

    Raises
    ------
    ValueError
        When a column is missing.
    """
    table = (
        _labelled(decay, ("age_days", "model", "ibs"))
        .dropna(subset=["ibs"])
        .sort_values(["model", "age_days"])
    )
    table = table.assign(label=table["model"].map(_AGEING))
    colour = alt.Color(
        "label:N",
        title=None,
        scale=alt.Scale(domain=list(_AGEING.values()), range=[_COLOURS[3], _COLOURS[0]]),
    )
    dash = alt.Scale(domain=list(_AGEING.values()), range=[[6, 3], [1, 0]])
    encoded = alt.Chart(table).encode(
        x=alt.X("age_days:Q", title="days since the frozen model was trained", axis=alt.Axis(tickCount=5)),
        y=alt.Y("ibs:Q", title="integrated Brier score", scale=alt.Scale(zero=True)),
        color=colour,
        strokeDash=alt.StrokeDash("label:N", title=None, scale=dash),
    )
    return _finish(
        alt.LayerChart(layer=[encoded.mark_line(point=alt.OverlayMarkDef(size=45))]),
        "How does a model age?",
        "Lower is better; where the lines part, it is time to train anew",
        f"Ageing: the loss of the oldest model at later days beside that of models trained then. {_decay_words(table)}",
        width,
        height,
    )


def to_svg(chart: alt.TopLevelMixin) -> str:
    """Render a chart as one SVG element, with its title and description for those who do not see it.

    Parameters
    ----------
    chart : altair chart

    Returns
    -------
    str
        ``<svg …>…</svg>``; it holds no script and refers to nothing outside.
    """
    spec = chart.to_dict()
    version = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    svg: str = vl_convert.vegalite_to_svg(spec, vl_version=version, allowed_base_urls=[])
    title = spec.get("title", "")
    name = title.get("text", "") if isinstance(title, dict) else title
    words = (
        f"<title>{html.escape(str(name))}</title><desc>{html.escape(str(spec.get('description', '')))}</desc>"
    )
    return re.sub(r"(<svg\b[^>]*)>", lambda found: f'{found[1]} role="img">{words}', svg, count=1)


def _labelled(table: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    """Return a copy with the reader's name of each model, after checking the columns."""
    missing = [c for c in columns if c not in table.columns]
    if missing:
        msg = f"the table has no column {', '.join(missing)}; it has {', '.join(table.columns)}"
        raise ValueError(msg)
    return table[list(columns)].assign(
        label=[MODEL_LABELS.get(str(m), str(m).replace("_", " ")) for m in table["model"]]
    )


def _domain(table: pd.DataFrame) -> list[str]:
    """Return the labels present: those with a place in the legend first, then any other by name."""
    present = set(table["label"])
    known = [label for label in MODEL_LABELS.values() if label in present]
    return known + sorted(present.difference(known))


def _scale(table: pd.DataFrame, values: Sequence[Any]) -> alt.Scale:
    """Give each model the value of its place, so that it looks the same in every picture."""
    places = list(MODEL_LABELS.values())
    domain = _domain(table)
    chosen = [
        values[(places.index(d) if d in places else len(places) + i) % len(values)]
        for i, d in enumerate(domain)
    ]
    return alt.Scale(domain=domain, range=chosen)


def _colour(table: pd.DataFrame) -> alt.Color:
    return alt.Color("label:N", title=None, scale=_scale(table, _COLOURS))


def _lines(table: pd.DataFrame) -> dict[str, Any]:
    ours = alt.datum.label == MODEL_LABELS["winback"]
    return {
        "color": _colour(table),
        "strokeDash": alt.StrokeDash("label:N", title=None, scale=_scale(table, _DASHES)),
        "strokeWidth": alt.condition(ours, alt.value(3), alt.value(1.5)),
        "description": alt.Description("label:N"),
    }


def _reference(ends: pd.DataFrame, x: str, y: str) -> alt.Chart:
    line = alt.Chart(ends).mark_line(color="#8c959f", strokeDash=[4, 4], strokeWidth=1, aria=False)
    drawn: alt.Chart = line.encode(x=f"{x}:Q", y=f"{y}:Q")
    return drawn


def _round_up(value: float) -> float:
    """Return the next tenth above, at most 1: an axis that ends on a tick."""
    return min(1.0, -(-float(value) * 10 // 1) / 10)


def _calibration_words(table: pd.DataFrame) -> str:
    ours = table[table["label"] == MODEL_LABELS["winback"]]
    if not len(ours):
        return f"Shown: {', '.join(_domain(table)) or 'nothing'}."
    gap = ((ours["predicted"] - ours["observed"]).abs() * ours["n"]).sum() / max(ours["n"].sum(), 1)
    beside = ", ".join(_domain(table)[1:]) or "nothing"
    return f"winback is {gap:.1%} away on average; shown beside it: {beside}."


def _lift_words(table: pd.DataFrame) -> str:
    found = []
    for label in _domain(table):
        tenth = table[(table["label"] == label) & (table["share"] <= 0.1 + 1e-9)]
        if len(tenth):
            found.append(f"{label} {tenth['captured'].iloc[-1]:.0%}")
    return f"Found in the riskiest tenth: {', '.join(found)}." if found else "No data."


def _decay_words(table: pd.DataFrame) -> str:
    both = table.pivot_table(index="age_days", columns="model", values="ibs")
    if not {"frozen", "fresh"} <= set(both.columns) or len(both) < 2:
        return "No data."
    oldest = both.iloc[-1]
    return f"After {both.index[-1]:.0f} days {oldest['frozen']:.4f} against {oldest['fresh']:.4f}."


def _finish(
    chart: alt.LayerChart, title: str, subtitle: str, description: str, width: int, height: int
) -> alt.LayerChart:
    """Set size, words and the light look that all pictures share."""
    finished: alt.LayerChart = (
        chart.properties(
            width=width,
            height=height,
            title=alt.TitleParams(title, subtitle=subtitle),
            description=description,
            background="white",
            padding=12,
        )
        .configure(font=_FONT)
        .configure_view(strokeWidth=0)
        .configure_title(
            anchor="start", fontSize=15, color=_INK, subtitleColor=_MUTED, subtitleFontSize=12, offset=12
        )
        .configure_axis(
            gridColor=_GRID,
            domainColor=_GRID,
            tickColor=_GRID,
            labelColor=_MUTED,
            titleColor=_MUTED,
            titleFontWeight="normal",
            labelFontSize=11,
            titleFontSize=12,
        )
        .configure_legend(
            symbolType="stroke",
            symbolStrokeWidth=3,
            symbolSize=300,
            labelColor=_INK,
            labelFontSize=12,
            labelLimit=220,
        )
    )
    return finished
