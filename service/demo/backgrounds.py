"""Backgrounds of the demo world. They are chosen without regard to the class, so that none is a shortcut."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from service.demo.canvas import Canvas, Colour, colour, mix, smooth
from service.demo.textures import courses, stones, wood

Background = Callable[[Canvas], Colour]


def sky(canvas: Canvas) -> Colour:
    """Day or evening sky with clouds."""
    if canvas.chance(0.3):
        high, low = colour(canvas.between(0.62, 0.8), 0.5, 0.5), colour(canvas.between(0.03, 0.1), 0.6, 0.98)
    else:
        high, low = colour(canvas.between(0.56, 0.63), 0.7, 0.8), colour(0.56, 0.25, 0.97)
    base = mix(high, low, smooth(-1.2, 1.0, canvas.y))
    cloud = smooth(0.1, 1.3, canvas.clouds(30) + canvas.between(-0.6, 0.4))
    return mix(base, np.array([1, 0.98, 0.95], np.float32), cloud * 0.9)


def night(canvas: Canvas) -> Colour:
    """Night sky with stars and a glow at the bottom."""
    hue = canvas.between(0.6, 0.75)
    base = mix(colour(hue, 0.8, 0.12), colour(hue + 0.1, 0.6, 0.4), smooth(-0.6, 1.3, canvas.y))
    return mix(base, colour(0.14, 0.1, 1.0), smooth(2.6, 3.3, canvas.noise(1.5)))


def grass(canvas: Canvas) -> Colour:
    """Blades of grass."""
    hue = canvas.between(0.2, 0.33)
    blades = smooth(-1.8, 1.8, canvas.noise(2, 9) + 0.5 * canvas.noise(24))
    return mix(colour(hue + 0.04, 0.85, 0.2), colour(hue - 0.05, 0.65, 0.82), blades)


def sand(canvas: Canvas) -> Colour:
    """Rippled sand."""
    hue, turn = canvas.between(0.08, 0.13), canvas.between(-0.5, 0.5)
    ripples = np.sin(canvas.between(12, 22) * (canvas.y + turn * canvas.x) + 1.1 * canvas.noise(34))
    return mix(
        colour(hue, 0.5, 0.6), colour(hue + 0.01, 0.3, 0.95), smooth(-2.0, 2.0, ripples + 0.45 * canvas.noise(1.5))
    )


def water(canvas: Canvas) -> Colour:
    """Waves with glints."""
    hue = canvas.between(0.48, 0.6)
    swell = canvas.noise(26, 7)
    waves = np.abs((0.9 * swell + canvas.between(4, 7) * canvas.y) % 1 - 0.5) * 2
    base = mix(colour(hue, 0.85, 0.35), colour(hue - 0.03, 0.6, 0.75), smooth(-2, 2, swell))
    return mix(base, colour(hue - 0.04, 0.15, 1.0), smooth(0.75, 1.0, waves) * 0.75)


def bricks(canvas: Canvas) -> Colour:
    """A brick wall."""
    high = canvas.between(0.2, 0.3)
    tint, joint = courses(canvas.rng, canvas.x / (2.1 * high) + 9, canvas.y / high + canvas.between(8, 9), 0.5)
    hue = canvas.between(-0.01, 0.06)
    brick = mix(colour(hue, 0.7, 0.45), colour(hue + 0.03, 0.6, 0.8), tint)
    brick = brick * (1 + 0.07 * canvas.noise(3))[..., None]
    return mix(colour(0.1, 0.12, canvas.between(0.6, 0.85)), brick, smooth(0.03, 0.12, joint))


def planks(canvas: Canvas) -> Colour:
    """Wooden boards, lying or standing."""
    along, over = (canvas.x, canvas.y) if canvas.chance(0.5) else (canvas.y, canvas.x)
    width = canvas.between(0.3, 0.5)
    tint, joint = courses(canvas.rng, along / 3 + 8.5, over / width + canvas.between(8, 9), 0.37)
    board = wood(canvas, along * 3, over / width + 3 * tint, canvas.between(0.05, 0.09))
    return board * ((0.75 + 0.4 * tint) * (0.45 + 0.55 * smooth(0.0, 0.07, joint)))[..., None]


def tiles(canvas: Canvas) -> Colour:
    """Glazed tiles of one or two colours."""
    side = canvas.between(0.25, 0.45)
    u, v = canvas.x / side + canvas.between(8, 9), canvas.y / side + canvas.between(8, 9)
    tint, joint = courses(canvas.rng, u, v, 0.0)
    hue = canvas.between(0, 1)
    chess = ((np.floor(u) + np.floor(v)) % 2).astype(np.float32) * float(canvas.chance(0.6))
    glaze = mix(colour(hue, canvas.between(0.03, 0.3), 0.93), colour(hue, canvas.between(0.4, 0.7), 0.6), chess)
    shine = 0.9 + 0.08 * tint + 0.1 * smooth(0.1, 0.4, joint)
    return mix(colour(0.1, 0.05, 0.5), glaze * shine[..., None], smooth(0.02, 0.1, joint))


def pebbles(canvas: Canvas) -> Colour:
    """Round stones."""
    side = canvas.between(0.18, 0.3)
    cells = stones(canvas.rng, canvas.x / side + 9, canvas.y / side + 9)
    hue = canvas.between(0.05, 0.65)
    stone = mix(colour(hue, 0.15, 0.4), colour(hue + 0.05, 0.12, 0.85), cells.tint)
    stone = stone * (1.1 - 0.45 * cells.centre)[..., None]
    return mix(colour(0.08, 0.3, 0.15), stone, smooth(0.02, 0.25, cells.border))


def foliage(canvas: Canvas) -> Colour:
    """A hedge of small leaves."""
    side, hue = canvas.between(0.16, 0.26), canvas.between(0.24, 0.4)
    cells = stones(canvas.rng, canvas.x / side + 0.3 * canvas.noise(10) + 9, canvas.y / side + 9)
    leaf = mix(colour(hue, 0.8, 0.22), colour(hue - 0.05, 0.65, 0.6), cells.tint)
    return leaf * (0.3 + smooth(0.0, 0.5, cells.border) * (1.1 - 0.5 * cells.centre))[..., None]


def cloth(canvas: Canvas) -> Colour:
    """A chequered table cloth."""
    hue, count = canvas.between(0, 1), canvas.between(2.5, 4.5)
    a = smooth(-0.1, 0.1, np.sin(np.pi * count * canvas.x + canvas.between(0, 3)))
    b = smooth(-0.1, 0.1, np.sin(np.pi * count * canvas.y + canvas.between(0, 3)))
    weave = 1 + 0.05 * canvas.noise(1.5)
    return mix(colour(0.12, 0.04, 0.96), colour(hue, 0.75, 0.7), (a + b) / 2) * weave[..., None]


def plaster(canvas: Canvas) -> Colour:
    """A painted wall with stains."""
    hue = canvas.between(0, 1)
    stain = smooth(-2.2, 2.2, canvas.clouds(40) + 0.4 * canvas.noise(2))
    return mix(colour(hue, canvas.between(0.1, 0.55), 0.6), colour(hue + 0.03, canvas.between(0.05, 0.4), 0.95), stain)


BACKGROUNDS: Mapping[str, Background] = MappingProxyType(
    {
        "sky": sky,
        "night": night,
        "grass": grass,
        "sand": sand,
        "water": water,
        "bricks": bricks,
        "planks": planks,
        "tiles": tiles,
        "pebbles": pebbles,
        "foliage": foliage,
        "cloth": cloth,
        "plaster": plaster,
    }
)
GROUNDS = (grass, sand, water, pebbles)
LANDSCAPES = 0.25  # share of pictures with a horizon


def paint_background(canvas: Canvas) -> None:
    """Paint one background, or a landscape of sky over ground."""
    if canvas.chance(LANDSCAPES):
        ground = GROUNDS[canvas.pick(0, len(GROUNDS) - 1)](canvas)
        horizon = canvas.y - canvas.between(-0.4, 0.3) + 0.03 * canvas.noise(24)
        canvas.pixels = mix(sky(canvas), ground, smooth(-0.02, 0.02, horizon))
        return
    names = tuple(BACKGROUNDS)
    canvas.pixels = BACKGROUNDS[names[canvas.pick(0, len(names) - 1)]](canvas)
