"""How uvicorn reads heads of requests: bounded in length and in time, and refused as problems.

Started with `--http service.connections:Connection`. Of its own uvicorn waits for a head for as long as the client
likes, and reads a body that nobody wants to its end.
"""

from __future__ import annotations

import asyncio
import sys
from functools import cache
from http import HTTPStatus
from uuid import uuid4

import h11
from h11._connection import DEFAULT_MAX_INCOMPLETE_EVENT_SIZE
from uvicorn.protocols.http.h11_impl import H11Protocol

from service.errors import problem
from service.settings import ServiceSettings

HEAD_BYTES: int = DEFAULT_MAX_INCOMPLETE_EVENT_SIZE
"""Of the request line and all headers together."""
PIECE = 1024


class Connection(H11Protocol):
    """One connection; who keeps it busy without a request loses it."""

    _deadline: asyncio.TimerHandle | None = None

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
        while data and self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            super().data_received(data[:PIECE])  # h11 measures a head only while it is incomplete
            data = data[PIECE:]
        if data and not self.transport.is_closing():
            super().data_received(data)
        if not self.transport.is_closing():
            self._await_head()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, or a head that is too long."""
        error = sys.exc_info()[1]
        status = HTTPStatus(getattr(error, "error_status_hint", HTTPStatus.BAD_REQUEST))
        if status is HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
            detail = f"the request's head is over the limit of {HEAD_BYTES:,} bytes; shorten its URL and headers"
            self._refuse(status, "head-too-large", detail)
        else:
            self._refuse(status, "no-request", f"this is no HTTP request that can be read: {error or msg}")

    def _await_head(self) -> None:
        if self.conn.our_state in (h11.SEND_RESPONSE, h11.SEND_BODY):
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
        if self.conn.their_state is h11.IDLE and self.conn.our_state is h11.IDLE:
            detail = f"the request's head did not come within {_settings().head_seconds:g} s"
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "too-slow", detail)
        else:
            self.transport.close()

    def _refuse(self, status: HTTPStatus, slug: str, detail: str) -> None:
        request_id = uuid4().hex
        told = problem(status, slug, detail, headers={"Connection": "close", "X-Request-Id": request_id},
                       request_id=request_id)  # fmt: skip
        for event in (
            h11.Response(status_code=status.value, headers=told.raw_headers, reason=status.phrase.encode()),
            h11.Data(data=bytes(told.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


@cache
def _settings() -> ServiceSettings:
    return ServiceSettings()
