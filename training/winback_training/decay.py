"""How a model ages: the oldest one of the forward tests, left as it was, asked at each later day beside the one trained then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

import pandas as pd

from winback_models.label_time import LabelTime
from winback_models.lapse_model import LapseModel
from winback_training.forward_test import ACTIVE, OURS, ForwardTest
from winback_training.frozen import ask

FROZEN, FRESH = "frozen", "fresh"
NEXT_TO_NOTHING = 0.0005
"""An integrated Brier score that a card shows as 0.000: what it rises or falls by says nothing."""

METRICS = ("n", "ibs", "brier", "auc", "bias")
COLUMNS = ("origin", "age_days", "model", *METRICS)


def decay_table(
    tests: Sequence[ForwardTest],
    models: Callable[[date], LapseModel],
    label_time: Callable[[date], LabelTime],
) -> pd.DataFrame:
    """Return how good the oldest model still is at each later forward test, and how good the one trained then.

    Parameters
    ----------
    tests : sequence of ForwardTest
        In any order.
    models : callable
        Gives the model that was fitted on the day of a test.
    label_time : callable
        Gives the label time of a test's day.

    Returns
    -------
    DataFrame
        ``origin, age_days, model`` (``frozen`` or ``fresh``), ``n, ibs, brier, auc, bias`` on the active base, oldest first;
        at age 0 both are the same model. Empty with fewer than two tests.
    """
    ordered = sorted((t for t in tests if t.populations[ACTIVE].any()), key=lambda t: t.origin)
    if len(ordered) < 2:
        return pd.DataFrame(columns=list(COLUMNS))
    begun = ordered[0].origin
    oldest = models(begun)
    rows = []
    for test in ordered:
        asked = ask(test, label_time(test.origin), {FROZEN: oldest})
        where = {"origin": test.origin, "age_days": (test.origin - begun).days}
        for name, model in ((FROZEN, FROZEN), (FRESH, OURS)):
            found = asked.metrics(model, ACTIVE)
            rows.append({**where, "model": name, **{m: found[m] for m in METRICS}})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def decay_sentence(decay: pd.DataFrame) -> str:
    """Say how much better a fresh model was at the greatest age; empty without two ages, or where hardly anybody buys.

    Examples
    --------
    >>> table = pd.DataFrame({"age_days": [0, 0, 60, 60], "model": ["frozen", "fresh"] * 2,
    ...                       "ibs": [0.17, 0.17, 0.19, 0.18]})
    >>> decay_sentence(table)
    'After 60 days a model left as it was has an integrated Brier score 5.6% above a fresh one.'
    """
    both = decay.pivot_table(index="age_days", columns="model", values="ibs")
    if len(both) < 2:
        return ""
    oldest = both.iloc[-1]
    if oldest[FRESH] < NEXT_TO_NOTHING:
        return ""
    share = float(oldest[FROZEN] / oldest[FRESH] - 1.0)
    way = "above" if share >= 0 else "below"
    return (
        f"After {both.index[-1]:.0f} days a model left as it was has an integrated Brier score {abs(share):.1%} {way} "
        "a fresh one."
    )
