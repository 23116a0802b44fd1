"""A batch of images that nobody waits for, on its way into the store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool

from atlas_core.batch import (
    MOST_IMAGES,
    PART_BYTES,
    PART_IMAGES,
    BatchRequest,
    image_line,
    plan_batch,
    problem_line,
)
from atlas_core.errors import AtlasError, InputError, SpecError
from service.asked import ask
from service.errors import TooLargeError

if TYPE_CHECKING:
    from fastapi import Response

    from atlas_core.plan import Plan
    from service.asking import Question
    from service.batches import Item
    from service.dependencies import Services


def check_kept(plan: Plan) -> None:
    """Refuse to keep pictures for an atlas that keeps none.

    Raises:
        SpecError: Its privacy is strict.
    """
    if plan.spec.strict:
        raise SpecError("this atlas was made with privacy `strict`, which keeps no picture: send the batch without "
                        "`Prefer: respond-async`, which needs none kept")  # fmt: skip


async def keep(
    services: Services, question: Question, items: AsyncIterator[Item], response: Response
) -> dict[str, Any]:
    """Put images into the store, part by part, and submit the job that answers them.

    Args:
        services: Where to.
        question: About each image.
        items: The images.
        response: Given the job's location.

    Raises:
        InputError: There are no images.
        TooLargeError: There are too many.
    """
    parts, count, part = [], 0, list[bytes]()

    def stored(data: bytes) -> str:
        services.upload(len(data))
        return services.store.put_blob(data)

    async def put() -> None:
        parts.append(await run_in_threadpool(stored, b"".join(part)))
        part.clear()

    async for item in items:
        if isinstance(item.data, AtlasError):
            part.append(problem_line(item.id, item.data))
        else:
            part.append(image_line(item.id, item.data))
        count += 1
        if count > MOST_IMAGES:
            raise TooLargeError(f"a batch that is kept has {MOST_IMAGES:,} images at most; send the rest by itself")
        if len(part) == PART_IMAGES or sum(map(len, part)) > PART_BYTES:
            await put()
    if part:
        await put()
    if not count:
        raise InputError("the batch has no image")
    request = BatchRequest(layers=question.layers, positions=question.positions, images=count, parts=parts)

    def submit() -> dict[str, Any]:
        return ask(services, plan_batch(services.artifacts.plan(question.atlas), request), response)

    return await run_in_threadpool(submit)
