"""Compositions: cells placed on a canvas and rendered as one picture, the article's palette.

Every position of the layer pulls towards the cells placed near it. Because all of them share one picture there is
nothing to be sewn together. Unlike an icon's, the objective is the cosine alone: over a whole canvas the few places
where a direction is easily strong would outshine all others.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name

from atlas_core.featurevis.ascent import Ascent
from atlas_core.featurevis.deviates import uniform
from atlas_core.featurevis.objectives import TINY, Whitener, around
from atlas_core.featurevis.parameterization import Spectrum, as_levels, start_picture
from atlas_core.featurevis.recipes import Recipe, centre_positions, shown_side
from atlas_core.featurevis.transforms import transform_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import nn

    from atlas_core.cards import InputCard, LayerInfo
    from atlas_core.whitening import Whitening

SHARPNESS = 2.0
"""How fast a cell's share falls off: its weight is exp(-2 (distance / radius)^2)."""
GROUND_WEIGHT = 0.05
TURN_STREAM = 3


@dataclass(frozen=True)
class Placed:
    """Cells on a canvas, all arrays with a row for each.

    Args:
        targets: Mean activations, shape (k, layer's channels).
        places: Middles, from the left and from the top, in sides of the canvas, shape (k, 2).
        radii: How far each reaches, in sides of the canvas, shape (k,); infinite for the ground.
        seeds: Mean thumbnails, shape (k, 20, 20, channels of the input); None for a recipe without.
    """

    targets: NDArray[np.float32]
    places: NDArray[np.float64]
    radii: NDArray[np.float64]
    seeds: NDArray[np.float32] | None


def shares_at(points: NDArray[np.float64], placed: Placed) -> NDArray[np.float32]:
    """Which cells a point belongs to, and how much: shares that sum to 1.

    Args:
        points: From the left and from the top, in sides of the canvas, shape (n, 2).
        placed: The cells.

    Returns:
        Shape (n, k). A point beyond all radii belongs to the ground, or without one to the cell nearest by radii.
    """
    squares = ((points[:, None] - placed.places) ** 2).sum(axis=2)
    exponent = np.where(np.isfinite(placed.radii), -SHARPNESS * squares / placed.radii**2, np.log(GROUND_WEIGHT))
    weights = np.exp(exponent - exponent.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


def own_means(shares: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Mean of values over the points by how much they are each cell's own.

    Args:
        shares: Shape (n, k).
        values: Shape (n, k).

    Returns:
        Shape (k,); 0 for a cell so small that no point is its own.
    """
    return (shares * values).sum(dim=0) / shares.sum(dim=0).clamp(min=torch.finfo(shares.dtype).tiny)


def centres(layer: LayerInfo, grid: tuple[int, int], size: int, input: InputCard) -> NDArray[np.float64]:
    """Where a layer's positions look on a square canvas.

    Args:
        layer: The layer; one that is fixed to the input's size sees the canvas in the middle of a whole input.
        grid: Height and width of the layer on it.
        size: Side of the canvas in pixels.
        input: The model's input.

    Returns:
        From the left and from the top, in sides of the canvas, shape (height * width, 2).
    """
    field, axes = layer.receptive_field, []
    for axis, count in enumerate(grid):
        index, seen = np.arange(count), (input.height, input.width)[axis] if layer.fixed else size
        pixel = (index + 0.5) / count * seen if field is None else field.start[axis] + index * field.jump[axis]
        axes.append((pixel - (seen - size) / 2) / size)
    rows, columns = np.meshgrid(*axes, indexing="ij")
    return np.stack([columns.ravel(), rows.ravel()], axis=1)


def start_of(placed: Placed, recipe: Recipe, canvas: int, seed_side: int, size: int, key: int) -> torch.Tensor:
    """A start for the whole canvas: the cells' own starts, laid like scales that fade into each other.

    Args:
        placed: With seeds.
        recipe: Of the starts.
        canvas: Side of an icon by this recipe, in pixels.
        seed_side: How much of a thumbnail it shows.
        size: Side of the whole canvas.
        key: From which it comes where each lies and how it is turned, so that no pattern shows.

    Returns:
        In decorrelated-logit space, shape (1, channels, size, size).
    """
    thumbnails = torch.as_tensor(placed.seeds, dtype=torch.float32).permute(0, 3, 1, 2)
    patches = start_picture(thumbnails, seed_side, recipe.start_size, recipe.start_deviation, canvas)
    hann = torch.hann_window(canvas + 2, periodic=False)[1:-1]
    window = hann[:, None] * hann[None]
    colours = patches.mean(dim=(2, 3), keepdim=True)
    sides = size + 2 * canvas, size + 2 * canvas
    colour, pattern = torch.zeros(2, patches.shape[1], *sides)
    weight, power = torch.zeros(2, *sides)
    step = max(1, canvas // 3)
    corners = list(itertools.product(range(canvas // 2, size + canvas - step, step), repeat=2))
    chance = uniform([key], TURN_STREAM, 3 * len(corners), torch.device("cpu")).reshape(-1, 3).tolist()
    for corner, (down, across, turn) in zip(corners, chance, strict=True):
        top, left = corner[0] + int(down * step), corner[1] + int(across * step)
        middle = np.array([[left - canvas / 2, top - canvas / 2]]) / size
        shares = torch.from_numpy(shares_at(middle, placed)[0])
        area = slice(top, top + canvas), slice(left, left + canvas)
        patch = torch.rot90(torch.einsum("k,kchw->chw", shares, patches - colours), int(4 * turn), (1, 2))
        colour[:, *area] += torch.einsum("k,kchw->chw", shares, colours) * window
        pattern[:, *area] += patch * window
        weight[area] += window
        power[area] += window**2
    # A mean of patterns would be flatter than each of them; what keeps their deviation is the root of the power.
    found: torch.Tensor = colour / weight.clamp(min=TINY) + pattern / power.clamp(min=TINY).sqrt()
    return found[None, :, canvas : canvas + size, canvas : canvas + size]


def render_composition(
    trunk: nn.Module,
    recipe: Recipe,
    placed: Placed,
    whitening: Whitening,
    size: int,
    canvas: int,
    *,
    input: InputCard,
    layer: LayerInfo,
    colours: NDArray[np.float32],
    key: int,
    device: torch.device,
    on_step: Callable[[int], None] = lambda step: None,
) -> NDArray[np.uint8]:
    """Render a composition.

    Args:
        trunk: From pixels in 0..1 to the layer's activations; takes the canvas's size.
        recipe: How.
        placed: The cells.
        whitening: The layer's.
        size: Side of the canvas in pixels.
        canvas: Side of an icon by this recipe.
        input: The model's input.
        layer: The layer that the trunk ends with.
        colours: Of the data, shape (channels, channels).
        key: From which all randomness comes.
        device: Where the trunk is.
        on_step: Called with the steps done; cancels by raising.

    Returns:
        Shape (size, size, channels).
    """
    positions = centre_positions(layer, canvas)
    whiten = Whitener(whitening, device)
    with torch.no_grad():
        height, width = trunk(torch.full((1, input.channels, size, size), 0.5, device=device)).shape[2:]
    shares = torch.from_numpy(shares_at(centres(layer, (height, width), size, input), placed)).to(
        device
    )  # (positions, k)
    goals = F.normalize(whiten(torch.from_numpy(placed.targets).to(device)), dim=1, eps=TINY)[None]  # (1, k, channels)

    def gain(activations: torch.Tensor, goals: torch.Tensor) -> torch.Tensor:
        seen = whiten(around(activations, positions)[0].flatten(1).T)  # (positions, channels)
        cosine = F.normalize(seen, dim=1, eps=TINY) @ goals[0].T  # (positions, k)
        return own_means(shares, cosine).sum()

    picture = Spectrum(colours, size, size, device, recipe.colour_gain)
    start = _start(picture, placed, recipe, canvas, shown_side(canvas, layer, input), key)
    matrices = transform_table([key], recipe, size, size, device)
    mean = torch.tensor(input.mean, dtype=torch.float32, device=device)
    ascent = Ascent(
        picture.pixels, trunk, gain, mean, recipe.steps, recipe.learning_rate,
        focus=lambda share: picture.focus(recipe.opened(share)),
    )  # fmt: skip
    reached = ascent(start, goals, matrices, on_step)
    with torch.no_grad():
        return np.asarray(as_levels(picture.pixels(reached))[0])


def _start(picture: Spectrum, placed: Placed, recipe: Recipe, canvas: int, seed_side: int, key: int) -> torch.Tensor:
    noise = picture.noise([key])
    if placed.seeds is None:
        return picture.drawn(noise, recipe.start_deviation)
    start = start_of(placed, recipe, canvas, seed_side, picture.size[0], key)
    return picture.start(start.to(noise.device), noise)
