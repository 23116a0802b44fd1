"""The same pictures in every format and place are the same dataset."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import pyarrow
import pytest
from pyarrow import parquet

from atlas_core.cards import DatasetCard
from atlas_core.datasets.dataset import Dataset, open_dataset
from atlas_core.datasets.listing import Listing, number_labels
from atlas_core.datasets.objects import ObjectStorage, StoredObject
from atlas_core.errors import DatasetError, ImageError

FILES = {"dog/b.jpg": b"dog b", "dog/a.png": b"dog a", "cat/deep/c.webp": b"cat c"}
CSV = "key,label\ndog/b.jpg,dog\ndog/a.png,dog\ncat/deep/c.webp,cat\n"
FORMATS = {"gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT, "ustar": tarfile.USTAR_FORMAT}
PLACES = ["folder", "a.zip", "gnu.tar", "pax.tar", "ustar.tar", "folder/list.csv", "folder/list.parquet", "shards"]


def write_tar(path: Path, files: Mapping[str, bytes], kind: int = tarfile.GNU_FORMAT) -> Path:
    with tarfile.open(path, "w", format=kind) as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def write_world(root: Path, files: Mapping[str, bytes] = FILES) -> Path:
    """The pictures in every format: each place of `PLACES` below the root."""
    labels = {name: name.partition("/")[0] for name in files}
    for name, data in files.items():
        (root / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "folder" / name).write_bytes(data)
    rows = [f"{name},{label}" for name, label in labels.items()]
    (root / "folder/list.csv").write_text("\n".join(["key,label", *rows]))
    table = pyarrow.table({"label": list(labels.values()), "key": list(labels)})
    parquet.write_table(table, root / "folder/list.parquet")
    with zipfile.ZipFile(root / "a.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    for name, kind in FORMATS.items():
        write_tar(root / f"{name}.tar", files, kind)
    (root / "shards").mkdir()
    for label in set(labels.values()):  # a shard's name is the beginning of its image ids
        held = {name.removeprefix(f"{label}/"): data for name, data in files.items() if labels[name] == label}
        told = {f"{name.rpartition('.')[0]}.cls": label.encode() for name in held}
        write_tar(root / "shards" / f"{label}.tar", {**held, **told})
    return root


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """The pictures in every format."""
    return write_world(tmp_path)


class Storage:
    """Objects in memory: what datasets ask of object storage, with the bytes that were asked for counted."""

    def __init__(self, root: Path) -> None:
        files = (path for path in root.rglob("*") if path.is_file())
        self.objects = {path.relative_to(root).as_posix(): path.read_bytes() for path in files}
        self.sent = 0

    def _stored(self, path: str) -> StoredObject:
        return StoredObject(path, len(self.objects[path]), hashlib.md5(self.objects[path]).hexdigest())

    def listed(self, folder: str) -> Iterator[StoredObject]:
        return (self._stored(path) for path in sorted(self.objects) if path.startswith(f"{folder}/" if folder else ""))

    def find(self, paths: Sequence[str]) -> Iterator[StoredObject | None]:
        return (self._stored(path) if path in self.objects else None for path in paths)

    def read(self, path: str, span: tuple[int, int] | None, most: int) -> tuple[bytes, StoredObject] | None:
        if path not in self.objects:
            return None
        data = self.objects[path] if span is None else self.objects[path][span[0] : sum(span)]
        self.sent += len(data)
        return data, self._stored(path)


def no_blob(name: str) -> BinaryIO:
    raise AssertionError(f"asked for the blob {name}")


def opened(source: str, store: Path | ObjectStorage | None = None, listing: Listing | None = None) -> Dataset:
    shards = "webdataset" if source.endswith("/shards") else None
    card = DatasetCard.model_validate({"name": "toy", "source": source, "format": shards})
    if store is None:
        return open_dataset(card, no_blob, listing)
    return open_dataset(card, no_blob, listing, open_store=lambda name: store)


def held(dataset: Dataset) -> tuple[list[str], list[int], list[bytes]]:
    listing = dataset.listing
    return list(listing.images), listing.labels.tolist(), [dataset.read(image) for image in listing.images]


HELD = (["cat/deep/c.webp", "dog/a.png", "dog/b.jpg"], [0, 1, 1], [b"cat c", b"dog a", b"dog b"])


@pytest.mark.parametrize("place", PLACES)
def test_every_format_is_the_same_dataset_here_and_in_a_registered_folder(world: Path, place: str) -> None:
    with opened((world / "folder").as_uri()) as folder, opened((world / place).as_uri()) as local:
        assert held(local) == HELD
        assert local.listing.digest == folder.listing.digest
        with opened(f"store://lake/{place}", world) as registered:
            assert held(registered) == HELD
            assert registered.listing.digest == folder.listing.digest


@pytest.mark.parametrize("place", PLACES)
def test_object_storage_is_read_as_it_is_listed(world: Path, place: str) -> None:
    storage = Storage(world)
    with opened(f"store://lake/{place}", storage) as dataset:
        assert held(dataset) == HELD
        stored = Listing.from_bytes(dataset.listing.to_bytes())
    with opened(f"store://lake/{place}", storage, stored) as again:
        assert held(again) == HELD
        storage.objects = {path: data + b" changed" for path, data in storage.objects.items()}
    with opened(f"store://lake/{place}", storage, stored) as changed, pytest.raises(ImageError, match="changed"):
        changed.read("dog/a.png")


def test_objects_are_listed_without_being_read(world: Path) -> None:
    storage = Storage(world)
    with opened("store://lake/folder", storage) as dataset:
        assert list(dataset.listing.images) == HELD[0]
    assert storage.sent == 0


def test_a_stored_listing_of_a_tar_is_its_index(world: Path) -> None:
    storage = Storage(world)
    with opened("store://lake/gnu.tar", storage) as dataset:
        stored = Listing.from_bytes(dataset.listing.to_bytes())
    storage.sent = 0
    with opened("store://lake/gnu.tar", storage, stored) as again:
        assert again.read("dog/a.png") == b"dog a"
    assert storage.sent == len(b"dog a")


def test_an_array_is_a_picture_where_there_is_no_other(tmp_path: Path) -> None:
    write_tar(tmp_path / "s-0.tar", {"1.npy": b"array", "1.cls": b"dog", "2.jpg": b"picture", "2.npy": b"array"})
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "3.NPY").write_bytes(b"array")
    with opened((tmp_path / "s-{0..0}.tar").as_uri()) as dataset:
        assert list(dataset.listing.images) == ["s-0/1.npy", "s-0/2.jpg"]
    with opened((tmp_path / "folder").as_uri()) as dataset:
        assert list(dataset.listing.images) == ["3.NPY"]


def test_shards_tell_their_labels(tmp_path: Path) -> None:
    write_tar(tmp_path / "s-000.tar", {"x/1.png": b"1", "x/1.cls": b"1", "x/2.seg.png": b"no", "x/2.jpg": b"2",
                                       "x/2.json": b'{"label": 0}'})  # fmt: skip
    write_tar(tmp_path / "s-001.tar", {"3.png": b"3"})
    source = (tmp_path / "s-{000..001}.tar").as_uri()
    for dataset in (opened(source), opened("store://lake/s-{000..001}.tar", Storage(tmp_path))):
        with dataset:
            listing = dataset.listing
            assert list(listing.images) == ["s-000/x/1.png", "s-000/x/2.jpg", "s-001/3.png"]
            assert listing.labels.tolist() == [1, 0, -1]
            assert listing.classes == ("0", "1")
            assert dataset.read("s-001/3.png") == b"3"


@pytest.mark.parametrize(
    ("labels", "classes", "numbers", "names"),
    [
        (["b", "a", None], None, [1, 0, -1], ("a", "b")),
        (["2", "0", "2"], None, [2, 0, 2], ("0", "1", "2")),
        (["b", "0", "1"], ["a", "b"], [1, 0, 1], ("a", "b")),
        (["1", "0", None], ["1", "0"], [0, 1, -1], ("1", "0")),  # names go before indices
        ([None, None], None, [-1, -1], None),
    ],
)
def test_labels_are_names_or_indices(
    labels: list[str | None], classes: list[str] | None, numbers: list[int], names: tuple[str, ...] | None
) -> None:
    found, told = number_labels(labels, classes)
    assert (found.tolist(), told) == (numbers, names)


def test_a_label_that_no_class_names_is_refused() -> None:
    with pytest.raises(DatasetError, match="labels that the card's class list does not name: '7', 'bird'"):
        number_labels(["cat", "bird", "7"], ["cat", "dog"])


def test_labels_that_paths_do_not_tell_are_part_of_the_digest(world: Path) -> None:
    digests = set()
    for label in ("cat", "dog"):
        (world / "folder/list.csv").write_text(CSV.replace("c.webp,cat", f"c.webp,{label}") + "gone.png,cat\n")
        with opened((world / "folder/list.csv").as_uri()) as dataset:
            digests.add(dataset.listing.digest)
            assert dataset.listing.skipped[0]["image"] == "gone.png"
    assert len(digests) == 2


def test_a_store_that_is_not_registered_is_refused() -> None:
    with pytest.raises(DatasetError, match="no dataset store 'lake'"):
        opened("store://lake/folder")
