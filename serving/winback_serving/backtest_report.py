"""A backtest in words and pictures: sentences for the terminal, and one HTML page that needs nothing else."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from winback_serving import charts, wording
from winback_serving.backtest import Backtest
from winback_serving.backtest_charts import caught_curve, lead_histogram
from winback_serving.one_page import Figure, figure, render


class Label(NamedTuple):
    """What a rule is called, and the unit of its threshold."""

    label: str
    unit: str


RULES = {
    "risk": Label("winback's risk, once nearly late", "P(no purchase)"),
    "risk_alone": Label("winback's risk alone", "P(no purchase)"),
    "fixed_window": Label("fixed window, the best one", "days"),
    "own_gap": Label("own average gap, the best factor", "gaps"),
}


def sentences(found: Backtest) -> list[str]:
    """Say what came out, for people."""
    said = [
        f"{wording.count(found.days, 'day')} replayed, {wording.day(found.first_day)} to {wording.day(found.last_day)}, by a "
        f"model trained for {wording.day(found.trained_on)}, {found.horizon_days} days ahead.",
        f"{wording.count(found.flags, 'flag')}: {found.caught:,} of {wording.count(found.true_lapses, 'true lapse')} caught "
        f"before they happened, {found.unnecessary:,} unnecessary (bought within {found.horizon_days} days anyway), "
        f"{found.late:,} when the contact was late already. {wording.percent(found.precision)} of the flags bought nothing.",
    ]
    if found.lead_days_median is not None:
        said.append(
            f"Median lead time: {found.lead_days_median:g} days before the limit of the contact's own rhythm."
        )
    f = found.flapping
    said.append(
        f"{wording.count(f['entries'], 'entry', 'entries')} of {wording.count(f['contacts'], 'contact')}, "
        f"{f['entered_again']:,} more than once; {f['again_in_cooldown']:,} within the cooldown, {f['again_in_spell']:,} twice "
        "in one silence."
    )
    return said


def figures(found: Backtest) -> dict[str, Figure]:
    """Draw the pictures there are numbers for: ``caught`` and ``lead``."""
    out = {}
    if found.curves:
        labels = {name: rule.label for name, rule in RULES.items()}
        chart = caught_curve(pd.DataFrame(found.curves), labels, found.flags, found.caught)
        title = "Lapses caught with so many flags"
        label = f"With {found.flags:,} flags the policy catches {found.caught:,} true lapses" + "".join(
            f"; {RULES[name].label} {rule['caught']:,.0f}" for name, rule in found.rules.items()
        )
        caption = (
            "True lapses caught before they happened, by number of flags. The simpler rules stand at the threshold that would "
            "have been best, known only afterwards; where it flags more, as many are kept by lot. The risk stands at the "
            "threshold that gives the number."
        )
        out["caught"] = figure("caught", charts.styled(chart), title, caption, label + ".")
    if found.lead_days and found.lead_days_median is not None:
        chart = lead_histogram(found.lead_days, found.lead_days_median)
        label = (
            f"{found.caught:,} lapses caught, the median {found.lead_days_median:g} days before the limit."
        )
        caption = (
            "The limit is the day by which 80 % of gaps like the contact's own have closed. 0 is the last day on which it is "
            "not yet past."
        )
        out["lead"] = figure("lead", charts.styled(chart), "How long before", caption, label)
    return out


def render_backtest(found: Backtest, brand: str) -> str:
    """Return the page ``backtest.html``; everything but the pictures is escaped."""
    return render(
        "backtest.html.j2",
        brand=brand,
        found=found,
        sentences=sentences(found),
        figures=figures(found),
        rules=RULES,
        exits=wording.EXITS,
    )
