"""A marketer's walk through the pages in a real browser, and what axe says of each."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from winback_serving.store import RunStore

pytestmark = [
    pytest.mark.slow,
    # Playwright's own event loop is closed late when the interpreter goes down.
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]
PAGES = ("/", "/list", "/excluded", "/rfm", "/retention", "/model", "/hygiene", "/outcomes", "/sandbox")


@pytest.fixture(scope="module")
def expect() -> Any:
    """Playwright's assertions: a click does not wait for the page it asks for, they do."""
    from playwright.sync_api import expect

    expect.set_options(timeout=60_000)
    return expect


@pytest.fixture
def page(browser: Any, server: str) -> Iterator[Any]:
    """An open page on which any error, and any request to another place, fails the test."""
    context = browser.new_context(base_url=server, viewport={"width": 1280, "height": 900})
    opened, wrong = context.new_page(), []
    opened.set_default_timeout(60_000)
    opened.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("request", lambda asked: wrong.append(asked.url) if not asked.url.startswith(server) else None)
    yield opened
    context.close()
    assert wrong == []


def ask(home: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    run = RunStore(home).read_run()
    with duckdb.connect() as connection:
        for name in ("winback", "scores"):
            connection.read_parquet(str(run.file(name))).create_view(name)
        return connection.execute(sql, list(values)).fetchall()


def test_a_marketer_walks_from_the_list_to_an_export(page: Any, expect: Any, demo_home: Path) -> None:
    page.goto("/")
    (listed,) = ask(demo_home, "SELECT count(*) FROM winback WHERE rank IS NOT NULL")[0]
    expect(page.locator("h1")).to_have_text(f"{listed} contacts worth winning back")

    page.get_by_role("link", name="Risk list", exact=True).click()
    head = ask(demo_home, "SELECT contact_id, p_purchase FROM winback WHERE rank <= 50 ORDER BY rank")
    expect(page.locator("tbody th a")).to_have_text([row[0] for row in head])
    expect(page.locator("tbody tr").first.locator("td").nth(1)).to_have_text(f"{100 * head[0][1]:.0f}%")

    (late, n) = ask(
        demo_home,
        "SELECT days_overdue, row_number() OVER (ORDER BY days_overdue DESC) FROM winback WHERE rank IS NOT NULL "
        "QUALIFY count(*) OVER (PARTITION BY days_overdue) = 1 ORDER BY abs(rank - 5) LIMIT 1",
    )[0]
    page.locator("details.filters summary").first.click()
    page.get_by_label("Days late, at least").fill(str(late))
    page.get_by_role("button", name="Apply filters").click()
    expect(page).to_have_url(re.compile(f"min_days_overdue={late}(&|$)"))
    expect(page.locator("tbody tr")).to_have_count(min(n, 50))
    expect(page.locator(".chips")).to_contain_text(f"Days late, at least: {late}")
    page.get_by_role("columnheader", name="At risk a year").get_by_role("link").click()
    best = ask(
        demo_home,
        "SELECT contact_id FROM winback WHERE rank IS NOT NULL AND days_overdue >= ? ORDER BY value_at_risk DESC, contact_id",
        late,
    )
    expect(page).to_have_url(re.compile("sort=-value_at_risk"))
    expect(page.locator("tbody th a").first).to_have_text(best[0][0])

    page.locator("tbody th a").first.click()
    expect(page.locator("h1")).to_have_text(re.compile("^" + re.escape(best[0][0])))
    page.wait_for_function("() => document.querySelector('figure img').naturalWidth > 600")
    page.locator("summary", has_text="The numbers behind the picture").click()  # until it is there, a link is
    expect(page.locator("details.table tbody tr")).to_have_count(len(RunStore(demo_home).days()))
    expect(page.get_by_role("heading", name="What it rests on")).to_be_visible()

    page.go_back()
    page.locator("#export summary").click()
    page.locator("#export select[name=to]").select_option("csv")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    (written,) = ask(demo_home, "SELECT count(*) FROM winback WHERE rank IS NOT NULL AND arm = 'treatment'")[
        0
    ]
    assert len(lines) == written + 1


def test_the_sandbox_answers_while_one_types(page: Any, expect: Any, demo_home: Path) -> None:
    page.goto("/sandbox")
    early = "days_since_purchase >= if(usual_gap_days > horizon_days, 0.5, 0.2) * usual_gap_days"
    asked = f"FROM scores WHERE base = 'active' AND p_lapse >= ? AND (days_overdue >= -3 OR {early})"
    cell = page.locator("tr[data-segment=enter] [data-cell=contacts]")
    for threshold in (0.5, 0.2, 0.9):
        (n,) = ask(demo_home, f"SELECT count(*) {asked}", threshold)[0]
        page.get_by_label("Enter at a risk of").fill(str(threshold))
        expect(cell).to_have_text(f"{n:,}")
    config = tomllib.loads(page.locator("#config").inner_text())
    assert config["policy"]["enter_p_lapse"] == 0.9
    expect(page).to_have_url(re.compile("enter_p_lapse=0.9"))


def test_another_day_is_chosen_and_kept(page: Any, expect: Any) -> None:
    page.goto("/rfm")
    page.get_by_label("Run of", exact=True).select_option("2017-12-31")
    expect(page).to_have_url(re.compile("as_of=2017-12-31"))
    page.get_by_role("link", name="Hygiene").click()
    expect(page).to_have_url(re.compile("hygiene.*as_of=2017-12-31"))
    expect(page.locator("footer")).to_contain_text("Dec 31, 2017")


def test_the_keyboard_reaches_the_content_first(page: Any) -> None:
    page.goto("/list")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_pages_work_without_script(browser: Any, expect: Any, server: str) -> None:
    context = browser.new_context(base_url=server, java_script_enabled=False)
    plain = context.new_page()
    plain.goto("/sandbox")
    plain.get_by_label("Enter at a risk of").fill("0.75")
    plain.get_by_role("button", name="Measure").click()
    expect(plain.locator("#config")).to_contain_text("enter_p_lapse = 0.75")
    plain.get_by_label("Run of", exact=True).select_option("2017-12-30")
    plain.get_by_role("button", name="Show").click()
    expect(plain).to_have_url(re.compile("as_of=2017-12-30"))
    plain.goto("/list")
    plain.locator("tbody th a").first.click()
    plain.get_by_role("link", name="What was decided").click()
    expect(plain.get_by_role("heading", name="What it rests on")).to_be_visible()
    plain.get_by_label("Run of", exact=True).select_option("2017-12-30")
    plain.get_by_role("button", name="Show").click()
    expect(plain.locator("footer")).to_contain_text("Dec 30, 2017")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_serious(
    browser: Any, server: str, demo_home: Path, width: int, scheme: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    context = browser.new_context(
        base_url=server, viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
    )
    opened, found = context.new_page(), []
    opened.set_default_timeout(60_000)
    contact = ask(demo_home, "SELECT contact_id FROM winback WHERE rank = 1")[0][0]
    for path in (*PAGES, f"/contacts/{contact}", "/contacts/nobody"):
        opened.goto(path)
        opened.wait_for_load_state("networkidle")
        opened.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert opened.evaluate("document.documentElement.scrollWidth") <= width, path
        found += [
            (path, violation["id"], [node["html"] for node in violation["nodes"]][:3])
            for violation in Axe().run(opened).response["violations"]
            if violation["impact"] in ("serious", "critical")
        ]
    context.close()
    assert found == []
