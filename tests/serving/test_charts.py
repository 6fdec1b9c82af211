"""The report's own pictures, on small made-up summaries."""

from __future__ import annotations

import re
from datetime import date, timedelta
from xml.etree import ElementTree as ET

import altair as alt
import pandas as pd
import pytest

from winback_models.charts import calibration_chart, to_svg
from winback_serving.charts import (
    bare,
    cohort_grid,
    contact_story,
    inline,
    money_tenths,
    risk_histogram,
    styled,
)

AS_OF = date(2018, 1, 1)
BINS = pd.DataFrame(
    {"low": [i / 10 for i in range(10)], "high": [(i + 1) / 10 for i in range(10)], "n": range(10)}
)
CURVE = pd.DataFrame(
    {
        "day": [AS_OF - timedelta(days=7 * back) for back in (3, 2, 1, 0)],
        "p_purchase": [0.9, 0.8, 0.5, 0.2],
        "p_alive": [0.99, 0.97, 0.9, float("nan")],
    }
)
COHORTS = pd.DataFrame(
    {
        "cohort": ["Jan 2017 · 10", "Jan 2017 · 10", "Feb 2017 · 4"],
        "position": [0, 0, 1],
        "month": [1, 2, 1],
        "share": [0.5, 0.4, 0.25],
    }
)


def drawn(chart: alt.TopLevelMixin) -> str:
    return inline(to_svg(styled(chart)), prefix="p", label="a picture")


def texts(svg: str) -> list[str]:
    return [text for e in ET.fromstring(svg).iter() if e.tag.endswith("text") for text in e.itertext()]


def test_the_histogram_says_how_many_stand_beyond_the_threshold() -> None:
    svg = drawn(risk_histogram(BINS, threshold=0.7))
    assert "24 at 70 % or more" in texts(svg)  # 7 + 8 + 9
    assert svg.count("#c8500a") == 3, "three bars beyond the threshold in the colour of risk"


def test_a_threshold_between_two_edges_colours_only_bars_wholly_beyond_it() -> None:
    assert "17 at 75 % or more" in texts(drawn(risk_histogram(BINS, threshold=0.75)))


def test_the_story_shows_both_chances_every_purchase_and_the_interval() -> None:
    purchases = [AS_OF - timedelta(days=back) for back in (20, 15, 9)]
    with_interval = contact_story(
        CURVE,
        purchases,
        as_of=AS_OF,
        expected=(date(2018, 1, 9), date(2018, 2, 9)),
        flagged_at=date(2017, 12, 30),
    )
    svg = drawn(with_interval)
    assert {"P(buys within the horizon)", "P(still a customer)", "today", "flagged"} <= set(texts(svg))
    assert "next purchase, 80 % interval" in texts(svg)
    assert len(re.findall(r'aria-roledescription="rule mark"', to_svg(with_interval))) == len(purchases) + 2


@pytest.mark.parametrize(
    "expected", [None, (date(2017, 12, 1), date(2017, 12, 20)), (AS_OF, date(2030, 1, 1))]
)
def test_the_story_takes_any_interval_or_none(expected: tuple[date, date] | None) -> None:
    assert "today" in texts(drawn(contact_story(CURVE, [], as_of=AS_OF, expected=expected)))


def test_the_cohort_grid_writes_whole_per_cent_and_keeps_the_order_of_months() -> None:
    shown = texts(drawn(cohort_grid(COHORTS)))
    assert [t for t in shown if t in {"50", "40", "25"}] == ["50", "40", "25"]
    assert shown.index("Jan 2017 · 10") < shown.index("Feb 2017 · 4")


def test_money_has_a_bar_for_what_came_and_a_mark_at_what_was_expected_in_each_tenth() -> None:
    tenths = pd.DataFrame({"bin": [1, 2, 3], "expected": [10.0, 20.0, 90.0], "actual": [0.0, 30.0, 80.0]})
    chart = money_tenths(tenths, "USD")
    raw = to_svg(chart)
    assert len(re.findall(r'aria-roledescription="bar"', raw)) == 3
    assert len(re.findall(r'aria-roledescription="tick"', raw)) == 3
    assert {"came", "expected", "USD", "1", "2", "3"} <= set(texts(drawn(chart)))


def test_inlined_pictures_hold_no_address_and_share_no_id() -> None:
    one = inline(to_svg(styled(cohort_grid(COHORTS))), prefix="one", label="one")
    two = inline(to_svg(styled(cohort_grid(COHORTS))), prefix="two", label="two")
    assert "http" not in one
    ids = [set(re.findall(r'\bid="([^"]*)"', svg)) for svg in (one, two)]
    assert not ids[0] & ids[1]
    for svg, own in zip((one, two), ids, strict=True):
        assert set(re.findall(r"url\(#([^)]*)\)", svg)) <= own


def test_the_words_for_screen_readers_are_escaped() -> None:
    svg = inline("<svg><g/></svg>", prefix="p", label='5 < 6 & "so on"')
    assert ET.fromstring(svg).get("aria-label") == '5 < 6 & "so on"'
    assert ET.fromstring(svg).get("role") == "img"


def test_a_chart_of_the_models_loses_title_and_background_but_nothing_else() -> None:
    calibration = pd.DataFrame(
        {
            "model": ["winback"] * 2,
            "bin": [0, 1],
            "n": [5, 5],
            "predicted": [0.2, 0.8],
            "observed": [0.1, 0.9],
        }
    )
    chart = calibration_chart(calibration)
    before, after = chart.to_dict(), bare(chart).to_dict()
    assert before["title"]
    assert not after["title"]
    assert after["background"] == "transparent"
    assert after["layer"] == before["layer"]
    assert after["config"]["font"] == before["config"]["font"]
