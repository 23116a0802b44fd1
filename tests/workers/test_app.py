from __future__ import annotations

import subprocess
import sys

from atlas_core.advance import COLLECT_GARBAGE, DROP_SAMPLES, PROJECT, RUN_CHUNK
from atlas_core.inspections import INSPECT
from atlas_core.sweep import SWEEP


def test_the_parent_process_loads_no_torch_and_limits_threads() -> None:
    code = (
        "import os, sys; import workers.app; workers.app.app.loader.import_default_modules();"
        "print([name for name in ('torch', 'numba', 'onnxruntime') if name in sys.modules],"
        "os.environ['OMP_NUM_THREADS'], os.environ['NUMBA_NUM_THREADS'])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["[]", "1", "1"]


def test_every_task_that_is_asked_for_exists_and_is_acknowledged_late() -> None:
    from workers.app import app

    app.loader.import_default_modules()
    asked_for = {RUN_CHUNK, PROJECT, SWEEP, COLLECT_GARBAGE, DROP_SAMPLES, *INSPECT.values()}
    assert asked_for <= set(app.tasks)
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost
    assert app.conf.worker_prefetch_multiplier == 1
    assert app.conf.accept_content == ["json"]
