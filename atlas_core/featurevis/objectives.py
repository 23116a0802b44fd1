"""What an icon is good for: to excite its layer in the direction of a cell's mean activation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name

if TYPE_CHECKING:
    from atlas_core.whitening import Whitening

COSINE_FLOOR = 0.1
COSINE_POWER = 2
TINY = 1e-8


class Whitener:
    """The product's whitening on tensors: (a - mean) . matrix, the matrix being symmetric.

    Args:
        whitening: The layer's whitening.
        device: Where the activations are.
    """

    def __init__(self, whitening: Whitening, device: torch.device) -> None:
        self.mean = torch.as_tensor(whitening.mean, dtype=torch.float32, device=device)
        self.matrix = torch.as_tensor(whitening.matrix, dtype=torch.float32, device=device)

    def __call__(self, activations: torch.Tensor) -> torch.Tensor:
        """Whiten activations, shape (..., channels)."""
        return (activations - self.mean) @ self.matrix


def centre(activations: torch.Tensor, positions: int) -> torch.Tensor:
    """Mean over the middle positions.

    Args:
        activations: Shape (m, channels, height, width).
        positions: Positions a side; 1 is the centre alone. A smaller map is averaged whole.

    Returns:
        Shape (m, channels).
    """
    height, width = activations.shape[2:]
    top, left = max(0, height // 2 - positions // 2), max(0, width // 2 - positions // 2)
    return activations[:, :, top : top + positions, left : left + positions].mean(dim=(2, 3))


def around(activations: torch.Tensor, positions: int) -> torch.Tensor:
    """Mean over so many positions a side about each, as `centre` takes it at the middle; at the border over fewer.

    Args:
        activations: Shape (m, channels, height, width).
        positions: An odd number a side.

    Returns:
        The same shape.
    """
    return F.avg_pool2d(activations, positions, stride=1, padding=positions // 2, count_include_pad=False)


def whitened_cosine(activations: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cosine of whitened activations and whitened targets, shape (m,)."""
    return F.cosine_similarity(activations, targets, dim=1, eps=TINY)


def direction_objective(activations: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """(a . t / |t|) . max(.1, cos(a, t))^2 of whitened activations, to be raised.

    Summed over icons, never averaged: Adam's epsilon would tie an icon to the size of its batch. Deviation from the
    article's code: its cosine lacks |t|, so that its floor depends on the scale of the target.

    Args:
        activations: a, shape (m, channels).
        targets: t, shape (m, channels).

    Returns:
        The sum, a scalar.
    """
    along = (activations * F.normalize(targets, dim=1, eps=TINY)).sum(dim=1)
    cosine = whitened_cosine(activations, targets).clamp(min=COSINE_FLOOR)
    return (along * cosine**COSINE_POWER).sum()
