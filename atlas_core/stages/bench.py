"""What patches are cut from and pasted on: the atlas's pictures on one side, held-out base images on the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from atlas_core import tables
from atlas_core.audit.base import NAME
from atlas_core.audit.pasting import Passes, Pastes, chance, crop
from atlas_core.audit.suspects import balanced
from atlas_core.errors import ImageError
from atlas_core.sampling import by_hash, centres
from atlas_core.stages.base import base_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.datasets.dataset import Dataset
    from atlas_core.stages.step import Step
    from atlas_core.tables import Table

MOST_BASES = 600
"""Base images that are pasted on: enough for every test, and all in memory at once."""


class Sample(NamedTuple):
    """Where a patch is cut: a place of the atlas's listing, and a position of a layer's grid."""

    image: int
    row: int
    column: int


@dataclass(frozen=True)
class Bases:
    """Base images that the model is right on, as evenly over classes as there are.

    Attributes:
        place: In the listing, shape (n,).
        label: Class of each, shape (n,).
        logits: What the model says of each as it is, shape (n, classes).
        pixels: Shape (n, height, width, channels).
    """

    place: NDArray[np.int64]
    label: NDArray[np.int64]
    logits: NDArray[np.float32]
    pixels: NDArray[np.uint8]


class Bench:
    """Everything that a test of patches needs, read once for a chunk.

    Args:
        step: A step of an audit or of a patch test.
        base: Keys of the chunks that looked at the base images.
        seed: Of what is drawn by chance.
    """

    def __init__(self, step: Step, base: Sequence[str], seed: int) -> None:
        """Nothing is read yet."""
        self.step, self.seed = step, seed
        self.card = step.plan.model.card
        self._base = base
        self.passes = Passes(step.runtime.model(self.card), step.on_progress)

    @cached_property
    def dataset(self) -> Dataset:
        """The atlas's dataset."""
        return self.step.runtime.dataset(self.step.plan)

    @property
    def names(self) -> list[str]:
        """What the model's classes are called."""
        told = self.card.labels
        names = list(told) if isinstance(told, list) else list(self.dataset.listing.classes or ())
        return [*names, *map(str, range(len(names), self.step.plan.model.classes or 0))]

    @cached_property
    def _recognised(self) -> tuple[Table, NDArray[np.int64]]:
        """What is known of the base images, and the rows of those that are labelled and recognised."""
        table = base_of(self.step, self._base) if self._base else self._own
        if "logits" not in table:
            return table, np.zeros(0, np.int64)
        right = (table["label"] >= 0) & (table["logits"].argmax(axis=1) == table["label"])
        return table, np.flatnonzero(right)

    @property
    def _own(self) -> Table:
        """What is known of the atlas's own images: those of a patch test where the atlas left none out."""
        records = self.step.inputs("collect")
        columns = ("image", "label", "logits")
        parts = [{name: values for name, values in self.step.table(record, "images").items() if name in columns}
                 for record in records if "images" in record["blobs"]]  # fmt: skip
        found = tables.concatenate(parts) if parts else base_of(self.step, ())
        listing = self.dataset.listing
        order = by_hash([listing.images[place] for place in found["image"].tolist()], self.seed)
        return {name: values[order] for name, values in found.items()}

    def rows(self, label: int | None = None) -> NDArray[np.int64]:
        """Rows of base images that are recognised: of one class, or as evenly of all as there are."""
        table, right = self._recognised
        if label is not None:
            right = right[table["label"][right] == label]
        return right[balanced(table["label"][right], MOST_BASES)]

    def labels(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Classes of base images by their rows."""
        return np.asarray(self._recognised[0]["label"][rows], dtype=np.int64)

    @property
    def looked_at(self) -> int:
        """How many base images the model has looked at."""
        return len(self._recognised[0]["label"])

    def halves(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows of recognised base images of all classes: a third to screen on, and the others to confirm on."""
        mixed = chance("halves", self.seed).permutation(self.rows())
        return mixed[: len(mixed) // 3], mixed[len(mixed) // 3 :]

    def bases(self, rows: NDArray[np.int64]) -> Bases:
        """Base images by their rows, but for those that can no longer be read."""
        table, _ = self._recognised
        dataset = self.step.runtime.dataset(self.step.plan.seen_as(NAME))
        kept, pixels = [], []
        for row in rows.tolist():
            picture = self._read(dataset, int(table["image"][row]))
            if picture is not None:
                kept.append(row)
                pixels.append(picture)
        rows = np.array(kept, dtype=np.int64)
        given = self.card.input
        logits = table.get("logits", np.zeros((len(table["label"]), 0), np.float32))
        return Bases(table["image"][rows].astype(np.int64), table["label"][rows].astype(np.int64), logits[rows],
                     np.stack(pixels) if pixels else np.empty((0, given.height, given.width, given.channels), np.uint8)
                     )  # fmt: skip

    def _read(self, dataset: Dataset, place: int) -> NDArray[np.uint8] | None:
        try:
            return self.step.runtime.picture(dataset, place, self.card.input)
        except ImageError:  # it changed since it was listed
            return None

    def base_picture(self, place: int) -> NDArray[np.uint8]:
        """A picture of the base images' dataset as the network sees it.

        Raises:
            ImageError: It cannot be read any more.
        """
        dataset = self.step.runtime.dataset(self.step.plan.seen_as(NAME))
        return self.step.runtime.picture(dataset, place, self.card.input)

    def picture(self, place: int) -> NDArray[np.uint8]:
        """A picture of the atlas's as the network sees it.

        Raises:
            ImageError: It cannot be read any more.
        """
        return self.step.runtime.picture(self.dataset, place, self.card.input)

    def cut(self, layer: str, sample: Sample, height: int, width: int) -> NDArray[np.uint8]:
        """The core of a sample's receptive field."""
        where = np.array([sample.row]), np.array([sample.column])
        middle = centres(*where, self.step.plan.model.layer(layer), self.card.input)[0]
        return crop(self.picture(sample.image), (float(middle[0]), float(middle[1])), height, width)

    @cached_property
    def taken_for(self) -> dict[int, NDArray[np.int64]]:
        """Places of the atlas's images by the class that the model takes them for."""
        images, classes = [], []
        for record in self.step.inputs("collect"):
            if "images" in record["blobs"]:
                table = self.step.table(record, "images")
                images.append(table["image"].astype(np.int64))
                classes.append(table["logits"].argmax(axis=1))
        if not images:
            return {}
        places, label = np.concatenate(images), np.concatenate(classes)
        return {int(name): places[label == name] for name in np.unique(label)}

    @cached_property
    def mapped(self) -> NDArray[np.int64]:
        """Places of the atlas's images, in the order of their hashed ids."""
        places = np.sort(np.concatenate([np.zeros(0, np.int64), *self.taken_for.values()]))
        return places[by_hash([self.dataset.listing.images[place] for place in places.tolist()], self.seed)]

    def shows(self, target: int) -> int:
        """How many of the atlas's pictures the model takes for a class."""
        return len(self.taken_for.get(target, ()))

    def controls(self, target: int, most: int, *name: Any) -> list[NDArray[np.uint8]]:
        """Some of the atlas's pictures that the model takes for a class, to cut controls from."""
        places = self.taken_for.get(target, np.zeros(0, np.int64))
        chosen = chance("controls", self.seed, target, *name).permutation(places)[:most]
        return [self.picture(place) for place in chosen.tolist()]

    def logits(self, bases: Bases, patches: Sequence[NDArray[np.uint8]], pastes: Pastes) -> NDArray[np.float32]:
        """What the network says of pastes on base images, shape (n, classes)."""
        return self.passes.logits(bases.pixels, patches, pastes)
