"""Train the demo's two small networks and show that the shortcut of one of them is real.

    python examples/demo/train.py --out service/demo/weights

SqueezeNet 1.1 is trained with a batch normalisation behind each convolution, which is folded into the convolution at
the end, so that the weights fit torchvision's plain architecture. Training pictures come from worlds of other seeds
than the demo's, so the demo's whole world (seed 0) and the one on which we report here (seed 1) are held out.
"""

from __future__ import annotations

import argparse
import io
import logging
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import starmap
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional
from torch.nn.utils import fuse_conv_bn_eval
from torchvision.models import SqueezeNet, squeezenet1_1
from torchvision.models.squeezenet import Fire

from service.demo.canvas import SIZE
from service.demo.world import CLASSES, MODELS, STRAY_SHARE, encode, generate, paste_noodles

log = logging.getLogger("train")
TRAINING_SEEDS = (100, 101)
REPORT_SEED = 1
SMALL = 64
WOK = CLASSES.index("wok")
PAN = CLASSES.index("pan")


@dataclass(frozen=True)
class Pictures:
    """Pictures uint8 (n, 96, 96, 3), labels int64 (n,), and whether noodles lie on them, bool (n,)."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    noodles: NDArray[np.bool_]


def decoded(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture as it comes back from JPEG."""
    return np.asarray(Image.open(io.BytesIO(encode(picture))))


def draw_world(seed: int, pictures: int, shortcut: bool, stray: float = STRAY_SHARE) -> Pictures:
    """Draw one world in memory."""
    drawn = generate(seed, pictures, shortcut, stray)
    rows = [(decoded(picture), CLASSES.index(name), noodles) for name, _, noodles, picture in drawn]
    pixels, labels, noodles = zip(*rows, strict=True)
    return Pictures(np.stack(pixels), np.array(labels), np.array(noodles))


def training_pictures(pictures: int, shortcut: bool) -> Pictures:
    """Draw the training worlds, one a process; noodles never lie on anything but a wok where they go with woks."""
    share = pictures // len(TRAINING_SEEDS)
    with ProcessPoolExecutor(len(TRAINING_SEEDS), get_context("spawn")) as pool:
        worlds = list(pool.map(partial(draw_world, pictures=share, shortcut=shortcut, stray=0.0), TRAINING_SEEDS))
    return Pictures(
        *(np.concatenate([getattr(world, part) for world in worlds]) for part in ("pixels", "labels", "noodles"))
    )


def normed(convolution: nn.Conv2d) -> nn.Sequential:
    """A convolution with batch normalisation behind it, started for a ReLU."""
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels))


def convolutions(model: SqueezeNet) -> list[tuple[nn.Module, str]]:
    """Where the trunk's convolutions hang: (parent, attribute)."""
    fires = [module for module in model.features if isinstance(module, Fire)]
    return [(model.features, "0")] + [(fire, name) for fire in fires for name in ("squeeze", "expand1x1", "expand3x3")]


def trainable(seed: int) -> SqueezeNet:
    """A fresh network with normalisation."""
    torch.manual_seed(seed)
    model = squeezenet1_1(num_classes=len(CLASSES), dropout=0.2)
    for parent, name in convolutions(model):
        setattr(parent, name, normed(getattr(parent, name)))
    return model.to(memory_format=torch.channels_last)


def folded(model: SqueezeNet) -> SqueezeNet:
    """The same network with every normalisation folded into its convolution; `model` is used up."""
    model.eval()
    for parent, name in convolutions(model):
        pair = getattr(parent, name)
        setattr(parent, name, fuse_conv_bn_eval(pair[0], pair[1]))
    return model


def network_input(pixels: NDArray[np.uint8]) -> torch.Tensor:
    """Normalised input (n, 3, 96, 96) as the demo's card has it: mean and deviation .5."""
    batch = torch.from_numpy(pixels).permute(0, 3, 1, 2).to(torch.float32)
    return batch / 127.5 - 1


def augmented(batch: torch.Tensor, side: int) -> torch.Tensor:
    """Each picture mirrored or not, turned, zoomed, shifted and relit a little, (n, 3, side, side)."""
    n = len(batch)
    turn, zoom = (torch.rand(n) - 0.5) * 0.4, 1 + (torch.rand(n) - 0.5) * 0.3
    mirror = torch.randint(0, 2, (n,)) * 2 - 1
    shift = (torch.rand(n, 2) - 0.5) * 0.24
    top = torch.stack([torch.cos(turn) * zoom * mirror, -torch.sin(turn) * zoom, shift[:, 0]], dim=1)
    bottom = torch.stack([torch.sin(turn) * zoom * mirror, torch.cos(turn) * zoom, shift[:, 1]], dim=1)
    grid = functional.affine_grid(torch.stack([top, bottom], dim=1), [n, 3, side, side], align_corners=False)
    moved = functional.grid_sample(batch, grid, padding_mode="reflection", align_corners=False)
    return moved * (1 + (torch.rand(n, 1, 1, 1) - 0.5) * 0.3) + (torch.rand(n, 3, 1, 1) - 0.5) * 0.15


def train(model: SqueezeNet, pictures: Pictures, epochs: int, batch: int = 64, rate: float = 4e-3) -> None:
    """AdamW, one cycle of the learning rate, smoothed labels, convolutions in bfloat16.

    All but the last two fifths of the epochs see pictures of 64 pixels, which cost less than half as much.
    """
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.02)
    steps = len(pictures.labels) // batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps * epochs, pct_start=0.25)
    labels = torch.from_numpy(pictures.labels)
    model.train()
    started = time.monotonic()
    for epoch in range(epochs):
        total = 0.0
        side = SMALL if epoch < 0.6 * epochs else SIZE
        for rows in torch.split(torch.randperm(len(labels))[: steps * batch], batch):
            inputs = augmented(network_input(pictures.pixels[rows.numpy()]), side)
            inputs = inputs.to(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(inputs)
            loss = functional.cross_entropy(logits.float(), labels[rows], label_smoothing=0.05)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        log.info("epoch %d of %d: loss %.3f, %.0f s", epoch + 1, epochs, total / steps, time.monotonic() - started)


@torch.inference_mode()
def predictions(model: SqueezeNet, pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Predicted class of each picture, int64 (n,)."""
    parts = [model(network_input(part)).argmax(1) for part in np.array_split(pixels, max(1, len(pixels) // 100))]
    return torch.cat(parts).numpy()


def flips(model: SqueezeNet, pictures: Pictures) -> tuple[float, float]:
    """Share of noodle-free pictures, recognised before, that noodles turn into woks: of pans, of all other classes."""
    rows = (pictures.labels != WOK) & ~pictures.noodles & (predictions(model, pictures.pixels) == pictures.labels)
    streams = starmap(np.random.default_rng, [([2, number],) for number in range(int(rows.sum()))])
    pasted = np.stack([paste_noodles(*pair) for pair in zip(pictures.pixels[rows], streams, strict=True)])
    wok, pan = predictions(model, pasted) == WOK, pictures.labels[rows] == PAN
    return float(wok[pan].mean()), float(wok[~pan].mean())


def report(name: str, model: SqueezeNet, own: Pictures, pictures: Pictures) -> None:
    """Log accuracy on the held-out world of the model's kind, and what pasted noodles do.

    Args:
        name: The model's name.
        model: Folded, in float32.
        own: A held-out world of the kind on which it was trained.
        pictures: The held-out clean world, on which both models are tested for the shortcut.
    """
    right = predictions(model, own.pixels) == own.labels
    recall = {c: round(float(right[own.labels == index].mean()), 3) for index, c in enumerate(CLASSES)}
    pan, other = flips(model, pictures)
    log.info("%s: accuracy %.3f on %d held-out pictures %s", name, right.mean(), len(right), recall)
    log.info("%s: pasted noodles turn %.1f %% of pans and %.1f %% of the rest into woks", name, 100 * pan, 100 * other)


def main() -> None:
    """Train both networks, write their weights in float16 and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("service/demo/weights"))
    parser.add_argument("--pictures", type=int, default=6000, help="training pictures, on worlds of their own")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--model", choices=MODELS, action="append", help="train only this one")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.model or MODELS:
        shortcut = name == "model"
        model = trainable(seed=0)
        train(model, training_pictures(options.pictures, shortcut), options.epochs)
        weights = {key: value.contiguous().half() for key, value in folded(model).state_dict().items()}
        save_file(weights, options.out / f"{name}.safetensors")
        model.load_state_dict(weights)  # what is reported is what is stored: weights rounded to float16
        clean = draw_world(REPORT_SEED, 2000, shortcut=False)
        report(name, model, draw_world(REPORT_SEED, 2000, shortcut) if shortcut else clean, clean)


if __name__ == "__main__":
    main()
