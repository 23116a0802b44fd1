from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from torch import nn

from atlas_core.cards import LayerInfo, ModelCard
from atlas_core.models.base import LoadedModel
from atlas_core.models.graph import Network
from atlas_core.models.inspect import Inspection, inspect_model
from atlas_core.models.layers import trace
from tests.atlas_core.models.nets import input_card
from tests.atlas_core.tiny import TinyModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSES = 10
TRAINED = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
COLOURS = np.random.default_rng(2).integers(0, 256, (CLASSES, 3))
NAMES = ["zebra", "ant", "mole", "cat", "yak", "bee", "owl", "dog", "fox", "hen"]


class Reader(LoadedModel):
    """Says the class whose colour is nearest to the picture's, both normalised, the class's as it was trained."""

    def __init__(self, card: ModelCard, *, softmax: bool = False, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(card, (LayerInfo(name="map", shape=(3, 8, 8)),), CLASSES)
        self.softmax = softmax
        self.reasons = reasons

    @property
    def unconvertible(self) -> tuple[str, ...]:
        return self.reasons

    def network(self) -> Network:
        graph, places = trace(nn.Sequential(OrderedDict(map=nn.ReLU(), logits=nn.AdaptiveAvgPool2d(1))))
        return Network(graph, places, places["logits"])

    def activations(
        self, pixels: NDArray[np.float32], layers: Sequence[str], *, logits: bool
    ) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32] | None]:
        assert (list(layers), logits) == ([], True)
        given = self.card.input
        seen = (pixels.mean((2, 3)) - np.array(given.mean)) / np.array(given.std)
        expected = (COLOURS / 255 - np.array(TRAINED["mean"])) / np.array(TRAINED["std"])
        scores = -np.abs(seen[:, None] - expected).sum(axis=2).astype(np.float32)
        if self.softmax:
            scores = np.exp(scores - scores.max(axis=1, keepdims=True))
            scores /= scores.sum(axis=1, keepdims=True)
        return {}, scores


def test_what_only_gradients_tell_of_layers_is_found() -> None:
    assert not Reader(card()).layers[0].silent
    (heard,) = inspect_model(Reader(card())).layers
    assert (heard.fixed, heard.silent) == (False, False)
    (unheard,) = inspect_model(TinyModel(nn.Conv2d(3, 2, 1), (3, 8, 8), logits=False)).layers
    assert (unheard.fixed, unheard.silent) == (False, True)


def test_without_logits_nothing_is_measured_and_it_is_said() -> None:
    found = inspect_model(TinyModel(nn.Conv2d(3, 2, 1), (3, 8, 8), logits=False), images(1))
    assert (found.classes, found.top1, found.images) == (None, None, 0)
    assert found.warnings == ("the model has no logits, so it was not measured on the dataset",)


def card(labels: list[str] | None = None, **changes: Any) -> ModelCard:
    given = input_card(8, **(TRAINED | changes))
    return ModelCard(name="reader", format="onnx", source="sha256:0", input=given, labels=labels)


def images(
    each: int = 30, order: Sequence[int] = range(CLASSES), *, bgr: bool = False
) -> Iterator[tuple[NDArray[np.uint8], int]]:
    """Pictures class after class, one in ten in another's colour; the label of class k is its place in the order."""
    for k in range(CLASSES):
        for number in range(each):
            shown = (k + 4) % CLASSES if number % 10 == 0 else k
            colour = COLOURS[shown]
            yield np.full((8, 8, 3), colour[::-1] if bgr else colour, np.uint8), list(order).index(k)


def test_accuracy_is_counted() -> None:
    found = inspect_model(Reader(card()), images())
    assert found.top1 == pytest.approx(0.9)
    assert (found.images, found.classes) == (300, CLASSES)
    assert found.top5 is not None
    assert 0.9 <= found.top5 <= 1
    assert found.convertible
    assert found.warnings == ()
    assert [layer.name for layer in found.layers] == ["map"]


def test_without_images_or_labels_nothing_is_claimed() -> None:
    assert inspect_model(Reader(card())) == Inspection(Reader(card()).layers, CLASSES, convertible=True)
    found = inspect_model(Reader(card()), ((pixels, -1) for pixels, _ in images(2)))
    assert (found.top1, found.top5, found.images, found.warnings) == (None, None, 0, ())


def test_reasons_against_gradients_are_passed_on() -> None:
    found = inspect_model(Reader(card(), reasons=("Hardmax (opset 18)",)))
    assert (found.convertible, found.reasons) == (False, ("Hardmax (opset 18)",))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"mean": [0, 0, 0], "std": [1, 1, 1]}, "with ImageNet's mean and deviation top-1"),
        ({"mean": [0.5] * 3, "std": [0.5] * 3}, "with ImageNet's mean and deviation top-1"),
        ({"mean": [0.485, 0.456, 0.406], "std": [1 / 255] * 3}, "with ImageNet's mean and deviation top-1"),
    ],
)
def test_a_wrong_mean_or_deviation_is_found(changes: dict[str, Any], says: str) -> None:
    found = inspect_model(Reader(card(**changes)), images())
    assert found.top1 is not None
    assert found.top1 < 0.6
    assert any(says in warning for warning in found.warnings), found.warnings


def test_a_wrong_order_of_channels_is_found() -> None:
    (warning,) = [
        text
        for text in inspect_model(Reader(card()), images(bgr=True)).warnings
        if text.startswith("the preprocessing")
    ]
    assert "BGR" in warning


def test_reversed_labels_are_found() -> None:
    found = inspect_model(Reader(card()), images(order=range(CLASSES)[::-1]))
    assert found.warnings[0].startswith("top-1 on 300 images is near chance (1 in 10)")
    assert found.warnings[1] == "the labels look reversed: so read, top-1 is 90.0 % and not 0.0 %"
    assert len(found.warnings) == 2


def test_labels_in_another_order_by_name_are_told_by_name() -> None:
    order = [3, 1, 4, 0, 5, 9, 2, 6, 8, 7]
    found = inspect_model(Reader(card(NAMES)), images(order=order), [NAMES[k] for k in order])
    assert any("same names in different orders: top-1 is 90.0 % by name" in warning for warning in found.warnings)


def test_probabilities_are_noticed() -> None:
    found = inspect_model(Reader(card(), softmax=True), images())
    assert [warning.split(";")[0] for warning in found.warnings] == ["the output looks like probabilities"]


def test_lists_of_another_length_are_noticed() -> None:
    found = inspect_model(Reader(card(NAMES[:9])), images(), NAMES)
    assert found.warnings[0] == "the model's labels are 9, the model's logits 10"
