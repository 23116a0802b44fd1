"""The images' own commands and health checks, run here as written: there is no engine to run the images."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SECONDS = 60.0


def _instruction(dockerfile: str, name: str) -> list[str]:
    """The command of the last CMD, or of the HEALTHCHECK's CMD, in JSON form."""
    text = (ROOT / dockerfile).read_text()
    pattern = r"^HEALTHCHECK [^\[]*CMD (\[.*\])$" if name == "HEALTHCHECK" else r"^CMD (\[.*\])$"
    command: list[str] = json.loads(re.findall(pattern, text, re.MULTILINE)[-1])
    return command


def _environment(redis_url: str, folder: Path, **more: str) -> dict[str, str]:
    return os.environ | {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "ATLAS_REDIS_URL": redis_url,
        "ATLAS_STORE_URL": folder.as_uri(),
        "OMP_NUM_THREADS": "1",
        "REMAP_SIGTERM": "SIGQUIT",
        **more,
    }


@contextmanager
def _running(command: list[str], environment: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def _wait_until_healthy(
    check: list[str], environment: dict[str, str], process: subprocess.Popen[bytes], folder: Path
) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if subprocess.run(check, env=environment, cwd=folder, capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.2)
    pytest.fail(f"never healthy:\n{(folder / 'log').read_text()}")


def test_the_workers_image_starts_a_healthy_worker_and_stops_when_told(redis_server: str, tmp_path: Path) -> None:
    environment = _environment(redis_server, tmp_path, WORKER_QUEUES="interactive", WORKER_CONCURRENCY="1")
    check = [part.replace("--timeout 10", "--timeout 2") for part in _instruction("workers/Dockerfile", "HEALTHCHECK")]
    with _running(_instruction("workers/Dockerfile", "CMD"), environment, tmp_path) as process:
        _wait_until_healthy(check, environment, process, tmp_path)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def test_the_apis_image_starts_a_healthy_api_and_stops_when_told(
    redis_server: str, free_port: int, tmp_path: Path
) -> None:
    def here(command: list[str]) -> list[str]:
        return [part.replace("8000", str(free_port)).replace("0.0.0.0", "127.0.0.1") for part in command]

    environment = _environment(redis_server, tmp_path)
    check = here(_instruction("service/Dockerfile", "HEALTHCHECK"))
    check[0] = sys.executable
    with _running(here(_instruction("service/Dockerfile", "CMD")), environment, tmp_path) as process:
        _wait_until_healthy(check, environment, process, tmp_path)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
