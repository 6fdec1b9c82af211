"""The words of /outcomes: the same numbers in every language, none of the other language's sentences, and what is missing."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from rich.console import Console

from winback_policy.config import PolicyConfig
from winback_policy.outcomes.cells import Cell
from winback_policy.outcomes.config import OutcomesConfig
from winback_policy.outcomes.moments import Sums
from winback_policy.outcomes.readout import Measured
from winback_serving.commands.outcomes import show_readout
from winback_serving.outcomes import Outcomes, SentLog, summarise
from winback_serving.outcomes_report import render_outcomes, tell
from winback_serving.outcomes_told import Teller
from winback_serving.web.format import Formatter
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
    teller = Teller.of(language, "EUR")
    return teller.lead(as_read), teller.parts(as_read)


def numbers(text: str) -> list[str]:
    digits = "".join(c if c.isdigit() else " " for c in text.replace(",", "").replace(".", ""))
    return digits.split()


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
                if table["name"] != "months":
                    assert [[numbers(cell) for cell in row] for row in translated["rows"]] == rows
                assert not set(table["heads"]) & set(translated["heads"]) - {"Arm"}


def test_page_terminal_report_and_file_say_the_same() -> None:
    found = reading()
    lead, (part,) = told(found)
    console = Console(file=io.StringIO(), width=100)
    show_readout(console, found.readout, "EUR")  # type: ignore[arg-type]
    terminal, report = console.file.getvalue(), render_outcomes(found, "Shop")  # type: ignore[attr-defined]
    for sentence in part.sentences:
        assert sentence in terminal
        assert sentence.replace("<", "&lt;") in report
    assert tell(found) == {"lead": lead, "parts": [part.as_dict()]}
    for table in part.tables:
        assert all(cell in report for row in table["rows"] for cell in row), table["name"]
    assert "20.0% of 900 treated: +0.00 points" in part.sentences[1]
    assert part.tables[0]["rows"][2][0] == "Still active after 91 days"
    assert (
        lead[0]
        == "1,000 contacts entered win-back and could be followed for 30 days; for 200 more the days are not over."
    )


def test_a_holdout_that_cost_as_much_is_told_without_a_fault() -> None:
    found = reading(450, held_out_cost=0.5)
    assert any("cost €0.00" in line for line in told(found)[1][0].sentences)


@pytest.mark.parametrize("language", LANGUAGES)
def test_money_adjusted_for_what_was_known_before_says_so(language: str) -> None:
    said = texts(language)("outcomes.adjusted", names=texts(language).word("metric", "value_at_risk"))
    assert said in told(reading(), language)[1][0].sentences
    plan = {
        "plan": {"metrics": [{"kind": "money", "before": None}, {"kind": "share", "before": "p_purchase"}]}
    }
    assert not list(Teller.of(language, "EUR")._adjusted(plan))


def test_an_adjusted_difference_is_not_that_of_the_averages() -> None:
    """What the sentence says, seen in numbers: the treated were worth more before anybody wrote to them."""
    cells = [
        Cell(arm, metrics={"bought": Sums(n, n / 2, n / 2), "revenue": sums})
        for arm, n, sums in (
            ("treatment", 4, Sums.of([10, 20, 30, 50], [11, 19, 31, 49])),
            ("holdout", 4, Sums.of([10, 20, 30, 40], [11, 19, 31, 41])),
        )
    ]
    readout = summarise(cells, PolicyConfig(), OutcomesConfig())
    assert readout is not None
    value = {m.arm: m.value for m in readout.arms if m.metric == "revenue"}
    plain, adjusted = value["treatment"] - value["holdout"], readout.effect("treatment", "revenue").value
    assert plain == pytest.approx(2.5)
    assert abs(adjusted) < 1.0


def test_parts_of_the_base_and_new_customers_are_told() -> None:
    def cell(arm: str, n: int, k: int) -> Cell:
        return Cell(arm, by="rfm_segment", level="cant_lose", metrics={"bought": Sums(n, k, k)})

    whole = [
        Cell(arm, metrics={"bought": Sums(1000, k, k)}) for arm, k in (("treatment", 400), ("holdout", 100))
    ]
    parts = [cell("treatment", 1000, 400), cell("holdout", 1000, 100)]
    readout = summarise([*whole, *parts], PolicyConfig(), OutcomesConfig())
    assert readout is not None
    found = reading(
        readout=readout, newcomers=Measured("new customers", "basket", "about", 12, 31.5, None, None)
    )
    for language, part, basket in (
        ("en", "RFM segment: can't lose", "€31.50"),
        ("nl", "RFM-segment: niet te verliezen", "€\u00a031,50"),
    ):
        (one,) = told(found, language)[1]
        rows = {table["name"]: table["rows"] for table in one.tables}
        assert rows["parts"][0][0] == part
        assert rows["arms"][-1][2:] == ("12", basket)
        (clear,) = Teller.of(language, "EUR").stands_out(readout.as_dict())
        assert clear.startswith(part)
        assert "+30" in clear


def test_amounts_without_a_currency_keep_their_cents() -> None:
    assert Teller.of("en", "").money(0.486) == "0.49"
    assert Teller.of("en", "EUR").money(0.486) == "€0.49"


def test_too_few_for_bounds_is_said() -> None:
    cost = {"arm": "treatment", "cost": 100.0, "won": 20.0, "each": 5.0, "low": None, "high": None}
    said = Teller.of("en", "EUR")._cost(cost)
    assert said == "Each contact won among the treated cost €5.00 (too few for bounds)."
    assert "at the least" in Teller.of("en", "EUR")._cost(cost | {"low": 4.0})


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


def test_an_experiment_that_is_over_has_one_interval() -> None:
    readout = reading().readout
    assert readout is not None
    one, teller = readout.as_dict(), Teller.of("en", "EUR")
    both = ["Holds at every reading", "For one reading"]
    assert teller.effects(one, once=True)["heads"][3:5] == both
    assert teller.effects(one, once=False)["heads"][3:4] == both[:1]
    over = one | {"plan": one["plan"] | {"running": False}}
    found = teller.effects(over, once=True)
    assert found["heads"][3:] == ["Interval", "Verdict"]
    assert [row[3] for row in found["rows"]] == [row[4] for row in teller.effects(one, once=True)["rows"]]
