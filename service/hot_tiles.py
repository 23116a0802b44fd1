"""Tiles that were asked for a moment ago, answered again without asking the store or the registry."""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from service.access.principal import Principal

TILE = re.compile(r"/v1/atlases/[^/]+/layers/.+/levels/\d+/tiles/\d+/\d+")
FRESH_SECONDS = 5.0
"""After which the whole route is asked again: the atlas may have been deleted, or given to somebody else."""
MOST_BYTES = 64 << 20
ASKED_OTHERWISE = {b"if-none-match", b"range"}


@dataclass(frozen=True)
class Kept:
    """An answer, and until when it counts, by `time.monotonic`."""

    start: Message
    body: bytes
    until: float


class HotTiles:
    """Keeps answers that may be kept for a year anyway: tiles that were asked for by their digest.

    It stands behind who says who asks: what is kept for one is not given to another.

    Args:
        app: The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Wrap the application."""
        self._app = app
        self._kept: OrderedDict[Any, Kept] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        key = _key(scope)
        if key is None:
            await self._app(scope, receive, send)
            return
        kept = self._kept.get(key)
        if kept is not None and time.monotonic() < kept.until:
            scope["route"] = ROUTE
            await send({**kept.start, "headers": list(kept.start["headers"])})  # who stands before adds to them
            await send({"type": "http.response.body", "body": kept.body})
            return
        await self._app(scope, receive, _Keeping(self, key, send))

    def keep(self, key: Any, start: Message, body: bytes) -> None:
        """Keep an answer; the oldest make room."""
        with self._lock:
            self._drop(key)
            self._kept[key] = Kept(start, body, time.monotonic() + FRESH_SECONDS)
            self._bytes += len(body)
            while self._bytes > MOST_BYTES:
                self._drop(next(iter(self._kept)))

    def _drop(self, key: Any) -> None:
        if (old := self._kept.pop(key, None)) is not None:
            self._bytes -= len(old.body)


class _Route:
    """What requests that are answered here are counted as."""

    path = "/v1/atlases/{atlas}/layers/{layer:path}/levels/{z}/tiles/{x}/{y}"


ROUTE = _Route()


def _key(scope: Scope) -> Any | None:
    """What an answer is kept by: who asks, what for and in which form; None of what is not kept."""
    if scope["type"] != "http" or scope["method"] != "GET" or b"v=" not in scope["query_string"]:
        return None
    if not TILE.fullmatch(scope["path"]):
        return None
    accept = b""
    for name, value in scope["headers"]:
        if name in ASKED_OTHERWISE:
            return None
        if name == b"accept":
            accept = value
    who: Principal = scope["state"]["principal"]
    return who.owner, who.sees_all, scope["path"], scope["query_string"], accept


class _Keeping:
    """Passes an answer on, and keeps it if it is one for a year."""

    def __init__(self, tiles: HotTiles, key: Any, send: Send) -> None:
        self._tiles, self._key, self._send = tiles, key, send
        self._start: Message | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = dict(message["headers"])
            if message["status"] == 200 and b"immutable" in headers.get(b"cache-control", b""):
                self._start = {**message, "headers": list(message["headers"])}
        elif self._start is not None and not message.get("more_body"):
            self._tiles.keep(self._key, self._start, message["body"])
        await self._send(message)
