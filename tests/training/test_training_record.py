"""What is logged, before any tracker sees it: names, texts, files, and JSON without NaN."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pandas as pd
import pytest
from tracked import AS_OF, small_evaluation, small_model, small_result

from winback_training.training_record import evaluation_of, metrics_of, params_of, tags_of, write_files
from winback_training.versions import ModelVersion, Promotion, after_promotion, after_rollback


def test_metrics_are_means_and_the_newest_alone() -> None:
    found = metrics_of(small_evaluation().metrics)
    assert found["active.brier"] == pytest.approx(0.19)
    assert found["active.brier.newest"] == pytest.approx(0.18)
    assert found["whole.auc.bg_nbd"] == pytest.approx(0.65)
    assert found["whole.auc.bg_nbd.newest"] == pytest.approx(0.70)
    assert "active.brier.recency" not in found
    assert all(math.isfinite(value) for value in found.values())


def test_no_forward_test_gives_no_metrics() -> None:
    assert metrics_of(small_evaluation().metrics.iloc[:0]) == {}


def test_params_are_flat_texts_without_lists_and_results() -> None:
    info = {"btyd": {"kind": "bg_nbd", "tries": ["a"]}, "evaluation": {"n": 1}, "seed": 3, "none": None}
    assert params_of({"a.b": 7, "c": None}, info) == {
        "a.b": "7",
        "model.btyd.kind": "bg_nbd",
        "model.seed": "3",
    }


def test_tags_say_which_data_and_which_bytes() -> None:
    tags = tags_of(small_result(), "d1")
    assert tags["as_of"] == AS_OF.isoformat()
    assert tags["digest"] == "d1"
    assert tags["fingerprint.orders"] == "ab" * 32
    assert tags["notices"] == "Model: BTYD alone."


def test_files_are_written_and_json_holds_no_nan(tmp_path: Path) -> None:
    result = small_result(small_model(info={"loss": math.nan, "kept": [1.5, math.inf]}))
    write_files(result, tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {
        *("calibration.svg", "lift.svg", "calibration.csv", "lift.csv", "metrics.csv"),
        *("timing.csv", "differences.csv", "money.csv", "decay.csv", "drift.csv"),
        *("model_card.html", "model_card.json"),
        *("features.json", "evaluation.json", "model.json"),
    }

    def strict(path: Path) -> object:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda name: pytest.fail(name))

    assert strict(tmp_path / "model.json") == {"loss": None, "kept": [1.5, None]}
    assert strict(tmp_path / "features.json") == list(result.model.feature_names)
    assert strict(tmp_path / "evaluation.json") == json.loads(json.dumps(evaluation_of(result)))
    table = pd.read_csv(tmp_path / "metrics.csv")
    assert len(table) == len(result.evaluation.metrics)


@pytest.mark.parametrize(
    ("history", "champion", "version", "after"),
    [
        ((), None, "1", ("1",)),
        (("1",), "1", "2", ("1", "2")),
        (("1", "2"), "2", "1", ("1", "2", "1")),
        (("1", "2"), "1", "3", ("1", "3")),  # somebody set the alias back by hand
        (("1",), "9", "2", ("1", "9", "2")),  # or to a version never promoted here
        (("1", "2"), None, "3", ("1", "2", "3")),  # or took it away
    ],
)
def test_history_after_a_promotion(
    history: tuple[str, ...], champion: str | None, version: str, after: tuple[str, ...]
) -> None:
    assert after_promotion(history, champion, version) == after


def test_rollbacks_undo_promotions_one_by_one() -> None:
    history: tuple[str, ...] = ()
    for version in "12131":
        history = after_promotion(history, history[-1] if history else None, version)
    seen = []
    while history:
        seen.append(history[-1])
        history = after_rollback(history, history[-1])
    assert seen == list("13121")


def test_history_stays_short_enough_for_a_tag() -> None:
    history: tuple[str, ...] = ()
    for version in range(1000):
        history = after_promotion(history, history[-1] if history else None, str(version))
    assert len(history) == 100
    assert history[-1] == "999"


def test_records_are_json_ready() -> None:
    version = ModelVersion("1", "r", "d", aliases=("champion",), as_of=AS_OF, metrics={"active.auc": 0.7})
    assert json.loads(json.dumps(version.as_dict()))["as_of"] == "2024-06-30"
    assert json.loads(json.dumps(ModelVersion("1", "r", "d").as_dict()))["as_of"] is None
    assert json.loads(json.dumps(Promotion("2", "1", ("why",)).as_dict()))["reasons"] == ["why"]
