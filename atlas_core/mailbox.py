"""Projections on their way: requests on a Redis list, answered into the inbox of the process that asked.

A request's body stands under a key of its own, which goes when its client does or when nobody waits any more; a request
without a body is skipped. Bodies and answers are bytes: a line of JSON that says what they are, and the image or the
answer itself. Answers are kept for a while by what they answer. Lost requests are asked again by the client; nothing
here must survive.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from atlas_core.redis_client import reaching_redis

if TYPE_CHECKING:
    import redis

WAITING = "atlas:projections"
"""Names of requests, the oldest first."""
WOKEN = "atlas:projections:woken"
"""There while a task is on its way to a worker: one will do, whoever it wakes takes until nothing waits."""
PACE = "atlas:projections:pace"
"""By worker process: seconds from one answer to the next while it was busy, and when that was measured."""
KEPT_BY_AGE = "atlas:projections:kept"
KEPT_BYTES = "atlas:projections:kept:bytes"
WOKEN_SECONDS = 5
INBOX_SECONDS = 60
PACE_SECONDS = 60

# KEYS: waiting, body, woken, pace. ARGV: name, body, milliseconds it is worth an answer, most that may wait, seconds
# that the wait may take, milliseconds of a wake-up, seconds of a pace. Gives: taken in, seconds to wait, wake somebody.
PUT = """
local waiting, rate, now = redis.call('LLEN', KEYS[1]), 0, tonumber(redis.call('TIME')[1])
for _, note in ipairs(redis.call('HVALS', KEYS[4])) do
  local seconds, at = string.match(note, '(%S+) (%S+)')
  if now - at <= tonumber(ARGV[7]) then rate = rate + 1 / seconds end
end
local wait = rate > 0 and waiting / rate or 0
if waiting >= tonumber(ARGV[4]) or wait > tonumber(ARGV[5]) then return {0, tostring(wait), 0} end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
redis.call('RPUSH', KEYS[1], ARGV[1])
return {1, tostring(wait), redis.call('SET', KEYS[3], '1', 'NX', 'PX', ARGV[6]) and 1 or 0}
"""

# KEYS: waiting, what stands before the names in their bodies' keys. ARGV: most to take. Gives the bodies.
_TAKE = """
local bodies = {}
for _, name in ipairs(redis.call('LPOP', KEYS[1], ARGV[1]) or {}) do
  local body = redis.call('GETDEL', KEYS[2] .. name)
  if body then bodies[#bodies + 1] = body end
end
return bodies
"""

# KEYS: inbox, kept answer, all by age, their bytes. ARGV: answer as it travels, where its JSON begins, seconds of an
# inbox, milliseconds to keep it, most bytes. The oldest make room.
_ANSWER = """
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
local kept = string.sub(ARGV[1], ARGV[2])
local size = string.len(kept)
if tonumber(ARGV[4]) == 0 or size > tonumber(ARGV[5]) then return end
redis.call('SET', KEYS[2], kept, 'PX', ARGV[4])
local time = redis.call('TIME')
if redis.call('ZADD', KEYS[3], time[1] * 1000 + math.floor(time[2] / 1000), size .. ' ' .. KEYS[2]) == 0 then return end
local held = redis.call('INCRBY', KEYS[4], size)
while held > tonumber(ARGV[5]) do
  local oldest = redis.call('ZPOPMIN', KEYS[3])[1]
  if not oldest then redis.call('DEL', KEYS[4]) return end
  local freed, name = string.match(oldest, '(%d+) (.+)')
  redis.call('DEL', name)
  held = redis.call('DECRBY', KEYS[4], freed)
end
"""


def body_key(name: str) -> str:
    """Where the body of a request stands."""
    return f"atlas:projection:{name}"


def kept_key(digest: str) -> str:
    """Where the answer to an image, an atlas and what was asked of it is kept."""
    return f"atlas:projected:{digest}"


@dataclass(frozen=True)
class Request:
    """An image to project, or to find samples like.

    Attributes:
        name: Of the request.
        inbox: List to answer into.
        atlas: Its id.
        attempt: Of its job.
        layers: None for all of the atlas.
        positions: As `project.project_image` takes them.
        keep: Digest under which the answer may be kept.
        data: Bytes of the image.
        like: What is asked for in the place of positions: samples most like it, as `resembling.Like` takes it.
        origin: The request that asks, as messages carry it.
    """

    name: str
    inbox: str
    atlas: str
    attempt: int
    layers: list[str] | None
    positions: Literal["default", "all"]
    keep: str
    data: bytes
    like: dict[str, Any] | None = None
    origin: dict[str, str] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """As it travels."""
        return _framed({key: value for key, value in vars(self).items() if key != "data"}, self.data)

    @classmethod
    def from_bytes(cls, data: bytes) -> Request:
        """The inverse of `to_bytes`; what a later version adds is left out."""
        head, body = _unframed(data)
        return cls(**{name: value for name, value in head.items() if name in cls.__dataclass_fields__}, data=body)


class Answer(NamedTuple):
    """What a request is answered: JSON, of the projection or of why there is none."""

    name: str
    failed: bool
    data: bytes

    def to_bytes(self) -> bytes:
        """As it travels."""
        return _framed({"name": self.name, "failed": self.failed}, self.data)

    @classmethod
    def from_bytes(cls, data: bytes) -> Answer:
        """The inverse of `to_bytes`."""
        head, body = _unframed(data)
        return cls(**head, data=body)


def put_call(request: Request, *, seconds: float, most: int) -> dict[str, Any]:
    """Keys and arguments of `PUT`.

    Args:
        request: The request.
        seconds: After which nobody waits for its answer.
        most: Requests that may wait.
    """
    return {
        "keys": [WAITING, body_key(request.name), WOKEN, PACE],
        "args": [request.name, request.to_bytes(), int(seconds * 1000), most, seconds, WOKEN_SECONDS * 1000,
                 PACE_SECONDS],
    }  # fmt: skip


class Mailbox:
    """The worker's side of it.

    Args:
        client: Gives its responses as bytes.
        keep_seconds: That an answer is kept.
        keep_bytes: That kept answers may take together.
    """

    def __init__(self, client: redis.Redis, *, keep_seconds: float, keep_bytes: int) -> None:
        """Keep the client; Redis is not spoken to yet."""
        self._redis = client
        self._take, self._answer = client.register_script(_TAKE), client.register_script(_ANSWER)
        self._keep_milliseconds, self._keep_bytes = int(keep_seconds * 1000), keep_bytes

    def begin(self) -> None:
        """A worker is awake; from now on the next request wakes another."""
        with reaching_redis():
            self._redis.delete(WOKEN)

    def take(self, limit: int, seconds: float) -> list[Request]:
        """Take the oldest requests that somebody still waits for.

        Args:
            limit: Requests at most.
            seconds: To wait for one where there is none.
        """
        with reaching_redis():
            bodies = cast("list[bytes]", self._take(keys=[WAITING, body_key("")], args=[limit]))
            if not bodies and seconds > 0:
                found = cast("tuple[bytes, bytes] | None", self._redis.blpop([WAITING], seconds))
                body = None if found is None else self._redis.getdel(body_key(found[1].decode()))
                bodies = [] if body is None else [cast("bytes", body)]
        return [Request.from_bytes(body) for body in bodies]

    def wake(self) -> bool:
        """Whether a task is to be sent: none is on its way."""
        with reaching_redis():
            return bool(self._redis.set(WOKEN, 1, nx=True, ex=WOKEN_SECONDS))

    def waiting(self) -> int:
        """How many wait."""
        with reaching_redis():
            return self._redis.llen(WAITING)

    def answer(self, request: Request, data: bytes, *, failed: bool = False) -> None:
        """Answer a request.

        Args:
            request: The request.
            data: JSON.
            failed: It says why there is no projection; it is not kept.
        """
        kept = bool(request.keep) and not failed
        answer = Answer(request.name, failed, data).to_bytes()
        with reaching_redis():
            self._answer(
                keys=[request.inbox, kept_key(request.keep), KEPT_BY_AGE, KEPT_BYTES],
                args=[answer, len(answer) - len(data) + 1, INBOX_SECONDS, self._keep_milliseconds if kept else 0,
                      self._keep_bytes],
            )  # fmt: skip

    def note_pace(self, worker: str, seconds: float) -> None:
        """Say how long a worker process takes from one answer to the next while it is busy."""
        with reaching_redis():
            now = self._redis.time()[0]
            self._redis.hset(PACE, worker, f"{seconds:.6f} {now}")
            self._redis.expire(PACE, PACE_SECONDS)


def _framed(head: dict[str, Any], data: bytes) -> bytes:
    return json.dumps(head).encode() + b"\n" + data


def _unframed(data: bytes) -> tuple[dict[str, Any], bytes]:
    head, _, body = data.partition(b"\n")
    return json.loads(head), body
