"""The demo as a user makes it, the server on a free loopback port, and Debian's Chromium."""

import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `winback demo`: a trained champion, five days published, a simulated campaign read out."""
    folder = tmp_path_factory.mktemp("demo")
    winback = Path(sys.executable).with_name("winback")
    done = subprocess.run([winback, "demo", "--home", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
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
