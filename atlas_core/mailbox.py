"""Projections on their way: requests on a Redis list, each answered on a list of its own.

A request's body stands under a key that expires when nobody waits any more; a worker skips a request whose body is
gone. Lost requests are asked again by the client; nothing here must survive.
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast
from uuid import uuid4

from atlas_core.ledger import reaching_redis

if TYPE_CHECKING:
    import redis

WAITING = "atlas:projections"
BATCH = 32
ANSWER_SECONDS = 60
POLL_SECONDS = 2.0


@dataclass(frozen=True)
class Request:
    """An image to project; `layers` None for all of the atlas."""

    id: str
    atlas: str
    data: bytes
    layers: list[str] | None
    positions: Literal["default", "all"]


class Mailbox:
    """Requests and answers in one Redis.

    Args:
        client: Decodes its responses.
    """

    def __init__(self, client: redis.Redis) -> None:
        """Keep the client; Redis is not spoken to yet."""
        self._redis = client

    def put(
        self, atlas: str, data: bytes, layers: list[str] | None, positions: Literal["default", "all"], seconds: float
    ) -> str:
        """Post a request that is worth an answer for so many seconds; returns its id."""
        name = uuid4().hex
        body = {
            "atlas": atlas, "data": base64.b64encode(data).decode("ascii"), "layers": layers, "positions": positions,
        }  # fmt: skip
        with reaching_redis():
            self._redis.set(f"atlas:projection:{name}", json.dumps(body), px=int(seconds * 1000))
            self._redis.rpush(WAITING, name)
        return name

    def take(self, limit: int = BATCH) -> list[Request]:
        """Take the oldest requests that somebody still waits for."""
        with reaching_redis():
            names = cast("list[str] | None", self._redis.lpop(WAITING, limit)) or []
            bodies = [cast("str | None", self._redis.getdel(f"atlas:projection:{name}")) for name in names]
        return [_request(name, json.loads(body)) for name, body in zip(names, bodies, strict=True) if body]

    def answer(self, name: str, value: dict[str, Any]) -> None:
        """Answer a request."""
        with reaching_redis():
            self._redis.rpush(f"atlas:answer:{name}", json.dumps(value))
            self._redis.expire(f"atlas:answer:{name}", ANSWER_SECONDS)

    def wait(self, name: str, seconds: float) -> dict[str, Any] | None:
        """The answer to a request, None where none came in time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            with reaching_redis():
                found = cast("list[str] | None", self._redis.blpop([f"atlas:answer:{name}"], min(left, POLL_SECONDS)))
            if found:
                return cast("dict[str, Any]", json.loads(found[1]))
        return None


def _request(name: str, body: dict[str, Any]) -> Request:
    return Request(name, body["atlas"], base64.b64decode(body["data"]), body["layers"], body["positions"])
