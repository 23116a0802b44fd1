"""Giving pictures what a class's pictures have: a place's content, colours, sharpness, texture. method.md, 9, point 8.

A crop pasted at random cannot carry a frame or a colour cast. So what a class's pictures have at a fixed place goes
back to its own place on others; and what they have all over, which their statistics tell beside those of all other
classes', is given by the map that makes the one of the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CORNER, BAND, FRAMES = 0.25, 0.125, MappingProxyType({"frame": 0.0625, "wide frame": 0.125})
"""Sides of places, in sides of the picture."""
FINE = 4.0
"""Waves across a picture from which on they are what is fine in it: at 32 pixels those of 8 pixels and less."""
RIDGE = 4.0
"""Variance of grey levels that is added to colours before they are divided by."""
SAME = 0.35
"""Of the usual deviation from picture to picture, under which donors are the same somewhere."""
LEAST_SAME = 0.05
COLOUR, SHARPNESS, TEXTURE = "colour", "sharpness", "texture"
EVERYWHERE = (COLOUR, SHARPNESS, TEXTURE)
AROUND = "wide frame"
"""What lies around most things."""
PLACES = (*(f"{one} {other} corner" for one in ("top", "bottom") for other in ("left", "right")),
          *(f"{edge} band" for edge in ("top", "bottom", "left", "right")), *FRAMES)  # fmt: skip
TRAITS = (*PLACES, *EVERYWHERE)
"""All that can be given, in one order."""


def places(height: int, width: int) -> Mapping[str, NDArray[np.bool_]]:
    """Places at the edges of a picture by name: corners, bands, frames; masks of shape (height, width)."""
    row, column = ((np.arange(side) + 0.5) / side for side in (height, width))
    down, across = np.meshgrid(row, column, indexing="ij")
    edges = {"top": down, "bottom": 1 - down, "left": across, "right": 1 - across}  # distance from each, in sides
    found = {f"{one} {other} corner": (edges[one] < CORNER) & (edges[other] < CORNER)
             for one in ("top", "bottom") for other in ("left", "right")}  # fmt: skip
    found |= {f"{name} band": distance < BAND for name, distance in edges.items()}
    nearest = np.minimum.reduce(list(edges.values()))
    return found | {name: nearest < share for name, share in FRAMES.items()}


@dataclass(frozen=True)
class Statistics:
    """What pictures are like all over, as sums over pictures, so that sets can be joined and taken apart.

    Args:
        pictures: How many.
        pixels: Pixels in all.
        colour: Sum of their colours, shape (channels,).
        second: Sum of their colours' outer products, shape (channels, channels).
        spectrum: Sum over pictures of the cross-spectrum of what is fine, shape (height, width, channels, channels),
            complex.
    """

    pictures: int
    pixels: int
    colour: NDArray[np.float64]
    second: NDArray[np.float64]
    spectrum: NDArray[np.complex128]

    @classmethod
    def of(cls, pictures: NDArray[np.uint8], part: NDArray[np.bool_] | None = None) -> Statistics:
        """Of some pictures.

        Args:
            pictures: Shape (n, height, width, channels), at least one.
            part: Of each picture that counts, shape (height, width); all of it by default.
        """
        n, height, width, channels = pictures.shape
        waves = _fine_waves(pictures)
        values = pictures.reshape(-1, channels).astype(np.float64)
        if part is not None:
            # So a wave that goes on over the whole picture has its whole strength, of which a part would show a share.
            fine = np.fft.ifft2(waves, axes=(1, 2)).real * part[..., None] / part.mean()
            waves, values = np.fft.fft2(fine, axes=(1, 2)), pictures[:, part].reshape(-1, channels).astype(np.float64)
        waves /= np.sqrt(height * width)
        spectrum = np.einsum("nhwc,nhwd->hwcd", waves, waves.conj())
        return cls(n, len(values), values.sum(axis=0), values.T @ values, spectrum)

    def __add__(self, other: Statistics) -> Statistics:
        """Of both sets together."""
        return self._joined(other, 1)

    def __sub__(self, other: Statistics) -> Statistics:
        """Of those pictures that are not in the other set, which is part of this one."""
        return self._joined(other, -1)

    def _joined(self, other: Statistics, sign: int) -> Statistics:
        return Statistics(
            self.pictures + sign * other.pictures, self.pixels + sign * other.pixels, self.colour + sign * other.colour,
            self.second + sign * other.second, self.spectrum + sign * other.spectrum,
        )  # fmt: skip

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean colour, shape (channels,)."""
        return self.colour / self.pixels

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Of the colours, shape (channels, channels)."""
        return self.second / self.pixels - np.outer(self.mean, self.mean)

    @property
    def strength(self) -> float:
        """Of what is fine, its root mean square in levels of grey."""
        return float(np.sqrt(np.einsum("hwcc->", self.spectrum).real / self.pictures / self.spectrum[..., 0].size))


def fine_of(pictures: NDArray[np.number[Any]]) -> NDArray[np.float64]:
    """What is fine in pictures, shape (n, height, width, channels); its mean is 0."""
    return np.fft.ifft2(_fine_waves(pictures), axes=(1, 2)).real


def _fine_waves(pictures: NDArray[np.number[Any]]) -> NDArray[np.complex128]:
    """Their Fourier transform without the coarse waves."""
    down, across = (np.fft.fftfreq(side) * side for side in pictures.shape[1:3])
    fine = np.hypot(down[:, None], across) >= FINE
    return np.asarray(np.fft.fft2(pictures, axes=(1, 2)) * fine[..., None])


def shared(donors: NDArray[np.uint8], usual: NDArray[np.floating[Any]], place: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The part of a place that looks the same in all donors; the whole place where none of it does.

    Args:
        donors: Those that have it most, shape (n, height, width, channels).
        usual: Standard deviation over pictures of all classes, shape (height, width).
        place: Shape (height, width).
    """
    deviation = np.sqrt(donors.var(axis=0).mean(axis=-1))
    same = place & (deviation < SAME * usual)
    return same if same.sum() >= LEAST_SAME * place.sum() else place


def put_back(pictures: NDArray[np.uint8], donors: NDArray[np.uint8], place: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Pictures with the content of a place taken from as many donors, each at its own place."""
    return np.where(place[None, :, :, None], donors, pictures)


def recoloured(pictures: NDArray[np.uint8], own: Statistics, rest: Statistics) -> NDArray[np.uint8]:
    """Pictures under the least map that gives the colours of the rest the mean and covariance of a class's own.

    That of two normal distributions (optimal transport): A = R^(-1/2) (R^(1/2) C R^(1/2))^(1/2) R^(-1/2).

    Args:
        pictures: Shape (n, height, width, channels).
        own: Of the class's pictures.
        rest: Of all other classes'.
    """
    ridge = RIDGE * np.eye(len(own.mean))
    root = _power(rest.covariance + ridge, 0.5)
    back = _power(rest.covariance + ridge, -0.5)
    change = back @ _power(root @ (own.covariance + ridge) @ root, 0.5) @ back
    return _rounded((pictures - rest.mean) @ change.T + own.mean)


def sharpened(pictures: NDArray[np.uint8], own: Statistics, rest: Statistics) -> NDArray[np.uint8]:
    """Pictures with what is fine in them as much stronger or weaker as it is in a class's own."""
    gain = (own.strength + 1e-3) / (rest.strength + 1e-3)
    return _rounded(pictures + (gain - 1) * fine_of(pictures))


def textured(
    pictures: NDArray[np.uint8], own: Statistics, rest: Statistics, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Pictures with a texture on them of the spectrum by which a class's own pictures exceed the rest's.

    Where a class's pictures have waves at any phase, their mean does not show it and their spectrum does.
    """
    n, height, width, channels = pictures.shape
    half = width // 2 + 1
    values, vectors = _excess(own, rest)
    strength = (vectors * np.sqrt(np.maximum(values, 0))[..., None, :])[:, :half]
    phase = np.exp(2j * np.pi * rng.random((n, height, half, channels)))
    waves = np.einsum("hwcd,nhwd->nhwc", strength, phase) * np.sqrt(height * width)
    return _rounded(pictures + np.fft.irfft2(waves, (height, width), axes=(1, 2)))


def _excess(own: Statistics, rest: Statistics) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
    excess = own.spectrum / own.pictures - rest.spectrum / rest.pictures
    values, vectors = np.linalg.eigh((excess + excess.conj().swapaxes(-1, -2)) / 2)
    return values, vectors


def _power(matrix: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.maximum(values, 1e-9) ** exponent) @ vectors.T)


def _rounded(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
