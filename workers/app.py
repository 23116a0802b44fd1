"""The Celery application: `celery -A workers.app worker -Q cpu,gpu`.

Neither torch nor the store is touched in the worker's parent process: numerical threads and the store's own do not
survive a fork, and a pool that forks after them hangs.
"""

from __future__ import annotations

import os
import threading

from celery import Celery, signals

from atlas_core.advance import CPU, INTERACTIVE
from atlas_core.confinement import harden
from atlas_core.settings import Settings, celery_settings
from workers import parent
from workers.messages import guard

# Before numpy is loaded anywhere: one thread a process, so that bytes do not depend on the number of cores.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

app = Celery("workers", task_cls="workers.messages:IdTask", include=["workers.tasks"])
app.config_from_object(celery_settings(Settings()) | {"task_default_queue": CPU})
guard(app)


@signals.worker_init.connect
def _name_worker(sender: object, **_: object) -> None:
    parent.name_this_worker()
    parent.take_device(app, sender)


@signals.worker_ready.connect
def _start(sender: object, **_: object) -> None:
    parent.start(app, sender)


@signals.worker_shutdown.connect
def _stop(**_: object) -> None:
    parent.stop()


@signals.worker_process_init.connect
def _child(**_: object) -> None:
    parent.end_with_parent()
    harden()
    if INTERACTIVE in app.amqp.queues.consume_from:
        threading.Thread(target=_warm, name="warm", daemon=True).start()


def _warm() -> None:
    """Load what takes seconds to load before somebody waits for the first projection."""
    import numba  # noqa: F401
    import torch  # noqa: F401
