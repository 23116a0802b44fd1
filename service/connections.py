"""How uvicorn reads heads of requests: bounded in length and in time, and refused as problems.

Started with `--http service.connections:Connection`. Of its own uvicorn waits for a head for as long as the client
likes, takes one of any length, and reads a body that nobody wants to its end.
"""

from __future__ import annotations

import asyncio
import sys
from functools import cache
from http import HTTPStatus
from uuid import uuid4

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from service.errors import problem
from service.settings import ServiceSettings

HEAD_BYTES = 16 << 10
"""Of the request line and all headers together."""
PIPELINED = 32
"""Requests that may wait on a connection behind the one that is answered."""


class _TooLongError(Exception):
    """A head over its limit."""


class _TooManyError(Exception):
    """More requests at once than may wait."""


class Connection(HttpToolsProtocol):
    """One connection; who keeps it busy without a request loses it."""

    _deadline: asyncio.TimerHandle | None = None
    _in_head = False
    _told = 0  # bytes of the head that the parser has told of
    _fed = 0  # bytes given to the parser since the head began

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        if len(self.connections) > _settings().connections:
            transport.abort()
            return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes, and wait for the rest of the head, or of a body that is answered already."""
        if self.transport.is_closing():
            return
        self._fed += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head and self._fed > HEAD_BYTES:  # the parser tells of a header once it is whole
            self._refuse_head()
            return
        self._await_head()

    def on_message_begin(self) -> None:
        """Begin to measure."""
        self._in_head, self._told, self._fed = True, 0, 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Measure a piece of the request line."""
        self._measure(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Measure a header, or what is like one behind a body in pieces."""
        self._measure(len(name) + len(value) + len(b": \r\n"))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Hand the request on."""
        self._in_head = False
        if len(self.pipeline) == PIPELINED:
            raise _TooManyError
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, or a head that is too long."""
        error = sys.exc_info()[1]
        if isinstance(error, httptools.HttpParserCallbackError):
            error = error.__context__
        if self._is_answering() and not (self.pipeline or self.cycle.response_started):
            self.cycle.disconnected = True  # it was handed on, and is refused nevertheless
            self.cycle.message_event.set()
        if isinstance(error, _TooManyError) or (self._is_answering() and not self.cycle.disconnected):
            self.transport.close()  # a refusal would be taken for a part of what is under way
        elif isinstance(error, _TooLongError):
            self._refuse_head()
        else:
            detail = f"this is no HTTP request that can be read: {error or msg}"
            self._refuse(HTTPStatus.BAD_REQUEST, "no-request", detail)

    def _measure(self, size: int) -> None:
        self._told += size
        if self._told > HEAD_BYTES:
            raise _TooLongError

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # none before the first request
        return cycle is not None and not cycle.response_complete

    def _await_head(self) -> None:
        if self._is_answering():
            self._stop_waiting()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(_settings().head_seconds, self._too_late)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        if self._in_head or self.cycle is None:
            detail = f"the request's head did not come within {_settings().head_seconds:g} s"
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "too-slow", detail)
        else:
            self.transport.close()

    def _refuse_head(self) -> None:
        detail = f"the request's head is over the limit of {HEAD_BYTES:,} bytes; shorten its URL and headers"
        self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head-too-large", detail)

    def _refuse(self, status: HTTPStatus, slug: str, detail: str) -> None:
        request_id = uuid4().hex
        told = problem(status, slug, detail, headers={"Connection": "close", "X-Request-Id": request_id},
                       request_id=request_id)  # fmt: skip
        head = [STATUS_LINE[status], *(b"%s: %s\r\n" % header for header in told.raw_headers), b"\r\n"]
        self.transport.write(b"".join([*head, bytes(told.body)]))
        self.transport.close()


@cache
def _settings() -> ServiceSettings:
    return ServiceSettings()
