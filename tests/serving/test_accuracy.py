"""What forward tests come to, in rows and in words: never more than the numbers bear."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pandas as pd
import pytest

from winback_serving import wording
from winback_serving.accuracy import (
    Accuracy,
    MoneyRow,
    compare_models,
    compare_populations,
    money_verdict,
    newest_money,
    read_accuracy,
    verdicts,
)

NEW, OLD = date(2025, 6, 1), date(2025, 3, 1)
NAN = float("nan")


def metrics(rows: list[tuple[str, str, float, float, float]]) -> pd.DataFrame:
    """Return two tests of (population, model, auc, brier, brier_skill); the newer has .02 more of each."""
    return pd.DataFrame(
        [
            {"origin": origin, "population": population, "model": model, "n": n, "prevalence": 0.3, "auc": auc + d,
             "brier": brier + d, "ibs": 0.1, "brier_skill": skill + d, "lift_10": 2.0, "bias": 0.0, "coverage_80": 0.8}
            for origin, d, n in ((OLD, 0.0, 100), (NEW, 0.02, 200))
            for population, model, auc, brier, skill in rows
        ]
    )  # fmt: skip


def differences(*rows: tuple[str, str, float, float, float], origin: object = "all") -> pd.DataFrame:
    names = ["origin", "population", "baseline", "metric", "difference", "low", "high"]
    return pd.DataFrame([(origin, "active", *row) for row in rows], columns=names)


GOOD = metrics(
    [("active", "recency", 0.6, NAN, NAN), ("active", "winback", 0.7, 0.1, 0.2), ("active", "bg_nbd", 0.6, 0.11, 0.1),
     ("lapsed", "winback", 0.7, 0.1, 0.2), ("lapsed", "mbg_nbd", 0.6, 0.12, 0.1), ("lapsed", "bg_nbd", 0.6, 0.11, 0.1)]
)  # fmt: skip


def said(table: pd.DataFrame, gaps: pd.DataFrame | None = None) -> str:
    return " ".join(verdicts(compare_populations(table), differences() if gaps is None else gaps))


def test_models_are_means_over_the_tests_ours_first_and_unknown_ones_last() -> None:
    table = pd.concat([GOOD, metrics([("active", "zz_new", 0.5, 0.2, 0.0)])])
    rows = compare_models(table)
    assert [row.model for row in rows] == ["winback", "bg_nbd", "recency", "zz_new"]
    assert rows[0].auc == pytest.approx(0.71)
    assert rows[2].brier is None
    assert compare_models(table, "nobody") == ()


def test_each_population_has_its_closest_rival() -> None:
    active, lapsed = compare_populations(GOOD)
    assert (active.population, lapsed.population) == ("active", "lapsed")
    assert (active.n, active.bought) == (150.0, pytest.approx(0.3))
    assert lapsed.rival is not None
    assert lapsed.rival.model == "bg_nbd"


def test_a_ranking_is_no_rival_in_size() -> None:
    table = metrics([("active", "winback", 0.7, 0.1, 0.2), ("active", "recency", 0.6, NAN, NAN)])
    assert compare_populations(table)[0].rival is None


def test_better_than_all_is_said_only_when_every_interval_lies_below_nothing() -> None:
    better = [("bg_nbd", "brier", -0.01, -0.02, -0.001), ("bg_nbd", "ibs", -0.01, -0.02, -0.001)]
    assert "errs less than every other model" in said(GOOD, differences(*better))
    doubtful = differences(
        *better, ("logistic", "brier", -0.001, -0.003, 0.001), ("logistic", "ibs", -0.1, -0.2, -0.01)
    )
    words = said(GOOD, doubtful)
    assert "winback errs less than BG/NBD." in words
    assert "Against Logistic regression the difference is not beyond chance" in words
    assert "every other" not in words


def test_a_better_baseline_is_named_with_its_margin() -> None:
    gaps = differences(
        ("boosting", "ibs", 0.0012, 0.0003, 0.0021),
        ("boosting", "brier", 0.0001, -0.001, 0.001),
        ("bg_nbd", "brier", -0.01, -0.02, -0.001),
    )
    words = said(GOOD, gaps)
    assert (
        "Gradient boosting errs less than winback on the active base: Brier over the whole curve lower by 0.0012 "
        "(95 % 0.0003 to 0.0021)." in words
    )
    assert "winback errs less than BG/NBD." in words
    assert "Against" not in words


def test_one_test_alone_proves_nothing() -> None:
    assert said(GOOD, differences(("boosting", "brier", 0.1, 0.05, 0.2), origin=NEW)) == ""


@pytest.mark.parametrize(
    ("auc", "skill", "words"),
    [
        (
            0.50,
            0.1,
            "On the active base the score ranks no better than chance (AUC 0.510; 0.5 is chance).",
        ),
        (
            0.60,
            -0.03,
            "On the active base the score says no more than one rate for everybody would (Brier skill −0.020).",
        ),
        (0.60, 0.10, ""),
    ],
)
def test_chance_is_called_chance(auc: float, skill: float, words: str) -> None:
    assert said(metrics([("active", "winback", auc, 0.1, skill)])) == words


def test_in_the_smaller_populations_a_better_rival_is_named_too() -> None:
    table = metrics([("lapsed", "winback", 0.7, 0.11, 0.2), ("lapsed", "bg_nbd", 0.7, 0.10, 0.2)])
    assert said(table) == "Among the lapsed BG/NBD errs less (Brier 0.1100 against 0.1200)."
    level = metrics([("lapsed", "winback", 0.7, 0.1001, 0.2), ("lapsed", "bg_nbd", 0.7, 0.1, 0.2)])
    assert said(level) == ""


def test_where_hardly_anybody_bought_no_rival_is_named() -> None:
    rows = [("lapsed", "winback", 0.6, 0.05, 0.1), ("lapsed", "bg_nbd", 0.6, 0.04, 0.1)]
    table = metrics(rows)
    assert "BG/NBD errs less" in said(table.assign(n=1000.0, prevalence=0.1))
    assert said(table.assign(n=1000.0, prevalence=0.001)) == ""


def test_money_is_that_of_every_buyer_at_the_newest_test() -> None:
    row = {"expected": 12.0, "actual": 10.0, "ratio": 1.2, "ratio_low": 1.1, "ratio_high": 1.3}
    table = pd.DataFrame(
        [row | {"origin": OLD, "population": "whole"}, row | {"origin": NEW, "population": "whole", "actual": 9.0},
         row | {"origin": NEW, "population": "active", "actual": 8.0}]
    )  # fmt: skip
    assert newest_money(table) == MoneyRow(NEW, 12.0, 9.0, 1.2, 1.1, 1.3)
    assert newest_money(table.assign(actual=0.0)) is None
    assert read_accuracy(GOOD, differences(), table.iloc[:0]).money is None


def test_an_interval_beside_one_says_which_way_the_money_is_wrong() -> None:
    row = MoneyRow(NEW, 12_000.0, 10_000.0, 1.2, 1.1, 1.3)
    assert money_verdict(row, "EUR").endswith("(95 % 1.10–1.30). Too much was promised.")
    assert money_verdict(replace(row, ratio_low=0.7, ratio_high=0.9), "EUR").endswith(
        "Too little was promised."
    )
    assert money_verdict(replace(row, ratio_low=0.9), "EUR").endswith("(95 % 0.90–1.30).")


def test_without_forward_tests_there_is_nothing_to_say() -> None:
    nothing = read_accuracy(
        GOOD.iloc[:0], differences(), pd.DataFrame(columns=["origin", "population", "actual"])
    )
    assert nothing == Accuracy()
    assert nothing.best_auc is nothing.best_brier is nothing.best_ibs is None


def test_every_population_has_its_words_within_a_sentence_too() -> None:
    assert set(wording.AMONG) == set(wording.POPULATIONS)
