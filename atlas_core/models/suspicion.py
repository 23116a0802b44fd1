"""Doubts about preprocessing: whether a usual convention does clearly better than the card's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from atlas_core.models.evidence import clearly_better, near_chance, percent
from atlas_core.models.preprocessing import to_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.cards import InputCard
    from atlas_core.models.base import LoadedModel

    Pixels = NDArray[np.uint8]
    Indices = NDArray[np.int64]

BATCH = 32
MARGIN = 0.02
# images in each round: all conventions, the best few, the best one, which must convince on the last
ROUNDS = (24, 80, 260)
SURVIVORS = (3, 1)
# networks on pictures up to this size are quick enough for four times as many
SMALL_INPUT = 96 * 96
SMALL_FACTOR = 4
KEPT_BYTES = 100_000_000


@dataclass(frozen=True)
class Convention:
    """A usual normalisation of RGB pixels 0..1, one value a channel (one for all where there is one)."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    grey_only: bool = False


# Sources: torchvision's and Keras's (mode "caffe") preprocessing of ImageNet; the statistics of CIFAR-10's and of
# MNIST's training pictures as they are handed about; the rest are ranges.
CONVENTIONS: Mapping[str, Convention] = {
    "ImageNet's mean and deviation": Convention((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "-1 to 1": Convention((0.5,), (0.5,)),
    "0 to 1, not normalised": Convention((0.0,), (1.0,)),
    "0 to 255, not normalised": Convention((0.0,), (1 / 255,)),
    "0 to 255 less ImageNet's mean (Caffe)": Convention((123.68 / 255, 116.779 / 255, 103.939 / 255), (1 / 255,)),
    "CIFAR-10's mean and deviation": Convention((0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)),
    "MNIST's mean and deviation": Convention((0.1307,), (0.3081,), grey_only=True),
}


@dataclass
class Reservoir:
    """A fair sample of a stream of labelled images, bounded in number and bytes, the same for the same stream."""

    pixels: list[Pixels] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    seen: int = 0
    random: np.random.Generator = field(default_factory=lambda: np.random.Generator(np.random.Philox(0)))

    def add(self, pixels: Pixels, labels: Indices) -> None:
        """Offer images, shape (n, height, width, channels), and labels, shape (n,)."""
        for image, label in zip(pixels, labels, strict=True):
            room = min(SMALL_FACTOR * sum(ROUNDS), max(KEPT_BYTES // image.nbytes, 1))
            self.seen += 1
            if len(self.pixels) < room:
                self.pixels.append(image.copy())
                self.labels.append(int(label))
            elif (place := int(self.random.integers(self.seen))) < room:
                self.pixels[place], self.labels[place] = image.copy(), int(label)

    def arrays(self) -> tuple[Pixels, Indices]:
        """The sample in an order of its own, so that no class comes first."""
        order = np.random.Generator(np.random.Philox(1)).permutation(len(self.pixels))
        return np.stack([self.pixels[index] for index in order]), np.array(self.labels, np.int64)[order]


@dataclass(frozen=True)
class Alternative:
    """Another reading of the same pixels: normalised by `mean` and `std` after the channels may be reversed."""

    description: str
    mean: NDArray[np.float32]  # (channels,)
    std: NDArray[np.float32]  # (channels,)
    reverse: bool

    def is_like(self, other: Alternative) -> bool:
        """Whether no network would tell the two apart."""
        return (
            self.reverse == other.reverse
            and np.allclose(self.mean, other.mean, atol=5e-3)
            and np.allclose(self.std, other.std, rtol=1e-2)
        )

    def pixels(self, pixels: Pixels, card: InputCard) -> NDArray[np.float32]:
        """What to give a model that normalises by its card, so that the network sees this alternative."""
        unit = to_unit(pixels)
        if self.reverse:
            unit = unit[:, ::-1]
        seen = (unit - _column(self.mean)) / _column(self.std)
        return np.ascontiguousarray(seen * _column(card.std) + _column(card.mean), dtype=np.float32)


def alternatives(card: InputCard) -> list[Alternative]:
    """Every usual reading other than the card's own, each once."""
    own = Convention(tuple(card.mean), tuple(card.std))
    mean, std = (_values(values, card.channels, backwards=False) for values in (own.mean, own.std))
    found = [Alternative("the card's own", mean, std, reverse=False)]
    for description, convention in {"the card's mean and deviation": own, **CONVENTIONS}.items():
        if card.channels % len(convention.mean) or (convention.grey_only and card.channels > 1):
            continue
        for reverse in (False, True) if card.channels == 3 else (False,):
            # conventions are told in RGB, a card in the order of the network's channels
            backwards = reverse if convention is own else reverse != (card.order == "BGR")
            mean, std = (
                _values(values, card.channels, backwards=backwards) for values in (convention.mean, convention.std)
            )
            order = ("RGB" if card.order == "BGR" else "BGR") if reverse else card.order
            one = Alternative(f"{description}, {order}" if reverse else description, mean, std, reverse)
            if not any(one.is_like(other) for other in found):
                found.append(one)
    return found[1:]


@dataclass(frozen=True)
class PreprocessingDoubt:
    """A usual convention that does clearly better than the card's, and its share of right answers."""

    warning: str
    share: float


def preprocessing_doubt(model: LoadedModel, pixels: Pixels, labels: Indices) -> PreprocessingDoubt | None:
    """Look for a convention that does clearly better, in rounds over fresh images.

    Args:
        model: With logits.
        pixels: A fair sample, shape (n, height, width, channels).
        labels: Shape (n,).
    """
    card = model.card.input
    factor = SMALL_FACTOR if card.height * card.width <= SMALL_INPUT else 1
    contenders = alternatives(card)
    used = 0
    for size, survivors in zip(ROUNDS, (*SURVIVORS, 0), strict=True):
        fresh = slice(used, used + size * factor)
        used = fresh.stop
        if not len(pixels[fresh]):
            return None
        own = _right(model, to_unit(pixels[fresh]), labels[fresh])
        rights = [_right(model, one.pixels(pixels[fresh], card), labels[fresh]) for one in contenders]
        order = np.argsort([-right.sum() for right in rights], kind="stable")
        better = [index for index in order if rights[index].sum() > own.sum()]
        if not better:
            return None
        if not survivors or used >= len(pixels):
            return _verdict(contenders[better[0]], rights[better[0]], own, model.classes or 1)
        contenders = [contenders[index] for index in better[:survivors]]
    return None


def _verdict(
    best: Alternative, right: NDArray[np.bool_], own: NDArray[np.bool_], classes: int
) -> PreprocessingDoubt | None:
    if near_chance(right, classes) or not clearly_better(right, own, MARGIN):
        return None
    warning = (
        f"the preprocessing looks wrong: with {best.description} top-1 on {len(own)} images is "
        f"{percent(right)} and not {percent(own)}"
    )
    return PreprocessingDoubt(warning, float(right.mean()))


def _right(model: LoadedModel, pixels: NDArray[np.float32], labels: Indices) -> NDArray[np.bool_]:
    predicted = []
    for first in range(0, len(pixels), BATCH):
        _, logits = model.activations(pixels[first : first + BATCH], [], logits=True)
        if logits is not None:
            predicted.append(logits.argmax(axis=1))
    right: NDArray[np.bool_] = np.concatenate(predicted) == labels
    return right


def _values(values: tuple[float, ...], channels: int, *, backwards: bool) -> NDArray[np.float32]:
    repeated = np.array(values * (channels // len(values)), np.float32)
    return repeated[::-1].copy() if backwards else repeated


def _column(values: object) -> NDArray[np.float32]:
    return np.asarray(values, np.float32).reshape(1, -1, 1, 1)
