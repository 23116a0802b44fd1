"""The two sets of images of a comparison: which they are, how they are seen as wholes, and where they land."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core import tables
from atlas_core.activations import unit_column
from atlas_core.errors import DatasetError, InputError
from atlas_core.nearest import NO_IMAGE
from atlas_core.sampling import by_hash

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.datasets.listing import Listing
    from atlas_core.plan import Plan
    from atlas_core.stages.step import Step

NAMES = ("atlas", "dataset")
LANDED = ("image", "row", "column", "point")


@dataclass(frozen=True)
class Side:
    """One of the two sets.

    Args:
        step: A step of the comparison.
        name: `atlas` or `dataset`.
        most: Images that are looked at, the first by hashed id.
    """

    step: Step
    name: str
    most: int

    @property
    def plan(self) -> Plan:
        """The plan, of this set's dataset."""
        plan = self.step.plan
        return plan if self.name == NAMES[0] else plan.seen_as(self.name)

    @property
    def listing(self) -> Listing:
        """The dataset's listing."""
        return self.step.runtime.dataset(self.plan).listing

    @cached_property
    def chosen(self) -> NDArray[np.int64]:
        """Places in the listing of the images that are looked at, ascending."""
        places, points = self.step.runtime.sampled(self.plan)
        there = places[points > 0]
        order = by_hash([self.listing.images[place] for place in there.tolist()], self.plan.spec.seed)
        return np.sort(there[order[: self.most]])

    def _shards(self) -> Iterator[dict[str, Any]]:
        plan = self.step.plan
        if self.name == "dataset":
            other = plan.other(self.name)
            keys: Sequence[str] = () if other is None else other.keys
        else:
            keys = [chunk.key for chunk in plan.chunks[: plan.ground] if chunk.stage == "collect"]
        return (self.step.runtime.record(plan, key) for key in keys)

    def rows_of(self, blob: str) -> Iterator[tables.Table]:
        """A table of every shard that has any image that could be read, its rows those of images looked at."""
        for record in self._shards():
            if blob in record["blobs"]:
                table = self.step.table(record, blob)
                mine = np.isin(table["image"], self.chosen)
                yield {name: values[mine] for name, values in table.items()}

    @cached_property
    def images(self) -> tables.Table:
        """Those that could be read: image, label, top class where there are logits, and their mean unit activations.

        Raises:
            DatasetError: None could.
        """
        parts = []
        for table in self.rows_of("images"):
            if "logits" in table:
                table["top"] = table.pop("logits").argmax(axis=1)
            parts.append(table)
        if not sum(len(part["image"]) for part in parts):
            raise DatasetError(f"no image of the {self.name} can be read")
        return tables.concatenate(parts)

    def features(self, layer: str) -> NDArray[np.float64]:
        """Mean unit activations at a layer, shape (n, channels).

        Raises:
            InputError: The atlas is of a version that kept none.
        """
        if unit_column(layer) not in self.images:
            raise InputError("this atlas was made by an earlier version, which kept nothing to compare whole images "
                             "by; delete it and ask for it again")  # fmt: skip
        return np.asarray(self.images[unit_column(layer)], dtype=np.float64)

    def named(self, image: int) -> str | int:
        """An image as it is told: by its id, or where no names are kept by its place in the listing."""
        return image if self.plan.spec.strict else self.listing.images[image]


def sides_of(step: Step, most: int) -> tuple[Side, Side]:
    """The atlas's own set and the dataset's."""
    return Side(step, NAMES[0], most), Side(step, NAMES[1], most)


def shared_images(atlas: Side, dataset: Side) -> dict[int, int]:
    """By place in the dataset's listing, the place in the atlas's of the very same picture that it samples."""
    places, points = atlas.step.runtime.sampled(atlas.plan)
    known = {atlas.listing.identities[place]: place for place in places[points > 0].tolist()}
    found = ((place, known.get(dataset.listing.identities[place])) for place in dataset.chosen.tolist())
    return {place: other for place, other in found if other is not None}


def landings(step: Step, side: Side, layer: str, own: dict[int, int] | None, points: int) -> tables.Table:
    """Where the first points of each image land, by the atlas's index, never among the same picture's own samples.

    Args:
        step: A step whose inputs hold the index.
        side: The set.
        layer: Name of the layer.
        own: The image's place in the atlas's listing, of images that are in it; None where all of them are.
        points: Of each image.

    Returns:
        image, row, column, point, x and y (float32), distance (float32), each of shape (n,).
    """
    index = step.runtime.index(step.plan, step.plan.find("publish", step="index", layer=layer)[0].key)
    parts: list[tables.Table] = []
    for table in side.rows_of(f"layer {layer}"):
        within = table["point"] < points
        kept = {name: table[name][within] for name in (*LANDED, "activations")}
        images, starts = np.unique(kept["image"], return_index=True)  # an image's samples stand together, in order
        for image, start, stop in zip(images.tolist(), starts, [*starts[1:], len(kept["image"])], strict=True):
            number = image if own is None else own.get(image, NO_IMAGE)
            placed = index.place(kept["activations"][start:stop].astype(np.float32), image=number)
            landed = {"x": placed.x, "y": placed.y, "distance": placed.distance}
            parts.append({name: kept[name][start:stop] for name in LANDED}
                         | {name: values.astype(np.float32) for name, values in landed.items()})  # fmt: skip
            step.on_progress(len(parts), len(side.chosen))
    return tables.concatenate(parts)
