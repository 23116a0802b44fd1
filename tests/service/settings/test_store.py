"""A service whose store is a real S3 server, by each setting of the store: what it sends, and what it keeps."""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from atlas_core.backup import backup
from atlas_core.errors import InputError
from atlas_core.store import open_store
from service.main import create_app
from service.settings import ServiceSettings
from tests.faulty_proxy import FaultyProxy, faulty_proxy
from tests.service.serving import serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.rgw import Rgw
    from tests.service.conftest import Live

MIB = 1 << 20
DATA = bytes(range(100))


class On:
    """Starts services on a bucket behind a proxy that notes what comes, each with other settings.

    Args:
        rgw: The S3 server.
        redis_url: Of their Redis.
    """

    def __init__(self, rgw: Rgw, redis_url: str) -> None:
        self._rgw, self._redis_url = rgw, redis_url
        self.bucket = rgw.bucket()

    @contextmanager
    def served(self, **changes: str) -> Iterator[tuple[str, FaultyProxy]]:
        """The service's URL, and the proxy."""
        with faulty_proxy(self._rgw.endpoint, share=0) as proxy, pytest.MonkeyPatch.context() as patch:
            own = {"endpoint": proxy.url, "allow_http": "true", "access_key_id": self._rgw.access_key,
                   "secret_access_key": self._rgw.secret_key, "retry_seconds": "0"}  # fmt: skip
            for name, value in (own | changes).items():
                patch.setenv(f"ATLAS_STORE_{name.upper()}", value)
            settings = ServiceSettings(store_url=self.bucket, redis_url=self._redis_url)
            with serving(create_app(settings)) as url:
                yield url, proxy


@pytest.fixture(scope="module")
def on(rgw: Rgw, redis_server: str) -> On:
    return On(rgw, redis_server)


def put(url: str, data: bytes) -> int:
    """Upload a blob; returns the status of the answer."""
    return httpx.put(f"{url}/v1/blobs/{hashlib.sha256(data).hexdigest()}", content=data, timeout=60).status_code


def asked(on: On, **changes: str) -> tuple[int, str, dict[str, str]]:
    """Status of an upload, and path and headers of the first request that it made the service send."""
    with on.served(**changes) as (url, proxy):
        status = put(url, DATA)
        path, headers = proxy.requests[0]
        return status, path, headers


def test_requests_are_signed_with_the_key_for_the_region_and_with_the_token(on: On, rgw: Rgw) -> None:
    status, path, headers = asked(on, region="mars-1")
    assert status in (200, 201)
    assert path.startswith(f"/{on.bucket.removeprefix('s3://')}/")
    assert f"Credential={rgw.access_key}/" in headers["authorization"]
    assert "/mars-1/s3/" in headers["authorization"]
    assert "x-amz-security-token" not in headers
    assert asked(on, secret_access_key="another")[0] == 503
    assert asked(on, session_token="a-token")[2]["x-amz-security-token"] == "a-token"


def test_requests_to_a_public_bucket_are_not_signed(on: On) -> None:
    assert "authorization" not in asked(on, anonymous="true")[2]


def test_the_bucket_may_stand_in_the_host_name_alone(on: On) -> None:
    assert not asked(on, virtual_hosted="true")[1].startswith(f"/{on.bucket.removeprefix('s3://')}/")


def test_plain_http_is_refused_unless_it_is_allowed(on: On) -> None:
    with pytest.raises(InputError, match="ATLAS_STORE_ALLOW_HTTP"), on.served(allow_http="false"):
        pass


def test_a_large_blob_goes_in_parts_of_the_size_one_at_a_time(on: On) -> None:
    with on.served(part_bytes=str(5 * MIB), concurrency="1") as (url, proxy):
        assert put(url, bytes(11 * MIB)) == 201
        parts = {path.partition("partNumber=")[2].partition("&")[0] for path, _ in proxy.requests} - {""}
        assert len(parts) == 3  # of 8 MiB there were two
        assert proxy.busiest == 1


def test_a_store_that_never_answers_is_given_up_after_the_seconds(on: On) -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
    with silent, on.served(endpoint=endpoint, timeout_seconds="0.5") as (url, _):
        began = time.monotonic()
        assert put(url, DATA) == 503
        assert time.monotonic() - began < 25  # by default 30 s a request


@pytest.mark.proof  # copies all that the live service holds
def test_blobs_opened_as_files_are_kept_up_to_the_bytes(on: On, live: Live, tmp_path: Path, rgw: Rgw) -> None:
    backup(open_store(str(live.folder / "store")), open_store(on.bucket, rgw.settings()))

    def kept(**changes: str) -> list[Path]:
        folder = tmp_path / f"copies-{len(changes)}"
        with on.served(cache_folder=str(folder), **changes) as (url, _):
            answer = httpx.get(f"{url}{live.level.removesuffix('levels/0')}samples?near=0.5,0.5", timeout=60)
            assert answer.status_code == 200, answer.text
            return [path for path in folder.rglob("*") if path.is_file() and len(path.name) == 64]

    assert kept()
    assert not kept(cache_bytes="1")
