from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from atlas_core import registry
from atlas_core.backup import Copied, backup, restore
from atlas_core.errors import ConflictError, IntegrityError, NotFoundError
from atlas_core.manifest import manifest_of, verify
from atlas_core.registry import add_job, put_plan
from atlas_core.store import Store, open_store

if TYPE_CHECKING:
    from tests.atlas_core.conftest import TinyAtlas


@pytest.fixture
def target(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "backup"))


@pytest.fixture
def small(tmp_path: Path) -> Store:
    """A store with two blobs, a record and a document in two versions."""
    store = open_store(str(tmp_path / "small"))
    one = store.put_blob(b"one")
    store.put_blob(b"another, longer")
    store.put_record("collect", "k", {"blobs": {"a": one}})
    store.append_document("models", "m", {"id": "m", "state": "inspecting"})
    store.append_document("models", "m", {"id": "m", "state": "ready"})
    return store


def paths(store: Store) -> dict[str, int]:
    return {info.path: info.size for part in ("blobs/", "records/", "registry/") for info in store.objects.listed(part)}


def test_an_atlas_goes_into_a_backup_and_comes_back_whole(tiny_atlas: TinyAtlas, target: Store, tmp_path: Path) -> None:
    source = tiny_atlas.store
    put_plan(source, tiny_atlas.plan)
    add_job(source, tiny_atlas.plan, "kept")
    told: list[tuple[int, int]] = []
    backup(source, target, lambda done, total: told.append((done, total)))
    assert told[-1] == (len(paths(source)), len(paths(source)))
    back = open_store(str(tmp_path / "back"))
    restore(target, back)
    assert paths(back) == paths(source)
    manifest = manifest_of(registry.plan_of(back, tiny_atlas.plan.id), back)
    assert manifest["digest"] == tiny_atlas.manifest["digest"]
    assert verify(manifest)
    for entry in manifest["artifacts"].values():
        assert len(back.get_blob(entry["sha256"])) == entry["bytes"]


def test_only_what_is_new_is_written(small: Store, target: Store) -> None:
    assert backup(small, target) == Copied(blobs=2, objects=3, known=0, bytes=18 + _small_bytes(small))
    assert backup(small, target) == Copied(known=5)
    small.append_document("models", "m", {"id": "m", "state": "refused"})
    small.put_blob(b"new")
    again = backup(small, target)
    assert (again.blobs, again.objects, again.known) == (1, 1, 5)
    assert target.get_document("models", "m") == {"id": "m", "state": "refused"}


def _small_bytes(store: Store) -> int:
    return sum(size for path, size in paths(store).items() if not path.startswith("blobs/"))


def test_what_was_deleted_goes_from_the_backup_where_that_is_asked(small: Store, target: Store) -> None:
    backup(small, target)
    sha256 = next(blob.sha256 for blob in small.list_blobs() if blob.size == 3)
    small.delete_record("collect", "k")
    small.delete_blob(sha256)
    assert backup(small, target).deleted == 0
    assert target.blob_size(sha256) == 3
    assert backup(small, target, prune=True).deleted == 2
    assert paths(target) == paths(small)


def test_damage_is_found_on_either_side(small: Store, target: Store, tmp_path: Path) -> None:
    backup(small, target)
    sha256 = next(blob.sha256 for blob in small.list_blobs() if blob.size == 3)
    target.objects.write(f"blobs/{sha256}", b"eno")
    with pytest.raises(IntegrityError, match=sha256[:12]):
        restore(target, open_store(str(tmp_path / "back")))
    assert backup(small, target, verify=True).blobs == 1
    assert target.get_blob(sha256) == b"one"
    small.objects.write(f"blobs/{sha256}", b"eno")
    with pytest.raises(IntegrityError, match=sha256[:12]):
        backup(open_store(str(tmp_path / "small")), open_store(str(tmp_path / "other")))


def test_a_record_is_never_there_without_its_blobs(small: Store, target: Store) -> None:
    order: list[str] = []
    write = target.objects.write

    def noted(path: str, data: bytes) -> None:
        order.append(path.partition("/")[0])
        write(path, data)

    target.objects.write = noted  # type: ignore[method-assign]
    backup(small, target)
    assert order == ["blobs", "blobs", "records", "registry", "registry"]


def test_a_store_of_its_own_is_not_restored_into(small: Store, target: Store) -> None:
    with pytest.raises(NotFoundError, match="no backup"):
        restore(target, small)
    backup(small, target)
    small.append_document("models", "later", {"id": "later"})
    with pytest.raises(ConflictError, match="empty"):
        restore(target, small)
