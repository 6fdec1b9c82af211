"""What every page is given: the run, its texts, its locale, and how to make a link that keeps the day."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment
from markupsafe import Markup, escape

from winback_policy.config import PolicyConfig
from winback_serving import one_page
from winback_serving.clock import today_in
from winback_serving.settings import Settings
from winback_serving.web.config import WebConfig
from winback_serving.web.deps import Config, CurrentRun, PublishedRuns
from winback_serving.web.format import Formatter
from winback_serving.web.identity import COOKIE
from winback_serving.web.pages.notices import Notice, notices
from winback_serving.web.reader import Run, Runs
from winback_serving.web.texts import Texts, texts

NAVIGATION: tuple[tuple[str, str], ...] = (
    ("today", "/"),
    ("list", "/list"),
    ("excluded", "/excluded"),
    ("rfm", "/rfm"),
    ("retention", "/retention"),
    ("model", "/model"),
    ("hygiene", "/hygiene"),
    ("sandbox", "/sandbox"),
)
"""Name of each page and its address, in the order of the menu."""

OUTCOMES = ("outcomes", "/outcomes")
"""In the menu from the day on which there are outcomes."""


@dataclass(frozen=True, slots=True)
class View:
    """One request for a page.

    Attributes
    ----------
    request : Request
    runs : Runs
    run : Run
    t : Texts
    f : Formatter
    """

    request: Request
    runs: Runs
    run: Run
    t: Texts
    f: Formatter

    @property
    def settings(self) -> Settings | None:
        """The settings of the daily job, where the server was started with them."""
        settings: Settings | None = self.request.app.state.settings
        return settings

    @property
    def policy(self) -> PolicyConfig:
        """The policy of the settings; the defaults where there are none."""
        return self.settings.policy if self.settings else PolicyConfig()

    @property
    def currency(self) -> str | None:
        """The currency of the run's amounts; None where nothing was scored."""
        return self.run.currency

    @property
    def horizon(self) -> int:
        """The days ahead for which a purchase was predicted."""
        return int(self.run.record["horizon_days"])

    def money(self, value: float | None, *, exact: bool = False) -> str:
        """Return an amount in the run's currency."""
        return self.f.money(value, self.currency, exact=exact)

    def count(self, key: str, number: int) -> str:
        """Return a counted thing, such as ``2,469 contacts``."""
        return self.t.count(key, number, self.f.number(number))

    def link(self, path: str, **parameters: Any) -> str:
        """Return an address that stays on the day that is looked at."""
        kept = {name: value for name, value in parameters.items() if value not in (None, "", ())}
        if "as_of" in self.request.query_params:
            kept.setdefault("as_of", self.run.as_of.isoformat())
        return path + ("?" + urlencode(kept, doseq=True) if kept else "")

    def keep(self, query: str) -> str:
        """Return a query string that stays on the day that is looked at."""
        day = self.request.query_params.get("as_of")
        return f"{query}&as_of={self.run.as_of.isoformat()}".lstrip("&") if day else query

    def contact(self, contact_id: str) -> str:
        """Return the address of a contact's page, whatever its id is made of."""
        return self.link("/contacts/" + quote(contact_id, safe=""))

    def page(self, name: str, **values: Any) -> HTMLResponse:
        """Return the page ``<name>.html`` with its values."""
        told = notices(self.run.record, self.t, self.f, self.today())
        menu = NAVIGATION
        if (self.runs.store.root.parent / "outcomes.json").is_file():
            menu = (*NAVIGATION, OUTCOMES)
        return HTMLResponse(
            template(f"{name}.html").render(
                v=self,
                t=self.t,
                f=self.f,
                run=self.run,
                page=name,
                menu=menu,
                days=self.runs.days(),
                brand=brand_of(self.request),
                notices=told,
                logged_in=asks(self.request),
                **values,
            )
        )

    def today(self) -> date:
        """Return the calendar day it is where the brand is."""
        return today_in(self.settings.brand.timezone if self.settings else "UTC")


def get_view(request: Request, runs: PublishedRuns, run: CurrentRun, config: Config) -> View:
    """Give a page everything it needs; see `View`."""
    return View(request, runs, run, texts(config.language), Formatter.of(config.language))


CurrentView = Annotated[View, Depends(get_view)]


def render_error(request: Request, status: int, error: dict[str, Any]) -> HTMLResponse:
    """Return an error as a page that says the next step; it needs no run.

    Parameters
    ----------
    request : Request
    status : int
    error : dict
        ``code``, ``message``, ``where``, ``how``.
    """
    config: WebConfig = request.app.state.config
    t, f = texts(config.language), Formatter.of(config.language)
    known = error["code"] if error["code"] in t.table["error"] else "other"
    page = template("error.html").render(
        t=t, f=f, v=None, error=error, known=known, status=status, brand=brand_of(request), menu=NAVIGATION
    )
    return HTMLResponse(page, status)


def render_login(request: Request, target: str, failure: str, status: int) -> HTMLResponse:
    """Return the page that asks for a token.

    Parameters
    ----------
    request : Request
    target : str
        Where to go on afterwards.
    failure : str
        ``wrong``, ``too_many``, or empty at the first try.
    status : int
    """
    config: WebConfig = request.app.state.config
    page = template("login.html").render(
        t=texts(config.language),
        f=Formatter.of(config.language),
        v=None,
        menu=(),
        brand=brand_of(request),
        target=target,
        failure=failure,
    )
    return HTMLResponse(page, status)


def brand_of(request: Request) -> str:
    """Return the brand's name; empty where the server was started without settings."""
    settings: Settings | None = request.app.state.settings
    return settings.brand.name if settings else ""


def asks(request: Request) -> bool:
    """Say whether somebody is logged in by a cookie, and so can log out."""
    return COOKIE in request.cookies and request.app.state.door.asks


@cache
def environment() -> Environment:
    """Return the Jinja environment of the pages: everything is escaped, and a missing value is an error."""
    return one_page.environment("winback_serving.web", {"code": with_code})


def with_code(text: str) -> Markup:
    """Return a text with what stands between backticks as code, everything escaped.

    >>> with_code("Run `winback score` <now>")
    Markup('Run <code>winback score</code> &lt;now&gt;')
    """
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  # escaped before


def template(name: str) -> Any:
    """Return one template of the pages."""
    return environment().get_template(name)


__all__ = ["NAVIGATION", "CurrentView", "Notice", "View", "render_error", "render_login", "template"]
