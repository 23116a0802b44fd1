"""What registration says about a model: layers, gradients, accuracy, and doubts about its card."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atlas_core.cards import LayerInfo  # noqa: TC001  # an Inspection is read from JSON
from atlas_core.models.evidence import near_chance
from atlas_core.models.labels import OrderDoubt, mapped, order_doubt, size_warnings
from atlas_core.models.preprocessing import to_unit
from atlas_core.models.suspicion import Reservoir, preprocessing_doubt

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.models.base import LoadedModel

    LabelledImage = tuple[NDArray[np.uint8], int]

BATCH = 32
TOP = 5


@dataclass(frozen=True)
class Inspection:
    """What was found.

    Attributes:
        layers: Every place that can be read, outputs of blocks first, each kind in order of execution.
        classes: Width of the logits, None where there are none.
        convertible: Whether there are gradients, so that icons and attributions can be made.
        reasons: Why there are none.
        top1: Share of images whose strongest logit is their label's, None without labels.
        top5: Share of images whose label is among the five strongest logits.
        images: Number of labelled images measured.
        warnings: Doubts about the card, a line each.
    """

    layers: tuple[LayerInfo, ...]
    classes: int | None
    convertible: bool
    reasons: tuple[str, ...] = ()
    top1: float | None = None
    top5: float | None = None
    images: int = 0
    warnings: tuple[str, ...] = ()


def inspect_model(
    model: LoadedModel,
    images: Iterable[LabelledImage] | None = None,
    class_names: Sequence[str] | None = None,
) -> Inspection:
    """Inspect a model, with a labelled dataset where there is one.

    Args:
        model: Any.
        images: Pixels as `preprocess` gives them, shape (height, width, channels), and the label, -1 where unknown.
            Read once; two thousand, spread over the classes, tell an accuracy to two points.
        class_names: The dataset's classes in the order of its labels.
    """
    reasons = model.unconvertible
    warnings = size_warnings(model.card.labels, class_names, model.classes)
    if images is not None and model.classes is None:
        warnings.append("the model has no logits, so it was not measured on the dataset")
    if images is None or model.classes is None:
        return Inspection(model.described(), model.classes, not reasons, reasons, warnings=tuple(warnings))
    answers = _run(model, images)
    warnings += answers.warnings(model, class_names)
    count = len(answers.labels)
    return Inspection(
        model.described(),
        model.classes,
        not reasons,
        reasons,
        top1=float((answers.predicted == answers.labels).mean()) if count else None,
        top5=float(answers.among_top.mean()) if count else None,
        images=count,
        warnings=tuple(warnings),
    )


@dataclass(frozen=True)
class _Answers:
    """What a model said of n labelled images."""

    predicted: NDArray[np.int64]
    among_top: NDArray[np.bool_]
    labels: NDArray[np.int64]
    kept: Reservoir
    probabilities: bool

    def warnings(self, model: LoadedModel, class_names: Sequence[str] | None) -> list[str]:
        """Doubts about the card, the likeliest cause first."""
        found = []
        if self.probabilities:
            found.append("the output looks like probabilities; name the tensor before the softmax as `output`")
        if model.classes is None or not len(self.labels):
            return found
        if near_chance(self.predicted == self.labels, model.classes):
            found.append(
                f"top-1 on {len(self.labels)} images is near chance (1 in {model.classes}): "
                "the weights, the preprocessing or the order of the labels is wrong"
            )
        names = model.card.class_names or None
        order = order_doubt(self.predicted, self.labels, model.classes, names, class_names)
        return [*found, *self._likelier(model, order)]

    def _likelier(self, model: LoadedModel, order: OrderDoubt | None) -> list[str]:
        """The doubt that explains more, the other only where both are mistakes."""
        pixels, labels = self.kept.arrays()
        preprocessing = preprocessing_doubt(model, pixels, labels)
        if order is None:
            return [preprocessing.warning] if preprocessing else []
        if preprocessing and preprocessing.share > order.share:
            return [order.warning, preprocessing.warning] if order.certain else [preprocessing.warning]
        if order.order is not None:
            preprocessing = preprocessing_doubt(model, pixels, mapped(order.order, labels))
        return [order.warning, preprocessing.warning] if preprocessing else [order.warning]


def _run(model: LoadedModel, images: Iterable[LabelledImage]) -> _Answers:
    predicted, among_top, labels = [], [], []
    kept = Reservoir()
    probabilities = True
    for pixels, truth in _batches(images):
        _, logits = model.activations(to_unit(pixels), [], logits=True)
        if logits is None:
            break
        strongest = np.argsort(-logits, axis=1, kind="stable")[:, :TOP]
        predicted.append(strongest[:, 0])
        among_top.append((strongest == truth[:, None]).any(axis=1))
        labels.append(truth)
        kept.add(pixels, truth)
        probabilities &= bool(np.allclose(logits.sum(axis=1), 1, atol=1e-3) and logits.min() >= 0)
    if not labels:
        nothing = np.zeros(0, np.int64)
        return _Answers(nothing, nothing.astype(bool), nothing, kept, probabilities=False)
    return _Answers(
        np.concatenate(predicted), np.concatenate(among_top), np.concatenate(labels), kept, probabilities=probabilities
    )


def _batches(images: Iterable[LabelledImage]) -> Iterable[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    batch: list[LabelledImage] = []
    for image in images:
        if image[1] >= 0:
            batch.append(image)
        if len(batch) == BATCH:
            yield _stack(batch)
            batch = []
    if batch:
        yield _stack(batch)


def _stack(batch: list[LabelledImage]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    return np.stack([pixels for pixels, _ in batch]), np.array([label for _, label in batch], np.int64)
