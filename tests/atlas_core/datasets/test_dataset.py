"""Datasets: the same pictures in a folder, a zip and a blob are the same dataset."""

from __future__ import annotations

import hashlib
import io
import stat
import zipfile
from pathlib import Path
from typing import BinaryIO

import pytest

from atlas_core.cards import DatasetCard
from atlas_core.datasets.dataset import Dataset, open_dataset
from atlas_core.datasets.listing import Listing
from atlas_core.errors import DatasetError, ImageError

FILES = {
    "train/dog/b.JPG": b"dog b",
    "train/dog/a.png": b"dog a",
    "train/cat/deep/c.webp": b"cat c",
    "train/cat/notes.txt": b"no picture",
    "train/cat/.hidden.jpg": b"hidden",
    "__MACOSX/train/dog/._b.jpg": b"junk",
    "test/cow/d.jpeg": b"cow d",
}


def no_blob(name: str) -> BinaryIO:
    raise AssertionError(f"asked for the blob {name}")


def folder(path: Path, files: dict[str, bytes] = FILES) -> str:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path.as_uri()


def zipped(files: dict[str, bytes] = FILES) -> io.BytesIO:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    buffer.seek(0)
    return buffer


def opened(source: str, prefix: str = "train/", classes: list[str] | None = None) -> Dataset:
    return open_dataset(DatasetCard(name="toy", source=source, prefix=prefix, classes=classes), no_blob)


def test_images_are_sorted_labelled_and_digested(tmp_path: Path) -> None:
    with opened(folder(tmp_path), classes=["dog", "bird", "cat"]) as dataset:
        listing = dataset.listing

        assert listing.images == ("cat/deep/c.webp", "dog/a.png", "dog/b.JPG")
        assert listing.labels.tolist() == [2, 0, 0]
        assert listing.identities[1] == hashlib.sha256(b"dog a").hexdigest()
        assert listing.classes == ("dog", "bird", "cat")
        assert dataset.read("dog/a.png") == b"dog a"


def test_classes_default_to_the_sorted_folders(tmp_path: Path) -> None:
    source = folder(tmp_path, {"b/1.png": b"1", "a/2.png": b"2", "root.png": b"3"})

    with opened(source, prefix="") as dataset:
        assert dataset.listing.classes == ("a", "b")
        assert dataset.listing.labels.tolist() == [0, 1, -1]


def test_pictures_at_the_root_are_unlabelled(tmp_path: Path) -> None:
    with opened(folder(tmp_path, {"1.png": b"1"}), prefix="") as dataset:
        assert dataset.listing.classes is None
        assert dataset.listing.labels.tolist() == [-1]


def test_folder_zip_and_blob_are_one_dataset(tmp_path: Path) -> None:
    (tmp_path / "toy.zip").write_bytes(zipped().getvalue())
    asked: list[str] = []

    def open_blob(name: str) -> BinaryIO:
        asked.append(name)
        return zipped()

    blob = open_dataset(DatasetCard(name="toy", source="sha256:abc", prefix="train"), open_blob)
    with opened(folder(tmp_path / "files")) as first, opened((tmp_path / "toy.zip").as_uri()) as second, blob:
        assert first.listing.digest == second.listing.digest == blob.listing.digest
        assert blob.read("dog/b.JPG") == b"dog b"
    assert asked == ["abc"]


def test_the_digest_follows_bytes_paths_and_classes(tmp_path: Path) -> None:
    digests = set()
    for number, files in enumerate(({"a/1.png": b"1"}, {"a/1.png": b"2"}, {"a/2.png": b"1"})):
        with opened(folder(tmp_path / str(number), files), prefix="") as dataset:
            digests.add(dataset.listing.digest)
    with opened(folder(tmp_path / "0", {}), prefix="", classes=["a", "b"]) as dataset:
        digests.add(dataset.listing.digest)

    assert len(digests) == 4


def test_a_listing_survives_being_stored(tmp_path: Path) -> None:
    with opened(folder(tmp_path)) as dataset:
        listing = dataset.listing
    again = Listing.from_bytes(listing.to_bytes())

    assert again.to_bytes() == listing.to_bytes()
    assert (again.images, again.classes, again.digest) == (listing.images, listing.classes, listing.digest)
    assert again.place("dog/a.png") == 1
    assert again.place("dog/z.png") is None


def test_folders_that_no_class_names_are_named(tmp_path: Path) -> None:
    with (
        opened(folder(tmp_path), classes=["dog", "bird"]) as dataset,
        pytest.raises(DatasetError, match=r"'cat'.*prefix"),
    ):
        _ = dataset.listing


def test_empty_and_missing_datasets_are_refused(tmp_path: Path) -> None:
    with opened(folder(tmp_path), prefix="nothing") as dataset, pytest.raises(DatasetError, match="no JPEG"):
        _ = dataset.listing
    with pytest.raises(DatasetError, match="is not there"):
        opened((tmp_path / "gone").as_uri())
    with pytest.raises(DatasetError, match="leaves the dataset"):
        opened(tmp_path.as_uri(), prefix="../other")
    (tmp_path / "toy.zip").write_bytes(b"no zip")
    with pytest.raises(DatasetError, match="no zip"):
        opened((tmp_path / "toy.zip").as_uri())


@pytest.mark.parametrize("name", ["/etc/a.png", "a/../../b.png", "..\\b.png"])
def test_a_zip_may_not_leave_itself(name: str) -> None:
    with pytest.raises(DatasetError, match="would leave"):
        open_dataset(DatasetCard(name="toy", source="sha256:x"), lambda _: zipped({name: b"1"}))


def test_a_zip_may_not_hold_links() -> None:
    entry = zipfile.ZipInfo("a/link.png")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(entry, "/etc/passwd")

    with pytest.raises(DatasetError, match="is a link"):
        open_dataset(DatasetCard(name="toy", source="sha256:x"), lambda _: buffer)


def test_bombs_and_damaged_entries_are_skipped_and_listed() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/bomb.png", bytes(1_000_000))
        archive.writestr("a/good.png", b"good")
        archive.writestr(zipfile.ZipInfo("a/worse.png"), b"damaged")
    data = buffer.getvalue().replace(b"damaged", b"DAMAGED")

    with open_dataset(DatasetCard(name="toy", source="sha256:x"), lambda _: io.BytesIO(data)) as dataset:
        assert dataset.listing.images == ("a/good.png",)
        assert [entry["image"] for entry in dataset.listing.skipped] == ["a/bomb.png", "a/worse.png"]
        assert "1000000 bytes" in dataset.listing.skipped[0]["reason"]


def test_a_file_changed_after_listing_is_not_read(tmp_path: Path) -> None:
    with opened(folder(tmp_path)) as dataset:
        _ = dataset.listing
        (tmp_path / "train/dog/a.png").write_bytes(b"another dog")

        with pytest.raises(ImageError, match="changed"):
            dataset.read("dog/a.png")
        with pytest.raises(DatasetError, match="no image"):
            dataset.read("dog/z.png")
