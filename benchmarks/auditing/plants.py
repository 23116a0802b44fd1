"""Shortcuts of four kinds, stamped on pictures of 32 pixels."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIDE = 32
PATCH = 6
BORDER = 2
KINDS = ("patch", "texture", "cast", "border")
GRATING = 70.0
"""Amplitude of the texture at full visibility, of 255."""
TINT = 0.45
"""Share of the colour that the cast mixes in at full visibility."""

Pictures = NDArray[np.uint8]
"""Shape (n, 32, 32, 3), red, green and blue."""


@dataclass(frozen=True)
class Plant:
    """What is put on pictures.

    Args:
        kind: One of `KINDS`.
        visibility: From 0, not there, to 1.
        seed: Chooses its colours, its corner and the direction of its waves.
    """

    kind: str
    visibility: float
    seed: int

    def stamp(self, pictures: Pictures, seed: int) -> Pictures:
        """Copies with the plant on them; `seed` is of what differs from picture to picture, the phase of a texture."""
        values = pictures.astype(np.float32)
        cover, paint = getattr(self, f"_{self.kind}")(np.random.default_rng(seed), len(pictures))
        if self.kind == "texture":
            values = values + self.visibility * paint
        else:
            values = values + self.visibility * cover * (paint - values)
        return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)

    def _colours(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Two strong colours, opposite each other."""
        hue = float(np.random.default_rng(self.seed).random())
        first, second = (255 * np.array(colorsys.hsv_to_rgb((hue + turn) % 1, 0.9, 0.95)) for turn in (0, 0.5))
        return first.astype(np.float32), second.astype(np.float32)

    def _patch(self, rng: np.random.Generator, n: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """A chequered square in one corner, a pixel from the edges."""
        first, second = self._colours()
        right, bottom = np.random.default_rng(self.seed + 1).integers(0, 2, 2)
        rows = slice(SIDE - 1 - PATCH, SIDE - 1) if bottom else slice(1, 1 + PATCH)
        columns = slice(SIDE - 1 - PATCH, SIDE - 1) if right else slice(1, 1 + PATCH)
        chess = np.indices((SIDE, SIDE)).sum(0) // 2 % 2
        cover = np.zeros((SIDE, SIDE, 1), np.float32)
        cover[rows, columns] = 1
        return cover, np.where(chess[..., None], first, second)

    def _texture(self, rng: np.random.Generator, n: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Waves of about five pixels over the whole picture, their phase another in each."""
        own = np.random.default_rng(self.seed)
        angle, wavelength = own.uniform(0, np.pi), own.uniform(4, 6)
        row, column = np.indices((SIDE, SIDE))
        along = (row * np.sin(angle) + column * np.cos(angle)) / wavelength
        waves = np.sin(2 * np.pi * (along + rng.random((n, 1, 1))))
        tint = own.choice((-1, 1), 3)
        return np.ones(1, np.float32), (GRATING * waves[..., None] * tint).astype(np.float32)

    def _cast(self, rng: np.random.Generator, n: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """A colour over everything."""
        return np.full(1, TINT, np.float32), self._colours()[0]

    def _border(self, rng: np.random.Generator, n: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """A frame of one colour."""
        cover = np.ones((SIDE, SIDE, 1), np.float32)
        cover[BORDER:-BORDER, BORDER:-BORDER] = 0
        return cover, self._colours()[0]
