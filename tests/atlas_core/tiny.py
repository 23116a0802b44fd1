"""A model of any small torch module and a dataset of any pictures, for tests that need to know every number."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from atlas_core.cards import DatasetCard, InputCard, ModelCard
from atlas_core.datasets.dataset import Dataset, open_dataset
from atlas_core.models.base import LoadedModel
from atlas_core.models.graph import Network, freeze, shapes_of
from atlas_core.models.layers import list_layers, trace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import nn

Pictures = dict[str, "NDArray[np.uint8] | bytes"]


class TinyModel(LoadedModel):
    """A module that takes pixels 0..1 as they are."""

    def __init__(self, module: nn.Module, input_shape: tuple[int, int, int], *, logits: bool = True) -> None:
        channels, height, width = input_shape
        given = InputCard(channels=channels, height=height, width=width, mean=[0] * channels, std=[1] * channels)
        graph, places = trace(module.eval())
        freeze(graph)
        shapes = shapes_of(graph, torch.zeros(1, *input_shape))
        last = graph.graph.output_node().args[0] if logits else None
        layers = list_layers(graph, places, shapes)
        classes = shapes[last][1] if last is not None else None  # type: ignore[index]  # a node
        card = ModelCard(name="tiny", format="torchvision", architecture="tiny", weights="none", input=given)
        super().__init__(card, layers, classes)
        self._network = Network(graph, places, last)  # type: ignore[arg-type]  # a node

    def network(self) -> Network:
        return self._network

    @torch.no_grad()
    def activations(
        self, pixels: NDArray[np.float32], layers: Sequence[str], *, logits: bool
    ) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32] | None]:
        logits = logits and self.classes is not None
        values = [value.numpy() for value in self._network.reader(layers, logits=logits)(torch.from_numpy(pixels))]
        return dict(zip(layers, values, strict=False)), values[-1] if logits else None


def picture_dataset(folder: Path, pictures: Pictures) -> Dataset:
    """A dataset of these pictures, stored without loss; bytes are stored as they are."""
    for name, pixels in pictures.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        if isinstance(pixels, np.ndarray):
            Image.fromarray(pixels).save(buffer, "PNG")
        (folder / name).write_bytes(pixels if isinstance(pixels, bytes) else buffer.getvalue())

    def no_blob(name: str) -> io.BytesIO:
        raise AssertionError(name)

    return open_dataset(DatasetCard(name="tiny", source=folder.as_uri()), no_blob)


def noise_pictures(count: int, height: int, width: int) -> Pictures:
    """Pictures of noise, half of them in the folder `a` and half in `b`."""
    rng = np.random.default_rng(0)
    shape = (height, width, 3)
    return {f"{'ab'[number % 2]}/{number}.png": rng.integers(0, 256, shape, dtype=np.uint8) for number in range(count)}


def traced_peak(work: Callable[[], object]) -> int:
    """The most bytes that Python and numpy held at a time while some work was done."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
