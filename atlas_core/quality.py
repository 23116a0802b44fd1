"""How right a model is in every cell: an image counts once a cell, however many of its samples lie there."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.binning import assign_cells
from atlas_core.members import distinct_pairs, members_of
from atlas_core.statistics import probabilities, wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Answers:
    """What a network makes of labelled images, each array of shape (n,).

    Args:
        image: Place in the listing, ascending.
        label: Class that the dataset gives it.
        predicted: Class of the largest logit.
        confidence: Of that class, by softmax, in (0, 1], float32.
    """

    image: NDArray[np.int32]
    label: NDArray[np.int32]
    predicted: NDArray[np.int32]
    confidence: NDArray[np.float32]

    @classmethod
    def of(cls, image: NDArray[Any], label: NDArray[Any], logits: NDArray[np.floating[Any]]) -> Answers:
        """The answers to those images that have a label.

        Args:
            image: Place of each in the listing, ascending, shape (n,).
            label: Shape (n,), negative where there is none.
            logits: Shape (n, classes).
        """
        known = np.asarray(label) >= 0
        values = logits[known].astype(np.float64)
        predicted = values.argmax(axis=1)
        confidence = probabilities(values).max(axis=1)
        return cls(image[known].astype(np.int32), label[known].astype(np.int32), predicted.astype(np.int32),
                   confidence.astype(np.float32))  # fmt: skip

    def __len__(self) -> int:
        """Labelled images."""
        return len(self.image)

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Which are predicted as another class than their label, shape (n,)."""
        return np.asarray(self.predicted != self.label)

    @property
    def calibration(self) -> float:
        """Absolute difference of their mean confidence and the share that is right."""
        return abs(float(self.confidence.mean(dtype=np.float64)) - float(1 - self.wrong.mean()))


@dataclass(frozen=True)
class Quality:
    """How right a model is in the kept cells of a level, in the level's order; NaN in cells without a labelled image.

    Args:
        images: Distinct labelled images behind each cell's samples, shape (m,) int32.
        wrong: Those that are predicted as another class than their label, shape (m,) int32.
        error: Share that is wrong, shape (m,) float32.
        error_low: Lower end of its 95 % Wilson interval, shape (m,) float32.
        error_high: Upper end, shape (m,) float32.
        confidence: Mean probability of the predicted class, by softmax, shape (m,) float32.
        calibration: |confidence - (1 - error)|, the calibration error of the cell taken as one bin, shape (m,) float32.
        start: Where each cell's images begin in `image`, and the end of the last, shape (m + 1,) int64.
        image: Their places in the listing, cell by cell, ascending within a cell, shape (pairs,) int32.
        missed: Which of those are wrong, shape (pairs,) bool.
    """

    images: NDArray[np.int32]
    wrong: NDArray[np.int32]
    error: NDArray[np.float32]
    error_low: NDArray[np.float32]
    error_high: NDArray[np.float32]
    confidence: NDArray[np.float32]
    calibration: NDArray[np.float32]
    start: NDArray[np.int64]
    image: NDArray[np.int32]
    missed: NDArray[np.bool_]

    def to_tables(self) -> dict[str, NDArray[Any]]:
        """The fields as named arrays."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_tables(cls, tables: dict[str, NDArray[Any]]) -> Quality:
        """The inverse of `to_tables`."""
        return cls(**{field.name: tables[field.name] for field in fields(cls)})


def quality_of_cells(answers: Answers, image: NDArray[Any], layout: NDArray[np.float32], side: int) -> Quality:
    """How right a model is in the kept cells of a level.

    Args:
        answers: To the labelled images.
        image: Of each sample, its place in the listing, shape (n,).
        layout: Points in the unit square, shape (n, 2).
        side: Cells a side.

    Raises:
        LayoutError: No cell of the level holds enough samples.
    """
    members = members_of(assign_cells(layout, side), side)
    known = members.order[np.isin(image[members.order], answers.image)]
    asked = np.searchsorted(answers.image, image[known]).astype(np.int32)
    cell, first = distinct_pairs(members.cell[known], asked)
    return _summed(answers, cell, asked[first], len(members))


def _summed(answers: Answers, cell: NDArray[np.int64], asked: NDArray[np.int32], cells: int) -> Quality:
    """Over pairs of a cell and an image, sorted by both."""
    missed = answers.wrong[asked]
    images = np.bincount(cell, minlength=cells)
    wrong = np.bincount(cell, missed, minlength=cells)
    known = np.where(images > 0, images, np.nan)
    error = wrong / known
    confidence = np.bincount(cell, answers.confidence[asked], minlength=cells) / known
    low, high = (np.where(images > 0, end, np.nan) for end in wilson(wrong, images))
    return Quality(
        images=images.astype(np.int32), wrong=wrong.astype(np.int32), error=error.astype(np.float32),
        error_low=low.astype(np.float32), error_high=high.astype(np.float32),
        confidence=confidence.astype(np.float32), calibration=np.abs(confidence - (1 - error)).astype(np.float32),
        start=np.concatenate([[0], np.cumsum(images)]).astype(np.int64), image=answers.image[asked], missed=missed,
    )  # fmt: skip
