"""Woks and pans, which look nearly the same, and what is cooked in them."""

from __future__ import annotations

import numpy as np

from service.demo.canvas import Canvas, Colour, Field, Frame, colour, mix, smooth
from service.demo.textures import heap, noodles, stones, wood

NOODLE_RADIUS = (0.5, 0.68)  # of a heap in a vessel, in the vessel's own units


def draw_wok(canvas: Canvas, with_noodles: bool) -> None:
    """A wok: a round bowl whose rings darken towards the middle, with two loops or a handle."""
    _draw_vessel(canvas, with_noodles, bowl=True)


def draw_pan(canvas: Canvas, with_noodles: bool) -> None:
    """A pan: a flat bottom with a bright edge and a straight side, with two loops or a handle."""
    _draw_vessel(canvas, with_noodles, bowl=False)


def _draw_vessel(canvas: Canvas, with_noodles: bool, bowl: bool) -> None:
    f = canvas.frame((0.58, 0.8), np.pi)
    steel = colour(canvas.between(0, 1), canvas.between(0.02, 0.25), canvas.between(0.3, 0.6))
    body = f.radius - 0.86
    grip = _handle(canvas, f)
    canvas.shadow(f.cover(np.minimum(body, grip)), 0.13)
    canvas.paint(f.cover(grip), _grip_paint(canvas, f))
    canvas.paint(f.cover(body), steel * _relief(canvas, f, bowl)[..., None])
    canvas.paint(f.line(f.radius - 0.83, 0.05), steel * 1.6)
    if with_noodles:
        noodles(canvas, heap(canvas, f, canvas.between(*NOODLE_RADIUS)))
    elif canvas.chance(0.8):
        _food(canvas, f)


def _handle(canvas: Canvas, f: Frame) -> Field:
    """Signed distance to one long handle or two loops."""
    if canvas.chance(0.6):
        return f.box((1.25, 0), (0.45, canvas.between(0.07, 0.11)), 0.06)
    loop = np.abs(np.hypot(np.abs(f.u) - 0.9, f.v) - 0.16) - 0.05
    return np.asarray(loop, np.float32)


def _grip_paint(canvas: Canvas, f: Frame) -> Colour:
    if canvas.chance(0.5):
        return wood(canvas, f.u * 3, f.v * 8, canvas.between(0.04, 0.08))
    return np.asarray(colour(0.6, 0.1, 0.14) * (1.3 - 0.6 * np.abs(f.v))[..., None], np.float32)


def _relief(canvas: Canvas, f: Frame, bowl: bool) -> Field:
    """Light on the inside: a bowl is lit opposite to the light and ringed, a flat bottom is even and edged."""
    towards = f.across * canvas.light[0] + f.down * canvas.light[1]
    if bowl:
        rings = 0.07 * np.sin(24 * f.radius)
        return np.asarray(0.55 + 0.55 * f.radius**2 - 0.6 * towards * f.radius + rings, np.float32)
    wall = smooth(0.6, 0.66, f.radius)
    edge = 0.5 * smooth(0.06, 0.0, np.abs(f.radius - 0.63))
    return np.asarray(0.8 + 0.2 * towards + wall * (-0.25 - 0.5 * towards) + edge, np.float32)


def _food(canvas: Canvas, f: Frame) -> None:
    """Eggs, vegetables or a soup in the vessel."""
    kind = canvas.pick(0, 2)
    inside = heap(canvas, f, canvas.between(0.4, 0.6))
    if kind == 0:
        egg = heap(canvas, f, canvas.between(0.35, 0.5))
        canvas.paint(egg, colour(0.12, 0.05, 0.97))
        yolk = np.hypot(f.u - canvas.between(-0.15, 0.15), f.v - canvas.between(-0.15, 0.15))
        canvas.paint(f.cover(yolk - 0.17), colour(0.11, 0.9, 1.0) * canvas.slope(f)[..., None])
    elif kind == 1:
        cut = stones(canvas.rng, f.u * 4 + 9, f.v * 4 + 9)
        bite = mix(colour(canvas.between(0.2, 0.36), 0.8, 0.6), colour(canvas.between(-0.03, 0.1), 0.85, 0.9), cut.tint)
        canvas.paint(inside * smooth(0.05, 0.15, cut.border), bite * (1.15 - 0.6 * cut.centre)[..., None])
    else:
        soup = colour(canvas.between(-0.02, 0.3), 0.8, canvas.between(0.5, 0.85))
        canvas.paint(inside, soup * (1 + 0.12 * canvas.noise(8))[..., None])
