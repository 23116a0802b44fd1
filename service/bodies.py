"""Bodies within limits: how long, how slow, how deep, and how many requests are under way.

Bodies of JSON are read whole before anything sees them; uploads go on to their routes piece by piece, which bound their
length themselves.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.access.scopes import ASKING
from service.errors import BusyError, InvalidRequestError, TooLargeError, TooSlowError, answered
from service.settings import ServiceSettings

UPLOADS = re.compile(rf"/v1/blobs/[^/]+|{ASKING.pattern}")
PROBES = ("/healthz", "/readyz")
"""Answered however much is under way."""
SLOWEST = 4096
"""Bytes a second that keep a slow body from being late."""
MOST_LEVELS = 64
MOST_DIGITS = 18
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|([\[{])|([\]}])', re.DOTALL)
_ODD = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


class FaultError(ValueError):
    """JSON that is read by Python, and should not be."""


class Bodies:
    """Holds requests within their limits.

    Args:
        app: The application.
        settings: The limits.
    """

    def __init__(self, app: ASGIApp, settings: ServiceSettings) -> None:
        """Nothing is under way."""
        self._app, self._settings = app, settings
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        if self._running >= self._settings.requests:
            error = BusyError(f"{self._running} requests are under way, which is the limit; try again in a few seconds")
            await answered(Request(scope), error)(scope, receive, send)
            return
        self._running += 1
        try:
            await self._bounded(scope, receive, send)
        finally:
            self._running -= 1

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if "content-length" not in headers and "transfer-encoding" not in headers:
            await self._app(scope, receive, send)
            return
        body = Timely(scope, receive, send, self._settings.body_seconds)
        if UPLOADS.fullmatch(scope["path"]):
            await self._app(scope, body.receive, body.send)
            return
        data = await self._whole(headers, body)
        if body.late:
            await body.refuse()
        elif data is None:
            error = TooLargeError(f"the body is over the limit of {self._settings.body_limit_bytes:,} bytes")
            await answered(Request(scope), error)(scope, receive, send)
        elif (wrong := await run_in_threadpool(fault, data)) is not None:
            await answered(Request(scope), InvalidRequestError(wrong))(scope, receive, send)
        else:
            await self._app(scope, _again(data, receive), send)

    async def _whole(self, headers: Mapping[str, str], body: Timely) -> bytes | None:
        """A body, as far as it came; None where it is too long."""
        limit = self._settings.body_limit_bytes
        stated = headers.get("content-length", "")
        data = bytearray()
        if stated.isdigit() and int(stated) > limit:
            return None
        while (message := await body.receive())["type"] == "http.request":
            data += message.get("body", b"")
            if len(data) > limit:
                return None
            if not message.get("more_body", False):
                break
        return bytes(data)


class Timely:
    """A request whose body must go on coming; who is late is told so, whatever the route makes of what came.

    Args:
        scope: Of the request.
        receive: Gives the pieces.
        send: Takes the answer.
        seconds: That may be waited for the body together, and one more for every SLOWEST bytes.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, seconds: float) -> None:
        """Nothing came yet."""
        self._scope, self._receive, self._send = scope, receive, send
        self._patience = seconds
        self._ended = self._started = self._told = False
        self.late = False

    async def receive(self) -> Message:
        """The next piece; once it is late, the client counts as gone."""
        if self._ended:
            return await self._receive()
        began = time.monotonic()
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, self._patience))
        except TimeoutError:
            self.late = True
            return {"type": "http.disconnect"}
        self._patience += len(message.get("body", b"")) / SLOWEST - (time.monotonic() - began)
        self._ended = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Pass an answer on; one that has not begun gives way where the client is late."""
        if self.late and not self._started:
            await self.refuse()
            return
        self._started = True
        await self._send(message)

    async def refuse(self) -> None:
        """Say once that it is late."""
        if not self._told:
            self._told = True
            error = TooSlowError(f"the body came too slowly, less than {SLOWEST:,} bytes a second; send it again")
            await answered(Request(self._scope), error)(self._scope, self._receive, self._send)


def _again(data: bytes, receive: Receive) -> Receive:
    """Give a body that was read, and then what follows it."""
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": data, "more_body": False}

    return replayed


def fault(body: bytes) -> str | None:
    """What is wrong with a body that could pass as JSON; of what is none, nothing is said here.

    Numbers must be finite, whole ones within 64 bits, texts must be texts without NUL, and levels are limited: what is
    read by Python's parser cannot always be written again.
    """
    too_deep = f"the body has more than {MOST_LEVELS} levels of arrays and objects in each other"
    if _levels(body) > MOST_LEVELS:
        return too_deep
    try:
        value = json.loads(body, parse_constant=_constant, parse_float=_float, parse_int=_int)
    except FaultError as error:
        return str(error)
    except RecursionError:
        return too_deep
    except ValueError:
        return None
    return "a text of the body holds NUL or half a character" if _ODD.search(body) and _odd([value]) else None


def _levels(body: bytes) -> int:
    if body.count(b"[") + body.count(b"{") <= MOST_LEVELS:
        return 0
    level = 0
    for found in _BRACKETS.finditer(body):
        level += (found[1] is not None) - (found[2] is not None)
        if level > MOST_LEVELS:
            break
    return level


def _constant(text: str) -> Any:
    raise FaultError(f"the body holds {text}, which JSON does not know; numbers must be finite")


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise FaultError(f"the body's number {text[:40]} is too large")
    return value


def _int(text: str) -> int:
    if len(text.lstrip("-")) > MOST_DIGITS:
        raise FaultError(f"the body's whole number {text[:40]} has more than {MOST_DIGITS} digits")
    return int(text)


def _odd(values: Iterable[Any]) -> bool:
    for value in values:
        if isinstance(value, str):
            if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
                return True
        elif isinstance(value, dict):
            if _odd(value) or _odd(value.values()):
                return True
        elif isinstance(value, list) and _odd(value):
            return True
    return False
