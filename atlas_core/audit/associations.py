"""Which properties of pictures go with which class: what a network could have learned in place of the class itself."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from atlas_core.audit.traits import COLOUR, SHARPNESS, TEXTURE, fine_of, places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SMALL = 32
"""Pixels a side, about, of the pictures and pieces that are compared."""
RIDGE = 0.05
"""Share of the mean variance that is added to every feature's own before it is divided by."""
TWO_KINDS, LEAST_HAVING = 0.8, 8
"""Share of the variance that is between two kinds (.64 of a normal distribution cut in half); and how many have it."""
FILE = ("bytes a pixel", "pixels", "aspect", "JPEG quantisation")


def features(pictures: NDArray[np.uint8]) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """What is compared of each trait that can be given, by its name; each of shape (n, any number).

    Args:
        pictures: Shape (n, height, width, channels).
    """
    small = shrunk(pictures)
    for name, mask in places(*small.shape[1:3]).items():
        yield name, small[:, mask].reshape(len(small), -1)
    values = pictures.reshape(len(pictures), -1, pictures.shape[-1]).astype(np.float32)
    yield COLOUR, np.concatenate([values.mean(axis=1), values.std(axis=1)], axis=1)
    fine = fine_of(pictures).astype(np.float32)
    yield SHARPNESS, np.log1p((fine**2).mean(axis=(1, 2, 3)))[:, None]
    yield TEXTURE, _spectrum(fine)


def shrunk(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pictures of under 64 pixels a side, by means of whole blocks; what these leave over at far edges is cut off."""
    blocks = [max(1, side // SMALL) for side in pictures.shape[1:3]]
    down, across = (side // block for side, block in zip(pictures.shape[1:3], blocks, strict=True))
    cut = pictures[:, : down * blocks[0], : across * blocks[1]].astype(np.float32)
    return np.asarray(cut.reshape(len(cut), down, blocks[0], across, blocks[1], -1).mean(axis=(2, 4)))


def _spectrum(fine: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logarithm of the strength of waves in square pieces of the picture, over all channels."""
    side = min(SMALL, *fine.shape[1:3])
    power = np.zeros((len(fine), side, side // 2 + 1))
    for top in range(0, fine.shape[1] - side + 1, side):
        for left in range(0, fine.shape[2] - side + 1, side):
            piece = fine[:, top : top + side, left : left + side]
            power += (np.abs(np.fft.rfft2(piece, axes=(1, 2))) ** 2).sum(axis=3)
    return np.log1p(power).reshape(len(fine), -1).astype(np.float32)


def scores(features: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]], classes: int) -> NDArray[np.float64]:
    """How much each picture looks like each class by some features, in comparison with all other classes.

    A discriminant of independent features, learned on every other picture of each class and told of the rest.

    Args:
        features: Shape (n, d).
        labels: Class of each picture, shape (n,), each from 0 to `classes` - 1.
        classes: How many there are.

    Returns:
        Shape (n, classes), each column of mean 0 and deviation 1 in each half.
    """
    rows = np.asarray(features, np.float64)
    order = np.argsort(labels, kind="stable")
    half = np.zeros(len(labels), np.int64)
    half[order] = np.arange(len(labels)) % 2
    found = np.empty((len(rows), classes))
    for told in (0, 1):
        learn, tell = half != told, half == told
        made = rows[tell] @ _weights(rows[learn], labels[learn], classes).T
        found[tell] = (made - made.mean(axis=0)) / np.maximum(made.std(axis=0), 1e-9)
    return found


def _weights(rows: NDArray[np.float64], labels: NDArray[np.integer[Any]], classes: int) -> NDArray[np.float64]:
    """Difference of each class's mean from the others', over the variance within classes; shape (classes, d)."""
    members = np.eye(classes)[labels]  # (n, classes)
    count = members.sum(axis=0)[:, None]
    total = members.T @ rows
    mean = total / np.maximum(count, 1)
    rest = (total.sum(axis=0) - total) / np.maximum(len(rows) - count, 1)
    within = ((rows - mean[labels]) ** 2).mean(axis=0)
    return np.asarray((mean - rest) / (within + RIDGE * within.mean() + 1e-9))


def separation(scores: NDArray[np.floating[Any]], positive: NDArray[np.bool_]) -> float:
    """The probability that a positive's score lies above another's (the area under the ROC curve), equal ones as half.

    Args:
        scores: Shape (n,).
        positive: Shape (n,).

    Returns:
        0 to 1; .5 where there is none of either kind.
    """
    values, counts = np.unique(scores, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[np.searchsorted(values, scores)]
    hits = int(positive.sum())
    others = len(scores) - hits
    if not hits or not others:
        return 0.5
    return float((rank[positive].sum() - hits * (hits + 1) / 2) / (hits * others))


def having(score: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    """Those of a class's pictures that have what goes with it, as rows, ascending.

    Where they are of two kinds, as where a mark was put on some of them, the upper kind; else the half that is nearest
    to the median, for what the most extreme of a class have is not what goes with it.

    Args:
        score: How much each has it, shape (n,), at least 2.
    """
    order = np.argsort(score, kind="stable")
    values, n = np.asarray(score, np.float64)[order], len(score)
    below = np.arange(1, n)
    sums = np.cumsum(values)[:-1]
    apart = sums / below - (values.sum() - sums) / (n - below)
    between = below * (n - below) / n**2 * apart**2
    split = int(between.argmax())
    if between[split] >= TWO_KINDS * values.var() and n - below[split] >= LEAST_HAVING:
        return np.sort(order[below[split] :])
    middle = np.abs(score - np.median(score))
    return np.sort(np.argsort(middle, kind="stable")[: -(-n // 2)])


def beyond_label(
    score: NDArray[np.floating[Any]], logit: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]
) -> float:
    """Correlation of a property with a class's logit among pictures of other classes, their labels taken out of both.

    Args:
        score: Of the property, shape (n,).
        logit: Of the class, less the mean logit of the picture, shape (n,).
        labels: Shape (n,), none of the class itself.

    Returns:
        -1 to 1; 0 where either does not vary.
    """
    residuals = []
    for values in (score, logit):
        wide = np.asarray(values, np.float64)
        count = np.bincount(labels)
        residuals.append(wide - (np.bincount(labels, wide) / np.maximum(count, 1))[labels])
    length = [float(np.linalg.norm(one)) for one in residuals]
    return float(residuals[0] @ residuals[1] / (length[0] * length[1])) if min(length) > 1e-9 else 0.0


def told_by_file(data: bytes) -> tuple[float, ...]:
    """Properties of a file that pixels do not show: bytes a pixel, pixels, aspect, strength of JPEG's quantisation.

    Returns:
        In the order of `FILE`; NaN where it is no picture, the last 0 of another format.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as picture:
            pixels = picture.width * picture.height
            steps = [step for table in getattr(picture, "quantization", {}).values() for step in table]
            return len(data) / pixels, float(pixels), picture.width / picture.height, float(np.mean(steps or [0]))
    except (UnidentifiedImageError, OSError, ValueError):
        return (float("nan"),) * len(FILE)
