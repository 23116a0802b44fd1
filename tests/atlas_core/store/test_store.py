"""The contract over a folder, in memory and on a real S3 server; and what only some of them have."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from atlas_core import backup as backups
from atlas_core.errors import ConflictError, DependencyError, NotFoundError
from atlas_core.store import Store, open_store
from tests.atlas_core.store.contract import StoreContract
from tests.faulty_proxy import FAULTS, FaultyProxy, faulty_proxy
from tests.faulty_store import FaultyObjects, faulty_store

if TYPE_CHECKING:
    from tests.rgw import Rgw


class TestFolder(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return open_store(f"file://{tmp_path}/a%20store")


class TestMemory(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return open_store("memory://")


class TestS3(StoreContract):
    @pytest.fixture
    def store(self, rgw: Rgw, tmp_path: Path) -> Store:
        return open_store(f"{rgw.bucket()}/some/prefix", rgw.settings(cache_folder=tmp_path / "cache"))


@pytest.fixture(scope="module")
def proxy(rgw: Rgw) -> Iterator[FaultyProxy]:
    with faulty_proxy(rgw.endpoint, share=0.2, seed=3) as proxy:
        yield proxy


class TestS3ThatFails(StoreContract):
    """One request in five fails, in one of four ways; nobody above notices."""

    @pytest.fixture
    def store(self, rgw: Rgw, proxy: FaultyProxy, tmp_path: Path) -> Store:
        settings = rgw.settings(endpoint=proxy.url, cache_folder=tmp_path / "cache", retry_seconds=60)
        return open_store(rgw.bucket(), settings)

    def test_it_answers(self, store: Store) -> None:
        """Asked once, without patience: that is what readiness is about."""

    def test_requests_did_fail(self, proxy: FaultyProxy) -> None:
        assert set(FAULTS) <= set(proxy.counts)
        assert 0.1 < proxy.failed / proxy.counts.total() < 0.3


class TestFolderThatFails(StoreContract):
    """Operations on a folder that fail inside this process."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return faulty_store(str(tmp_path / "store"), seed=5)

    def test_operations_did_fail(self, store: Store) -> None:
        for number in range(40):
            store.put_blob(bytes(number))
        assert isinstance(store.objects, FaultyObjects)
        assert store.objects.failed > 5

    def test_more_than_a_page_is_listed(self, store: Store) -> None:
        """A folder is listed in one piece: it cannot go on where it broke off."""


# A folder


def test_a_folder_that_cannot_be_made_is_a_dependency_that_is_down(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DependencyError, match="store cannot be used") as caught:
        open_store(str(tmp_path / "file" / "below"))
    assert str(tmp_path) not in caught.value.detail


def test_a_folder_that_went_away_does_not_answer(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    (tmp_path / "store").rmdir()
    with pytest.raises(DependencyError, match="does not exist"):
        store.ping()


def test_a_folder_cannot_sign(tmp_path: Path) -> None:
    with pytest.raises(ConflictError, match="cannot sign"):
        open_store(str(tmp_path)).uploads.signed("0" * 64, 60)


WRITES = """
import sys
from pathlib import Path
from atlas_core.store import open_store
store = open_store(sys.argv[1])
print("begun", flush=True)
store.put_blob_file(Path(sys.argv[2]))
"""


@pytest.fixture
def large(tmp_path: Path) -> tuple[Path, str]:
    """A file of 64 MiB, and its digest."""
    path, piece = tmp_path / "large", os.urandom(1 << 20)
    path.write_bytes(piece * 64)
    return path, hashlib.sha256(piece * 64).hexdigest()


def _killed_while_writing(url: str, file: Path, environment: dict[str, str], under_way: Callable[[], bool]) -> None:
    command = [sys.executable, "-c", WRITES, url, str(file)]
    with subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        while not under_way():
            assert process.poll() is None, "it was written before it could be killed"
        process.kill()


def test_a_put_to_a_folder_that_is_killed_leaves_no_blob(tmp_path: Path, large: tuple[Path, str]) -> None:
    file, sha256 = large
    folder = tmp_path / "store"
    _killed_while_writing(str(folder), file, {}, lambda: any(folder.glob("blobs/*")))
    store = open_store(str(folder))
    assert store.blob_size(sha256) is None
    assert list(store.list_blobs()) == []
    assert store.put_blob_file(file) == sha256
    with store.open_blob(sha256) as blob:
        assert hashlib.sha256(blob.read()).hexdigest() == sha256


# S3


def test_a_put_to_s3_that_is_killed_leaves_no_blob(rgw: Rgw, tmp_path: Path, large: tuple[Path, str]) -> None:
    file, sha256 = large
    url = rgw.bucket()
    with faulty_proxy(rgw.endpoint, share=0) as proxy:
        environment = rgw.environment | {"ATLAS_STORE_ENDPOINT": proxy.url}
        _killed_while_writing(url, file, environment, lambda: proxy.counts["served"] > 4)  # size, begin, parts
    store = open_store(url, rgw.settings(cache_folder=tmp_path / "cache"))
    assert store.blob_size(sha256) is None
    assert list(store.list_blobs()) == []
    assert store.put_blob_file(file) == sha256
    with store.open_blob(sha256) as blob:
        assert hashlib.sha256(blob.read()).hexdigest() == sha256


def test_a_wrong_secret_is_said_and_kept(rgw: Rgw, caplog: pytest.LogCaptureFixture) -> None:
    secret = "a-secret-that-is-wrong"
    settings = rgw.settings(secret_access_key=secret)
    store = open_store(rgw.bucket(), settings)
    for use in (store.ping, lambda: store.get_blob("0" * 64), lambda: store.put_blob(b"bytes")):
        with pytest.raises(DependencyError, match="refuses access; check its credentials") as caught:
            use()
        assert secret not in repr(caught.value)
    assert secret not in caplog.text + repr(settings) + repr(store.objects.backend)
    assert "403" in caplog.text


def test_a_bucket_that_is_not_there_is_a_dependency(rgw: Rgw) -> None:
    store = open_store("s3://there-is-none", rgw.settings())
    for use in (store.ping, lambda: store.put_blob(b"bytes"), lambda: store.put_record("a", "b", {})):
        with pytest.raises(DependencyError, match="does not exist"):
            use()


@pytest.mark.parametrize("names", ["ATLAS_STORE_", "AWS_"])
def test_the_environment_says_where_s3_is(rgw: Rgw, names: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATLAS_STORE_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL" if names == "AWS_" else "ATLAS_STORE_ENDPOINT", rgw.endpoint)
    monkeypatch.setenv(f"{names}REGION", "somewhere")
    monkeypatch.setenv(f"{names}ACCESS_KEY_ID", rgw.access_key)
    monkeypatch.setenv(f"{names}SECRET_ACCESS_KEY", rgw.secret_key)
    open_store(rgw.bucket()).ping()


def test_a_folder_is_backed_up_in_a_bucket_and_comes_back(
    rgw: Rgw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "WHOLE_BYTES", 3)  # longer blobs go by files
    here, back = (open_store(str(tmp_path / name)) for name in ("here", "back"))
    there = open_store(rgw.bucket(), rgw.settings(cache_folder=tmp_path / "cache"))
    digests = [here.put_blob(data) for data in (b"one", b"larger")]
    here.put_record("collect", "k", {"blobs": {"a": digests[0]}})
    here.append_document("models", "m", {"id": "m"})
    assert backups.backup(here, there).blobs == 2
    assert backups.backup(here, there, verify=True).known == 4
    assert backups.restore(there, back).objects == 2
    assert [back.get_blob(sha256) for sha256 in digests] == [b"one", b"larger"]
    assert back.get_document("models", "m") == {"id": "m"}


def test_two_prefixes_of_a_bucket_are_two_stores(rgw: Rgw) -> None:
    bucket = rgw.bucket()
    one, other = (open_store(f"{bucket}/{name}", rgw.settings()) for name in ("one", "other"))
    sha256 = one.put_blob(b"bytes")
    assert one.blob_size(sha256) == 5
    assert other.blob_size(sha256) is None


def test_a_store_that_is_down_is_given_up_and_comes_back(rgw: Rgw) -> None:
    with faulty_proxy(rgw.endpoint, share=0) as proxy:
        store = open_store(rgw.bucket(), rgw.settings(endpoint=proxy.url, retry_seconds=0.5))
        sha256 = store.put_blob(b"bytes")
        proxy.share = 1
        for use in (store.ping, lambda: store.get_blob(sha256), lambda: store.put_record("a", "b", {})):
            with pytest.raises(DependencyError, match="try again"):
                use()
        proxy.share = 0
        assert store.get_blob(sha256) == b"bytes"


def test_what_is_put_to_a_signed_url_is_read_and_checked(rgw: Rgw, tmp_path: Path) -> None:
    store = open_store(rgw.bucket(), rgw.settings())
    sha256 = hashlib.sha256(b"bytes").hexdigest()
    token, url = store.uploads.signed(sha256, 60)
    with pytest.raises(NotFoundError, match="nothing was uploaded"):
        store.uploads.whole_size(sha256, token)
    httpx.put(url, content=b"bytes").raise_for_status()
    assert httpx.put(url.replace(sha256, "0" * 64), content=b"bytes").status_code == 403
    assert httpx.get(url).status_code == 403
    assert store.blob_size(sha256) is None
    assert store.uploads.whole_size(sha256, token) == 5
    with (tmp_path / "file").open("w+b") as file:
        assert store.uploads.read_whole(sha256, token, file) == sha256
    for wrong in ("0" * 32, "../../blobs/x", ""):
        with pytest.raises(NotFoundError):
            store.uploads.whole_size(sha256, wrong)
