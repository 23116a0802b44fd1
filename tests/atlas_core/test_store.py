import hashlib
from pathlib import Path

import pytest

from atlas_core.errors import DependencyError, InputError, IntegrityError, NotFoundError
from atlas_core.store import Store, open_store


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return open_store("memory://" if request.param == "memory" else str(tmp_path / "store"))


def test_a_blob_is_named_by_its_sha256(store: Store, tmp_path: Path) -> None:
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


def test_a_missing_blob_is_not_found(store: Store) -> None:
    for read in (store.get_blob, store.open_blob):
        with pytest.raises(NotFoundError):
            read("0" * 64)


def test_a_record_is_written_once(store: Store) -> None:
    assert store.get_record("cells", "k") is None
    assert not store.has_record("cells", "k")
    store.put_record("cells", "k", {"value": 1})
    store.put_record("cells", "k", {"value": 2})
    assert store.get_record("cells", "k") == {"value": 1}
    assert store.has_record("cells", "k")


def test_the_newest_version_of_a_document_counts(store: Store) -> None:
    assert store.get_document("models", "a") is None
    assert [store.append_document("models", "a", {"n": n}) for n in range(12)] == list(range(12))
    store.append_document("models", "b", {})
    assert store.get_document("models", "a") == {"n": 11}
    assert store.document_versions("models", "a") == list(range(12))
    assert store.document_names("models") == ["a", "b"]
    assert store.document_names("datasets") == []


def test_a_store_answers(store: Store) -> None:
    store.ping()


def test_bytes_that_do_not_match_their_digest_are_noticed(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    sha256 = store.put_blob(b"bytes")
    (tmp_path / "blobs" / sha256).write_bytes(b"other")
    for read in (store.get_blob, store.open_blob):
        with pytest.raises(IntegrityError, match=sha256[:12]):
            read(sha256)


def test_a_record_that_is_no_json_is_noticed(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    store.put_record("cells", "k", {})
    (tmp_path / "records/cells/k.json").write_text("{")
    with pytest.raises(IntegrityError, match=r"records/cells/k\.json is no JSON"):
        store.get_record("cells", "k")


def test_a_folder_that_cannot_be_made_is_a_dependency_that_is_down(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DependencyError, match="store cannot be used") as caught:
        open_store(str(tmp_path / "file" / "below"))
    assert str(tmp_path) not in caught.value.detail


def test_a_folder_that_went_away_does_not_answer(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    (tmp_path / "store").rmdir()
    with pytest.raises(DependencyError):
        store.ping()


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(InputError, match="'ftp'"):
        open_store("ftp://host/folder")


@pytest.mark.parametrize("name", ["/", "..", "../models", "abc/", "a\0b", "", "a" * 65])
def test_a_name_that_can_be_none_is_not_found_and_not_written(store: Store, name: str) -> None:
    assert store.get_document("models", name) is None
    with pytest.raises(InputError, match="no name of a document"):
        store.append_document("models", name, {})
