"""Small random moves of an icon between steps, so that it does not hang on single pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.featurevis.recipes import Recipe


def transform_table(key: int, recipe: Recipe, canvas: int) -> NDArray[np.float32]:
    """One icon's moves, a function of its key and the recipe alone.

    Args:
        key: The icon's key.
        recipe: Its steps and how far its moves go.
        canvas: Side of the canvas in pixels.

    Returns:
        Affine matrices for `move`, shape (steps, 2, 3). Shifts are whole pixels where nothing is rotated or zoomed.
    """
    generator = np.random.Generator(np.random.Philox(key=[key % 2**64, 2]))
    draws = generator.uniform(-1, 1, (recipe.steps, 4))
    shift = draws[:, :2] * recipe.shift
    if recipe.rotation == 0 and recipe.zoom == 0:
        shift = np.rint(shift)
    return affine(shift, np.radians(draws[:, 2] * recipe.rotation), 1 + draws[:, 3] * recipe.zoom, canvas)


def affine(
    shift: NDArray[np.float64], angle: NDArray[np.float64], zoom: NDArray[np.float64], canvas: int
) -> NDArray[np.float32]:
    """Affine matrices that show a picture moved.

    Args:
        shift: Pixels (right, down), shape (n, 2).
        angle: Radians, shape (n,).
        zoom: Over 1 is larger, shape (n,).
        canvas: Side of the picture in pixels.

    Returns:
        Matrices from places in the result to places in the picture, both in -1..1, shape (n, 2, 3).
    """
    cosine, sine = np.cos(angle) / zoom, np.sin(angle) / zoom
    rotation = np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)
    offset = -np.einsum("nij,nj->ni", rotation, shift * (2 / canvas))
    return np.asarray(np.concatenate([rotation, offset[:, :, None]], axis=2), dtype=np.float32)


def move(pixels: torch.Tensor, matrices: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
    """Move pictures; what comes in from outside has the network's mean colour, zero after normalisation.

    Args:
        pixels: Pictures in 0..1, shape (m, channels, size, size).
        matrices: From `affine`, shape (m, 2, 3).
        mean: The model card's mean, shape (channels,).
    """
    middle = mean[None, :, None, None]
    grid = F.affine_grid(matrices, list(pixels.shape), align_corners=False)
    moved: torch.Tensor = F.grid_sample(pixels - middle, grid, padding_mode="zeros", align_corners=False)
    return moved + middle
