import subprocess
import sys
from pathlib import Path

import pytest

from atlas_core import devices
from atlas_core.errors import ConflictError


def test_auto_is_a_cpu_where_there_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "DEVICE_NODES", tmp_path)
    assert devices.resolved("auto") == "cpu"
    assert devices.resolved("cuda:3") == "cuda:3"


def test_auto_asks_torch_where_there_is_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(devices, "DEVICE_NODES", tmp_path)
    for answer, expected in (("sys.exit(0)", "cuda"), ("sys.exit(1)", "cpu"), ("import no_such_torch", "cpu")):
        monkeypatch.setattr(devices, "ASKING", f"import sys; {answer}")
        assert devices.resolved("auto") == expected


def test_a_gpu_has_one_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    first = devices.claim("cuda", tmp_path)
    with pytest.raises(ConflictError, match=r"GPU 0 is in use by another worker \(process \d+\).*ATLAS_DEVICE=cuda:N"):
        devices.claim("cuda:0", tmp_path)
    other = devices.claim("cuda:1", tmp_path)
    assert devices.claim("cpu", tmp_path) is None
    assert first is not None
    first.close()
    again = devices.claim("cuda", tmp_path)
    for held in (other, again):
        assert held is not None
        held.close()


def test_a_gpu_is_the_same_under_another_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    held = devices.claim("cuda:1", tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    with pytest.raises(ConflictError, match="GPU 3"):
        devices.claim("cuda", tmp_path)
    assert held is not None
    held.close()


def test_a_killed_worker_leaves_its_gpu(tmp_path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from atlas_core import devices
held = devices.claim("cuda", Path({str(tmp_path)!r}))
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    held = devices.claim("cuda", tmp_path)
    assert held is not None
    held.close()


def test_processes_do_not_share_a_gpu() -> None:
    devices.check_processes("cpu", 8)
    devices.check_processes("cuda", 1)
    with pytest.raises(ConflictError, match=r"2 processes would share the device cuda:1.*-c 1"):
        devices.check_processes("cuda:1", 2)


def test_a_lock_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    (tmp_path / "atlas-gpu-0.lock").mkdir()
    with pytest.raises(ConflictError, match="TMPDIR"):
        devices.claim("cuda:0", tmp_path)
