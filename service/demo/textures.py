"""Textures of the demo world: patterns over coordinate fields, and the noodles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from service.demo.canvas import Canvas, Colour, Field, Frame, colour, mix, smooth


@dataclass(frozen=True)
class Stones:
    """Cells around jittered points: distance to the nearest point, to the border, and one random number a cell."""

    centre: Field
    border: Field
    tint: Field


def stones(rng: np.random.Generator, u: Field, v: Field) -> Stones:
    """Cellular texture with about one cell a unit square (Worley's basis, on a jittered grid).

    Args:
        rng: Places and tints of the points.
        u: Coordinates across, in cells.
        v: Coordinates down, in cells.
    """
    columns, rows = np.floor(u).astype(np.int64), np.floor(v).astype(np.int64)
    x, y = (u - columns).astype(np.float32), (v - rows).astype(np.float32)
    points_x, points_y, tints = rng.random((3, 64 * 64), np.float32)
    nearest = np.full(u.shape, 9, np.float32)  # squared distances
    second, tint = nearest.copy(), np.zeros(u.shape, np.float32)
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            point = (rows + down) % 64 * 64 + (columns + across) % 64
            distance = (points_x[point] + (across - x)) ** 2 + (points_y[point] + (down - y)) ** 2
            np.copyto(tint, tints[point], where=distance < nearest)
            second = np.minimum(second, np.maximum(nearest, distance))
            nearest = np.minimum(nearest, distance)
    nearest = np.sqrt(nearest)
    return Stones(nearest, np.sqrt(second) - nearest, tint)


def courses(rng: np.random.Generator, u: Field, v: Field, bond: float) -> tuple[Field, Field]:
    """Bricks, tiles or boards of 1 x 1: distance to the joint (0 to .5), and one random number a piece.

    Args:
        rng: Tints.
        u: Coordinates across, in pieces.
        v: Coordinates down, in pieces.
        bond: Shift of every second course, in pieces.
    """
    row = np.floor(v)
    shifted = u + bond * (row % 2)
    column = np.floor(shifted)
    table = rng.random((64, 64)).astype(np.float32)
    tint = table[row.astype(int) % 64, column.astype(int) % 64]
    return tint, np.minimum(0.5 - np.abs(shifted - column - 0.5), 0.5 - np.abs(v - row - 0.5)).astype(np.float32)


def scales(u: Field, v: Field) -> Field:
    """Overlapping fish scales of 1 x 1, from 0 at a scale's root to 1 at its rim."""
    best = np.zeros(u.shape, np.float32)
    for layer in (0, 1):
        row = np.floor(u) + layer
        along = u - row + 1
        side = (v + 0.5 * (row % 2)) % 1 - 0.5
        radius = np.hypot(along - 0.5, side * 1.3)
        best = np.where(radius < 0.75, np.maximum(best * 0.6, radius / 0.75), best)
    return np.asarray(best, np.float32)


def grain(canvas: Canvas, u: Field, v: Field) -> Field:
    """Wood grain along u, in 0..1."""
    rings = np.sin(9 * v + 1.6 * canvas.noise(40, 10) + 0.3 * u)
    return np.asarray(0.5 + 0.32 * rings + 0.13 * canvas.noise(14, 2), np.float32)


def coat(canvas: Canvas, u: Field, v: Field) -> Field:
    """A pattern for skins and toys in 0..1: stripes, spots, checks, waves or marble."""
    kind, count = canvas.pick(0, 4), canvas.between(2.2, 4.5)
    if kind == 0:
        wave = np.sin(np.pi * count * u + 0.3)
    elif kind == 1:
        a, b = (count * u) % 1 - 0.5, (count * v + 0.5 * np.floor(count * u)) % 1 - 0.5
        wave = 8 * (canvas.between(0.26, 0.36) - np.hypot(a, b))
    elif kind == 2:
        wave = 4 * np.sin(np.pi * count * u) * np.sin(np.pi * count * v)
    elif kind == 3:
        wave = np.sin(np.pi * count * u + 1.2 * np.sin(5 * v))
    else:
        wave = np.sin(3 * count * 0.6 * canvas.noise(22))
    return smooth(-0.25, 0.25, np.asarray(wave, np.float32))


def noodles(canvas: Canvas, inside: Field) -> None:
    """Lay a heap of noodles over a region: two layers of pale, curly strands with dark gaps.

    Strands are level lines of smooth noise, so they curl and run side by side as noodles do.

    Args:
        canvas: Painted on.
        inside: Coverage of the heap, in 0..1.
    """
    hue, value = canvas.between(0.12, 0.145), canvas.between(0.95, 1.05)
    canvas.paint(inside, colour(hue - 0.03, 0.85, 0.45))
    for layer in (0.7, 0.88, 1.05):
        curl = canvas.noise(22) + 0.15 * canvas.noise(9)
        gap = np.abs((curl * 2.6) % 1 - 0.5) * 2  # 0 on a strand's crest, 1 between two strands
        body = inside * smooth(0.86, 0.66, gap) * smooth(-0.35, -0.1, canvas.noise(15))
        light = value * layer * (1.05 - 0.6 * gap**2)
        canvas.paint(body, colour(hue, 0.52, 1.0) * light[..., None])


def heap(canvas: Canvas, frame: Frame, radius: float) -> Field:
    """Coverage of a heap with an uneven rim around a frame's centre."""
    return frame.cover(frame.radius - radius * (1 + 0.09 * canvas.noise(24)))


def wood(canvas: Canvas, u: Field, v: Field, hue: float) -> Colour:
    """Wood of a hue with its grain along u."""
    dark, pale = colour(hue, 0.65, 0.34), colour(hue + 0.015, 0.5, canvas.between(0.6, 0.85))
    return mix(dark, pale, np.clip(grain(canvas, u, v), 0, 1))
