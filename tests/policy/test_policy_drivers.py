"""Reasons that rest on the model's drivers: a cause only where there is one, none against another, in every language."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from winback_features.contracts import STATED_REASONS
from winback_models.drivers import DRIVERS
from winback_policy.channels import CHANNELS
from winback_policy.config import PolicyConfig
from winback_policy.drivers import driver_column, worth_explaining
from winback_policy.reasons import CANDIDATES, FACTS, FLOOR, HOW_MANY, NOT_TOGETHER, Context, strongest
from winback_policy.texts import ENGLISH, LANGUAGES, pieces
from winback_policy.wording import sentence

AS_OF = date(2025, 3, 10)
EFFECTS = [driver.column for driver in DRIVERS]

NUMBERS = (
    "gap_mean", "gap_max", "gap_trend", "purchase_days", "purchase_days_90d", "purchase_days_180d", "orders", "returns",
    "order_value_mean", "order_value_last", "days_since_purchase", "days_since_visit", "days_since_click",
    "days_since_service_contact", "usual_gap_days", "days_overdue", "p_purchase", "p_lapse", "horizon_days",
    "value_at_risk", "stated_days",
    *(f"{c.prefix}_ignored_in_a_row" for c in CHANNELS), *(f"{c.prefix}_days_since_send" for c in CHANNELS),
)  # fmt: skip

CAUSES = {
    "rhythm": "silence",
    "longest_silence": "silence",
    "buys_less": "buying_less",
    "few_purchases": "few_purchases",
    "small_last_order": "small_last_order",
    "returns": "returns",
    "ignored_email": "ignored_email",
    "ignored_sms": "ignored_sms",
    "ignored_push": "ignored_push",
    "ignored_post": "ignored_direct_mail",
    "no_visit": "no_visit",
    "service": "service",
}
"""Which driver each cause puts into words; every other reason is a fact."""


def code_of(text: str, language: str = "en") -> str:
    """Find the one template that the sentence was made from."""
    found = []
    for code, template in LANGUAGES[language].reasons.items():
        pattern = "".join(
            re.escape(before) + ("(.+)" if name else "") for before, name, _ in pieces(template)
        )
        if re.fullmatch(pattern, text):
            found.append(code)
    (code,) = found
    return code


def tell(backend: Any, rows: list[dict[str, Any]], *, drivers: bool, language: str = "en") -> list[list[str]]:
    """Return each row's reasons."""
    columns = [*NUMBERS, *(EFFECTS if drivers else [])]
    schema = pa.schema(
        [("n", pa.int64()), ("stated_reason", pa.string()), *((name, pa.float64()) for name in columns)]
    )
    table = pa.Table.from_pylist([{"n": n, **row} for n, row in enumerate(rows)], schema=schema)
    name = ibis.util.gen_name("told")
    backend.con.register(name, table)
    said = strongest(backend.table(name), AS_OF, "EUR", language).select("n", "said").order_by("n")
    return [row["said"] for row in backend.to_pyarrow(said).to_pylist()]


days = st.sampled_from([None, 1.0, 3.0, 14.0, 20.0, 40.0, 70.0])
count = st.sampled_from([0.0, 1.0, 3.0, 6.0])
ranges: dict[str, Any] = dict.fromkeys(NUMBERS, days)
ranges |= {
    "days_since_purchase": st.integers(1, 80).map(float),
    "days_overdue": st.integers(-5, 30).map(float),
    "gap_mean": st.sampled_from([5.0, 12.0, 30.0, 60.0]),
    "gap_max": st.sampled_from([12.0, 30.0, 60.0]),
    "gap_trend": st.sampled_from([None, 0.5, 1.0, 2.5]),
    "usual_gap_days": st.sampled_from([None, 10.0, 40.0]),
    "purchase_days": st.sampled_from([2.0, 3.0, 9.0]),
    "purchase_days_90d": st.sampled_from([1.0, 3.0, 5.0]),
    "purchase_days_180d": st.sampled_from([5.0, 9.0]),
    "orders": st.just(9.0),
    "returns": st.sampled_from([0.0, 2.0]),
    "order_value_mean": st.sampled_from([None, 40.0]),
    "order_value_last": st.sampled_from([None, 5.0, 40.0]),
    "p_purchase": st.sampled_from([0.1, 0.45]),
    "p_lapse": st.sampled_from([0.55, 0.9]),
    "horizon_days": st.just(28.0),
    "value_at_risk": st.sampled_from([None, 0.2, 80.0]),
    **{f"{c.prefix}_ignored_in_a_row": count for c in CHANNELS},
    "stated_reason": st.sampled_from([None, None, "price", "other"]),
    "stated_days": st.just(9.0),
}
effect = st.sampled_from([None, -0.2, 0.0, 0.009, 0.01, 0.04, 0.3, 0.7])
contact = st.fixed_dictionaries(ranges | dict.fromkeys(EFFECTS, effect))
quick = settings(
    max_examples=3,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def less(a: float | None, b: float | None) -> bool:
    return a is not None and b is not None and a < b


def check_that_nothing_contradicts(codes: list[str], row: dict[str, Any]) -> None:
    """The same promises, written down once more from the row's own numbers."""
    assert len(codes) == len(set(codes)) <= HOW_MANY
    assert len({"overdue", "due_today", "due_soon"} & set(codes)) <= 1
    silence = row["days_since_purchase"]
    if "due_soon" in codes:
        assert row["days_overdue"] < 0
        assert not {"rhythm", "longest_silence"} & set(codes)
    assert not {"rhythm", "longest_silence"} <= set(codes)
    assert not {"few_purchases", "last_purchase"} <= set(codes)
    assert (codes[0] == "stated") == (row["stated_reason"] == "price"), "its own word comes first"
    assert "stated" not in codes[1:]
    if "rhythm" in codes:
        assert silence > row["gap_mean"]
    if "longest_silence" in codes:
        assert silence > row["gap_max"]
    if "buys_less" in codes:
        assert not less(row["gap_trend"], 1.0)
        assert row["purchase_days_90d"] < row["purchase_days_180d"] - row["purchase_days_90d"]
    if "no_visit" in codes:
        assert not less(silence, row["days_since_visit"])
        assert not less(row["days_since_click"], row["days_since_visit"])
    for channel in CHANNELS:
        if f"ignored_{channel.name}" in codes:
            sent = row[f"{channel.prefix}_days_since_send"]
            assert row[f"{channel.prefix}_ignored_in_a_row"] >= 3
            assert not less(row["days_since_click"], sent)
            assert not less(silence, sent)


@quick
@given(rows=st.lists(contact, min_size=40, max_size=60))
def test_a_cause_is_one_the_strongest_first_and_nothing_contradicts(backend: Any, rows: Any) -> None:
    for row, said in zip(rows, tell(backend, rows, drivers=True), strict=True):
        codes = [code_of(text) for text in said]
        check_that_nothing_contradicts(codes, row)
        assert len(codes) == 3, "the facts fill up"
        effects = [row[f"risk_from_{CAUSES[code]}"] for code in codes if code in CAUSES]
        assert all(effect is not None and effect >= FLOOR for effect in effects)
        assert [round(min(e, 0.49), 2) for e in effects] == sorted(
            (round(min(e, 0.49), 2) for e in effects), reverse=True
        )
        rest = [code for code in codes if code != "stated"]
        assert all(code in CAUSES for code in rest[: len(effects)]), "causes before facts"


@quick
@given(rows=st.lists(contact, min_size=40, max_size=60))
def test_without_drivers_the_numbers_speak_and_nothing_contradicts(backend: Any, rows: Any) -> None:
    for row, said in zip(rows, tell(backend, rows, drivers=False), strict=True):
        codes = [code_of(text) for text in said]
        check_that_nothing_contradicts(codes, row)
        assert len(codes) == 3
        assert not {"few_purchases", "small_last_order", "returns"} & set(codes)


PLAIN: dict[str, Any] = {
    "days_since_purchase": 31.0, "days_overdue": 9.0, "gap_mean": 12.0, "gap_max": 40.0, "usual_gap_days": 12.0,
    "purchase_days": 9.0, "purchase_days_90d": 4.0, "purchase_days_180d": 8.0, "p_purchase": 0.2, "p_lapse": 0.8,
    "horizon_days": 28.0, "value_at_risk": 80.0,
}  # fmt: skip

CAUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "rhythm": (
        {},
        "buys every 12 days on average, now 31 days silent",
        "koopt gemiddeld elke 12 dagen, nu 31 dagen stil",
    ),
    "longest_silence": (
        {"gap_max": 20.0, "gap_mean": 30.0},
        "the longest silence so far: 31 days, before at most 20",
        "de langste stilte tot nu toe: 31 dagen, eerder hooguit 20",
    ),
    "buys_less": (
        {"purchase_days_90d": 1.0},
        "buys less: 1 purchase day in the last 90, 7 in the 90 before",
        "koopt minder: 1 aankoopdag in de laatste 90, 7 in de 90 daarvoor",
    ),
    "few_purchases": ({"purchase_days": 2.0}, "only 2 purchase days so far", "nog maar 2 aankoopdagen"),
    "small_last_order": (
        {"order_value_mean": 41.0, "order_value_last": 9.0},
        "spent 9 EUR the last time, 45 on average before",
        "besteedde de laatste keer 9 EUR, daarvoor gemiddeld 45",
    ),
    "returns": (
        {"returns": 1.0, "orders": 9.0},
        "sent goods back: 1 return beside 9 orders",
        "stuurde terug: 1 retour naast 9 bestellingen",
    ),
    "ignored_email": (
        {"email_ignored_in_a_row": 4.0, "email_days_since_send": 5.0},
        "ignored the last 4 e-mails",
        "negeerde de laatste 4 e-mails",
    ),
    "ignored_post": (
        {"direct_mail_ignored_in_a_row": 3.0},
        "ignored the last 3 mailings",
        "negeerde de laatste 3 poststukken",
    ),
    "no_visit": ({"days_since_visit": 25.0}, "no visit for 25 days", "al 25 dagen geen bezoek"),
    "service": (
        {"days_since_service_contact": 12.0},
        "contacted service 12 days ago",
        "had 12 dagen geleden contact met de klantenservice",
    ),
}


def test_what_the_contact_said_comes_before_every_cause(backend: Any) -> None:
    row = PLAIN | {"stated_reason": "delivery", "stated_days": 75.0, "risk_from_silence": 0.4}
    told = [tell(backend, [row], drivers=True, language=language)[0][0] for language in LANGUAGES]
    assert told == [
        "said on 25 Dec 2024: not content with the delivery",
        "zei op 25 dec 2024: ontevreden over de bezorging",
    ]


@pytest.fixture(scope="module")
def caused(backend: Any) -> dict[str, Any]:
    """Each cause with an effect, without one, and in Dutch; in one go."""
    given = [PLAIN | row | {driver_column(CAUSES[code]): 0.2} for code, (row, _, _) in CAUSED.items()]
    none = [PLAIN | row | {driver_column(CAUSES[code]): 0.004} for code, (row, _, _) in CAUSED.items()]
    told = tell(backend, given + none, drivers=True)
    dutch = tell(backend, given, drivers=True, language="nl")
    rows = zip(CAUSED, told[: len(given)], told[len(given) :], dutch, strict=True)
    return {code: (with_it, without, nl) for code, with_it, without, nl in rows}


@pytest.mark.parametrize("code", CAUSED)
def test_what_each_cause_says_and_that_it_is_silent_without_an_effect(caused: Any, code: str) -> None:
    told, untold, dutch = caused[code]
    _, english, nederlands = CAUSED[code]
    assert told[0] == english
    assert dutch[0] == nederlands
    assert english not in untold
    assert [code_of(text) for text in untold] == ["overdue", "chance", "value"]


def test_the_larger_effect_comes_first(backend: Any) -> None:
    row = PLAIN | {"days_since_service_contact": 12.0, "purchase_days": 2.0}
    effects = {"risk_from_silence": 0.05, "risk_from_service": 0.3, "risk_from_few_purchases": 0.12}
    (told,) = tell(backend, [row | effects], drivers=True)
    assert [code_of(text) for text in told] == ["service", "few_purchases", "rhythm"]


def test_every_code_has_a_sentence_in_every_language_with_the_same_values() -> None:
    for name, language in LANGUAGES.items():
        assert list(language.reasons) == list(CANDIDATES), name
        assert len(language.months) == len(set(language.months)) == 12
        assert set(language.nouns) == set(ENGLISH.nouns)
        assert tuple(language.stated) == STATED_REASONS
        assert language.every_days.count("{}") == 1
        for code, template in language.reasons.items():
            named = {(value, form) for _, value, form in pieces(template) if value}
            assert named == {(value, form) for _, value, form in pieces(ENGLISH.reasons[code]) if value}, code
            assert not template.endswith((".", " ")), code
        if language is not ENGLISH:
            assert all(text != ENGLISH.reasons[code] for code, text in language.reasons.items())


def test_each_candidate_gives_what_its_sentence_names(backend: Any) -> None:
    t = ibis.table(dict.fromkeys([*NUMBERS, *EFFECTS], "float64") | {"stated_reason": "string"}, name="t")
    for code, candidate in CANDIDATES.items():
        reason = candidate(t, Context(AS_OF, "EUR"))
        assert set(reason.values) == {name for _, name, _ in pieces(ENGLISH.reasons[code]) if name}
        assert reason.driver == CAUSES.get(code, "")
        for language in LANGUAGES.values():
            assert sentence(code, reason.values, language, AS_OF).type().is_string()


def test_every_driver_the_reasons_name_is_measured_and_every_measured_one_has_words() -> None:
    assert {driver_column(name) for name in CAUSES.values()} == set(EFFECTS)


def test_the_pairs_that_may_not_stand_together_name_what_there_is() -> None:
    for one, other in NOT_TOGETHER:
        assert one in CANDIDATES
        assert (other in CANDIDATES) != (other in FACTS)
    assert {other for _, other in NOT_TOGETHER} >= set(FACTS)


def test_decide_takes_the_drivers_and_the_language(world: Any) -> None:
    rows = {"a": {"risk_from_silence": 0.3}, "b": {"risk_from_silence": 0.0}, "c": {"p_lapse": 0.1}}
    listed = world.winback(rows, with_drivers=True, language="nl")
    assert listed["a"]["reason_1"] == "koopt gemiddeld elke 12 dagen, nu 31 dagen stil"
    assert code_of(listed["b"]["reason_1"], "nl") == "overdue"
    assert listed["c"]["reason_1"] is None


def test_whoever_is_in_a_journey_was_worth_explaining(world: Any) -> None:
    rows = {
        f"c{i:02}": {
            "p_lapse": [0.2, 0.4, 0.5, 0.9][i % 4],
            "days_overdue": [-14, -3, 5][i % 3],
            "base": ["active", "lapsed", "one_time"][(i // 4) % 3],
            "days_since_purchase": [2, 17, 31][i % 3],
        }
        for i in range(36)
    }
    before = {"state": "in_winback", "entered_at": date(2025, 3, 1), "arm": "treatment", "journeys": 1}
    previous = dict.fromkeys(list(rows)[1::2], before)
    config = PolicyConfig(holdout_share=0.0)
    listed = world.winback(rows, previous=previous)
    journeys = {c for c, row in listed.items() if row["rank"] is not None}
    assert journeys <= world.asked(
        lambda scores, states: worth_explaining(scores, states, config), rows, previous
    )
    assert journeys & set(previous)
    new = world.asked(lambda scores, states: worth_explaining(scores, states, config), rows, None)
    assert journeys - set(previous) <= new < set(rows)
    assert new == {f"c{i:02}" for i in range(36) if i % 4 >= 2 and i % 3 > 0 and (i // 4) % 3 == 0}
