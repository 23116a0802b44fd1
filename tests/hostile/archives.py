"""Archives and manifests that are given for datasets and mean harm; made here."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterator
from typing import NamedTuple

from PIL import Image


class Archive(NamedTuple):
    """A file, and the format that its card says."""

    name: str
    format: str | None
    data: bytes


def archives() -> Iterator[Archive]:
    """Bombs, ways out, links and devices, in zips, tars, shards and manifests."""
    picture = _picture()
    for name in ("../../escape.png", "/etc/escape.png", "..\\..\\escape.png", "a/../../../escape.png"):
        yield Archive(f"zip {name}", "zip", _zip({name: picture}))
        yield Archive(f"tar {name}", "tar", _tar(name, picture))
    yield Archive("zip bomb", "zip", _zip({"a/bomb.png": bytes(64 << 20)}, zipfile.ZIP_DEFLATED))
    yield Archive("zip in zip", "zip", _zip({"a/inner.zip": _zip({"b.png": picture})}))
    yield Archive("zip link", "zip", _linked_zip())
    yield Archive("zip truncated", "zip", _zip({"a/b.png": picture})[:-30])
    yield Archive("zip nonsense", "zip", b"PK\x03\x04" + bytes(range(256)) * 8)
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
        yield Archive(f"tar of type {kind.decode()}", "tar", _tar("a/link.png", b"", kind))
        yield Archive(f"shard of type {kind.decode()}", "webdataset", _tar("link.png", b"", kind))
    yield Archive("tar of a petabyte", "tar", _claiming_tar())
    yield Archive("tar nonsense", "tar", b"x" * 10_000)
    for key in (
        "../../../etc/passwd",
        "/etc/passwd",
        "file:///etc/passwd",
        "http://127.0.0.1/a.png",
        "a\\..\\..\\b.png",
        "\0.png",
    ):
        yield Archive(f"csv {key!r}", "csv", f"key,label\n{key},0\n".encode())
    yield Archive("csv of one line", "csv", b"key,label\n" + b"a" * 5_000_000)
    yield Archive("csv nonsense", "csv", b"\xff\xfe\x00" * 100)
    yield Archive("parquet nonsense", "parquet", b"PAR1" + bytes(1000) + b"PAR1")
    yield Archive("empty", "zip", b"")


def _picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 20, 20)).save(file, "PNG")
    return file.getvalue()


def _zip(entries: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", how) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return file.getvalue()


def _linked_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        entry = zipfile.ZipInfo("a/link.png")
        entry.create_system, entry.external_attr = 3, 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    return file.getvalue()


def _tar(name: str, data: bytes, kind: bytes = tarfile.REGTYPE) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname, entry.size = kind, "/etc/passwd", len(data)
        archive.addfile(entry, io.BytesIO(data))
    return file.getvalue()


def _claiming_tar() -> bytes:
    entry = tarfile.TarInfo("a.png")
    entry.size = 1 << 50
    return entry.tobuf() + bytes(1024)
