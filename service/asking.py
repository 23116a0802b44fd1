"""Asking the workers to project an image: from the event loop, so that who waits costs no thread."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast
from uuid import uuid4

import anyio
import anyio.to_thread
import redis

from atlas_core import errors, mailbox
from atlas_core.errors import AtlasError, DependencyError
from atlas_core.keys import digest
from atlas_core.mailbox import Answer, Request
from atlas_core.redis_client import connect_async, reaching_redis
from service.errors import NoAnswerError, TooManyError

if TYPE_CHECKING:
    from collections.abc import Callable

LISTEN_SECONDS = 1.0
"""After which a process whose answers do not come has a worker woken again."""
UNKNOWN_SECONDS = 3
"""To wait where no worker has said yet how long it takes."""
SLUGS = {kind.slug: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, AtlasError)}
VERSION = version("activation-atlas")


class Question(NamedTuple):
    """What is asked of an atlas about images.

    Attributes:
        atlas: Its id.
        attempt: Of its job.
        made: Keys of the chunks that made what answers: the indexes of the layers asked for and, once it is there, what
            tells new images.
        layers: None for all of the atlas.
        positions: As `project.project_image` takes them.
        like: Asks for samples most like an image, in the place of its positions, as `resembling.Like` takes it.
    """

    atlas: str
    attempt: int
    made: tuple[str, ...]
    layers: list[str] | None
    positions: Literal["default", "all"]
    like: dict[str, Any] | None = None

    def about(self, data: bytes) -> str:
        """Digest of this question about an image."""
        return digest([VERSION, *self[:2], list(self.made), *self[3:], hashlib.sha256(data).hexdigest()])


class Asking:
    """Puts images into the mailbox, waits for the answers, and withdraws what nobody waits for any more.

    Args:
        url: The Redis of the mailbox.
        wake: Has a task sent to the workers; may block.
        seconds: That an answer may take.
        most: Requests that may wait for a worker.
    """

    def __init__(self, url: str, wake: Callable[[], None], *, seconds: float, most: int) -> None:
        """Redis is not spoken to yet."""
        self._redis = connect_async(url)
        self._put = self._redis.register_script(mailbox.PUT)
        self._send, self._seconds, self._most = wake, seconds, most
        self._inbox = f"atlas:inbox:{uuid4().hex}"
        self._waiting: dict[str, asyncio.Future[Answer]] = {}
        self._listener: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Let go of every connection."""
        if self._listener is not None:
            self._listener.cancel()
        await self._redis.aclose()

    async def kept(self, question: Question, data: bytes) -> bytes | None:
        """The answer that is kept of an earlier request, None where there is none."""
        with reaching_redis():
            return cast("bytes | None", await self._redis.get(mailbox.kept_key(question.about(data))))

    async def answer(self, question: Question, data: bytes, share: float = 1.0) -> bytes:
        """Ask a worker, and wait.

        Args:
            question: What is asked.
            data: Bytes of the image.
            share: Of the queue that may be taken: who can wait leaves room for others.

        Returns:
            The answer, JSON.

        Raises:
            TooManyError: So many wait that this one would wait too long.
            NoAnswerError: No worker answered in time.
            DependencyError: Redis is down.
            AtlasError: What the worker says.
        """
        name = uuid4().hex
        request = Request(name, self._inbox, question.atlas, question.attempt, question.layers, question.positions,
                          question.about(data), data, question.like)  # fmt: skip
        future = self._waiting[name] = asyncio.get_running_loop().create_future()
        try:
            await self._post(request, math.ceil(share * self._most))
            if self._listener is None or self._listener.done():
                self._listener = asyncio.create_task(self._listen())
            answer: Answer = await asyncio.wait_for(future, self._seconds)
        except TimeoutError:
            raise NoAnswerError(
                f"no worker answered within {self._seconds:g} s; try again, and see /readyz for the workers"
            ) from None
        finally:
            del self._waiting[name]
            if not future.done() or future.cancelled():
                with anyio.CancelScope(shield=True):
                    await self._withdraw(name)
        if answer.failed:
            raise _told(answer.data)
        return answer.data

    async def _post(self, request: Request, most: int) -> None:
        with reaching_redis():
            taken, wait, woken = await self._put(**mailbox.put_call(request, seconds=self._seconds, most=most))
        if not taken:
            seconds = math.ceil(float(wait)) or UNKNOWN_SECONDS
            raise TooManyError(
                f"more projections are asked for than the workers answer (ATLAS_PROJECTION_QUEUE); try again in "
                f"{seconds} s", retry_seconds=seconds,
            )  # fmt: skip
        if woken:
            await anyio.to_thread.run_sync(self._send)

    async def _withdraw(self, name: str) -> None:
        with suppress(redis.RedisError):  # then it goes by itself
            await self._redis.delete(mailbox.body_key(name))
            await self._redis.lrem(mailbox.WAITING, 1, name)

    async def _listen(self) -> None:
        """Hand answers out while somebody waits; a worker that was woken and is gone is woken again."""
        try:
            while self._waiting:
                found = await self._redis.blpop([self._inbox], LISTEN_SECONDS)
                if found is not None:
                    self._hand_out(Answer.from_bytes(cast("bytes", found[1])))
                elif await self._redis.llen(mailbox.WAITING) and await self._redis.set(
                    mailbox.WOKEN, 1, nx=True, ex=mailbox.WOKEN_SECONDS
                ):
                    await anyio.to_thread.run_sync(self._send)
        except (redis.RedisError, DependencyError) as error:
            told = DependencyError(f"Redis cannot be reached ({type(error).__name__}); try again in a few seconds")
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(told)

    def _hand_out(self, answer: Answer) -> None:
        future = self._waiting.get(answer.name)
        if future is not None and not future.done():
            future.set_result(answer)


def _told(data: bytes) -> AtlasError:
    error = json.loads(data)
    return SLUGS.get(error["type"], AtlasError)(error["detail"], pointer=error.get("pointer"))
