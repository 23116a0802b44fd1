"""Bodies that are too long, too slow, too deep, or hold what JSON does not know."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from service.bodies import MOST_LEVELS, fault
from service.main import create_app
from service.settings import ServiceSettings
from tests.service.raw import send
from tests.service.serving import serving

JSON = "content-type: application/json\r\n"


def request(path: str, headers: str, method: str = "POST") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nhost: x\r\n{headers}\r\n".encode()


@pytest.fixture(scope="module")
def url(redis_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = ServiceSettings(
        store_url=str(tmp_path_factory.mktemp("bodies")), redis_url=redis_server, body_limit_bytes=2000,
        blob_limit_bytes=100_000, body_seconds=0.5, requests=2,
    )  # fmt: skip
    with serving(create_app(settings)) as url:
        yield url


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "1e999", "-1e400", "9" * 19, "-" + "9" * 5000])
def test_numbers_that_are_none_are_refused(text: str) -> None:
    assert "number" in str(fault(b'{"seed": [%s]}' % text.encode()))


@pytest.mark.parametrize("text", ["1e308", "-1e308", "9" * 18, "5e-324", '"NaN"', "null", "[]"])
def test_other_numbers_and_texts_are_the_routes_to_judge(text: str) -> None:
    assert fault(b'{"seed": %s}' % text.encode()) is None


def test_levels_are_counted_outside_of_texts() -> None:
    assert fault(b"[" * MOST_LEVELS + b"]" * MOST_LEVELS) is None
    assert f"{MOST_LEVELS} levels" in str(fault(b"[" * (MOST_LEVELS + 1) + b"]" * (MOST_LEVELS + 1)))
    assert f"{MOST_LEVELS} levels" in str(fault(b'{"a":' * 100_000))
    assert fault(b'["%s"]' % (b"[" * 1000)) is None
    assert fault(b'["\\"%s"]' % (b"{" * 1000)) is None
    assert fault(b"[" + b",".join([b"[]"] * 1000) + b"]") is None


def test_levels_are_counted_in_any_encoding() -> None:
    assert "levels" in str(fault(("[" * 3000 + "]" * 3000).encode("utf-16-le")))


@pytest.mark.parametrize("text", [r'"\u0000"', r'"\ud800"', r'{"\udfff": 1}', r'[{"a": ["\uD83D"]}]'])
def test_halves_of_characters_and_nul_are_refused(text: str) -> None:
    assert "NUL or half a character" in str(fault(text.encode()))


@pytest.mark.parametrize("text", [r'"\ud83d\ude00"', r'"\\u0000"', '"é漢😀"', "{", "nonsense"])
def test_whole_characters_and_what_is_no_json_are_not_judged_here(text: str) -> None:
    assert fault(text.encode()) is None


@pytest.mark.parametrize("stated", [True, False])
def test_a_body_over_the_limit_is_refused_wherever_it_goes(url: str, stated: bool) -> None:
    body = json.dumps({"name": "n" * 3000}).encode()
    for path in ("/v1/models", "/v1/atlases", "/v1/webhooks", "/v1/atlases/none/icons", "/healthy"):
        answer = httpx.post(url + path, content=body if stated else iter([body]))
        assert answer.status_code == 413, path
        assert answer.json()["type"] == "/problems/too-large"
        assert "2,000 bytes" in answer.json()["detail"]


def test_what_a_body_holds_is_told_before_a_route_sees_it(url: str) -> None:
    for body in (b'{"seed": NaN}', b'{"a":' * 300 + b"1" + b"}" * 300, b'{"name": "\\ud800"}'):
        answer = httpx.post(f"{url}/v1/atlases", content=body, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")
        assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("path", ["/v1/models", "/v1/blobs/" + "0" * 64])
def test_a_body_that_trickles_is_cut_off(url: str, path: str) -> None:
    method = "PUT" if "blobs" in path else "POST"
    pieces = [request(path, JSON + "content-length: 1000\r\n", method), *[b" "] * 200]
    answer = send(url, pieces, pause=0.05)
    assert (answer.status, answer.problem["type"]) == (408, "/problems/too-slow")
    assert answer.seconds < 6


def test_a_long_body_at_a_good_pace_may_take_longer_than_the_seconds_of_waiting(url: str) -> None:
    size = 100_000
    pieces = [request("/v1/blobs/" + "0" * 64, f"content-length: {size}\r\nconnection: close\r\n", "PUT"),
              *[b"x" * (size // 10)] * 10]  # fmt: skip
    answer = send(url, pieces, pause=0.1)
    assert answer.seconds > 0.9
    assert (answer.status, answer.problem["type"]) == (422, "/problems/digest-mismatch")


def test_more_requests_than_may_be_under_way_are_asked_to_wait_and_probes_are_not(url: str) -> None:
    parts = urlsplit(url)
    held = [socket.create_connection((parts.hostname, parts.port)) for _ in range(2)]
    try:
        for line in held:
            line.sendall(request("/v1/blobs/" + "0" * 64, "content-length: 100000\r\n", "PUT") + b"x" * 4096)
        time.sleep(0.2)
        answer = httpx.get(f"{url}/v1/models")
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/busy")
        assert answer.headers["retry-after"]
        assert httpx.get(f"{url}/healthz").status_code == 200
    finally:
        for line in held:
            line.close()
    deadline = time.monotonic() + 5
    while httpx.get(f"{url}/v1/models").status_code != 200:
        assert time.monotonic() < deadline


def test_what_was_cut_off_leaves_no_file(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    answer = send(url, [request("/v1/blobs/" + "0" * 64, "content-length: 1000\r\n", "PUT"), *[b" "] * 100], pause=0.05)
    assert answer.status == 408
    assert list(tmp_path.iterdir()) == []
