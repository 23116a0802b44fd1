"""Errors as problem+json (RFC 9457), and a request id on every response."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from atlas_core.aliases import StaleError
from atlas_core.errors import (
    AtlasError,
    CancelledError,
    ConflictError,
    DependencyError,
    InputError,
    NotFoundError,
)
from atlas_core.meters import Meters
from atlas_core.origin import about
from service.access.principal import ForbiddenError, QuotaError, UnauthorizedError
from service.observing import Observing

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
"""What is taken from a caller as the id of a request: nothing that could forge a line of a log."""
RETRY_SECONDS = 3
UNREAD = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNAUTHORIZED)
"""What is answered before the body is read to its end."""
CHALLENGE = 'Bearer realm="atlas"'
RETRIED = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
STATUSES: tuple[tuple[type[AtlasError], HTTPStatus], ...] = (
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (ConflictError, HTTPStatus.CONFLICT),
    (CancelledError, HTTPStatus.CONFLICT),
    (DependencyError, HTTPStatus.SERVICE_UNAVAILABLE),
    (InputError, HTTPStatus.UNPROCESSABLE_ENTITY),
)


class InvalidRequestError(InputError):
    """A body that cannot be taken as it is."""

    slug = "invalid-request"


class TooSlowError(AtlasError):
    """A body that does not go on coming."""

    slug = "too-slow"


class BusyError(AtlasError):
    """As much is under way as may be."""

    slug = "busy"


class TooLargeError(AtlasError):
    """A body over its limit."""

    slug = "too-large"


class MediaTypeError(AtlasError):
    """A body of a kind that is not taken here."""

    slug = "unsupported-media-type"


class NotAcceptableError(AtlasError):
    """Nothing here is of a kind that the reader takes."""

    slug = "not-acceptable"


class NotYetError(NotFoundError):
    """Nothing there yet, but it is being made."""

    slug = "not-yet"


class NoAnswerError(AtlasError):
    """Nobody answered in time."""

    slug = "timeout"


class TooManyError(AtlasError):
    """More at a time than may be.

    Args:
        detail: As in `AtlasError`.
        retry_seconds: After which to try again.
    """

    slug = "too-many"

    def __init__(self, detail: str, *, retry_seconds: int = RETRY_SECONDS) -> None:
        """Keep the seconds."""
        super().__init__(detail)
        self.retry_seconds = retry_seconds


OWN_STATUSES: Mapping[type[AtlasError], HTTPStatus] = {
    StaleError: HTTPStatus.PRECONDITION_FAILED,
    TooSlowError: HTTPStatus.REQUEST_TIMEOUT,
    BusyError: HTTPStatus.SERVICE_UNAVAILABLE,
    TooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    MediaTypeError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    NotAcceptableError: HTTPStatus.NOT_ACCEPTABLE,
    NoAnswerError: HTTPStatus.GATEWAY_TIMEOUT,
    TooManyError: HTTPStatus.TOO_MANY_REQUESTS,
    UnauthorizedError: HTTPStatus.UNAUTHORIZED,
    ForbiddenError: HTTPStatus.FORBIDDEN,
    QuotaError: HTTPStatus.FORBIDDEN,
}


def status_of(error: AtlasError) -> HTTPStatus:
    """HTTP status of an error of ours; what is neither the caller's nor a dependency's is a 500."""
    if type(error) in OWN_STATUSES:
        return OWN_STATUSES[type(error)]
    return next((status for kind, status in STATUSES if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)


def problem(
    status: HTTPStatus,
    slug: str,
    detail: str,
    *,
    errors: list[dict[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
    request_id: str | None = None,
) -> JSONResponse:
    """A problem as a response.

    Args:
        status: HTTP status.
        slug: Last part of its type.
        detail: What is wrong and what to do.
        errors: Offending places, each with `detail` and a JSON `pointer` or a `parameter`.
        headers: More headers.
        request_id: Of the request.
    """
    body: dict[str, Any] = {
        "type": f"/problems/{slug}", "title": status.phrase, "status": status.value, "detail": detail,
    }  # fmt: skip
    if errors:
        body["errors"] = errors
    if request_id:
        body["request_id"] = request_id
    return JSONResponse(body, status.value, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def described(text: str) -> dict[str, Any]:
    """A problem as a response of /openapi.json."""
    return {"description": text, "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


def _id(request: Request) -> str | None:
    found: str | None = request.scope.get("state", {}).get("request_id")
    return found


async def _on_atlas_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AtlasError)  # registered for nothing else
    return answered(request, error)


def answered(request: Request, error: AtlasError) -> JSONResponse:
    """An error of ours as the answer to a request."""
    status = status_of(error)
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("%s: %s", type(error).__name__, error, exc_info=error)
    headers = {}
    if status in RETRIED or isinstance(error, NotYetError):
        headers["Retry-After"] = str(getattr(error, "retry_seconds", RETRY_SECONDS))
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = CHALLENGE
    if status in UNREAD:
        headers["Connection"] = "close"  # else the server would read the body to its end
    return problem(
        status,
        error.slug,
        error.detail,
        errors=[{"pointer": error.pointer, "detail": error.detail}] if error.pointer else None,
        headers=headers,
        request_id=_id(request),
    )


async def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    headers = dict(error.headers or {})
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(_methods(request)))
    detail = {
        HTTPStatus.BAD_REQUEST: f"the body cannot be read ({error.detail}); send what its Content-Type says",
        HTTPStatus.NOT_FOUND: f"there is nothing at {request.url.path}; see /openapi.json",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} is not taken at {request.url.path}; see /openapi.json",
    }.get(status, str(error.detail))
    slug = status.phrase.lower().replace(" ", "-")
    return problem(status, slug, detail, headers=headers, request_id=_id(request))


def _methods(request: Request) -> set[str]:
    """What a path takes: the router itself looks no further than its first route there."""
    app: FastAPI = request.app
    paths: dict[str, dict[str, Any]] = app.openapi()["paths"]
    return {method.upper() for path, methods in paths.items() if _is_at(path, request.url.path) for method in methods}


def _is_at(template: str, path: str) -> bool:
    """Whether a path is one of a template such as `/v1/models/{model}`; only a layer's name may hold slashes."""
    parts = re.split(r"(\{\w+\})", template)
    pattern = (re.escape(text) + (".+" if name == "{layer}" else "[^/]+" if name else "")
               for text, name in zip(parts[::2], [*parts[1::2], ""], strict=True))  # fmt: skip
    return re.fullmatch("".join(pattern), path) is not None


async def _on_invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [_place(one, error.body) for one in error.errors()]
    first = errors[0]
    where = first.get("pointer") or first.get("parameter") or "the body"
    detail = f"{where}: {first['detail']}"
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, InvalidRequestError.slug, detail, errors=errors, request_id=_id(request)
    )


def _place(error: Mapping[str, Any], body: Any) -> dict[str, str]:
    source, *path = error["loc"]
    detail = str(error["msg"])
    if source != "body":
        return {"parameter": str(path[0]) if path else str(source), "detail": detail}
    if error["type"] != "json_invalid":
        path = _within(body, path, missing=error["type"] == "missing")
    parts = [str(part).replace("~", "~0").replace("/", "~1") for part in path]
    return {"pointer": "".join(f"/{part}" for part in parts), "detail": detail}


def _within(value: Any, path: Sequence[int | str], *, missing: bool) -> list[int | str]:
    """What of a place exists in a body: of unions pydantic tells the member that it tried, too."""
    found: list[int | str] = []
    for number, part in enumerate(path, start=1):
        if isinstance(value, Mapping) and (part in value or (missing and number == len(path))):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            continue
        found.append(part)
    return found


class TrustedHosts:
    """Refuses requests that address the service by a name that is not its own.

    Args:
        app: The application.
        names: Without ports; `*.example.com` stands for all below, `*` for any.
    """

    def __init__(self, app: ASGIApp, names: Sequence[str]) -> None:
        """Wrap the application."""
        self._app = app
        self._names = [name.lower() for name in names]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http" or self._known(Headers(scope=scope).get("host", "")):
            await self._app(scope, receive, send)
            return
        detail = "the service does not go by the name in the Host header; see ATLAS_TRUSTED_HOSTS"
        response = problem(HTTPStatus.BAD_REQUEST, "untrusted-host", detail, request_id=_id(Request(scope)))
        await response(scope, receive, send)

    def _known(self, host: str) -> bool:
        name = re.sub(r":\d*$", "", host.lower())
        return any(
            pattern in ("*", name) or (pattern.startswith("*.") and name.endswith(pattern[1:]))
            for pattern in self._names
        )


class RequestIdMiddleware:
    """Gives every request an id, puts it on its response, and turns a crash into a problem without a trace.

    The id is the caller's `X-Request-Id` where that is one; log and messages to the workers carry it.

    Args:
        app: The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Wrap the application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _taken(Headers(scope=scope).get("x-request-id", ""))
        scope.setdefault("state", {})["request_id"] = request_id
        started = False

        async def named(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            with about(request=request_id):
                await self._app(scope, receive, named)
        except Exception:
            log.exception("request %s failed", request_id)
            if started:
                raise
            detail = f"the service failed unexpectedly; its log says more under the request id {request_id}"
            response = problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", detail, request_id=request_id)
            await response(scope, receive, named)


def _taken(asked: str) -> str:
    return asked if REQUEST_ID.fullmatch(asked) else uuid4().hex


def install(app: FastAPI, trusted_hosts: Sequence[str], meters: Meters) -> None:
    """Have an application answer every error as a problem, and tell of every request.

    Args:
        app: The application.
        trusted_hosts: Names by which requests may address it.
        meters: Counts requests.
    """
    app.add_exception_handler(AtlasError, _on_atlas_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_middleware(TrustedHosts, names=trusted_hosts)
    app.add_middleware(Observing, meters=meters)
    app.add_middleware(RequestIdMiddleware)  # the outermost, so that every answer has an id
