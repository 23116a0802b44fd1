"""Events of jobs on their way to readers: replayed from Redis, and told anew from the store where some are gone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import anyio
import anyio.to_thread
import redis
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect

from atlas_core.advance import TERMINAL
from atlas_core.errors import AtlasError
from atlas_core.events import Event, parse, place, stream_of
from atlas_core.redis_client import connect_async, reaching_redis
from service.errors import TooManyError

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

RETRY_MILLISECONDS = 3000
READ_AT_ONCE = 100
SEND_SECONDS = 60.0
"""That a reader may leave an event in its socket before it is let go."""
SNAPSHOTS = 4
"""States told anew at a time: each asks the ledger or the store for a whole plan."""
READS = 8
"""Short questions to Redis at a time, beside the streams."""


class Teller(Protocol):
    """Tells of one job from the store; its methods may block."""

    def anew(self) -> list[Event]:
        """The job's tiles, progress and state as they are now, the state last."""

    def state(self) -> Event:
        """Its state alone."""


class EventStreams:
    """Reads the streams of jobs, so that a slow reader costs a connection to Redis and no thread.

    Args:
        url: The Redis of the ledger.
        most: Streams open at a time.
        beat_seconds: After which a silent stream says that it lives.
    """

    def __init__(self, url: str, *, most: int, beat_seconds: float) -> None:
        """Redis is not spoken to yet."""
        self._redis = connect_async(
            url, decode_responses=True, socket_timeout=beat_seconds + 10, max_connections=most + READS
        )
        self._free = most
        self._most = most
        self._beat_seconds = beat_seconds
        self._threads = anyio.CapacityLimiter(SNAPSHOTS)
        self._reads = anyio.CapacityLimiter(READS)

    async def close(self) -> None:
        """Let go of every connection."""
        await self._redis.aclose()

    async def begin(self, job_id: str, after: str | None, teller: Teller) -> tuple[list[Event], str]:
        """What a reader is told first, and the cursor behind it.

        Args:
            job_id: The job.
            after: Id of the last event that the reader knows, None where it knows none.
            teller: Asked where events after that one are gone.

        Raises:
            DependencyError: Redis or the store is down.
        """
        first = await self._entries(job_id, count=1)
        if after is None and first and (first[0].type, first[0].data.get("state")) == ("state", "queued"):
            return [], "0-0"
        if after is not None and first and place(str(first[0].id)) <= place(after):
            return [], after
        return await self._anew(job_id, after, teller)

    async def _anew(self, job_id: str, after: str | None, teller: Teller) -> tuple[list[Event], str]:
        async with self._reading():
            newest = parse(await self._redis.xrevrange(stream_of(job_id), count=1))
        told = await anyio.to_thread.run_sync(teller.anew, limiter=self._threads)
        cursor = str(newest[0].id) if newest else "0-0"
        # Only the last one has an id: who is cut off before it is told everything again.
        told[-1] = told[-1]._replace(id=cursor if newest else await self._id_without_stream(told[-1], after))
        return told, cursor

    async def _id_without_stream(self, state: Event, after: str | None) -> str:
        """An id for a state of which no stream tells: no earlier than what the reader knows, nor than the job's end."""
        known = after or "0-0"
        if _ends(state):
            return max(known, _ended(state), key=place)
        async with self._reading():
            seconds, micros = await self._redis.time()
        return max(known, f"{seconds * 1000 + micros // 1000}-0", key=place)

    async def page(self, job_id: str, after: str | None, size: int, teller: Teller) -> tuple[list[Event], bool]:
        """Events after one, as many as a page takes, and whether there are more; a state told anew comes whole.

        Raises:
            DependencyError: Redis or the store is down.
        """
        told, cursor = await self.begin(job_id, after, teller)
        found = await self._entries(job_id, f"({cursor}", count=max(1, size - len(told)) + 1)
        events = [*told, *found]
        return events[: max(size, len(told))], len(events) > max(size, len(told))

    async def over(self, job_id: str, after: str, state: Event) -> bool:
        """Whether a job has ended and a reader missed nothing.

        Args:
            job_id: The job.
            after: Id of the last event that the reader knows.
            state: The job's.

        Raises:
            DependencyError: Redis is down.
        """
        if not _ends(state):
            return False
        found = await self._entries(job_id, after, count=2)
        if [event.id for event in found] == [after]:
            return _ends(found[0])
        return not found and place(after) >= place(_ended(state))

    async def _entries(self, job_id: str, start: str = "-", *, count: int) -> list[Event]:
        async with self._reading():
            return parse(await self._redis.xrange(stream_of(job_id), min=start, count=count))

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[None]:
        async with self._reads:
            with reaching_redis():
                yield

    def check_place(self) -> None:
        """Raise TooManyError where as many streams are open as may be."""
        if self._free <= 0:
            raise TooManyError(
                f"{self._most} event streams are open here, as many as may be (ATLAS_EVENT_STREAMS); try again, or "
                "ask for pages of events with Accept: application/json"
            )

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one of the streams that may be open.

        Raises:
            TooManyError: All are taken.
        """
        self.check_place()
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1

    async def follow(
        self, job_id: str, told: Sequence[Event], cursor: str, teller: Teller
    ) -> AsyncIterator[Event | None]:
        """Events as they come until the terminal one, None for each silent while; ends early when Redis does.

        Args:
            job_id: The job.
            told: What `begin` gave to be told first.
            cursor: The place behind it.
            teller: As in `begin`.
        """
        events: Sequence[Event] = told
        while True:
            for event in events:
                yield event
                if _ends(event):
                    return
            try:
                events, cursor = await self._next(job_id, cursor, teller)
            except (redis.RedisError, AtlasError):  # Redis or the store is down, or the job was dropped
                return
            if not events:
                yield None

    async def _next(self, job_id: str, cursor: str, teller: Teller) -> tuple[list[Event], str]:
        block = max(1, int(self._beat_seconds * 1000))
        found: Any = await self._redis.xread({stream_of(job_id): cursor}, count=READ_AT_ONCE, block=block)
        if not found:
            state = await anyio.to_thread.run_sync(teller.state, limiter=self._threads)
            if not _ends(state) or await self._entries(job_id, f"({cursor}", count=1):
                return [], cursor
            # It ended without an event to say so: its worker could not reach Redis, or Redis was flushed since.
            return [state._replace(id=max(cursor, _ended(state), key=place))], cursor
        events = parse(found[0][1])
        oldest = await self._entries(job_id, count=1)
        if cursor != "0-0" and oldest and place(str(oldest[0].id)) > place(cursor):
            return await self._anew(job_id, None, teller)  # trimmed under a slow reader, flushed, or another attempt
        return events, str(events[-1].id)


def _ends(event: Event) -> bool:
    return event.type == "state" and event.data["state"] in TERMINAL


def _ended(state: Event) -> str:
    """When a job ended, as an id."""
    return f"{int(datetime.fromisoformat(state.data['finished']).timestamp() * 1000)}-0"


class EventStreamResponse(StreamingResponse):
    """Server-sent events.

    Args:
        streams: Whose places are few.
        events: None for a silent while.
    """

    media_type = "text/event-stream"

    def __init__(self, streams: EventStreams, events: AsyncIterator[Event | None]) -> None:
        """Nothing is sent yet."""
        super().__init__(_lines(events), headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events, where there is a place for another stream."""

        async def patient(message: Message) -> None:
            with anyio.move_on_after(SEND_SECONDS) as waited:
                await send(message)
            if waited.cancelled_caught:
                raise ClientDisconnect

        with self._streams.place(), suppress(ClientDisconnect):  # the server closes what was not sent to its end
            await super().__call__(scope, receive, patient)


async def _lines(events: AsyncIterator[Event | None]) -> AsyncIterator[str]:
    yield f"retry: {RETRY_MILLISECONDS}\n\n"
    async for event in events:
        yield ": still here\n\n" if event is None else as_text(event)


def as_text(event: Event) -> str:
    """An event as the lines that go over the wire."""
    name = "" if event.id is None else f"id: {event.id}\n"
    return f"{name}event: {event.type}\ndata: {json.dumps(event.data)}\n\n"
