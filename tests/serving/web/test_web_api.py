"""The API against the run's own tables: the same rows, one run in each answer, one shape for every error."""

import csv
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from winback_features.errors import InputError
from winback_policy.legal import CHANNEL_NAMES, LegalRule
from winback_serving.erase import NOBODY, erase
from winback_serving.settings import Settings
from winback_serving.store import RunStore
from winback_serving.web.api.schema import Row
from winback_serving.web.api.score import ScoreRequest
from winback_serving.web.app import create_app
from winback_serving.web.columns import COLUMNS, PERSONAL
from winback_serving.web.config import WebConfig
from winback_serving.web.reader import Run, Runs
from winback_serving.web.scoring import Histories, score_histories

pytestmark = pytest.mark.slow  # the server over a scored home

NEWEST = "1998-06-02"


def table(home: Path, day: str, name: str) -> list[dict[str, Any]]:
    run = RunStore(home).current(date.fromisoformat(day))
    assert run is not None
    found: list[dict[str, Any]] = pq.read_table(run.file(name)).to_pylist()
    return found


def test_a_row_of_a_list_has_every_column_that_is_documented() -> None:
    assert tuple(Row.model_fields) == COLUMNS


def test_runs_are_listed_newest_first(client: TestClient) -> None:
    runs = client.get("/api/v1/runs").json()["runs"]
    assert [run["as_of"] for run in runs] == [NEWEST, "1998-06-01"]
    shown = client.get(f"/api/v1/runs/{NEWEST}").json()
    assert shown["counts"]["contacts"] == shown["contacts"] > 100
    assert shown["previous_run"]["run_id"] == runs[1]["run_id"]
    assert client.get("/api/v1/model").json()["version"] == shown["model"]["version"] == "7"


def test_a_contact_is_its_row_without_name_and_address(client: TestClient, web_home: Path) -> None:
    for row in table(web_home, NEWEST, "winback")[::40]:
        answer = client.get(f"/api/v1/contacts/{row['contact_id']}").json()
        assert answer["as_of"] == NEWEST
        assert not {*PERSONAL} & {*answer["contact"]}
        for name, value in row.items():
            if name not in PERSONAL:
                shown = value.isoformat() if isinstance(value, date) else value
                assert answer["contact"][name] == shown, name


def test_the_list_is_the_flagged_contacts_by_rank(client: TestClient, web_home: Path) -> None:
    flagged = sorted(
        (row for row in table(web_home, NEWEST, "winback") if row["rank"] is not None),
        key=lambda row: row["rank"],
    )
    answer = client.get("/api/v1/list?limit=1000").json()
    assert [row["contact_id"] for row in answer["rows"]] == [row["contact_id"] for row in flagged]
    assert answer["total"] == len(flagged) > 5
    assert client.get("/list.json?limit=1000").json() == answer


def test_contacts_are_chosen_by_where_they_came_from(client: TestClient, web_home: Path) -> None:
    everybody = table(web_home, NEWEST, "winback")
    fair = {r["contact_id"] for r in everybody if r["acquisition_source"] == "fair"}
    assert {int(contact) % 3 for contact in fair} == {0}
    answer = client.get("/api/v1/contacts?source=fair&limit=1000").json()
    assert {row["contact_id"] for row in answer["rows"]} == fair
    assert {row["acquisition_source"] for row in answer["rows"]} == {"fair"}
    both = client.get("/api/v1/contacts?source=fair&source=newsletter&limit=1000").json()["total"]
    assert len(fair) < both < len(everybody)
    rows = list(csv.DictReader(io.StringIO(client.get("/excluded.csv?source=newsletter").text)))
    assert {int(row["contact_id"]) % 3 for row in rows} == {1}
    for path in ("/list", "/excluded"):
        page = client.get(f"{path}?source=fair").text
        assert '<option value="fair" selected>' in page
        assert '<option value="newsletter">' in page
        assert "Came from: fair" in page


def test_a_csv_holds_the_whole_list_in_the_order_asked_for(client: TestClient) -> None:
    answer = client.get("/excluded.csv?sort=-p_lapse&limit=1")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.headers["content-disposition"] == f'attachment; filename="winback-excluded-{NEWEST}.csv"'
    assert len(rows) == client.get("/api/v1/excluded?limit=1").json()["total"] > 100
    known = [float(row["p_lapse"]) for row in rows if row["p_lapse"]]
    assert known == sorted(known, reverse=True)


@pytest.fixture(scope="module")
def forgetful(web_settings: Settings) -> Iterator[TestClient]:
    """A server of a shop that may keep nobody for longer than a hundred days of silence."""
    own = tuple(LegalRule("DE", name, "opt_in", 100) for name in CHANNEL_NAMES)
    settings = replace(web_settings, policy=replace(web_settings.policy, legal=own))
    app = create_app(settings.home, WebConfig(), settings)
    with TestClient(app, base_url="http://localhost") as client:
        yield client


def test_the_records_to_go_are_given_whole_and_page_by_page(
    forgetful: TestClient, client: TestClient, web_home: Path
) -> None:
    """By the features of the run: nobody but who has been silent for more than a hundred days, who longest first."""
    features = table(web_home, NEWEST, "features")
    silence = {r["contact_id"]: int(r["days_since_activity"] or r["tenure_days"]) for r in features}
    gone = {contact: days for contact, days in silence.items() if days > 100}
    assert 200 < len(gone) < len(silence)
    answer = forgetful.get("/hygiene.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.headers["content-disposition"] == f'attachment; filename="winback-due-{NEWEST}.csv"'
    due = {
        c: (date.fromisoformat(NEWEST) + timedelta(days=100 - days)).isoformat() for c, days in gone.items()
    }
    expected = [(c, due[c], "true") for c in sorted(gone, key=lambda c: (due[c], c))]
    assert [(row["contact_id"], row["due"], row["past_retention"]) for row in rows] == expected
    page = forgetful.get("/hygiene.json").json()
    assert (page["as_of"], len(page["rows"]), page["total"]) == (NEWEST, 50, len(rows))
    assert [row["contact_id"] for row in page["rows"]] == [row["contact_id"] for row in rows[:50]]
    told: list[dict[str, Any]] = []
    cursor, pages = "", 0
    while cursor is not None:
        page = forgetful.get("/hygiene.json", params={"limit": 90, "cursor": cursor}).json()
        told, cursor, pages = told + page["rows"], page["next_cursor"], pages + 1
    assert [row["contact_id"] for row in told] == [row["contact_id"] for row in rows]
    assert pages == -(-len(rows) // 90)
    shown = forgetful.get("/hygiene").text
    assert "/hygiene.csv" in shown
    assert f"The first 20 of {len(rows):,} contacts" in shown
    assert client.get("/hygiene.json").json()["rows"] == []
    assert client.get("/hygiene.csv").text.strip() == "contact_id,state,due,past_retention"
    assert forgetful.get("/hygiene.json?as_of=1998-06-01").json()["as_of"] == "1998-06-01"


def test_a_cursor_of_a_list_is_none_of_the_records_to_go(forgetful: TestClient) -> None:
    other = forgetful.get("/list.json?limit=1").json()["next_cursor"]
    for cursor in (other, "rubbish"):
        answer = forgetful.get("/hygiene.json", params={"cursor": cursor})
        assert (answer.status_code, answer.json()["error"]["where"]) == (404, "cursor")


def test_segments_add_up_to_the_buyers(client: TestClient, web_home: Path) -> None:
    rows = [row for row in table(web_home, NEWEST, "winback") if row["rfm_segment"]]
    segments = client.get("/api/v1/segments").json()["segments"]
    assert sum(segment["contacts"] for segment in segments) == len(rows) > 100
    for segment in segments:
        mine = [row for row in rows if row["rfm_segment"] == segment["rfm_segment"]]
        assert segment["contacts"] == len(mine)
        total = sum(row["value_at_risk"] or 0.0 for row in mine)
        assert segment["value_at_risk"] == pytest.approx(total, abs=1e-3 * len(mine))


def changes_of(home: Path, days: list[str]) -> list[tuple[str, str, str]]:
    found = []
    for day in days:
        for kind, name in (("exit", "exits"), ("entry", "entries")):
            rows = table(home, day, name)
            found += [(day, kind, r["contact_id"]) for r in rows if r["arm"] != "holdout"]
    return found


@pytest.mark.parametrize("limit", [1, 7, 10_000])
def test_a_poller_gets_each_change_once(client: TestClient, web_home: Path, limit: int) -> None:
    found, cursor, more = [], "", True
    while more:
        answer = client.get("/api/v1/changes", params={"cursor": cursor, "limit": limit}).json()
        found += [(row["as_of"], row["change"], row["contact_id"]) for row in answer["changes"]]
        cursor, more = answer["next_cursor"], answer["more"]
    assert found == changes_of(web_home, ["1998-06-01", NEWEST])
    assert len(found) > 5
    assert client.get("/api/v1/changes", params={"cursor": cursor}).json()["changes"] == []
    later = client.get("/api/v1/changes?since=1998-06-01&limit=10000").json()["changes"]
    assert [row["contact_id"] for row in later] == [c for day, _, c in found if day == NEWEST]


def test_who_is_held_out_is_told_to_nobody_who_writes(client: TestClient, web_home: Path) -> None:
    held = {r["contact_id"] for r in table(web_home, "1998-06-01", "entries") if r["arm"] == "holdout"}
    everybody = client.get("/api/v1/changes?limit=10000&holdout=true").json()["changes"]
    told = client.get("/api/v1/changes?limit=10000").json()["changes"]
    assert held
    assert held <= {row["contact_id"] for row in everybody}
    assert not held & {row["contact_id"] for row in told if row["as_of"] == "1998-06-01"}


ERRORS = {
    "/api/v1/nothing": (404, "not_found"),
    "/api/v1/contacts/nobody": (404, "not_found"),
    "/api/v1/runs/1900-01-01": (404, "not_found"),
    "/api/v1/list?as_of=1900-01-01": (404, "not_found"),
    "/api/v1/list?limit=0": (422, "invalid"),
    "/api/v1/list?sort=email": (422, "invalid"),
    "/api/v1/list?cursor=abc": (404, "not_found"),
    "/api/v1/changes?cursor=abc": (404, "not_found"),
    "/api/v1/export?list=scores&to=klaviyo": (409, "conflict"),
    "/api/v1/export?list=../../etc/passwd&to=csv": (422, "invalid"),
}


@pytest.mark.parametrize("path", ERRORS)
def test_every_error_has_one_shape(client: TestClient, path: str) -> None:
    answer = client.get(path)
    status, code = ERRORS[path]
    assert answer.status_code == status
    (name,) = answer.json()
    error = answer.json()[name]
    assert (name, error["code"]) == ("error", code)
    assert set(error) == {"code", "message", "where", "how", "fields"}
    assert error["message"]


def test_a_wrong_field_is_named(client: TestClient) -> None:
    error = client.get("/api/v1/list?limit=x&min_p_lapse=2").json()["error"]
    assert {field["field"] for field in error["fields"]} == {"query.limit", "query.min_p_lapse"}


def test_an_empty_home_is_said_to_be_empty(tmp_path: Path) -> None:
    with TestClient(create_app(tmp_path), base_url="http://localhost") as empty:
        assert empty.get("/healthz").status_code == 200
        for path in ("/readyz", "/api/v1/list", "/api/v1/contacts/1"):
            answer = empty.get(path)
            assert answer.status_code == 503
            assert "winback score" in answer.json()["error"]["how"]
        assert empty.get("/api/v1/runs").json() == {"runs": []}
    assert list(tmp_path.iterdir()) == []


def test_a_list_that_was_begun_goes_on_in_its_run(web_home: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(web_home / "runs" / "1998-06-01", home / "runs" / "1998-06-01")
    config = WebConfig(refresh_seconds=3600)
    with TestClient(create_app(home, config), base_url="http://localhost") as server:
        runs: Runs = server.app.state.runs  # type: ignore[attr-defined]
        runs.refresh()
        first = server.get("/api/v1/contacts?limit=50").json()
        shutil.copytree(web_home / "runs" / NEWEST, home / "runs" / NEWEST)
        assert server.get("/api/v1/contacts?limit=1").json()["as_of"] == "1998-06-01", (
            "not before it is ready"
        )
        runs.refresh()
        assert server.get("/readyz").json()["as_of"] == NEWEST
        second = server.get("/api/v1/contacts", params={"limit": 50, "cursor": first["next_cursor"]}).json()
        assert second["run_id"] == first["run_id"]
        assert second["rows"][0]["contact_id"] > first["rows"][-1]["contact_id"]


def test_an_erased_contact_is_gone_although_the_run_is_the_same(web_home: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(web_home / "runs", home / "runs")
    runs = Runs(home)
    before = runs.current()
    gone = str(before.query("SELECT contact_id FROM winback ORDER BY contact_id LIMIT 1")[0]["contact_id"])
    erase(home, [gone])
    after = runs.current()
    assert after.run_id == before.run_id
    assert after.contact(gone) is None
    ids = pq.read_table(before.folder / "winback.parquet", columns=["contact_id"])["contact_id"].to_pylist()
    (nobody,) = (i for i in ids if i.startswith(NOBODY))
    assert after.contact(nobody) is not None
    assert all(after.contact(str(i)) is not None for i in ids[1:10])


def test_a_history_scores_as_in_the_batch(web_settings: Settings, rule_model: Any) -> None:
    run: Run = Runs(web_settings.home).current()
    text = (web_settings.path.parent / "orders.csv").read_text(encoding="utf-8")
    lines = list(csv.DictReader(io.StringIO(text)))
    some = [row["contact_id"] for row in table(web_settings.home, NEWEST, "winback") if row["rank"]][:3]
    some += [row["contact_id"] for row in table(web_settings.home, NEWEST, "winback")][:3]
    chosen = [line for line in lines if line["contact_id"] in some]
    known = {"email": "a@example.com", "country": "DE", "language": "de", "consent_email": True}
    sources = {r["contact_id"]: r["acquisition_source"] for r in table(web_settings.home, NEWEST, "winback")}
    contacts = [{"contact_id": name, "acquisition_source": sources[name], **known} for name in some]
    found = score_histories(web_settings, run, rule_model(), Histories(chosen, contacts=contacts))
    assert {row["contact_id"] for row in found} == {*some}
    for row in found:
        batch = run.contact(row["contact_id"])
        assert batch is not None
        batch.pop("rank")
        for name, value in batch.items():
            if isinstance(value, float):
                assert row[name] == pytest.approx(value, abs=1e-9), name
            else:
                assert row[name] == value, name


def test_a_contact_alone_is_measured_against_the_whole_base(web_settings: Settings, rule_model: Any) -> None:
    """Alone, its own order would be the usual one, and every contact's as large as usual."""
    run: Run = Runs(web_settings.home).current()
    small = run.query(
        "SELECT contact_id FROM features WHERE purchase_days > 3 AND order_value_mean < "
        "(SELECT median(order_value_mean) FROM features) / 2 ORDER BY contact_id"
    )
    text = (web_settings.path.parent / "orders.csv").read_text(encoding="utf-8")
    lines = list(csv.DictReader(io.StringIO(text)))
    told = {}
    for contact in [row["contact_id"] for row in small[:3]]:
        mine = Histories([line for line in lines if line["contact_id"] == contact])
        (found,) = score_histories(web_settings, run, rule_model(), mine)
        told[contact] = found["relationship_tier"]
    assert told
    assert told == {contact: run.contact(contact)["relationship_tier"] for contact in told}  # type: ignore[index]


def test_todays_order_of_a_brand_ahead_of_utc_is_no_future_one(
    web_settings: Settings, rule_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 20:00 UTC of 8 March it is the morning of the 9th in Auckland."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime(2099, 3, 8, 20, tzinfo=UTC).astimezone(tz)

    monkeypatch.setattr("winback_serving.clock.datetime", Clock)
    run: Run = Runs(web_settings.home).current()
    brand = replace(web_settings.brand, timezone="Pacific/Auckland")
    settings = replace(web_settings, brand=brand)
    order = {"contact_id": "c", "order_id": "o", "amount": "10"}
    known = [order | {"ordered_at": "1998-03-01T10:00:00"}]
    today = Histories([*known, order | {"order_id": "p", "ordered_at": "2099-03-09T08:59:00"}])
    assert [row["contact_id"] for row in score_histories(settings, run, rule_model(), today)] == ["c"]
    tomorrow = Histories([*known, order | {"order_id": "p", "ordered_at": "2099-03-10T00:00:00"}])
    with pytest.raises(InputError, match="future_date"):
        score_histories(settings, run, rule_model(), tomorrow)


def test_a_history_that_breaks_the_contract_is_told_by_its_place_in_the_body(
    web_settings: Settings, rule_model: Any
) -> None:
    """The sender knows nothing of the file that its rows were put in."""
    run: Run = Runs(web_settings.home).current()
    order = {"contact_id": "c", "order_id": "o", "ordered_at": "1998-03-01T10:00:00", "amount": "10"}
    with pytest.raises(InputError) as refusal:
        score_histories(web_settings, run, rule_model(), Histories([order | {"currency": "CHF"}]))
    assert refusal.value.where == "body.orders"
    assert "CHF" in refusal.value.what


def test_a_day_alone_stays_that_day_and_a_contact_has_its_own_clock(
    web_settings: Settings, rule_model: Any
) -> None:
    """As in the batch: midnight by the clock of the source would be the day before where the brand is."""
    brand = replace(web_settings.brand, timezone="America/Los_Angeles", send_hours=(0, 24))
    source = replace(web_settings.source, timezone="UTC")
    settings = replace(web_settings, brand=brand, source=source)
    run: Run = Runs(web_settings.home).current()
    orders = [
        {"contact_id": f"c{n}", "order_id": "o", "ordered_at": at, "amount": 10}
        for n, at in enumerate(("1998-05-20", "1998-05-20T00:00:00", "1998-05-20T20:00:00Z"))
    ]
    contacts = [{"contact_id": "c2", "timezone": "Asia/Tokyo"}]
    body = ScoreRequest.model_validate({"orders": orders, "contacts": contacts}).model_dump()
    histories = Histories(body["orders"], body["events"], body["contacts"])
    found = score_histories(settings, run, rule_model(), histories)
    assert [row["last_behaviour_on"] for row in found] == [date(1998, 5, day) for day in (20, 19, 20)]
    assert [row["send_hour"] for row in found] == [None, 17, 5]
    assert found[2]["send_timezone"] == "Asia/Tokyo"
    decent = replace(settings, brand=replace(brand, send_hours=(8, 21)))
    assert [row["send_hour"] for row in score_histories(decent, run, rule_model(), histories)] == [
        None,
        17,
        8,
    ]


def test_the_documentation_is_complete(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert {"/api/v1/list", "/api/v1/score", "/metrics", "/healthz"} <= {*document["paths"]}
    for path, methods in document["paths"].items():
        for method, about in methods.items():
            assert about["summary"], (method, path)
            assert about["description"], (method, path)
            assert about["responses"]["422"]["content"]["application/json"]["schema"] == {
                "$ref": "#/components/schemas/ErrorAnswer"
            }
    assert "http://" not in json.dumps(document)
    assert "https://" not in json.dumps(document)


def test_metrics_count_patterns_and_never_paths(client: TestClient) -> None:
    client.get("/api/v1/contacts/somebody-secret")
    text = client.get("/metrics").text
    assert 'route="/api/v1/contacts/{contact_id:path}",status="404"' in text
    assert 'winback_run_contacts{group="flagged"}' in text
    assert "somebody-secret" not in text
