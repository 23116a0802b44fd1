"""Columns of very many short values, kept as they are stored and decoded one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from atlas_core.errors import IntegrityError

DIGEST_BYTES = 32


class Names(Sequence[str]):
    """Texts in one UTF-8 buffer.

    Args:
        buffer: Their bytes one after the other, uint8.
        ends: Where each ends in the buffer, int64, shape (names,).
    """

    def __init__(self, buffer: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        """Keep the columns."""
        if len(ends) and (ends[-1] != len(buffer) or (np.diff(ends, prepend=0) < 0).any()):
            raise IntegrityError("a stored list of names cannot be read: its ends do not fit")
        self.buffer = buffer
        self.ends = ends

    @classmethod
    def of(cls, names: Iterable[str]) -> Names:
        """The column of these texts."""
        encoded = [name.encode() for name in names]
        ends = np.cumsum([len(name) for name in encoded], dtype=np.int64)
        return cls(np.frombuffer(b"".join(encoded), np.uint8), ends)

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[str, ...]: ...
    def __getitem__(self, place: int | slice) -> str | tuple[str, ...]:
        if isinstance(place, slice):
            return tuple(self[index] for index in range(*place.indices(len(self))))
        place = range(len(self))[place]
        start = int(self.ends[place - 1]) if place else 0
        return self.buffer[start : int(self.ends[place])].tobytes().decode()

    def __iter__(self) -> Iterator[str]:
        data, start = self.buffer.tobytes(), 0
        for end in self.ends.tolist():
            yield data[start:end].decode()
            start = end

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(str.__eq__, self, other))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"Names({list(self[:5])}{' and more' if len(self) > 5 else ''})"


class Digests(Sequence[str]):
    """SHA-256 digests as bytes, told in hex.

    Args:
        rows: uint8, shape (digests, 32).
    """

    def __init__(self, rows: NDArray[np.uint8]) -> None:
        """Keep the column."""
        if rows.ndim != 2 or rows.shape[1] != DIGEST_BYTES:
            raise IntegrityError("a stored list of digests cannot be read: its shape does not fit")
        self.rows = rows

    @classmethod
    def of(cls, digests: Iterable[str]) -> Digests:
        """The column of these digests in hex."""
        data = np.frombuffer(bytes.fromhex("".join(digests)), np.uint8)
        return cls(data.reshape(-1, DIGEST_BYTES))

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[str, ...]: ...
    def __getitem__(self, place: int | slice) -> str | tuple[str, ...]:
        if isinstance(place, slice):
            return tuple(row.tobytes().hex() for row in self.rows[place])
        digest: NDArray[np.uint8] = self.rows[place]
        return digest.tobytes().hex()
