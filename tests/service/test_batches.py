"""Batches over HTTP: lines in order, each an answer or a problem, while the rest is still sent."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from atlas_client.errors import BadInputError, InvalidError
from atlas_core.mailbox import Mailbox, Request
from atlas_core.redis_client import connect
from tests.service.test_main import assert_problem, settings
from tests.service.test_projections import FRESH, WAIT_SECONDS, pictures, placing, projected, until

if TYPE_CHECKING:
    from service.settings import ServiceSettings
    from tests.service.conftest import Live

__all__ = ["settings"]
NDJSON = {"content-type": "application/x-ndjson"}


def line(image: bytes, **more: Any) -> bytes:
    return json.dumps({**more, "image": base64.b64encode(image).decode()}).encode() + b"\n"


def lines_of(answer: httpx.Response) -> list[Any]:
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
    return [json.loads(text) for text in answer.text.splitlines()]


@pytest.fixture
def mailbox(settings: ServiceSettings) -> Iterator[Mailbox]:
    with connect(settings.redis_url, decode=False) as client:
        yield Mailbox(client, keep_seconds=60, keep_bytes=1 << 20)


@pytest.fixture
def worker(mailbox: Mailbox) -> Iterator[list[Request]]:
    """Answers each request by its bytes, the newest of those that wait first; gives what it took."""
    taken: list[Request] = []
    stopping = threading.Event()

    def work() -> None:
        while not stopping.is_set():
            for request in reversed(mailbox.take(32, 0.02)):
                taken.append(request)
                mailbox.answer(request, json.dumps(request.data.decode()).encode())

    thread = threading.Thread(target=work)
    thread.start()
    yield taken
    stopping.set()
    thread.join()


def test_the_lines_of_a_batch_have_the_bytes_of_single_answers(live: Live, cards: Path) -> None:
    images = pictures(cards)
    alone = projected(live, images)
    url = f"{live.service.url}/v1/atlases/{live.atlas['id']}/projections"
    body = b"".join(line(image, id=f"p{number}") for number, image in enumerate(images)) + line(b"bad")
    answer = httpx.post(url, content=body, headers=NDJSON | FRESH, timeout=60)
    *good, bad = answer.content.splitlines()
    assert good == [b'{"id":"p%d","projection":%b}' % (number, text) for number, text in enumerate(alone)]
    assert json.loads(bad)["problem"]["type"] == "/problems/invalid-image"


def test_lines_come_in_order_each_an_answer_or_a_problem(settings: ServiceSettings, worker: list[Request]) -> None:
    lines = [
        line(b"a", id="one"), b"\n", line(b"b"), b"{no json\n", b'{"id": 7, "image": "?"}\n', b'{"image": 1}\n',
        b"[]\n", line(b"x" * 2000, id="large"), line(b"c", id=8).rstrip(),
    ]  # fmt: skip
    with placing(settings, image_limit_bytes=1000) as url:
        answer = httpx.post(url, content=b"".join(lines), headers=NDJSON, timeout=WAIT_SECONDS)
    told = [(one["id"], one.get("projection") or one["problem"]["type"].rpartition("/")[2]) for one in lines_of(answer)]
    assert told == [
        ("one", "a"), (2, "b"), (3, "invalid-image"), (7, "invalid-image"), (5, "invalid-image"), (6, "invalid-image"),
        ("large", "too-large"), (8, "c"),
    ]  # fmt: skip


def test_more_answers_than_sockets_hold_do_not_stop_who_sends_first(
    settings: ServiceSettings, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping = threading.Event()
    long = json.dumps("x" * 400_000).encode()

    def work() -> None:
        while not stopping.is_set():
            for request in mailbox.take(32, 0.02):
                mailbox.answer(request, long)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        body = b"".join(line(b"y" * 150_000 + str(number).encode()) for number in range(100))
        with placing(settings, projection_cache_bytes=0) as url:
            answers = lines_of(httpx.post(url, content=body, headers=NDJSON, timeout=60))
    finally:
        stopping.set()
        thread.join()
    assert [len(one["projection"]) for one in answers] == [400_000] * 100


def test_an_answer_comes_before_the_next_line_is_sent(settings: ServiceSettings, worker: list[Request]) -> None:
    seen = threading.Event()

    def lines() -> Iterator[bytes]:
        yield line(b"first")
        assert seen.wait(WAIT_SECONDS)
        yield line(b"second")

    with placing(settings) as url, httpx.Client(timeout=WAIT_SECONDS) as client:
        place = urlsplit(url)
        with socket.create_connection((str(place.hostname), int(place.port or 0)), timeout=WAIT_SECONDS) as connection:
            head = f"POST {place.path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
            connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
            for name in (b"first", b"second"):
                text = line(name)
                connection.sendall(b"%x\r\n%b\r\n" % (len(text), text))
                received = b""
                while b'"projection":"' + name not in received:
                    received += connection.recv(1 << 16)
            connection.sendall(b"0\r\n\r\n")
        assert client.post(url, content=b"single").json() == "single"


def test_a_batch_leaves_half_of_the_queue_to_others_and_waits_for_its_turn(
    settings: ServiceSettings, mailbox: Mailbox
) -> None:
    images = [f"image {number}".encode() for number in range(20)]
    with placing(settings, projection_queue=6) as url:
        got: list[Any] = []
        body = b"".join(map(line, images))
        thread = threading.Thread(
            target=lambda: got.extend(lines_of(httpx.post(url, content=body, headers=NDJSON, timeout=60)))
        )
        thread.start()
        until(lambda: mailbox.waiting() == 3)
        time.sleep(0.1)
        assert mailbox.waiting() == 3
        while thread.is_alive():
            for request in mailbox.take(32, 0.05):
                mailbox.answer(request, json.dumps(request.data.decode()).encode())
        assert [one["projection"] for one in got] == [image.decode() for image in images]


def test_a_client_that_goes_takes_its_batch_along(settings: ServiceSettings, mailbox: Mailbox) -> None:
    with placing(settings) as url:
        place = urlsplit(url)
        body = b"".join(line(b"%d" % number) for number in range(30))
        with socket.create_connection((str(place.hostname), int(place.port or 0))) as connection:
            head = f"POST {place.path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            until(lambda: mailbox.waiting() == 8)
        until(lambda: mailbox.waiting() == 0)


def test_a_batch_can_come_as_a_form(settings: ServiceSettings, worker: list[Request]) -> None:
    files = [("image", ("b.png", b"b", "image/png")), ("image", ("a.png", b"a", "image/png"))]
    with placing(settings) as url:
        answer = httpx.post(url, files=files, headers={"accept": "application/x-ndjson"}, timeout=WAIT_SECONDS)
        assert lines_of(answer) == [{"id": "b.png", "projection": "b"}, {"id": "a.png", "projection": "a"}]
        single = httpx.post(
            url,
            content=b"x",
            headers={"accept": "application/x-ndjson", "content-type": "image/png"},
            timeout=WAIT_SECONDS,
        )
        assert_problem(single, 415, "unsupported-media-type")


def test_a_batch_over_the_limit_is_refused_or_ends_there(settings: ServiceSettings, worker: list[Request]) -> None:
    with placing(settings, batch_limit_bytes=3000) as url:
        body = [line(b"a" * 600), line(b"b" * 600), line(b"c" * 600), line(b"d" * 600)]
        assert_problem(httpx.post(url, content=b"".join(body), headers=NDJSON, timeout=WAIT_SECONDS), 413, "too-large")
        answers = lines_of(httpx.post(url, content=iter(body), headers=NDJSON, timeout=WAIT_SECONDS))
    assert [one["projection"][0] for one in answers[:-1]] == ["a", "b", "c"]
    assert answers[-1]["problem"]["type"] == "/problems/too-large"


ASYNC = NDJSON | {"prefer": "respond-async"}


def test_a_batch_that_nobody_waits_for_is_a_job_with_the_same_lines(live: Live, cards: Path) -> None:
    images = pictures(cards)[:5] * 4
    base = f"{live.service.url}/v1/atlases/{live.atlas['id']}/projections"
    body = b"".join(line(image, id=number) for number, image in enumerate(images)) + line(b"bad") + b"{no json\n"
    asked = httpx.post(base, content=body, headers=ASYNC, timeout=60)
    job = asked.json()
    assert (asked.status_code, asked.headers["preference-applied"]) == (202, "respond-async")
    assert asked.headers["location"] == f"/v1/atlases/{live.atlas['id']}/projections/{job['id']}"
    assert (job["kind"], job["request"]["images"], len(job["request"]["parts"])) == ("projections", 22, 2)
    assert httpx.post(base, content=body, headers=ASYNC, timeout=60).json()["id"] == job["id"]
    url = f"{live.service.url}{asked.headers['location']}"
    until(lambda: httpx.get(url, timeout=WAIT_SECONDS).json()["state"] == "succeeded", 120)
    results = httpx.get(live.service.url + httpx.get(url).json()["links"]["results"], timeout=WAIT_SECONDS)
    waited = httpx.post(base, content=body, headers=NDJSON, timeout=60)
    assert results.headers["content-type"] == "application/x-ndjson"
    assert results.content == waited.content
    assert job["id"] in [one["id"] for one in httpx.get(base, timeout=WAIT_SECONDS).json()["items"]]
    assert httpx.delete(url, timeout=WAIT_SECONDS).status_code == 204
    assert httpx.get(url, timeout=WAIT_SECONDS).status_code == 404


def test_a_client_projects_later_what_it_projects_now(live: Live, cards: Path) -> None:
    images, atlas = pictures(cards)[:3], live.atlas["id"]
    *found, bad = live.client.projected(live.client.project_later(atlas, [*images, b"bad"]))
    assert found == [live.client.project(atlas, image) for image in images]
    assert isinstance(bad, InvalidError)
    assert bad.slug == "invalid-image"


def test_a_batch_that_breaks_off_is_no_job(live: Live, cards: Path) -> None:
    path = f"/v1/atlases/{live.atlas['id']}/projections"
    before = list(live.client.items(path))
    with pytest.raises(BadInputError, match="cannot read"):
        live.client.project_later(live.atlas["id"], [*pictures(cards), cards / "gone.png"])
    assert list(live.client.items(path)) == before


def test_a_batch_on_its_way_has_no_results_and_an_empty_one_is_refused(settings: ServiceSettings) -> None:
    with placing(settings) as url:
        job = httpx.post(url, content=line(b"a"), headers=ASYNC, timeout=WAIT_SECONDS).json()
        assert_problem(httpx.get(f"{url}/{job['id']}/results", timeout=WAIT_SECONDS), 409, "conflict")
        assert_problem(httpx.post(url, content=b"\n", headers=ASYNC, timeout=WAIT_SECONDS), 422, "invalid-input")
        assert_problem(httpx.get(f"{url}/{'0' * 24}", timeout=WAIT_SECONDS), 404, "not-found")
