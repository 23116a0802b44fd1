"""The article's recipe, written from the description of its notebooks.

A Fourier spectrum started from noise of deviation .01, the article's colour decorrelation, sigmoid; Adam at .05, 512
steps, no schedule; the objective of `direction_neuron_cossim_S` at the middle position for the direction v S, S being
the inverse second moment; all icons of a batch moved alike at each step; of several tries the one with the greatest
last objective.

Two objectives. `code` is that function to the letter: its dot product is a mean over channels and its cosine lacks
|v S|, so that on real layers it stays under its floor of .1 and the objective is a plain dot product. `formula` is what
the article's text says, dot · max(.1, cosine)^4 with a true cosine.

Two canvases. `affine` moves the whole canvas, which the network sees at full size: 80 pixels, or 1.15 receptive fields
where that is less. `crops` is the notebook's list of transforms to the letter: it pads, crops and shrinks 80 pixels
until the network sees 32 to 51, which costs less.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

Moves = Literal["affine", "crops"]
Gain = Literal["code", "formula"]
STEPS = 512
LEARNING_RATES = (0.05, 0.025, 0.1)
"""The notebook's own, and half and twice it."""
TRIES = 3
LARGEST_CANVAS, FIELD_SHARE = 80, 1.15
START_DEVIATION = 0.01
COSINE_FLOOR, COSINE_POWER, TINY = 0.1, 4, 1e-4
# lucid's colour correlation, divided by the greatest length of its columns
_COLOURS = np.array([[0.26, 0.09, 0.02], [0.27, 0.0, -0.05], [0.27, -0.09, 0.03]])
COLOURS = _COLOURS / np.linalg.norm(_COLOURS, axis=0).max()
SHIFT_SHARE, ZOOM = 16 / 80, 0.17
ANGLES = (*range(-20, 20), *range(-10, 10), *range(-5, 5), *(0,) * 5)
SCALES = (*(0.995**n for n in range(-5, 80)), *(0.998**n for n in range(20, 40)), *(0.998**n for n in range(20, 40)))
PADDING = 2
CROPS = (4, 4, 8, 8, 8)
LAST_CROP = 2


def own_canvas(receptive_field: float | None) -> int:
    """Side of the canvas of `affine`, in input pixels."""
    return LARGEST_CANVAS if receptive_field is None else min(LARGEST_CANVAS, round(FIELD_SHARE * receptive_field))


class Picture:
    """Icons as lucid parameterises them.

    Args:
        count: Icons.
        size: Side of the canvas.
        generator: Gives the start; on the CPU, so that it is the same on every device.
        device: Where to compute.
    """

    def __init__(self, count: int, size: int, generator: torch.Generator, device: torch.device) -> None:
        start = START_DEVIATION * torch.randn((count, 3, size, size // 2 + 1, 2), generator=generator)
        self.parameter = start.to(device).requires_grad_()
        frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
        # orthonormal, which is lucid's factor of the side times its unscaled transform
        scale = (size / np.sqrt(size * size)) / np.maximum(frequency, 1 / size)
        self.scale = torch.from_numpy(scale.astype(np.float32)).to(device)
        self.colours = torch.from_numpy(COLOURS.astype(np.float32)).to(device)
        self.size = size

    def pixels(self) -> torch.Tensor:
        """Shape (count, 3, size, size), in 0..1."""
        spectrum = torch.view_as_complex(self.parameter) * self.scale
        picture = torch.fft.irfft2(spectrum, s=(self.size, self.size), norm="ortho") / 4
        return torch.sigmoid(torch.einsum("dc,mchw->mdhw", self.colours, picture))


def objective(activations: torch.Tensor, directions: torch.Tensor, gain: Gain = "code") -> torch.Tensor:
    """dot · max(.1, cosine)^4 at the middle position.

    Args:
        activations: Shape (m, channels, height, width).
        directions: v S, shape (m, channels).
        gain: `code`: dot is a mean over channels and the cosine dot / (|h| + 1e-4); `formula`: both are what they are
            called.

    Returns:
        One value an icon, shape (m,).
    """
    height, width = activations.shape[2:]
    middle = activations[:, :, height // 2, width // 2]
    products = middle * directions
    dot = products.mean(dim=1) if gain == "code" else products.sum(dim=1)
    length = middle.norm(dim=1) + TINY
    if gain == "formula":
        length = length * directions.norm(dim=1)
    gained: torch.Tensor = dot * (dot / length).clamp(min=COSINE_FLOOR) ** COSINE_POWER
    return gained


def moved(pixels: torch.Tensor, generator: np.random.Generator, mean: torch.Tensor) -> torch.Tensor:
    """`affine`: one shift, rotation and zoom for all icons; what comes in has the network's mean colour.

    Args:
        pixels: Shape (m, 3, size, size).
        generator: Draws the move.
        mean: Shape (3,).
    """
    size = pixels.shape[-1]
    reach = [part * SHIFT_SHARE / (sum(CROPS) / 2) for part in CROPS]
    shift = np.sum([generator.uniform(-part / 2, part / 2, 2) for part in reach], axis=0)
    angle, zoom = math.radians(generator.choice(ANGLES)), 1 + generator.uniform(-ZOOM, ZOOM)
    cosine, sine = math.cos(angle) / zoom, math.sin(angle) / zoom
    matrix = [[cosine, -sine, 2 * shift[0]], [sine, cosine, 2 * shift[1]]]
    return _sampled(pixels, matrix, mean, (size, size))


def cropped(pixels: torch.Tensor, generator: np.random.Generator) -> torch.Tensor:
    """`crops`: white padding of 2, crops of 4, 4, 8, 8, 8, a scale, a rotation filled with black, a crop of 2."""
    pixels = F.pad(pixels, (PADDING,) * 4, value=1.0)
    for crop in CROPS:
        pixels = _crop(pixels, crop, generator)
    side = max(1, int(pixels.shape[-1] * float(generator.choice(SCALES))))
    pixels = F.interpolate(pixels, size=(side, side), mode="bilinear", align_corners=False)
    angle = math.radians(generator.choice(ANGLES))
    matrix = [[math.cos(angle), -math.sin(angle), 0.0], [math.sin(angle), math.cos(angle), 0.0]]
    pixels = _sampled(pixels, matrix, torch.zeros(3, device=pixels.device), (side, side))
    return _crop(pixels, LAST_CROP, generator)


def _crop(pixels: torch.Tensor, by: int, generator: np.random.Generator) -> torch.Tensor:
    top, left = generator.integers(0, by + 1, 2)
    side = pixels.shape[-1] - by
    return pixels[:, :, top : top + side, left : left + side]


def _sampled(
    pixels: torch.Tensor, matrix: list[list[float]], fill: torch.Tensor, size: tuple[int, int]
) -> torch.Tensor:
    theta = torch.tensor([matrix], dtype=pixels.dtype, device=pixels.device).expand(len(pixels), 2, 3)
    grid = F.affine_grid(theta, [*pixels.shape[:2], *size], align_corners=False)
    middle = fill[None, :, None, None]
    sampled: torch.Tensor = F.grid_sample(pixels - middle, grid, padding_mode="zeros", align_corners=False)
    return sampled + middle


def render_notebook(
    trunk: nn.Module,
    directions: NDArray[np.float32],
    canvas: int,
    mean: tuple[float, ...],
    *,
    moves: Moves,
    gain: Gain = "code",
    seed: int,
    learning_rate: float = LEARNING_RATES[0],
    steps: int = STEPS,
    batch: int,
    device: torch.device | str = "cpu",
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """One try.

    Args:
        trunk: From pixels in 0..1 to the layer's activations.
        directions: v S of each cell, shape (m, channels).
        canvas: Side of the icons.
        mean: The network's mean colour.
        moves: What is done to the icons between steps.
        gain: The objective.
        seed: Of start and moves.
        learning_rate: Adam's.
        steps: How many.
        batch: Icons at once.
        device: Where to compute.

    Returns:
        Icons, shape (m, canvas, canvas, 3), and the objective of each at its last step, shape (m,).
    """
    place = torch.device(device)
    icons, last = [], []
    for first in range(0, len(directions), batch):
        goal = torch.as_tensor(directions[first : first + batch], dtype=torch.float32, device=place)
        draws = np.random.default_rng([seed, first])
        picture = Picture(len(goal), canvas, torch.Generator().manual_seed(seed * 100_003 + first), place)
        optimiser = torch.optim.Adam([picture.parameter], lr=learning_rate)
        fill = torch.tensor(mean, device=place)
        gains = torch.zeros(len(goal), device=place)
        for _ in range(steps):
            pixels = picture.pixels()
            seen = moved(pixels, draws, fill) if moves == "affine" else cropped(pixels, draws)
            gains = objective(trunk(seen.contiguous(memory_format=torch.channels_last)), goal, gain)
            optimiser.zero_grad()
            torch.autograd.backward(-gains.sum())
            optimiser.step()
        with torch.no_grad():
            levels = (picture.pixels() * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
        icons.append(levels.cpu().numpy())
        last.append(gains.detach().cpu().numpy())
    return np.concatenate(icons), np.concatenate(last)


def best_tries(gains: NDArray[np.float32]) -> NDArray[np.int64]:
    """Which try of each icon ended highest; gains have the shape (tries, m)."""
    return np.asarray(gains.argmax(axis=0), dtype=np.int64)
