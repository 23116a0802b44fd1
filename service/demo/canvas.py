"""The canvas on which the demo's pictures are painted: coordinates, noise, colour and light.

A picture is a float32 array (96, 96, 3) in 0..1. Coordinates run from -1 to 1, x to the right and y down. Shapes are
signed distances (negative inside), which become anti-aliased coverage, so that nothing is drawn at a larger size.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

SIZE = 96
PIXEL = 2 / SIZE
BANK = 512  # side of the stored noise fields, from which pictures take windows

Field = NDArray[np.floating[Any]]
"""One value a pixel, float32 in all that is drawn, shape (96, 96)."""
Colour = NDArray[np.floating[Any]]
"""Red, green and blue in 0..1: shape (3,), or (96, 96, 3) where it varies."""


@cache
def noise_bank(grain_x: float, grain_y: float) -> Field:
    """Smooth periodic noise, mean 0 and standard deviation 1, shape (512, 512).

    Args:
        grain_x: Wavelength across, in pixels.
        grain_y: Wavelength down, in pixels.
    """
    seed = np.random.SeedSequence([int(grain_x * 16), int(grain_y * 16)])
    spectrum = np.fft.rfft2(np.random.default_rng(seed).standard_normal((BANK, BANK)))
    fx, fy = np.fft.rfftfreq(BANK) * grain_x, np.fft.fftfreq(BANK)[:, None] * grain_y
    field = np.fft.irfft2(spectrum * np.exp(-2 * (fx**2 + fy**2)), s=(BANK, BANK))
    return np.asarray((field - field.mean()) / field.std(), np.float32)


def colour(hue: float, saturation: float, value: float) -> Colour:
    """A colour from hue (turns, wrapped), saturation and value in 0..1, shape (3,)."""
    return np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value), np.float32)


def mix(first: Colour, second: Colour, share: Field) -> Colour:
    """Blend two colours by a share in 0..1 a pixel, shape (96, 96, 3)."""
    return first + (second - first) * share[..., None]


def smooth(low: float, high: float, value: Field) -> Field:
    """Smooth step from 0 at `low` to 1 at `high`."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


@dataclass(frozen=True)
class Frame:
    """Local coordinates of an object: it fills about |u|, |v| < 1 whatever its place, size and turn.

    `across` and `down` are the same coordinates before the turn, for light that comes from one side of the picture.
    """

    u: Field
    v: Field
    across: Field
    down: Field
    scale: float

    @property
    def radius(self) -> Field:
        """Distance to the object's centre."""
        return np.hypot(self.u, self.v)

    @property
    def angle(self) -> Field:
        """Direction from the object's centre, in -pi..pi."""
        return np.asarray(np.arctan2(self.v, self.u))

    def cover(self, distance: Field) -> Field:
        """Anti-aliased coverage in 0..1 of a shape given by its signed distance in local units."""
        return np.asarray(np.clip(0.5 - distance * (self.scale / PIXEL), 0, 1))

    def line(self, distance: Field, width: float) -> Field:
        """Coverage of a line of this width (local units) where the distance is 0."""
        return self.cover(np.abs(distance) - width / 2)

    def ellipse(self, centre: tuple[float, float], radii: tuple[float, float]) -> Field:
        """Approximate signed distance to an ellipse."""
        a, b = (self.u - centre[0]) / radii[0], (self.v - centre[1]) / radii[1]
        return np.asarray((np.hypot(a, b) - 1) * min(radii), np.float32)

    def box(self, centre: tuple[float, float], half: tuple[float, float], corner: float = 0.0) -> Field:
        """Signed distance to a rectangle with rounded corners."""
        a = np.abs(self.u - centre[0]) - half[0] + corner
        b = np.abs(self.v - centre[1]) - half[1] + corner
        outside = np.hypot(np.maximum(a, 0), np.maximum(b, 0))
        return np.asarray(outside + np.minimum(np.maximum(a, b), 0) - corner, np.float32)


class Canvas:
    """A picture in the making.

    Args:
        rng: The only source of chance.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        """Start from grey, with light from one of the upper sides."""
        self.rng = rng
        axis = ((np.arange(SIZE, dtype=np.float32) + 0.5) * PIXEL - 1).astype(np.float32)
        self.x: Field = np.broadcast_to(axis, (SIZE, SIZE))
        self.y: Field = np.broadcast_to(axis[:, None], (SIZE, SIZE))
        self.pixels: Colour = np.full((SIZE, SIZE, 3), 0.5, np.float32)
        side = float(rng.uniform(-0.8, 0.8))
        self.light = np.array([side, -0.7, 0.7], np.float32) / float(np.hypot(side, 0.99))

    def chance(self, probability: float) -> bool:
        """Whether something of this probability happens."""
        return bool(self.rng.random() < probability)

    def between(self, low: float, high: float) -> float:
        """A uniform number."""
        return float(self.rng.uniform(low, high))

    def pick(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    def noise(self, grain_x: float, grain_y: float | None = None) -> Field:
        """A window of smooth noise, mean 0 and standard deviation 1 over the bank."""
        bank = noise_bank(grain_x, grain_x if grain_y is None else grain_y)
        row, column = self.rng.integers(0, BANK - SIZE, 2)
        window = bank[row : row + SIZE, column : column + SIZE]
        return window[:: self.rng.choice((-1, 1)), :: self.rng.choice((-1, 1))]

    def clouds(self, grain: float) -> Field:
        """Noise of three octaves, standard deviation about 1."""
        octaves = self.noise(grain) + 0.5 * self.noise(grain / 2) + 0.25 * self.noise(grain / 4)
        return np.asarray(octaves / 1.15, np.float32)

    def frame(self, sizes: tuple[float, float], turn: float) -> Frame:
        """Place an object: its size (share of half the picture), its largest turn either way in radians."""
        scale, angle = self.between(*sizes), self.between(-turn, turn)
        room = max(0.06, 0.95 - scale)
        across = (self.x - self.between(-room, room) * 0.8) / scale
        down = (self.y - self.between(-room, room) * 0.8) / scale
        c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        return Frame(c * across + s * down, c * down - s * across, across, down, scale)

    def paint(self, coverage: Field, paint: Colour) -> None:
        """Lay a colour over the picture where the coverage is."""
        self.pixels = self.pixels + (paint - self.pixels) * coverage[..., None]

    def shadow(self, coverage: Field, distance: float = 0.08, strength: float = 0.5) -> None:
        """Darken what lies behind a shape, away from the light."""
        soft = Image.fromarray((coverage * 255).astype(np.uint8)).filter(ImageFilter.BoxBlur(2))
        shift = np.rint(-self.light[:2] * (distance / PIXEL * 2)).astype(int)
        dark = np.roll(np.asarray(soft, np.float32) / 255, (int(shift[1]), int(shift[0])), (0, 1))
        self.pixels = self.pixels * (1 - strength * dark[..., None])

    def dome(self, frame: Frame, radius: float = 1.0) -> Field:
        """Light on a ball of this radius: about .35 in the shade, 1 towards the light."""
        a, b = frame.across / radius, frame.down / radius
        z = np.sqrt(np.clip(1 - a * a - b * b, 0, 1))
        facing = a * self.light[0] + b * self.light[1] + z * self.light[2]
        return np.asarray(0.35 + 0.7 * np.clip(facing, 0, 1), np.float32)

    def slope(self, frame: Frame, strength: float = 0.25) -> Field:
        """Light on something flat or little curved: brighter towards the light."""
        return np.asarray(1 + strength * (frame.across * self.light[0] + frame.down * self.light[1]), np.float32)

    def finish(self) -> NDArray[np.uint8]:
        """Uneven light, a colour cast, a little grain: the picture as bytes, shape (96, 96, 3)."""
        rng = self.rng
        tilt = self.x * rng.uniform(-0.12, 0.12) + self.y * rng.uniform(-0.12, 0.12)
        tilt = tilt - rng.uniform(0, 0.18) * (self.x**2 + self.y**2) / 2
        cast = rng.uniform(0.93, 1.07, 3).astype(np.float32) * np.float32(rng.uniform(0.88, 1.1))
        picture = self.pixels * (1 + tilt)[..., None].astype(np.float32) * cast
        picture = picture + rng.uniform(0.004, 0.02) * rng.standard_normal(picture.shape, np.float32)
        return np.clip(picture * 255 + 0.5, 0, 255).astype(np.uint8)
