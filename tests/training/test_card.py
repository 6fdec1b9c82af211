"""The model card: everything in it, nothing from outside, and its limitations follow from the numbers."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tracked import AS_OF, small_model, small_result

from winback_models.btyd import BtydModel
from winback_models.history import RhythmModels
from winback_training.card import card_page, model_card
from winback_training.checks import Checks
from winback_training.gate import GateConfig, GateVerdict, check_gate
from winback_training.leakage import LeakageReport
from winback_training.limits import limitations
from winback_training.train import TrainingResult
from winback_training.training_record import write_files

GOOD = {
    "n": 400.0, "prevalence": 0.3, "auc": 0.7, "brier": 0.18, "brier_skill": 0.2, "ece": 0.01, "bias": 0.01,
    "coverage_80": 0.8, "d_calibration_p": 0.4,
}  # fmt: skip
EVERYWHERE = {
    name: {"winback": GOOD} for name in ("whole", "active", "one_time", "repeat", "lapsed", "never_bought")
}
LEARNED = {
    "status": "personal model",
    "weights": {"btyd": 1.0},
    "lapsed": {"status": "p", "weights": {"btyd": 1.0}},
}


def checked(**ours: float) -> TrainingResult:
    decay = pd.DataFrame(
        {"age_days": [0, 0, 60, 60], "model": ["frozen", "fresh"] * 2, "ibs": [0.1, 0.1, 0.12, 0.1]}
    )
    drift = pd.DataFrame(
        [("spend <30d>", "feature", 1.0, 9.0, 0.4, True), ("orders", "feature", 1.0, 1.0, 0.0, False)],
        columns=["name", "kind", "before", "now", "psi", "drifted"],
    )
    leakage = LeakageReport("2024-04-01", 321, (), {}, {"frequency": 0.61})
    bg = BtydModel("bg_nbd", r=0.25, alpha=30.0, a=0.8, b=2.5, standard_errors=(0.1, 0.2, 0.3, 0.4))
    models = RhythmModels(bg, small_model().models.rhythm)
    result = small_result(small_model(models=models), **ours)
    data = {"first_day": "2023-01-01", "buyers": 1234, "rows": {"orders": 5678}}
    return TrainingResult(
        result.model,
        result.evaluation,
        result.as_of,
        ("<b>A notice</b>",),
        result.fingerprints,
        data,
        Checks(leakage=leakage, decay=decay, drift=drift),
    )


def written(result: TrainingResult, folder: Path) -> tuple[str, dict[str, Any]]:
    write_files(result, folder, {"training.seed": 0}, GateConfig(), "d1" * 32)
    page = (folder / "model_card.html").read_text(encoding="utf-8")
    text = (folder / "model_card.json").read_text(encoding="utf-8")
    return page, json.loads(text, parse_constant=lambda name: pytest.fail(name))


class Outline(HTMLParser):
    """Tags, ids and what is referred to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.refers: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "xlink:href", "aria-labelledby"):
                self.refers.append((value or "").lstrip("#"))


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    return written(checked(auc=0.51, n=400.0), tmp_path_factory.mktemp("card"))


def test_the_page_stands_alone_and_can_be_read_by_everybody(card: tuple[str, dict[str, Any]]) -> None:
    page, _ = card
    outline = Outline(page)
    assert page.startswith("<!doctype html>")
    assert '<html lang="en">' in page
    assert outline.tags["h1"] == 1
    assert not {"script", "link", "iframe", "img"} & set(outline.tags)
    assert set(re.findall(r"https?://[^\"' )]+", page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert outline.tags["table"] == outline.tags["caption"]
    assert not re.findall(r"<th(?! scope=|ead)", page)
    assert len(outline.ids) == len(set(outline.ids))
    assert set(outline.refers) <= set(outline.ids)
    assert page.count('role="img"') == 3
    assert "@media print" in page


def test_it_says_what_was_asked_of_it(card: tuple[str, dict[str, Any]]) -> None:
    page, facts = card
    assert "The gate refuses it" in page
    for words in (
        "no better than chance",
        "1,234 buyers",
        "5,678 rows",
        "321 contacts",
        "frequency (AUC 0.610)",
    ):
        assert words in page, words
    for words in (
        "After 60 days a model left as it was",
        "BTYD alone",
        "d1" * 32,
        "ab" * 32,
        "training.seed",
    ):
        assert words in page, words
    assert facts["as_of"] == AS_OF.isoformat()
    assert facts["btyd"]["parameters"][1] == {
        "name": "alpha",
        "value": 30.0,
        "standard_error": pytest.approx(6.0),
    }
    ours = next(m for m in facts["metrics"] if (m["population"], m["model"]) == ("active", "winback"))
    assert (ours["brier"], ours["brier_low"], ours["brier_high"]) == pytest.approx((0.19, 0.18, 0.20))
    assert facts["limitations"]
    assert all(line in page for line in facts["limitations"])
    assert set(facts["reproduce"]["libraries"]) >= {"numpy", "scikit-learn"}


def test_names_and_notices_stay_text(card: tuple[str, dict[str, Any]]) -> None:
    page, _ = card
    assert "<b>A notice" not in page
    assert "&lt;b&gt;A notice" in page
    assert "spend &lt;30d&gt;" in page
    assert '<th scope="row">orders</th><td>feature' not in page, "only what has drifted is listed"


def test_without_a_forward_test_it_says_that_nothing_is_known() -> None:
    result = small_result()
    bare = type(result.evaluation)(
        (),
        90,
        result.evaluation.metrics.iloc[:0],
        result.evaluation.calibration.iloc[:0],
        result.evaluation.lift.iloc[:0],
    )
    untested = TrainingResult(result.model, bare, AS_OF, (), {})
    verdict = check_gate(untested.summary(), GateConfig())
    facts = model_card(untested, verdict, {})
    page = card_page(facts, bare, untested.checks.decay)
    assert facts["limitations"][0].startswith("Untested")
    assert "There was no forward test" in page
    assert "<svg" not in page
    assert "no label window has closed yet" in page


def test_a_sound_model_has_no_limitations() -> None:
    assert limitations(EVERYWHERE, [], 3, LEARNED) == ()


@pytest.mark.parametrize(
    ("population", "change", "words"),
    [
        (
            "repeat",
            {"auc": 0.54},
            "Among active contacts that bought more than once it ranks hardly better than chance",
        ),
        ("never_bought", {"auc": 0.448}, "ranks no better than chance: AUC 0.448"),
        ("lapsed", {"brier_skill": 0.0}, "For lapsed contacts it says no more than their base rate does"),
        (
            "active",
            {"ece": 0.1, "bias": -0.08},
            "off by 10.0% on average; in total it expected 8.0% of them too few",
        ),
        ("one_time", {"n": 12.0, "ece": 0.3, "auc": 0.5}, "cannot be said: 12 of them per forward test"),
        ("active", {"coverage_80": 0.70}, "held 70% of them: it is too narrow"),
        ("active", {"coverage_80": 0.90}, "held 90% of them: it is too wide"),
        ("active", {"d_calibration_p": 0.001}, "Purchases come at other times"),
    ],
)
def test_each_weakness_is_said_once(population: str, change: dict[str, float], words: str) -> None:
    found = limitations(EVERYWHERE | {population: {"winback": GOOD | change}}, [], 3, LEARNED)
    assert len(found) == 1
    assert words in found[0]


def test_noise_in_the_calibration_of_few_is_no_weakness() -> None:
    few = {"winback": GOOD | {"n": 100.0, "ece": 0.1}}
    assert limitations(EVERYWHERE | {"lapsed": few}, [], 3, LEARNED) == ()


@pytest.mark.parametrize(
    ("n", "covered", "said"), [(22.0, 0.5, False), (60.0, 0.88, False), (60.0, 0.6, True)]
)
def test_noise_in_the_intervals_of_few_is_no_weakness(n: float, covered: float, said: bool) -> None:
    few = {"winback": GOOD | {"n": n, "coverage_80": covered}}
    found = limitations(EVERYWHERE | {"active": few}, [], 3, LEARNED)
    assert any("80 % interval" in sentence for sentence in found) == said


def test_sentences_of_the_page_have_a_space_between_them() -> None:
    result = checked()
    model = replace(
        result.model, info=dict(result.model.info) | {"label_times": ["2024-01-01", "2024-04-01"]}
    )
    facts = model_card(replace(result, model=model), check_gate(result.summary(), GateConfig()), {})
    page = card_page(facts, result.evaluation, result.checks.decay)
    assert "rows.\nLabel times: 2, from 2024-01-01 to 2024-04-01." in page


def test_baselines_money_members_and_what_is_not_known() -> None:
    better = {"baseline": "MBG/NBD", "metric": "ibs", "difference": 0.004, "low": 0.001, "high": 0.007}
    noise = {**better, "baseline": "BG/NBD", "low": -0.001}
    money = [
        {"population": "whole", "origin": "2024-01-01", "ratio": 2.0, "ratio_low": 1.5, "ratio_high": 2.5},
        {"population": "active", "origin": "2024-01-01", "ratio": 0.8, "ratio_low": 0.7, "ratio_high": 0.9},
        {"population": "active", "origin": "2023-10-01", "ratio": 0.8, "ratio_low": 0.5, "ratio_high": 1.1},
    ]
    info = LEARNED | {"dropped": ["direct_boosting"], "lapsed": {"status": "too few"}}
    known = {k: v for k, v in EVERYWHERE.items() if k != "never_bought"}
    assert limitations(known, [better, noise], 1, info, money) == (
        "MBG/NBD does better on the active base: its integrated Brier score is 0.0040 lower (95 % interval 0.0010 to 0.0070).",
        "From 2024-01-01 on it expected 0.80 times the money that came from the active base (95 % interval 0.70 to 0.90).",
        "For the active base direct_boosting failed on a later slice and was left out.",
        "For lapsed contacts nothing personal was learned beyond the purchase rhythm: too few.",
        "It was tested forward at 1 past day only: another season may differ.",
        "How good it is for contacts that never bought is not known: none were in the forward tests.",
    )


def test_a_good_verdict_is_shown_as_one() -> None:
    result = checked()
    page = card_page(
        model_card(result, GateVerdict(True, (), ("A note.",)), {}), result.evaluation, result.checks.decay
    )
    assert "The gate lets it pass" in page
    assert "A note." in page
    assert not math.isnan(result.evaluation.value("winback", "auc"))
