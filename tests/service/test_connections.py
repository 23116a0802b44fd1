"""Heads that are too slow, too long or none, and connections that nobody needs."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import pytest

from service import connections
from service.connections import HEAD_BYTES
from service.main import create_app
from service.settings import ServiceSettings
from tests.service.raw import all_of, send
from tests.service.serving import serving

GET = b"GET /healthz HTTP/1.1\r\nhost: x\r\n"


@pytest.fixture(scope="module")
def url(redis_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATLAS_HEAD_SECONDS", "0.5")
        patch.setenv("ATLAS_CONNECTIONS", "20")
        connections._settings.cache_clear()
        settings = ServiceSettings(store_url=str(tmp_path_factory.mktemp("heads")), redis_url=redis_server)
        with serving(create_app(settings)) as url:
            yield url
    connections._settings.cache_clear()


def test_a_head_that_trickles_is_cut_off(url: str) -> None:
    answer = send(url, [GET, *[b"x-more: y\r\n"] * 200], pause=0.05)
    assert (answer.status, answer.problem["type"]) == (408, "/problems/too-slow")
    assert answer.problem["request_id"]
    assert answer.seconds < 5


def test_so_is_the_second_one_on_a_connection(url: str) -> None:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as line:
        line.sendall(GET + b"\r\n")
        first = answer = b""
        while not first.endswith(b"}"):
            first += line.recv(1 << 16)
        assert first.startswith(b"HTTP/1.1 200")
        line.sendall(GET + b"x-more: ")
        line.settimeout(0.05)
        for _ in range(200):
            try:
                line.sendall(b"a")
                answer = line.recv(1 << 16)
                break
            except TimeoutError:
                pass
            except ConnectionError:  # it closed while this was on its way
                break
        else:
            raise AssertionError("it waits for ever")
    assert not answer or answer.startswith(b"HTTP/1.1 408")


def test_who_says_nothing_is_let_go(url: str) -> None:
    answer = send(url, [])
    assert answer.status in (0, 408)
    assert answer.seconds < 5


@pytest.mark.parametrize(
    "head",
    [
        GET + b"x-long: " + b"y" * HEAD_BYTES * 2 + b"\r\n\r\n",
        GET + b"".join(b"x-%d: y\r\n" % number for number in range(5000)) + b"\r\n",
        GET + b"transfer-encoding: chunked\r\n\r\n0\r\n" + b"x-behind: y\r\n" * 5000,
        b"GET /healthz?" + b"y" * HEAD_BYTES * 2 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
)
def test_a_flood_of_headers_is_refused(url: str, head: bytes) -> None:
    answer = send(url, [head])
    assert (answer.status, answer.problem["type"]) == (431, "/problems/head-too-large")
    assert f"{HEAD_BYTES:,}" in answer.problem["detail"]


@pytest.mark.parametrize(
    "head", [b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"GET\r\n\r\n", GET + b"content-length: -1\r\n\r\n",
             GET + b"content-length: 1\r\ncontent-length: 2\r\n\r\n", GET + b"transfer-encoding: gzip\r\n\r\n"]
)  # fmt: skip
def test_what_is_no_request_is_a_problem(url: str, head: bytes) -> None:
    answer = send(url, [head])
    assert answer.status in (400, 501)
    assert answer.problem["type"] == "/problems/no-request"
    assert answer.problem["status"] == answer.status


def test_a_head_that_does_not_end_is_refused_once_it_is_too_long(url: str) -> None:
    answer = send(url, [GET + b"x-long: ", *[b"y" * 1000] * 300], pause=0.001)
    assert (answer.status, answer.problem["type"]) == (431, "/problems/head-too-large")


def test_some_requests_at_once_are_answered_in_turn_and_a_flood_of_them_is_cut_off(url: str) -> None:
    parts = urlsplit(url)
    last = GET + b"connection: close\r\n\r\n"
    for count in (10, 5000):
        with socket.create_connection((parts.hostname, parts.port), timeout=10) as line:
            with suppress(ConnectionError):
                line.sendall((GET + b"\r\n") * count + last)
            answers = all_of(line).count(b"HTTP/1.1 200")
            assert answers == 11 if count == 10 else answers < 500


def test_a_body_that_nobody_reads_does_not_hold_the_connection(url: str) -> None:
    head = b"POST /nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000\r\n\r\n"
    answer = send(url, [head, *[b"x" * 1000] * 200], pause=0.05)
    assert answer.status in (404, 413)
    assert answer.seconds < 5


def test_connections_are_bounded_and_the_next_one_after_them_is_served(url: str) -> None:
    parts = urlsplit(url)
    lines = [socket.create_connection((parts.hostname, parts.port)) for _ in range(40)]
    time.sleep(0.2)
    ended = 0
    for line in lines:
        line.settimeout(0.02)
        try:
            ended += not line.recv(1)
        except ConnectionResetError:
            ended += 1
        except TimeoutError:
            pass
    for line in lines:
        line.close()
    assert ended >= 20
    assert httpx.get(f"{url}/healthz").status_code == 200
