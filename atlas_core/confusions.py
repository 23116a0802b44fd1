"""Which classes a model takes for each other: how often, and how close their logits come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from atlas_core.statistics import probabilities, wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Pair(NamedTuple):
    """Two classes.

    Attributes:
        first: The lower class.
        second: The higher class.
        images: Images of either.
        confused: Images of the first that are taken for the second, and of the second taken for the first.
        share: Of the images, those that are.
        interval: Of the share, Wilson's of 95 %.
        probability: Mean probability that the model gives to the other class, 0 to 1.
    """

    first: int
    second: int
    images: int
    confused: tuple[int, int]
    share: float
    interval: tuple[float, float]
    probability: float


class Confusions:
    """Counts images by their class and what they are taken for, as they pass by.

    Args:
        classes: Of the model.
    """

    def __init__(self, classes: int) -> None:
        """Nothing has passed."""
        self._images = np.zeros(classes, np.int64)
        self._taken = np.zeros((classes, classes), np.int64)  # of images of a class (row), by predicted class
        self._probability = np.zeros((classes, classes))  # the same, summed

    def add(self, logits: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]) -> None:
        """Count some images.

        Args:
            logits: Shape (n, classes).
            labels: Class of each, shape (n,); images of none, or of one that the model has not, are left out.
        """
        known = (labels >= 0) & (labels < len(self._images))
        own, seen = labels[known].astype(np.int64), logits[known].astype(np.float64)
        np.add.at(self._images, own, 1)
        np.add.at(self._taken, (own, seen.argmax(axis=1) if len(seen) else own), 1)
        np.add.at(self._probability, own, probabilities(seen))

    @property
    def images(self) -> int:
        """Images counted."""
        return int(self._images.sum())

    def pairs(self, most: int) -> list[Pair]:
        """The pairs that are confused most surely, then those whose logits come closest.

        Args:
            most: How many at most.

        Returns:
            Sorted by the lower end of the interval of the share that is confused, then by probability, then by class.
        """
        first, second = np.triu_indices(len(self._images), 1)
        images = self._images[first] + self._images[second]
        first, second, images = first[images > 0], second[images > 0], images[images > 0]
        there, back = self._taken[first, second], self._taken[second, first]
        probability = (self._probability[first, second] + self._probability[second, first]) / images
        low, high = wilson(there + back, images)
        order = np.lexsort((second, first, -probability, -low))[:most]
        return [
            Pair(int(first[one]), int(second[one]), int(images[one]), (int(there[one]), int(back[one])),
                 float((there[one] + back[one]) / images[one]), (float(low[one]), float(high[one])),
                 float(probability[one]))
            for one in order
        ]  # fmt: skip
