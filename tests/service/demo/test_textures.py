from __future__ import annotations

import numpy as np

from service.demo.canvas import Canvas
from service.demo.textures import courses, noodles, scales, stones


def test_stones_know_their_centres_borders_and_tints() -> None:
    u, v = np.meshgrid(np.linspace(1, 9, 200, dtype=np.float32), np.linspace(1, 9, 200, dtype=np.float32))
    cells = stones(np.random.default_rng(0), u, v)
    assert 30 < len(np.unique(cells.tint)) < 110  # about one stone a unit square: 64 and those cut by the rim
    assert float(cells.border.min()) >= 0
    assert float(cells.centre.min()) < 0.05
    same = cells.tint[:, 1:] == cells.tint[:, :-1]
    assert float(cells.border[:, 1:][same].mean()) > 3 * float(cells.border[:, 1:][~same].mean())


def test_courses_shift_every_second_row() -> None:
    u, v = np.array([[0.5, 1.0, 0.5, 1.0]], np.float32), np.array([[0.5, 0.5, 1.5, 1.5]], np.float32)
    tint, joint = courses(np.random.default_rng(0), u, v, 0.5)
    np.testing.assert_allclose(joint, [[0.5, 0.0, 0.0, 0.5]])
    assert tint[0, 0] != tint[0, 1]
    assert tint[0, 2] == tint[0, 3]


def test_scales_repeat() -> None:
    u, v = np.array([[0.3, 2.3]], np.float32), np.array([[0.2, 1.2]], np.float32)
    pattern = scales(u, v)
    np.testing.assert_allclose(pattern[0, 0], pattern[0, 1], rtol=1e-5)
    assert 0 < float(pattern[0, 0]) <= 1


def test_noodles_are_pale_yellow_strands_with_gaps_inside_their_heap_only() -> None:
    canvas = Canvas(np.random.default_rng(3))
    before = canvas.pixels.copy()
    inside = (np.hypot(canvas.x, canvas.y) < 0.6).astype(np.float32)
    noodles(canvas, inside)
    np.testing.assert_array_equal(canvas.pixels[inside == 0], before[inside == 0])
    red, green, blue = canvas.pixels[inside == 1].T
    assert float(np.mean(red > blue + 0.2)) > 0.9
    assert float(np.mean(green > 0.6)) > 0.3
    assert float(np.mean(green < 0.45)) > 0.1
