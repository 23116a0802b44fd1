"""A store served as in production, by a process of its own; without workers, for there is nothing to be made."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.engine import own_redis
from service.embedded import CONNECTION, free_port


@contextmanager
def serving(store: Path) -> Iterator[str]:
    """The service's URL while the block runs."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "service.main:create_app", "--factory", "--http",
               CONNECTION, "--port", str(port),
               "--log-level", "warning"]  # fmt: skip
    with own_redis() as redis_url:
        settings = {"ATLAS_STORE_URL": str(store.resolve()), "ATLAS_REDIS_URL": redis_url, "ATLAS_ACCESS": "open"}
        with subprocess.Popen(command, env={**os.environ, **settings}) as process:
            url = f"http://127.0.0.1:{port}"
            while not _answers(url):
                if process.poll() is not None:
                    sys.exit("the service did not start")
                time.sleep(0.1)
            try:
                yield url
            finally:
                process.terminate()


def _answers(url: str) -> bool:
    try:
        httpx.get(f"{url}/healthz")
    except httpx.TransportError:
        return False
    return True
