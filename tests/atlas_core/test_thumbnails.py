"""Thumbnails: exactly centred, exactly averaged, reflected at the borders."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from atlas_core.thumbnails import cut_thumbnails


def column_ramp(height: int, width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.broadcast_to(np.arange(width, dtype=np.uint8)[None, :, None] * 10, (height, width, 1)).copy()


def test_a_window_as_large_as_the_thumbnail_is_a_crop() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 8, 3), dtype=np.uint8)

    found = cut_thumbnails(pixels, np.array([[4.0, 3.0], [5.0, 6.0]]), window=4, side=4)

    assert np.array_equal(found[0], pixels[2:6, 1:5])
    assert np.array_equal(found[1], pixels[3:7, 4:8])


def test_windows_between_pixels_are_area_averaged() -> None:
    found = cut_thumbnails(column_ramp(6, 6), np.array([[3.0, 3.25]]), window=2, side=2)

    # columns [2.25, 3.25) and [3.25, 4.25): .75 of one pixel and .25 of the next
    assert found[0, :, :, 0].tolist() == [[23, 33], [23, 33]]  # 22.5 and 32.5


def test_windows_are_averaged_down() -> None:
    found = cut_thumbnails(column_ramp(8, 8), np.array([[4.0, 4.0]]), window=8, side=2)

    assert found[0, :, :, 0].tolist() == [[15, 55], [15, 55]]


def test_borders_are_reflected() -> None:
    found = cut_thumbnails(column_ramp(4, 4), np.array([[0.0, 0.0], [2.0, 4.0]]), window=4, side=4)

    assert found[0, 0, :, 0].tolist() == [10, 0, 0, 10]
    assert found[1, 0, :, 0].tolist() == [20, 30, 30, 20]


@pytest.mark.parametrize("window", [32, 47, 100])
def test_it_agrees_with_an_independent_box_filter(window: int) -> None:
    rng = np.random.default_rng(1)
    picture = Image.fromarray(rng.integers(0, 256, (120, 140, 3), dtype=np.uint8))
    centre = np.array([[61.5, 70.25]])
    low, left = centre[0] - window / 2
    box = (left, low, left + window, low + window)

    found = cut_thumbnails(np.asarray(picture), centre, window, 20)[0]

    # Pillow's box filter takes pixels whole, so single values differ; the picture does not
    other = np.asarray(picture.resize((20, 20), Image.Resampling.BOX, box=box)).astype(float)
    assert np.corrcoef(found.ravel(), other.ravel())[0, 1] > 0.75
    assert found.mean() == pytest.approx(other.mean(), abs=1.5)


def test_each_thumbnail_is_alone() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    centres = np.array([[3.0, 5.0], [20.5, 31.0], [39.0, 49.0]])
    together = cut_thumbnails(pixels, centres, 32, 20)

    assert together.shape == (3, 20, 20, 3)
    for place in range(3):
        assert np.array_equal(cut_thumbnails(pixels, centres[place : place + 1], 32, 20)[0], together[place])


def test_no_centre_gives_no_thumbnail() -> None:
    assert cut_thumbnails(np.zeros((8, 8, 1), np.uint8), np.zeros((0, 2)), 4, 4).shape == (0, 4, 4, 1)
