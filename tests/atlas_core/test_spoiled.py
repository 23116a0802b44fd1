import numpy as np
import pytest
from numpy.typing import NDArray

from atlas_core.spoiled import KINDS, kinds_of, spoil, within


def photograph(height: int = 32, width: int = 32, channels: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (height, width, channels), dtype=np.uint8)


def spoiled(kind: str, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return spoil(pixels, KINDS.index(kind), "a/1.jpg")


def test_turned_and_inverted_are_what_they_say() -> None:
    pixels = photograph()
    assert np.array_equal(spoiled("turned by 90°", pixels)[0], pixels[:, -1])
    assert np.array_equal(spoiled("turned by 180°", pixels), pixels[::-1, ::-1])
    assert np.array_equal(spoiled("turned by 270°", pixels)[:, 0], pixels[-1])
    assert np.array_equal(spoiled("inverted", pixels), 255 - pixels)


def test_the_mean_stays_where_contrast_or_focus_goes() -> None:
    pixels = photograph()
    for kind, left in (("of low contrast", 0.2), ("blurred", 0.4)):
        changed = spoiled(kind, pixels).astype(float)
        assert changed.mean() == pytest.approx(pixels.mean(), abs=1)
        assert changed.std() < left * pixels.std() * 1.05
    blurred = spoiled("blurred", np.full((40, 60, 1), 77, np.uint8))
    assert (blurred == 77).all()


def test_salt_falls_on_a_tenth_of_the_pixels() -> None:
    grey = np.full((100, 100, 3), 128, np.uint8)
    salted = spoiled("salted", grey)
    hit = (salted != 128).all(axis=2)
    assert 0.08 < hit.mean() < 0.12
    assert set(salted[hit].ravel().tolist()) == {0, 255}


def test_blocks_are_shuffled_and_none_is_lost() -> None:
    pixels = photograph()
    shuffled = spoiled("shuffled", pixels)
    before, after = (value.reshape(4, 8, 4, 8, 3).swapaxes(1, 2).reshape(16, -1) for value in (pixels, shuffled))
    assert not np.array_equal(before, after)
    assert {row.tobytes() for row in before} == {row.tobytes() for row in after}


@pytest.mark.parametrize("shape", [(3, 5, 1), (30, 50, 5), (1, 1, 3)])
@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_any_shape_keeps_its_shape(shape: tuple[int, int, int], kind: int) -> None:
    pixels = photograph(*shape)
    changed = spoil(pixels, kind, "x")
    assert changed.shape == pixels.shape
    assert changed.dtype == np.uint8
    assert np.array_equal(changed, spoil(pixels, kind, "x"))


def test_kinds_go_round_by_the_images_name() -> None:
    first = [kinds_of(f"{number}.jpg", 1)[0] for number in range(800)]
    assert min(np.bincount(first, minlength=len(KINDS))) > 70
    assert kinds_of("a", 100) == [(kinds_of("a", 1)[0] + place) % len(KINDS) for place in range(len(KINDS))]


def test_a_share_of_images_is_chosen_by_name() -> None:
    names = [f"{number}.jpg" for number in range(1000)]
    assert 250 < sum(within(name, 0.3) for name in names) < 350
    assert all(within(name, 1.0) for name in names)
