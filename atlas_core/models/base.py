"""What every model can do, whatever it was stored as."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from atlas_core.errors import ModelError, UnknownLayerError
from atlas_core.models.graph import Head, Network
from atlas_core.models.linear import LinearHead, linear_head
from atlas_core.models.sizes import Framed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from atlas_core.audit.muting import Mute
    from atlas_core.cards import InputCard, LayerInfo, ModelCard

ReadBlob = Callable[[str], bytes]


class Normalise(nn.Module):
    """Pixels 0..1 to what the network was trained on: (x - mean) / std per channel."""

    mean: Tensor
    std: Tensor

    def __init__(self, input: InputCard) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(input.mean, dtype=torch.float32).reshape(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(input.std, dtype=torch.float32).reshape(1, -1, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalise, shape (n, channels, height, width)."""
        return (pixels - self.mean) / self.std


class LoadedModel(ABC):
    """A model in memory.

    Attributes:
        card: The resolved card it was loaded from.
        layers: Every place that can be read, outputs of blocks first, each kind in order of execution.
        classes: Width of the logits, None where the model has none.
        device: Where it computes.
    """

    def __init__(self, card: ModelCard, layers: tuple[LayerInfo, ...], classes: int | None) -> None:
        self.card = card
        self.layers = layers
        self.classes = classes
        self.device = torch.device("cpu")
        self._by_name = {layer.name: layer for layer in layers}

    @abstractmethod
    def activations(
        self, pixels: NDArray[np.float32], layers: Sequence[str], *, logits: bool
    ) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32] | None]:
        """Run a batch and read layers, no further than the deepest of them unless logits are asked for.

        Args:
            pixels: Shape (n, channels, height, width), 0 to 1, in the network's order of channels, not normalised.
            layers: Names of layers.
            logits: Whether to run to the end.

        Returns:
            Activations by layer, shape (n, C, H, W), and the logits, shape (n, classes), or None where not asked for
            or where the model has none.

        Raises:
            UnknownLayerError: The model has no such layer.
        """

    @abstractmethod
    def network(self) -> Network:
        """The traced torch network, for gradients.

        Raises:
            UnsupportedOperatorError: The model cannot be converted to torch.
        """

    @property
    def unconvertible(self) -> tuple[str, ...]:
        """Why there are no gradients, one reason a line; empty where there are."""
        return ()

    def move(self, device: torch.device) -> None:
        """Compute on this device from now on, activations, trunks and heads alike; arrays come and go as before."""
        if not self.unconvertible:
            _ = self.fixed, self.silent  # found by trying, which is done once, here
            self.network().module.to(device)
        if device.type == "cuda":  # the renderer alone computes in less than float32
            torch.backends.cudnn.allow_tf32 = False
        self.device = device

    @cached_property
    def fixed(self) -> frozenset[str]:
        """Layers that can be computed from inputs of the card's size alone.

        Raises:
            UnsupportedOperatorError: The model cannot be converted to torch.
        """
        return self.network().fixed(self.card.input)

    @cached_property
    def silent(self) -> frozenset[str]:
        """Layers that the logits do not depend on: all where there are none, a transformer's last block often.

        Raises:
            UnsupportedOperatorError: The model cannot be converted to torch.
        """
        card = self.card.input
        random = torch.Generator().manual_seed(0)
        pixels = torch.rand((1, card.channels, card.height, card.width), generator=random)
        return self.network().silent(Normalise(card)(pixels))

    def layer(self, name: str) -> LayerInfo:
        """The layer of this name.

        Raises:
            UnknownLayerError: There is none; names the nearest.
        """
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownLayerError(f"{self.card.name} has no layer {name!r}; {self._nearest(name)}") from None

    def described(self) -> tuple[LayerInfo, ...]:
        """The layers with all that is known of them; what needs gradients is left out where there are none."""
        if self.unconvertible:
            return self.layers
        return tuple(
            layer.model_copy(update={"fixed": layer.name in self.fixed, "silent": layer.name in self.silent})
            for layer in self.layers
        )

    def trunk(self, layer: str) -> nn.Module:
        """A torch module from pixels 0..1, shape (n, channels, h, w), to the layer's activations, shape (n, C, h', w').

        It normalises, takes any size up to the card's, ends at the layer, and needs no gradients of weights, which it
        shares with the model. Where the layer is fixed to the card's size, what is smaller is shown in the middle of
        an input of the mean colour.

        Raises:
            UnknownLayerError: The model has no such layer.
            UnsupportedOperatorError: The model cannot be converted to torch.
        """
        trunk: nn.Module = nn.Sequential(Normalise(self.card.input), self._placed(layer).trunk(layer))
        return (Framed(trunk, self.card.input) if layer in self.fixed else trunk).eval().to(self.device)

    def whole(self) -> nn.Module:
        """A torch module from pixels 0..1 of the card's size to the logits, shape (n, classes).

        Raises:
            UnsupportedOperatorError: The model cannot be converted to torch.
            ModelError: The model has no logits.
        """
        if self.classes is None:
            raise ModelError(f"{self.card.name} has no logits")
        return nn.Sequential(Normalise(self.card.input), self.network().whole()).eval().to(self.device)

    def head(self, layer: str) -> Head:
        """The network from a layer to the logits, skip connections around the layer kept.

        Raises:
            UnknownLayerError: The model has no such layer.
            UnsupportedOperatorError: The model cannot be converted to torch.
            ModelError: The model has no logits, or none that depend on this layer.
        """
        network = self._placed(layer)
        if layer in self.silent:
            raise ModelError(f"{self.card.name} has no logits that depend on the layer {layer!r}")
        prefix, tail = network.split(layer)
        return Head(nn.Sequential(Normalise(self.card.input), prefix), tail).eval().to(self.device)

    def linear_head(self, layer: str) -> LinearHead | None:
        """Weight (classes, C) and bias (classes,) where logits = weight · mean over positions + bias, else None.

        Raises:
            As `head`.
        """
        return linear_head(self.head(layer), self.layer(layer).shape, self.device)

    def muted(self, layer: str, mute: Mute) -> bytes:
        """The model with directions muted at a layer, as an ONNX file that takes what the model takes.

        Args:
            layer: Of the model; its logits depend on it.
            mute: Of as many channels as the layer has.

        Raises:
            UnknownLayerError: The model has no such layer.
            UnsupportedOperatorError: The model cannot be converted to torch.
            ModelError: It cannot be exported.
        """
        from atlas_core.models.muted import exported, muted_network

        self._placed(layer)
        return exported(muted_network(self.network(), layer, mute), self.card, self.device)

    def _placed(self, layer: str) -> Network:
        self.layer(layer)
        network = self.network()
        if layer not in network.places:
            raise ModelError(f"the layer {layer!r} of {self.card.name} can be read, but has no gradients in torch")
        return network

    def _nearest(self, name: str) -> str:
        names = list(self._by_name)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.4) or names[-3:]
        return "the nearest are " + ", ".join(near) if near else "it has no layers that can be read"


def load_model(
    card: ModelCard, read_blob: ReadBlob, *, threads: int = 1, device: torch.device | str = "cpu"
) -> LoadedModel:
    """Load a model from a resolved card.

    Args:
        card: Resolved: its weights or source are `sha256:HEX`.
        read_blob: Gives the bytes of a blob by its SHA-256 in hex, without the prefix.
        threads: Threads of onnxruntime. Those of torch belong to the process: `torch.set_num_threads`.
        device: Where to compute.

    Raises:
        ModelError: The bytes are no model that we take, or do not fit the card; says which and what to do.
    """
    model = _load(card, read_blob, threads)
    if torch.device(device).type != "cpu":
        model.move(torch.device(device))
    return model


def _load(card: ModelCard, read_blob: ReadBlob, threads: int) -> LoadedModel:
    if card.format == "torchvision":
        from atlas_core.models.torchvision import load_torchvision

        return load_torchvision(card, read_blob)
    if card.format == "python":
        from atlas_core.models.python import load_python

        return load_python(card, read_blob)
    from atlas_core.models.onnx import load_onnx

    return load_onnx(card, read_blob, threads=threads)


def blob_digest(reference: str | None) -> str:
    """The SHA-256 in hex of a resolved card's reference.

    Raises:
        ModelError: The reference is no `sha256:HEX`.
    """
    if reference is None or not reference.startswith("sha256:"):
        raise ModelError(f"the model's card is not resolved: {reference!r} is no sha256:HEX")
    return reference.removeprefix("sha256:")
