"""Scratch folders are gone with the work, and with a process that was killed once another starts."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from atlas_core.scratch import YOUNG_SECONDS, clear_scratch, scratch

HOLD = """
import time
from atlas_core.scratch import scratch
with scratch() as folder:
    (folder / "held").write_bytes(bytes(9))
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def aged(folder: Path) -> None:
    old = time.time() - 2 * YOUNG_SECONDS
    os.utime(folder, (old, old))


def test_it_is_gone_with_the_work() -> None:
    with scratch() as folder:
        (folder / "file").write_bytes(b"1")
    assert not folder.exists()


def test_what_a_killed_process_left_is_cleared_and_what_is_in_use_or_young_is_kept(tmp_path: Path) -> None:
    command, environment = [sys.executable, "-c", HOLD], {**os.environ, "TMPDIR": str(tmp_path)}
    killed, living = (subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(2))
    try:
        left, held = (Path(process.stdout.readline().strip()) for process in (killed, living) if process.stdout)
        killed.kill()
        killed.wait()
        (other := tmp_path / "somebody-else").mkdir()
        for folder in (held, other):
            aged(folder)
        assert clear_scratch() == 0  # what is left could be of one that has not locked it yet
        aged(left)
        assert clear_scratch() == 1
        assert (left.exists(), (held / "held").exists(), other.exists()) == (False, True, True)
    finally:
        for process in (killed, living):
            process.kill()
            process.communicate()
