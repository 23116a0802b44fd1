"""Bytes that are given for pictures and mean harm; made here."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from tests.hostile.models import Payload


class Picture(NamedTuple):
    """Bytes, and the type that the request says."""

    name: str
    kind: str
    data: bytes
    taken: bool = False


def pictures(canary: Path) -> Iterator[Picture]:
    """Bombs, lies, what is cut off or two things at once, and what is no picture; `taken` where it is one, too."""
    whole = _saved("JPEG")
    yield Picture("bomb.png", "image/png", _png(60_000, 60_000, b""))
    yield Picture("bomb, whole.png", "image/png", _png(20_000, 20_000, zlib.compress(bytes(4 << 20))))
    yield Picture("text bomb.png", "image/png", _with_text(_saved("PNG"), zlib.compress(bytes(200 << 20))))
    yield Picture("truncated.png", "image/png", _saved("PNG")[:-40])
    yield Picture("truncated.jpg", "image/jpeg", whole[:300])
    yield Picture("truncated.webp", "image/webp", _saved("WEBP")[:20])
    yield Picture("gif", "image/jpeg", _saved("GIF"))
    yield Picture("tiff", "image/png", _saved("TIFF"))
    yield Picture(
        "svg", "image/png", b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    )
    yield Picture("xml", "image/webp", b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>')
    yield Picture("postscript", "image/png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(/etc/passwd) run\n")
    yield Picture("html", "image/jpeg", b"<html><script>fetch('http://127.0.0.1')</script></html>")
    yield Picture("jpeg and zip", "image/jpeg", whole + _zip(), taken=True)
    yield Picture("pickle.npy", "application/octet-stream", _pickled(canary))
    yield Picture("claims.npy", "application/octet-stream", _npy("(100000, 100000, 3)", "|u1"))
    yield Picture("odd head.npy", "application/octet-stream", _npy("(__import__('os').system('id'),)", "|u1"))
    yield Picture("negative.npy", "application/octet-stream", _npy("(-8, -8, 3)", "|u1"))
    yield Picture("nothing", "image/png", b"")


def _saved(kind: str) -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file, kind)
    return file.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, data: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _with_text(png: bytes, packed: bytes) -> bytes:
    return png[:33] + _chunk(b"zTXt", b"Comment\0\0" + packed) + png[33:]


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "a")
    return file.getvalue()


def _npy(shape: str, kind: str) -> bytes:
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head


def _pickled(canary: Path) -> bytes:
    return _npy("(8, 8, 3)", "|O") + pickle.dumps([Payload(canary)] * 192)
