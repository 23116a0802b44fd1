"""What pictures are known by: digests of their bytes, read by several threads, where nothing cheaper is known."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from atlas_core.errors import ImageError

if TYPE_CHECKING:
    from atlas_core.datasets.sources import Entry, Source

THREADS = 8
AHEAD = 64
TOLD_EVERY = 200


def identified(
    source: Source, prefix: str, entries: Sequence[Entry], on_progress: Callable[[int, int], None] | None = None
) -> tuple[list[Entry], list[dict[str, str]]]:
    """Entries with their identities, and those that cannot be read.

    Args:
        source: Where the bytes are.
        prefix: Goes before an entry's name.
        entries: Pictures, in order.
        on_progress: Called with entries done and all of them; cancels by raising.

    Returns:
        Good entries in order, and `image` and `reason` of the others.
    """

    def check(entry: Entry) -> Entry:
        if entry.wrong is not None or entry.size == 0:
            return entry._replace(wrong=entry.wrong or "an empty file")
        if entry.identity is not None:
            return entry
        try:
            content = source.read(prefix + entry.name, entry.span)
        except ImageError as error:
            return entry._replace(wrong=error.detail)
        if not content.data:
            return entry._replace(wrong="an empty file")
        return entry._replace(identity=content.identity or hashlib.sha256(content.data).hexdigest())

    good: list[Entry] = []
    skipped: list[dict[str, str]] = []
    for done, entry in enumerate(_ahead(check, entries), 1):
        if entry.wrong is None:
            good.append(entry)
        else:
            skipped.append({"image": entry.name, "reason": entry.wrong})
        if on_progress is not None and (done % TOLD_EVERY == 0 or done == len(entries)):
            on_progress(done, len(entries))
    return good, skipped


def _ahead(check: Callable[[Entry], Entry], entries: Sequence[Entry]) -> Iterator[Entry]:
    if all(entry.identity is not None for entry in entries):
        yield from map(check, entries)
        return
    waiting: deque[Future[Entry]] = deque()
    with ThreadPoolExecutor(THREADS, thread_name_prefix="identify") as pool:
        try:
            for entry in entries:
                waiting.append(pool.submit(check, entry))
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
