"""Which positions of which images become samples: method.md, section 1.

Positions depend on nothing but the seed, the image id and the layer's grid: not on the other images, their order,
batches or shards, nor on the layers asked for. So the same place of the same image is a sample in every layer and
for every model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atlas_core.cards import InputCard, LayerInfo, ReceptiveField
from atlas_core.errors import SpecError

QUARTER = 4  # a layer takes at most this part of its interior positions


class Positions(NamedTuple):
    """Samples of one image in one layer, in the order of their points; each array has shape (n,).

    Attributes:
        row: Row in the layer's grid, int16.
        column: Column in the layer's grid, int16.
        times: How many points fell on this position, int16.
        point: The first of them, int16.
    """

    row: NDArray[np.int16]
    column: NDArray[np.int16]
    times: NDArray[np.int16]
    point: NDArray[np.int16]


def _hash(seed: int, image: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{image}".encode()).digest()


def points(seed: int, image: str, count: int) -> NDArray[np.float64]:
    """The first points of an image's stream.

    Args:
        seed: Seed of the atlas.
        image: Image id.
        count: How many points.

    Returns:
        Points (u, v) in the unit square, u to the right and v down, shape (count, 2); a prefix of any longer call.
    """
    key = int.from_bytes(_hash(seed, image)[:16], "little")
    return np.random.Generator(np.random.Philox(key=key)).random((count, 2))


class Caps(NamedTuple):
    """How many images are sampled at most, in all and of a class; None for no limit."""

    images: int | None = None
    images_per_class: int | None = None


NO_CAPS = Caps()


def capped_images(images: int, class_counts: Mapping[str, int] | None, caps: Caps) -> int:
    """How many images are sampled under the caps; those without a label count as a class of their own.

    Raises:
        SpecError: A cap a class, and no image has a class.
    """
    if caps.images_per_class is not None:
        if not class_counts:
            raise SpecError("the dataset has no labels, so images_per_class cannot hold; ask for images",
                            pointer="/images_per_class")  # fmt: skip
        unlabelled = images - sum(class_counts.values())
        images = sum(min(count, caps.images_per_class) for count in (*class_counts.values(), unlabelled))
    return images if caps.images is None else min(images, caps.images)


def sampled_images(
    images: Sequence[str], labels: NDArray[np.int32], seed: int, caps: Caps = NO_CAPS
) -> NDArray[np.int64]:
    """Places of the images that are sampled: the first of each class by hashed id, of these the first of all.

    Args:
        images: Image ids, in any order.
        labels: Class of each, -1 where unknown, shape (images,).
        seed: Seed of the atlas.
        caps: How many at most.

    Returns:
        Places, ascending, shape (sampled,).
    """
    if caps == NO_CAPS:
        return np.arange(len(images))
    order = by_hash(images, seed)
    if caps.images_per_class is not None:
        by_class = np.argsort(labels[order], kind="stable")  # within a class still by hash
        sorted_labels = labels[order][by_class]
        rank = np.arange(len(order)) - np.searchsorted(sorted_labels, sorted_labels)
        order = order[np.sort(by_class[rank < caps.images_per_class])]
    return np.sort(order[: caps.images])


def allocation(images: Sequence[str], samples: int, seed: int) -> NDArray[np.int32]:
    """Share samples among images: `samples // images` each, one more for the first by hashed id.

    No image then owns more than 2 / images of the samples, where images without any are not counted.

    Args:
        images: Image ids, in any order.
        samples: How many samples in all.
        seed: Seed of the atlas.

    Returns:
        Points of each image, shape (images,).

    Raises:
        SpecError: No image, or no sample asked for.
    """
    if not images or samples < 1:
        raise SpecError(f"{samples} samples cannot be shared among {len(images)} images", pointer="/samples")
    each, rest = divmod(samples, len(images))
    counts = np.full(len(images), each, dtype=np.int32)
    counts[by_hash(images, seed)[:rest]] += 1
    return counts


def by_hash(images: Sequence[str], seed: int) -> NDArray[np.int64]:
    """Images in the order of their hashed ids, shape (images,): an order that no other image changes."""
    hashes = [_hash(seed, image)[16:] for image in images]
    return np.array(sorted(range(len(images)), key=hashes.__getitem__), dtype=np.int64)


def receptive_field(layer: LayerInfo, given: InputCard) -> ReceptiveField:
    """A layer's receptive field; where it has none, the grid is taken to cover the input evenly."""
    if layer.receptive_field is not None:
        return layer.receptive_field
    jump = (given.height / layer.shape[1], given.width / layer.shape[2])
    return ReceptiveField(size=(given.height, given.width), jump=jump, start=(jump[0] / 2, jump[1] / 2))


def seen_from(layer: LayerInfo, row: int, column: int, height: int, width: int) -> tuple[slice, slice]:
    """The rows and columns of an input that a position sees: its receptive field, or all where the layer has none.

    Args:
        layer: The layer.
        row: Of the position in the layer's grid.
        column: Of the position.
        height: Rows of the input.
        width: Columns of it.
    """
    field = layer.receptive_field
    if field is None:
        return slice(0, height), slice(0, width)
    spans = []
    for axis, (position, whole) in enumerate(((row, height), (column, width))):
        centre = field.start[axis] + position * field.jump[axis]
        first = max(0, round(centre - field.size[axis] / 2))
        last = min(whole, max(first + 1, round(centre + field.size[axis] / 2)))
        spans.append(slice(min(first, whole - 1), last))
    return spans[0], spans[1]


def capacity(layer: LayerInfo) -> int:
    """How many points of an image a layer takes: a quarter of its interior positions, at least one."""
    rows, columns = (_interior(side) for side in layer.shape[1:])
    return max(1, len(rows) * len(columns) // QUARTER)


def positions(where: NDArray[np.float64], layer: LayerInfo, given: InputCard) -> Positions:
    """The interior positions of a layer whose receptive-field centres lie nearest to an image's points.

    All four sides of the grid are left out; a grid of under three positions a side has no interior, and then every
    position counts.

    Args:
        where: Points (u, v) of the image, shape (k, 2).
        layer: The layer; it takes the first `capacity` points.
        given: What the model takes.
    """
    where = where[: capacity(layer)]
    field = receptive_field(layer, given)
    column = _nearest(where[:, 0] * given.width, field.start[1], field.jump[1], layer.shape[2])
    row = _nearest(where[:, 1] * given.height, field.start[0], field.jump[0], layer.shape[1])
    _, first, times = np.unique(row * layer.shape[2] + column, return_index=True, return_counts=True)
    order = np.argsort(first)
    first = first[order]
    found = (row[first], column[first], times[order], first)
    return Positions(*(values.astype(np.int16) for values in found))


def centres(
    row: NDArray[np.int16], column: NDArray[np.int16], layer: LayerInfo, given: InputCard
) -> NDArray[np.float64]:
    """Receptive-field centres (vertical, horizontal) of positions, in input pixels, shape (n, 2)."""
    field = receptive_field(layer, given)
    return np.stack([field.start[0] + row * field.jump[0], field.start[1] + column * field.jump[1]], axis=1)


def _interior(side: int) -> range:
    return range(1, side - 1) if side >= 3 else range(side)


def _nearest(pixels: NDArray[np.float64], start: float, jump: float, side: int) -> NDArray[np.int64]:
    interior = _interior(side)
    nearest = np.floor((pixels - start) / jump + 0.5).astype(np.int64)
    return np.clip(nearest, interior[0], interior[-1])
