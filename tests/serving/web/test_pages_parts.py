"""What the pages are put together from: texts in every language, numbers in a locale, history, shades, notices."""

import json
import os
import re
import string
import subprocess
import sys
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winback_features.errors import ConfigError
from winback_models.drivers import DRIVERS
from winback_policy.eligibility import NOT_FLAGGED_REASONS
from winback_policy.incentives import INCENTIVE_KINDS, INCENTIVE_TIERS
from winback_policy.moves import MOVES
from winback_policy.own_content import HINTS
from winback_policy.rfm import SEGMENTS
from winback_policy.segments import CELL_ACTIONS, CELLS, TIERS
from winback_policy.states import EXIT_REASONS, STATES
from winback_policy.strategies import STRATEGIES
from winback_policy.treatment import ACTIONS
from winback_serving import wording
from winback_serving.lists import LISTS
from winback_serving.web import pages
from winback_serving.web.format import Formatter
from winback_serving.web.pages.contact_chart import (
    AHEAD_DAYS,
    BACK_DAYS,
    Story,
    draw_contact,
    numbers_of,
    span,
)
from winback_serving.web.pages.history import EVERY_DAY, EVERY_WEEK, changes, days_to_read
from winback_serving.web.pages.notices import notices
from winback_serving.web.pages.shade import STEPS, shade
from winback_serving.web.texts import LANGUAGES, texts

TODAY = date(2026, 3, 1)
days = st.integers(-800, 30).map(lambda back: TODAY + timedelta(days=back))


def flat(language: str) -> dict[str, Any]:
    table = texts(language).table
    return {f"{section}.{key}": text for section, keys in table.items() for key, text in keys.items()}


def fields(text: Any) -> list[set[str | None]]:
    parts = text if isinstance(text, list) else [text]
    return [{name for _, name, _, _ in string.Formatter().parse(part)} for part in parts]


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_language_says_everything(language: str) -> None:
    english, other = flat("en"), flat(language)
    assert sorted(other) == sorted(english)
    assert [key for key in english if fields(other[key]) != fields(english[key])] == []
    assert [key for key, text in other.items() if not str(text).strip()] == []


def test_every_text_that_a_page_asks_for_is_there() -> None:
    folder = Path(pages.__file__).parents[1]
    files = [*folder.glob("templates/*.html"), *folder.glob("pages/*.py")]
    asked = {key for path in files for key in re.findall(r'\bt\(\s*"([a-z_]+\.\w+)"', path.read_text())}
    assert len(asked) > 150
    assert {key for key in asked - flat("en").keys() if not key.endswith("_")} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_of_the_policy_has_words(language: str) -> None:
    table = texts(language).table
    expected = {
        "not_flagged": NOT_FLAGGED_REASONS,
        "exit": EXIT_REASONS,
        "state": STATES,
        "action": ACTIONS,
        "tier": INCENTIVE_TIERS,
        "kind": INCENTIVE_KINDS,
        "segment": SEGMENTS,
        "relationship": TIERS,
        "cell": CELLS,
        "rfm": [*(f"tier_{name}" for name in TIERS), *(f"asks_{name}" for name in CELL_ACTIONS)],
        "move": MOVES,
        "hint": HINTS,
        "run_list": [name for name in LISTS if name != "scores"],
        "driver": [driver.column.removeprefix("risk_from_") for driver in DRIVERS],
    }
    missing = {kind: [code for code in codes if code not in table[kind]] for kind, codes in expected.items()}
    assert {kind: codes for kind, codes in missing.items() if codes} == {}
    assert set(STRATEGIES[language]) == set(SEGMENTS)


def test_the_terminal_and_the_pages_use_the_same_words() -> None:
    table = texts("en").table
    assert {code: table["not_flagged"][code] for code in wording.NOT_FLAGGED} == dict(wording.NOT_FLAGGED)
    assert {code: table["exit"][code] for code in wording.EXITS} == dict(wording.EXITS)


def test_a_language_without_texts_is_refused() -> None:
    with pytest.raises(ConfigError, match="not written in 'fr'"):
        texts("fr")
    with pytest.raises(ConfigError, match="no locale"):
        Formatter.of("xx-nowhere")


@given(st.floats(0, 1))
def test_a_share_reaches_its_ends_only_when_it_is_there(share: float) -> None:
    written = Formatter.of("en").percent(share)
    assert (written == "0%") == (share == 0)
    assert (written == "100%") == (share == 1)


@given(st.floats(-1e12, 1e12), st.sampled_from(["en", "nl", "de", "fr"]))
def test_a_number_keeps_its_digits(value: float, tag: str) -> None:
    written = Formatter.of(tag).number(value)
    assert int("".join(c for c in written if c.isdigit())) == abs(round(value))
    assert written.startswith("−") == (round(value) < 0)


@given(st.lists(days, unique=True))
def test_the_thinned_out_days_are_few_and_keep_the_latest(found: list[date]) -> None:
    kept = days_to_read(found, TODAY)
    past = [day for day in found if day <= TODAY]
    recent = TODAY - timedelta(days=EVERY_DAY)
    assert kept == sorted(set(kept))
    assert set(kept) <= set(past)
    assert len(kept) <= EVERY_DAY + EVERY_WEEK + 1
    assert {day for day in past if day > recent} <= set(kept)


@given(st.lists(st.sampled_from("abc"), max_size=20))
def test_only_changes_are_told(states: list[str]) -> None:
    said = [{"state": state, "not_flagged_reason": None} for state in states]
    told = [row["state"] for row in changes(said)]
    assert all(one != other for one, other in pairwise(told))
    assert set(told) == set(states)


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_is_never_lighter(one: float, other: float) -> None:
    assert 0 <= shade(one) <= STEPS
    assert one > other or shade(one) <= shade(other)


@given(st.lists(days, max_size=8), st.one_of(st.none(), days), st.one_of(st.none(), days))
def test_the_picture_spans_a_bounded_time_around_the_run(
    bought: list[date], low: date | None, high: date | None
) -> None:
    past = [day for day in bought if day < TODAY]
    start, end = span(Story(TODAY, [], past, [], [], (low, high)))
    assert TODAY - timedelta(days=BACK_DAYS) <= start < TODAY < end <= TODAY + timedelta(days=AHEAD_DAYS)


def test_the_picture_of_a_contact_says_its_chance_in_words() -> None:
    scores = [{"day": TODAY, "p_purchase": 0.25, "p_alive": None}]
    story = Story(
        TODAY, scores, [TODAY - timedelta(days=30)], [TODAY - timedelta(days=3)], [TODAY], (TODAY, None)
    )
    for language in LANGUAGES:
        t, f = texts(language), Formatter.of(language)
        svg = draw_contact(story, t, f)
        assert "25" in ET.fromstring(svg).attrib["aria-label"]
        assert numbers_of(scores, t, f).rows[0][1].startswith("25")
        assert "style=" not in svg


PICTURES = """
import json, re
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from winback_serving.web.format import Formatter
from winback_serving.web.pages import retention
from winback_serving.web.pages.contact_chart import Story, draw_contact
from winback_serving.web.texts import texts

t, f, day = texts("en"), Formatter.of("en"), date(2026, 3, 1)
story = Story(day, [{"day": day, "p_purchase": 0.2, "p_alive": 0.9}], [day - timedelta(days=9)], [], [], (None, None))
months = [{"month": m, "new": 3, "returning": 2, "resurrecting": 1, "dormant": 1, "active": 5, "complete": True}
          for m in ("2025-12", "2026-01", "2026-02")]
retention.figures = lambda run: {"lifecycle": months}
drawn = [draw_contact(story, t, f), retention.lifecycle.__wrapped__(None, t, f).svg]
print(json.dumps([re.findall(r">([A-Z][a-z]{2} [0-9]+)<", svg) for svg in drawn]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Pacific/Kiritimati"])
def test_a_picture_shows_the_same_days_whatever_zone_the_machine_is_in(zone: str) -> None:
    environment = {**os.environ, "TZ": zone}
    done = subprocess.run([sys.executable, "-c", PICTURES], env=environment, capture_output=True, check=True)
    story, months = json.loads(done.stdout)
    assert story == ["Feb 8", "Feb 15", "Feb 22", "Mar 2026", "Mar 8", "Mar 15"]
    assert months == ["Dec 2025", "Jan 2026", "Feb 2026"]


def test_every_colour_of_a_picture_follows_light_and_dark() -> None:
    scores = [{"day": TODAY - timedelta(days=back), "p_purchase": 0.2, "p_alive": 0.9} for back in (9, 0)]
    days = [TODAY - timedelta(days=30)]
    svg = draw_contact(Story(TODAY, scores, days, days, days, (TODAY, None)), texts("en"), Formatter.of("en"))
    style, drawn = svg.split("</style>")
    used = set(re.findall(r'(?:fill|stroke)="(#\w+)"', drawn))
    assert len(used) >= 5
    assert {colour for colour in used if f'"{colour}"' not in style} == set()


def record(**more: Any) -> dict[str, Any]:
    fine = {"rows_quarantined": 0}
    inputs = {"orders": fine, "events": fine, "contacts": fine}
    return {"as_of": TODAY.isoformat(), "notices": [], "inputs": inputs, **more}


def told(found: dict[str, Any], today: date = TODAY) -> list[str]:
    return [notice.code for notice in notices(found, texts("en"), Formatter.of("en"), today)]


def test_a_fresh_and_whole_run_has_nothing_to_confess() -> None:
    assert told(record()) == []
    assert told(record(), TODAY + timedelta(days=1)) == []


def test_what_a_run_does_not_know_is_said() -> None:
    assert told(record(), TODAY + timedelta(days=2)) == ["old_run"]
    assert told(record(inputs={"orders": {"rows_quarantined": 3}})) == [
        "no_contacts",
        "no_events",
        "quarantined",
    ]
    assert told(record(notices=[{"code": "stale_data", "count": 9, "message": "m"}])) == ["stale_data"]
    assert told(record(model_status="BTYD model alone")) == ["simple_model"]
    assert told(record(model_status="personal model, 5 members")) == []


def test_a_notice_without_a_text_is_given_as_it_came() -> None:
    found = notices(
        record(notices=[{"code": "unheard_of", "message": "Beware."}]), texts("nl"), Formatter.of("nl"), TODAY
    )
    assert [notice.text for notice in found] == ["Beware."]
