"""Which device a process computes on, and that it has it to itself. Free of torch: a worker's parent never loads it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from atlas_core.errors import ConflictError

CPU, CUDA, AUTO = "cpu", "cuda", "auto"
PATTERN = r"^(auto|cpu|cuda(:\d{1,2})?)$"
DEVICE_NODES = Path("/dev")
ASKING = "import sys, torch; sys.exit(not torch.cuda.is_available())"
ASKING_SECONDS = 120


def resolved(device: str) -> str:
    """A device for `auto`: `cuda` where torch can use an NVIDIA GPU, else `cpu`; others stay as they are.

    torch is asked in a process of its own, and only where the machine has such a GPU.
    """
    if device != AUTO:
        return device
    if not any(DEVICE_NODES.glob("nvidia[0-9]*")):
        return CPU
    try:
        subprocess.run([sys.executable, "-c", ASKING], stdin=subprocess.DEVNULL, capture_output=True, check=True,
                       timeout=ASKING_SECONDS)  # fmt: skip
    except subprocess.SubprocessError:
        return CPU
    return CUDA


def is_gpu(device: str) -> bool:
    """Whether a resolved device is a GPU."""
    return device != CPU


def claim(device: str, folder: Path | None = None) -> IO[str] | None:
    """Take a GPU for this process and its children, until they have all ended, however they end.

    Two that share one GPU take each other's memory in the middle of a batch. Only processes that share a folder for
    temporary files see each other's locks: containers are given a GPU each by whoever runs them.

    Args:
        device: Resolved.
        folder: Where the locks of this machine are; its folder for temporary files by default.

    Returns:
        What holds the claim; keep it. None for a CPU.

    Raises:
        ConflictError: Another process of this machine has it.
    """
    if not is_gpu(device):
        return None
    name = f"atlas-gpu-{_physical(device)}.lock"
    try:
        held = ((folder or Path(tempfile.gettempdir())) / name).open("a+", encoding="utf-8")
    except OSError as error:
        raise ConflictError(
            f"the lock {name} of the GPU cannot be opened ({error.strerror}): another user of this machine has it; run "
            "workers as one user, or name a folder of your own in TMPDIR"
        ) from None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        held.seek(0)
        other = held.read().strip() or "unknown"
        held.close()
        raise ConflictError(
            f"the GPU {_physical(device)} is in use by another worker (process {other}); run one worker a GPU, and "
            "give each its own with ATLAS_DEVICE=cuda:N or CUDA_VISIBLE_DEVICES, or this one ATLAS_DEVICE=cpu"
        ) from None
    held.truncate(0)
    held.write(str(os.getpid()))
    held.flush()
    return held


def check_processes(device: str, processes: int) -> None:
    """Refuse a pool that would share a GPU.

    Raises:
        ConflictError: There is more than one process.
    """
    if is_gpu(device) and processes > 1:
        raise ConflictError(
            f"{processes} processes would share the device {device}: run this worker with one (`-c 1`), which fills a "
            "GPU by itself, and chunks for the CPU in another worker (`-Q cpu`, ATLAS_DEVICE=cpu)"
        )


def _physical(device: str) -> str:
    """The GPU's number or id on the machine, whatever CUDA_VISIBLE_DEVICES calls it."""
    number = int(device.partition(":")[2] or 0)
    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return (visible[number] if number < len(visible) else str(number)).replace("/", "_")
