"""One shape for every error: a code, what is wrong, where, and how to mend it; as JSON for programs, as a page for people.

JSON::

    {"error": {"code": "not_found", "message": "…", "where": "as_of", "how": "…", "fields": []}}

``fields`` names each wrong field of a request that breaks its schema. A path under ``/api/``, one that ends in ``.json`` or
``.csv``, and a client that does not ask for HTML get JSON. Others get ``app.state.render_error(request, status, error)``, which
is ``winback_serving.web.pages.render_error``, ``error`` being the inner object above.
"""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from winback_features.errors import GateRefusal, InputError, WinbackError

LOG = logging.getLogger("winback.web")


class WebError(WinbackError):
    """An error of a request; its class says the HTTP status and the code."""

    status = 400
    code = "bad_request"


class NotFoundError(WebError):
    """There is no such run, contact or list."""

    status = 404
    code = "not_found"


class ForbiddenError(WebError):
    """The caller may not do that."""

    status = 403
    code = "forbidden"


class ConflictError(WebError):
    """What is asked does not fit what there is."""

    status = 409
    code = "conflict"


class UnusableError(WebError):
    """What was sent breaks the data contract."""

    status = 422
    code = "invalid"


class BusyError(WebError):
    """The server cannot answer now, and can later."""

    status = 503
    code = "busy"


def error_body(code: str, what: str, where: str = "", how: str = "", fields: Any = ()) -> dict[str, Any]:
    """Return the inner object of an error."""
    return {"code": code, "message": what, "where": where, "how": how, "fields": list(fields)}


def wants_page(request: Request) -> bool:
    """Say whether an error is read by a person in a browser."""
    path = request.url.path
    if path.startswith("/api/") or path.endswith((".json", ".csv")):
        return False
    return "text/html" in request.headers.get("accept", "")


def respond(
    request: Request, status: int, error: dict[str, Any], headers: dict[str, str] | None = None
) -> Response:
    """Answer with an error, in the form the client reads."""
    if not wants_page(request):
        return JSONResponse({"error": error}, status, headers=headers)
    page: Response = request.app.state.render_error(request, status, error)
    page.headers.update(headers or {})
    return page


def add_handlers(app: FastAPI) -> None:
    """Let every error of an app come out in the one shape."""
    app.exception_handler(WinbackError)(_winback)
    app.exception_handler(RequestValidationError)(_validation)
    app.exception_handler(HTTPException)(_http)


def _winback(request: Request, error: WinbackError) -> Response:
    if isinstance(error, WebError):
        status, code = error.status, error.code
    elif isinstance(error, GateRefusal):
        status, code = 409, "refused"
    elif isinstance(error, InputError):
        status, code = 503, "no_run"
    else:
        status, code = 500, "configuration"
    return respond(request, status, error_body(code, error.what, error.where, error.how))


def _validation(request: Request, error: RequestValidationError) -> Response:
    fields = [
        {"field": ".".join(str(part) for part in e["loc"]), "message": e["msg"]} for e in error.errors()
    ]
    first = fields[0] if fields else {"field": "", "message": ""}
    what = f"{first['field']}: {first['message']}."
    return respond(
        request,
        422,
        error_body("invalid", what, first["field"], "See /openapi.json for what it may be.", fields),
    )


def _http(request: Request, error: HTTPException) -> Response:
    codes = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}
    code = codes.get(error.status_code, "bad_request")
    headers = dict(error.headers) if error.headers else None
    body = error_body(code, str(error.detail), request.url.path)
    return respond(request, error.status_code, body, headers)


def fault(request: Request, error: Exception) -> Response:
    """Answer to an error that is nobody's but ours, and log it."""
    LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    body = error_body("internal", "The server failed; this is a fault of winback.", how="Its log says more.")
    return respond(request, 500, body)
