"""Many images in one request, answered line by line in their order while the rest is still on its way.

A body goes into a file as it comes, so that who sends all of it before reading an answer is not held up by its own
answers. A few images of a batch are asked about at a time, and they leave half of the queue to single ones; where it is
full they wait. One bad image gives one problem, and the others their answers.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import os
import tempfile
from collections.abc import AsyncIterator, Coroutine
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.datastructures import FormData, UploadFile
from starlette.responses import StreamingResponse

from atlas_core.errors import AtlasError, ImageError
from service.errors import TooLargeError, TooManyError, problem_body, status_of

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from service.asking import Asking, Question

MEDIA_TYPE = "application/x-ndjson"
AT_A_TIME = 8
SHARE = 0.5
LONGEST_PAUSE = 2.0
PIECE = 1 << 20
OVERHEAD = 4096
"""Of a line, beside its image in base64."""


class Item(NamedTuple):
    """An image of a batch: its id, and its bytes or what is wrong with it."""

    id: str | int
    data: bytes | AtlasError


class Body:
    """A request's body on its way through a file.

    Args:
        receive: Gives its pieces.
        limit: Bytes at most.
    """

    def __init__(self, receive: Receive, limit: int) -> None:
        """Nothing is read yet."""
        self._receive, self._limit = receive, limit
        self._file = tempfile.TemporaryFile(prefix="atlas-batch-", buffering=0)  # noqa: SIM115  # `read` closes it
        self._size, self._ended, self._grown = 0, False, asyncio.Event()

    async def read(self) -> None:
        """Read to the end, and on until the client goes."""
        with self._file:
            while (message := await self._receive())["type"] == "http.request":
                piece = message.get("body", b"")
                self._file.write(piece[: max(0, self._limit - self._size)])
                self._size += len(piece)
                self._ended = self._ended or not message.get("more_body", False) or self._size > self._limit
                self._grown.set()

    async def lines(self, longest: int) -> AsyncIterator[bytes]:
        """The lines, as they come.

        Args:
            longest: Bytes of a line at most.

        Raises:
            TooLargeError: A line is longer, or all are over the limit.
        """
        place, rest = 0, b""
        while True:
            ended = self._ended
            piece = os.pread(self._file.fileno(), PIECE, place)
            place += len(piece)
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield line
            if len(rest) > longest:
                raise TooLargeError(f"a line is over the limit of {longest:,} bytes")
            if piece:
                continue
            if ended:
                break
            self._grown.clear()
            await self._grown.wait()
        if self._size > self._limit:
            raise TooLargeError(f"the batch is over the limit of {self._limit:,} bytes; send the rest by itself")
        yield rest


async def items_of(body: Body, limit: int) -> AsyncIterator[Item]:
    """The images of a body of lines `{"id": ..., "image": base64}`; without an id they have their line's number.

    Args:
        body: The body; empty lines are left out.
        limit: Bytes of the largest image.
    """
    number = 0
    try:
        async for line in body.lines(limit * 4 // 3 + OVERHEAD):
            if line.strip():
                yield _item(number, line, limit)
            number += 1
    except TooLargeError as error:
        yield Item(number, error)


async def items_of_form(form: FormData, limit: int) -> AsyncIterator[Item]:
    """The images of a form's fields `image`, named by their files.

    Args:
        form: Closed afterwards.
        limit: Bytes of the largest image.
    """
    try:
        for number, file in enumerate(form.getlist("image")):
            name = (file.filename if isinstance(file, UploadFile) else None) or number
            data = await file.read(limit + 1) if isinstance(file, UploadFile) else b""
            yield Item(name, _too_large(limit) if len(data) > limit else data)
    finally:
        await form.close()


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"the image is over the limit of {limit:,} bytes")


def _item(number: int, line: bytes, limit: int) -> Item:
    try:
        value = json.loads(line)
        name, text = value.get("id", number), value["image"]
        if not isinstance(name, str | int) or not isinstance(text, str):
            raise TypeError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        told = f'line {number} is no JSON object {{"id": text or number, "image": base64}}'
        return Item(number, ImageError(told, pointer="/image"))
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return Item(name, ImageError("the image is no base64", pointer="/image"))
    if len(data) > limit:
        return Item(name, _too_large(limit))
    return Item(name, data)


async def answers(
    asking: Asking, question: Question, items: AsyncIterator[Item], *, fresh: bool
) -> AsyncIterator[bytes]:
    """A line for each image, in order: `{"id": ..., "projection": ...}` or `{"id": ..., "problem": ...}`.

    Args:
        asking: Asks the workers.
        question: About each image.
        items: The images.
        fresh: Whether to compute also what is kept.
    """
    room, under_way = asyncio.Semaphore(AT_A_TIME), asyncio.Queue[asyncio.Task[bytes] | None]()
    tasks: set[asyncio.Task[Any]] = set()

    async def ask() -> None:
        try:
            async for item in items:
                await room.acquire()
                task = asyncio.create_task(_line(asking, question, item, fresh=fresh))
                tasks.add(task)
                under_way.put_nowait(task)
        finally:
            under_way.put_nowait(None)

    asker = asyncio.create_task(ask())
    try:
        while (task := await under_way.get()) is not None:
            yield await task
            tasks.discard(task)
            room.release()
        await asker
    finally:
        await cancelled(asker, *tasks)


async def _line(asking: Asking, question: Question, item: Item, *, fresh: bool) -> bytes:
    try:
        if isinstance(item.data, AtlasError):
            raise item.data
        told = b'"projection":' + await _patiently(asking, question, item.data, fresh=fresh)
    except AtlasError as error:
        body = problem_body(status_of(error), error.slug, error.detail)
        told = b'"problem":' + json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return b'{"id":' + json.dumps(item.id, ensure_ascii=False).encode() + b"," + told + b"}\n"


async def _patiently(asking: Asking, question: Question, data: bytes, *, fresh: bool) -> bytes:
    while True:
        known = None if fresh else await asking.kept(question, data)
        try:
            return known or await asking.answer(question, data, SHARE)
        except TooManyError as error:
            await asyncio.sleep(min(LONGEST_PAUSE, error.retry_seconds))


class BatchResponse(StreamingResponse):
    """Lines, sent as they are made for as long as the client is there.

    Args:
        lines: The lines.
        gone: Ends when the client goes.
    """

    media_type = MEDIA_TYPE

    def __init__(self, lines: AsyncIterator[bytes], gone: Coroutine[Any, Any, None]) -> None:
        """Nothing is sent yet."""
        super().__init__(lines, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._gone = gone

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the lines."""
        sender, gone = asyncio.create_task(self.stream_response(send)), asyncio.create_task(self._gone)
        try:
            await asyncio.wait((sender, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancelled(gone, *(() if sender.done() else (sender,)))
        if not sender.cancelled():
            sender.result()


async def cancelled(*tasks: asyncio.Task[Any]) -> None:
    """End tasks, and wait until they have let go of what they held."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
