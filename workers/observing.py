"""What is told of every message: how long it waited, and whose request it belongs to, in logs and traces."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

from celery import signals

from atlas_core import logs, tracing
from atlas_core.origin import about, carried
from atlas_core.settings import Settings
from atlas_core.workload import SENT
from workers.runtime import current_queue, process

_running = ExitStack()


@signals.celeryd_init.connect  # the first of all, for what is said before the worker starts
@signals.setup_logging.connect
def _log(**_: object) -> None:
    logs.configure(Settings())


@signals.worker_process_init.connect
def _child(**_: object) -> None:
    tracing.enable(Settings(), "worker")  # what sends spans is a thread, which does not survive a fork


@signals.worker_process_shutdown.connect
def _end(**_: object) -> None:
    tracing.disable()


@signals.task_prerun.connect
def _begins(task: Any, **_: object) -> None:
    _running.enter_context(about(**carried(vars(task.request))))
    sent = task.request.get(SENT)
    if sent is not None:
        queue = current_queue()
        process().ledger.meters.observe("atlas_queue_wait_seconds", max(0.0, time.time() - sent), queue)
        tracing.waited(f"wait in {queue}", sent)


@signals.task_postrun.connect
def _ends(**_: object) -> None:
    _running.close()
