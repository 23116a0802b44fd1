"""Networks in torch's own form, traced: what torchvision's and operators' own architectures become."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import fx, nn

from atlas_core.errors import ModelError
from atlas_core.models.base import LoadedModel, Normalise
from atlas_core.models.graph import Network, freeze, shapes_of
from atlas_core.models.layers import list_layers, trace
from atlas_core.models.tokens import forms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.cards import LayerInfo, ModelCard

KEPT_READERS = 4


class TracedModel(LoadedModel):
    """A traced torch network."""

    def __init__(self, card: ModelCard, network: Network, layers: tuple[LayerInfo, ...], classes: int | None) -> None:
        super().__init__(card, layers, classes)
        self._network = network
        self._normalise = Normalise(card.input)
        self._readers: OrderedDict[tuple[tuple[str, ...], bool], fx.GraphModule] = OrderedDict()
        self._lock = threading.Lock()

    def network(self) -> Network:
        """The traced network."""
        return self._network

    def move(self, device: torch.device) -> None:
        """See LoadedModel.move."""
        super().move(device)
        self._normalise.to(device)
        self._readers.clear()

    @torch.no_grad()
    def activations(
        self, pixels: NDArray[np.float32], layers: Sequence[str], *, logits: bool
    ) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32] | None]:
        """See LoadedModel.activations."""
        for name in layers:
            self.layer(name)
        logits = logits and self.classes is not None
        if not layers and not logits:
            return {}, None
        given = torch.from_numpy(np.require(pixels, np.float32, ["C", "W"])).to(self.device)
        batch = self._normalise(given).contiguous(memory_format=torch.channels_last)
        values = [value.cpu().numpy() for value in self._reader(tuple(layers), logits)(batch)]
        return dict(zip(layers, values, strict=False)), values[-1] if logits else None

    def _reader(self, layers: tuple[str, ...], logits: bool) -> fx.GraphModule:
        key = (layers, logits)
        with self._lock:
            if key not in self._readers:
                self._readers[key] = self._network.reader(layers, logits=logits)
                if len(self._readers) > KEPT_READERS:
                    self._readers.popitem(last=False)
            self._readers.move_to_end(key)
            return self._readers[key]


def trace_model(module: nn.Module, card: ModelCard) -> TracedModel:
    """Trace a network with its weights loaded, freeze it and list its layers.

    Args:
        module: Takes normalised pixels, shape (n, channels, height, width). Its weights are frozen.
        card: Its card.

    Raises:
        ModelError: torch.fx cannot trace it, or it does not take the card's input.
    """
    try:
        graph, places = trace(module.eval())
    except Exception as error:  # tracing runs the architecture's own code on proxies
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(
            f"{card.architecture} cannot be traced by torch.fx: {reason}; its forward must not branch on values, or "
            "export it to ONNX"
        ) from None
    freeze(graph).to(memory_format=torch.channels_last)
    shapes = _shapes(graph, card)
    logits = _logits(graph, shapes)
    held = forms(graph, shapes)
    layers = list_layers(graph, places, shapes, held)
    classes = shapes[logits][1] if logits is not None else None
    return TracedModel(card, Network(graph, places, logits, held), layers, classes)


def _shapes(graph: fx.GraphModule, card: ModelCard) -> dict[fx.Node, tuple[int, ...]]:
    size = (card.input.channels, card.input.height, card.input.width)
    try:
        return shapes_of(graph, torch.zeros(2, *size))
    except Exception as error:  # whatever the architecture's own code raises
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"{card.architecture} does not take the card's input of {size}: {reason}") from None


def _logits(graph: fx.GraphModule, shapes: Mapping[fx.Node, Sequence[int]]) -> fx.Node | None:
    output = graph.graph.output_node().args[0]
    return output if isinstance(output, fx.Node) and len(shapes.get(output, ())) == 2 else None
