"""The verdict of ``winback uplift`` in the reader's words: how far away it is, or what it found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from winback_serving.web.format import DASH, Formatter
from winback_serving.web.texts import Texts


def tell_uplift(verdict: Mapping[str, Any], t: Texts, f: Formatter, currency: str | None) -> dict[str, Any]:
    """Return the verdict as ``sentences`` and ``rows`` of (ranking, Qini, low, high).

    Parameters
    ----------
    verdict : mapping
        ``uplift/verdict.json`` of the home folder.
    t, f
        Texts and locale.
    currency : str or None
    """
    named = (("ours", verdict["uplift"]), ("usual", verdict["usual"]))
    found = [(name, ranking["qini"]) for name, ranking in named if ranking]
    found += [("lead", verdict["lead"])] if verdict["lead"] else []
    rows = [
        (
            t(f"outcomes.uplift_{name}"),
            *(_money(one[bound], f, currency) for bound in ("value", "low", "high")),
        )
        for name, one in found
    ]
    return {"sentences": list(_sentences(verdict, t, f)), "rows": rows}


def _sentences(verdict: Mapping[str, Any], t: Texts, f: Formatter) -> Iterator[str]:
    yield t("outcomes.uplift_watched", n=f.number(verdict["contacts"]), held=f.number(verdict["held_out"]))
    distance = verdict["distance"]
    if distance["more_contacts"]:
        numbers = {name: f.number(distance[key]) for name, key in (("n", "outcomes"), ("needed", "needed"))}
        if distance["outcomes"]:
            yield t("outcomes.uplift_far", more=f.number(distance["more_contacts"]), **numbers)
        else:
            yield t("outcomes.uplift_far_unknown", **numbers)
    elif verdict["uplift"]["qini"]["low"] <= 0:
        yield t("outcomes.uplift_same")
        yield from _times(verdict.get("times_qini"), t, f)
    elif verdict["lead"]["low"] <= 0:
        yield t("outcomes.uplift_no_lead")
        yield from _times(verdict.get("times_lead"), t, f)
    yield t("outcomes.uplift_ranks" if verdict["accepted"] else "outcomes.uplift_stays")
    if verdict["sleeping"]["at_most"] is not None:
        yield t("outcomes.uplift_asleep", share=f.percent(verdict["sleeping"]["share"]))


def _times(times: float | None, t: Texts, f: Formatter) -> Iterator[str]:
    if times is not None:
        yield t("outcomes.uplift_times", times=f.number(times, 1 if times < 10 else 0))


def _money(value: float | None, f: Formatter, currency: str | None) -> str:
    if value is None:
        return DASH
    return ("−" if value < 0 else "") + f.money(abs(value), currency, exact=True)
