"""What an image leaves of itself for novelty: how its activations are spread at three depths of the network.

It does not depend on the layers that an atlas maps, because novelty is of an image and not of a layer. Some images
leave spoiled copies of themselves, too: of an atlas of many images all of this is kept of some, by hashed id.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.errors import ModelError
from atlas_core.spoiled import KINDS, kinds_of, within
from atlas_core.tables import LARGEST_HALF

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from atlas_core.cards import LayerInfo
    from atlas_core.tables import Table

IMAGES = 5_000
"""That are kept of an atlas at most: each is compared with every image that is asked about."""
COPIES = 1_000
"""That these leave in all, so many of each as that allows: each is a forward pass."""
LEAST_IMAGES = 100
"""Fewer cannot tell one in a hundred, and leave no copies."""
ITSELF = -1
"""In the place of a kind: an image as it is."""


def depths(layers: Sequence[LayerInfo]) -> list[str]:
    """The layers that novelty reads: blocks an eighth, half and all of the way through the network.

    Args:
        layers: All that can be read, in order of execution among blocks and among the others.

    Returns:
        Names, one to three, the shallow ones first; of a network without blocks any layers.
    """
    among = [layer.name for layer in layers if layer.block] or [layer.name for layer in layers]
    count = len(among)
    return list(dict.fromkeys(among[place] for place in (count // 8, count // 2, count - 1)))


@dataclass(frozen=True)
class Pooled:
    """One image; arrays of images have one more axis in front.

    Args:
        spread: Mean unit activation and standard deviation over the grid at each depth, one after the other, float16.
        middle: The mean unit activation at the depth before the last, float16.
        deep: The mean activation at the last depth, float16.
        energy: -logsumexp of the logits; of a network without logits the length of `deep`, negative; float32.
    """

    spread: NDArray[np.float16]
    middle: NDArray[np.float16]
    deep: NDArray[np.float16]
    energy: NDArray[np.float32]

    @classmethod
    def of(cls, table: Table, rows: NDArray[np.bool_]) -> Pooled:
        """Some rows of what `Kept` gathered."""
        return cls(**{field.name: table[field.name][rows] for field in fields(cls)})


def pool(read: Mapping[str, NDArray[np.float32]], logits: NDArray[np.float32] | None, at: Sequence[str]) -> Pooled:
    """Pool one image.

    Args:
        read: Activations by layer, shape (channels, height, width).
        logits: Shape (classes,), or None where the network has none.
        at: The depths.
    """
    parts, units, mean = [], [], np.zeros(0, np.float32)
    for name in at:
        rows = read[name].reshape(len(read[name]), -1).clip(-LARGEST_HALF, LARGEST_HALF)  # (channels, positions)
        positions = rows.shape[1]
        length = np.sqrt(np.einsum("cp,cp->p", rows, rows))
        unit = rows @ (1 / (positions * np.where(length > 0, length, np.inf)).astype(np.float32))
        mean = rows @ np.full(positions, 1 / positions, np.float32)
        variance = np.einsum("cp,cp->c", rows, rows) / positions - mean * mean
        parts += [unit, np.sqrt(variance.clip(0, None)).clip(0, LARGEST_HALF)]
        units.append(unit)
    energy = -_log_sum_exp(logits) if logits is not None else -float(np.linalg.norm(mean))
    return Pooled(
        np.concatenate(parts).astype(np.float16), units[max(0, len(units) - 2)].astype(np.float16),
        mean.astype(np.float16), np.array(energy, np.float32),
    )  # fmt: skip


def pooled(
    at: Sequence[str], read: Mapping[str, NDArray[np.float32]], logits: NDArray[np.float32] | None, place: int
) -> Pooled:
    """Pool one image of a batch; arguments as for `pool`, with one more axis in front."""
    return pool({name: read[name][place] for name in at}, None if logits is None else logits[place], at)


def _log_sum_exp(logits: NDArray[np.float32]) -> float:
    values = logits.astype(np.float64)
    return float(values.max() + np.log(np.exp(values - values.max()).sum()))


@dataclass(frozen=True)
class Watch:
    """What of an atlas's images is kept for novelty.

    Args:
        at: The depths.
        images: How many are sampled in all.
    """

    at: tuple[str, ...]
    images: int

    @property
    def copies(self) -> int:
        """Copies of each image that leaves any."""
        return 0 if self.images < LEAST_IMAGES else max(1, min(len(KINDS), COPIES // self.images))

    @property
    def copied(self) -> int:
        """Images of which copies are made, more or less."""
        return min(self.images, COPIES)

    def keeps(self, image: str) -> bool:
        """Whether an image is kept."""
        return within(image, IMAGES / max(1, self.images))

    def kinds(self, image: str) -> list[int]:
        """Kinds of the copies of an image."""
        return kinds_of(image, self.copies) if within(image, COPIES / max(1, self.images)) else []


class Kept:
    """Gathers rows: the place of each image in the listing, the kind of copy it is, and what was pooled of it."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._rows: list[tuple[int, int, Pooled]] = []

    def add(self, image: int, kind: int, pooled: Pooled) -> None:
        """Keep a row.

        Raises:
            ModelError: It holds what is no number.
        """
        if np.isnan(pooled.spread).any() or np.isnan(pooled.energy):
            raise ModelError("the network gives values that are no numbers; check the card's mean and std")
        self._rows.append((image, kind, pooled))

    def table(self) -> Table:
        """All rows; empty where there are none."""
        if not self._rows:
            return {}
        images, kinds, pooled = zip(*self._rows, strict=True)
        columns: dict[str, NDArray[Any]] = {
            field.name: np.stack([getattr(one, field.name) for one in pooled]) for field in fields(Pooled)
        }
        return {"image": np.array(images, np.int32), "kind": np.array(kinds, np.int8), **columns}
