"""Whether to believe the numbers: the model's card, how it did on days it had not seen, how it ages, who came before."""

from __future__ import annotations

from typing import Any

import pandas as pd
from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from winback_models.charts import MODEL_LABELS, calibration_chart, decay_chart, lift_chart, timing_chart
from winback_serving import charts
from winback_serving.web.format import Formatter
from winback_serving.web.pages.per_run import per_run
from winback_serving.web.pages.picture import Picture, render
from winback_serving.web.pages.view import CurrentView
from winback_serving.web.reader import Run
from winback_serving.web.texts import Texts

router = APIRouter(include_in_schema=False)
DRAWN = {
    "calibration": calibration_chart,
    "lift": lift_chart,
    "timing": timing_chart,
    "decay": decay_chart,
}
NUMBERS = {
    "calibration": ("predicted", "observed", "n"),
    "lift": ("share", "captured", "lift"),
    "timing": ("low", "high", "share"),
    "decay": ("age_days", "ibs", "auc"),
}
"""Of each picture, the columns of the table behind it."""

DRIFT_SHOWN = 12
PARTS = ("active", "repeat", "one_time", "held_out", "lapsed", "never_bought")
"""Parts of the base in the order of their table; the first three and the held out are the active base and parts of it."""


@router.get("/model", response_class=HTMLResponse)
def show_model(v: CurrentView) -> HTMLResponse:
    """Show the model that scored the run."""
    model = v.run.record["model"]
    found = None
    if v.settings is not None:
        from winback_serving.loader import (
            read_evidence,  # MLflow is slow to import, and only this page needs it
        )

        found = read_evidence(v.settings.tracking_uri, model["name"], str(model["version"]))
    if found is None:
        return v.page("model", model=model, found=None)
    drift, by_part = found.tables.get("drift", []), ours(found.card)
    return v.page(
        "model",
        model=model,
        found=found,
        card=found.card,
        ours=by_part,
        parts_of_base={name: by_part[name] for name in PARTS if name in by_part},
        pictures=[
            draw_evidence(v.run, name, rows, v.t, v.f)
            for name in DRAWN
            if (rows := tuple(tuple(row.items()) for row in found.tables.get(name, [])))
        ],
        drift=drift[:DRIFT_SHOWN],
        drifted=sum(row["drifted"] == "True" for row in drift),
        features=len(drift),
        labels=MODEL_LABELS,
    )


def ours(card: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the card's figures of winback itself, by population."""
    return {row["population"]: row for row in card.get("metrics", []) if row["model"] == "winback"}


@per_run
def draw_evidence(
    run: Run, name: str, rows: tuple[tuple[tuple[str, str], ...], ...], t: Texts, f: Formatter
) -> Picture:
    """Draw one table of the forward tests.

    Parameters
    ----------
    run : Run
    name : str
        One of `DRAWN`.
    rows : tuple
        The table's rows as pairs of column and text.
    t, f
        Texts and locale.
    """
    table = pd.DataFrame([dict(row) for row in rows])
    words = ("model", "population", "origin")
    numeric = [column for column in table.columns if column not in words]
    table[numeric] = table[numeric].apply(pd.to_numeric)
    chart = DRAWN[name](table, width=400, height=280)
    spec = translated(charts.bare(chart).to_dict(), t.table["chart"])
    spec["config"]["legend"]["symbolType"] = "stroke"
    svg = render(spec, prefix=name, label=t(f"model.{name}_label"), f=f)
    columns = NUMBERS[name]
    heads = (t("model.of"), *(t(f"model.col_{column}") for column in columns))
    numbers = [
        (
            MODEL_LABELS.get(row["model"], t.word("ageing", row["model"])),
            *(f.number(row[c], 0 if c in ("n", "age_days") else 3) for c in columns),
        )
        for _, row in table.iterrows()
    ]
    return Picture(t(f"model.{name}_title"), t(f"model.{name}_caption"), svg, heads, numbers)


def translated(spec: Any, words: Any) -> Any:
    """Return a Vega-Lite object with every text that is known in the reader's language.

    >>> translated({"title": "seen", "axis": {"tickCount": 5}}, {"seen": "gezien"})
    {'title': 'gezien', 'axis': {'tickCount': 5}}
    """
    if isinstance(spec, dict):
        return {key: translated(value, words) for key, value in spec.items()}
    if isinstance(spec, list):
        return [translated(value, words) for value in spec]
    return words.get(spec, spec) if isinstance(spec, str) else spec
