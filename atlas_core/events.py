"""What happens to a job, told as it happens: a stream in Redis for each job, that can be replayed while it lasts.

Nothing here must survive: the store says what is done, so that a reader who missed events is told the job's state
anew. A stream that cannot be written to never fails the work that it tells of. Ids are those of Redis streams,
milliseconds and a number, so they keep ascending after a flush.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import redis

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atlas_core.plan import Chunk, Plan

log = logging.getLogger(__name__)
Type = Literal["state", "progress", "tile", "error"]

KEPT = 2_000
"""Events of a job that are kept, about: the newest."""
KEPT_SECONDS = 86_400
PROGRESS_SECONDS = 0.5
"""Between two events that tell how far the running chunks of a stage are."""
TOLD_AT_ONCE = 500
JOB_FIELDS = ("state", "attempt", "error", "digest", "started", "finished")


class Event(NamedTuple):
    """One event; a reader who saw everything up to it names its id. None in the middle of a retold state."""

    id: str | None
    type: str
    data: dict[str, Any]


# KEYS: stream, chunks told of as done, shares of running chunks.
# ARGV: stage, its chunks in all, kept, milliseconds, then a key and a tile each
_DONE = """
local new = 0
for place = 5, #ARGV, 2 do
  if redis.call('SADD', KEYS[2], ARGV[place]) == 1 then
    new = new + 1
    redis.call('HDEL', KEYS[3], ARGV[place])
    if ARGV[place + 1] ~= '' then
      redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', 'type', 'tile', 'data', ARGV[place + 1])
    end
  end
end
if new == 0 then return 0 end
"""

_PROGRESS = """
local done = redis.call('SCARD', KEYS[2])
local running, parts = 0, 0
for _, share in ipairs(redis.call('HVALS', KEYS[3])) do
  running = running + 1
  parts = parts + tonumber(share)
end
local total = tonumber(ARGV[2])
local fraction = math.floor(math.min(1, (done + parts) / math.max(1, total)) * 10000 + 0.5) / 10000
local data = string.format('{"stage":"%s","done":%d,"running":%d,"total":%d,"fraction":%.4g}',
                           ARGV[1], done, running, total, fraction)
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', 'type', 'progress', 'data', data)
for place = 1, 3 do redis.call('PEXPIRE', KEYS[place], ARGV[4]) end
return 1
"""

# KEYS: and what holds back the next. ARGV: stage, its chunks in all, kept, milliseconds, key, share, held back for
_RUNNING = """
redis.call('HSET', KEYS[3], ARGV[5], ARGV[6])
if not redis.call('SET', KEYS[4], '1', 'NX', 'PX', ARGV[7]) then return 0 end
"""


def stream_of(job_id: str) -> str:
    """The key of a job's stream."""
    return f"atlas:events:{job_id}"


class Events:
    """The streams of all jobs.

    Args:
        client: Decodes its responses.
    """

    def __init__(self, client: redis.Redis) -> None:
        """Register the scripts; Redis is not spoken to yet."""
        self._redis = client
        self._done = client.register_script(_DONE + _PROGRESS)
        self._running = client.register_script(_RUNNING + _PROGRESS)

    def begin(self, job: Mapping[str, Any], plan: Plan) -> None:
        """Tell that an attempt at a job is queued; what was told of an earlier one is dropped."""
        stages = {chunk.stage for chunk in plan.chunks}
        keys = [stream_of(plan.id), *(key for stage in stages for key in _keys(plan.id, stage)[1:])]
        try:
            self._redis.delete(*keys)
        except redis.RedisError as error:
            _lost(error)
        self.state(job)

    def state(self, job: Mapping[str, Any]) -> None:
        """Tell a job's state; where it failed, the error before it."""
        if job["state"] == "failed" and job["error"]:
            self.error(job["id"], job["error"], final=True)
        self._add(job["id"], "state", state_data(job))

    def error(self, job_id: str, error: Mapping[str, Any], *, final: bool = False) -> None:
        """Tell that an attempt at a chunk failed, or with `final` the job."""
        self._add(job_id, "error", {**error, "final": final})

    def running(self, plan: Plan, chunk: Chunk, done: int, total: int) -> None:
        """Tell how far a running chunk is, not more often than its stage can be followed."""
        if not plan.brings(chunk):
            return
        share = min(1.0, done / max(1, total))
        stage = _stage(plan, chunk.stage)
        keys = [*_keys(plan.id, chunk.stage), f"atlas:told:{plan.id}:{chunk.stage}:wait"]
        self._run(self._running, keys, *stage, _short(chunk.key), f"{share:.4f}", int(PROGRESS_SECONDS * 1000))

    def done(self, plan: Plan, chunks: Iterable[Chunk]) -> None:
        """Tell of chunks that are done, and of the tiles and levels that can be read now; each is told once."""
        stages: dict[str, list[str]] = {}
        for chunk in filter(plan.brings, chunks):
            tile = tile_data(plan, chunk)
            stages.setdefault(chunk.stage, []).extend((_short(chunk.key), json.dumps(tile) if tile else ""))
        for stage, told in stages.items():
            for first in range(0, len(told), 2 * TOLD_AT_ONCE):
                part = told[first : first + 2 * TOLD_AT_ONCE]
                self._run(self._done, _keys(plan.id, stage), *_stage(plan, stage), *part)

    def _add(self, job_id: str, type: Type, data: Mapping[str, Any]) -> None:
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                fields: Any = {"type": type, "data": json.dumps(data)}
                pipe.xadd(stream_of(job_id), fields, maxlen=KEPT, approximate=True)
                pipe.expire(stream_of(job_id), KEPT_SECONDS)
                pipe.execute()
        except redis.RedisError as error:
            _lost(error)

    def _run(self, script: Any, keys: Sequence[str], *arguments: str | int) -> None:
        try:
            script(keys=list(keys), args=list(arguments))
        except redis.RedisError as error:
            _lost(error)


def _lost(error: Exception) -> None:
    log.warning("an event is lost, the work goes on (%s)", type(error).__name__)


def _short(key: str) -> str:
    return key[:16]


def _keys(job_id: str, stage: str) -> list[str]:
    return [stream_of(job_id), f"atlas:told:{job_id}:{stage}", f"atlas:told:{job_id}:{stage}:running"]


def _stage(plan: Plan, stage: str) -> tuple[str, int, int, int]:
    return stage, plan.totals[stage], KEPT, KEPT_SECONDS * 1000


def state_data(job: Mapping[str, Any]) -> dict[str, Any]:
    """What a `state` event says of a job."""
    return {field: job.get(field) for field in JOB_FIELDS}


def tile_data(plan: Plan, chunk: Chunk) -> dict[str, Any] | None:
    """What a `tile` event says of a chunk that made a tile or published a level; None of any other chunk."""
    parameters = chunk.parameters
    if not chunk.is_tile and parameters.get("step") != "level":
        return None
    told: dict[str, Any] = {name: parameters[name] for name in ("layer", "side", "x", "y") if name in parameters}
    if "x" in told:
        told["preview"] = chunk.stage == "preview"
    return {**told, "z": (plan.spec.levels or [parameters["side"]]).index(parameters["side"])}


def parse(entries: Any) -> list[Event]:
    """Events of a stream's entries as Redis gives them: pairs of an id and its fields."""
    return [Event(name, fields["type"], json.loads(fields["data"])) for name, fields in entries]


def place(event_id: str) -> tuple[int, int]:
    """An event's place in time, to compare ids by.

    Raises:
        ValueError: It is no event's id.
    """
    milliseconds, _, number = event_id.partition("-")
    return int(milliseconds), int(number or 0)
