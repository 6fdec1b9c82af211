"""The application: routers put together, nothing decided at import."""

from __future__ import annotations

import importlib.util
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from winback_features.errors import WinbackError
from winback_serving.settings import Settings
from winback_serving.web import login
from winback_serving.web.api import ROUTERS
from winback_serving.web.api.schema import DESCRIPTION, ERRORS, TAGS
from winback_serving.web.config import WebConfig
from winback_serving.web.errors import add_handlers
from winback_serving.web.guard import Guard
from winback_serving.web.identity import Doorkeeper
from winback_serving.web.limits import RateLimit
from winback_serving.web.metrics import ServerMetrics
from winback_serving.web.reader import Runs
from winback_serving.web.scoring import Scorer

LOG = logging.getLogger("winback.web")
STATIC = Path(__file__).parent / "static"


def create_app(home: Path, config: WebConfig | None = None, settings: Settings | None = None) -> FastAPI:
    """Make the application that serves the runs of a home folder.

    Parameters
    ----------
    home : Path
        Only the audit log is written there.
    config : WebConfig, optional
    settings : Settings, optional
        What the daily job is told; ``POST /api/v1/score`` needs it to build the same features.

    Returns
    -------
    FastAPI
        ``app.state`` holds ``home``, ``runs``, ``config``, ``scorer``, ``door`` and, with pages, ``render_error``
        and ``render_login``.
    """
    config = config or WebConfig()
    app = FastAPI(
        title="winback",
        version=version("winback"),
        description=DESCRIPTION,
        openapi_tags=TAGS,
        responses=ERRORS,
        docs_url=None,
        redoc_url=None,
        lifespan=_watching,
    )
    state = app.state
    state.home, state.config = home, config
    state.runs, state.door, state.metrics = Runs(home), Doorkeeper(home, config), ServerMetrics()
    state.settings, state.warm_up = settings, None
    state.scorer = Scorer(settings) if settings is not None else None
    state.login_tries = RateLimit(login.TRIES_PER_MINUTE)
    app.add_middleware(Guard, config=config, door=state.door, metrics=state.metrics)
    add_handlers(app)
    for router in (*ROUTERS, login.router):
        app.include_router(router)
    if importlib.util.find_spec("winback_serving.web.pages") is not None:
        pages = importlib.import_module("winback_serving.web.pages")
        for router in getattr(pages, "PAGES", ()):
            app.include_router(router, include_in_schema=False)
        state.render_error = getattr(pages, "render_error", None)
        state.render_login = getattr(pages, "render_login", None)
        state.warm_up = getattr(pages, "warm_up", None)
    if STATIC.is_dir():
        app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


@asynccontextmanager
async def _watching(app: FastAPI) -> AsyncIterator[None]:
    """Look for a new run while the server runs, and make it ready before anybody is shown it."""
    stop = threading.Event()

    def watch() -> None:
        warm_up = app.state.warm_up
        while not stop.is_set():
            try:
                app.state.runs.refresh()
            except (WinbackError, OSError) as error:
                LOG.warning("The newest run cannot be opened, the one before stays: %s", error)
            if warm_up is not None:
                warm_up = warm_up()  # once, and after the run: nobody waits for it
            stop.wait(app.state.config.refresh_seconds)

    thread = threading.Thread(target=watch, name="winback-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=5)
