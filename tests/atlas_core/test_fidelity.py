from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from atlas_core.cards import InputCard, LayerInfo, ReceptiveField
from atlas_core.errors import SpecError
from atlas_core.fidelity import contrast, high_frequency, low_contrast, measure
from atlas_core.whitening import Whitening

CARD = InputCard(channels=3, height=64, width=64, mean=[0.5, 0.5, 0.5], std=[1.0, 1.0, 1.0])
LAYER = LayerInfo(
    name="mix", shape=(3, 64, 64), receptive_field=ReceptiveField(size=(1, 1), jump=(1, 1), start=(0.5, 0.5))
)
COLOURS = np.eye(3, dtype=np.float32)


class Channels(nn.Module):
    """The pixels themselves, less the mean."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels - 0.5


def whitening() -> Whitening:
    return Whitening(mean=np.full(3, -0.5, np.float32), matrix=np.eye(3, dtype=np.float32), condition=1.0)


def plain(*colours: tuple[int, int, int], side: int = 32) -> NDArray[np.uint8]:
    return np.array([np.full((side, side, 3), colour) for colour in colours], dtype=np.uint8)


def measured(icons: NDArray[np.uint8], own: list[int], canvas: int = 32) -> dict[str, NDArray[Any]]:
    targets = COLOURS - 0.5
    return measure(
        Channels(), icons, targets[own], targets, np.array(own), whitening(), canvas, input=CARD, layer=LAYER
    )


def test_the_right_colour_is_found_and_the_wrong_one_is_not() -> None:
    result = measured(plain((255, 0, 0), (255, 51, 0), (0, 255, 0)), [0, 0, 0])
    assert result["whitened_cosine"] == pytest.approx([1, 1 / np.sqrt(1.04), 0], abs=1e-4)
    assert result["retrieval_rank"].tolist() == [0, 0, 2]
    assert result["retrieval_rank"].dtype == np.int32
    # Contrast and blur change nothing in a plain picture.
    assert result["robust"] == pytest.approx(result["whitened_cosine"], abs=1e-4)


def test_a_grey_square_fails() -> None:
    result = measured(plain((128, 128, 128)), [1])
    assert result["whitened_cosine"][0] < 0.6
    assert result["retrieval_rank"][0] > 0
    assert low_contrast(result["contrast"], np.array([0.3], np.float32)).tolist() == [True]


def test_shifts_show_the_mean_colour() -> None:
    # Moved by 4, or by 2 but right and down, a canvas of 4 pixels has only mean colour in its middle: grey.
    result = measured(plain((255, 0, 0), side=4), [0], canvas=4)
    assert result["whitened_cosine"][0] == pytest.approx((1 + 7 / np.sqrt(3)) / 8, abs=1e-4)
    assert result["robust"][0] == pytest.approx(1, abs=1e-4)


def test_icons_of_another_size_are_resampled() -> None:
    assert measured(plain((255, 0, 0), side=50), [0])["whitened_cosine"][0] == pytest.approx(1, abs=1e-4)


def test_contrast_is_a_channels_spatial_deviation() -> None:
    assert contrast(plain((255, 0, 0))).tolist() == [0]
    halves = plain((0, 0, 0))
    halves[0, :, 16:, 0] = 255
    assert contrast(halves) == pytest.approx([0.5 / 3])
    assert contrast(halves[None]).shape == (1, 1)


def test_low_contrast_forgives_plain_cells() -> None:
    icons, exemplars = np.array([0.09, 0.09, 0.11], np.float32), np.array([0.2, 0.1, 0.5], np.float32)
    assert low_contrast(icons, exemplars).tolist() == [True, False, False]


def test_high_frequency_is_a_share_of_power() -> None:
    columns = np.arange(40)

    def wave(period: float) -> NDArray[np.uint8]:
        line = np.rint(127.5 + 100 * np.sin(2 * np.pi * columns / period)).astype(np.uint8)
        return np.broadcast_to(line[None, None, :, None], (1, 40, 40, 3))

    assert high_frequency(wave(20))[0] < 0.01
    assert high_frequency(wave(2.5))[0] > 0.99
    assert high_frequency(plain((9, 9, 9))) == pytest.approx([0], abs=1e-9)


def test_no_icons_and_wrong_numbers() -> None:
    empty = measured(plain((0, 0, 0))[:0], [])
    assert all(len(values) == 0 for values in empty.values())
    with pytest.raises(SpecError, match="as many"):
        measure(Channels(), plain((0, 0, 0)), COLOURS, COLOURS, np.arange(3), whitening(), 32, input=CARD, layer=LAYER)
