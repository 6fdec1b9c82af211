"""A published demo of a few days, the server on a free loopback port, and Debian's Chromium."""

import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
DAYS = (date(2017, 12, 30), date(2017, 12, 31), date(2018, 1, 1))


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small shop out of the Complete Journey: every eighth household, three days published."""
    import duckdb
    from shop_model import RuleModel

    from winback_serving.batch import score_day
    from winback_serving.demo_data import write_complete_journey
    from winback_serving.settings import load_settings

    folder = tmp_path_factory.mktemp("demo")
    write_complete_journey(folder)
    with duckdb.connect() as connection:
        for name in ("orders", "events"):
            path = folder / "data" / f"{name}.parquet"
            part = path.with_suffix(".part")
            connection.execute(
                f"COPY (SELECT * FROM read_parquet('{path}') WHERE CAST(contact_id AS INTEGER) % 8 = 0) "
                f"TO '{part}' (FORMAT parquet)"
            )
            part.replace(path)
    settings = load_settings(folder / "winback.toml", {})
    for day in DAYS:
        score_day(settings, day, RuleModel(), "digest")
    return folder


@pytest.fixture(scope="session")
def server(demo_home: Path) -> Iterator[str]:
    """The address of the running server."""
    import uvicorn

    from winback_serving.settings import load_settings
    from winback_serving.web.app import create_app
    from winback_serving.web.config import WebConfig

    settings = load_settings(demo_home / "winback.toml", {})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = create_app(settings.home, WebConfig(port=port), settings)
    running = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", ws="none"))
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    running.should_exit = True
    thread.join(30)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium as the system has it; the pages are not tested without one."""
    from playwright.sync_api import sync_playwright

    if not shutil.which(CHROMIUM):
        pytest.fail(f"There is no {CHROMIUM}. Install it with: apt-get install chromium")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()
