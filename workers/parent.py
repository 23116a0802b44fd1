"""What the worker's parent process does while its children compute: renews leases, beats, asks for sweeps.

The children cannot: numba and torch hold the interpreter's lock there. A lease whose child died is given back at
once. Only Redis is spoken to, never the store.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from importlib.metadata import version
from typing import IO, Any
from uuid import uuid4

from atlas_core import devices
from atlas_core.advance import CPU, GPU
from atlas_core.chunk_ledger import LOST
from atlas_core.errors import AtlasError, ConflictError
from atlas_core.ledger import Ledger, Worker
from atlas_core.redis_client import connect
from atlas_core.run import die_with_parent
from atlas_core.settings import Settings
from atlas_core.sweep import SWEEP
from atlas_core.workload import stamped

log = logging.getLogger(__name__)
WORKER_ID = "ATLAS_WORKER_ID"
WORKER_PID = "ATLAS_WORKER_PID"
DEVICE = "ATLAS_DEVICE"
SWEEP_LOST_SECONDS = 15.0
VERSION = version("activation-atlas")


def name_this_worker() -> None:
    """Leave this worker's id and process where its children find them."""
    os.environ[WORKER_ID] = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
    os.environ[WORKER_PID] = str(os.getpid())


def take_device(app: Any, worker: Any) -> None:
    """Settle what the children compute on; a worker that would share a GPU does not start, and says why.

    Args:
        app: Knows the queues that are consumed.
        worker: Celery's own, about to start its pool.
    """
    device = devices.CPU
    if GPU in app.amqp.queues.consume_from:
        device = devices.resolved(Settings().device)
    try:
        devices.check_processes(device, int(worker.concurrency or len(os.sched_getaffinity(0))))
        _claims.append(devices.claim(device))
    except ConflictError as error:
        raise SystemExit(f"the worker does not start: {error.detail}") from None
    os.environ[DEVICE] = device


def end_with_parent() -> None:
    """In a child: have the kernel end it when the parent dies, also by kill -9. Linux only, else nothing."""
    die_with_parent()
    if str(os.getppid()) != os.environ.get(WORKER_PID):
        os._exit(1)


def ledger_of(settings: Settings) -> Ledger:
    """The ledger that the settings name."""
    return Ledger(
        connect(settings.redis_url),
        lease_seconds=settings.lease_seconds,
        max_attempts=settings.max_attempts,
        requeue_seconds=settings.requeue_seconds,
    )


class Keeper:
    """A thread of the parent process that keeps its worker's leases and heartbeat alive.

    Args:
        app: Sends the sweeps.
        worker: This worker.
        settings: Times and places.
    """

    def __init__(self, app: Any, worker: Worker, settings: Settings) -> None:
        """Prepare the thread; `start` runs it."""
        self._app = app
        self._worker = worker
        self._settings = settings
        self._ledger = ledger_of(settings)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and give back what the children no longer finish."""
        self._stopping.set()
        self._thread.join(timeout=5)
        try:
            for token, held in self._ledger.leases_of(self._worker.id).items():
                self._ledger.release(held.key, token, worker=self._worker.id)
            self._ledger.gone(self._worker)
        except AtlasError as error:
            log.warning("leases are left to expire: %s", error)

    def _keep(self) -> None:
        while not self._stopping.is_set():
            try:
                self.beat()
            except Exception as error:  # a thread that ends would lose every lease; the next beat tries again
                log.warning("heartbeat failed: %s", error)
            self._stopping.wait(self._settings.beat_seconds)

    def beat(self) -> None:
        """Renew leases of living children, give back those of dead ones, and ask for a sweep.

        Raises:
            DependencyError: Redis is down.
        """
        self._ledger.beat(self._worker, self._settings.lease_seconds)
        self._ledger.tell_version(self._worker, VERSION)
        for token, held in self._ledger.leases_of(self._worker.id).items():
            if _alive(held.pid):
                self._ledger.renew(held.key, token)
            else:
                log.warning("the process %d died while it ran %s %s", held.pid, held.stage, held.key[:12])
                self._ledger.lose(held.key, token, worker=self._worker.id)
                self._ledger.meters.count("atlas_chunk_failures_total", held.stage, LOST["type"])
        if CPU in self._worker.queues and self._ledger.once("sweep", SWEEP_LOST_SECONDS):
            self._app.send_task(SWEEP, queue=CPU, retry=False, headers=stamped({}))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


_keepers: list[Keeper] = []
_claims: list[IO[str] | None] = []


def start(app: Any, consumer: Any) -> None:
    """Start this worker's keeper; once, however often it reconnects."""
    if _keepers:
        return
    queues = tuple(sorted(app.amqp.queues.consume_from))
    worker = Worker(os.environ[WORKER_ID], queues, int(consumer.pool.num_processes), os.environ[DEVICE])
    keeper = Keeper(app, worker, Settings())
    _keepers.append(keeper)
    keeper.start()


def stop() -> None:
    """Stop this worker's keeper."""
    while _keepers:
        _keepers.pop().stop()
