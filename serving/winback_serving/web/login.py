"""``/login`` and ``/logout``: a token typed once becomes a cookie that no script can read."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from winback_serving.web.deps import Door
from winback_serving.web.identity import COOKIE
from winback_serving.web.limits import RateLimit
from winback_serving.web.pages.view import render_login

TRIES_PER_MINUTE = 10
router = APIRouter(include_in_schema=False)


@router.get("/login")
def show(
    request: Request, door: Door, target: Annotated[str, Query(alias="next", max_length=4000)] = "/"
) -> Response:
    """Show the form; where nobody is asked who they are, go on."""
    if not door.asks or request.state.identity is not None:
        return RedirectResponse(_inside(target), 303)
    return render_login(request, _inside(target), "", 200)


@router.post("/login")
def log_in(
    request: Request,
    door: Door,
    token: Annotated[str, Form(max_length=500)],
    target: Annotated[str, Form(alias="next", max_length=4000)] = "/",
) -> Response:
    """Begin a session."""
    tries: RateLimit = request.app.state.login_tries
    peer = request.client.host if request.client else ""
    if tries.wait_seconds(peer):
        return render_login(request, _inside(target), "too_many", 429)
    session = door.log_in(token.strip())
    if session is None:
        return render_login(request, _inside(target), "wrong", 403)
    answer = RedirectResponse(_inside(target), 303)
    answer.set_cookie(
        COOKIE,
        session,
        max_age=int(3600 * door.config.session_hours),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/logout")
def log_out(request: Request, door: Door) -> Response:
    """End the session."""
    door.log_out(request.cookies.get(COOKIE, ""))
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer


def _inside(path: str) -> str:
    """Return a path of this server; the first page where it leads elsewhere.

    Examples
    --------
    >>> _inside("/list?state=flagged"), _inside("//evil.example"), _inside("https://evil.example")
    ('/list?state=flagged', '/', '/')
    """
    good = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if good and "\\" not in path else "/"
