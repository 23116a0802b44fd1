"""Uploads through a served API: whole, in parts, straight into a real S3 store; and the client's part in it."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import uvicorn

from atlas_client import uploads
from atlas_client.client import Client
from atlas_client.errors import ConflictError, InvalidError, UnavailableError
from atlas_core.store import Store, open_store
from service.embedded import free_port
from service.main import create_app
from service.settings import ServiceSettings
from tests.faulty_proxy import faulty_proxy

if TYPE_CHECKING:
    from tests.rgw import Rgw

LIMIT = 3 << 20
SIZE = (1 << 20) + 5


@dataclass(frozen=True)
class Served:
    """An API on a port, and its store."""

    url: str
    store: Store

    def put(self, sha256: str, data: bytes, span: str | None = None) -> httpx.Response:
        headers = {} if span is None else {"Content-Range": f"bytes {span}"}
        return httpx.put(f"{self.url}/v1/blobs/{sha256}", content=data, headers=headers)

    def head(self, sha256: str) -> httpx.Response:
        return httpx.head(f"{self.url}/v1/blobs/{sha256}")


@contextmanager
def served(store_url: str, redis_url: str) -> Iterator[Served]:
    settings = ServiceSettings(store_url=store_url, redis_url=redis_url, blob_limit_bytes=LIMIT)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(create_app(settings), port=port, log_level="warning", lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield Served(f"http://127.0.0.1:{port}", open_store(store_url))
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def folder(tmp_path: Path, redis_server: str) -> Iterator[Served]:
    with served(str(tmp_path / "store"), redis_server) as api:
        yield api


@pytest.fixture
def s3(rgw: Rgw, redis_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    for name, value in {**rgw.environment, "ATLAS_STORE_CACHE_FOLDER": str(tmp_path / "cache")}.items():
        monkeypatch.setenv(name, value)
    with served(rgw.bucket(), redis_server) as api:
        yield api


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """A file that the client takes for large, to be sent in 9 parts, and its digest."""
    monkeypatch.setattr(uploads, "WHOLE_BYTES", 1000)
    monkeypatch.setattr(uploads, "PART_BYTES", 128 << 10)
    monkeypatch.setattr(uploads, "PIECE", 32 << 10)
    data = random.Random(4).randbytes(SIZE)
    (tmp_path / "large").write_bytes(data)
    return tmp_path / "large", hashlib.sha256(data).hexdigest()


def problem(answer: httpx.Response, status: int, slug: str, said: str) -> None:
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}"), answer.text
    assert said in answer.json()["detail"]


DATA = bytes(range(100))
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_parts_in_any_order_become_a_blob(kind: str, request: pytest.FixtureRequest) -> None:
    api: Served = request.getfixturevalue(kind)
    assert "upload-offset" not in api.head(SHA).headers
    for span, offset in (("50-79", 0), ("0-19", 20), ("0-59", 80), ("70-84", 85), ("10-20", 85)):
        first, last = map(int, span.split("-"))
        kept = api.put(SHA, DATA[first : last + 1], f"{span}/100")
        assert (kept.status_code, kept.json()) == (202, {"sha256": SHA, "offset": offset, "total": 100})
        head = api.head(SHA)
        assert head.status_code == 404
        assert (head.headers["upload-offset"], head.headers["upload-length"]) == (str(offset), "100")
        assert kept.headers["upload-offset"] == str(offset)
    done = api.put(SHA, DATA[85:], "85-99/100")
    assert (done.status_code, done.json()) == (201, {"sha256": SHA, "bytes": 100})
    assert api.store.get_blob(SHA) == DATA
    assert list(api.store.uploads.everything()) == []
    assert api.put(SHA, DATA[85:], "85-99/100").status_code == 200


def test_parts_that_are_something_else_are_dropped_at_the_end(folder: Served) -> None:
    assert folder.put(SHA, DATA[:50], "0-49/100").status_code == 202
    problem(folder.put(SHA, bytes(50), "50-99/100"), 422, "digest-mismatch", "it was dropped, begin again")
    assert "upload-offset" not in folder.head(SHA).headers
    assert folder.store.blob_size(SHA) is None
    assert folder.put(SHA, DATA[:50], "0-49/100").status_code == 202
    assert folder.put(SHA, DATA[50:], "50-99/100").status_code == 201


@pytest.mark.parametrize(
    ("span", "status", "slug", "said"),
    [
        ("0-99", 422, "invalid-input", "cannot be read; write it as bytes FIRST-LAST/TOTAL"),
        ("50-40/100", 422, "invalid-input", "must lie within"),
        ("0-100/100", 422, "invalid-input", "must lie within"),
        ("0-10/100", 413, "too-large", "the limit is 11"),
        ("0-99/200", 422, "invalid-input", "Content-Range says 100"),
        (f"0-99/{LIMIT + 1}", 413, "too-large", f"the limit is {LIMIT:,}"),
        ("0-99/" + "9" * 30, 422, "invalid-input", "cannot be read"),
    ],
)
def test_a_range_that_cannot_be_is_refused(folder: Served, span: str, status: int, slug: str, said: str) -> None:
    body = DATA[:50] if span == "0-99/200" else DATA
    problem(folder.put(SHA, body, span), status, slug, said)
    assert "upload-offset" not in folder.head(SHA).headers


def test_another_total_is_a_conflict_and_the_whole_still_goes(folder: Served) -> None:
    assert folder.put(SHA, DATA[:50], "0-49/100").status_code == 202
    problem(folder.put(SHA, DATA[:50], "0-49/200"), 409, "conflict", "begun with 100 bytes")
    assert folder.put(SHA, DATA).status_code == 201


def test_an_interrupted_upload_goes_on_where_it_ended(folder: Served, file: tuple[Path, str]) -> None:
    path, sha256 = file
    sent: list[int] = []

    def stop_half_way(done: int, total: int) -> None:
        assert total == SIZE
        if done > SIZE // 2:
            raise KeyboardInterrupt

    with Client(folder.url, on_upload=stop_half_way) as client, pytest.raises(KeyboardInterrupt):
        client.upload(path)
    assert folder.store.blob_size(sha256) is None
    offset = int(folder.head(sha256).headers["upload-offset"])
    assert 0 < offset <= SIZE // 2
    assert offset % (128 << 10) == 0
    with Client(folder.url, on_upload=lambda done, _: sent.append(done)) as client:
        assert client.upload(path) == sha256
    assert min(sent) == offset + (32 << 10)
    assert max(sent) == SIZE
    assert folder.store.get_blob(sha256) == path.read_bytes()


def test_an_upload_over_a_bad_line_arrives(folder: Served, file: tuple[Path, str]) -> None:
    path, sha256 = file
    with faulty_proxy(folder.url, share=0, seed=2) as proxy, Client(proxy.url) as client:
        assert client.ask("HEAD", f"/v1/blobs/{sha256}").status_code == 404
        (first,) = [uploads.Upload(client, path, sha256, SIZE)]
        proxy.share = 0.4
        first._in_parts(0)
        assert proxy.failed > 2
    assert folder.store.get_blob(sha256) == path.read_bytes()


def test_an_upload_to_a_service_that_went_away_ends(
    folder: Served, file: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "PATIENCE", 0.5)
    path, sha256 = file
    with faulty_proxy(folder.url, share=1) as proxy, Client(proxy.url) as client, pytest.raises(UnavailableError):
        uploads.Upload(client, path, sha256, SIZE)._in_parts(0)


def test_a_file_that_changes_while_it_is_sent_is_refused(folder: Served, file: tuple[Path, str]) -> None:
    path, sha256 = file

    def change(done: int, _: int) -> None:
        if done == 64 << 10:
            with path.open("r+b") as target:
                target.seek(SIZE - 1)
                target.write(b"\0")

    data = path.read_bytes()
    path.write_bytes(data[:-1] + b"\1")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    with Client(folder.url, on_upload=change) as client, pytest.raises(InvalidError, match="begin again"):
        client.upload(path)
    assert folder.store.blob_size(sha256) is None


# Straight into the store


def test_a_store_that_cannot_sign_says_so(folder: Served) -> None:
    with Client(folder.url) as client, pytest.raises(ConflictError, match="cannot sign URLs; send the bytes to the s"):
        client.request("POST", f"/v1/blobs/{SHA}/uploads")


def test_a_large_file_goes_straight_into_the_store(s3: Served, file: tuple[Path, str]) -> None:
    path, sha256 = file
    with faulty_proxy(s3.url, share=0) as proxy, Client(proxy.url) as client:
        assert client.upload(path) == sha256
        assert proxy.counts["served"] == 3  # HEAD, sign, complete: the bytes went another way
        assert s3.store.get_blob(sha256) == path.read_bytes()
        assert list(s3.store.uploads.everything()) == []
        assert client.upload(path) == sha256
        with pytest.raises(ConflictError, match="stored already"):
            client.request("POST", f"/v1/blobs/{sha256}/uploads")


def test_what_was_put_into_the_store_is_not_trusted(s3: Served) -> None:
    signed = httpx.post(f"{s3.url}/v1/blobs/{SHA}/uploads").json()
    problem(httpx.post(s3.url + signed["complete"]), 404, "not-found", "nothing was uploaded")
    httpx.put(signed["url"], content=b"something else").raise_for_status()
    problem(httpx.post(s3.url + signed["complete"]), 422, "digest-mismatch", "it was dropped")
    assert s3.head(SHA).status_code == 404
    assert list(s3.store.uploads.everything()) == []
    httpx.put(signed["url"], content=bytes(LIMIT + 1)).raise_for_status()
    problem(httpx.post(s3.url + signed["complete"]), 413, "too-large", "the limit is")
    httpx.put(signed["url"], content=DATA).raise_for_status()
    done = httpx.post(s3.url + signed["complete"])
    assert (done.status_code, done.json()) == (201, {"sha256": SHA, "bytes": 100})
    assert httpx.post(s3.url + signed["complete"]).status_code == 200
    assert s3.store.get_blob(SHA) == DATA


def test_a_store_out_of_reach_gets_the_bytes_through_the_service(
    s3: Served, file: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, rgw: Rgw, redis_server: str
) -> None:
    path, sha256 = file
    monkeypatch.setenv("ATLAS_STORE_PUBLIC_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    with served(rgw.bucket(), redis_server) as api, Client(api.url) as client:
        assert client.upload(path) == sha256
        assert api.store.get_blob(sha256) == path.read_bytes()


def test_a_store_that_is_down_is_said_with_when_to_ask_again(rgw: Rgw, redis_server: str,
                                                             monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    environment = {**rgw.environment, "ATLAS_STORE_RETRY_SECONDS": "0.2"}
    with faulty_proxy(rgw.endpoint, share=0) as proxy:
        for name, value in {**environment, "ATLAS_STORE_ENDPOINT": proxy.url}.items():
            monkeypatch.setenv(name, value)
        with served(rgw.bucket(), redis_server) as api:
            proxy.share = 1
            answer = api.put(SHA, DATA)
            problem(answer, 503, "dependency-down", "the store cannot be used")
            assert int(answer.headers["retry-after"]) > 0
            assert httpx.get(f"{api.url}/readyz").status_code == 503
            proxy.share = 0
            assert api.put(SHA, DATA).status_code in (200, 201)  # of a write that failed only the answer may be lost
