"""The pictures of a backtest: lapses caught against flags, and how early.

As in `winback_serving.charts`: from a small table to an Altair chart, in the same hand.
"""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import pandas as pd

from winback_serving.charts import CALM, HEIGHT, INK, MUTED, QUIET, RISK

LOOKS = {
    "risk": (RISK, [1, 0]),
    "risk_alone": (RISK, [5, 3]),
    "fixed_window": (CALM, [1, 0]),
    "own_gap": (MUTED, [2, 2]),
}
"""Colour and dash of each rule's line."""

MOST_BARS = 60


def caught_curve(
    curves: pd.DataFrame, labels: Mapping[str, str], flags: int, caught: int
) -> alt.LayerChart | alt.FacetChart:
    """Show how many true lapses each rule catches with so many flags, and where the policy stands.

    Parameters
    ----------
    curves : DataFrame
        ``flags``, and a column of lapses caught for each rule.
    labels : mapping of str to str
        Column to what the rule is called.
    flags, caught : int
        The policy's own.
    """
    long = curves.melt("flags", list(labels), var_name="rule", value_name="caught")
    long = long.assign(label=long["rule"].map(dict(labels)))
    looks = [LOOKS[rule] for rule in labels]
    domain = list(labels.values())
    lines = (
        alt.Chart(long)
        .mark_line(strokeWidth=2.2)
        .encode(
            x=alt.X("flags:Q", title="Flags").axis(grid=False, tickCount=6, format=",d"),
            y=alt.Y("caught:Q", title="True lapses caught").axis(tickCount=5, format=",d"),
            color=alt.Color(
                "label:N", scale=alt.Scale(domain=domain, range=[colour for colour, _ in looks]), title=None
            ).legend(orient="bottom", columns=2, labelLimit=320, symbolType="stroke", symbolStrokeWidth=3),
            strokeDash=alt.StrokeDash(
                "label:N", scale=alt.Scale(domain=domain, range=[dash for _, dash in looks])
            ).legend(None),
        )
    )
    point = alt.Chart(pd.DataFrame({"flags": [flags], "caught": [caught], "label": ["the policy as set"]}))
    dot = point.mark_point(filled=True, size=80, color=INK, opacity=1).encode(x="flags:Q", y="caught:Q")
    word = point.mark_text(align="right", dx=-8, dy=-10, color=INK, fontSize=12).encode(
        x="flags:Q", y="caught:Q", text="label:N"
    )
    return alt.layer(lines, dot, word).properties(width=640, height=HEIGHT)


def lead_histogram(lead_days: Mapping[int, int], median: float) -> alt.LayerChart | alt.FacetChart:
    """Show how many days before the limit of the contact's own rhythm the lapses were caught.

    Parameters
    ----------
    lead_days : mapping of int to int
        Days to lapses.
    median : float
        Drawn as a line.
    """
    longest = max(lead_days)
    bar = longest // MOST_BARS + 1
    bins: dict[int, int] = {}
    for day, n in lead_days.items():
        bins[day // bar * bar] = bins.get(day // bar * bar, 0) + n
    data = pd.DataFrame({"low": list(bins), "n": list(bins.values())})
    data = data.assign(left=data["low"] - 0.45, right=data["low"] + bar - 0.55)
    title = "Days from the flag to the limit of the contact's own rhythm"
    bars = (
        alt.Chart(data)
        .mark_rect(color=QUIET)
        .encode(
            x=alt.X("left:Q", title=title).axis(grid=False, format="d", tickMinStep=1),
            x2="right:Q",
            y=alt.Y("n:Q", title="Lapses caught").axis(tickCount=4, format=",d", tickMinStep=1),
            y2=alt.datum(0),
        )
    )
    mark = alt.Chart(pd.DataFrame({"at": [median], "label": [f"median {median:g}"]}))
    line = mark.mark_rule(color=INK, strokeDash=[3, 3]).encode(x="at:Q")
    word = mark.mark_text(align="left", dx=6, baseline="top", color=INK, fontSize=12).encode(
        x="at:Q", y=alt.value(2), text="label:N"
    )
    return alt.layer(bars, line, word).properties(width=640, height=220)
