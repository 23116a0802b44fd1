"""Settings reach the live API by its environment: one more process on the same data, with others than that has."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import redis
from PIL import Image

from atlas_client.pictures import picture_bytes
from atlas_core.run import die_with_parent
from service.embedded import free_port

if TYPE_CHECKING:
    from tests.service.conftest import Live

SECONDS = 60


@pytest.fixture(scope="module")
def cache(live: Live) -> str:
    """A database of the live service's Redis in which no worker looks for images."""
    return live.service.redis_url.rpartition("/")[0] + "/9"


@pytest.fixture(scope="module")
def odd(live: Live, cache: str, lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """An API that reads its settings from its environment, as all do."""
    folder, port = tmp_path_factory.mktemp("odd"), free_port()
    settings = {
        "ATLAS_STORE_URL": str(live.folder / "store"), "ATLAS_REDIS_URL": live.service.redis_url,
        "ATLAS_CACHE_URL": cache, "ATLAS_BLOB_LIMIT_BYTES": "2000", "ATLAS_IMAGE_LIMIT_BYTES": "1000",
        "ATLAS_BATCH_LIMIT_BYTES": "3000", "ATLAS_PROJECTION_SECONDS": "0.5", "ATLAS_TRUSTED_HOSTS": '["127.0.0.1"]',
        "ATLAS_WEBHOOK_HOSTS": '["hooks.example.com"]', "ATLAS_DATASET_ROOTS": "[]",
        "ATLAS_DATASET_STORES": json.dumps({"pond": str(lake)}),
    }  # fmt: skip
    command = [sys.executable, "-P", "-m", "uvicorn", "service.main:create_app", "--factory", "--port", str(port)]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            command, cwd=folder, env={**os.environ, **settings}, stdout=log, stderr=log, preexec_fn=die_with_parent
        ) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        try:
            wait_until_up(client, folder / "log")
            yield client
        finally:
            process.terminate()


def wait_until_up(client: httpx.Client, log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            assert client.get("/healthz").status_code == 200
        except httpx.TransportError:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        else:
            return


def test_limits_of_bytes(odd: httpx.Client, live: Live) -> None:
    data = b"x" * 2001
    assert odd.put(f"/v1/blobs/{hashlib.sha256(data).hexdigest()}", content=data).status_code == 413
    path = f"/v1/atlases/{live.atlas['id']}/projections"
    assert odd.post(path, content=b"x" * 1001, headers={"content-type": "image/png"}).status_code == 413
    batch = {"content": b"{}\n" * 1001, "headers": {"content-type": "application/x-ndjson"}}
    assert odd.post(path, **batch).status_code == 413


def test_images_wait_in_the_cache_and_no_longer_than_they_may(odd: httpx.Client, live: Live, cache: str) -> None:
    path = f"/v1/atlases/{live.atlas['id']}/projections"
    with redis.Redis.from_url(cache) as kept:
        kept.flushdb()
        image = picture_bytes(Image.new("RGB", (64, 64), "red"))
        answer = odd.post(path, content=image, headers={"content-type": "image/png"})
        assert answer.status_code == 504
        assert kept.dbsize() > 0


def test_names_by_which_it_may_be_addressed(odd: httpx.Client) -> None:
    assert odd.get("/healthz", headers={"host": "elsewhere.example.com"}).status_code == 400


@pytest.mark.parametrize(("url", "status"), [("https://hooks.example.com/a", 201), ("https://127.0.0.1/a", 422)])
def test_hosts_of_webhooks(odd: httpx.Client, url: str, status: int) -> None:
    answer = odd.post("/v1/webhooks", json={"url": url})
    assert answer.status_code == status, answer.text
    if status == 201:
        assert odd.delete(f"/v1/webhooks/{answer.json()['id']}").status_code == 204


@pytest.mark.parametrize(
    ("source", "status"), [("store://pond/photos", 202), ("store://lake/photos", 422), ("file:///photos", 422)]
)
def test_where_datasets_may_lie(odd: httpx.Client, source: str, status: int) -> None:
    card: dict[str, Any] = {"name": "photos", "source": source, "format": "folder"}
    answer = odd.post("/v1/datasets", json={"card": card})
    assert answer.status_code == status, answer.text
