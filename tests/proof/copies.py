"""Copies of ResNet-20: trained on for a while, and with one class's weights damaged."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.models.base import LoadedModel

STEPS, BATCH, RATE = 150, 64, 2e-3
MODEL = "resnet20.onnx"
Classes: TypeAlias = "NDArray[np.int64]"


def _copied(cards: Path, folder: Path, change: Callable[[Any], None]) -> Path:
    """A copy of the model's cards with another graph; returns the model's card."""
    import onnx

    shutil.copytree(cards, folder, ignore=shutil.ignore_patterns("images.zip", "dataset-*"))
    folder.chmod(0o755)
    (folder / MODEL).unlink()
    graph = onnx.load(cards / MODEL)
    change(graph)
    onnx.save(graph, folder / MODEL)
    return folder / "model.json"


def damaged(cards: Path, folder: Path, index: int) -> Path:
    """A copy whose last layer has no weights for one class."""

    def change(graph: Any) -> None:
        from onnx import numpy_helper

        found = [tensor for tensor in graph.graph.initializer if list(tensor.dims) == [10, 64]]
        assert len(found) == 1
        weights = numpy_helper.to_array(found[0]).copy()
        weights[index] = 0
        found[0].CopyFrom(numpy_helper.from_array(weights, found[0].name))

    return _copied(cards, folder, change)


def tuned(cards: Path, folder: Path, steps: int = STEPS, rate: float = RATE) -> tuple[Path, list[float]]:
    """A copy that was trained on for a while, the names of its tensors kept; and the mean loss of each third.

    At the usual rate the copy answers otherwise in many places: these pictures are JPEG, of which it knew nothing.
    """
    from atlas_core.registration import load_card

    model = load_card(cards / "model.json")
    before = {name: value.detach().numpy().copy() for name, value in model.network().module.named_parameters()}
    losses = _train(model, cards, steps, rate)
    after = {name: value.detach().numpy() for name, value in model.network().module.named_parameters()}
    return _copied(cards, folder, lambda graph: _written(graph, before, after)), losses


def _written(graph: Any, before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> None:
    """Write what became of each tensor into the graph, found by what it was before."""
    from onnx import numpy_helper

    written = 0
    for tensor in graph.graph.initializer:
        held = numpy_helper.to_array(tensor)
        for name, value in before.items():
            same = [turn for turn in (False, True) if np.array_equal(held, value.T if turn else value)]
            if same:
                new = after[name].T if same[0] else after[name]
                tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(new), tensor.name))
                written += 1
                break
    assert written == len(before)


def told_of_unseen(cards: Path, card: Path, count: int, steps: int) -> tuple[Classes, Classes, Classes]:
    """What the model and a copy take training pictures for that the copy was not trained on with, and their labels.

    Args:
        cards: Of the model and its pictures.
        card: Of the copy.
        count: Pictures.
        steps: That the copy was trained for.
    """
    from atlas_core.cards import resolve_dataset_card
    from atlas_core.datasets.dataset import open_dataset
    from atlas_core.models.preprocessing import read_pixels, to_unit
    from atlas_core.registration import load_card

    models = [load_card(one) for one in (cards / "model.json", card)]
    with open_dataset(resolve_dataset_card(cards / "dataset-train.json"), _no_blob) as dataset:
        listing = dataset.listing
        places = _mixed(len(listing.images))[steps * BATCH :][:count]
        given = models[0].card.input
        pixels = np.stack([read_pixels(dataset.read(listing.images[place]), given) for place in places])
    said = []
    for model in models:
        parts = [model.activations(to_unit(part), [], logits=True)[1] for part in np.array_split(pixels, count // 100)]
        said.append(np.concatenate([part.argmax(axis=1) for part in parts if part is not None]))
    return said[0], said[1], listing.labels[places].astype(np.int64)


def _mixed(images: int) -> NDArray[np.int64]:
    """Places of the training pictures in the order in which they are trained on."""
    return np.random.default_rng(0).permutation(images)


def _no_blob(sha256: str) -> Any:
    raise AssertionError(sha256)


def _train(model: LoadedModel, cards: Path, steps: int, rate: float) -> list[float]:
    """Train with SGD on the training pictures; returns the mean loss of each third."""
    import torch

    from atlas_core.cards import resolve_dataset_card
    from atlas_core.datasets.dataset import open_dataset
    from atlas_core.models.base import Normalise
    from atlas_core.models.preprocessing import read_pixels, to_unit

    net, normalise = model.network().reader([], logits=True), Normalise(model.card.input)
    model.network().module.requires_grad_(True)
    optimiser = torch.optim.SGD(model.network().module.parameters(), lr=rate, momentum=0.9)
    losses = []

    with open_dataset(resolve_dataset_card(cards / "dataset-train.json"), _no_blob) as dataset:
        listing = dataset.listing
        chosen = _mixed(len(listing.images))[: steps * BATCH].reshape(steps, -1)
        for batch in chosen:
            pixels = [read_pixels(dataset.read(listing.images[place]), model.card.input) for place in batch]
            labels = torch.from_numpy(listing.labels[batch].astype(np.int64))
            (logits,) = net(normalise(torch.from_numpy(to_unit(np.stack(pixels)))))
            loss = torch.nn.functional.cross_entropy(logits.flatten(1), labels)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own
            optimiser.step()
            losses.append(float(loss.detach()))
    return [float(np.mean(part)) for part in np.array_split(losses, 3)]
