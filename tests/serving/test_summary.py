"""The summary on a terminal: it fits, and its numbers add up."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date

import pytest
from rich.console import Console

from winback_serving.accuracy import Accuracy, ModelRow, MoneyRow
from winback_serving.brief import Brief, DayRow, InputRow, ListRow
from winback_serving.summary import show_brief, show_places

AS_OF = date(2018, 1, 1)
ROW = ListRow(
    rank=1,
    contact_id="00123",
    state="in_winback",
    entered_at=date(2017, 12, 28),
    p_purchase=0.223,
    next_purchase_date=date(2018, 2, 9),
    next_purchase_low=date(2018, 1, 6),
    next_purchase_high=None,
    days_since_purchase=31.0,
    due_date=date(2017, 12, 23),
    days_overdue=9.0,
    value_at_risk=1234.4,
    rfm_segment="cant_lose",
    reasons=("buys every 12 days on average, now 31 days silent", "the second reason", "the third reason"),
    recommended_action="win_back",
    channel="email",
    arm="treatment",
)
BRIEF = Brief(
    brand="Shop",
    currency="EUR",
    as_of=AS_OF,
    horizon_days=28,
    contacts=1_000,
    scored=990,
    listed=20,
    held_out=2,
    value_at_risk=20_500.0,
    top=(
        ROW,
        replace(ROW, rank=2, contact_id="[red]x[/red]", days_overdue=-2.0, arm="holdout"),
        replace(
            ROW,
            rank=3,
            contact_id="x" * 60,
            due_date=None,
            days_overdue=None,
            next_purchase_date=None,
            value_at_risk=None,
            reasons=(),
        ),
    ),
    excluded={"low_risk": 900, "on_time": 77, "erased": 3},
    days=(
        DayRow(date(2017, 12, 31), "aa", 21, {}, 21, 21_000.0),
        DayRow(AS_OF, "bb", 1, {"purchased": 2}, 20, 20_500.0),
    ),
    inputs=(
        InputRow("orders", 5_010, 5_000, 10, {"future_date": 10}, ("A note.",), date(2017, 1, 1), AS_OF),
    ),
    model_name="winback-lapse",
    model_version="3",
    accuracy=Accuracy(
        origins=(date(2017, 10, 1), date(2017, 11, 1)),
        models=(
            ModelRow("winback", 0.83, 0.051, 0.0312, 0.18, 5.1, 0.002, 0.79),
            ModelRow("bg_nbd", 0.74, None, None, 0.1, 3.9, -0.03, None),
        ),
        verdicts=("It says [this] in a sentence.",),
        money=MoneyRow(date(2017, 11, 1), 12_300.0, 10_000.0, 1.23, 1.1, 1.31),
    ),
)


def shown(brief: Brief, width: int = 80) -> str:
    file = io.StringIO()
    show_brief(Console(file=file, width=width), brief, people="households", one="household")
    return file.getvalue()


@pytest.mark.parametrize("width", [80, 100, 160])
def test_no_line_is_longer_than_the_terminal(width: int) -> None:
    tables = [line for line in shown(BRIEF, width).splitlines() if "Note" not in line]
    assert max(map(len, tables)) <= max(width, 110)
    head = shown(BRIEF, width).index("household ")
    body = shown(BRIEF, width)[head:]
    assert all(len(line) <= width for line in body.splitlines())


def test_it_tells_the_list_its_reasons_and_who_is_held_out() -> None:
    text = " ".join(shown(BRIEF).split())
    assert "20 households to win back on 1 Jan 2018" in text
    assert "00123 22 % 23 Dec 9 Feb 1,234 buys every 12 days" in text
    assert "22 % – open – " in text, "neither due nor expected nor worth anything known"
    assert "open: more likely than not" in text
    assert "2 of the 20 are held out" in text
    assert "gather more days" in text
    assert "can show: 12.3 percentage points" in shown(replace(BRIEF, detectable_effect=0.123))


def test_a_contact_id_is_shown_as_it_is_whatever_it_looks_like() -> None:
    assert "[red]x[/red]" in shown(BRIEF, 160)


def test_a_line_break_in_an_id_or_a_reason_breaks_no_row() -> None:
    sound = replace(BRIEF, top=(replace(ROW, contact_id="A-1-2", reasons=("tea cups",)),))
    broken = replace(BRIEF, top=(replace(ROW, contact_id="A\n1\t2", reasons=("tea\r\ncups",)),))
    text = shown(broken, 160)
    assert len(text.splitlines()) == len(shown(sound, 160).splitlines())
    assert r"A\n1\t2" in text
    assert r"tea\r\ncups" in text


def test_a_wide_terminal_gives_a_second_reason() -> None:
    assert "the second reason" not in shown(BRIEF, 80)
    assert "the second reason" in shown(BRIEF, 160)
    assert "the third reason" not in shown(BRIEF, 160)


def test_a_wide_terminal_says_how_late_or_when_due() -> None:
    text = " ".join(shown(BRIEF, 160).split())
    assert "23 Dec 9 d 9 Feb 1,234" in text
    assert "in 2 d" in text
    assert "9 d" not in " ".join(shown(BRIEF, 80).split())


def test_rows_and_contacts_add_up_in_plain_sight() -> None:
    text = " ".join(shown(BRIEF).split())
    assert "orders 5,010 5,000 10 1 Jan 2017 – 1 Jan 2018" in text
    assert "10 rows of orders: future date" in text
    assert "1,000 households = 20 listed + 980 not" in text


def test_days_models_and_exclusions_are_told_in_words() -> None:
    text = " ".join(shown(BRIEF).split())
    assert "1 Jan 2018 +1 −2 20 20,500 EUR 2 bought again" in text
    assert "winback 0.830 0.0510 0.0312 0.180 5.10 0.002" in text
    assert "BG/NBD 0.740 – – 0.100" in text
    assert "It says [this] in a sentence." in text
    assert "Expected 12,300 EUR, came 10,000 EUR: ratio 1.23 (95 % 1.10–1.31). Too much was promised." in text
    assert "mean of 2 forward tests" in text
    assert "quiet, but within their own rhythm" in text


def test_an_empty_list_is_good_news_not_an_error() -> None:
    text = shown(replace(BRIEF, listed=0, held_out=0, top=(), accuracy=Accuracy()))
    assert "Nobody needs winning back today" in text
    assert "The model against the others" not in text


def test_places_and_commands_can_be_copied_whole() -> None:
    file = io.StringIO()
    command = "winback export -c " + "a-long-folder-name/" * 6 + "winback.toml"
    show_places(Console(file=file, width=60), [("report", "demo/report.html")], [(command, "The list.")])
    assert command in file.getvalue()
    assert "demo/report.html" in file.getvalue()
