"""Projections over HTTP: the same bytes in whatever company, a full queue, clients that go, hostile uploads."""

from __future__ import annotations

import http.client
import io
import json
import os
import random
import signal
import socket
import struct
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from atlas_core.mailbox import PACE, WAITING, Answer, Mailbox, Request
from atlas_core.redis_client import connect
from atlas_core.run import die_with_parent
from service.embedded import _environment, _worker_command
from service.main import create_app
from tests.service.serving import serving
from tests.service.stack import descendants
from tests.service.test_main import assert_problem, indexed, settings

if TYPE_CHECKING:
    import redis

    from service.settings import ServiceSettings
    from tests.service.conftest import Live

__all__ = ["settings"]
WAIT_SECONDS = 30
FRESH = {"cache-control": "no-cache"}


def until(reached: Callable[[], Any], seconds: float = WAIT_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# With workers


def pictures(cards: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((cards / "pictures").rglob("*.png"))[::5]]


def projected(live: Live, images: Sequence[bytes], clients: int = 1) -> list[bytes]:
    """The bytes of the answers to images, each computed anew; who is refused for a moment asks again."""
    url = f"{live.service.url}/v1/atlases/{live.atlas['id']}/projections"

    def ask(image: bytes) -> bytes:
        while (answer := httpx.post(url, content=image, headers=FRESH, timeout=60)).status_code in (503, 504):
            time.sleep(float(answer.headers["retry-after"]))
        assert (answer.status_code, answer.headers["cache-status"]) == (200, "atlas; fwd=miss"), answer.text
        return answer.content

    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(ask, images))


@pytest.fixture(scope="module")
def alone(live: Live, cards: Path) -> dict[bytes, bytes]:
    """Answers by image, each asked for by itself."""
    images = pictures(cards)
    return dict(zip(images, projected(live, images), strict=True))


def test_an_answer_has_the_same_bytes_in_company_and_in_another_order(live: Live, alone: dict[bytes, bytes]) -> None:
    images = list(alone) * 3
    random.Random(1).shuffle(images)
    assert projected(live, images, clients=len(images)) == [alone[image] for image in images]


@contextmanager
def another_worker(live: Live) -> Iterator[None]:
    """A second worker of the interactive queue."""
    environment = _environment(live.folder, live.service.redis_url, "127.0.0.1")
    command = _worker_command("second", "interactive", 1)
    with subprocess.Popen(command, cwd=live.folder, env=environment, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, preexec_fn=die_with_parent) as process:  # fmt: skip
        try:
            yield
        finally:
            process.terminate()


@pytest.mark.proof  # the next one shows the same by another process of the one worker
def test_two_workers_give_the_same_bytes(live: Live, alone: dict[bytes, bytes]) -> None:
    with connect(live.service.redis_url) as client, another_worker(live):
        client.delete(PACE)
        deadline = time.monotonic() + 120
        while client.hlen(PACE) < 2:  # each process notes its own
            assert time.monotonic() < deadline, "the second worker answers nothing"
            assert projected(live, list(alone), clients=len(alone)) == list(alone.values())


def test_a_worker_started_again_gives_the_same_bytes(live: Live, alone: dict[bytes, bytes]) -> None:
    child, *_ = descendants(live.service.children.pid("worker-interactive"))
    os.kill(child, signal.SIGKILL)
    assert projected(live, list(alone)) == list(alone.values())
    assert child not in descendants(live.service.children.pid("worker-interactive"))


def test_an_image_asked_about_again_is_answered_from_memory(live: Live, alone: dict[bytes, bytes]) -> None:
    url = f"{live.service.url}/v1/atlases/{live.atlas['id']}/projections"
    for image, answer in alone.items():
        again = httpx.post(url, content=image)
        assert (again.headers["cache-status"], again.content) == ("atlas; hit", answer)
    image = next(iter(alone))
    for other in ({"positions": "all"}, {"layers": "features.4"}):
        first = httpx.post(url, content=image, params=other, timeout=60)
        assert first.headers["cache-status"] == "atlas; fwd=miss"
    assert json.loads(first.content) == json.loads(alone[image])


def jpeg(size: tuple[int, int] = (64, 64)) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(data, "JPEG")
    return data.getvalue()


def bomb(side: int) -> bytes:
    """A PNG of side x side black pixels in a few kilobytes: its header says how large it is."""
    packer = zlib.compressobj(9)
    pixels = b"".join(packer.compress(bytes(1 << 16)) for _ in range(16)) + packer.flush()

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'
HTML = b"<!doctype html><title>no picture</title><img src='x'>"


@pytest.mark.parametrize(
    ("body", "kind", "status", "slug"),
    [
        (jpeg()[:200], "image/jpeg", 422, "invalid-image"),
        (b"", "image/jpeg", 422, "invalid-image"),
        (bomb(40_000), "image/png", 422, "invalid-image"),
        (SVG, "image/svg+xml", 422, "invalid-image"),
        (SVG, "image/png", 422, "invalid-image"),
        (HTML, "text/html", 415, "unsupported-media-type"),
        (HTML, "image/jpeg", 422, "invalid-image"),
        (b"%PDF-1.7", "application/pdf", 415, "unsupported-media-type"),
        (b"PK\x03\x04", "application/octet-stream", 422, "invalid-image"),
    ],
    ids=["truncated", "empty", "bomb", "svg", "svg-as-png", "html", "html-as-jpeg", "pdf", "zip"],
)
def test_a_hostile_upload_is_refused(live: Live, body: bytes, kind: str, status: int, slug: str) -> None:
    url = f"{live.service.url}/v1/atlases/{live.atlas['id']}/projections"
    assert_problem(httpx.post(url, content=body, headers={"content-type": kind}, timeout=30), status, slug)


# Without workers: what the API does while nobody takes


@pytest.fixture
def client(settings: ServiceSettings) -> Iterator[redis.Redis]:
    with connect(settings.redis_url, decode=False) as client:
        yield client


@contextmanager
def placing(settings: ServiceSettings, **changes: Any) -> Iterator[str]:
    """The URL of projections onto an atlas that can place images, with no worker behind it."""
    changed = settings.model_copy(update={"projection_seconds": WAIT_SECONDS, **changes})
    with TestClient(create_app(changed)) as api:
        atlas = indexed(api)
    with serving(create_app(changed)) as url:
        yield f"{url}/v1/atlases/{atlas}/projections"


def sent(url: str, body: bytes, length: int | None = None) -> socket.socket:
    """A connection on which an image was sent, and no answer read."""
    place = urlsplit(url)
    connection = socket.create_connection((str(place.hostname), int(place.port or 0)), timeout=WAIT_SECONDS)
    head = f"POST {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Type: image/jpeg\r\n"
    connection.sendall(f"{head}Content-Length: {len(body) if length is None else length}\r\n\r\n".encode() + body)
    return connection


def body_of(connection: socket.socket) -> bytes:
    """The body of the answer that comes next, however many pieces it comes in."""
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer.read()


def test_a_client_that_goes_frees_its_slot(settings: ServiceSettings, client: redis.Redis) -> None:
    mailbox = Mailbox(client, keep_seconds=0, keep_bytes=0)
    with placing(settings, projection_queue=1) as url:
        gone = sent(url, b"gone")
        until(lambda: mailbox.waiting() == 1)
        gone.close()
        until(lambda: mailbox.waiting() == 0)
        assert client.keys("atlas:projection:*") == []
        with sent(url, b"stays") as stays:
            until(lambda: mailbox.waiting() == 1)
            (request,) = mailbox.take(32, 1)
            assert request.data == b"stays"
            mailbox.answer(request, b'{"x": 1}')
            assert body_of(stays) == b'{"x": 1}'


def test_a_client_that_goes_in_the_middle_of_its_image_is_not_asked_about(
    settings: ServiceSettings, client: redis.Redis
) -> None:
    with placing(settings) as url:
        sent(url, b"the beginning", length=1000).close()
        with sent(url, b"stays"):
            until(lambda: client.llen(WAITING) == 1)
        until(lambda: client.llen(WAITING) == 0)


def test_a_full_queue_says_when_to_come_back(settings: ServiceSettings, client: redis.Redis) -> None:
    mailbox = Mailbox(client, keep_seconds=0, keep_bytes=0)
    mailbox.note_pace("worker", 2.4)
    with placing(settings, projection_queue=2) as url, sent(url, b"a"), sent(url, b"b"):
        until(lambda: mailbox.waiting() == 2)
        answer = httpx.post(url, content=b"c")
        assert_problem(answer, 429, "too-many")
        assert answer.headers["retry-after"] == "5"  # two that take 2.4 s each
        assert mailbox.waiting() == 2


def test_who_would_wait_too_long_is_told_so_at_once(settings: ServiceSettings, client: redis.Redis) -> None:
    mailbox = Mailbox(client, keep_seconds=0, keep_bytes=0)
    mailbox.note_pace("worker", 31.0)
    with placing(settings) as url, sent(url, b"a"):
        until(lambda: mailbox.waiting() == 1)
        assert httpx.post(url, content=b"b").headers["retry-after"] == "31"


def test_answers_go_to_who_asked_for_them(settings: ServiceSettings, client: redis.Redis) -> None:
    mailbox = Mailbox(client, keep_seconds=0, keep_bytes=0)
    images = [f"image {number}".encode() for number in range(12)]
    with placing(settings) as url, ThreadPoolExecutor(len(images)) as pool:
        asked = [pool.submit(httpx.post, url, content=image, timeout=WAIT_SECONDS) for image in images]
        until(lambda: mailbox.waiting() == len(images))
        taken: list[Request] = mailbox.take(32, 1)
        assert sorted(request.data for request in taken) == sorted(images)
        for request in reversed(taken):
            mailbox.answer(request, json.dumps(request.data.decode()).encode())
        assert [one.result().json() for one in asked] == [image.decode() for image in images]


def test_what_a_killed_worker_had_taken_is_asked_again(settings: ServiceSettings, client: redis.Redis) -> None:
    mailbox = Mailbox(client, keep_seconds=0, keep_bytes=0)
    with placing(settings, projection_seconds=9) as url, sent(url, b"a") as connection:
        until(lambda: mailbox.waiting() == 1)
        (taken,) = mailbox.take(1, 1)
        until(lambda: mailbox.waiting() == 1)
        (again,) = mailbox.take(1, 1)
        assert again == taken
        mailbox.answer(again, b"1")
        mailbox.answer(taken, b"1")  # it was only slow
        assert body_of(connection) == b"1"


def test_what_waits_is_not_put_twice(settings: ServiceSettings, client: redis.Redis) -> None:
    mailbox = Mailbox(client, keep_seconds=0, keep_bytes=0)
    with placing(settings, projection_seconds=1.5) as url:
        assert_problem(httpx.post(url, content=b"a", timeout=WAIT_SECONDS), 504, "timeout")
        assert mailbox.waiting() == 0
        with sent(url, b"b"):
            until(lambda: mailbox.waiting() == 1)
            time.sleep(1)
            assert mailbox.waiting() == 1


def test_an_answer_for_nobody_is_let_go(settings: ServiceSettings, client: redis.Redis) -> None:
    mailbox = Mailbox(client, keep_seconds=0, keep_bytes=0)
    with placing(settings) as url, sent(url, b"a") as connection:
        until(lambda: mailbox.waiting() == 1)
        (request,) = mailbox.take(1, 1)
        client.rpush(request.inbox, Answer("unknown", False, b"1").to_bytes())
        mailbox.answer(request, b"2")
        assert body_of(connection) == b"2"


def test_an_upload_of_200_mb_is_not_read(settings: ServiceSettings) -> None:
    with placing(settings) as url, sent(url, b"begins", length=200 << 20) as connection:
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 413 ")


def test_an_upload_without_a_length_is_read_to_the_limit(settings: ServiceSettings) -> None:
    read = 0

    def pieces() -> Iterator[bytes]:
        nonlocal read
        for _ in range(200):
            read += 1 << 20
            yield bytes(1 << 20)

    with placing(settings, image_limit_bytes=1 << 20) as url:
        assert_problem(httpx.post(url, content=pieces(), timeout=WAIT_SECONDS), 413, "too-large")
    assert read < 200 << 20
