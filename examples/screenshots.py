"""Take pictures of the list in the terminal and of the pages of a home folder, as they stand in docs/images.

    winback demo --home demo
    winback score -c demo/winback.toml --as-of 2017-12-11      # as many days as the pictures should know
    python examples/screenshots.py -c demo/winback.toml --out docs/images

Needs Playwright from the development tools and Chromium from the system.
"""

from __future__ import annotations

import argparse
import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from playwright.sync_api import Page, sync_playwright
from rich.console import Console

from winback_serving.brief import read_brief
from winback_serving.settings import Settings, load_settings
from winback_serving.store import RunStore
from winback_serving.summary import show_list
from winback_serving.web.app import create_app
from winback_serving.web.config import WebConfig

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PAGES = {"today": "/", "list": "/list", "contact": "", "rfm": "/rfm", "retention": "/retention"}
WIDTH, HEIGHT, COLUMNS = 1280, 1080, 100


def draw_list(settings: Settings, path: Path) -> None:
    """Draw the list of the newest run as the terminal shows it."""
    runs = RunStore(settings.home).list_runs()
    brief = read_brief(
        runs,
        brand=settings.brand.name,
        currency=settings.brand.currency,
        horizon_days=runs[-1].info()["horizon_days"],
    )
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    show_list(console, brief, people="households", one="household")
    console.save_svg(str(path), title="winback demo")


@contextmanager
def serving(config: Path) -> Iterator[str]:
    """Serve a home folder on a free loopback port."""
    settings = load_settings(config)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = create_app(settings.home, WebConfig(port=port), settings)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(30)


def show(page: Page, address: str, name: str, rank: int) -> None:
    """Open one page; ``contact`` is that of the given rank on the list."""
    if name != "contact":
        page.goto(address + PAGES[name])
        return
    page.goto(address + "/list?limit=1000")
    page.locator("tbody tr").nth(rank - 1).locator("th a").click()


def main() -> None:
    """Read the options and take the pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-c", "--config", type=Path, default=Path("winback.toml"))
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--rank", type=int, default=3, help="of the contact that is shown")
    parser.add_argument("--dark", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    draw_list(load_settings(options.config), options.out / "list.svg")
    with serving(options.config) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        scheme = "dark" if options.dark else "light"
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme)
        page.set_default_timeout(120_000)
        for name in PAGES:
            show(page, address, name, options.rank)
            page.wait_for_load_state("networkidle")  # pictures load by themselves
            page.screenshot(path=options.out / f"{name}.png")
            print(options.out / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
