"""Muting: what takes a direction out of a layer's activations where it stands out, and leaves all else as it is.

The direction is the way from the layer's mean to a concept's mean. How far along an activation lies is measured in
whitened space, where the layer's ordinary variation counts for nothing (Fisher's discriminant), and what exceeds the
ordinary is taken off along the way itself: x - max(0, normal · x - level) along. With normal · along = 1 this is a
projection; taken off several times over it goes on to the other side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.nearest import unit_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atlas_core.whitening import Whitening

ROUNDS = 10
MARGIN = 1 / 6
"""Of a patch's side: positions nearer to its edge look at what is around it too."""


@dataclass(frozen=True)
class Mute:
    """Directions that are muted one after the other.

    Attributes:
        normal: What activations are measured with, shape (k, channels) float32.
        along: What is taken off, shape (k, channels) float32; normal · along is the times of `muting`.
        level: Above it something is taken off, shape (k,) float32.
    """

    normal: NDArray[np.float32]
    along: NDArray[np.float32]
    level: NDArray[np.float32]

    def apply(self, activations: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Activations after muting, shape (n, channels) as before.

        Args:
            activations: Shape (n, channels).
        """
        found = activations.astype(np.float32)
        for normal, along, level in zip(self.normal, self.along, self.level, strict=True):
            found = found - np.maximum(found @ normal - level, 0)[:, None] * along
        return found


def muting(whitening: Whitening, means: Sequence[NDArray[np.floating[Any]]], ordinary: NDArray[np.floating[Any]],
           quantile: float, times: float = 1) -> Mute:  # fmt: skip
    """What mutes concepts down to what is ordinary.

    Args:
        whitening: Of the layer.
        means: Mean activation of each concept, shape (channels,), none of them the layer's own mean.
        ordinary: Activations that do not show the concepts, shape (n, channels), n at least 1.
        quantile: Share of these that stay as they are, in 0 to 1.
        times: How often what exceeds them is taken off.
    """
    normals, alongs, levels = [], [], []
    for mean in means:
        way = mean.astype(np.float64) - whitening.mean
        white = way @ whitening.matrix
        length = float(np.linalg.norm(white))
        normal = whitening.matrix @ (white / length)
        normals.append(normal)
        alongs.append(times * way / length)
        levels.append(np.quantile(ordinary.astype(np.float64) @ normal, quantile))
    return Mute(*(np.asarray(one, np.float32) for one in (normals, alongs, levels)))


def groups(unit: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Sort directions into groups of like ones: k-means by cosine, started from directions far from each other.

    Args:
        unit: Of length 1, shape (n, channels), n at least 1.
        count: Groups at most.

    Returns:
        Group of each, counted from 0 without gaps, shape (n,).
    """
    mean = unit.mean(axis=0)
    starts = [int((unit @ mean).argmax())]
    while len(starts) < min(count, len(unit)):
        nearest = (unit @ unit[starts].T).max(axis=1)
        starts.append(int(nearest.argmin()))
    centres = unit[starts]
    for _ in range(ROUNDS):
        group = (unit @ centres.T).argmax(axis=1)
        kept, group = np.unique(group, return_inverse=True)
        centres = unit_rows(np.stack([unit[group == one].mean(axis=0) for one in range(len(kept))]))
    return np.asarray(group, np.int64)


def under(middles: NDArray[np.float64], sides: NDArray[np.int64], where: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which positions look at a pasted patch: those well inside of it, and the nearest to its middle.

    Args:
        middles: Of the patches, vertical and horizontal, in pixels, shape (n, 2).
        sides: Of the patches, shape (n,).
        where: Centres of the positions' receptive fields, as the middles, shape (positions, 2).

    Returns:
        Shape (n, positions).
    """
    away = np.abs(middles[:, None] - where[None]).max(axis=2)
    inside = away <= (0.5 - MARGIN) * sides[:, None]
    return np.asarray(inside | (away == away.min(axis=1, keepdims=True)))
