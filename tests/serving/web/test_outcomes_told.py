"""The words of /outcomes: the same numbers in every language, none of the other language's sentences, and what is missing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from winback_policy.config import PolicyConfig
from winback_policy.outcomes.cells import Cell
from winback_policy.outcomes.config import OutcomesConfig
from winback_policy.outcomes.moments import Sums
from winback_serving.outcomes import Outcomes, SentLog, summarise
from winback_serving.outcomes_report import tell
from winback_serving.web.format import Formatter
from winback_serving.web.pages.outcomes_told import Teller
from winback_serving.web.pages.uplift_told import tell_uplift
from winback_serving.web.texts import LANGUAGES, texts


def reading(k: int = 180, held_out_cost: float = 0.0, **changes: Any) -> Outcomes:
    """Return 900 treated, of whom ``k`` bought, against 100 held out, of whom 20 did; messages cost 450."""
    cost = {"treatment": 0.5, "holdout": held_out_cost}

    def cell(arm: str, n: int, bought: int) -> Cell:
        counts = {"contacted": 870.0 if arm == "treatment" else 3.0, "sends": n * 1.0, "cost": n * cost[arm]}
        metrics = {
            "bought": Sums(n, bought, bought),
            "revenue": Sums(n, 20.0 * bought, 400.0 * bought),
            "active_after_91_days": Sums(n, bought, bought),
        }
        return Cell(arm, "2026-01-05", metrics=metrics, counts=counts)

    cells = [cell("treatment", 900, k), cell("holdout", 100, 20)]
    found = summarise(cells, PolicyConfig(), OutcomesConfig())
    known = Outcomes(date(2026, 3, 1), 30, "EUR", 1200, 200, readout=found, log=SentLog(900, 4, 2))
    return replace(known, **changes)


def told(found: Outcomes, language: str = "en") -> tuple[list[str], list[Any]]:
    as_read = json.loads(json.dumps(found.as_dict()))
    teller = Teller(texts(language), Formatter.of(language), "EUR")
    return teller.lead(as_read), teller.parts(as_read)


def numbers(text: str) -> list[str]:
    digits = "".join(c if c.isdigit() else " " for c in text.replace(",", "").replace(".", ""))
    return digits.split()


def without_p(text: str) -> str:
    """Return the sentence without its p-value, which is written to other digits."""
    return re.sub(r"\(p = [^)]*\)", "", text)


@pytest.mark.parametrize("k", [0, 180, 450])
def test_every_language_tells_the_same_numbers(k: int) -> None:
    found = reading(k, again=7, erased=3)
    (lead, parts), *others = (told(found, language) for language in LANGUAGES)
    for other_lead, other_parts in others:
        assert [numbers(s) for s in other_lead] == [numbers(s) for s in lead]
        for one, other in zip(parts, other_parts, strict=True):
            assert [numbers(s) for s in other.sentences] == [numbers(s) for s in one.sentences]
            assert not set(one.sentences) & set(other.sentences)
            for table, translated in zip(one.tables, other.tables, strict=True):
                rows = [[numbers(cell) for cell in row] for row in table["rows"]]
                if table["heads"][0] != "Month":
                    assert [[numbers(cell) for cell in row] for row in translated["rows"]] == rows
                assert not set(table["heads"]) & set(translated["heads"]) - {"Arm"}


def test_the_page_says_what_the_terminal_says() -> None:
    found = reading()
    lead, (part,) = told(found)
    (written,) = tell(found)["parts"]
    assert len(part.sentences) == len(written["sentences"])
    for ours, theirs in zip(part.sentences, written["sentences"], strict=True):
        assert numbers(without_p(ours)) == numbers(without_p(theirs)), ours
    assert [table["title"] for table in part.tables] == [table["title"] for table in written["tables"]]
    assert "20.0% of 900 treated: +0.00 points" in part.sentences[1]
    assert part.tables[0]["rows"][2][0] == "Still active after 91 days"
    assert (
        lead[0]
        == "1,000 contacts entered win-back and could be followed for 30 days; for 200 more the days are not over."
    )


def test_a_holdout_that_cost_as_much_is_told_without_a_fault() -> None:
    found = reading(450, held_out_cost=0.5)
    assert any("cost €0.00" in line for line in told(found)[1][0].sentences)
    assert any("cost 0.00 EUR" in line for line in tell(found)["parts"][0]["sentences"])


def test_what_is_missing_is_said() -> None:
    assert any("Nobody was held out" in line for line in told(reading(readout=None))[0])
    open_ones = reading(readout=None, open=1200, first_closes=date(2026, 4, 1), log=None)
    lead, parts = told(open_ones, "nl")
    assert parts == []
    assert "De eersten kunnen op 1 apr 2026 gelezen worden." in lead
    assert any("geen campagnelog" in line for line in lead)
    assert any("nog niemand" in line for line in told(replace(open_ones, first_closes=None), "nl")[0])


def verdict(**changes: Any) -> dict[str, Any]:
    def ranking(value: float) -> dict[str, Any]:
        return {"qini": {"value": value, "low": value - 0.2, "high": value + 0.2}}

    far = {"outcomes": 900, "needed": 300, "more_contacts": 0}
    known = {
        "accepted": True, "distance": far, "contacts": 10_000, "held_out": 1000, "uplift": ranking(0.5), "usual": ranking(-0.1),
        "lead": {"value": 0.6, "low": 0.3, "high": 0.9}, "sleeping": {"at_most": None, "share": 0.0},
    }  # fmt: skip
    return known | changes


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_verdict_on_uplift_says_how_far_away_it_is(language: str) -> None:
    t, f = texts(language), Formatter.of(language)

    def said(**changes: Any) -> str:
        return " ".join(tell_uplift(verdict(**changes), t, f, "EUR")["sentences"])

    stays = t("outcomes.uplift_stays")
    proven = tell_uplift(verdict(), t, f, "EUR")
    assert t("outcomes.uplift_ranks") in proven["sentences"]
    assert len(proven["rows"]) == 3
    few = {"accepted": False, "uplift": None, "usual": None, "lead": None}
    far = said(distance={"outcomes": 75, "needed": 300, "more_contacts": 2250}, **few)
    assert stays in far
    assert {"75", "300", "2250"} <= set(numbers(far))
    assert "2250" not in numbers(said(distance={"outcomes": 0, "needed": 300, "more_contacts": 2250}, **few))
    flat = {"qini": {"value": 0.1, "low": -0.1, "high": 0.3}}
    same = said(accepted=False, uplift=flat, times_qini=4.0)
    assert t("outcomes.uplift_same") in same
    assert t("outcomes.uplift_times", times=f.number(4.0, 1)) in same
    behind = said(accepted=False, lead={"value": -0.1, "low": -0.4, "high": 0.2}, times_lead=None)
    assert t("outcomes.uplift_no_lead") in behind
    assert t("outcomes.uplift_asleep", share=f.percent(0.1)) in said(
        sleeping={"at_most": -0.01, "share": 0.1}
    )
