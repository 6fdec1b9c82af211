"""What stands before every page and endpoint: who asks, from where, how often and how much; and the headers of every answer.

Written as plain ASGI, so that a streamed answer is not held back. A path is closed unless it is named in `PUBLIC`.
"""

from __future__ import annotations

import math
import time
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from winback_serving.web.config import WebConfig
from winback_serving.web.errors import error_body, fault, respond, wants_page
from winback_serving.web.identity import Doorkeeper, Identity
from winback_serving.web.limits import RateLimit
from winback_serving.web.metrics import ServerMetrics

PUBLIC = ("/healthz", "/readyz", "/login", "/static/")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
SAFE = ("GET", "HEAD", "OPTIONS")
MOST_BYTES = 5_000_000
"""Of a request's body."""

WRONG_TOKENS_PER_MINUTE = 20

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}
"""On every answer; an answer may set its own ``cache-control``."""


class Guard:
    """The ASGI middleware.

    Parameters
    ----------
    app : ASGI application
    config : WebConfig
    door : Doorkeeper
    metrics : ServerMetrics
    """

    def __init__(self, app: ASGIApp, config: WebConfig, door: Doorkeeper, metrics: ServerMetrics) -> None:
        self.app, self.config, self.door, self.metrics = app, config, door, metrics
        self._calls = RateLimit(config.requests_per_minute)
        self._wrong = RateLimit(WRONG_TOKENS_PER_MINUTE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status, started = time.perf_counter(), 500, False

        async def send_with_headers(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                headers = list(message.get("headers", ()))
                there = {name for name, _ in headers}
                headers += [
                    (name.encode(), value.encode())
                    for name, value in HEADERS.items()
                    if name.encode() not in there
                ]
                message["headers"] = headers
            await send(message)

        try:
            request = Request(scope, receive)
            refusal = self._refusal(request)
            if refusal is not None:
                await refusal(scope, receive, send_with_headers)
            else:
                await self.app(scope, _limited(receive), send_with_headers)
        except Exception as error:
            if started:
                raise
            await fault(Request(scope), error)(scope, receive, send_with_headers)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in METHODS else "other"
            self.metrics.answered(method, route, status, time.perf_counter() - began)

    def _refusal(self, request: Request) -> Response | None:
        """Return the answer to a request that goes no further, or None; note who asks."""
        door, path = self.door, request.url.path
        if not door.asks and request.url.hostname not in self.config.known_names:
            what = "The request is addressed to a name that is not this server's."
            return _refuse(request, 421, "misdirected", what, "Host", "Add the name to host_names in [web].")
        length = request.headers.get("content-length", "0")
        if not length.isdecimal() or int(length[:20]) > MOST_BYTES:
            how = f"Send at most {MOST_BYTES:,} bytes."
            return _refuse(request, 413, "too_large", "The body is too large.", "Content-Length", how)
        public = path.startswith(PUBLIC)
        peer = request.client.host if request.client else ""
        who = door.identify(peer, request.headers, _cookies(request))
        if who is None and not public:
            return self._unknown(request, peer)
        request.state.identity = who
        if request.method not in SAFE and not _same_origin(request, who, door.asks):
            what = "The request comes from another site."
            return _refuse(request, 403, "cross_site", what, "Origin", "Send it from a page of this server.")
        if who is not None and door.asks:
            wait = self._calls.wait_seconds(who.name)
            if wait:
                return _too_many(request, wait)
        return None

    def _unknown(self, request: Request, peer: str) -> Response:
        if "authorization" in request.headers:
            wait = self._wrong.wait_seconds(peer)
            if wait:
                return _too_many(request, wait)
        elif request.method == "GET" and wants_page(request):
            path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(f"/login?next={quote(path, safe='')}", 303)
        what = "The request does not say who asks, or the token is not valid."
        how = "Send `Authorization: Bearer TOKEN`; `winback serve --add-token NAME` makes one."
        challenge = {"www-authenticate": "Bearer"}
        return _refuse(request, 401, "unauthorized", what, "Authorization", how, challenge)


def _refuse(
    request: Request,
    status: int,
    code: str,
    what: str,
    where: str,
    how: str,
    headers: dict[str, str] | None = None,
) -> Response:
    return respond(request, status, error_body(code, what, where, how), headers)


def _too_many(request: Request, wait: float) -> Response:
    seconds = math.ceil(wait)
    how = f"Try again in {seconds} s; requests_per_minute in [web] sets the rate."
    what = "That were too many requests."
    return _refuse(request, 429, "too_many_requests", what, "", how, {"retry-after": str(seconds)})


def _cookies(request: Request) -> dict[str, str]:
    try:
        found = SimpleCookie(request.headers.get("cookie", ""))
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in found.items()}


def _same_origin(request: Request, who: Identity | None, asks: bool) -> bool:
    """Say whether a request that changes something was sent by our own page, or by no browser at all."""
    if asks and who is not None and not who.by_cookie:
        return True
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site in ("same-origin", "none")
    if origin is not None:
        return urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower()
    return who is None or not who.by_cookie


def _limited(receive: Receive) -> Receive:
    """Return a channel that ends with an error once a body without a stated length has become too large."""
    seen = 0

    async def limited() -> Any:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MOST_BYTES:
            raise HTTPException(413, "The body is too large.")
        return message

    return limited
