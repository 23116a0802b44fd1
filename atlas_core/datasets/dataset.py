"""A dataset opened for reading."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from atlas_core.datasets.columns import Digests, Names
from atlas_core.datasets.identify import identified
from atlas_core.datasets.listing import Listing, Spans, is_picture, label_images, number_labels
from atlas_core.datasets.places import OpenBlob, OpenStore, no_store, open_source
from atlas_core.datasets.sources import MAX_ENTRIES, Entry, Source
from atlas_core.errors import DatasetError, ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.cards import DatasetCard

OnProgress = Callable[[int, int], None]


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
    def far(self) -> bool:
        """Whether reading an image waits for a journey, so that it is worth to read several at a time."""
        return self._source.far

    @property
    def listing(self) -> Listing:
        """What the dataset holds; looked through from end to end on first use where it was not given.

        Raises:
            DatasetError: No picture in it, or classes that are not in the class list.
        """
        return self.look_through()

    def look_through(self, on_progress: OnProgress | None = None) -> Listing:
        """`listing`, telling how far it is.

        Args:
            on_progress: Called with pictures done and all of them; cancels by raising.
        """
        if self._listing is None:
            self._listing = self._listed(on_progress)
        return self._listing

    def read(self, image: str) -> bytes:
        """The bytes of an image, as they were when it was listed.

        Raises:
            ImageError: They cannot be read, or have changed since.
            DatasetError: There is no such image.
        """
        place = self.listing.place(image)
        if place is None:
            raise DatasetError(f"the dataset {self.card.name!r} has no image {image!r}")
        content = self._source.read(self._prefix + image, self.listing.span(place))
        if (content.identity or hashlib.sha256(content.data).hexdigest()) != self.listing.identities[place]:
            anew = " with another `revision`" if self.card.source.startswith("store:") else ""
            raise ImageError(f"the file has changed since the dataset was listed; register it again{anew}")
        return content.data

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

    def _listed(self, on_progress: OnProgress | None) -> Listing:
        found = {entry.name: entry for entry in self._pictures()}
        where = f" under the prefix {self.card.prefix!r}" if self.card.prefix else ""
        if not found:
            raise DatasetError(f"the dataset {self.card.name!r} holds no JPEG, PNG or WebP picture{where}")
        pictures = [found[name] for name in sorted(found)]
        self._labels(pictures)  # refuse a wrong class list before reading anything
        good, skipped = identified(self._source, self._prefix, pictures, on_progress)
        if not good:
            raise DatasetError(f"no picture of the dataset {self.card.name!r}{where} can be read")
        labels, classes = self._labels(good)
        return Listing(
            Names.of(entry.name for entry in good), labels, Digests.of(entry.identity or "" for entry in good),
            classes, tuple(skipped), _spans(good),
        )  # fmt: skip

    def _pictures(self) -> Iterator[Entry]:
        begin, count = len(self._prefix), 0
        for entry in self._source.entries(self._prefix):
            name = entry.name[begin:]
            if name and (self._source.chosen or is_picture(name)):
                count += 1
                if count > MAX_ENTRIES:
                    raise DatasetError(f"the dataset {self.card.name!r} holds more than {MAX_ENTRIES} pictures")
                yield entry._replace(name=name)

    def _labels(self, entries: list[Entry]) -> tuple[NDArray[np.int32], tuple[str, ...] | None]:
        classes = self.card.classes
        if isinstance(classes, str):
            raise DatasetError("the classes of a resolved card are a list", pointer="/classes")
        if self._source.labelled:
            return number_labels([entry.label for entry in entries], classes)
        return label_images([entry.name for entry in entries], classes)


def open_dataset(
    card: DatasetCard, open_blob: OpenBlob, listing: Listing | None = None, *, open_store: OpenStore = no_store
) -> Dataset:
    """Open a dataset by its resolved card.

    Args:
        card: Its source is `sha256:HEX`, a blob in the store, `file:///path` on this machine, or `store://NAME/path`.
        open_blob: Opens a blob by its SHA-256 in hex; the file must be seekable.
        listing: What it holds, where that is stored already; else it is listed on first use.
        open_store: Opens a registered store by its name, as `dataset_stores.registered` gives it.

    Raises:
        DatasetError: The source is missing, is not of its format, or lies in no registered store.
    """
    return Dataset(card, open_source(card, open_blob, open_store, listed=listing is not None), listing)


def _spans(entries: list[Entry]) -> Spans | None:
    if any(entry.span is None for entry in entries):
        return None
    spans = [entry.span for entry in entries if entry.span is not None]
    files = sorted({file for file, _, _ in spans})
    number = {file: index for index, file in enumerate(files)}
    rows = np.array([(number[file], offset, length) for file, offset, length in spans], dtype=np.int64)
    return Spans(tuple(files), rows)


def _folder(prefix: str) -> str:
    path = PurePosixPath(prefix)
    if path.is_absolute() or ".." in path.parts:
        raise DatasetError(f"the prefix {prefix!r} leaves the dataset", pointer="/prefix")
    return "" if prefix in {"", "."} else path.as_posix() + "/"
