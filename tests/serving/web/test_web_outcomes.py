"""The outcomes on the server: the page and the API show what was last read, and the next step where nothing was."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from winback_policy.config import PolicyConfig
from winback_policy.outcomes.cells import Cell
from winback_policy.outcomes.config import OutcomesConfig
from winback_policy.outcomes.moments import Sums
from winback_serving.outcomes import Outcomes, summarise
from winback_serving.outcomes_report import write_outcomes
from winback_serving.web.app import create_app
from winback_serving.web.config import WebConfig

pytestmark = pytest.mark.slow  # the server over a scored home

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def home(web_home: Path, tmp_path: Path) -> Path:
    shutil.copytree(web_home / "runs", tmp_path / "runs")
    return tmp_path


def reading() -> Outcomes:
    def cell(arm: str, n: int, k: int, **part: str) -> Cell:
        metrics = {"bought": Sums(n, k, k), "revenue": Sums(n, 20.0 * k, 400.0 * k)}
        return Cell(arm, "2026-01-05", metrics=metrics, **part)

    cells = [cell("treatment", 900, 180), cell("holdout", 100, 10)]
    cells.append(cell("treatment", 900, 180, by="rfm_segment", level=HOSTILE))
    cells.append(cell("holdout", 100, 10, by="rfm_segment", level=HOSTILE))
    return Outcomes(
        as_of=date(2026, 3, 1),
        window_days=30,
        currency="EUR",
        entered=1200,
        open=200,
        readout=summarise(cells, PolicyConfig(), OutcomesConfig()),
        simulated=f"Simulated {HOSTILE}",
    )


def test_without_a_reading_the_next_step_is_told(home: Path) -> None:
    with TestClient(create_app(home, WebConfig()), base_url="http://localhost") as client:
        page, answer = client.get("/outcomes"), client.get("/api/v1/outcomes")
        assert "winback outcomes" in page.text
        assert 'href="/outcomes"' not in client.get("/").text
    assert page.status_code == 200
    assert answer.status_code == 404
    assert "winback outcomes" in answer.json()["error"]["how"]


def test_what_was_read_is_shown_and_escaped(home: Path) -> None:
    write_outcomes(home, reading(), "Shop")
    with TestClient(create_app(home, WebConfig()), base_url="http://localhost") as client:
        page, answer = client.get("/outcomes"), client.get("/api/v1/outcomes")
        assert 'href="/outcomes"' in client.get("/").text
    assert page.status_code == 200
    assert "20.0% of 900 treated: +10.00 points" in page.text
    assert "Simulated" in page.text
    assert HOSTILE not in page.text
    assert HOSTILE not in (home / "outcomes.html").read_text(encoding="utf-8")
    assert answer.json() == json.loads((home / "outcomes.json").read_text(encoding="utf-8"))


def test_a_dutch_page_is_dutch_and_tells_of_the_uplift(home: Path) -> None:
    write_outcomes(home, reading(), "Shop")
    with TestClient(create_app(home, WebConfig(language="nl")), base_url="http://localhost") as client:
        page = client.get("/outcomes").text
        assert "20,0% van 900 behandeld: +10,00 punten" in page.replace("\u00a0", "")
        assert "<code>winback uplift</code>" in page
        assert page.count('lang="en"') == 1, "only what was made up is told in English"
        (home / "uplift").mkdir()
        distance = {"outcomes": 75, "needed": 300, "more_contacts": 2250}
        verdict = {"accepted": False, "distance": distance, "contacts": 1000, "held_out": 100, "uplift": None}
        verdict |= {"usual": None, "lead": None, "sleeping": {"at_most": None}}
        (home / "uplift" / "verdict.json").write_text(json.dumps(verdict), encoding="utf-8")
        page = client.get("/outcomes").text
    assert "nog 2.250 contacten" in page
    assert "Niet bewezen" in page


def test_half_a_file_is_as_none(home: Path) -> None:
    (home / "outcomes.json").write_text('{"as_of": ', encoding="utf-8")
    with TestClient(create_app(home, WebConfig()), base_url="http://localhost") as client:
        assert client.get("/outcomes").status_code == 200
        assert client.get("/api/v1/outcomes").status_code == 404
