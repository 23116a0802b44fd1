"""Issue 2, done when 9: what registration says of the real models, and of the same with a wrong card."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from atlas_core.cards import file_sha256, resolve_dataset_card, resolve_model_card
from atlas_core.datasets.dataset import open_dataset
from atlas_core.datasets.decode import decode
from atlas_core.models.base import load_model
from atlas_core.models.inspect import Inspection, inspect_model
from atlas_core.models.preprocessing import preprocess

if TYPE_CHECKING:
    from atlas_core.cards import DatasetCard, InputCard, ModelCard
    from atlas_core.datasets.dataset import Dataset

pytestmark = pytest.mark.proof

Report = Callable[..., None]


@dataclass
class Bench:
    """A model and a dataset of the shared folder, whose cards may be bent."""

    folder: Path
    dataset: str
    report: Report
    blobs: dict[str, Path] = field(default_factory=dict)

    def _put(self, path: Path) -> str:
        digest = file_sha256(path)
        self.blobs[digest] = path
        return digest

    def inspect(
        self,
        what: str,
        model: Callable[[ModelCard], dict[str, Any]] = lambda _: {},
        dataset: Callable[[DatasetCard], dict[str, Any]] = lambda _: {},
    ) -> Inspection:
        """Inspect with these changes to the cards."""
        card = resolve_model_card(self.folder / "model.json", self._put)
        card = card.model_copy(update=model(card))
        pictures = resolve_dataset_card(self.folder / self.dataset)
        pictures = pictures.model_copy(update=dataset(pictures))
        loaded = load_model(card, lambda digest: self.blobs[digest].read_bytes())
        with open_dataset(pictures, lambda digest: self.blobs[digest].open("rb")) as opened:
            found = inspect_model(loaded, images(opened, card.input), opened.listing.classes)
        self.report(f"{card.name}, {what}", top1=found.top1, top5=found.top5, warnings=list(found.warnings))
        return found


def images(dataset: Dataset, given: InputCard) -> Iterator[tuple[np.ndarray, int]]:
    listing = dataset.listing
    for image, label in zip(listing.images, listing.labels, strict=True):
        yield preprocess(decode(dataset.read(image)), given), int(label)


def bent_input(**changes: Any) -> Callable[[ModelCard], dict[str, Any]]:
    return lambda card: {"input": card.input.model_copy(update=changes)}


def exchanged(values: Any) -> list[str]:
    """The same names in another order, the same one every time."""
    order = np.random.default_rng(3).permutation(len(values))
    return [values[index] for index in order]


@pytest.fixture(scope="module")
def cifar_bench(shared: Path, report: Report) -> Bench:
    return Bench(shared / "cifar10", "dataset-test.json", report)


@pytest.fixture(scope="module")
def imagenet_bench(shared: Path, report: Report) -> Bench:
    return Bench(shared / "imagenet", "dataset.json", report)


def test_resnet20_reaches_81_percent(cifar_bench: Bench) -> None:
    found = cifar_bench.inspect("as it is")
    assert found.top1 == pytest.approx(0.81, abs=0.02)
    assert found.images == 2000
    assert found.convertible
    assert found.warnings == ()


def test_squeezenet_reaches_62_percent(imagenet_bench: Bench) -> None:
    found = imagenet_bench.inspect("as it is")
    assert found.top1 == pytest.approx(0.62, abs=0.04)
    assert found.top5 == pytest.approx(0.841, abs=0.04)
    assert found.images == 606
    assert found.convertible
    assert found.warnings == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"mean": [0, 0, 0]},
        {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
        {"mean": [0.4824, 0.4588, 0.4078], "std": [1 / 255] * 3},
        {"mean": [0.406, 0.456, 0.485]},
        {"order": "BGR"},
    ],
    ids=["no mean", "-1 to 1", "0 to 255", "mean of BGR", "BGR"],
)
def test_a_wrong_preprocessing_of_resnet20_is_warned_of(cifar_bench: Bench, changes: dict[str, Any]) -> None:
    found = cifar_bench.inspect(str(changes), bent_input(**changes))
    assert any("with ImageNet's mean and deviation" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    "changes",
    [{"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}, {"mean": [0, 0, 0]}],
    ids=["as torchvision", "no mean"],
)
def test_a_wrong_preprocessing_of_squeezenet_is_warned_of(imagenet_bench: Bench, changes: dict[str, Any]) -> None:
    found = imagenet_bench.inspect(str(changes), bent_input(**changes))
    assert any("less ImageNet's mean (Caffe)" in warning for warning in found.warnings)


def test_cifars_labels_in_another_order_are_warned_of(cifar_bench: Bench) -> None:
    for what, model, dataset in (
        ("labels exchanged", lambda card: {"labels": exchanged(card.labels)}, lambda _: {}),
        ("classes exchanged", lambda _: {}, lambda card: {"classes": exchanged(card.classes)}),
    ):
        found = cifar_bench.inspect(what, model, dataset)
        assert any("same names in different orders" in warning for warning in found.warnings)
    unnamed = cifar_bench.inspect(
        "classes exchanged, no labels", lambda _: {"labels": None}, lambda card: {"classes": exchanged(card.classes)}
    )
    assert any("top-1 is 8" in warning for warning in unnamed.warnings)


@pytest.mark.parametrize("order", ["reversed", "shifted"])
def test_imagenets_classes_in_another_order_are_warned_of(imagenet_bench: Bench, order: str) -> None:
    def bent(card: DatasetCard) -> dict[str, Any]:
        names = list(card.classes or [])
        return {"classes": names[::-1] if order == "reversed" else names[1:] + names[:1]}

    found = imagenet_bench.inspect(f"classes {order}", dataset=bent)
    assert any(warning.startswith("the labels look") and "top-1 is 61" in warning for warning in found.warnings)


def test_imagenets_classes_mixed_up_are_near_chance(imagenet_bench: Bench) -> None:
    found = imagenet_bench.inspect("classes exchanged", dataset=lambda card: {"classes": exchanged(card.classes)})
    assert any("near chance" in warning for warning in found.warnings)
