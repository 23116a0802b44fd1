"""Arrays: what is a picture of many channels, and what is not."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from atlas_core.datasets.arrays import decode_array
from atlas_core.errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def saved(values: NDArray[Any], **options: Any) -> bytes:
    data = io.BytesIO()
    np.save(data, values, **options)
    return data.getvalue()


def decoded(values: NDArray[Any]) -> NDArray[np.uint8]:
    return decode_array(saved(values))


@pytest.mark.parametrize(
    "values",
    [
        np.array([[[0, 128, 255, 7, 1]]], np.uint8),
        np.array([[[0, 128 * 257, 65535, 7 * 257, 257]]], np.uint16),
        np.array([[[0, 128 * 257, 65535, 7 * 257, 257]]], ">u2"),
        np.array([[[0, 128, 255, 7, 1]]], np.float32) / 255,
        np.array([[[0, 128, 255, 7, 1]]], np.float64) / 255,
    ],
)
def test_every_type_becomes_the_same_pixels(values: NDArray[Any]) -> None:
    assert decoded(values).tolist() == [[[0, 128, 255, 7, 1]]]
    assert decoded(values).dtype == np.uint8


def test_the_axes_are_height_width_channels_whatever_lies_first_in_memory() -> None:
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    np.testing.assert_array_equal(decoded(values), values)
    np.testing.assert_array_equal(decoded(np.asfortranarray(values)), values)


def test_two_axes_are_one_channel() -> None:
    assert decoded(np.array([[1, 2]], np.uint8)).tolist() == [[[1], [2]]]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(4, np.uint8), r"shape \(4,\)"),
        (np.zeros((2, 0, 3), np.uint8), "shape"),
        (np.zeros((1, 1, 65), np.uint8), "64 channels"),
        (np.zeros((2, 2), np.int64), "array of int64"),
        (np.full((2, 2), 1.5), "between 0 and 1"),
        (np.full((2, 2), np.nan), "between 0 and 1"),
        (np.zeros((2, 2), [("a", "u1")]), "taken"),
    ],
)
def test_other_arrays_are_refused(values: NDArray[Any], message: str) -> None:
    with pytest.raises(ImageError, match=message):
        decode_array(saved(values))


def test_a_pickle_is_not_run() -> None:
    with pytest.raises(ImageError, match="array of object"):
        decode_array(saved(np.array([[print]], dtype=object), allow_pickle=True))


def test_large_arrays_are_refused_before_they_are_read() -> None:
    with pytest.raises(ImageError, match="at most 5 pixels"):
        decode_array(saved(np.zeros((2, 3), np.uint8))[:-6], max_pixels=5)


@pytest.mark.parametrize("length", [6, 20, 80, -1])
def test_broken_files_are_refused(length: int) -> None:
    with pytest.raises(ImageError, match="broken"):
        decode_array(saved(np.zeros((2, 3), np.uint8))[:length])
