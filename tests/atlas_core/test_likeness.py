import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from atlas_core.likeness import correlation, highest_correlation, shrunk

Pictures = NDArray[np.uint8]


def scene(seed: int, side: int = 20) -> Pictures:
    """Soft blotches in colours, as patches of photographs are."""
    coarse = np.random.default_rng(seed).integers(40, 216, (5, 5, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))


def plain(*colour: int, noise: int = 0, seed: int = 0) -> Pictures:
    grain = np.random.default_rng(seed).integers(-noise, noise + 1, (20, 20, 3)) if noise else 0
    return np.clip(np.full((20, 20, 3), colour) + grain, 0, 255).astype(np.uint8)


def of(one: Pictures, two: Pictures) -> float:
    return float(correlation(one[None], two[None])[0])


def test_a_copy_is_one_also_in_other_light() -> None:
    picture = scene(1)
    assert of(picture, picture) == pytest.approx(1, abs=1e-6)
    dimmed = (picture * 0.6 + 20).astype(np.uint8)
    assert of(picture, dimmed) > 0.999
    assert of(picture, scene(2)) < 0.5


def test_literal_values_of_two_pixels() -> None:
    """Patterns (1, -1) and (1, -1) in grey agree; with colour (3, -3) against the whole's (1, -1) they do not."""
    grey = np.array([[[200] * 3, [100] * 3]], np.uint8)
    tinted = np.array([[[250, 200, 150], [150, 100, 50]]], np.uint8)
    # whole: grey deviates by ±50 six times; tinted by 100, 50, 0, 0, -50, -100
    expected = (50 * (100 + 50 + 0 - 0 + 50 + 100)) / np.sqrt(6 * 50**2 * (2 * 100**2 + 2 * 50**2))
    assert of(grey, tinted) == pytest.approx(expected, abs=1e-5)
    assert of(grey, grey[:, ::-1]) == pytest.approx(-1, abs=1e-5)


def test_inverted_and_recoloured_pictures_are_no_copies() -> None:
    picture = scene(3)
    assert of(picture, 255 - picture) < -0.9
    assert of(picture, picture[..., ::-1]) < 0.8
    warm = np.clip(picture.astype(int) + np.array([45, 0, -45]), 0, 255).astype(np.uint8)
    assert of(picture, warm) < 0.95
    grey = picture.mean(axis=2, keepdims=True).repeat(3, axis=2).astype(np.uint8)
    assert of(grey, np.clip(grey + np.array([45, 0, -45]), 0, 255).astype(np.uint8)) < 0.95


def test_plain_pictures_are_no_copies_of_each_other() -> None:
    red = plain(200, 40, 40)
    assert of(red, red) == 0
    assert of(red, plain(200, 40, 40, noise=4)) == 0
    assert of(plain(200, 40, 40, noise=12), plain(200, 40, 40, noise=12, seed=1)) < 0.5
    assert of(red, scene(4)) == 0


def test_the_highest_of_the_exemplars_that_there_are() -> None:
    pictures = np.stack([scene(5), scene(6)])
    others = np.stack([[scene(7), scene(5), scene(8)], [scene(9), scene(8), scene(6)]])
    found = highest_correlation(pictures, others, np.array([3, 2]))
    assert found[0] == pytest.approx(1, abs=1e-6)
    assert found[1] == pytest.approx(max(of(scene(6), scene(9)), of(scene(6), scene(8))), abs=1e-6)
    assert found[1] < 0.9


def test_shrinking_averages() -> None:
    picture = np.zeros((1, 4, 4, 1), np.uint8)
    picture[0, :2, :2, 0] = [[10, 20], [30, 40]]
    assert shrunk(picture, 2)[0, ..., 0].tolist() == [[25, 0], [0, 0]]
    assert shrunk(picture[:0], 2).shape == (0, 2, 2, 1)
    large = shrunk(scene(1, side=80)[None], 20)
    assert of(large[0], scene(1)) > 0.99
