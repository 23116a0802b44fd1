"""Random reading, the same for files, blobs and objects."""

from __future__ import annotations

import io
import os
import threading
from typing import Any, BinaryIO, Protocol

BLOCK = 1 << 20


class SpanReader(Protocol):
    """Bytes at any place; may be used by several threads.

    Attributes:
        size: Length in bytes.
    """

    size: int

    def read(self, offset: int, length: int) -> bytes:
        """So many bytes, fewer at the end."""

    def identity(self, offset: int, length: int) -> str | None:
        """Digest by which these bytes are known without being read; None where they are cheap to digest."""

    def close(self) -> None:
        """Let go of what is open."""


class FileReader:
    """An open file; closed at the latest with its last user.

    Args:
        descriptor: Ours to close.
    """

    def __init__(self, descriptor: int) -> None:
        """Take the descriptor."""
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    def read(self, offset: int, length: int) -> bytes:
        """So many bytes, fewer at the end."""
        return os.pread(self._descriptor, length, offset)

    def identity(self, offset: int, length: int) -> str | None:
        """None: bytes at hand are digested."""
        return None

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def __del__(self) -> None:
        self.close()


class StreamReader:
    """A seekable stream, a blob for one.

    Args:
        stream: Ours to close.
    """

    def __init__(self, stream: BinaryIO) -> None:
        """Take the stream."""
        self._stream = stream
        self._lock = threading.Lock()
        self.size = stream.seek(0, io.SEEK_END)

    def read(self, offset: int, length: int) -> bytes:
        """So many bytes, fewer at the end."""
        with self._lock:
            self._stream.seek(offset)
            return self._stream.read(length)

    def identity(self, offset: int, length: int) -> str | None:
        """None: bytes at hand are digested."""
        return None

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()


class _Raw(io.RawIOBase):
    def __init__(self, reader: SpanReader) -> None:
        self._reader = reader
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._reader.size}[whence]
        return self._place

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = self._reader.read(self._place, len(view))
        view[: len(data)] = data
        self._place += len(data)
        return len(data)


def as_file(reader: SpanReader, block: int = BLOCK) -> io.BufferedReader:
    """A reader as a file, read in blocks; closing it leaves the reader open."""
    return io.BufferedReader(_Raw(reader), block)
