"""Which segments of the sandbox are large and different enough for content of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy.typing as npt

from winback_policy.sandbox_terms import SegmentView

OWN_CONTENT_SHARE = 0.05
OWN_CONTENT_CONTACTS = 300
OWN_CONTENT_SD = 0.2
SAME_PEOPLE = 0.5
"""A segment deserves its own content when it is this large, its mean differs from the rest's by so many standard deviations
on some describing column, and it shares less than this (Jaccard) with each larger one that has its own."""

HINTS = ("own_content", "too_small", "too_alike", "same_people")
"""``own_content``, or the first reason against it."""

Array = npt.NDArray[Any]


def jaccard(both: Array, i: int, j: int) -> float:
    """Return the contacts in both of two segments over those in either, 0 where nobody is.

    Parameters
    ----------
    both : int array of shape (segments, segments)
        The contacts that each two share; a segment's own on the diagonal.
    i, j : int
    """
    either = both[i, i] + both[j, j] - both[i, j]
    return float(both[i, j] / either) if either else 0.0


def with_hints(views: Sequence[SegmentView], both: Array) -> list[SegmentView]:
    """Give each segment its hint, the larger ones first.

    Parameters
    ----------
    views : sequence of SegmentView
    both : int array of shape (segments, segments)
        As for `jaccard`.

    Returns
    -------
    list of SegmentView
        In the order of ``views``.
    """
    hinted: dict[int, SegmentView] = {}
    for i in sorted(range(len(views)), key=lambda i: (-views[i].contacts, i)):
        view, shares_with = views[i], None
        larger = [j for j, other in hinted.items() if other.hint == "own_content"]
        same = [j for j in larger if jaccard(both, i, j) >= SAME_PEOPLE]
        if view.contacts < OWN_CONTENT_CONTACTS or view.share < OWN_CONTENT_SHARE:
            hint = "too_small"
        elif all(abs(distance) < OWN_CONTENT_SD for distance in view.differs.values()):
            hint = "too_alike"
        elif same:
            hint, shares_with = "same_people", views[same[0]].name
        else:
            hint = "own_content"
        hinted[i] = replace(view, hint=hint, shares_with=shares_with)
    return [hinted[i] for i in range(len(views))]
