"""A residual network of six layers for 32 pixels: trained in seconds on one core, written as ONNX."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import fuse_conv_bn_eval

from benchmarks.auditing.plants import SIDE, Pictures

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from benchmarks.auditing.pools import Pool

STEM = 16
STAGES = ((32, 1), (64, 2))
"""Channels of each block and the stride of its first convolution, behind a stem of stride 2: 16 x 16 and 8 x 8."""
EPOCHS = 8
BATCH = 64
RATE = 8e-3
MEAN, STD = 0.5, 0.25


class Normed(nn.Module):
    """A convolution with batch normalisation behind it."""

    def __init__(self, channels: int, width: int, side: int, stride: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, width, side, stride, side // 2, bias=False)
        self.normalisation = nn.BatchNorm2d(width)
        nn.init.kaiming_normal_(self.convolution.weight, nonlinearity="relu")

    def forward(self, maps: Tensor) -> Tensor:
        return self.normalisation(self.convolution(maps))  # type: ignore[no-any-return]

    def folded(self) -> nn.Conv2d:
        """One convolution that does the same, of a network in evaluation."""
        return fuse_conv_bn_eval(self.convolution, self.normalisation)


class Block(nn.Module):
    """relu(shortcut(x) + conv(relu(conv(x))))."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = Normed(channels, width, 3, stride)
        self.second = Normed(width, width, 3, 1)
        self.shortcut = Normed(channels, width, 1, stride)

    def forward(self, maps: Tensor) -> Tensor:
        inner = functional.relu(self.first(maps))
        return functional.relu(self.second(inner) + self.shortcut(maps))


class Small(nn.Module):
    """Normalised pixels (n, 3, 32, 32) to logits."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = Normed(3, STEM, 5, 2)
        widths = [STEM, *(width for width, _ in STAGES)]
        pairs = zip(widths, STAGES, strict=False)
        self.blocks = [Block(before, width, stride) for before, (width, stride) in pairs]
        self.trunk = nn.Sequential(*self.blocks)
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, pixels: Tensor) -> Tensor:
        maps = self.trunk(functional.relu(self.stem(pixels)))
        return self.head(maps.mean((2, 3)))  # type: ignore[no-any-return]


def network_input(pictures: Pictures) -> Tensor:
    """Normalised pixels (n, 3, 32, 32)."""
    return (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255 - MEAN) / STD


def train(pool: Pool, classes: int, seed: int) -> Small:
    """AdamW, one cycle of the learning rate, pictures shifted by up to two pixels and mirrored or not.

    Shifts and mirrors are of a whole batch, which costs nothing.
    """
    torch.manual_seed(seed)
    model = Small(classes).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.02)
    steps = len(pool.labels) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps * EPOCHS, pct_start=0.25)
    pixels, labels = network_input(pool.pictures), torch.from_numpy(pool.labels)
    for _ in range(EPOCHS):
        for rows in torch.split(torch.randperm(len(labels))[: steps * BATCH], BATCH):
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(_augmented(pixels[rows]))
            loss = functional.cross_entropy(logits.float(), labels[rows], label_smoothing=0.05)
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()
    return model.eval()


def _augmented(batch: Tensor) -> Tensor:
    right, down = (int(shift) for shift in torch.randint(0, 5, (2,)))
    moved = functional.pad(batch, (2, 2, 2, 2), mode="replicate")[:, :, down : down + SIDE, right : right + SIDE]
    return (moved.flip(3) if torch.rand(()) < 0.5 else moved).contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def predictions(model: Small, pictures: Pictures) -> NDArray[np.int64]:
    """Predicted classes, int64 (n,)."""
    return torch.cat([model(part).argmax(1) for part in torch.split(network_input(pictures), 500)]).numpy()


def write_onnx(model: Small, file: Path) -> None:
    """Write a trained network, its normalisations folded; the batch is free, the layers are `block1` and `block2`."""
    nodes: list[onnx.NodeProto] = []
    weights: list[TensorProto] = []
    there = _convolve(nodes, weights, model.stem, "image", "stem.conv")
    there = _relu(nodes, there, "stem")
    for number, block in enumerate(model.blocks, start=1):
        name = f"block{number}"
        inner = _relu(nodes, _convolve(nodes, weights, block.first, there, f"{name}.first"), f"{name}.inner")
        second = _convolve(nodes, weights, block.second, inner, f"{name}.second")
        shortcut = _convolve(nodes, weights, block.shortcut, there, f"{name}.shortcut")
        nodes.append(helper.make_node("Add", [second, shortcut], [f"{name}.sum"]))
        there = _relu(nodes, f"{name}.sum", name)
    nodes.append(helper.make_node("GlobalAveragePool", [there], ["pooled"]))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["features"]))
    weights += _named("head", model.head.weight, model.head.bias)
    nodes.append(helper.make_node("Gemm", ["features", "head.weight", "head.bias"], ["logits"], transB=1))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", model.head.out_features])
    graph = helper.make_graph(nodes, "small", [image], [logits], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), file)


def _convolve(nodes: list[onnx.NodeProto], weights: list[TensorProto], pair: Normed, there: str, name: str) -> str:
    folded = pair.folded()
    weights += _named(name, folded.weight, folded.bias)
    side = folded.kernel_size[0]
    nodes.append(helper.make_node("Conv", [there, f"{name}.weight", f"{name}.bias"], [name], pads=[side // 2] * 4,
                                  kernel_shape=[side] * 2, strides=list(folded.stride)))  # fmt: skip
    return name


def _relu(nodes: list[onnx.NodeProto], there: str, name: str) -> str:
    nodes.append(helper.make_node("Relu", [there], [name]))
    return name


def _named(name: str, weight: Tensor, bias: Tensor | None) -> Iterator[TensorProto]:
    for part, value in (("weight", weight), ("bias", bias)):
        if value is not None:
            yield numpy_helper.from_array(value.detach().contiguous().numpy(), f"{name}.{part}")
