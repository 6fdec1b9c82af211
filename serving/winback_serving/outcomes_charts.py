"""The pictures of an outcome: how the effect came in, and where it differs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import altair as alt
import pandas as pd

from winback_policy.outcomes.comparison import Comparison
from winback_policy.outcomes.readout import Point
from winback_serving.charts import CALM, INK, MUTED, QUIET, RISK

Chart = alt.LayerChart | alt.FacetChart


def path_chart(points: Sequence[Point]) -> Chart:
    """Show the effect of one arm as known on each day, with the bounds for any number of readings.

    Parameters
    ----------
    points : sequence of Point
        Of one arm, oldest first; those with bounds are drawn.
    """
    data = pd.DataFrame(
        {
            "day": [pd.Timestamp(date.fromisoformat(p.cohort)) for p in points],
            "value": [100 * p.comparison.value for p in points],
            "low": [_points(p.comparison.often_low) for p in points],
            "high": [_points(p.comparison.often_high) for p in points],
        }
    ).dropna()
    reach = 1.5 * float(data[["value"]].abs().to_numpy().max(initial=1.0)) + 5
    data = data.assign(low=data["low"].clip(lower=-reach), high=data["high"].clip(upper=reach))
    x = alt.X("day:T", title="Entered until").axis(grid=False, format="%d %b %Y", tickCount=6)
    band = alt.Chart(data).mark_area(color=QUIET, opacity=0.5).encode(x=x, y=alt.Y("low:Q"), y2="high:Q")
    line = alt.Chart(data).mark_line(color=CALM, strokeWidth=2.2)
    line = line.encode(x=x, y=alt.Y("value:Q", title="Effect, percentage points").axis(tickCount=5))
    zero = alt.Chart(pd.DataFrame({"at": [0]})).mark_rule(color=INK, strokeDash=[3, 3]).encode(y="at:Q")
    return alt.layer(band, zero, line).properties(width=640, height=260)


def forest_chart(rows: Sequence[tuple[str, Comparison]], *, running: bool) -> Chart:
    """Show effects below each other, each with its bounds.

    Parameters
    ----------
    rows : sequence of (label, Comparison)
    running : bool
        Whether the bounds for any number of readings are drawn.
    """
    data = pd.DataFrame([_row(label, c, running=running) for label, c in rows]).dropna()
    order = [label for label, _ in rows]
    y = alt.Y("label:N", sort=order, title=None).axis(grid=False, labelLimit=240)
    colour = alt.Color("clear:N", scale=alt.Scale(domain=[True, False], range=[RISK, MUTED])).legend(None)
    base = alt.Chart(data)
    line = base.mark_rule(strokeWidth=2).encode(
        y=y, x=alt.X("low:Q", title="Effect, percentage points"), x2="high:Q", color=colour
    )
    dot = base.mark_point(filled=True, size=60, opacity=1).encode(y=y, x="value:Q", color=colour)
    zero = alt.Chart(pd.DataFrame({"at": [0]})).mark_rule(color=INK, strokeDash=[3, 3]).encode(x="at:Q")
    return alt.layer(zero, line, dot).properties(width=440, height=26 * max(len(data), 1) + 10)


def _row(label: str, c: Comparison, *, running: bool) -> dict[str, Any]:
    low, high = (c.often_low, c.often_high) if running else (c.low, c.high)
    known = c.enough and low is not None
    return {
        "label": label,
        "value": 100 * c.value if known else None,
        "low": _points(low),
        "high": _points(high),
        "clear": c.verdict in ("better", "worse"),
    }


def _points(value: float | None) -> float | None:
    return None if value is None else 100 * value
