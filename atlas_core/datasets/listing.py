"""What a dataset holds: images, labels and digests, in one fixed order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atlas_core.errors import DatasetError
from atlas_core.keys import digest

UNLABELLED = -1
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
NAMED = 5  # how many offenders an error names


@dataclass(frozen=True)
class Listing:
    """A dataset's pictures, sorted by image id.

    Attributes:
        images: Image ids: POSIX paths after the card's prefix.
        labels: Index into `classes` of each image, int32, shape (images,); -1 where unknown.
        sha256: Digest of each file's bytes, in hex.
        classes: Class names in index order; None where nothing is labelled.
        skipped: Pictures that could not be listed: `image` and `reason` of each.
    """

    images: tuple[str, ...]
    labels: NDArray[np.int32]
    sha256: tuple[str, ...]
    classes: tuple[str, ...] | None
    skipped: tuple[dict[str, str], ...] = ()

    @cached_property
    def digest(self) -> str:
        """Digest of what the dataset is: each path with its bytes, and the classes."""
        return digest([list(zip(self.images, self.sha256, strict=True)), self.classes])

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Place of every image id in the listing."""
        return {image: place for place, image in enumerate(self.images)}

    def to_json(self) -> dict[str, Any]:
        """The listing as plain JSON values."""
        return {
            "images": list(self.images),
            "labels": self.labels.tolist(),
            "sha256": list(self.sha256),
            "classes": None if self.classes is None else list(self.classes),
            "skipped": [dict(entry) for entry in self.skipped],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Listing:
        """Read what `to_json` wrote."""
        return cls(
            images=tuple(value["images"]),
            labels=np.array(value["labels"], dtype=np.int32),
            sha256=tuple(value["sha256"]),
            classes=None if value["classes"] is None else tuple(value["classes"]),
            skipped=tuple(value["skipped"]),
        )


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
    number = {name: index for index, name in enumerate(names)}
    unknown = [folder for folder in found if folder not in number]
    if unknown:
        more = f" and {len(unknown) - NAMED} more" if len(unknown) > NAMED else ""
        listed = ", ".join(repr(folder) for folder in unknown[:NAMED])
        raise DatasetError(
            f"folders that the card's class list does not name: {listed}{more}; name them or set `prefix`",
            pointer="/classes",
        )
    labels = [UNLABELLED if folder is None else number[folder] for folder in folders]
    return np.array(labels, dtype=np.int32), names or None
