"""The application: routers put together, nothing decided at import."""

from __future__ import annotations

import importlib.util
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from winback_serving.web.api import ROUTERS
from winback_serving.web.config import WebConfig
from winback_serving.web.errors import add_handlers
from winback_serving.web.reader import Runs

STATIC = Path(__file__).parent / "static"


def create_app(home: Path, config: WebConfig | None = None) -> FastAPI:
    """Make the application that serves the runs of a home folder.

    Parameters
    ----------
    home : Path
        Nothing in it is written.
    config : WebConfig, optional

    Returns
    -------
    FastAPI
        ``app.state`` holds ``runs``, ``config`` and, with pages, ``render_error``.
    """
    app = FastAPI(title="winback", version=version("winback"), docs_url=None, redoc_url=None)
    app.state.runs = Runs(home)
    app.state.config = config or WebConfig()
    add_handlers(app)
    for router in ROUTERS:
        app.include_router(router)
    if importlib.util.find_spec("winback_serving.web.pages") is not None:
        pages = importlib.import_module("winback_serving.web.pages")
        for router in getattr(pages, "PAGES", ()):
            app.include_router(router)
        app.state.render_error = getattr(pages, "render_error", None)
    if STATIC.is_dir():
        app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app
