"""What a worker's child process holds: its settings, store and ledger, and atlas_core's caches, each made once."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from celery import current_task

from atlas_core import devices
from atlas_core.errors import AtlasError, CancelledError, DependencyError, InputError
from atlas_core.mailbox import Mailbox
from atlas_core.redis_client import connect
from atlas_core.scratch import clear_scratch
from atlas_core.settings import Settings
from atlas_core.store import open_store
from atlas_core.workload import Workload
from workers.parent import WORKER_ID, ledger_of

if TYPE_CHECKING:
    from atlas_core.chunk_ledger import Error
    from atlas_core.models.inspector import Inspector
    from atlas_core.runtime import Runtime

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")
OnProgress = Callable[[int, int], None]
REPORT_SECONDS = 0.5
OUTAGE_RETRY_SECONDS = 3.0
MARK_RETRY_SECONDS = 1.0


class Process:
    """One child process.

    Args:
        settings: Where the store and Redis are.

    Attributes:
        name: Of this process among all workers'.
    """

    def __init__(self, settings: Settings) -> None:
        """Clear away what killed processes left, and open the store and the ledger; nothing heavy is loaded yet."""
        clear_scratch()
        self.settings = settings
        self.store = open_store(settings.store_url)
        self.ledger = ledger_of(settings)
        self.mailbox = Mailbox(
            connect(settings.cache_url or settings.redis_url, decode=False),
            keep_seconds=settings.projection_cache_seconds,
            keep_bytes=settings.projection_cache_bytes,
        )
        self.workload = Workload(connect(settings.redis_url))
        self._worker = os.environ.get(WORKER_ID, "")
        self.name = f"{self._worker}/{os.getpid()}"

    @cached_property
    def runtime(self) -> Runtime:
        """Models, datasets and tables of atlas_core; loads torch."""
        from atlas_core.runtime import Runtime

        self.limit_threads()
        return Runtime(self.store, stores=self.settings.dataset_stores, device=devices.resolved(self.settings.device))

    @cached_property
    def inspector(self) -> Inspector:
        """Has models looked at by a confined process, which stands by once one was asked for."""
        from atlas_core.models.inspector import Inspector

        return Inspector(self.settings.inspection_bytes, self.settings.inspection_seconds)

    def limit_threads(self) -> None:
        """Hold torch to one thread, so that bytes do not depend on the number of cores."""
        import torch

        torch.set_num_threads(1)

    def under_lease(
        self,
        key: str,
        work: Callable[[OnProgress], None],
        job_id: str | None = None,
        tell: OnProgress = lambda done, total: None,
        *,
        stage: str = "other",
    ) -> bool:
        """Do work that the ledger guards, and mark how it ended.

        Args:
            key: Of the chunk or inspection.
            work: Given where to report progress; reporting raises once the job is cancelled.
            job_id: The job that may be cancelled.
            tell: Told of progress, too, as often as the ledger.
            stage: What it is counted as.

        Returns:
            False where the ledger gave no lease: done already, parked, or in other hands.
        """
        token, began = uuid4().hex, time.monotonic()
        noted = {"queue": current_queue(), "stage": stage}
        if not marked(partial(self.ledger.lease, key, token, self._worker, os.getpid(), **noted)):
            return False
        fail = partial(self.ledger.fail, key, token, worker=self._worker)
        failure: Error | None = None
        try:
            work(self._reporter(key, job_id, tell))
        except CancelledError:
            mark = partial(self.ledger.release, key, token, worker=self._worker)
        except DependencyError as error:
            failure = told(error)
            mark = partial(fail, failure, retry_in=OUTAGE_RETRY_SECONDS, counted=False)
        except InputError as error:
            failure = told(error)
            mark = partial(self.ledger.park, key, token, failure, worker=self._worker)
        except Exception as error:
            log.exception("%s failed", key[:12])
            failure = told(error)
            mark = partial(fail, failure, retry_in=1)
        except BaseException:
            with suppress(DependencyError):  # this process ends, so the parent gives the lease back
                self.ledger.release(key, token, worker=self._worker)
            raise
        else:
            mark = partial(self.ledger.complete, key, token, self._worker)
            seconds = time.monotonic() - began
            self.ledger.meters.observe("atlas_chunk_seconds", seconds, stage)
            log.info("%s %s took %.1f s", stage, key[:12], seconds)
        marked(mark)
        if failure is not None:
            self.ledger.meters.count("atlas_chunk_failures_total", stage, failure["type"])
        if failure is not None and job_id is not None:
            self.ledger.events.error(job_id, {**failure, "chunk": key[:12]})
        return True

    @contextmanager
    def at_work(self, stage: str) -> Iterator[None]:
        """Tell those who watch that this process is at something that is no chunk."""
        token = uuid4().hex
        with suppress(DependencyError):
            self.ledger.begin(token, self._worker, os.getpid(), queue=current_queue(), stage=stage)
        try:
            yield
        finally:
            with suppress(DependencyError):  # the parent forgets what an ended process was at
                self.ledger.end(token, self._worker)

    def note_memory(self) -> None:
        """Tell how much of the GPU's memory is taken, where this process computes on one."""
        if devices.is_gpu(device := devices.resolved(self.settings.device)):
            import torch

            free, total = torch.cuda.mem_get_info(torch.device(device))
            with suppress(DependencyError):
                self.workload.note_memory(self._worker, total - free, total)

    def _reporter(self, key: str, job_id: str | None, tell: OnProgress) -> OnProgress:
        last = time.monotonic()

        def report(done: int, total: int) -> None:
            nonlocal last
            if time.monotonic() - last < REPORT_SECONDS:
                return
            last = time.monotonic()
            try:
                cancelled = job_id is not None and self.ledger.cancelled(job_id)
                self.ledger.report(key, done, total)
                tell(done, total)
            except DependencyError:
                return  # the chunk does not need Redis to finish
            if cancelled:
                raise CancelledError(f"the job {job_id} was cancelled")

        return report


def current_queue() -> str:
    """The queue that the message of the running task came from; empty outside of a task."""
    task = current_task
    return str((task.request.delivery_info or {}).get("routing_key", "")) if task else ""


def marked(mark: Callable[[], Answer]) -> Answer:
    """Make a mark in the ledger, again and again while Redis is down.

    A mark that is given up would leave its chunk leased for as long as this process lives: the parent renews it.
    """
    while True:
        try:
            return mark()
        except DependencyError as error:
            log.warning("a mark in the ledger waits: %s", error.detail)
            time.sleep(MARK_RETRY_SECONDS)


def told(error: Exception) -> Error:
    """Type and detail of an error, fit for users; what is not ours is named by its type only."""
    if isinstance(error, AtlasError):
        return {"type": error.slug, "detail": error.detail}
    detail = f"it failed unexpectedly ({type(error).__name__}); the worker's log says more"
    if isinstance(error, MemoryError):
        detail = "the worker ran out of memory; give it more, or ask for fewer samples"
    return {"type": "internal", "detail": detail}


@lru_cache(maxsize=1)
def process() -> Process:
    """This process's own; made at its first task, never before the fork."""
    return Process(Settings())
