"""Pictures of any number of channels, as NumPy's .npy files; no pickle is ever run."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.datasets.decode import MAX_PIXELS
from atlas_core.errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAGIC = b"\x93NUMPY"
MOST_CHANNELS = 64
TAKEN = "uint8, uint16 or floats from 0 to 1"
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def decode_array(data: bytes, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Decode an array (height, width) or (height, width, channels) of uint8, uint16 or floats from 0 to 1.

    Args:
        data: The file's bytes.
        max_pixels: More rows times columns are refused before they are read.

    Returns:
        Pixels 0..255, shape (height, width, channels); of finer values the nearest.

    Raises:
        ImageError: No such array, too many pixels or channels, or a truncated or broken file.
    """
    shape, dtype, values = _read(data, max_pixels)
    if dtype.kind == "f":
        if not bool(np.isfinite(values).all()) or values.min() < 0 or values.max() > 1:
            raise ImageError("an array of floats has to lie between 0 and 1")
        values = values.astype(np.float64) * 255
    elif dtype.itemsize == 2:
        values = values / 257
    return np.ascontiguousarray(np.rint(values).astype(np.uint8)).reshape(*shape[:2], -1)


def _read(data: bytes, max_pixels: int) -> tuple[tuple[int, ...], np.dtype[Any], NDArray[Any]]:
    file = io.BytesIO(data)
    try:
        shape, by_columns, dtype = _HEADERS[np.lib.format.read_magic(file)](file)
    except (KeyError, ValueError, EOFError):
        raise ImageError("a broken .npy file") from None
    if len(shape) not in (2, 3) or min(shape) < 1:
        raise ImageError(f"an array of the shape {shape}; (height, width, channels) is taken")
    if shape[0] * shape[1] > max_pixels or math.prod(shape[2:]) > MOST_CHANNELS:
        raise ImageError(f"an array of the shape {shape}; at most {max_pixels} pixels of {MOST_CHANNELS} channels are "
                         "taken")  # fmt: skip
    if (dtype.kind, dtype.itemsize) not in (("u", 1), ("u", 2), ("f", 2), ("f", 4), ("f", 8)):
        raise ImageError(f"an array of {dtype}; {TAKEN} are taken")
    body = file.read()
    if len(body) != math.prod(shape) * dtype.itemsize:
        raise ImageError("a truncated or broken .npy file")
    values: NDArray[Any] = np.frombuffer(body, dtype).reshape(shape, order="F" if by_columns else "C")
    return shape, dtype, values
