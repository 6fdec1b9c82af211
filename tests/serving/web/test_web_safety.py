"""Who gets in, what each may do, what nobody may see: tokens, cookies, other sites, hostile words."""

import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from winback_features.errors import ConfigError
from winback_serving.web.app import create_app
from winback_serving.web.config import WebConfig
from winback_serving.web.guard import HEADERS, MOST_BYTES
from winback_serving.web.identity import COOKIE, Doorkeeper
from winback_serving.web.limits import RateLimit
from winback_serving.web.login import TRIES_PER_MINUTE
from winback_serving.web.tokens import TokenFile

pytestmark = pytest.mark.slow  # the server over a scored home

PERSONAL = ("secret-mail", "Secretfirst", "Secretlast", "+49555")
EXPORT = "/api/v1/export?list=current&to=csv"


@pytest.fixture
def home(web_home: Path, tmp_path: Path) -> Path:
    """A home of its own over the same runs."""
    (tmp_path / "runs").symlink_to(web_home / "runs")
    return tmp_path


@pytest.fixture
def tokens(home: Path) -> dict[str, str]:
    """A token for each role."""
    file = TokenFile(home / "tokens.json")
    return {role: file.add(f"the-{role}", role) for role in ("viewer", "exporter", "operator")}


@pytest.fixture
def guarded(home: Path, tokens: dict[str, str]) -> Iterator[TestClient]:
    with TestClient(create_app(home), base_url="http://localhost") as found:
        yield found


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def paths_of(server: TestClient) -> list[str]:
    """Every path of the server that takes a GET, pages included."""
    found, waiting = [], list(server.app.routes)  # type: ignore[attr-defined]
    while waiting:
        route = waiting.pop()
        if hasattr(route, "original_router"):
            waiting += route.original_router.routes
        elif "GET" in getattr(route, "methods", ()):
            found.append(re.sub(r"\{[^}]*\}", "1", route.path))
    return found


def test_another_address_needs_tokens_or_a_proxy(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "192.0.2.1", "::", "shop.example"):
        with pytest.raises(ConfigError, match="no token"):
            Doorkeeper(tmp_path, WebConfig(host=host)).check_start()
        Doorkeeper(tmp_path, WebConfig(host=host, proxy_user_header="X-User")).check_start()
    for host in ("127.0.0.1", "::1", "localhost", "127.5.5.5"):
        Doorkeeper(tmp_path, WebConfig(host=host)).check_start()
    TokenFile(tmp_path / "tokens.json").add("somebody", "viewer")
    Doorkeeper(tmp_path, WebConfig(host="0.0.0.0")).check_start()


def test_tokens_are_kept_as_hashes_for_the_owner_only(home: Path, tokens: dict[str, str]) -> None:
    path = home / "tokens.json"
    text = path.read_text(encoding="utf-8")
    assert not any(token in text for token in tokens.values())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(set(tokens.values())) == 3
    assert all(len(token) >= 43 for token in tokens.values())


def test_nothing_is_shown_without_a_token(guarded: TestClient) -> None:
    paths = [path for path in paths_of(guarded) if path not in ("/healthz", "/readyz", "/login")]
    assert len(paths) > 15
    for path in [*paths, "/openapi.json", "/api/v1/nothing"]:
        for headers in ({}, bearer("wrong"), {"authorization": "Basic YTpi"}, {"cookie": f"{COOKIE}=wrong"}):
            answer = guarded.get(path, headers={**headers, "x-real-ip": "127.0.0.1"})
            assert answer.status_code in (401, 429), (path, headers)
            assert answer.json()["error"]["code"] in ("unauthorized", "too_many_requests")
    assert guarded.get("/healthz").status_code == 200
    assert guarded.get("/list", headers={"accept": "text/html"}, follow_redirects=False).headers[
        "location"
    ] == ("/login?next=%2Flist")


def test_each_role_may_do_what_it_may(guarded: TestClient, tokens: dict[str, str]) -> None:
    def ask(role: str, path: str) -> int:
        return guarded.get(path, headers=bearer(tokens[role])).status_code

    assert {role: ask(role, "/api/v1/list") for role in tokens} == dict.fromkeys(tokens, 200)
    assert {role: ask(role, EXPORT) for role in ("viewer", "exporter")} == {"viewer": 403, "exporter": 200}
    body = {"orders": [{"contact_id": "a", "order_id": "b", "ordered_at": "1998-01-01", "amount": 1}]}
    for role, status in (("viewer", 403), ("exporter", 403)):
        answer = guarded.post("/api/v1/score", json=body, headers=bearer(tokens[role]))
        assert answer.status_code == status


def test_a_token_that_is_removed_opens_nothing_from_then_on(
    home: Path, guarded: TestClient, tokens: dict[str, str]
) -> None:
    guarded.post("/login", data={"token": tokens["viewer"]}, follow_redirects=False)
    assert guarded.get("/api/v1/model").status_code == 200
    TokenFile(home / "tokens.json").remove("the-viewer")
    assert guarded.get("/api/v1/model").status_code == 401
    assert guarded.get("/api/v1/model", headers=bearer(tokens["viewer"])).status_code == 401


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '[{"name": "a", "role": "king", "sha256": "b"}]', "[null]"]
)
def test_a_damaged_file_of_tokens_lets_nobody_in(home: Path, text: str) -> None:
    (home / "tokens.json").write_text(text, encoding="utf-8")
    with TestClient(create_app(home), base_url="http://localhost") as server:
        assert server.get("/api/v1/model").status_code in (401, 500)
        assert server.get("/api/v1/model", headers=bearer("b")).status_code in (401, 500)


def test_a_login_gives_a_cookie_that_no_script_reads_and_no_other_site_uses(
    guarded: TestClient, tokens: dict[str, str]
) -> None:
    wrong = guarded.post("/login", data={"token": "wrong"})
    assert wrong.status_code == 403
    assert COOKIE not in wrong.cookies
    answer = guarded.post(
        "/login", data={"token": tokens["operator"], "next": "//evil.example"}, follow_redirects=False
    )
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert tokens["operator"] not in cookie
    assert guarded.get("/api/v1/model").status_code == 200
    crossing = (
        {},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site", "origin": "http://localhost"},
        {"sec-fetch-site": "same-site"},
    )
    for headers in crossing:
        assert guarded.post("/logout", headers=headers, follow_redirects=False).status_code == 403
    assert guarded.get("/api/v1/model").status_code == 200
    assert guarded.post("/logout", headers={"origin": "http://localhost"}).status_code in (200, 404)
    assert guarded.get("/api/v1/model").status_code == 401


def test_tries_to_log_in_run_out(guarded: TestClient) -> None:
    found = [guarded.post("/login", data={"token": "x"}).status_code for _ in range(TRIES_PER_MINUTE + 1)]
    assert found == [*[403] * TRIES_PER_MINUTE, 429]


def test_without_a_login_another_sites_page_gets_nowhere(client: TestClient) -> None:
    assert client.get("/api/v1/model", headers={"host": "evil.example"}).status_code == 421
    assert client.get("/api/v1/model", headers={"host": "localhost:8600"}).status_code == 200
    body = {"orders": []}
    for headers in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert client.post("/api/v1/score", json=body, headers=headers).status_code == 403


def test_a_proxys_word_counts_from_the_proxy_only(home: Path) -> None:
    config = WebConfig(proxy_user_header="X-User", proxy_addresses=("10.1.1.1",), proxy_role="exporter")
    with TestClient(create_app(home, config), base_url="http://localhost", client=("10.1.1.1", 1)) as proxy:
        assert proxy.get(EXPORT, headers={"x-user": "ann"}).status_code == 200
        assert proxy.get("/api/v1/model").status_code == 401
    with TestClient(create_app(home, config), base_url="http://localhost", client=("10.1.1.2", 1)) as other:
        headers = {"x-user": "ann", "x-forwarded-for": "10.1.1.1"}
        assert other.get("/api/v1/model", headers=headers).status_code == 401
    (line,) = (home / "audit.log").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["who"] == "ann"


def test_every_answer_bears_the_security_headers(client: TestClient) -> None:
    for path in ("/", "/healthz", "/api/v1/list", "/api/v1/nothing", "/list.csv", "/login", "/metrics"):
        answer = client.get(path, follow_redirects=False)
        for name, value in HEADERS.items():
            assert name == "cache-control" or answer.headers[name] == value, (path, name)
    assert "unsafe" not in HEADERS["content-security-policy"]


def test_an_export_is_written_down_without_a_word_about_anybody(
    home: Path, guarded: TestClient, tokens: dict[str, str]
) -> None:
    answer = guarded.get(EXPORT, headers=bearer(tokens["exporter"]))
    assert "secret-mail" in answer.text
    guarded.get("/list.csv?q=Secretfirst&state=flagged", headers=bearer(tokens["viewer"]))
    path = home / "audit.log"
    first, second = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    assert (first["who"], first["action"], first["list"], first["to"]) == (
        "the-exporter",
        "export",
        "current",
        "csv",
    )
    assert first["rows"] == answer.text.count("\r\n") - 1 > 3
    assert second["filters"] == {"state": ["flagged"]}
    assert not any(word in path.read_text(encoding="utf-8") for word in PERSONAL)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not [
        name
        for name in sorted(path.name for path in home.iterdir())
        if name not in ("runs", "tokens.json", "audit.log")
    ]


def test_names_and_addresses_leave_in_exports_only(guarded: TestClient, tokens: dict[str, str]) -> None:
    paths = [path for path in paths_of(guarded) if "export" not in path]
    for path in [*paths, "/api/v1/contacts?limit=1000", "/api/v1/changes?limit=10000&holdout=true"]:
        answer = guarded.get(path, headers=bearer(tokens["operator"]))
        assert not any(word in answer.text for word in PERSONAL), path


def test_a_body_that_is_too_large_is_not_read(client: TestClient) -> None:
    def much() -> Iterator[bytes]:
        for _ in range(12):
            yield b" " * 500_000

    answer = client.post("/api/v1/score", content=much(), headers={"content-type": "application/json"})
    assert answer.status_code == 413
    stated = {"content-length": str(MOST_BYTES + 1), "content-type": "application/json"}
    assert client.post("/api/v1/score", content=b"{}", headers=stated).status_code == 413


HOSTILE = [
    "../../etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/tokens.json",
    "' OR '1'='1",
    "1; DROP TABLE keys; --",
    "x' UNION SELECT content FROM read_text('/etc/passwd') --",
    "{{7*7}}",
    "{% include '/etc/passwd' %}",
    "<script>alert(1)</script>",
    "%00",
    "\u202e",
    "a" * 499,
]


@pytest.mark.parametrize("word", HOSTILE)
@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/contacts/{}",
        "/contacts/{}",
        "/api/v1/list?q={}",
        "/list?state={}",
        "/static/{}",
        "/list?sort={}",
    ],
)
def test_hostile_words_find_nothing(client: TestClient, path: str, word: str) -> None:
    answer = client.get(path.format(word[:90] if "q=" in path else word), headers={"accept": "text/html"})
    assert answer.status_code in (200, 400, 404, 422)
    assert "root:x:" not in answer.text
    assert "sha256" not in answer.text
    assert "49" not in answer.text if word == "{{7*7}}" and answer.status_code == 404 else True
    if "html" in answer.headers["content-type"]:
        assert "<script>alert" not in answer.text


@given(st.text(max_size=80), st.sampled_from(["/api/v1/contacts/{}", "/api/v1/runs/{}", "/{}", "/api/v1/{}"]))
@settings(max_examples=150, deadline=None)
def test_no_path_makes_the_server_fail(client: TestClient, word: str, path: str) -> None:
    from urllib.parse import quote

    answer = client.get(path.format(quote(word, safe="", errors="replace")), follow_redirects=False)
    assert answer.status_code < 500


FILTERS = ("sort", "limit", "cursor", "q", "state", "min_value", "entered_from", "as_of")


@given(st.dictionaries(st.sampled_from(FILTERS), st.text(max_size=30)))
@settings(max_examples=150, deadline=None)
def test_no_query_makes_the_server_fail(client: TestClient, query: dict[str, str]) -> None:
    for path in ("/api/v1/list", "/excluded.json", "/list.csv"):
        assert client.get(path, params=query).status_code in (200, 400, 404, 422)


def test_a_run_reads_its_own_folder_and_nothing_else(client: TestClient, web_home: Path) -> None:
    import duckdb

    from winback_serving.web.reader import Runs

    run = Runs(web_home).current()
    for sql in (
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "COPY (SELECT 1) TO '/tmp/winback-escape.csv'",
        "ATTACH '/tmp/winback-escape.db'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SELECT 1; SELECT 2",
        "DROP VIEW winback",
    ):
        with pytest.raises((duckdb.Error, ValueError)):
            run.query(sql)
    for name in ("email", "first_name", "last_name", "phone"):
        with pytest.raises(duckdb.Error):
            run.query(f"SELECT {name} FROM winback")


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 20))
def test_a_limit_grants_its_rate_and_no_more(gaps: list[float], per_minute: int) -> None:
    now = [0.0]
    limit = RateLimit(per_minute, clock=lambda: now[0])
    granted = []
    for gap in gaps:
        now[0] += gap
        wait = limit.wait_seconds("one")
        if wait == 0:
            granted.append(now[0])
        else:
            assert 0 < wait <= 60 / per_minute + 1e-9
    for start in granted:
        within = [moment for moment in granted if start <= moment <= start + 60]
        assert len(within) <= 2 * per_minute
    assert limit.wait_seconds("another") == 0
