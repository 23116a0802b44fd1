"""What every store must do, whatever it lies in; a subclass gives the fixture `store`."""

from __future__ import annotations

import hashlib
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from atlas_core.errors import InputError, IntegrityError, NotFoundError
from atlas_core.store import Store, store as module

LARGE = 13 * 1024 * 1024 + 7
NOTHING = "0" * 64


class StoreContract:
    """The contract; large blobs go in parts where the store has parts."""

    def test_it_answers(self, store: Store) -> None:
        store.ping()

    # Blobs

    def test_a_blob_is_named_by_its_sha256(self, store: Store, tmp_path: Path) -> None:
        sha256 = hashlib.sha256(b"bytes").hexdigest()
        assert store.blob_size(sha256) is None
        assert store.put_blob(b"bytes") == sha256
        (tmp_path / "file").write_bytes(b"bytes")
        assert store.put_blob_file(tmp_path / "file") == sha256
        assert store.get_blob(sha256) == b"bytes"
        assert store.blob_size(sha256) == 5
        with store.open_blob(sha256) as file:
            file.seek(2)
            assert file.read() == b"tes"

    def test_an_empty_blob(self, store: Store, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        sha256 = store.put_blob_file(tmp_path / "file")
        assert (store.get_blob(sha256), store.blob_size(sha256)) == (b"", 0)
        with store.open_blob(sha256) as file:
            assert file.read() == b""

    def test_a_large_blob_goes_and_comes_in_parts(self, store: Store, tmp_path: Path) -> None:
        data = random.Random(1).randbytes(LARGE)
        (tmp_path / "file").write_bytes(data)
        sha256 = store.put_blob_file(tmp_path / "file")
        assert sha256 == hashlib.sha256(data).hexdigest()
        assert store.blob_size(sha256) == LARGE
        assert store.get_blob(sha256) == data
        with store.open_blob(sha256) as file:
            for place in (LARGE - 9, 0, 8 << 20):
                file.seek(place)
                assert file.read(9) == data[place : place + 9]
        assert b"".join(store.objects.pieces(f"blobs/{sha256}", LARGE)) == data

    def test_what_is_missing_is_not_found(self, store: Store) -> None:
        for read in (store.get_blob, store.open_blob):
            with pytest.raises(NotFoundError):
                read(NOTHING)
        assert store.blob_size(NOTHING) is None
        assert store.get_record("cells", "k") is None
        assert store.get_document("models", "a") is None
        assert store.document_names("models") == []
        assert store.get_documents("models") == []

    def test_bytes_that_do_not_match_their_digest_are_noticed(self, store: Store) -> None:
        sha256 = store.put_blob(b"bytes")
        store.objects.write(f"blobs/{sha256}", b"other")
        for read in (store.get_blob, store.open_blob):
            with pytest.raises(IntegrityError, match=f"{sha256[:12]}.*delete it and run again"):
                read(sha256)
        store.delete_blob(sha256)
        assert store.blob_size(sha256) is None
        assert store.put_blob(b"bytes") == sha256
        with store.open_blob(sha256) as file:
            assert file.read() == store.get_blob(sha256) == b"bytes"

    def test_a_blob_of_another_length_is_written_again(self, store: Store, tmp_path: Path) -> None:
        sha256 = store.put_blob(b"bytes")
        (tmp_path / "file").write_bytes(b"bytes")
        store.objects.write(f"blobs/{sha256}", b"byt")
        store.put_blob(b"bytes")
        assert store.get_blob(sha256) == b"bytes"
        store.objects.write(f"blobs/{sha256}", b"byt")
        store.put_blob_file(tmp_path / "file")
        assert store.get_blob(sha256) == b"bytes"

    def test_blobs_are_listed_and_deleted(self, store: Store) -> None:
        names = {store.put_blob(bytes(length)): length for length in (1, 2, 3)}
        found = {info.sha256: info for info in store.list_blobs()}
        assert {name: info.size for name, info in found.items()} == names
        assert all(abs(info.last_modified - datetime.now(UTC)) < timedelta(minutes=5) for info in found.values())
        for name in names:
            store.delete_blob(name)
            store.delete_blob(name)
            with pytest.raises(NotFoundError):
                store.open_blob(name)
        assert list(store.list_blobs()) == []

    # Records

    def test_a_record_is_written_once(self, store: Store) -> None:
        assert not store.has_record("cells", "k")
        store.put_record("cells", "k", {"value": 1})
        store.put_record("cells", "k", {"value": 2})
        assert store.get_record("cells", "k") == {"value": 1}
        assert store.has_record("cells", "k")

    def test_of_many_that_create_at_once_one_wins(self, store: Store) -> None:
        for turn in range(3):
            with ThreadPoolExecutor(16) as pool:
                mine = [f'{{"n":{number}}}'.encode() for number in range(16)]
                won = list(pool.map(lambda data, turn=turn: store.objects.create(f"records/a/{turn}.json", data), mine))
            assert won.count(True) == 1
            assert store.get_record("a", str(turn)) == {"n": won.index(True)}

    def test_records_are_asked_for_together_listed_and_deleted(self, store: Store) -> None:
        for stage, key in (("collect", "a"), ("cells", "b")):
            store.put_record(stage, key, {})
        chunks = [("collect", "a"), ("collect", "b"), ("cells", "b")]
        assert store.have_records(chunks) == [True, False, True]
        assert {(info.stage, info.key) for info in store.list_records()} == {("collect", "a"), ("cells", "b")}
        store.delete_record("collect", "a")
        store.delete_record("collect", "a")
        assert store.have_records(chunks) == [False, False, True]
        assert [(info.stage, info.key) for info in store.list_records()] == [("cells", "b")]

    @pytest.mark.parametrize("listed_per_asked", [30, 0])
    def test_many_records_are_asked_for(
        self, store: Store, listed_per_asked: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """By a listing, and one by one where that would be too long."""
        monkeypatch.setattr(module, "LISTED_PER_ASKED", listed_per_asked)
        for number in range(0, 90, 2):
            store.put_record("render", f"k{number}", {})
        chunks = [("render", f"k{number}") for number in range(90)] + [("cells", "k0")]
        assert store.have_records(chunks) == [number % 2 == 0 for number in range(90)] + [False]

    def test_more_than_a_page_is_listed(self, store: Store) -> None:
        names = [f"{number:064x}" for number in range(1_105)]
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda name: store.objects.write(f"blobs/{name}", b"."), names))
        assert sorted(info.sha256 for info in store.list_blobs()) == names

    def test_a_record_that_is_no_json_is_noticed(self, store: Store) -> None:
        store.objects.write("records/cells/k.json", b"{")
        with pytest.raises(IntegrityError, match=r"records/cells/k\.json is no JSON"):
            store.get_record("cells", "k")

    # Documents

    def test_the_newest_version_of_a_document_counts(self, store: Store) -> None:
        assert [store.append_document("models", "a", {"n": n}) for n in range(12)] == list(range(12))
        store.append_document("models", "b", {"n": 0})
        assert store.get_document("models", "a") == {"n": 11}
        assert store.document_versions("models", "a") == list(range(12))
        assert store.document_names("models") == ["a", "b"]
        assert store.get_documents("models") == [{"n": 11}, {"n": 0}]
        assert store.document_names("datasets") == []

    def test_versions_written_at_once_are_all_kept(self, store: Store) -> None:
        with ThreadPoolExecutor(8) as pool:
            numbers = list(pool.map(lambda n: store.append_document("jobs", "a", {"n": n}), range(8)))
        assert sorted(numbers) == store.document_versions("jobs", "a") == list(range(8))

    def test_a_document_changed_elsewhere_is_seen(self, store: Store) -> None:
        """What one process has read does not hide what another one wrote, not even over a deletion."""
        store.append_document("jobs", "a", {"state": "queued"})
        value = store.get_document("jobs", "a")
        assert value == {"state": "queued"}
        value["state"] = "mine"  # the caller's own
        assert store.get_document("jobs", "a") == {"state": "queued"}
        other = Store(store.objects)
        other.append_document("jobs", "a", {"state": "running"})
        assert store.get_document("jobs", "a") == {"state": "running"}
        other.delete_document("jobs", "a")
        assert store.get_document("jobs", "a") is None
        assert store.get_documents("jobs") == []
        other.append_document("jobs", "a", {"state": "failed"})
        assert store.get_document("jobs", "a") == {"state": "failed"}

    @pytest.mark.parametrize("name", ["/", "..", "../models", "abc/", "a\0b", "", "a" * 65])
    def test_a_name_that_can_be_none_is_not_found_and_not_written(self, store: Store, name: str) -> None:
        assert store.get_document("models", name) is None
        with pytest.raises(InputError, match="no name of a document"):
            store.append_document("models", name, {})

    # Uploads

    def test_parts_in_any_order_and_overlapping_make_the_whole(self, store: Store, tmp_path: Path) -> None:
        data = random.Random(2).randbytes(1000)
        sha256 = hashlib.sha256(data).hexdigest()
        assert store.uploads.received(sha256) is None
        offsets = []
        for start, stop in ((400, 700), (0, 300), (250, 500), (600, 1000)):
            (tmp_path / "part").write_bytes(data[start:stop])
            offsets.append(store.uploads.put_part(sha256, start, 1000, tmp_path / "part").offset)
        assert offsets == [0, 300, 700, 1000]
        received = store.uploads.received(sha256)
        assert received is not None
        assert received.complete
        with (tmp_path / "whole").open("w+b") as file:
            assert store.uploads.read_parts(sha256, file) == sha256
            file.seek(0)
            assert file.read() == data
        assert store.blob_size(sha256) is None
        assert sum(info.size for info in store.uploads.everything()) == 300 + 300 + 250 + 400
        store.uploads.drop(sha256)
        assert list(store.uploads.everything()) == []
