"""Paste patches on images and see what the network makes of them.

What is drawn by chance is a function of what it is called, by a counter (Philox), and every batch has the same size:
so a test's result depends on its name, its patches and its images alone, and on no other test, chunk or worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from atlas_core.keys import digest
from atlas_core.memory import Batches
from atlas_core.models.preprocessing import to_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.models.base import LoadedModel

    Pictures = NDArray[np.uint8]  # (n, height, width, channels)
    Floats = NDArray[np.float32]

TWICE = 2
"""Pastes on one base image in a test at most: more would not be worth more images."""
RESAMPLES = 1000
BATCH_PIXELS, LARGEST_BATCH = 600_000, 50
"""Of a batch, on one thread: larger ones were no faster."""
Where = Literal["fixed", "corners", "random"]


def chance(*name: Any) -> np.random.Generator:
    """Random numbers that are a function of what they are called alone.

    Args:
        name: JSON values.
    """
    return np.random.Generator(np.random.Philox(key=int(digest(list(name))[:32], 16)))


@dataclass(frozen=True)
class Pastes:
    """What is pasted where, a row a paste.

    Attributes:
        base: Index of the image that is pasted on, shape (n,).
        patch: Index of the patch, shape (n,).
        top: First row that the patch covers, shape (n,).
        left: First column that it covers, shape (n,).
    """

    base: NDArray[np.int64]
    patch: NDArray[np.int64]
    top: NDArray[np.int64]
    left: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of pastes."""
        return len(self.base)

    def __getitem__(self, some: slice) -> Pastes:
        """Some of them."""
        return Pastes(self.base[some], self.patch[some], self.top[some], self.left[some])


def at_random(random: np.random.Generator, allowed: NDArray[np.int64], patches: int, most: int,
              room: tuple[int, int]) -> Pastes:  # fmt: skip
    """Pastes at random places, each base image used as often as the others or once more, and at most twice.

    Args:
        random: From `chance`.
        allowed: Base images to paste on.
        patches: How many patches take turns.
        most: Pastes wanted; there are fewer where base images are.
        room: Rows and columns that a patch can move by.
    """
    rounds = [random.permutation(allowed) for _ in range(TWICE)]
    base = np.concatenate(rounds)[:most].astype(np.int64)
    top, left = (random.integers(0, free + 1, len(base)) for free in room)
    return Pastes(base, np.arange(len(base)) % max(patches, 1), top, left)


def corners(room: tuple[int, int]) -> NDArray[np.int64]:
    """Top and left of a patch in each corner: top left first, then top right, bottom left, bottom right; (4, 2)."""
    down, across = room
    return np.array([[0, 0], [0, across], [down, 0], [down, across]], dtype=np.int64)


def pasted(pictures: Pictures, patches: Sequence[NDArray[np.uint8]], pastes: Pastes) -> Pictures:
    """The pictures with the patches on them, shape (n, height, width, channels).

    Args:
        pictures: The base images.
        patches: Each of shape (rows, columns, channels), inside of the picture where it is pasted.
        pastes: Which on which, and where.
    """
    found = pictures[pastes.base].copy()
    for row, (patch, top, left) in enumerate(zip(pastes.patch, pastes.top, pastes.left, strict=True)):
        height, width = patches[patch].shape[:2]
        found[row, top : top + height, left : left + width] = patches[patch]
    return found


def crop(picture: NDArray[np.uint8], centre: tuple[float, float], height: int, width: int) -> NDArray[np.uint8]:
    """The part of a picture around a place, moved inside where it would reach over the border.

    Args:
        picture: Shape (rows, columns, channels).
        centre: Vertical and horizontal, in pixels, where pixel p covers [p, p + 1).
        height: Rows of the part, at most the picture's.
        width: Columns of it.
    """
    corner = [int(np.clip(round(middle - side / 2), 0, whole - side))
              for middle, side, whole in zip(centre, (height, width), picture.shape, strict=False)]  # fmt: skip
    return np.ascontiguousarray(picture[corner[0] : corner[0] + height, corner[1] : corner[1] + width])


def random_crops(random: np.random.Generator, pictures: Sequence[NDArray[np.uint8]], count: int, height: int,
                 width: int) -> list[NDArray[np.uint8]]:  # fmt: skip
    """Parts of pictures, which take turns, at random places.

    Args:
        random: From `chance`.
        pictures: At least one.
        count: How many.
        height: Rows of a part.
        width: Columns of it.
    """
    order = random.permutation(len(pictures))
    chosen = [pictures[order[number % len(order)]] for number in range(count)]
    return [crop(one, (random.uniform(0, one.shape[0]), random.uniform(0, one.shape[1])), height, width)
            for one in chosen]  # fmt: skip


def noise_patches(random: np.random.Generator, count: int, height: int, width: int, channels: int) -> Pictures:
    """Patches of noise, every value as likely as the others, shape (count, height, width, channels)."""
    return random.integers(0, 256, (count, height, width, channels), dtype=np.uint8)


def answers(
    model: LoadedModel, pictures: Pictures, size: int, layers: Sequence[str] = ()
) -> tuple[dict[str, Floats], Floats]:
    """Activations of some layers and logits of pictures, in a batch that is filled up with copies of the last.

    Networks sum floats in another order for another size of batch.

    Args:
        model: It has logits.
        pictures: At least one, at most `size`.
        size: Of the batch.
        layers: Whose activations are wanted.

    Returns:
        By layer (n, channels, height, width), and logits (n, classes); of a class that it could not tell, -inf.
    """
    filled = np.concatenate([pictures, np.repeat(pictures[-1:], size - len(pictures), axis=0)])
    read, logits = model.activations(to_unit(filled), layers, logits=True)
    said = np.zeros((size, 0), np.float32) if logits is None else np.where(np.isnan(logits), -np.inf, logits)
    return {name: values[: len(pictures)] for name, values in read.items()}, said[: len(pictures)]


class Passes:
    """Runs a network over pictures that are made batch by batch, all batches of one size.

    Args:
        model: It has logits.
        on_progress: Called after every batch with the passes done of those `expected`; where that was not said, of
            those of this call. Cancels by raising.

    Attributes:
        done: Forward passes so far.
        expected: Forward passes of all calls together, 0 where nobody said.
        batches: Tells whether a batch had to be halved for lack of memory.
    """

    def __init__(self, model: LoadedModel, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Nothing is run yet."""
        card = model.card.input
        self.model = model
        self.done = self.expected = 0
        self.batches = Batches(max(1, min(LARGEST_BATCH, BATCH_PIXELS // (card.height * card.width))), "image")
        self._on_progress = on_progress or (lambda done, total: None)

    def logits(self, pictures: Pictures, patches: Sequence[NDArray[np.uint8]], pastes: Pastes) -> Floats:
        """What the network says of every paste, shape (n, classes); of a class that it could not tell, -inf."""
        return self.run(len(pastes), lambda some: pasted(pictures, patches, pastes[some]))

    def run(self, count: int, make: Callable[[slice], Pictures]) -> Floats:
        """What the network says of pictures that are made a batch at a time, shape (count, classes).

        Args:
            count: How many.
            make: Makes those of a slice.
        """
        found = np.empty((count, self.model.classes or 0), np.float32)
        for first, _, logits in self.read(count, make):
            found[first : first + len(logits)] = logits
        return found

    def read(self, count: int, make: Callable[[slice], Pictures], layers: Sequence[str] = ()
             ) -> Iterator[tuple[int, dict[str, Floats], Floats]]:  # fmt: skip
        """Activations and logits of pictures that are made a batch at a time.

        Args:
            count: How many.
            make: Makes those of a slice.
            layers: Whose activations are wanted.

        Yields:
            Place of a batch's first picture, by layer (n, channels, height, width), and logits (n, classes).
        """
        first = 0
        while first < count:
            read, logits = self.batches.run(partial(self._batch, make, first, count, layers))
            self.done += len(logits)
            yield first, read, logits
            first += len(logits)
            self._on_progress(*((self.done, self.expected) if self.expected else (first, count)))

    def _batch(self, make: Callable[[slice], Pictures], first: int, count: int, layers: Sequence[str], size: int
               ) -> tuple[dict[str, Floats], Floats]:  # fmt: skip
        return answers(self.model, make(slice(first, min(first + size, count))), size, layers)


def image_interval(values: NDArray[np.floating], images: NDArray[np.int64], random: np.random.Generator,
                   confidence: float = 0.95) -> tuple[float, float]:  # fmt: skip
    """Interval of a mean over pastes by drawing whole images anew, because pastes on one image hang together.

    Args:
        values: One a paste, shape (n,), n at least 1.
        images: What each was pasted on, shape (n,).
        random: From `chance`.
        confidence: Of the interval.
    """
    _, owner = np.unique(images, return_inverse=True)
    pastes = np.bincount(owner).astype(np.float64)
    totals = np.bincount(owner, values.astype(np.float64))
    drawn = random.integers(0, len(pastes), (RESAMPLES, len(pastes)))
    means = totals[drawn].sum(axis=1) / pastes[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
