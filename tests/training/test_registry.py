"""Candidate, champion, rollback: the aliases after each step, the gate in between, and the sentences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tracked import small_result

from winback_features.errors import ConfigError, GateRefusal
from winback_serving.loader import read_evidence
from winback_training import card, training_record
from winback_training.gate import GateConfig
from winback_training.registry import list_versions, model_card, promote, rollback, show
from winback_training.tracking import log_training, open_store

GATE = GateConfig()


class Shop:
    """One store, and a model name of its own per test."""

    def __init__(self, uri: str, name: str) -> None:
        self.place = {"tracking_uri": uri, "model_name": name}

    def train(self, **ours: float) -> str:
        return log_training(small_result(**ours), settings={}, **self.place).version

    def promote(self, version: str | None = None, **more: Any) -> Any:
        return promote(version, gate=GATE, **more, **self.place)

    def aliases(self) -> dict[str, str]:
        return {alias: v.version for v in list_versions(**self.place) for alias in v.aliases}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    home: Path = tmp_path_factory.mktemp("registry")
    return f"sqlite:///{home / 'mlflow.db'}"


@pytest.fixture
def shop(store: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Shop:
    for module in (training_record, card):
        monkeypatch.setattr(module, "to_svg", lambda chart: "<svg/>")  # drawn in earnest elsewhere
    return Shop(store, request.node.name)


def test_the_way_of_a_candidate_to_champion_and_back(shop: Shop) -> None:
    first = shop.train()
    assert shop.aliases() == {"candidate": first}
    done = shop.promote()
    assert (done.champion, done.previous, done.reasons, done.changed) == (first, None, (), True)
    assert shop.aliases() == {"champion": first}

    second = shop.train()
    assert shop.aliases() == {"champion": first, "candidate": second}
    assert shop.promote().previous == first
    third = shop.train()
    shop.promote(third)
    assert shop.aliases() == {"champion": third, "previous_champion": second}
    assert [v.version for v in list_versions(**shop.place)] == [third, second, first]
    assert show(**shop.place).version == third
    assert show(**shop.place).gate == "passed"

    back = rollback(**shop.place)
    assert (back.champion, back.previous) == (second, third)
    assert shop.aliases() == {"champion": second, "previous_champion": first}
    assert "rolled_back_at" in show(third, **shop.place).tags
    assert rollback(**shop.place).champion == first
    assert shop.aliases() == {"champion": first}
    with pytest.raises(ConfigError, match="no earlier champion"):
        rollback(**shop.place)
    assert shop.aliases() == {"champion": first}


def test_the_gate_refuses_unless_forced_and_the_reasons_are_kept(shop: Shop) -> None:
    shop.train()
    shop.promote()
    worse = shop.train(auc=0.5)
    with pytest.raises(GateRefusal, match="no better than chance") as caught:
        shop.promote()
    assert caught.value.exit_code == 3
    assert worse in caught.value.where
    assert shop.aliases() == {"champion": "1", "candidate": worse}
    forced = shop.promote(force=True)
    assert len(forced.reasons) == 1
    assert shop.aliases()["champion"] == worse
    assert show(**shop.place).gate.startswith("forced: It ranks no better than chance")


def test_an_override_keeps_its_reason_and_that_of_the_gate(shop: Shop) -> None:
    worse = shop.train(auc=0.5)
    done = shop.promote(override="A pilot, watched by hand")
    assert (done.champion, len(done.reasons)) == (worse, 1)
    shown = show(**shop.place)
    assert shown.override == "A pilot, watched by hand"
    assert shown.gate.startswith("forced: It ranks no better than chance")
    assert shown.as_dict()["override"] == shown.override == list_versions(**shop.place)[0].override


def test_where_the_gate_lets_pass_there_is_nothing_to_override(shop: Shop) -> None:
    shop.train()
    shop.promote(override="just in case")
    assert show(**shop.place).gate == "passed"
    assert show(**shop.place).override == ""


def test_the_card_of_a_version_is_found_again(shop: Shop) -> None:
    version = shop.train(auc=0.5)
    page, facts = model_card(version, **shop.place)
    assert facts["gate"]["passed"] is False
    assert facts["gate"]["reasons"][0] in page
    shop.promote(version, force=True)
    assert model_card(**shop.place)[1] == facts


def test_promoting_the_champion_again_changes_nothing(shop: Shop) -> None:
    version = shop.train()
    shop.promote()
    assert not shop.promote(version).changed
    with pytest.raises(ConfigError, match="no candidate"):
        shop.promote()


def test_an_alias_set_by_hand_is_respected(shop: Shop) -> None:
    for _ in range(3):
        shop.train()
    shop.promote("1")
    with open_store(shop.place["tracking_uri"]) as client:
        client.set_registered_model_alias(shop.place["model_name"], "champion", "2")
    shop.promote("3")
    assert rollback(**shop.place).champion == "2"


def test_missing_models_and_versions_read_as_sentences(shop: Shop) -> None:
    assert list_versions(**shop.place) == ()
    for ask in (lambda: show(**shop.place), shop.promote):
        with pytest.raises(ConfigError, match="No model is registered") as caught:
            ask()
        assert "winback train" in caught.value.how
    with pytest.raises(ConfigError, match="no earlier champion"):
        rollback(**shop.place)
    shop.train()
    with pytest.raises(ConfigError, match="no champion") as caught:
        show(**shop.place)
    assert "promote" in caught.value.how
    with pytest.raises(ConfigError, match="no version 7") as caught:
        shop.promote("7")
    assert caught.value.how == "There is only version 1."


def test_a_champion_that_lost_its_alias_is_promoted_anew_and_leads_back_to_the_one_before(shop: Shop) -> None:
    for _ in range(2):
        shop.train()
        shop.promote()
    with open_store(shop.place["tracking_uri"]) as client:
        client.delete_registered_model_alias(shop.place["model_name"], "champion")
    with pytest.raises(ConfigError, match="no earlier champion"):
        rollback(**shop.place)
    shop.promote("2")
    assert shop.aliases() == {"champion": "2", "previous_champion": "1"}
    assert rollback(**shop.place).champion == "1"


def test_a_version_deleted_by_hand_is_no_longer_on_the_way_back(shop: Shop) -> None:
    for _ in range(3):
        shop.train()
        shop.promote()
    with open_store(shop.place["tracking_uri"]) as client:
        client.delete_model_version(shop.place["model_name"], "3")
    fourth = shop.train()
    shop.promote()
    assert shop.aliases() == {"champion": fourth, "previous_champion": "2"}
    with open_store(shop.place["tracking_uri"]) as client:
        client.delete_model_version(shop.place["model_name"], "2")
    found = read_evidence(*shop.place.values(), fourth)
    assert found is not None
    assert [champion.version for champion in found.champions] == [fourth, "1"]
    assert rollback(**shop.place).champion == "1"
    assert shop.aliases() == {"champion": "1"}


def test_a_run_that_is_gone_for_good_leaves_the_other_versions_usable(shop: Shop) -> None:
    for _ in range(3):
        shop.train()
        shop.promote()
    with open_store(shop.place["tracking_uri"]) as client:
        client._tracking_client.store._hard_delete_run(show("2", **shop.place).run_id)  # as `mlflow gc` does
    assert [(v.version, bool(v.metrics)) for v in list_versions(**shop.place)] == [
        ("3", True),
        ("2", False),
        ("1", True),
    ]
    for ask in (lambda: shop.promote("2", force=True), lambda: model_card("2", **shop.place)):
        with pytest.raises(ConfigError, match="run was deleted") as caught:
            ask()
        assert "winback models list" in caught.value.how
    assert rollback(**shop.place).champion == "1"
