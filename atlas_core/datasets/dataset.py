"""A dataset opened for reading."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self
from urllib.parse import unquote, urlsplit

from atlas_core.datasets.listing import Listing, is_picture, label_images
from atlas_core.datasets.sources import FolderSource, Source, ZipSource
from atlas_core.errors import DatasetError, ImageError

if TYPE_CHECKING:
    from atlas_core.cards import DatasetCard

OpenBlob = Callable[[str], BinaryIO]


class Dataset:
    """Pictures by image id; use it in a `with`.

    Args:
        card: The resolved card.
        source: Where the bytes are.
        listing: What it holds, where that is known already.
    """

    def __init__(self, card: DatasetCard, source: Source, listing: Listing | None = None) -> None:
        """Nothing is read yet."""
        self.card = card
        self._source = source
        self._prefix = _folder(card.prefix)
        self._listing = listing

    @property
    def listing(self) -> Listing:
        """What the dataset holds; read from end to end on first use where it was not given.

        Raises:
            DatasetError: No picture in it, or folders that are not in the class list.
        """
        if self._listing is None:
            self._listing = self._list()
        return self._listing

    def read(self, image: str) -> bytes:
        """The bytes of an image, as they were when it was listed.

        Raises:
            ImageError: They cannot be read, or have changed since.
            DatasetError: There is no such image.
        """
        place = self.listing.index.get(image)
        if place is None:
            raise DatasetError(f"the dataset {self.card.name!r} has no image {image!r}")
        data = self._source.read(self._prefix + image)
        if hashlib.sha256(data).hexdigest() != self.listing.sha256[place]:
            raise ImageError("the file has changed since the dataset was listed; register it again")
        return data

    def close(self) -> None:
        """Let go of what is open."""
        self._source.close()

    def __enter__(self) -> Self:
        """The dataset itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def _list(self) -> Listing:
        begin = len(self._prefix)
        named = (name[begin:] for name in self._source.names() if name.startswith(self._prefix))
        pictures = sorted({name for name in named if is_picture(name)})
        where = f" under the prefix {self.card.prefix!r}" if self.card.prefix else ""
        if not pictures:
            raise DatasetError(f"the dataset {self.card.name!r} holds no JPEG, PNG or WebP picture{where}")
        label_images(pictures, self.card.classes)  # refuse a wrong class list before hashing anything
        digests, skipped = self._digests(pictures)
        if not digests:
            raise DatasetError(f"no picture of the dataset {self.card.name!r}{where} can be read")
        labels, classes = label_images(list(digests), self.card.classes)
        return Listing(tuple(digests), labels, tuple(digests.values()), classes, tuple(skipped))

    def _digests(self, pictures: list[str]) -> tuple[dict[str, str], list[dict[str, str]]]:
        digests: dict[str, str] = {}
        skipped: list[dict[str, str]] = []
        for image in pictures:
            try:
                digests[image] = hashlib.sha256(self._source.read(self._prefix + image)).hexdigest()
            except ImageError as error:
                skipped.append({"image": image, "reason": error.detail})
        return digests, skipped


def open_dataset(card: DatasetCard, open_blob: OpenBlob, listing: Listing | None = None) -> Dataset:
    """Open a dataset by its resolved card.

    Args:
        card: Its source is `sha256:HEX`, a zip in the store, or `file:///path`, a folder or zip on this machine.
        open_blob: Opens a blob by its SHA-256 in hex; the file must be seekable.
        listing: What it holds, where that is stored already; else it is listed on first use.

    Raises:
        DatasetError: The source is missing or is no folder and no zip.
    """
    return Dataset(card, _source(card, open_blob), listing)


def _source(card: DatasetCard, open_blob: OpenBlob) -> Source:
    scheme, _, rest = card.source.partition(":")
    if scheme == "sha256":
        return ZipSource(open_blob(rest))
    if scheme != "file":
        raise DatasetError("a dataset's source is `sha256:HEX` or `file:///path`", pointer="/source")
    place = Path(unquote(urlsplit(card.source).path))
    if place.is_dir():
        return FolderSource(place)
    if place.is_file():
        return ZipSource(place)
    raise DatasetError(f"the source of the dataset {card.name!r} is not there", pointer="/source")


def _folder(prefix: str) -> str:
    path = PurePosixPath(prefix)
    if path.is_absolute() or ".." in path.parts:
        raise DatasetError(f"the prefix {prefix!r} leaves the dataset", pointer="/prefix")
    return "" if prefix in {"", "."} else path.as_posix() + "/"
