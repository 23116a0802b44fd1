"""Has the model's atlas ever seen anything like this image? One calibrated p-value for a whole image.

Four parts look at an image: how far the most similar images of the atlas are, how unlike theirs its texture is half
way through the network, how little the logits say, and how much it resembles copies of the atlas's images that were
turned, inverted or damaged. Each gets a p-value among the atlas's own images, each of which is looked at as if the
atlas did not have it: its neighbours are other images, and what tells copies apart was found without its fold. A new
image is looked at as one more of the first fold: one discriminant judges it, as one judges each of the others; the
mean of several would be surer than theirs, and never call an image strange as often as it says. So the atlas's images
stand for new ones, none is set aside, and n is large. The parts depend on each other, so the sum of their logarithms
is calibrated in the same way: novelty_p is the share of images, the new one among them, that are at least as strange.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.discriminant import Discriminant, deviation
from atlas_core.pooling import ITSELF, Pooled
from atlas_core.spoiled import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from atlas_core.tables import Table

NEIGHBOURS = 5
FOLDS = 5
RARE, UNSEEN = 0.05, 0.01
BLIND = 0.75
"""A kind of copies of which this AUROC is missed on an atlas's own images is a blind spot of it."""
PARTS = {
    "neighbours": (1, "how far the images of the atlas are that are most like it, at the end of the network"),
    "texture": (1, "how unlike theirs its activations are on average, half way through the network"),
    "energy": (1, "how little its logits say of any class"),
    "spoiled": (2, "how much it looks turned, inverted or damaged to the network"),
}
"""What each looks at, and how often its logarithm counts."""
MISTAKES = "whether the prediction is right: images that are misclassified are little stranger than others"
BLOCK = 512


@dataclass(frozen=True)
class Novelty:
    """What is needed to judge an image; made by `fit`, stored as a table.

    Args:
        deep: The images' mean activations at the last depth, of unit length, shape (n, channels) float32.
        middle: Their mean unit activations at the depth before, divided by `scale`, shape (n, channels) float32.
        scale: Shape (channels,) float32.
        weights: Of the discriminant that judges a new image, shape (values, kinds) float32.
        offset: Shape (kinds,) float32.
        neighbours: The part's statistic of the images themselves, ascending, shape (n,).
        texture: Likewise.
        energy: Likewise.
        spoiled: Likewise.
        sums: The sum of the parts, ascending, shape (n,).
        seen: AUROC of each kind of copies against the images, NaN of a kind without copies, shape (kinds,).
    """

    deep: NDArray[np.float32]
    middle: NDArray[np.float32]
    scale: NDArray[np.float32]
    weights: NDArray[np.float32]
    offset: NDArray[np.float32]
    neighbours: NDArray[np.float64]
    texture: NDArray[np.float64]
    energy: NDArray[np.float64]
    spoiled: NDArray[np.float64]
    sums: NDArray[np.float64]
    seen: NDArray[np.float64]

    @classmethod
    def learnt(cls, kept: Table, on_progress: Callable[[int, int], None] | None = None) -> Novelty:
        """From what collecting kept: rows of images and of their copies (`pooling.Kept`), in the listing's order."""
        own = kept["kind"] == ITSELF
        owner = np.searchsorted(kept["image"][own], kept["image"][~own])
        return cls.fit(Pooled.of(kept, own), Pooled.of(kept, ~own), owner, kept["kind"][~own], on_progress)

    @property
    def n(self) -> int:
        """Images that it is calibrated on."""
        return len(self.sums)

    @classmethod
    def fit(
        cls,
        images: Pooled,
        copies: Pooled,
        owner: NDArray[np.integer[Any]],
        kinds: NDArray[np.integer[Any]],
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Novelty:
        """Learn from an atlas's images.

        Args:
            images: Pooled, n of them, at least `pooling.LEAST_IMAGES`.
            copies: Spoiled copies of some of them, pooled.
            owner: The image that each copy is of, its row.
            kinds: The kind of each copy.
            on_progress: Called with (steps done, steps); cancels by raising.
        """
        report = on_progress or (lambda _done, _steps: None)
        n = len(images.energy)
        fold = np.arange(n) % FOLDS
        scale = deviation(images.middle).astype(np.float32)
        deep, middle = _unit(images.deep), images.middle.astype(np.float32) / scale
        found = []
        for one in range(FOLDS):
            found.append(_without(one, fold, images, copies, owner, kinds))
            report(one + 1, FOLDS + 1)
        own = {
            "neighbours": _nearest(deep, deep, np.arange(n), _cosine),
            "texture": _nearest(middle, middle, np.arange(n), _euclidean),
            "energy": images.energy.astype(np.float64),
            "spoiled": _by_fold(found, images.spread, fold),
        }
        theirs = {
            "neighbours": _nearest(_unit(copies.deep), deep, owner, _cosine),
            "texture": _nearest(copies.middle.astype(np.float32) / scale, middle, owner, _euclidean),
            "energy": copies.energy.astype(np.float64),
            "spoiled": _by_fold(found, copies.spread, fold[owner]),
        }
        ordered = {name: np.sort(values) for name, values in own.items()}
        sums = _sum({name: _among(ordered[name], values, itself=True) for name, values in own.items()})
        spoiled = _sum({name: _among(ordered[name], values) for name, values in theirs.items()})
        report(FOLDS + 1, FOLDS + 1)
        return cls(
            deep=deep, middle=middle, scale=scale,
            weights=found[0].weights, offset=found[0].offset, **ordered, sums=np.sort(sums),
            seen=np.array([auroc(sums, spoiled[kinds == kind]) for kind in range(len(KINDS))]),
        )  # fmt: skip

    def parts(self, image: Pooled) -> dict[str, float]:
        """The p-value of each part for one image, none of the atlas's."""
        deep, middle = _unit(image.deep[None]), image.middle[None].astype(np.float32) / self.scale
        nobody = np.array([-1])
        found = {
            "neighbours": (self.neighbours, _nearest(deep, self.deep, nobody, _cosine)),
            "texture": (self.texture, _nearest(middle, self.middle, nobody, _euclidean)),
            "energy": (self.energy, image.energy.astype(np.float64).reshape(1)),
            "spoiled": (self.spoiled, Discriminant(self.weights, self.offset).score(image.spread[None])),
        }
        return {name: float(_among(ordered, value)[0]) for name, (ordered, value) in found.items()}

    def p(self, parts: dict[str, float]) -> float:
        """novelty_p from the parts' p-values: small is strange."""
        total = _sum({name: np.array([parts[name]]) for name in PARTS})
        return float(_among(self.sums, total)[0])

    def to_table(self) -> Table:
        """The fields as named arrays."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_table(cls, table: Table) -> Novelty:
        """The inverse of `to_table`."""
        return cls(**{field.name: table[field.name] for field in fields(cls)})

    def told(self, image: Pooled) -> dict[str, Any]:
        """What an answer says of an image's novelty."""
        parts = self.parts(image)
        whole = self.p(parts)
        return {
            "novelty_p": round(whole, 6),
            "word": word(whole),
            "n": self.n,
            "parts": {
                name: {"p": round(value, 6), "word": word(value), "weight": PARTS[name][0], "says": PARTS[name][1]}
                for name, value in parts.items()
            },
            "blind_spots": self.blind_spots(),
        }

    def blind_spots(self) -> list[str]:
        """What it is known not to see, in words, with what was measured on the atlas's own images."""
        missed = [
            f"images {kind}: of its own images' copies it tells {seen:.0%} from others, where chance is 50 %"
            for kind, seen in zip(KINDS, self.seen.tolist(), strict=True)
            if seen < BLIND
        ]
        return [*missed, MISTAKES]


def word(p: float) -> str:
    """The word for a p-value: `ordinary` above .05, `unseen` up to .01, `rare` between them."""
    if p > RARE:
        return "ordinary"
    return "rare" if p > UNSEEN else "unseen"


def auroc(ordinary: NDArray[np.float64], strange: NDArray[np.float64]) -> float:
    """How often something strange has the higher of two numbers, ties counted half; NaN of nothing."""
    if not len(ordinary) or not len(strange):
        return float("nan")
    ordered = np.sort(ordinary)
    below = np.searchsorted(ordered, strange, side="left") + np.searchsorted(ordered, strange, side="right")
    return float(below.mean() / 2 / len(ordered))


def _without(
    one: int, fold: NDArray[np.int64], images: Pooled, copies: Pooled, owner: NDArray[Any], kinds: NDArray[Any]
) -> Discriminant:
    """The discriminant of the images outside a fold that have copies, and of these copies."""
    inside = fold[owner] != one
    rows = np.unique(owner[inside])
    return Discriminant.fit(images.spread[rows], copies.spread[inside], kinds[inside])


def _by_fold(found: list[Discriminant], spread: NDArray[np.float16], fold: NDArray[np.int64]) -> NDArray[np.float64]:
    values = np.zeros(len(spread))
    for one, discriminant in enumerate(found):
        values[fold == one] = discriminant.score(spread[fold == one])
    return values


def _among(ordered: NDArray[np.float64], values: NDArray[np.float64], *, itself: bool = False) -> NDArray[np.float64]:
    """p-values among images: the share, the one asked about included, that are at least as strange."""
    reached = len(ordered) - np.searchsorted(ordered, values, side="left")
    others = len(ordered) - itself
    p: NDArray[np.float64] = (reached + (not itself)) / (others + 1)
    return p


def _sum(parts: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = np.sum([-PARTS[name][0] * np.log(parts[name]) for name in PARTS], axis=0)
    return total


def _unit(rows: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    values = rows.astype(np.float32)
    length = np.linalg.norm(values, axis=1, keepdims=True)
    unit: NDArray[np.float32] = (values / np.where(length > 0, length, 1)).astype(np.float32)
    return unit


def _cosine(rows: NDArray[np.float32], among: NDArray[np.float32]) -> NDArray[np.float32]:
    apart: NDArray[np.float32] = 1 - rows @ among.T
    return apart


def _euclidean(rows: NDArray[np.float32], among: NDArray[np.float32]) -> NDArray[np.float32]:
    own, others = np.einsum("ij,ij->i", rows, rows), np.einsum("ij,ij->i", among, among)
    squared = own[:, None] + others - 2 * rows @ among.T
    apart: NDArray[np.float32] = np.sqrt(squared.clip(0, None))
    return apart


def _nearest(
    rows: NDArray[np.float32],
    among: NDArray[np.float32],
    left_out: NDArray[np.integer[Any]],
    distance: Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]],
) -> NDArray[np.float64]:
    """Mean distance of each row to the nearest among others.

    Args:
        rows: Shape (m, channels).
        among: Shape (n, channels).
        left_out: For each row one of the others that does not count, -1 for none, shape (m,).
        distance: Of rows from others.
    """
    means = np.empty(len(rows))
    for first in range(0, len(rows), BLOCK):
        apart = distance(rows[first : first + BLOCK], among)
        out = left_out[first : first + BLOCK]
        apart[np.flatnonzero(out >= 0), out[out >= 0]] = np.inf
        count = min(NEIGHBOURS, apart.shape[1] - 1)
        means[first : first + BLOCK] = np.partition(apart, count - 1, axis=1)[:, :count].astype(np.float64).mean(axis=1)
    return means
