"""Published runs read into a brief, and the brief as a page: complete, escaped, in need of nothing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from winback_features.errors import InputError
from winback_serving.accuracy import Accuracy, read_accuracy
from winback_serving.brief import Brief, read_brief, risk_bins
from winback_serving.figures import (
    calibration_figure,
    cohort_figure,
    lift_figure,
    money_figure,
    risk_figure,
    story_figure,
    timing_figure,
)
from winback_serving.one_page import Figure
from winback_serving.report import Report, render_report, write_report
from winback_serving.store import PublishedRun

FIRST, SECOND = date(2017, 12, 31), date(2018, 1, 1)
METRICS = pd.DataFrame(
    [
        {"origin": origin, "population": population, "model": model, "n": 1500, "prevalence": 0.25, "auc": auc,
         "brier": 0.1, "ibs": 0.05, "brier_skill": 0.2, "lift_10": 3.0, "bias": 0.01, "coverage_80": 0.78}
        for origin, shift in ((date(2017, 11, 1), 0.0), (date(2017, 10, 1), 0.1))
        for population, model, auc in (
            ("active", "recency", 0.6 + shift), ("active", "winback", 0.7 + shift),
            ("active", "new_one", 0.5 + shift), ("never_bought", "winback", 0.505))
    ]
)  # fmt: skip
DIFFERENCES = pd.DataFrame(
    [{"origin": "all", "population": "active", "baseline": "recency", "metric": "brier", "difference": -0.01,
      "low": -0.02, "high": -0.005}]
)  # fmt: skip
MONEY = pd.DataFrame(
    [{"origin": date(2017, 11, 1), "population": "whole", "expected": 12_300.0, "actual": 11_900.0, "ratio": 1.034,
      "ratio_low": 0.95, "ratio_high": 1.12}]
)  # fmt: skip
INPUTS = {
    "orders": {
        "rows_in": 12, "rows_used": 10, "rows_quarantined": 2, "reasons": {"missing_time": 2},
        "warnings": [{"code": "float_ids", "message": "Ids look like numbers.", "count": 3}],
        "first_day": "2017-01-01", "last_day": "2017-12-31",
    }
}  # fmt: skip
NAUGHTY = '<script>alert("1")</script>'


def publish(folder: Path, day: date, run_id: str, listed: int, exits: list[str]) -> PublishedRun:
    """Write the tables of a run of ten contacts, of whom the first ``listed`` are on the list."""
    folder = folder / run_id
    folder.mkdir()
    run = PublishedRun(day, run_id, folder)
    with duckdb.connect() as connection:
        connection.execute(
            """CREATE TABLE winback AS SELECT
                 CASE WHEN i <= $listed THEN i END AS rank,
                 CASE i WHEN 1 THEN $naughty ELSE format('{:05d}', i) END AS contact_id,
                 CASE WHEN i > $listed THEN 'active' WHEN i = 1 THEN 'flagged' ELSE 'in_winback' END AS state,
                 CASE WHEN i <= $listed THEN DATE '2017-12-31' END AS entered_at,
                 CASE WHEN i > $listed THEN CASE i WHEN 10 THEN 'never_bought' ELSE 'low_risk' END END
                   AS not_flagged_reason,
                 0.05 * i AS p_purchase, DATE '2018-02-01' + i::INTEGER AS next_purchase_date,
                 DATE '2018-01-05' AS next_purchase_low, CAST(NULL AS DATE) AS next_purchase_high,
                 31.0::DOUBLE AS days_since_purchase, (i - 2)::DOUBLE AS days_overdue,
                 (100.1 * (11 - i))::DOUBLE AS value_at_risk, 'cant_lose' AS rfm_segment,
                 'buys every 12 days' AS reason_1, 'second' AS reason_2,
                 CASE i WHEN 2 THEN NULL ELSE 'third' END AS reason_3,
                 'win_back' AS recommended_action, 'email' AS channel,
                 CASE i WHEN 3 THEN 'holdout' ELSE 'treatment' END AS arm
               FROM range(1, 11) t(i)""",
            {"listed": listed, "naughty": NAUGHTY},
        )
        connection.execute(
            "CREATE TABLE scores AS SELECT 'lapsed' AS base, 0.9 AS p_lapse"
            " UNION ALL SELECT 'active', unnest([0.0, 0.05, 0.049, 0.5, 0.999, 1.0])"
        )
        connection.execute("CREATE TABLE entries AS SELECT * FROM winback WHERE state = 'flagged'")
        connection.execute(
            "CREATE TABLE exits AS SELECT unnest(CAST($exits AS VARCHAR[])) AS exit_reason", {"exits": exits}
        )
        for name in ("winback", "scores", "entries", "exits"):
            connection.table(name).write_parquet(str(run.file(name)))
    info = {"schema_version": 1, "inputs": INPUTS, "model": {"name": "lapse", "version": "2", "digest": "d"}}
    (folder / "run.json").write_text(json.dumps(info), encoding="utf-8")
    return run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[PublishedRun]:
    folder = tmp_path_factory.mktemp("runs")
    return [
        publish(folder, FIRST, "first-run", 5, []),
        publish(folder, SECOND, "second-run", 4, ["purchased", "risk_fell", "purchased"]),
    ]


@pytest.fixture(scope="module")
def brief(runs: list[PublishedRun]) -> Brief:
    accuracy = read_accuracy(METRICS, DIFFERENCES, MONEY)
    return read_brief(runs, brand="Müller & Söhne", currency="EUR", horizon_days=28, accuracy=accuracy, top=3)


def test_nobody_was_due_on_a_closed_day(runs: list[PublishedRun], brief: Brief) -> None:
    """The shop was closed for ten days up to yesterday: who was due since then was due before."""
    closed = [(SECOND - timedelta(days=10), SECOND)]
    told = read_brief(runs, brand="b", currency="EUR", horizon_days=28, top=3, closed=closed)
    for row, plain in zip(told.top, brief.top, strict=True):
        assert plain.due_date == SECOND - timedelta(days=round(plain.days_overdue or 0))
        late = (plain.days_overdue or 0) > 0
        assert row.due_date == plain.due_date - timedelta(days=10 if late else 0)
    assert any((row.days_overdue or 0) > 0 for row in told.top)


def test_money_of_sixteen_digits_is_summed(tmp_path: Path) -> None:
    """An order may be of ten to the fourteenth; a year of them is more than that."""
    run = publish(tmp_path, FIRST, "rials", 4, [])
    rows = pd.read_parquet(run.file("winback"))
    rows.assign(value_at_risk=rows["value_at_risk"] * 1e13).to_parquet(run.file("winback"))
    told = read_brief([run], brand="b", currency="IRR", horizon_days=28, top=3)
    assert told.days[-1].value_at_risk == pytest.approx(100.1e13 * (10 + 9 + 8 + 7))


@pytest.fixture(scope="module")
def figures(brief: Brief, runs: list[PublishedRun]) -> dict[str, Figure]:
    curve = pd.DataFrame({"day": [FIRST, SECOND], "p_purchase": [0.5, 0.2], "p_alive": [0.9, 0.8]})
    cohorts = pd.DataFrame({"cohort": ["Jan 2017 · 10"], "position": [0], "month": [1], "share": [0.5]})
    shares = pd.DataFrame(
        {"model": "winback", "bin": [0, 1], "n": 5, "predicted": [0.2, 0.8], "observed": [0.1, 0.9]}
    )
    lift = pd.DataFrame(
        {"model": "winback", "share": [0.0, 0.5, 1.0], "captured": [0.0, 0.8, 1.0], "lift": 1.6}
    )
    timing = pd.DataFrame(
        {
            "model": "winback",
            "bin": [1, 2],
            "low": [0.0, 0.5],
            "high": [0.5, 1.0],
            "n": [4.0, 6.0],
            "share": [0.4, 0.6],
        }
    )
    tenths = pd.DataFrame({"bin": [1, 2], "expected": [100.0, 900.0], "actual": [120.0, 800.0]})
    return {
        "risk": risk_figure(risk_bins(runs[-1]), 0.5),
        "story": story_figure(brief.top[1], curve, [FIRST], as_of=SECOND, trained_on=FIRST, one="household"),
        "cohorts": cohort_figure(cohorts),
        "calibration": calibration_figure(shares),
        "lift": lift_figure(lift),
        "timing": timing_figure(timing),
        "money": money_figure(tenths, "Expected 1, came 1.", "EUR"),
    }


@pytest.fixture(scope="module")
def page(brief: Brief, figures: dict[str, Figure]) -> str:
    return render_report(report_of(brief, figures))


def report_of(brief: Brief, figures: dict[str, Figure]) -> Report:
    notes = ("One note & more.",)
    return Report(
        brief, "households", "household", "From a <shop>", notes, figures, (("winback init", "Your own."),)
    )


class _Page(HTMLParser):
    """Collects tags, and complains of one closed that was not open."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if not {"style", "svg"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_a_brief_counts_every_contact_once(brief: Brief) -> None:
    assert (brief.contacts, brief.listed, brief.held_out, brief.scored) == (10, 4, 1, 7)
    assert brief.excluded == {"low_risk": 5, "never_bought": 1}
    assert brief.contacts == brief.listed + sum(brief.excluded.values())
    assert brief.value_at_risk == pytest.approx(100.1 * (10 + 9 + 8 + 7))


def test_a_brief_tells_each_day_and_keeps_the_head_of_the_list(brief: Brief) -> None:
    assert [(d.as_of, d.entries, d.listed, d.left) for d in brief.days] == [
        (FIRST, 1, 5, 0),
        (SECOND, 1, 4, 3),
    ]
    assert dict(brief.days[-1].exits) == {"purchased": 2, "risk_fell": 1}
    assert [row.rank for row in brief.top] == [1, 2, 3]
    assert brief.top[1].contact_id == "00002"
    assert list(brief.top[1].reasons) == ["buys every 12 days", "second"]
    assert brief.top[0].next_purchase_high is None


def test_a_brief_reconciles_the_inputs(brief: Brief) -> None:
    (orders,) = brief.inputs
    assert orders.rows_in == orders.rows_used + orders.rows_quarantined == 12
    assert orders.notices == ("Ids look like numbers.",)
    assert (orders.first_day, orders.last_day) == (date(2017, 1, 1), date(2017, 12, 31))


def test_risk_is_counted_on_the_active_base_with_both_ends_inside(runs: list[PublishedRun]) -> None:
    bins = risk_bins(runs[-1], bins=20)
    assert bins["n"].sum() == 6
    assert bins.set_index("low")["n"].loc[[0.0, 0.05, 0.5, 0.95]].tolist() == [2, 1, 1, 2]


def test_a_damaged_run_is_refused_in_words(runs: list[PublishedRun], tmp_path: Path) -> None:
    broken = replace(runs[-1], folder=tmp_path)
    with pytest.raises(InputError, match="damaged"):
        read_brief([broken], brand="b", currency="EUR", horizon_days=28)


def test_the_page_is_whole_html_without_scripts_or_addresses(page: str) -> None:
    parsed = _Page(page)
    assert parsed.open == []
    assert not {"script", "link", "iframe", "img", "object", "form"} & set(parsed.tags)
    assert parsed.tags.count("figure") == 7
    assert "http" not in page
    assert "//" not in re.sub(r"sqlite:///\S*", "", page)
    assert not re.search(r"\son\w+=", page)
    assert "@import" not in page
    assert set(re.findall(r"url\(([^)]*)\)", page)) <= {f"#{i}" for i in re.findall(r'\bid="([^"]*)"', page)}


def test_ids_are_unique_and_every_picture_has_words(page: str) -> None:
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    labels = re.findall(r'<svg role="img" aria-label="([^"]+)"', page)
    assert len(labels) == page.count("<svg") == 7
    assert all(len(label) > 30 for label in labels)


def test_what_comes_from_the_shop_is_escaped(page: str) -> None:
    assert NAUGHTY not in page
    assert "&lt;script&gt;" in page
    assert "Müller &amp; Söhne" in page
    assert "From a &lt;shop&gt;" in page


def test_the_page_tells_the_list_the_reasons_and_the_reconciliation(page: str) -> None:
    text = _Page(page).text
    assert "4 households worth winning back" in text
    assert (
        "00002 can't lose 10 % 1 Jan due today next: 3 Feb 5 Jan – open 901 EUR buys every 12 days second"
        in text
    )
    assert "held out: do not write" in text
    assert "Risk below the threshold: may well buy anyway 5" in text
    assert "2 bought again, 1 risk fell" in text
    assert "orders 12 10 2 2 missing time 1 Jan 2017 – 31 Dec 2017" in text
    assert "Orders: Ids look like numbers." in text
    assert "1 Oct 2017 and 1 Nov 2017" in text
    assert "winback 0.750 0.1000 0.0500 0.200 3.00 0.010" in text


def test_the_page_says_in_words_what_the_tests_come_to_and_tells_populations_apart(page: str) -> None:
    text = _Page(page).text
    assert "On the active base winback errs less than every other model" in text
    assert "Among contacts that never bought the score ranks no better than chance (AUC 0.505" in text
    assert "Active base 1,500 25 % 0.750 0.1000 0.1000 Days since purchase 0.010 78 %" in text
    assert "Never bought 1,500 25 % 0.505 0.1000 – 0.010 78 %" in text
    assert "Expected 1, came 1." in text


def test_without_pictures_models_or_a_list_the_page_still_stands(brief: Brief) -> None:
    empty = replace(brief, listed=0, held_out=0, top=(), accuracy=Accuracy(), excluded={})
    page = render_report(Report(empty, "households", "household", "Somewhere"))
    text = _Page(page).text
    assert "Nobody needs winning back today" in text
    assert "Can it be believed?" not in text
    assert "<figure" not in page


def test_writing_replaces_the_page_in_one_step(brief: Brief, tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"
    report = report_of(brief, {})
    assert write_report(path, report) == path
    first = path.read_bytes()
    write_report(path, report)
    assert path.read_bytes() == first
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]
