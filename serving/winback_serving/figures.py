"""The report's pictures with their words: a title, a caption, and a sentence for who cannot see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import pandas as pd

from winback_models.charts import calibration_chart, lift_chart, timing_chart
from winback_serving import charts, wording
from winback_serving.brief import ListRow
from winback_serving.one_page import Figure, figure


def story_figure(
    row: ListRow, curve: pd.DataFrame, purchases: Sequence[date], *, as_of: date, trained_on: date, one: str
) -> Figure:
    """Show one contact's chances over time.

    Parameters
    ----------
    row : ListRow
        The contact on the list.
    curve, purchases
        From :func:`winback_serving.demo.contact_story`.
    as_of, trained_on : date
        The day that was scored, and the day for which the model was trained.
    one : str
        What a contact is called.
    """
    expected = None
    if row.next_purchase_low is not None:
        expected = (row.next_purchase_low, row.next_purchase_high or as_of + timedelta(days=365))
    chart = charts.contact_story(curve, purchases, as_of=as_of, expected=expected, flagged_at=row.entered_at)
    now = wording.percent(float(curve["p_purchase"].iloc[-1]))
    why = row.reasons[0] if row.reasons else wording.lateness(row.days_overdue)
    return figure(
        "story",
        charts.styled(chart),
        f"{one.capitalize()} {row.contact_id}: {why}",
        "What the model says of each day from what was known on it; every tick is a day with a purchase. "
        f"Days before {wording.day(trained_on)} are a look back by a model that has seen them.",
        f"The chance that {one} {row.contact_id} buys within the horizon, day by day. "
        f"It stands at {now} on {wording.day(as_of)}, after {wording.count(len(purchases), 'purchase day')}.",
    )


def risk_figure(bins: pd.DataFrame, threshold: float) -> Figure:
    """Show how risk is spread over the active base; ``bins`` from :func:`winback_serving.brief.risk_bins`."""
    total = int(bins["n"].sum())
    beyond = int(bins.loc[bins["low"] + 1e-9 >= threshold, "n"].sum())
    level = wording.percent(threshold)
    return figure(
        "risk",
        charts.styled(charts.risk_histogram(bins, threshold)),
        "How risk is spread over the active base",
        f"{beyond:,} of {total:,} are at {level} or more. The list is made of these, less those who are "
        "within their own rhythm or should be left in peace.",
        f"Histogram of risk over {total:,} active contacts, {beyond:,} of them at {level} or more.",
    )


def cohort_figure(cohorts: pd.DataFrame) -> Figure:
    """Show how many come back; ``cohorts`` from :func:`winback_serving.demo.cohort_table`."""
    return figure(
        "cohorts",
        charts.styled(charts.cohort_grid(cohorts)),
        "How many come back, month by month",
        "Per cent of those who first bought in a month (their number beside it) who bought again so many "
        "months later. The first row also holds everybody who was there before the data begin.",
        f"Heat-map of {cohorts['cohort'].nunique()} monthly cohorts: the share that bought again, by month.",
    )


def calibration_figure(calibration: pd.DataFrame) -> Figure:
    """Show whether the probability is true to its word; ``Evaluation.calibration``."""
    return _of_models(
        "calibration",
        calibration_chart,
        calibration,
        "Is the probability true to its word?",
        "Contacts in groups of equal size by what was said of them. On the dashed line as many buy as said.",
    )


def lift_figure(lift: pd.DataFrame) -> Figure:
    """Show how many of those who lapse are found; ``Evaluation.lift``."""
    return _of_models(
        "lift",
        lift_chart,
        lift,
        "How many of those who lapse does the list find?",
        "Contacts from the riskiest on. The dashed line is a list drawn by lot.",
    )


def timing_figure(timing: pd.DataFrame) -> Figure:
    """Show whether purchases come as early and as late as said; ``Evaluation.timing``."""
    return _of_models(
        "timing",
        timing_chart,
        timing,
        "Do purchases come when they are due?",
        "When each contact bought, by how likely a purchase had been by then. On the dashed line as many are early and late "
        "as was said.",
    )


def money_figure(tenths: pd.DataFrame, verdict: str, currency: str) -> Figure:
    """Show expected money beside money that came; ``Evaluation.money_tenths``, and the sentence of ``money_verdict``."""
    return figure(
        "money",
        charts.styled(charts.money_tenths(tenths, currency)),
        "Does the money come that is expected?",
        f"{verdict} Every buyer at the newest test, in tenths by expected money.",
        "Bars of the money that came within the horizon for each tenth of the buyers, and a mark at what was expected. "
        f"{verdict}",
    )


def _of_models(name: str, build: Callable[..., Any], table: pd.DataFrame, title: str, caption: str) -> Figure:
    """Take over a chart of the models layer, its description included."""
    chart = build(table, width=400, height=300)
    return figure(name, charts.bare(chart), title, caption, str(chart.description))
