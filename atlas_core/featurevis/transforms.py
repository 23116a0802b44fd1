"""Small random moves of an icon between steps, so that it does not hang on single pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name

from atlas_core.featurevis.deviates import uniform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atlas_core.featurevis.recipes import Recipe

TRANSFORM_STREAM = 2

MOVES = 4


def transform_table(keys: Sequence[int], recipe: Recipe, height: int, width: int, device: torch.device) -> torch.Tensor:
    """Moves of pictures, of each a function of its key and the recipe alone.

    Args:
        keys: One a picture.
        recipe: Its steps and how far its moves go.
        height: Of the pictures, in pixels.
        width: The same.
        device: Where the matrices are wanted.

    Returns:
        Affine matrices for `move`, shape (steps, m, 2, 3). Shifts are whole pixels where nothing is rotated or zoomed.
    """
    draws = 2 * uniform(keys, TRANSFORM_STREAM, recipe.steps * MOVES, device) - 1
    draws = draws.reshape(len(keys), recipe.steps, MOVES).transpose(0, 1)  # (steps, m, 4)
    shift = draws[..., :2] * recipe.shift
    if recipe.rotation == 0 and recipe.zoom == 0:
        shift = shift.round()
    return affine(shift, torch.deg2rad(draws[..., 2] * recipe.rotation), 1 + draws[..., 3] * recipe.zoom, height, width)


def affine(shift: torch.Tensor, angle: torch.Tensor, zoom: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Affine matrices that show a picture moved.

    Args:
        shift: Pixels (right, down), shape (..., 2).
        angle: Radians, shape (...,).
        zoom: Over 1 is larger, shape (...,).
        height: Of the picture, in pixels.
        width: The same.

    Returns:
        Matrices from places in the result to places in the picture, both in -1..1, shape (..., 2, 3).
    """
    cosine, sine = angle.cos() / zoom, angle.sin() / zoom
    rotation = torch.stack([torch.stack([cosine, -sine], -1), torch.stack([sine, cosine], -1)], -2)
    half = shift.new_tensor([width / 2, height / 2])
    offset = -(rotation * shift[..., None, :]).sum(-1) / half
    return torch.cat([rotation * half / half[:, None], offset[..., None]], dim=-1)


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
