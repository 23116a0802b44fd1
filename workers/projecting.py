"""Projections, answered while their clients wait.

On a CPU an image is a forward pass of its own on one thread, so that its answer has the same bytes alone and in
company; a worker uses its cores for several such passes side by side. It takes no more requests than it has threads
free: what is not taken yet can still be withdrawn, or taken by another worker. On a GPU it takes a batch at once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import groupby
from typing import TYPE_CHECKING, Any

from atlas_core import devices
from atlas_core.advance import plan_of_attempt
from atlas_core.batch import as_json
from atlas_core.errors import AtlasError, DependencyError
from atlas_core.origin import about
from atlas_core.tracing import span
from workers.runtime import Process, told

if TYPE_CHECKING:
    from atlas_core.mailbox import Request

log = logging.getLogger(__name__)
TURN_SECONDS = 2.0
"""After which others that wait for this process have their turn."""
LINGER_SECONDS = 0.05
"""That a process with nothing to do waits for the next request; to be woken takes about as long."""
BATCH = 32
"""Requests that a GPU takes at once."""
NEWEST = 0.1
"""Weight of the newest request in the pace."""


class Projecting:
    """What a worker process needs to answer projections.

    Args:
        here: The process.
        wake: Has another task sent, for this process or a free one.
    """

    def __init__(self, here: Process, wake: Callable[[], None]) -> None:
        """Nothing heavy is loaded yet."""
        self._here, self._wake = here, wake
        gpu = devices.is_gpu(here.settings.device)
        self._at_once, self._threads = (BATCH, 1) if gpu else (1, here.settings.projection_threads)
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="project")
        self._loaded: set[str] = set()
        self._seconds: float | None = None

    def turn(self) -> None:
        """Answer what waits, and what comes meanwhile, for as long as a turn lasts."""
        mailbox, began = self._here.mailbox, time.monotonic()
        mailbox.begin()
        busy: set[Future[None]] = set()
        while time.monotonic() - began < TURN_SECONDS:
            if len(busy) == self._threads:
                busy = wait(busy, return_when=FIRST_COMPLETED).not_done
            requests = mailbox.take(self._at_once, LINGER_SECONDS)
            if requests:
                busy.add(self._pool.submit(self._serve, requests))
                continue
            busy = {future for future in busy if not future.done()}
            if not busy:
                break
        wait(busy)
        if self._seconds is not None:
            mailbox.note_pace(self._here.name, self._seconds / self._threads)
        if mailbox.waiting():
            self._wake()

    def _serve(self, requests: Sequence[Request]) -> None:
        """Answer requests, and learn how long one takes; what has to be loaded first does not count."""
        began, atlases = time.monotonic(), {request.atlas for request in requests}
        loaded = atlases <= self._loaded  # before: who waits while another loads takes as long
        for _, some in groupby(sorted(requests, key=_alike), _alike):
            alike = list(some)
            with (
                about(**alike[0].origin, job=alike[0].atlas),
                span("project", "CONSUMER", atlas=alike[0].atlas, images=len(alike)),
            ):
                self._answer(alike)
        seconds = (time.monotonic() - began) / len(requests)
        if loaded:
            self._seconds = seconds if self._seconds is None else self._seconds + NEWEST * (seconds - self._seconds)
        self._loaded |= atlases

    def _answer(self, requests: Sequence[Request]) -> None:
        for request, (data, failed) in zip(requests, self._answers(requests), strict=True):
            try:
                self._here.mailbox.answer(request, data, failed=failed)
            except DependencyError as error:  # whoever asked is told that nobody answered
                log.warning("an answer is lost: %s", error.detail)

    def _count(self, atlas: str, values: Sequence[Mapping[str, Any] | AtlasError]) -> None:
        for value in values:
            if not isinstance(value, AtlasError) and value["novelty"] is not None:
                self._here.ledger.meters.count("atlas_novelty_images_total", atlas, value["novelty"]["word"])
        self._here.note_memory()

    def _answers(self, requests: Sequence[Request]) -> list[tuple[bytes, bool]]:
        """The answers to requests that differ in their images alone, and which say that there is none."""
        from atlas_core.project import project_images
        from atlas_core.resembling import Like, resembling

        first = requests[0]
        try:
            plan = plan_of_attempt(self._here.store, first.atlas, first.attempt)
            images = [request.data for request in requests]
            if first.like is not None:
                like, layer = Like(**first.like), (first.layers or plan.spec.layers)[0]
                return [(as_json(resembling(plan, self._here.runtime, image, layer, like)), False) for image in images]
            values = project_images(plan, self._here.runtime, images, first.layers, first.positions)
            self._count(first.atlas, values)
            return [_failure(value) if isinstance(value, AtlasError) else (as_json(value), False) for value in values]
        except Exception as error:
            if not isinstance(error, AtlasError):
                log.exception("a projection failed")
            return [_failure(error)] * len(requests)


def _alike(request: Request) -> tuple[str, ...]:
    unlike = str(request.name) if request.like is not None else ""  # what is searched is searched one by one
    return request.atlas, str(request.attempt), request.positions, *(request.layers or []), unlike


def _failure(error: Exception) -> tuple[bytes, bool]:
    return as_json({**told(error), "pointer": getattr(error, "pointer", None)}), True
