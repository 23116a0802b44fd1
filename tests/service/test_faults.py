"""Redis, workers and API started one by one; workers killed and Redis flushed in the middle of a job."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import redis

from atlas_client.client import Client
from atlas_client.errors import ClientError
from atlas_core import registry
from atlas_core.ledger import connect
from atlas_core.run import die_with_parent, single_threaded_environment
from atlas_core.store import open_store
from service.embedded import free_port, redis_binary
from tests.receiver import receiving
from tests.service.conftest import QUICK, registered

if TYPE_CHECKING:
    from atlas_client.events import Event
    from tests.service.conftest import Live

SECONDS = 120


class Stack:
    """Workers and an API beside a Redis, each a process of ours."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self.redis = connect(redis_url)
        self.redis.flushall()
        self.store = open_store(str(folder / "store"))
        self.url = f"http://127.0.0.1:{free_port()}"
        self._folder = folder
        own = {"ATLAS_STORE_URL": str(folder / "store"), "ATLAS_REDIS_URL": redis_url, "REMAP_SIGTERM": "SIGQUIT"}
        self._environment = {**os.environ, **single_threaded_environment(), **QUICK, **own}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def worker(self, name: str, queues: str, processes: int) -> None:
        celery = ["celery", "-A", "workers.app", "worker", "-n", f"{name}@%h", "-Q", queues, "-c", str(processes)]
        self._start(name, celery)

    def api(self) -> None:
        port = self.url.rpartition(":")[2]
        self._start("api", ["uvicorn", "service.main:create_app", "--factory", "--port", port])
        deadline = time.monotonic() + 60
        while not self._ready():
            assert time.monotonic() < deadline, (self._folder / "api.log").read_text()
            time.sleep(0.1)

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def _start(self, name: str, arguments: list[str]) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-P", "-m", *arguments], cwd=self._folder, env=self._environment, stdout=log,
                stderr=log, preexec_fn=die_with_parent,
            )  # fmt: skip

    def kill(self, name: str) -> None:
        self.processes[name].kill()
        self.processes[name].wait()

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(20)
        self.redis.close()

    def running(self, atlas: str, stage: str) -> int:
        """Wait until a chunk of a stage runs; returns its process."""
        deadline = time.monotonic() + SECONDS
        keys = {chunk.key for chunk in registry.plan_of(self.store, atlas).find(stage)}
        while time.monotonic() < deadline:
            for leases in self.redis.scan_iter("atlas:leases:*"):
                for note in self._values(leases):
                    key, pid = json.loads(note)
                    if key in keys:
                        return int(pid)
            time.sleep(0.01)
        raise AssertionError(f"no chunk of {stage} ran within {SECONDS} s")

    def _values(self, key: str) -> list[Any]:
        found: Any = self.redis.hvals(key)
        return list(found)

    def wait(self, client: Client, atlas: str) -> dict[str, Any]:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            value = client.status(atlas)
            if value["state"] in ("succeeded", "failed", "cancelled"):
                return value
            time.sleep(0.2)
        raise AssertionError(f"the job did not end within {SECONDS} s: {client.status(atlas)['progress']}")


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


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path)
    yield server
    server.stop()


@contextmanager
def running_stack(folder: Path, redis_url: str) -> Iterator[Stack]:
    stack = Stack(folder, redis_url)
    try:
        stack.worker("interactive", "interactive", 1)
        stack.worker("batch", "cpu,gpu", 2)
        stack.api()
        yield stack
    finally:
        stack.stop()


def test_killed_processes_and_an_emptied_redis_leave_the_same_manifest(
    live: Live, cards: Path, own_redis: OwnRedis, tmp_path: Path
) -> None:
    with receiving(503, 204) as receiver, running_stack(tmp_path, own_redis.url) as stack, Client(stack.url) as client:
        spec = registered(client, cards)
        hook = client.json("POST", "/v1/webhooks", json={"url": receiver.url})
        atlas = client.submit(spec)["id"]
        told: list[Event] = []
        reader = threading.Thread(target=lambda: told.extend(client.events(atlas)))
        reader.start()

        os.kill(stack.running(atlas, "collect"), signal.SIGKILL)
        stack.running(atlas, "layout")
        own_redis.stop()
        own_redis.start()
        stack.running(atlas, "render")
        stack.kill("batch")
        stack.kill("api")
        stack.worker("batch", "cpu,gpu", 2)
        stack.api()

        done = stack.wait(client, atlas)
        assert (done["state"], done["error"]) == ("succeeded", None)
        assert done["id"] == live.atlas["id"]
        assert done["digest"] == live.atlas["digest"]
        assert done["manifest"]["artifacts"] == live.atlas["manifest"]["artifacts"]
        reader.join(SECONDS)
        assert_nothing_missed(told, done)
        assert client.project(atlas, cards / "pictures" / "waves" / "02.png")["layers"]
        assert_pickle_is_refused(client, cards, tmp_path, spec)
        messages = receiver.wait(2)
        assert len({message.id for message in messages}) == 1
        assert all(message.is_signed_with(hook["secret"]) for message in messages)
        assert json.loads(messages[0].body)["data"]["digest"] == done["digest"]


def assert_nothing_missed(told: list[Event], done: dict[str, Any]) -> None:
    """Who follows events through all of this knows in the end all that there is to know."""
    assert (told[0].data["state"], told[-1].data["state"]) == ("queued", "succeeded")
    assert told[-1].data["digest"] == done["digest"]
    tiles = {(tile["layer"], tile["side"], tile.get("x"), tile.get("y"))
             for event in told if event.type == "tile" for tile in [event.data]}  # fmt: skip
    assert tiles == {("features.4", side, *place) for side in (3, 6) for place in ((0, 0), (None, None))}
    progress = {event.data["stage"]: event.data["done"] for event in told if event.type == "progress"}
    assert progress == {stage: counts["total"] for stage, counts in done["progress"].items()}


def assert_pickle_is_refused(client: Client, cards: Path, folder: Path, spec: dict[str, Any]) -> None:
    """A worker that loads weights says why it does not, and outlives them."""
    (folder / "weights.pt").write_bytes(b"\x80\x04cposix\nsystem\n.")
    card = json.loads((cards / "model.json").read_text()) | {"weights": "weights.pt"}
    (folder / "model.json").write_text(json.dumps(card))
    model = client.add_model(folder / "model.json")
    with pytest.raises(ClientError, match=r"was refused.*pickle"):
        client.wait_ready("models", model["id"])
    with pytest.raises(ClientError, match="was refused"):
        client.submit({**spec, "model": model["id"]})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_atlas_up_ends_with_all_its_children(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "atlas_client.cli", "up", "--data", str(tmp_path), "--json"]
    command[1:3] = ["-c", "from atlas_client.cli import main; main()"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **QUICK}) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        assert httpx.get(f"{url}/readyz").status_code == 200
        family = descendants(process.pid)
        assert len(family) >= 4 + 2
        process.send_signal(number)
        assert process.wait(30) == (0 if number is signal.SIGTERM else -signal.SIGKILL)
    deadline = time.monotonic() + 10
    while (left := [pid for pid in family if alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


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
