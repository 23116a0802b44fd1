"""Redis, workers and an API as processes of a test, that can be killed and started again one by one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import redis

from atlas_core import registry
from atlas_core.redis_client import connect
from atlas_core.run import die_with_parent, single_threaded_environment
from atlas_core.store import open_store
from service.embedded import CONNECTION, free_port, redis_binary
from tests.service.conftest import QUICK

if TYPE_CHECKING:
    from atlas_client.client import Client

SECONDS = 120
BATCH = ("batch", "cpu,gpu", 2)


class Stack:
    """Workers and an API beside a Redis, each a process of ours.

    Args:
        folder: Of the store and the logs.
        redis_url: Of the Redis.
        settings: Of the workers and the API.
    """

    def __init__(self, folder: Path, redis_url: str, **settings: str) -> None:
        self.redis_url = redis_url
        self.redis = connect(redis_url)
        self.redis.flushall()
        self.store = open_store(str(folder / "store"))
        self.url = f"http://127.0.0.1:{free_port()}"
        self.folder = folder
        own = {"ATLAS_STORE_URL": str(folder / "store"), "ATLAS_REDIS_URL": redis_url, "REMAP_SIGTERM": "SIGQUIT",
               "ATLAS_ACCESS": "open"}  # fmt: skip
        self.environment = {**os.environ, **single_threaded_environment(), **QUICK, **own, **settings}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._wanted: dict[str, list[str]] = {}

    def worker(self, name: str, queues: str, processes: int) -> None:
        celery = ["celery", "-A", "workers.app", "worker", "-n", f"{name}@%h", "-Q", queues, "-c", str(processes)]
        self._start(name, celery)

    def api(self) -> None:
        port = self.url.rpartition(":")[2]
        self._start("api", ["uvicorn", "service.main:create_app", "--factory", "--http", CONNECTION, "--port", port])
        deadline = time.monotonic() + 60
        while not self._ready():
            assert time.monotonic() < deadline, (self.folder / "api.log").read_text()
            time.sleep(0.1)

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def _start(self, name: str, arguments: list[str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._wanted[name] = arguments
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-P", "-m", *arguments], cwd=self.folder, env=self.environment, stdout=log,
                stderr=log, preexec_fn=die_with_parent,
            )  # fmt: skip

    def _revive(self) -> None:
        """Start again what ended by itself, as whoever runs workers does.

        A worker of Celery's ends where the broker vanishes while it acknowledges a task.
        """
        for name, arguments in list(self._wanted.items()):
            if self.processes[name].poll() is not None:
                self._start(name, arguments)

    def kill(self, name: str) -> None:
        del self._wanted[name]
        self.processes[name].kill()
        self.processes[name].wait()

    def terminate(self, name: str) -> None:
        """Ask a process to stop, as an orchestrator does, and wait until it has."""
        del self._wanted[name]
        self.processes[name].terminate()
        self.processes[name].wait(SECONDS)

    def stop(self) -> None:
        self._wanted.clear()
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(20)
        self.redis.close()

    def running(self, atlas: str, stage: str) -> int:
        """Wait until a chunk of a stage runs; returns its process, which lives."""
        deadline = time.monotonic() + SECONDS
        keys = {chunk.key for chunk in registry.plan_of(self.store, atlas).find(stage)}
        while time.monotonic() < deadline:
            self._revive()
            for leases in self.redis.scan_iter("atlas:leases:*"):
                for note in self._values(leases):
                    key, pid, *_ = json.loads(note)
                    if key in keys and alive(int(pid)):
                        return int(pid)
            time.sleep(0.01)
        raise AssertionError(f"no chunk of {stage} ran within {SECONDS} s")

    def _values(self, key: str) -> list[Any]:
        found: Any = self.redis.hvals(key)
        return list(found)

    def wait(self, client: Client, atlas: str, seconds: float = SECONDS) -> dict[str, Any]:
        """Wait until a job has ended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._revive()
            value = client.status(atlas)
            if value["state"] in ("succeeded", "failed", "cancelled"):
                return value
            time.sleep(0.2)
        raise AssertionError(f"the job did not end within {seconds} s: {client.status(atlas)['progress']}")


class OwnRedis:
    """A Redis of one test, without persistence: started again it is empty."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"redis://127.0.0.1:{port}/0"
        self._command = [redis_binary(), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder),
                         "--save", "", "--appendonly", "no", "--logfile", str(folder / "redis.log")]  # fmt: skip
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, preexec_fn=die_with_parent)
        with connect(self.url) as client:
            deadline = time.monotonic() + 20
            while True:
                try:
                    client.ping()
                except redis.ConnectionError:
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
                else:
                    return

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> OwnRedis:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@contextmanager
def running_stack(folder: Path, redis_url: str, **settings: str) -> Iterator[Stack]:
    """A stack of two workers and an API until the block ends."""
    stack = Stack(folder, redis_url, **settings)
    try:
        stack.worker("interactive", "interactive", 1)
        stack.worker(*BATCH)
        stack.api()
        yield stack
    finally:
        stack.stop()


def descendants(pid: int) -> list[int]:
    """Processes below a process."""
    children = [int(child) for task in Path(f"/proc/{pid}/task").iterdir()
                for child in (task / "children").read_text().split()]  # fmt: skip
    return [below for child in children for below in (child, *descendants(child))]


def alive(pid: int) -> bool:
    """Whether a process runs: it is there, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
