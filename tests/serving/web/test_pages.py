"""The pages as a browser without script gets them: right numbers, nothing from elsewhere, nothing unescaped."""

import base64
import hashlib
import html
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import duckdb
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from winback_features.errors import ConfigError
from winback_policy.config import PolicyConfig
from winback_serving.settings import Settings
from winback_serving.store import RunStore
from winback_serving.web.app import create_app
from winback_serving.web.config import WebConfig
from winback_serving.web.format import Formatter
from winback_serving.web.pages import rfm
from winback_serving.web.texts import texts

pytestmark = pytest.mark.slow  # the server over a scored home

PAGES = ("/", "/list", "/excluded", "/rfm", "/retention", "/model", "/hygiene", "/sandbox")
LOOPBACK = "http://127.0.0.1:8600"
BROWSER = {"accept": "text/html"}


def ask(home: Path, sql: str) -> list[tuple[Any, ...]]:
    """Ask the newest run's files, past the server."""
    run = RunStore(home).read_run()
    with duckdb.connect() as connection:
        for path in run.folder.glob("*.parquet"):
            connection.read_parquet(str(path)).create_view(path.stem)
        return connection.execute(sql).fetchall()


def get(client: TestClient, address: str, status: int = 200) -> str:
    answer = client.get(address, headers=BROWSER)
    assert answer.status_code == status, address
    assert answer.headers["content-type"].startswith("text/html")
    return answer.text


def words(page: str) -> str:
    """Return what a reader sees, blanks as one."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def a_contact(home: Path) -> str:
    return str(ask(home, "SELECT contact_id FROM winback WHERE rank = 1")[0][0])


@pytest.mark.parametrize("path", PAGES)
def test_a_page_stands_by_itself(client: TestClient, path: str) -> None:
    page = get(client, path)
    assert page.lstrip().startswith("<!doctype html>")
    assert page.count("<h1") == 1
    assert '<main id="main"' in page
    assert not re.search(r"(src|href|action)=\"(?!/|\?|#)", page)
    assert not re.search(r"https?://", page)
    assert not re.search(r"\sstyle=|<style|\son\w+=|<script(?! src=\"/static/)", page)
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("path", [p for p in PAGES if p not in ("/model",)])
def test_every_page_is_the_same_when_asked_again(client: TestClient, path: str) -> None:
    assert get(client, path) == get(client, path)


def test_the_menu_names_the_page_and_stays_on_the_day(client: TestClient) -> None:
    page = get(client, "/rfm?as_of=1998-06-01")
    assert '<a href="/rfm?as_of=1998-06-01" aria-current="page">' in page
    assert '<a href="/list?as_of=1998-06-01">' in page
    assert '<option value="1998-06-01" selected>' in page
    assert "/outcomes" not in page


def test_today_tells_what_the_run_holds(client: TestClient, web_home: Path) -> None:
    ((listed, value),) = ask(
        web_home, "SELECT count(*), round(sum(value_at_risk)) FROM winback WHERE rank IS NOT NULL"
    )
    ((entered,),) = ask(web_home, "SELECT count(*) FROM entries")
    text = words(get(client, "/"))
    assert f"{listed} contacts worth winning back" in text
    assert f"On the list {listed}" in text
    assert f"New {entered} entered on Jun 2" in text
    assert f"${value:,.0f}" in text
    for reason, n in ask(web_home, "SELECT exit_reason, count(*) FROM exits GROUP BY 1"):
        assert f"{reason} {n}" in text.replace("bought again", "purchased").replace("risk fell", "risk_fell")


def test_a_day_of_the_past_that_is_scored_again_is_shown_anew(web_home: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(web_home, home)
    first = RunStore(home).list_runs()[0]
    with TestClient(create_app(home), LOOPBACK) as client:
        assert "987,654" not in get(client, "/")
        again = first.folder.with_name("scored-again")
        shutil.copytree(first.folder, again)
        record = json.loads((again / "run.json").read_text())
        record["counts"]["flagged"] = 987_654
        (again / "run.json").write_text(json.dumps(record))
        RunStore(home).point_at(first.as_of, again.name)
        assert "987,654" in get(client, "/")


def test_the_list_shows_each_contact_once_and_best_first(client: TestClient, web_home: Path) -> None:
    expected = [
        row[0] for row in ask(web_home, "SELECT contact_id FROM winback WHERE rank >= 1 ORDER BY rank")
    ]
    seen: list[str] = []
    address = "/list?limit=1"
    while address:
        page = get(client, address)
        seen += re.findall(r'<th scope="row"[^>]*><a href="/contacts/(\w+)">', page)
        more = re.search(r'rel="next" href="([^"]+)"', page)
        address = "/list" + html.unescape(more[1]) if more else ""
    assert len(expected) > 2
    assert seen == expected


def test_a_filter_from_the_form_with_empty_fields_works(client: TestClient, web_home: Path) -> None:
    ((segment, n),) = ask(
        web_home,
        "SELECT rfm_segment, count(*) FROM winback WHERE rank >= 1 GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1",
    )
    page = get(client, f"/list?q=&segment={segment}&channel=&min_value=&max_p_purchase=&sort=-value_at_risk")
    assert f"{n} contact" in words(page)
    assert 'aria-sort="descending"' in page
    assert len(re.findall(r'<th scope="row"', page)) == n
    assert "remove this filter" in page


def test_a_wrong_filter_is_a_page_that_says_so(client: TestClient) -> None:
    assert "asks for something there is not" in get(client, "/list?min_value=much", 422)
    assert "1066" in get(client, "/?as_of=1066-10-14", 404)


def test_everybody_not_flagged_is_counted_by_reason(client: TestClient, web_home: Path) -> None:
    page = get(client, "/excluded")
    for reason, n in ask(web_home, "SELECT not_flagged_reason, count(*) FROM winback GROUP BY 1"):
        if reason:
            row = re.search(rf'reason={reason}".*?</tr>', page, re.DOTALL)
            assert row is not None
            assert f">{n}</td>" in row[0]


def test_a_contact_is_told_whole(client: TestClient, web_home: Path) -> None:
    contact = a_contact(web_home)
    ((p, value, reason),) = ask(
        web_home, f"SELECT p_purchase, value_at_risk, reason_1 FROM winback WHERE contact_id = '{contact}'"
    )
    page = get(client, f"/contacts/{contact}")
    text = words(page)
    assert "Number 1 on the list, since" in text
    assert f"{100 * p:.0f}%" in text
    assert f"${value:,.0f}" in text
    assert reason in text
    (picture,) = re.findall(r'<img src="([^"]+)"[^>]* alt="The chance of a purchase[^"]*"', page)
    (past,) = re.findall(r'<p class="past"><a href="([^"]+)"', page)
    assert f'data-load="{past}"' in page
    told = words(get(client, html.unescape(past)))
    assert "Jun 1, 1998" in told
    ((model,),) = ask(web_home, f"SELECT model_version FROM scores WHERE contact_id = '{contact}'")
    assert f"version {model}" in told
    assert "purchase_days" in told
    assert ET.fromstring(client.get(html.unescape(picture)).text).tag.endswith("svg")


def test_a_picture_is_drawn_and_sent_once_for_each_run(client: TestClient, web_home: Path) -> None:
    contact = a_contact(web_home)
    addresses = [
        html.unescape(re.findall(r'<img src="([^"]+)"', get(client, f"/contacts/{contact}?as_of={day}"))[0])
        for day in ("1998-06-01", "1998-06-02")
    ]
    first, second = (client.get(address) for address in addresses)
    assert first.headers["content-type"] == "image/svg+xml"
    assert first.headers["cache-control"] == "private, no-cache"
    assert first.headers["etag"] != second.headers["etag"]
    again = client.get(addresses[0], headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(addresses[0], headers={"if-none-match": second.headers["etag"]}).status_code == 200


def test_the_policy_of_a_picture_allows_its_own_style_and_nothing_else(
    client: TestClient, web_home: Path
) -> None:
    page = get(client, f"/contacts/{a_contact(web_home)}")
    answer = client.get(html.unescape(re.findall(r'<img src="([^"]+)"', page)[0]))
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert answer.headers["content-security-policy"] == f"default-src 'none'; style-src 'sha256-{digest}'"
    assert not re.search(r"\sstyle=|<script|https?://(?!www\.w3\.org/2000/svg)", answer.text)


@pytest.mark.parametrize("kind", ["pictures", "past"])
@pytest.mark.parametrize("run", ["nothing", "../1998-06-01", "/etc", "..", "%00"])
def test_a_run_that_is_not_there_has_no_picture_and_no_past(client: TestClient, kind: str, run: str) -> None:
    get(client, f"/{kind}/contacts/1?as_of=1998-06-02&run={run}", 404)


@pytest.mark.parametrize("kind", ["pictures", "past"])
def test_who_is_unknown_has_no_picture_and_no_past(client: TestClient, kind: str) -> None:
    get(client, f"/{kind}/contacts/nobody?as_of=1998-06-02", 404)


def test_an_unknown_contact_is_a_page_with_a_way_on(client: TestClient) -> None:
    page = get(client, "/contacts/nobody-of-that-name", 404)
    assert "There is no such page" in page
    assert 'href="/"' in page


HOSTILE = "<script>alert(1)</script>\"'><b>/../{{ 7 * 7 }}?#&x=1"


@pytest.fixture(scope="module")
def hostile(web_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A client of a run in which the best contact's id and category are meant to break a page."""
    home = tmp_path_factory.mktemp("hostile")
    shutil.copytree(web_home / "runs", home / "runs")
    victim = a_contact(web_home)
    with duckdb.connect() as connection:
        for path in RunStore(home).read_run().folder.glob("*.parquet"):
            columns = pq.read_schema(path).names
            if "contact_id" not in columns:
                continue
            swapped = [f"CASE contact_id WHEN '{victim}' THEN $id ELSE contact_id END AS contact_id"]
            if "last_category" in columns:
                swapped.append(
                    f"CASE contact_id WHEN '{victim}' THEN $id ELSE last_category END AS last_category"
                )
            sql = f"SELECT * REPLACE ({', '.join(swapped)}) FROM read_parquet('{path}') ORDER BY contact_id"
            pq.write_table(connection.execute(sql, {"id": HOSTILE}).to_arrow_table(), path)
    record = RunStore(home).read_run().folder / "run.json"
    without = {name: value for name, value in json.loads(record.read_text()).items() if name != "files"}
    record.write_text(json.dumps(without))  # these files are not those that were published
    with TestClient(create_app(home), LOOPBACK, raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize(
    "path", ["/", "/list", "/list?sort=contact_id&limit=1", "/hygiene", "/list?q=%3Cscript%3E"]
)
def test_a_hostile_id_is_shown_and_not_run(hostile: TestClient, path: str) -> None:
    page = get(hostile, path)
    assert "<script>alert" not in page
    assert "'><b>" not in page
    assert "49}}" not in page


def test_a_hostile_id_has_its_page(hostile: TestClient) -> None:
    link = re.search(r'<a href="(/contacts/[^"]+)">&lt;script', get(hostile, "/list"))
    assert link is not None
    page = get(hostile, html.unescape(link[1]))
    assert "Number 1 on the list" in words(page)
    assert "{{ 7 * 7 }}" in page
    assert "<script>alert" not in page
    (picture,) = re.findall(r'<img src="([^"]+)"', page)
    ET.fromstring(hostile.get(html.unescape(picture)).text)
    (past,) = re.findall(r'data-load="([^"]+)"', page)
    told = get(hostile, html.unescape(past))
    assert "{{ 7 * 7 }}" in told
    assert "<script>alert" not in told


@pytest.mark.parametrize(
    "contact", ["<script>alert(1)</script>", "../../etc/passwd", "{{ 7 * 7 }}", "'; DROP"]
)
def test_an_unknown_hostile_id_is_not_found(client: TestClient, contact: str) -> None:
    page = get(client, f"/contacts/{quote(contact, safe='')}", 404)
    assert "<script>alert" not in page
    assert "knows no contact 49" not in words(page)


def test_the_grid_holds_every_buyer(client: TestClient, web_home: Path) -> None:
    page = get(client, "/rfm")
    cells = [
        int(n.replace(",", ""))
        for n in re.findall(r"<b>([\d,]+)</b>", page.split('class="grid"')[1].split("</table>")[0])
    ]
    ((buyers,),) = ask(web_home, "SELECT count(*) FROM winback WHERE rfm_code IS NOT NULL")
    assert len(cells) == 25
    assert sum(cells) == buyers > 0
    moved = re.findall(r"<dt>(stayed|real move|threshold move|new buyer|gone)</dt><dd>([\d,]+)", page)
    assert len(moved) == 5
    assert sum(int(n.replace(",", "")) for _, n in moved) >= buyers


def test_tiers_and_cells_are_counted_with_what_they_ask_for(client: TestClient, web_home: Path) -> None:
    page = words(get(client, "/rfm"))
    asked = "SELECT {0}, count(*) FROM winback WHERE {1} IS NOT NULL GROUP BY ALL"
    tiers = dict(ask(web_home, asked.format("relationship_tier", "relationship_tier")))
    assert len(tiers) >= 3
    said, share = texts("en"), Formatter.of("en").percent
    for name, n in tiers.items():
        told = f"{said.word('relationship', name)} {n:,} {share(n / sum(tiers.values()))} "
        assert html.unescape(told + said(f"rfm.tier_{name}")) in page
    cells = ask(web_home, asked.format("buyer_clicker_cell, cell_action", "cell_action"))
    assert len(cells) >= 2
    for cell, action, n in cells:
        assert f"{said.word('cell', cell)} {n:,} " in page
        assert f"{said.word('action', action)} {said(f'rfm.asks_{action}')}" in page


def test_a_run_without_tiers_and_cells_has_its_grid(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rfm, "described", lambda run: {"tiers": [], "clickers": []})
    page = words(get(client, "/rfm"))
    assert "Buyers and clickers" not in page
    assert "Segments" in page


def test_moves_are_a_table_and_their_absence_a_sentence(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"segment_before": "loyal", "segment_after": "at_risk", "move": "real", "contacts": 7}
    monkeypatch.setattr(rfm, "moves_of", lambda run, before: [row])
    page = words(get(client, "/rfm"))
    assert "loyal at risk real move 7" in page
    assert "Nobody changed segment" not in page
    monkeypatch.setattr(rfm, "moves_of", lambda run, before: [row | {"move": "stayed"}])
    assert "Nobody changed segment from" in words(get(client, "/rfm"))


def test_a_day_before_is_written_as_a_day(client: TestClient) -> None:
    assert "1970" not in get(client, "/rfm?since=0", 422)


def test_retention_says_what_the_file_says_and_what_to_do_without_it(
    client: TestClient, web_home: Path, tmp_path: Path
) -> None:
    figures = json.loads((RunStore(web_home).read_run().folder / "retention.json").read_text())
    text = words(get(client, "/retention"))
    assert f"Ever bought {figures['contacts']:,}" in text
    rate = next(row["rate"] for row in figures["second_order"]["rates"] if row["days"] == 90)
    assert f"Second order within 90 days {100 * rate:.0f}%" in text
    shutil.copytree(web_home, tmp_path / "older")
    for path in (tmp_path / "older").rglob("retention.json"):
        path.unlink()
    with TestClient(create_app(tmp_path / "older"), LOOPBACK) as other:
        assert "Score the day again" in get(other, "/retention")


def test_the_sandbox_counts_as_sql_does(client: TestClient, web_home: Path) -> None:
    early = "days_since_purchase - closed_days_in_silence >= if(usual_gap_days > horizon_days, 0.5, 0.2) * usual_gap_days"
    base = "FROM scores JOIN features USING (contact_id, days_since_purchase) WHERE base = 'active' AND p_lapse >= 0.2"
    ((n,),) = ask(web_home, f"SELECT count(*) {base} AND (days_overdue >= 0 OR {early})")
    ((late,),) = ask(web_home, f"SELECT count(*) {base} AND days_overdue >= 0")
    assert n > late
    asked = "enter_p_lapse=0.2&leave_p_lapse=0.1&lead_days=0&min_value=&own_segment=loyal"
    page, found = get(client, f"/sandbox?{asked}"), client.get(f"/sandbox.json?{asked}").json()
    assert found["segments"][0]["contacts"] == str(n)
    assert f'data-cell="contacts">{n}</td>' in page
    assert "enter_p_lapse = 0.2\nleave_p_lapse = 0.1\nlead_days = 0" in page


@pytest.mark.parametrize(("leave", "refused"), [(0.3, False), (0.5, False), (0.6, True)])
def test_the_sandbox_says_of_what_winback_refuses_that_it_does(
    leave: float, refused: bool, client: TestClient
) -> None:
    page = get(client, f"/sandbox?enter_p_lapse=0.5&leave_p_lapse={leave}")
    assert ("winback refuses these settings" in page) == refused
    with pytest.raises(ConfigError, match="enter_p_lapse") if refused else nullcontext():
        PolicyConfig(enter_p_lapse=0.5, leave_p_lapse=leave)


def test_hygiene_counts_the_records(client: TestClient, web_home: Path) -> None:
    ((contacts, inactive),) = ask(
        web_home,
        "SELECT count(*), count(*) FILTER (purchase_inactive AND engagement_inactive) FROM winback WHERE state <> 'erased'",
    )
    assert f"{inactive} contact" in words(get(client, "/hygiene"))
    assert contacts >= inactive


def test_an_empty_home_says_the_next_step(tmp_path: Path) -> None:
    with TestClient(create_app(tmp_path), LOOPBACK) as client:
        for path in PAGES:
            page = get(client, path, 503)
            assert "No run is published yet" in page
            assert "<code>winback score</code>" in page


def test_the_model_page_says_when_it_knows_nothing(client: TestClient, web_settings: Settings) -> None:
    assert "The registry does not know this version" in get(client, "/model")
    with TestClient(create_app(web_settings.home, WebConfig(), web_settings), LOOPBACK) as known:
        page = get(known, "/model")
    assert "The registry does not know this version" in page
    assert "CDNOW" in page


def test_dutch_pages_are_dutch(web_home: Path) -> None:
    with TestClient(create_app(web_home, WebConfig(language="nl")), LOOPBACK) as client:
        for path in (*PAGES, f"/contacts/{a_contact(web_home)}"):
            page = get(client, path)
            assert '<html lang="nl">' in page
            assert "Risicolijst" in page
        assert "2 jun 1998" in get(client, "/")
