from __future__ import annotations

import io
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, Resize

from atlas_core.cards import InputCard
from atlas_core.errors import ImageError
from atlas_core.models.preprocessing import preprocess, read_pixels, read_whole, source_box, to_unit


def card(channels: int = 3, height: int = 8, width: int = 8, **changes: object) -> InputCard:
    given = {"channels": channels, "height": height, "width": width, "mean": [0.0] * channels, "std": [1.0] * channels}
    return InputCard.model_validate(given | changes)


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


def ramp(width: int, height: int) -> Image.Image:
    """Red is the column, green the row, blue 7."""
    rows, columns = np.indices((height, width))
    return Image.fromarray(np.stack([columns, rows, np.full_like(rows, 7)], -1).astype(np.uint8))


@pytest.mark.parametrize("size", [(90, 61), (61, 90), (57, 57), (300, 40)])
def test_resizing_and_cropping_are_those_of_torchvision(size: tuple[int, int]) -> None:
    picture = noise(*size)
    expected = Compose([Resize(40), CenterCrop(33)])(picture)
    seen = preprocess(picture, card(height=33, width=33, resize=40, crop="center"))
    np.testing.assert_array_equal(seen, np.asarray(expected))


def test_the_crop_is_central() -> None:
    seen = preprocess(ramp(20, 12), card(crop="center"))
    assert seen.shape == (8, 8, 3)
    np.testing.assert_array_equal(seen[0, :, 0], np.arange(6, 14))
    np.testing.assert_array_equal(seen[:, 0, 1], np.arange(2, 10))


def test_without_a_crop_the_whole_picture_is_squeezed() -> None:
    seen = preprocess(noise(31, 17), card(height=8, width=10))
    np.testing.assert_array_equal(seen, np.asarray(noise(31, 17).resize((10, 8), Image.Resampling.BILINEAR)))


def test_a_picture_of_the_right_size_is_left_alone() -> None:
    np.testing.assert_array_equal(preprocess(noise(8, 8), card()), np.asarray(noise(8, 8)))


def test_a_picture_too_small_for_the_crop_is_enlarged() -> None:
    seen = preprocess(Image.new("RGB", (4, 6), (9, 8, 7)), card(crop="center"))
    assert np.unique(seen.reshape(-1, 3), axis=0).tolist() == [[9, 8, 7]]


def test_order_bgr_reverses_the_channels() -> None:
    assert preprocess(ramp(8, 8), card(order="BGR"))[3, 5].tolist() == [7, 3, 5]


def test_one_channel_is_luminance() -> None:
    seen = preprocess(Image.new("RGB", (8, 8), (255, 0, 0)), card(channels=1))
    assert seen.shape == (8, 8, 1)
    assert np.unique(seen).tolist() == [76]  # .299 of 255


def test_a_picture_does_not_have_any_number_of_channels() -> None:
    with pytest.raises(ImageError, match=r"the model takes 2: give arrays \(\.npy\)"):
        preprocess(noise(8, 8), card(channels=2))


def test_four_channels_are_colours_and_transparency() -> None:
    data = io.BytesIO()
    Image.new("RGBA", (8, 8), (10, 20, 30, 40)).save(data, "PNG")
    assert read_pixels(data.getvalue(), card(channels=4))[0, 0].tolist() == [10, 20, 30, 40]
    assert read_pixels(data.getvalue(), card(channels=3))[0, 0].tolist() == [10, 20, 30]


def test_arrays_are_resized_and_cropped_channel_by_channel_as_pictures_are() -> None:
    picture = noise(21, 13)
    colours = np.asarray(picture)
    given: dict[str, Any] = {"height": 8, "width": 10, "resize": 11, "crop": "center"}
    expected = preprocess(picture, card(**given))
    seen = preprocess(np.concatenate([colours, colours[:, :, :2]], axis=2), card(channels=5, **given))
    np.testing.assert_array_equal(seen, np.concatenate([expected, expected[:, :, :2]], axis=2))


def test_arrays_have_the_networks_channels() -> None:
    with pytest.raises(ImageError, match="an array of 5 channels; the model takes 3"):
        preprocess(np.zeros((8, 8, 5), np.uint8), card())


def test_exif_orientation_is_honoured() -> None:
    picture = ramp(8, 8)
    picture.getexif()[0x0112] = 6  # the camera was turned: rotate by 90° clockwise to see it upright
    seen = preprocess(picture, card())
    assert seen[0, 0].tolist() == [0, 7, 7]
    assert seen[0, 7].tolist() == [0, 0, 7]


def _png(width: int, height: int) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (width, height), (10, 20, 30)).save(data, "PNG")
    return data.getvalue()


@pytest.mark.parametrize(
    ("size", "largest", "expected"),
    [
        ((400, 200), 2, (128, 64)),  # fitted into twice the input
        ((400, 200), 1, (64, 32)),
        ((100, 80), 2, (100, 80)),  # between the input and twice that it stays
        ((32, 32), 2, (64, 64)),  # smaller than the input is enlarged
        ((40, 30), 1, (64, 48)),
    ],
)
def test_a_whole_picture_keeps_its_shape(size: tuple[int, int], largest: float, expected: tuple[int, int]) -> None:
    card = InputCard(channels=3, height=64, width=64, resize=72, crop="center", mean=[0.5] * 3, std=[0.5] * 3,
                     order="BGR")  # fmt: skip
    found = read_whole(_png(*size), card, largest)
    assert found.shape == (expected[1], expected[0], 3)
    assert found[0, 0].tolist() == [30, 20, 10]


def test_a_whole_picture_of_which_nothing_would_be_seen_is_refused() -> None:
    card = InputCard(channels=3, height=64, width=64, mean=[0.5] * 3, std=[0.5] * 3)
    with pytest.raises(ImageError, match="at least 24 pixels wide and high"):
        read_whole(_png(1000, 20), card, 2)


def test_source_box_undoes_resizing_and_cropping() -> None:
    given = card(height=227, width=227, resize=256, crop="center")
    assert source_box((1024, 512), given, (0, 0, 227, 227)) == (284, 28, 738, 482)
    assert source_box((1024, 512), given, (-1, 10.5, 1, 12)) == (282, 49, 286, 52)


def test_source_box_undoes_squeezing() -> None:
    assert source_box((16, 32), card(), (1, 2, 3, 4)) == (2, 8, 6, 16)


def test_to_unit_scales_and_turns_the_axes() -> None:
    unit = to_unit(np.array([[[[0, 51, 255]]]], np.uint8))
    assert unit.dtype == np.float32
    np.testing.assert_allclose(unit, np.array([0, 0.2, 1]).reshape(1, 3, 1, 1))


def test_it_needs_no_torch() -> None:
    code = "import sys, atlas_core.models.preprocessing; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
