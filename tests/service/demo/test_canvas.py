from __future__ import annotations

import numpy as np
import pytest

from service.demo.canvas import SIZE, Canvas, Frame, colour, mix, noise_bank, smooth


def frame_at(u: float, v: float, scale: float = 1.0) -> Frame:
    point_u, point_v = np.full((1, 1), u, np.float32), np.full((1, 1), v, np.float32)
    return Frame(point_u, point_v, point_u, point_v, scale)


def test_the_noise_bank_is_standardised_and_smooth_at_its_grain() -> None:
    bank = noise_bank(24, 24)
    assert bank.shape == (512, 512)
    assert float(bank.mean()) == pytest.approx(0, abs=1e-4)
    assert float(bank.std()) == pytest.approx(1, abs=1e-4)
    assert float(np.abs(np.diff(bank, axis=0)).mean()) < 0.25
    assert float(np.corrcoef(bank[:256].ravel(), bank[256:].ravel())[0, 1]) == pytest.approx(0, abs=0.3)


def test_colours_and_mixing() -> None:
    np.testing.assert_allclose(colour(0, 1, 1), [1, 0, 0])
    np.testing.assert_allclose(colour(4 / 3, 1, 0.5), [0, 0.5, 0], atol=1e-6)
    mixed = mix(colour(0, 1, 1), colour(0, 0, 0), np.full((1, 1), 0.25, np.float32))
    np.testing.assert_allclose(mixed, [[[0.75, 0, 0]]])


def test_smooth_is_a_step_with_a_middle() -> None:
    np.testing.assert_allclose(smooth(0, 2, np.array([-1, 0, 0.5, 1, 2, 3], np.float32)), [0, 0, 0.15625, 0.5, 1, 1])


def test_coverage_is_half_on_the_outline() -> None:
    frame = frame_at(0, 0)
    assert frame.cover(np.array([-0.1, 0.0, 0.1], np.float32)).tolist() == [1.0, 0.5, 0.0]


@pytest.mark.parametrize(("u", "v", "distance"), [(0, 0, -0.5), (2, 0, 1), (2, 1.5, np.hypot(1, 1)), (0, 0.25, -0.25)])
def test_the_distance_to_a_box(u: float, v: float, distance: float) -> None:
    assert float(frame_at(u, v).box((0, 0), (1, 0.5))[0, 0]) == pytest.approx(distance)


def test_light_comes_from_where_the_canvas_says() -> None:
    canvas = Canvas(np.random.default_rng(0))
    canvas.light = np.array([1, 0, 0], np.float32)
    axis = np.array([[-0.9, 0.9]], np.float32)
    shade, lit = canvas.dome(Frame(axis, axis * 0, axis, axis * 0, 1.0))[0]
    assert shade == pytest.approx(0.35)
    assert lit == pytest.approx(0.35 + 0.7 * 0.9)


def test_painting_and_finishing() -> None:
    canvas = Canvas(np.random.default_rng(0))
    left = (canvas.x < 0).astype(np.float32)
    canvas.paint(left, colour(0, 1, 1))
    picture = canvas.finish()
    assert picture.shape == (SIZE, SIZE, 3)
    assert picture.dtype == np.uint8
    assert picture[:, :48, 0].mean() > 150 > picture[:, 48:, 0].mean() > 80
    assert picture[:, :48, 1].mean() < 10
