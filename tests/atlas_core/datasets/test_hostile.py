"""Hostile and broken datasets: refused or skipped, with the reason, and without a host path in it."""

from __future__ import annotations

import io
import os
import resource
import struct
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from atlas_core import registry
from atlas_core.cards import DatasetCard, InputCard
from atlas_core.datasets import parquet_rows, sources, tars, zips
from atlas_core.datasets.decode import decode
from atlas_core.datasets.listing import Listing
from atlas_core.datasets.manifests import Unusable
from atlas_core.errors import DatasetError, ImageError, IntegrityError
from atlas_core.models.preprocessing import preprocess
from atlas_core.registration import inspect_dataset
from atlas_core.store import open_store
from tests.atlas_core.datasets.test_formats import opened, write_tar


def listed(path: Path) -> Listing:
    with opened(path.as_uri()) as dataset:
        return dataset.listing


def refused(path: Path, words: str) -> None:
    with pytest.raises(DatasetError, match=words) as caught:
        listed(path)
    assert str(path.parent) not in caught.value.detail


@pytest.mark.parametrize("name", ["/etc/a.png", "../a.png", "a/../../b.png"])
def test_a_tar_may_not_leave_itself(tmp_path: Path, name: str) -> None:
    refused(write_tar(tmp_path / "h.tar", {name: b"1"}), "would leave")


@pytest.mark.parametrize(
    ("kind", "words"),
    [(tarfile.SYMTYPE, "is a link"), (tarfile.LNKTYPE, "hard link"), (tarfile.CHRTYPE, "device"),
     (tarfile.BLKTYPE, "device"), (tarfile.FIFOTYPE, "pipe")],
)  # fmt: skip
def test_a_tar_holds_files_only(tmp_path: Path, kind: bytes, words: str) -> None:
    entry = tarfile.TarInfo("a.png")
    entry.type, entry.linkname = kind, "/etc/passwd"
    with tarfile.open(tmp_path / "h.tar", "w") as archive:
        archive.addfile(entry)
    refused(tmp_path / "h.tar", words)


def test_absurd_truncated_and_compressed_tars_are_refused(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("a.png")
    entry.size = 1 << 50
    (tmp_path / "absurd.tar").write_bytes(entry.tobuf() + bytes(1024))
    refused(tmp_path / "absurd.tar", "reaches over its end")
    whole = write_tar(tmp_path / "whole.tar", {"a.png": b"1" * 600, "b.png": b"2" * 600}).read_bytes()
    for length in (100, 700, 1600, 2048):
        (tmp_path / "cut.tar").write_bytes(whole[:length])
        refused(tmp_path / "cut.tar", "no tar that can be read")
    for name in ("a.tar.gz", "a.tgz", "a.tar"):
        (tmp_path / name).write_bytes(b"\x1f\x8b" + bytes(600))
        refused(tmp_path / name, "compressed tar")


@pytest.mark.parametrize(
    "key", ["../out.png", "/etc/p.png", "file:///p.png", "store://other/p.png", "%2e%2e/out.png", "a/../../out.png"]
)
def test_a_manifest_may_not_leave_its_root_and_the_line_is_named(tmp_path: Path, key: str) -> None:
    (tmp_path / "list.csv").write_text(f"key\na.png\n{key}\n")
    refused(tmp_path / "list.csv", "line 3: the key .* leaves")


def test_a_link_that_leaves_the_root_of_a_manifest_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/a.png").write_bytes(b"a")
    (tmp_path / "root/link.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "root/list.csv").write_text("key\na.png\nlink.png\n")

    listing = listed(tmp_path / "root/list.csv")

    assert list(listing.images) == ["a.png"]
    assert listing.skipped[0]["image"] == "link.png"
    assert "leaves" in listing.skipped[0]["reason"]


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"name\nx\n", "no column key, image, path or file, only name"), (b"key\na.png\na.png\n", "line 2 already"),
     (b"key,label\na.png\n", "has 1 values"), (b"key\n\xff.png\n", "no UTF-8"), (b"key\n \n", "has no key")],
)  # fmt: skip
def test_broken_manifests_are_refused(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "list.csv").write_bytes(data)
    refused(tmp_path / "list.csv", words)


def test_empty_files_and_pipes_are_skipped_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"a")
    (tmp_path / "empty.png").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe.png")

    assert listed(tmp_path).skipped == (
        {"image": "empty.png", "reason": "an empty file"},
        {"image": "pipe.png", "reason": "no regular file"},
    )


def png(width: int, height: int, depth: int, rows: bytes) -> bytes:
    """A PNG in RGB of any depth, whatever its header claims."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    data = io.BytesIO()
    picture.save(data, kind, **options)
    return data.getvalue()


@pytest.mark.parametrize(("side", "words"), [(20_000, "more than the 64000000 pixels"), (9_000, "9000 x 9000 pixels")])
def test_a_picture_of_20_000_by_20_000_pixels_is_refused_by_its_header(side: int, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        decode(png(side, side, 8, b"\0"))


def test_sixteen_bit_colours_keep_their_range() -> None:
    rows = b"\0" + struct.pack(">6H", 0, 32768, 65535, 65535, 0, 257)
    assert np.asarray(decode(png(2, 1, 16, rows))).tolist() == [[[0, 128, 255], [255, 0, 1]]]


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_animation_is_its_first_frame(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.n_frames == 3  # type: ignore[attr-defined]  # of animations only
    assert np.abs(np.asarray(decode(data)).astype(int)[4, 4] - (250, 0, 0)).max() < 8


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_turned_camera_is_turned_back(tmp_path: Path, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    sideways = Image.new("RGB", (16, 16), (0, 0, 0))
    sideways.paste((255, 255, 255), (0, 0, 8, 16))  # its left half is the upper one of the scene
    (tmp_path / "a.jpg").write_bytes(encoded(sideways, kind, exif=exif))
    given = InputCard(channels=3, height=16, width=16, mean=[0, 0, 0], std=[1, 1, 1])
    with opened(tmp_path.as_uri()) as dataset:
        seen = preprocess(decode(dataset.read("a.jpg")), given)
    assert seen[:7].min() > 200
    assert seen[9:].max() < 55


def test_pictures_are_known_by_their_bytes_and_listed_by_their_names(tmp_path: Path) -> None:
    good = encoded(Image.new("RGB", (4, 4), (9, 9, 9)), "PNG")
    files = {"png.jpg": good, "text.png": b"hello", "gif.webp": encoded(Image.new("RGB", (4, 4)), "GIF"),
             "picture.txt": good, ".hidden.png": good, "__MACOSX/png.png": good}  # fmt: skip
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    with opened(tmp_path.as_uri()) as dataset:
        assert list(dataset.listing.images) == ["gif.webp", "png.jpg", "text.png"]
        assert decode(dataset.read("png.jpg")).size == (4, 4)
        for name in ("gif.webp", "text.png"):
            with pytest.raises(ImageError, match="no JPEG, PNG or WebP"):
                decode(dataset.read(name))
    (tmp_path / "list.csv").write_text("key\npicture.txt\n")
    with opened((tmp_path / "list.csv").as_uri()) as chosen:  # what a manifest names was chosen
        assert decode(chosen.read("picture.txt")).size == (4, 4)


def test_a_zip_whose_entry_has_no_name_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "h.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo(""), b"1")
    refused(tmp_path / "h.zip", "an entry without a name")


def test_a_zip_whose_entry_tells_two_names_has_it_skipped(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "h.zip", "w") as archive:
        archive.writestr("a.png", b"1")
        archive.writestr("\u00e9.png", b"1")
    data = (tmp_path / "h.zip").read_bytes()
    (tmp_path / "h.zip").write_bytes(data.replace("\u00e9".encode(), b"\xff\xff", 1))  # not in the directory
    assert listed(tmp_path / "h.zip").skipped == ({"image": "\u00e9.png", "reason": "a damaged entry of the zip"},)


def test_a_zip_whose_entries_overlap_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "h.zip", "w") as archive:
        archive.writestr("a.png", bytes(1000))
        archive.filelist *= 20  # twenty names for the same bytes
    refused(tmp_path / "h.zip", "overlap, as only a zip bomb's do")


def test_sparse_tars_are_refused(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("a.png")
    entry.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.realsize": str(1 << 40)}
    with tarfile.open(tmp_path / "h.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(entry)
    refused(tmp_path / "h.tar", "without --sparse")


def test_archives_of_too_many_entries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"{number}.png": b"1" for number in range(4)}
    with zipfile.ZipFile(tmp_path / "h.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    write_tar(tmp_path / "h.tar", files)
    for module in (tars, zips):
        monkeypatch.setattr(module, "MAX_ENTRIES", 3)
    refused(tmp_path / "h.zip", "4 entries; at most 3")
    refused(tmp_path / "h.tar", "more than 3 entries")


def test_files_that_are_too_large_are_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"a.png": b"a", "big.png": bytes(100)}
    (tmp_path / "folder").mkdir()
    for name, data in files.items():
        (tmp_path / "folder" / name).write_bytes(data)
    write_tar(tmp_path / "h.tar", files)
    for module in (sources, tars):
        monkeypatch.setattr(module, "MAX_BYTES", 50)
    for place in ("folder", "h.tar"):
        assert listed(tmp_path / place).skipped == ({"image": "big.png", "reason": "more than 50 bytes"},)


def test_truncated_zips_and_tables_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "whole.zip", "w") as archive:
        archive.writestr("a.png", bytes(600))
    parquet.write_table(pyarrow.table({"key": ["a.png"]}), tmp_path / "whole.parquet")
    for kind, words in (("zip", "no zip that can be read"), ("parquet", "no Parquet that can be read")):
        whole = (tmp_path / f"whole.{kind}").read_bytes()
        for length in (10, len(whole) // 2, len(whole) - 5):
            (tmp_path / f"cut.{kind}").write_bytes(whole[:length])
            refused(tmp_path / f"cut.{kind}", words)


@pytest.mark.parametrize(
    ("columns", "words"),
    [({"key": ["a.png", "../b.png"]}, "row 2: the key '../b.png' leaves"),
     ({"key": ["a.png", None]}, "row 2 has no key"), ({"key": [1]}, "column 'key' holds int64; text is taken"),
     ({"key": [["a.png"]]}, "column 'key' holds list<.*>; text is taken"),
     ({"name": ["a.png"]}, "no column key, image, path or file, only name"),
     ({"key": ["a.png", "a.png"]}, "stands in row 1 already"),
     ({"key": ["a.png"], "label": [0.5]}, "column 'label' holds double; text or whole numbers are taken")],
)  # fmt: skip
def test_broken_parquet_manifests_are_refused(tmp_path: Path, columns: dict[str, list[object]], words: str) -> None:
    parquet.write_table(pyarrow.table(columns), tmp_path / "list.parquet")
    refused(tmp_path / "list.parquet", words)


def test_labels_of_a_manifest_may_be_indices(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).write_bytes(name.encode())
    table = pyarrow.table({"key": ["a.png", "b.png", "c.png"], "label": pyarrow.array([2, 0, None], pyarrow.int64())})
    parquet.write_table(table, tmp_path / "list.parquet")
    listing = listed(tmp_path / "list.parquet")
    assert listing.labels.tolist() == [2, 0, -1]
    assert listing.classes == ("0", "1", "2")


@pytest.mark.parametrize("source", ["store://lake/../secret", "store://lake/a/%2e%2e/%2e%2e/secret"])
def test_a_source_may_not_leave_its_store(tmp_path: Path, source: str) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "secret").mkdir()
    with pytest.raises(DatasetError, match="leaves the registered store"):
        opened(source, tmp_path / "lake")


def test_links_may_not_leave_a_registered_store(tmp_path: Path) -> None:
    lake, secret = tmp_path / "lake", tmp_path / "secret"
    (lake / "inside").mkdir(parents=True)
    secret.mkdir()
    (secret / "s.png").write_bytes(b"secret")
    write_tar(secret / "s.tar", {"s.png": b"secret"})
    (lake / "inside/a.png").write_bytes(b"a")
    (lake / "inside/link.png").symlink_to(secret / "s.png")
    (lake / "folder").symlink_to(secret)
    (lake / "s.tar").symlink_to(secret / "s.tar")
    with opened("store://lake/inside", lake) as dataset:
        assert list(dataset.listing.images) == ["a.png"]
        assert "leaves" in dataset.listing.skipped[0]["reason"]
    for place in ("folder", "s.tar"):
        with pytest.raises(DatasetError, match="is not there"), opened(f"store://lake/{place}", lake) as dataset:
            _ = dataset.listing


def test_an_uploaded_archive_that_does_not_match_its_digest_is_not_read(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    write_tar(tmp_path / "a.tar", {"a.png": b"a" * 600})
    sha256 = store.put_blob_file(tmp_path / "a.tar")
    stored = next(path for path in (tmp_path / "store").rglob(sha256))
    stored.chmod(0o644)
    stored.write_bytes(stored.read_bytes().replace(b"aaa", b"bbb"))
    card = DatasetCard(name="a", source=f"sha256:{sha256}")
    name = registry.add_dataset(store, card, sha256)["id"]
    with pytest.raises(IntegrityError, match="does not match its digest"):
        inspect_dataset(store, name)


def test_a_name_that_is_no_text_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"a")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")).write_bytes(b"b")
    listing = listed(tmp_path)
    assert list(listing.images) == ["a.png"]
    assert listing.skipped == ({"image": "\ufffd.png", "reason": "its name is no UTF-8; rename it"},)
    assert Listing.from_bytes(listing.to_bytes()).skipped == listing.skipped


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"a")
    descriptor = os.open(tmp_path, os.O_RDONLY)
    for _ in range(17):  # a path longer than the system takes; root may read whatever has a name
        os.mkdir("d" * 250, dir_fd=descriptor)
        inner = os.open("d" * 250, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)
    refused(tmp_path, "the dataset's folder 'd+' cannot be read: File name too long")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("cls", b"\xff"),
        ("json", b"{"),
        ("json", b"[" * 100_000),
        ("json", b'{"label": [1]}'),
        ("cls", b"1" * (1 << 21)),
    ],
    ids=["no-text", "no-json", "deep", "list", "large"],
)
def test_labels_that_cannot_be_read_are_named(tmp_path: Path, kind: str, data: bytes) -> None:
    (tmp_path / "shards").mkdir()
    write_tar(tmp_path / "shards/s.tar", {"1.png": b"1", f"1.{kind}": data})
    refused(tmp_path / "shards", f"the label in 's/1.{kind}' cannot be read")


def test_files_beside_a_picture_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    write_tar(
        tmp_path / "shards/s.tar", {"1.png": b"1", "1.cls": b"x", "1.json": b"{", "1.meta.json": b"{", "2.json": b"{"}
    )
    listing = listed(tmp_path / "shards")
    assert (list(listing.images), listing.classes) == (["s/1.png"], ("x",))


def test_few_bytes_of_parquet_do_not_become_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "a" * 1_000_000 + ".png"
    table = pyarrow.table({"key": pyarrow.DictionaryArray.from_arrays([0] * 40_000, [name])})  # 40 GB of text
    parquet.write_table(table, tmp_path / "list.parquet")
    assert (tmp_path / "list.parquet").stat().st_size < 1_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(tmp_path / "list.parquet", "row 1: a key or label of more than 1024 characters")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB
    monkeypatch.setattr(parquet_rows, "MAX_MANIFEST_BYTES", 900_000)
    with pytest.raises(Unusable, match="its keys and labels unpack to"):
        next(parquet_rows.rows((tmp_path / "list.parquet").read_bytes()))


def test_shards_are_not_all_open_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tars, "MAX_OPEN", 2)
    (tmp_path / "shards").mkdir()
    for number in range(12):
        write_tar(tmp_path / f"shards/{number:02d}.tar", {"1.png": b"%d" % number})
    before = len(os.listdir("/proc/self/fd"))
    with opened((tmp_path / "shards").as_uri()) as dataset:
        listing = dataset.listing
        assert len(os.listdir("/proc/self/fd")) <= before + 3
        assert [dataset.read(image) for image in listing.images] == [b"%d" % number for number in range(12)]
        assert len(os.listdir("/proc/self/fd")) <= before + 3
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_manifest_that_ends_the_process_that_reads_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet.write_table(pyarrow.table({"key": ["a.png"]}), tmp_path / "list.parquet")
    monkeypatch.setattr(sys, "executable", "/bin/false")
    refused(tmp_path / "list.parquet", "too much memory, or breaks the library")
