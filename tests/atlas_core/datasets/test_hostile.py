"""Hostile and broken datasets: refused or skipped, with the reason, and without a host path in it."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from atlas_core.errors import DatasetError
from tests.atlas_core.datasets.test_formats import opened, write_tar

if TYPE_CHECKING:
    from atlas_core.datasets.listing import Listing


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
