"""A service and workers of which many settings are changed at once, on a copy of the live service's store."""

from __future__ import annotations

import json
import os
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atlas_client.client import Client
from atlas_core import registry
from atlas_core.backup import backup
from atlas_core.redis_client import connect
from atlas_core.store import open_store
from tests.service.stack import Stack
from tests.stranger import installed_stranger

if TYPE_CHECKING:
    import redis

    from tests.service.conftest import Live

HOUR = 3600
KEPT_BYTES = 200_000
CHANGED = {
    "ATLAS_READY_QUEUES": "[]", "ATLAS_REQUEUE_SECONDS": "1", "ATLAS_LEASE_SECONDS": "3", "ATLAS_BEAT_SECONDS": "0.2",
    "ATLAS_MAX_ATTEMPTS": "1", "ATLAS_GARBAGE_HOURS": "10", "ATLAS_RETAIN_DAYS": "30",
    "ATLAS_WEBHOOK_HOSTS": '["127.1:*"]', "ATLAS_WEBHOOK_NETWORKS": '["127.0.0.0/8"]', "ATLAS_WEBHOOK_HTTP": "true",
    "ATLAS_WEBHOOK_SECONDS": "0.5", "ATLAS_WEBHOOK_RETRY_SECONDS": "[0.1]", "ATLAS_TRUSTED_HOSTS": '["127.0.0.1"]',
    "ATLAS_PROJECTION_THREADS": "12", "ATLAS_PROJECTION_CACHE_SECONDS": "100",
    "ATLAS_PROJECTION_CACHE_BYTES": str(KEPT_BYTES), "ATLAS_INSPECTION_SECONDS": "5", "ATLAS_PROJECTION_SECONDS": "120",
    "ATLAS_INSPECTION_BYTES": str(1 << 30),
}  # fmt: skip

STRANGER = """
def make(do):
    while do == "spin":
        pass
    held = [bytes(1 << 28) for _ in range(12)]  # 3 GiB
    raise ValueError("there was room")
"""


def until(condition: Callable[[], Any], seconds: float = 50) -> Any:
    """What a condition gives once it holds."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"it did not come true within {seconds:.0f} s"
        time.sleep(0.02)
    return found


@dataclass(frozen=True)
class Changed:
    """The service with its settings changed.

    Attributes:
        stack: Its processes.
        cache: The other Redis.
        client: Of its API.
        spec: Of the live service's atlas, which it has too.
        atlas: That atlas's id.
        lost: A dataset that was registered before all queues were emptied and any worker started.
        blobs: Digests of what nobody refers to, by its age in hours.
        jobs: Ids of jobs, by the days since they ended.
    """

    stack: Stack
    cache: redis.Redis
    client: Client
    spec: dict[str, Any]
    atlas: str
    lost: str
    blobs: dict[int, str]
    jobs: dict[int, str]


@pytest.fixture(scope="module")
def changed(live: Live, cards: Path, redis_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Changed]:
    """Started when all that is to be found old, lost or forgotten is there."""
    folder = tmp_path_factory.mktemp("changed")
    backup(open_store(str(live.folder / "store")), open_store(str(folder / "store")))
    cache = redis_server.replace("/0", "/9")
    path = os.pathsep.join([str(installed_stranger(folder / "installed", STRANGER)), os.environ.get("PYTHONPATH", "")])
    stack = Stack(folder, redis_server, ATLAS_CACHE_URL=cache, PYTHONPATH=path, **CHANGED)
    try:
        stack.api()
        with connect(cache) as other, Client(stack.url) as client:
            blobs = {hours: _aged(stack, folder, hours) for hours in (9, 11)}
            jobs = {days: _ended(stack, client, live, days) for days in (29, 31)}
            lost = client.add_dataset(_some_pictures(cards, folder))["id"]
            stack.redis.delete("interactive", "cpu", "gpu")
            stack.worker("interactive", "interactive", 1)
            stack.worker("batch", "cpu,gpu", 1)
            yield Changed(stack, other, client, live.spec, live.atlas["id"], lost, blobs, jobs)
    finally:
        stack.stop()


def _some_pictures(cards: Path, folder: Path) -> Path:
    """Twelve pictures of the tiny world as a dataset; returns its card."""
    with zipfile.ZipFile(folder / "some.zip", "w") as archive:
        for picture in sorted((cards / "pictures").rglob("0*.png")) + sorted((cards / "pictures").rglob("1[01].png")):
            archive.write(picture, picture.relative_to(cards / "pictures"))
    card = json.loads((cards / "dataset.json").read_text()) | {"name": "some", "source": "some.zip"}
    (folder / "some.json").write_text(json.dumps(card))
    return folder / "some.json"


def _aged(stack: Stack, folder: Path, hours: int) -> str:
    """A blob that nobody refers to, written so many hours ago."""
    sha256 = stack.store.put_blob(f"{hours} hours".encode())
    (file,) = (folder / "store").rglob(sha256)
    then = time.time() - hours * HOUR
    os.utime(file, (then, then))
    return sha256


def _ended(stack: Stack, client: Client, live: Live, days: int) -> str:
    """An atlas that was cancelled so many days ago."""
    name = str(client.submit({**live.spec, "seed": 1000 + days})["id"])
    client.cancel(name)
    then = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - days * 24 * HOUR))
    registry.update(stack.store, "jobs", name, finished=then)
    return name
