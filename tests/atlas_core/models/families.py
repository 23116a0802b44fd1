"""Families of networks that every format must take: tiny instances of torchvision's classes, and full-size ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
import torchvision
from torch import Tensor, nn
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from torchvision.models.mobilenetv3 import InvertedResidualConfig, MobileNetV3
from torchvision.models.resnet import BasicBlock, ResNet
from torchvision.models.swin_transformer import PatchMergingV2, SwinTransformer, SwinTransformerBlockV2
from torchvision.models.vision_transformer import VisionTransformer

from atlas_core.cards import InputCard, ModelCard

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSES = 5
STATISTICS = {"mean": [0.5, 0.4, 0.3], "std": [0.25, 0.5, 1.0]}


@dataclass(frozen=True)
class Family:
    """A network and what is known of it beforehand.

    Attributes:
        make: Builds it with seeded random weights, in evaluation.
        shape: Its input, (channels, height, width).
        blocks: Names of modules whose outputs are blocks of 3 × 3 positions or more, in order of execution.
        form: What these modules give: maps (n, C, H, W), channels-last maps (n, H, W, C), or tokens (n, T, C) of which
            the last H · W are the grid's.
        fixed: Whether it takes its own input size alone.
        silent: Those of the blocks that the logits do not depend on.
    """

    make: Callable[[], nn.Module]
    shape: tuple[int, int, int]
    blocks: tuple[str, ...]
    form: Literal["maps", "last", "tokens"] = "maps"
    fixed: bool = False
    silent: tuple[str, ...] = ()

    def card(self, **changes: Any) -> ModelCard:
        """A resolved card; by default that of weights in torch's hands."""
        given = {"name": "small", "format": "torchvision", "architecture": "tiny", "weights": "sha256:00"}
        channels, height, width = self.shape
        statistics = {name: (values * channels)[:channels] for name, values in STATISTICS.items()}
        card = InputCard(channels=channels, height=height, width=width, **statistics)
        return ModelCard(**{**given, **changes, "input": card})

    def pixels(self, count: int) -> NDArray[np.float32]:
        """Noise 0..1, shape (count, channels, height, width)."""
        return np.random.default_rng(1).random((count, *self.shape), np.float32)

    def expected(self, pixels: NDArray[np.float32]) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32]]:
        """What the module itself gives: its blocks' outputs as maps (n, C, H, W) by name, and its logits."""
        module, card = self.make(), self.card().input
        kept: dict[str, NDArray[np.float32]] = {}

        def keep(_: nn.Module, __: object, output: Tensor, *, name: str) -> None:
            kept[name] = as_maps(output, self.form, self.shape).numpy().copy()

        for name in self.blocks:
            module.get_submodule(name).register_forward_hook(partial(keep, name=name))
        mean, std = (np.array(values, np.float32).reshape(-1, 1, 1) for values in (card.mean, card.std))
        with torch.no_grad():
            logits: NDArray[np.float32] = module(torch.from_numpy((pixels - mean) / std)).numpy()
        return kept, logits


def as_maps(output: Tensor, form: str, shape: tuple[int, int, int]) -> Tensor:
    """A block's output as maps, shape (n, C, H, W)."""
    if form == "maps":
        return output
    if form == "last":
        return output.permute(0, 3, 1, 2)
    _, height, width = shape
    patch = next(side for side in range(1, height) if (height // side) * (width // side) <= output.shape[1])
    grid = (height // patch, width // patch)
    tokens = output[:, output.shape[1] - grid[0] * grid[1] :]
    return tokens.transpose(1, 2).reshape(len(tokens), -1, *grid)


def seeded(build: Callable[[], nn.Module], spread: float = 0.05) -> nn.Module:
    """Random weights everywhere: architectures start some at nought (heads, layer scale), which would hide faults."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = build()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=spread)
            for part in module.modules():
                if isinstance(part, nn.BatchNorm2d) and part.running_mean is not None and part.running_var is not None:
                    part.running_mean.normal_(0, 0.1)
                    part.running_var.uniform_(0.5, 1.5)
    return module.eval()


def _squeezenet() -> nn.Module:
    module: nn.Module = torchvision.models.SqueezeNet("1_1", num_classes=CLASSES)
    return module


def _resnet() -> nn.Module:
    module: nn.Module = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=CLASSES)
    return module


def _mobilenet() -> nn.Module:
    settings = [
        InvertedResidualConfig(16, 3, 16, 16, True, "RE", 1, 1, 1),
        InvertedResidualConfig(16, 3, 32, 16, False, "RE", 2, 1, 1),
        InvertedResidualConfig(16, 5, 32, 16, True, "HS", 1, 1, 1),
        InvertedResidualConfig(16, 5, 32, 24, True, "HS", 2, 1, 1),
    ]
    module: nn.Module = MobileNetV3(settings, last_channel=32, num_classes=CLASSES)
    return module


def _googlenet() -> nn.Module:
    module: nn.Module = torchvision.models.GoogLeNet(CLASSES, aux_logits=False, init_weights=False)
    return module


def _vit() -> nn.Module:
    module: nn.Module = VisionTransformer(
        32, 4, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32, num_classes=CLASSES
    )
    return module


def _swin(**options: Any) -> nn.Module:
    module: nn.Module = SwinTransformer([2, 2], 8, [2, 2], [1, 2], [4, 4], num_classes=CLASSES, **options)
    return module


def _swin_v2() -> nn.Module:
    return _swin(block=SwinTransformerBlockV2, downsample_layer=PatchMergingV2)


def _convnext() -> nn.Module:
    module: nn.Module = ConvNeXt([CNBlockConfig(8, 16, 2), CNBlockConfig(16, None, 2)], num_classes=CLASSES)
    return module


def _full(name: str, **options: Any) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        module: nn.Module = torchvision.models.get_model(name, weights=None, **options)
        return module

    return partial(seeded, build, spread=0.01)


def _named(pattern: str, *values: object) -> tuple[str, ...]:
    return tuple(pattern.format(value) for value in values)


_INCEPTIONS = _named("inception{}", "3a", "3b", "4a", "4b", "4c", "4d", "4e")
_SWIN_BLOCKS = ("features.1.0", "features.1.1", "features.3.0", "features.3.1")

TINY: Mapping[str, Family] = {
    "squeezenet": Family(partial(seeded, _squeezenet), (3, 64, 64), _named("features.{}", 3, 4, 6, 7, 9, 10, 11, 12)),
    "resnet": Family(partial(seeded, _resnet), (3, 64, 64), _named("layer{}.0", 1, 2, 3)),
    "mobilenet": Family(partial(seeded, _mobilenet), (3, 32, 32), _named("features.{}", 1, 2, 3, 4)),
    "googlenet": Family(partial(seeded, _googlenet), (3, 64, 64), _INCEPTIONS),
    "vit": Family(
        partial(seeded, _vit),
        (3, 32, 32),
        _named("encoder.layers.encoder_layer_{}", 0, 1),
        "tokens",
        fixed=True,
        silent=("encoder.layers.encoder_layer_1",),
    ),
    "swin": Family(partial(seeded, _swin), (3, 32, 32), _SWIN_BLOCKS, "last"),
    "swin_v2": Family(partial(seeded, _swin_v2), (3, 32, 32), _SWIN_BLOCKS, "last"),
    "convnext": Family(
        partial(seeded, _convnext), (3, 32, 32), ("features.1.0", "features.1.1", "features.3.0", "features.3.1")
    ),
}

FULL: Mapping[str, Family] = {
    "squeezenet1_1": Family(
        _full("squeezenet1_1"), (3, 224, 224), _named("features.{}", 3, 4, 6, 7, 9, 10, 11, 12)
    ),
    "resnet18": Family(_full("resnet18"), (3, 224, 224), ("layer1.0", "layer2.1", "layer3.1", "layer4.1")),
    "mobilenet_v3_large": Family(_full("mobilenet_v3_large"), (3, 224, 224), _named("features.{}", 2, 6, 10, 15)),
    "googlenet": Family(
        _full("googlenet", aux_logits=False, init_weights=False), (3, 224, 224), (*_INCEPTIONS, "inception5a")
    ),
    "vit_b_16": Family(
        _full("vit_b_16"), (3, 224, 224), _named("encoder.layers.encoder_layer_{}", 0, 5, 11), "tokens", fixed=True,
        silent=("encoder.layers.encoder_layer_11",),
    ),
    "swin_t": Family(_full("swin_t"), (3, 224, 224), ("features.1.1", "features.3.1", "features.5.5", "features.7.1"),
                     "last"),
    "swin_v2_t": Family(_full("swin_v2_t"), (3, 256, 256), ("features.1.1", "features.3.1", "features.5.5"), "last"),
    "convnext_tiny": Family(
        _full("convnext_tiny"), (3, 224, 224), ("features.1.2", "features.3.2", "features.5.8", "features.7.2")
    ),
}  # fmt: skip
