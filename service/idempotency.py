"""`Idempotency-Key`: a request that is sent again gets the answer that it had, and is not done twice.

Answers are kept in Redis for a day, so every API process knows them. Only what succeeded is kept: a request that was
refused, or met an outage, may be sent again with the same key, changed or not.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import zlib
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, NamedTuple
from uuid import uuid4

import redis
from fastapi import Depends, Header, Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from atlas_core.errors import ConflictError, InputError
from atlas_core.redis_client import reaching_redis

log = logging.getLogger(__name__)
Handler = Callable[[Request], Coroutine[Any, Any, Response]]

KEPT_MS = 86_400_000
IN_FLIGHT_MS = 60_000
"""After which a request whose process died no longer holds its key."""
MOST_KEYS = 5_000
MOST_BYTES = 32 << 10
"""Of a compressed answer; a longer one is not kept, and its request is done again: with the same result, by its id."""
HEADERS = ("content-type", "location", "retry-after", "cache-control")
PREFIX = "atlas:idempotent"
REPLAYED = "Idempotent-Replayed"

# KEYS: this request's, all by age. ARGV: note of one in flight, milliseconds, keys at most. Gives what is known.
_BEGIN = """
local known = redis.call('GET', KEYS[1])
if known then return known end
local time = redis.call('TIME')
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('ZADD', KEYS[2], time[1] * 1000 + math.floor(time[2] / 1000), KEYS[1])
local old = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[3])
if old > 0 then
  for place, name in ipairs(redis.call('ZPOPMIN', KEYS[2], old)) do
    if place % 2 == 1 then redis.call('DEL', name) end
  end
end
return false
"""

# KEYS: this request's, all by age. ARGV: our note, the answer (empty: forget the key), milliseconds
_END = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[2], KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return 1
"""


class InFlightError(ConflictError):
    """The same request is being answered."""

    slug = "in-flight"


class ReusedKeyError(InputError):
    """The key belongs to another request."""

    slug = "idempotency-key-reused"


class Claim(NamedTuple):
    """A key that is held while its request is answered."""

    name: str
    note: str
    fingerprint: str


class IdempotentAnswers:
    """The answers of requests with keys.

    Args:
        client: Decodes its responses.
    """

    def __init__(self, client: redis.Redis) -> None:
        """Register the scripts; Redis is not spoken to yet."""
        self._begin = client.register_script(_BEGIN)
        self._end = client.register_script(_END)

    def begin(self, path: str, key: str, body: bytes) -> Claim | Response:
        """Take a key for a request, or give the answer that it had.

        Raises:
            InFlightError: The same request is being answered.
            ReusedKeyError: The key came with another body.
            DependencyError: Redis is down.
        """
        fingerprint = hashlib.sha256(body).hexdigest()
        note = json.dumps({"fingerprint": fingerprint, "token": uuid4().hex})
        name = f"{PREFIX}:{hashlib.sha256(f'{path} {key}'.encode()).hexdigest()}"
        with reaching_redis():
            found = self._begin(keys=[name, PREFIX], args=[note, IN_FLIGHT_MS, MOST_KEYS])
        if found is None:
            return Claim(name, note, fingerprint)
        known = json.loads(found)
        if known["fingerprint"] != fingerprint:
            raise ReusedKeyError("this Idempotency-Key came with another body before; take a new key for a new request")
        if "answer" not in known:
            raise InFlightError("the same request is being answered; send it again in a few seconds")
        return _replayed(known)

    def keep(self, claim: Claim, response: Response) -> None:
        """Keep the answer of a request; one that is no success, or too long, is not kept."""
        data = base64.b64encode(zlib.compress(bytes(response.body))).decode()
        if not 200 <= response.status_code < 300 or len(data) > MOST_BYTES:
            self.forget(claim)
            return
        headers = {name: response.headers[name] for name in HEADERS if name in response.headers}
        answer = {"status": response.status_code, "headers": headers, "body": data}
        self._settle(claim, json.dumps({"fingerprint": claim.fingerprint, "answer": answer}))

    def forget(self, claim: Claim) -> None:
        """Let go of a key: its request may be sent again."""
        self._settle(claim, "")

    def _settle(self, claim: Claim, answer: str) -> None:
        try:
            self._end(keys=[claim.name, PREFIX], args=[claim.note, answer, KEPT_MS])
        except redis.RedisError as error:  # what was asked for is done all the same
            log.warning("the answer to a request with a key is not kept (%s)", type(error).__name__)


def _replayed(known: dict[str, Any]) -> Response:
    answer = known["answer"]
    headers = {**answer["headers"], REPLAYED: "true"}
    return Response(zlib.decompress(base64.b64decode(answer["body"])), answer["status"], headers)


def _described(
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key", min_length=1, max_length=255,
            description="names this request: sent again within 24 hours with the same body, it gets the same answer",
        ),
    ] = None,
) -> None:  # fmt: skip
    """The header, for /openapi.json and for its length; `IdempotentRoute` honours it."""


IDEMPOTENT = Depends(_described)
"""Among the dependencies of a route, has `IdempotentRoute` honour the key."""


class IdempotentRoute(APIRoute):
    """A route that honours `Idempotency-Key` where `IDEMPOTENT` is among its dependencies."""

    def get_route_handler(self) -> Handler:
        """Wrap the handler."""
        handle = super().get_route_handler()
        if IDEMPOTENT not in self.dependencies:
            return handle

        async def handler(request: Request) -> Response:
            key = request.headers.get("idempotency-key")
            if key is None:
                return await handle(request)
            answers: IdempotentAnswers = request.app.state.services.idempotent
            owned = f"{request.state.principal.owner} {request.url.path}"  # the same key of another owner is another
            claim = await run_in_threadpool(answers.begin, owned, key, await request.body())
            if isinstance(claim, Response):
                return claim
            try:
                response = await handle(request)
            except Exception:
                await run_in_threadpool(answers.forget, claim)
                raise
            await run_in_threadpool(answers.keep, claim, response)
            return response

        return handler
