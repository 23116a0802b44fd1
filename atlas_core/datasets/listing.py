"""What a dataset holds: images, labels and digests, in one fixed order."""

from __future__ import annotations

import bisect
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from atlas_core import tables
from atlas_core.datasets.columns import Digests, Names
from atlas_core.errors import DatasetError, IntegrityError
from atlas_core.keys import canonical_json

if TYPE_CHECKING:
    from atlas_core.datasets.sources import Span

UNLABELLED = -1
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".npy"})
NAMED = 5  # how many offenders an error names
MOST_NUMBERED = 100_000  # classes that are told by numbers alone
AT_ONCE = 10_000
MAGIC = b"atlas-listing 2\n"


@dataclass(frozen=True, eq=False)
class Spans:
    """Where images lie inside of files, so that nobody has to look through those files again.

    Attributes:
        files: Names of the files.
        rows: File (index into `files`), first byte and length of each image, int64, shape (images, 3).
    """

    files: tuple[str, ...]
    rows: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Listing:
    """A dataset's pictures, sorted by image id.

    Attributes:
        images: Image ids: POSIX paths after the card's prefix.
        labels: Index into `classes` of each image, int32, shape (images,); -1 where unknown.
        identities: SHA-256 in hex of each file's bytes; of its tag and size where it stays in object storage.
        classes: Class names in index order; None where nothing is labelled.
        skipped: Pictures that could not be listed: `image` and `reason` of each.
        spans: Where the images lie in a tar or in shards; None elsewhere.
    """

    images: Sequence[str]
    labels: NDArray[np.int32]
    identities: Sequence[str]
    classes: tuple[str, ...] | None
    skipped: tuple[dict[str, str], ...] = ()
    spans: Spans | None = None

    @cached_property
    def digest(self) -> str:
        """Digest of what the dataset is: each path with its bytes, the classes, and labels that paths do not tell."""
        hasher = hashlib.sha256(b"[[")
        for start in range(0, len(self.images), AT_ONCE):
            pairs = list(zip(self.images[start : start + AT_ONCE], self.identities[start : start + AT_ONCE],
                             strict=True))  # fmt: skip
            hasher.update((b"," if start else b"") + canonical_json(pairs)[1:-1])
        hasher.update(b"]," + canonical_json(self.classes))
        if not self._labelled_by_folders():
            hasher.update(b"," + canonical_json(self.labels.tolist()))
        hasher.update(b"]")
        return hasher.hexdigest()

    def place(self, image: str) -> int | None:
        """Place of an image id in the listing, None where it is not there."""
        place = bisect.bisect_left(self.images, image)
        return place if place < len(self.images) and self.images[place] == image else None

    def span(self, place: int) -> Span | None:
        """File, first byte and length of the image at a place, where it lies in a file with others."""
        if self.spans is None:
            return None
        file, offset, length = self.spans.rows[place].tolist()
        return self.spans.files[file], offset, length

    def class_counts(self) -> dict[str, int] | None:
        """Images of each class that has any; None where nothing is labelled."""
        if self.classes is None:
            return None
        numbers = np.bincount(self.labels[self.labels >= 0], minlength=len(self.classes))
        return {name: int(number) for name, number in zip(self.classes, numbers, strict=True) if number}

    def to_bytes(self) -> bytes:
        """The listing as it is stored: columns, compressed; about 50 bytes an image."""
        images, identities = _names(self.images), _digests(self.identities)
        meta = {"digest": self.digest, "classes": self.classes, "skipped": self.skipped,
                "files": None if self.spans is None else self.spans.files}  # fmt: skip
        columns: tables.Table = {
            "meta": np.frombuffer(canonical_json(meta), np.uint8), "labels": self.labels.astype(np.int32),
            "names": images.buffer, "ends": images.ends, "identities": identities.rows,
        }  # fmt: skip
        if self.spans is not None:
            columns["spans"] = self.spans.rows
        return MAGIC + zlib.compress(tables.pack(columns), 1)

    @classmethod
    def from_bytes(cls, data: bytes) -> Listing:
        """Read what `to_bytes` wrote; image ids and digests are decoded when they are asked for.

        Raises:
            IntegrityError: It is no listing.
        """
        if not data.startswith(MAGIC):
            raise IntegrityError("a stored listing is of a version that is not known; delete the dataset and register "
                                 "it again")  # fmt: skip
        try:
            columns = tables.unpack(zlib.decompress(data[len(MAGIC) :]))
            meta = json.loads(columns["meta"].tobytes())
            found = cls(
                images=Names(columns["names"], columns["ends"]),
                labels=columns["labels"],
                identities=Digests(columns["identities"]),
                classes=None if meta["classes"] is None else tuple(meta["classes"]),
                skipped=tuple(meta["skipped"]),
                spans=None if meta["files"] is None else Spans(tuple(meta["files"]), columns["spans"]),
            )
        except (zlib.error, ValueError, KeyError):
            raise IntegrityError("a stored listing cannot be read; delete the dataset and register it again") from None
        found.__dict__["digest"] = meta["digest"]
        return found

    def _labelled_by_folders(self) -> bool:
        if self.classes is None:
            return True
        number = {name: index for index, name in enumerate(self.classes)}
        folders = (image.split("/", 1)[0] if "/" in image else None for image in self.images)
        return all((UNLABELLED if folder is None else number.get(folder, UNLABELLED - 1)) == label
                   for folder, label in zip(folders, self.labels.tolist(), strict=True))  # fmt: skip


def _names(values: Sequence[str]) -> Names:
    return values if isinstance(values, Names) else Names.of(values)


def _digests(values: Sequence[str]) -> Digests:
    return values if isinstance(values, Digests) else Digests.of(values)


def is_picture(path: str) -> bool:
    """Whether a POSIX path names a picture: by suffix, leaving out hidden files and `__MACOSX`."""
    parts = PurePosixPath(path)
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts.parts)
    return not hidden and parts.suffix.lower() in SUFFIXES


def label_images(
    images: Sequence[str], classes: Sequence[str] | None
) -> tuple[NDArray[np.int32], tuple[str, ...] | None]:
    """Label every image by its first folder; an image at the root is unlabelled.

    Args:
        images: Image ids.
        classes: Folder names in class-index order; None takes the sorted folders.

    Returns:
        The labels, shape (images,), and the classes, None where nothing is labelled.

    Raises:
        DatasetError: A folder is not among the classes.
    """
    folders = [image.split("/", 1)[0] if "/" in image else None for image in images]
    found = sorted({folder for folder in folders if folder is not None})
    names = tuple(found) if classes is None else tuple(classes)
    _refuse_unknown("folders", found, names, "name them or set `prefix`")
    return _numbered(folders, names)


def number_labels(
    labels: Sequence[str | None], classes: Sequence[str] | None
) -> tuple[NDArray[np.int32], tuple[str, ...] | None]:
    """Number labels that a dataset tells itself: names of classes, or their indices in decimal.

    Args:
        labels: One an image, None where it has none.
        classes: Class names in index order. None takes the indices as they are where there are only such, else the
            sorted names.

    Returns:
        The labels, shape (images,), and the classes, None where nothing is labelled.

    Raises:
        DatasetError: A label is neither among the classes nor an index of one.
    """
    found = sorted({label for label in labels if label is not None})
    if classes is None and found and all(_is_index(label, MOST_NUMBERED) for label in found):
        classes = [str(index) for index in range(1 + max(map(int, found)))]
    names = tuple(found) if classes is None else tuple(classes)
    known = set(names)
    by_index = {label: names[int(label)] for label in found if label not in known and _is_index(label, len(names))}
    _refuse_unknown("labels", [label for label in found if label not in by_index], names, "name them there")
    return _numbered([None if label is None else by_index.get(label, label) for label in labels], names)


def _is_index(label: str, most: int) -> bool:
    return label.isascii() and label.isdigit() and len(label) <= len(str(most)) and int(label) < most


def _refuse_unknown(what: str, found: Sequence[str], names: Sequence[str], remedy: str) -> None:
    known = set(names)
    unknown = [name for name in found if name not in known]
    if unknown:
        more = f" and {len(unknown) - NAMED} more" if len(unknown) > NAMED else ""
        listed = ", ".join(repr(name) for name in unknown[:NAMED])
        raise DatasetError(
            f"{what} that the card's class list does not name: {listed}{more}; {remedy}", pointer="/classes"
        )


def _numbered(labels: Sequence[str | None], names: tuple[str, ...]) -> tuple[NDArray[np.int32], tuple[str, ...] | None]:
    number: Mapping[str, int] = {name: index for index, name in enumerate(names)}
    return np.array([UNLABELLED if label is None else number[label] for label in labels], dtype=np.int32), names or None
