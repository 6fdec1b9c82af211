"""Who moved from one RFM segment to another between two runs, and whether the contact moved or the thresholds did.

A quintile compares contacts, so a contact may change its segment only because the others changed. The run's thresholds
tell the two apart: a move is *real* when the contact would have left its segment by the thresholds of the earlier run
too, and a *threshold* move when it would not.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import ibis

from winback_policy.rfm import RfmThresholds, rfm

MOVES = ("stayed", "real", "threshold", "new", "gone")
"""Every kind of move. ``new`` and ``gone``: a buyer in the later, or in the earlier run only."""


def moves(before: Any, after: Any, thresholds_before: RfmThresholds, thresholds_after: RfmThresholds) -> Any:
    """Follow every buyer of two runs.

    Parameters
    ----------
    before, after : ibis.Table
        `rfm.rfm_values` of the earlier and of the later run.
    thresholds_before, thresholds_after : RfmThresholds
        With which the runs were scored.

    Returns
    -------
    ibis.Table
        ``contact_id``, ``segment_before``, ``segment_after`` (null where the contact is not in that run),
        ``code_before``, ``code_after``, and ``move``, one of `MOVES`; one row per contact, ordered by contact.
    """
    old = _graded(before, thresholds_before, "before")
    new = _graded(after, thresholds_after, "after")
    still = _graded(after, thresholds_before, "still").select("of_still", "segment_still")
    later = new.inner_join(still, new.of_after == still.of_still)
    t = old.outer_join(later, old.of_before == later.of_after)
    move = ibis.cases(
        (t.segment_before.isnull(), "new"),
        (t.segment_after.isnull(), "gone"),
        (t.segment_before == t.segment_after, "stayed"),
        (t.segment_before == t.segment_still, "threshold"),
        else_="real",
    )
    contact = ibis.coalesce(t.of_before, t.of_after)
    columns = ("segment_before", "segment_after", "code_before", "code_after")
    return t.select(contact_id=contact, **{name: t[name] for name in columns}, move=move).order_by(
        "contact_id"
    )


def moves_matrix(moved: Any) -> Any:
    """Count the moves.

    Parameters
    ----------
    moved : ibis.Table
        From `moves`.

    Returns
    -------
    ibis.Table
        ``segment_before``, ``segment_after``, ``move``, ``contacts`` (int64); the contacts add up to the rows of
        ``moved``. Ordered by the first three, nulls last.
    """
    counted = moved.group_by("segment_before", "segment_after", "move").aggregate(contacts=moved.count())
    keys = (counted.segment_before, counted.segment_after)
    return counted.order_by(*(key.asc(nulls_first=False) for key in keys), counted.move)


def _graded(values: Any, thresholds: RfmThresholds, suffix: str) -> Any:
    t = rfm(values, thresholds)
    return t.select(
        **{f"of_{suffix}": t.rfm_of, f"segment_{suffix}": t.rfm_segment, f"code_{suffix}": t.rfm_code}
    )


def totals(moved: list[dict[str, Any]]) -> dict[str, int]:
    """Return the contacts of each kind of move, from the rows of `moves_matrix`.

    >>> totals([{"move": "real", "contacts": 2}, {"move": "real", "contacts": 1}])
    {'stayed': 0, 'real': 3, 'threshold': 0, 'new': 0, 'gone': 0}
    """
    found: Counter[str] = Counter()
    for row in moved:
        found[row["move"]] += row["contacts"]
    return {move: found[move] for move in MOVES}
