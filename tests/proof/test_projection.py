"""Issue 5, done when 1 and 6: SqueezeNet on 20,000 points over HTTP, the same bytes in any company; hostile uploads."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from atlas_core.mailbox import PACE
from atlas_core.redis_client import connect
from tests.proof.conftest import SEED, Report, Up
from tests.service.test_projections import HTML, SVG, bomb, jpeg, sent

if TYPE_CHECKING:
    from atlas_client.client import Client

pytestmark = pytest.mark.proof
PHOTOGRAPHS = 24
WITHIN_SECONDS = 1.0


@pytest.fixture(scope="module")
def photographs(shared: Path) -> list[bytes]:
    with zipfile.ZipFile(shared / "imagenet" / "images.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        return [archive.read(name) for name in names[:: len(names) // PHOTOGRAPHS][:PHOTOGRAPHS]]


@pytest.fixture(scope="module")
def url(up: Up, client: Client, shared: Path) -> str:
    """Of projections onto the atlas."""
    dataset = client.add_dataset(shared / "imagenet" / "dataset.json")["id"]
    model = client.add_model(shared / "imagenet" / "model.json")["id"]
    client.wait_ready("datasets", dataset)
    client.wait_ready("models", model)
    atlas = client.submit({
        "model": model, "dataset": dataset, "layers": ["features.12"], "samples": 20_000, "levels": [10, 20],
        "recipe": "none", "attribution": "none", "seed": SEED,
    })["id"]  # fmt: skip
    client.wait(atlas)
    where = f"{up.url}/v1/atlases/{atlas}/projections"
    deadline = time.monotonic() + 300
    while httpx.post(where, content=jpeg(), timeout=60).status_code != httpx.codes.OK:  # until the model is loaded
        assert time.monotonic() < deadline
    return where


def projected(url: str, images: Sequence[bytes], clients: int = 1) -> list[bytes]:
    """The bytes of the answers, each computed anew."""

    def ask(image: bytes) -> bytes:
        answer = httpx.post(url, content=image, headers={"cache-control": "no-cache"}, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.content

    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(ask, images))


def interactive(up: Up) -> int:
    """Process id of the interactive worker's parent."""
    found = subprocess.run(["ps", "-ww", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True)
    for line in found.stdout.splitlines():
        pid, parent, command = line.split(None, 2)
        if int(parent) == up.pid and "-n interactive@" in command:
            return int(pid)
    raise AssertionError("there is no interactive worker")


def environment_of(pid: int) -> dict[str, str]:
    pairs = Path(f"/proc/{pid}/environ").read_text().rstrip("\0").split("\0")
    return dict(pair.split("=", 1) for pair in pairs)


@contextmanager
def second_worker(up: Up) -> Iterator[None]:
    pid = interactive(up)
    command = [sys.executable, "-P", "-m", "celery", "-A", "workers.app", "worker", "-n", "second@%h", "-Q",
               "interactive", "-c", "1"]  # fmt: skip
    with subprocess.Popen(command, cwd=f"/proc/{pid}/cwd", env=environment_of(pid), stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:  # fmt: skip
        try:
            yield
        finally:
            process.terminate()


def test_answers_have_the_same_bytes_in_whatever_company(
    up: Up, url: str, photographs: list[bytes], report: Report
) -> None:
    alone = dict(zip(photographs, projected(url, photographs), strict=True))
    assert len(set(alone.values())) == len(photographs)
    mixed = photographs * 4
    random.Random(1).shuffle(mixed)
    for clients in (8, 32):
        assert projected(url, mixed, clients) == [alone[image] for image in mixed]
    with connect(environment_of(interactive(up))["ATLAS_CACHE_URL"]) as redis, second_worker(up):
        redis.delete(PACE)
        deadline = time.monotonic() + 120
        while redis.hlen(PACE) < 2:
            assert time.monotonic() < deadline, "the second worker answers nothing"
            assert projected(url, mixed, 32) == [alone[image] for image in mixed]
    before = interactive(up)
    os.kill(before, signal.SIGKILL)
    assert projected(url, photographs) == list(alone.values())
    assert interactive(up) != before
    report("projections", images=len(photographs), same_bytes="alone, among 8 and 32, from two workers, after kill -9")


def test_hostile_uploads_are_refused_within_a_second(url: str, report: Report) -> None:
    uploads = {
        "truncated": (jpeg()[:200], "image/jpeg"), "empty": (b"", "image/jpeg"), "bomb": (bomb(40_000), "image/png"),
        "svg": (SVG, "image/svg+xml"), "html": (HTML, "text/html"), "html as jpeg": (HTML, "image/jpeg"),
        "zip": (b"PK\x03\x04", "application/zip"),
    }  # fmt: skip
    took = {}
    for name, (body, kind) in uploads.items():
        began = time.monotonic()
        answer = httpx.post(url, content=body, headers={"content-type": kind}, timeout=30)
        took[name] = round(time.monotonic() - began, 3)
        assert 400 <= answer.status_code < 500, answer.text
    began = time.monotonic()
    with sent(url, b"begins", length=200 << 20) as connection:
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 413 ")
    took["200 MB"] = round(time.monotonic() - began, 3)
    report("hostile uploads, seconds", **took)
    assert max(took.values()) <= WITHIN_SECONDS
