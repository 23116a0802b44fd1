"""`atlas doctor`: what works in a deployment and what does not, and what to do about it. Leaves nothing behind."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from atlas_core import confinement
from atlas_core.advance import QUEUES
from atlas_core.errors import AtlasError, DependencyError
from atlas_core.ledger import Ledger, processes_by_queue
from atlas_core.redis_client import connect, reaching_redis
from atlas_core.store import Store, open_store

State = Literal["ok", "warning", "failed"]
OLDEST_REDIS = (6, 2)
LITTLE_ROOM = 0.05
SLOW_SECONDS = 1.0
VERSION = version("activation-atlas")
OVERWRITES = (
    "it overwrites although asked not to (If-None-Match), so that changes of documents can be lost; use a store that "
    "honours it"
)
OLDER = "they are read, and `atlas upgrade` writes them anew once no process of that version runs"
HANDED_BACK = "what is for the other version is handed back, so replace them when their jobs are done"


class Finding(NamedTuple):
    """What was looked at, how it is, and what to do where it is not well."""

    part: str
    state: State
    detail: str


def examine(store_url: str, redis_url: str | None, cache_url: str | None = None) -> list[Finding]:
    """Look at every part of a deployment; one that fails does not hold up the others.

    Args:
        store_url: Of the store.
        redis_url: Of the broker; None where nothing runs, as on the folder of an `atlas up` that was stopped.
        cache_url: Of the other Redis, where there is one.
    """
    looks: list[Callable[[], Iterator[Finding]]] = [lambda: _store(store_url)]
    if redis_url is None:
        looks.append(lambda: iter([Finding("redis", "failed", "nothing runs on this folder; start it by `atlas up`")]))
    else:
        looks += [lambda: _broker(redis_url), lambda: _workers(redis_url)]
    if cache_url is not None and cache_url != redis_url:
        looks.insert(-1, lambda: _cache(cache_url))
    looks.append(_confinement)
    return [finding for look in looks for finding in _safely(look)]


def _safely(look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    part = "settings"
    try:
        for finding in look():
            part = finding.part
            yield finding
    except AtlasError as error:
        yield Finding(PARTS.get(error.slug, part), "failed", error.detail)


LACKING = {confinement.FILES: "files", confinement.CALLS: "sockets and programs"}
PARTS = {"dependency-down": "dependencies", "other-version": "versions"}


def _redis(url: str, part: str) -> tuple[dict[str, Any], float]:
    """What a Redis says of itself, and the seconds that it took.

    Raises:
        DependencyError: It does not answer; the text says which and what to look at.
    """
    began = time.monotonic()
    try:
        with reaching_redis(), connect(url) as client:
            client.ping()
            took = time.monotonic() - began
            told: dict[str, Any] = client.info()
            return told, took
    except DependencyError as error:
        cause = type(error.__cause__).__name__
        setting = "ATLAS_REDIS_URL" if part == "broker" else "ATLAS_CACHE_URL"
        raise DependencyError(f"the {part} cannot be used ({cause}); start it, or check {setting}") from error


def _broker(url: str) -> Iterator[Finding]:
    told, took = _redis(url, "broker")
    yield _version(told, "broker", took)
    policy = told.get("maxmemory_policy", "unknown")
    if policy != "noeviction" and int(told.get("maxmemory", 0)):
        yield Finding(
            "broker", "failed", f"it evicts ({policy}), so queued work can vanish; set maxmemory-policy noeviction"
        )
    if int(told.get("maxmemory", 0)) and told["used_memory"] > 0.9 * told["maxmemory"]:
        yield Finding("broker", "warning", "its memory is nine tenths full; give it more")


def _cache(url: str) -> Iterator[Finding]:
    told, took = _redis(url, "cache")
    yield _version(told, "cache", took)


def _version(told: dict[str, Any], part: str, took: float) -> Finding:
    number = str(told["redis_version"])
    if tuple(map(int, number.split(".")[:2])) < OLDEST_REDIS:
        return Finding(part, "failed", f"Redis {number} is too old; 6.2 or newer, or Valkey, is needed")
    if took > SLOW_SECONDS:
        return Finding(part, "warning", f"it took {took:.1f} s to answer; it or the network is overloaded")
    return Finding(part, "ok", f"Redis {number}, {1000 * took:.0f} ms")


def _store(url: str) -> Iterator[Finding]:
    store = open_store(url)
    store.ping()
    began = time.monotonic()
    path, data = f"uploads/doctor/{uuid4().hex}", b"looked after"
    try:
        store.objects.write(path, data)
        if store.objects.read(path) != data:
            yield Finding("store", "failed", "it returns other bytes than were written; do not use it")
        elif store.objects.once(_create, path):
            yield Finding("store", "failed", OVERWRITES)
    finally:
        store.objects.delete([path])
    yield Finding("store", "ok", f"written, read and deleted in {1000 * (time.monotonic() - began):.0f} ms")
    yield from _room(url)
    yield from _schema(store)


def _create(backend: Any, path: str) -> bool:
    """Whether an object that is there is overwritten by one who asks that it be not."""
    import obstore
    from obstore.exceptions import AlreadyExistsError

    try:
        obstore.put(backend, path, b"overwritten", mode="create")
    except AlreadyExistsError:
        return False
    return True


def _room(url: str) -> Iterator[Finding]:
    parts = urlsplit(url)
    if parts.scheme in ("", "file"):
        usage = shutil.disk_usage(unquote(parts.path) if parts.scheme else url)
        share = usage.free / usage.total
        state: State = "ok" if share > LITTLE_ROOM else "warning"
        advice = "" if state == "ok" else "; drop atlases, or `atlas gc --older-than DAYS`"
        yield Finding("store", state, f"{usage.free / 1e9:,.1f} GB free of {usage.total / 1e9:,.1f}{advice}")


def _schema(store: Store) -> Iterator[Finding]:
    older = store.upgrade_documents(dry_run=True, leave_out=("plans",))  # these are large, and each has a job
    if older:
        yield Finding("versions", "warning", f"{older} documents are of an earlier version; {OLDER}")
    else:
        yield Finding("versions", "ok", f"all documents are of this version ({VERSION})")


def _confinement() -> Iterator[Finding]:
    """What a worker on this machine keeps from a model that it looks at."""
    lacking = [LACKING[name] for name, there in confinement.available().items() if not there]
    if lacking:
        told = f"a worker here could not keep {' and '.join(lacking)} from a model that it looks at"
        yield Finding("models", "warning", f"{told}; run workers on a newer Linux, or take models of people you trust")
    else:
        yield Finding("models", "ok", "a worker here keeps files, network and programs from models that it looks at")


def _workers(url: str) -> Iterator[Finding]:
    with connect(url) as client:
        ledger = Ledger(client)
        workers, versions = ledger.workers(), ledger.versions()
    processes = processes_by_queue(workers)
    for queue in QUEUES:
        devices = sorted({worker.device for worker in workers if queue in worker.queues})
        if processes[queue]:
            yield Finding("workers", "ok", f"{queue}: {processes[queue]} processes on {', '.join(devices)}")
        else:
            yield Finding(
                "workers", "failed", f"{queue}: none; start a worker with -Q {queue}, and give it the same settings"
            )
    others = sorted({versions.get(worker.id, "an earlier one") for worker in workers} - {VERSION})
    if others:
        told = f"workers of version {', '.join(others)} run beside {VERSION}; {HANDED_BACK}"
        yield Finding("versions", "warning", told)
