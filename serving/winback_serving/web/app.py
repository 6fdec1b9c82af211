"""The application: routers put together, nothing decided at import."""

from __future__ import annotations

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
from winback_serving.web import login, pages
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
        ``app.state`` holds ``home``, ``config``, ``settings``, ``runs``, ``door``, ``metrics``, ``scorer``, ``login_tries`` and
        ``render_error``.
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
    state.settings, state.render_error = settings, pages.render_error
    state.scorer = Scorer(settings) if settings is not None else None
    state.login_tries = RateLimit(login.TRIES_PER_MINUTE)
    app.add_middleware(Guard, config=config, door=state.door, metrics=state.metrics)
    add_handlers(app)
    for router in (*ROUTERS, login.router, *pages.PAGES):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


@asynccontextmanager
async def _watching(app: FastAPI) -> AsyncIterator[None]:
    """Look for a new run while the server runs, and make it ready before anybody is shown it."""
    stop = threading.Event()

    def watch() -> None:
        warm = False
        while not stop.is_set():
            try:
                app.state.runs.refresh()
            except (WinbackError, OSError) as error:
                LOG.warning("The newest run cannot be opened, the one before stays: %s", error)
            if not warm:
                pages.warm_up()  # once, and after the run: nobody waits for it
                warm = True
            stop.wait(app.state.config.refresh_seconds)

    thread = threading.Thread(target=watch, name="winback-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=5)
