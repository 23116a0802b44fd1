"""Copies of remote blobs."""

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from atlas_core.errors import DependencyError, IntegrityError
from atlas_core.store.cache import BlobCache


class Source:
    """Blobs that count how often they are read."""

    def __init__(self) -> None:
        self.reads = 0

    def open(self, cache: BlobCache, data: bytes, sha256: str | None = None) -> bytes:
        def pieces() -> Iterator[bytes]:
            self.reads += 1
            yield data[:2]
            yield data[2:]

        with cache.open(sha256 or hashlib.sha256(data).hexdigest(), len(data), pieces) as file:
            return file.read()


@pytest.fixture
def source() -> Source:
    return Source()


def test_a_blob_is_read_once_for_all_processes(tmp_path: Path, source: Source) -> None:
    for cache in (BlobCache(tmp_path / "cache", 100), BlobCache(tmp_path / "cache", 100)):
        assert [source.open(cache, b"bytes") for _ in range(2)] == [b"bytes", b"bytes"]
    assert source.reads == 1
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700


def test_a_copy_that_was_changed_is_read_again(tmp_path: Path, source: Source) -> None:
    source.open(BlobCache(tmp_path, 100), b"bytes")
    (copy,) = tmp_path.iterdir()
    for other in (b"other", b"longer than that"):
        copy.write_bytes(other)
        assert source.open(BlobCache(tmp_path, 100), b"bytes") == b"bytes"
    assert source.reads == 3


def test_what_does_not_match_its_digest_is_not_kept(tmp_path: Path, source: Source) -> None:
    with pytest.raises(IntegrityError, match="does not match its digest; delete it and run again"):
        source.open(BlobCache(tmp_path, 100), b"bytes", "0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_the_least_used_copies_are_dropped_and_stay_readable(tmp_path: Path, source: Source) -> None:
    cache = BlobCache(tmp_path, 25)
    first = hashlib.sha256(b"a" * 10).hexdigest()
    with cache.open(first, 10, lambda: [b"a" * 10]) as held:
        for age, letter in enumerate(b"bc"):
            source.open(cache, bytes([letter]) * 10)
            for path in tmp_path.iterdir():
                os.utime(path, (time.time() - 100 + age,) * 2)
        source.open(cache, b"d" * 10)
        kept = {path.name for path in tmp_path.iterdir()}
        assert len(kept) == 2
        assert hashlib.sha256(b"d" * 10).hexdigest() in kept
        assert held.read() == b"a" * 10


def test_a_blob_over_the_limit_is_opened_and_not_kept(tmp_path: Path, source: Source) -> None:
    assert source.open(BlobCache(tmp_path, 3), b"bytes") == b"bytes"
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_goes_in_the_end(tmp_path: Path, source: Source) -> None:
    fresh, old = tmp_path / "part-fresh", tmp_path / "part-old"
    for path in (fresh, old):
        path.write_bytes(bytes(100))
    os.utime(old, (time.time() - 7200,) * 2)
    source.open(BlobCache(tmp_path, 10), b"bytes")
    assert fresh.exists()
    assert not old.exists()


def test_a_folder_that_cannot_be_used_is_said_without_its_path(tmp_path: Path, source: Source) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DependencyError, match="ATLAS_STORE_CACHE_FOLDER") as caught:
        source.open(BlobCache(tmp_path / "file" / "below", 10), b"bytes")
    assert str(tmp_path) not in caught.value.detail
