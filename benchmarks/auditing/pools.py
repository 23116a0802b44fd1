"""Pictures of the demo world at 32 pixels, drawn once and shared by all networks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.auditing.plants import SIDE, Pictures
from service.demo.canvas import SIZE
from service.demo.world import CLASSES, generate

WORLDS = {"training": (200, 5000), "audit": (201, 3000)}
"""Seed and number of pictures of each pool; noodles lie on all classes alike and mean nothing."""


@dataclass(frozen=True)
class Pool:
    """Pictures uint8 (n, 32, 32, 3) and labels int64 (n,)."""

    pictures: Pictures
    labels: NDArray[np.int64]

    def chosen(self, rows: NDArray[np.integer]) -> Pool:
        """Some of them."""
        return Pool(self.pictures[rows], self.labels[rows])


def pool(name: str, folder: Path) -> Pool:
    """One of `WORLDS`, drawn where the folder does not have it yet."""
    file = folder / f"pool-{name}.npz"
    if not file.is_file():
        seed, count = WORLDS[name]
        drawn = [(_small(picture), CLASSES.index(label)) for label, _, _, picture in generate(seed, count, False)]
        pictures, labels = zip(*drawn, strict=True)
        folder.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".part.npz")
        np.savez(partial, pictures=np.stack(pictures), labels=np.array(labels))
        partial.replace(file)
    with np.load(file) as there:
        return Pool(there["pictures"], there["labels"])


def _small(picture: NDArray[np.uint8]) -> Pictures:
    """A picture of the demo, 96 pixels, at a third of its size."""
    block = SIZE // SIDE
    shaped = picture.reshape(SIDE, block, SIDE, block, 3).astype(np.float32)
    return np.asarray(np.rint(shaped.mean((1, 3))), np.uint8)
