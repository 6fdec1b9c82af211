"""Is the model at least as good as the champion? Both judged on the same contacts, on days neither had seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from winback_models.label_time import LabelTime
from winback_models.lapse_model import LapseModel
from winback_training.forward_test import ACTIVE, OURS, ForwardTest, compare
from winback_training.frozen import ask

CHAMPION = "champion"


@dataclass(frozen=True, slots=True)
class ChampionReport:
    """How the model compares with the champion.

    Attributes
    ----------
    version : str
        The champion's; empty where there is none.
    origins : tuple of str
        Forward tests, newest first, that lie on or after the day for which the champion was trained.
    ours, champion : float
        Brier scores on the population, over those tests together; nan where there are none.
    difference, low, high : float
        Ours minus the champion's, with its 95 % paired bootstrap interval over contacts.
    note : str
        Why it was not compared; empty where it was.
    """

    version: str = ""
    origins: tuple[str, ...] = ()
    ours: float = math.nan
    champion: float = math.nan
    difference: float = math.nan
    low: float = math.nan
    high: float = math.nan
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return one JSON-ready object; null for what is not known."""
        found = {**asdict(self), "origins": list(self.origins)}
        return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in found.items()}


def compare_champion(
    champion: LapseModel | None,
    tests: Sequence[ForwardTest],
    label_time: Callable[[date], LabelTime],
    horizon_days: int,
    seed: int = 0,
    population: str = ACTIVE,
) -> ChampionReport:
    """Judge the champion, as it is, in those forward tests whose day it had not seen, beside ours.

    Parameters
    ----------
    champion : LapseModel or None
    tests : sequence of ForwardTest
        Ours, newest first.
    label_time : callable
        Gives the label time of a test's day.
    horizon_days : int
    seed : int
    population : {"active", "held_out"}
        On whom.
    """
    if champion is None:
        return ChampionReport(note="There is no champion yet to compare it with.")
    report = ChampionReport(version=champion.version)
    name = f"champion, version {champion.version}" if champion.version else "champion"
    known_until = champion.info.get("trained_as_of")
    if champion.horizon_days != horizon_days:
        why = f"looks {champion.horizon_days} days ahead, this model {horizon_days}"
        return _not_compared(report, name, why)
    if known_until is None:
        return _not_compared(report, name, "does not say for which day it was trained")
    unseen = [t for t in tests if t.origin.isoformat() >= known_until and t.has(population)]
    if not unseen:
        why = f"was trained for {known_until}, after every forward test"
        return _not_compared(report, name, why, _recorded(champion, tests, population))
    asked = [ask(test, label_time(test.origin), {CHAMPION: champion}) for test in unseen]
    found = compare(asked, population, seed)
    if found.empty:
        return _not_compared(report, name, "gives no probability for some of the contacts")
    row = found[(found["origin"].astype(str) == "all") & (found["metric"] == "brier")].iloc[0]
    contacts = sum(int(t.populations[population].sum()) for t in asked)
    ours, theirs = (
        sum(float(t.losses(model, population)[:, 0].sum()) for t in asked) / contacts
        for model in (OURS, CHAMPION)
    )
    return ChampionReport(
        champion.version,
        tuple(t.origin.isoformat() for t in asked),
        ours,
        theirs,
        float(row["difference"]),
        float(row["low"]),
        float(row["high"]),
    )


def _not_compared(report: ChampionReport, name: str, why: str, more: str = "") -> ChampionReport:
    note = f"Not compared on the same contacts: the {name}, {why}.{more}"
    return ChampionReport(version=report.version, note=note)


def _recorded(champion: LapseModel, tests: Sequence[ForwardTest], population: str) -> str:
    """Return the means that both have on record, where their forward tests were on the same days."""
    record = champion.info.get("evaluation") or {}
    days = [t.origin.isoformat() for t in tests]
    theirs = ((record.get("populations") or {}).get(population) or {}).get(OURS, {}).get("brier")
    heard = [t for t in tests if t.has(population)]
    if theirs is None or not heard or record.get("origins") != days:
        return " No forward test is shared."
    ours = sum(t.metrics(OURS, population)["brier"] for t in heard) / len(heard)
    return f" In its own forward tests on the same days its Brier score was {theirs:.4f}, ours is {ours:.4f}."
