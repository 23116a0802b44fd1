"""From a picture to exactly what a network sees, and back to the place it came from. No torch here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps

from atlas_core.datasets.arrays import MAGIC, decode_array
from atlas_core.datasets.decode import decode
from atlas_core.errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.cards import InputCard

# left, top, right, bottom in pixels, where pixel p covers [p, p + 1)
Box = tuple[float, float, float, float]

NARROWEST = 24
ALPHA = 4  # of so many channels the last is the transparency of a picture
PICTURE_MODES = {1: "L", 3: "RGB", ALPHA: "RGBA"}


def read_pixels(data: bytes, input: InputCard) -> NDArray[np.uint8]:
    """From a file's bytes to the pixels that the network sees, before they are scaled and normalised.

    Raises:
        ImageError: The bytes are no picture and no array, or not of the network's channels.
    """
    if data.startswith(MAGIC):
        return preprocess(decode_array(data), input)
    return preprocess(decode(data, alpha=input.channels == ALPHA), input)


def read_whole(data: bytes, input: InputCard, largest: float) -> NDArray[np.uint8]:
    """Read a picture in its own shape, neither cropped nor stretched, at a size that the network can work on.

    It fits a frame of `largest` times the network's input, and is enlarged where it is smaller than the input itself.

    Args:
        data: A file's bytes.
        input: What the network takes.
        largest: At least 1.

    Returns:
        Pixels, shape (height, width, channels), 0 to 255, in the network's order of channels.

    Raises:
        ImageError: As `read_pixels`; or a picture so narrow that the network sees nothing of it.
    """
    array = data.startswith(MAGIC)
    picture = decode_array(data) if array else decode(data, alpha=input.channels == ALPHA)
    width, height = _planes(picture, input)[0].size
    fit = min(input.width / width, input.height / height)
    scale = min(max(1.0, fit), largest * fit)
    width, height = max(1, round(width * scale)), max(1, round(height * scale))
    if min(width, height) < NARROWEST:
        raise ImageError(f"the picture is {width} x {height} pixels where the network sees it; crop it to be at least "
                         f"{NARROWEST} pixels wide and high there")  # fmt: skip
    return preprocess(picture, input.model_copy(update={"width": width, "height": height, "crop": None}))


def preprocess(picture: Image.Image | NDArray[np.uint8], input: InputCard) -> NDArray[np.uint8]:
    """Make of a picture the pixels that the network sees, before they are scaled and normalised.

    The shorter side goes to `resize` (bilinear with antialiasing, as torchvision does it on PIL pictures), then the
    centre is cropped. Without a crop the whole picture is resized to the network's size. A picture too small for the
    crop is enlarged to cover it, where torchvision would pad with black.

    Args:
        picture: Any PIL picture, whose EXIF orientation is honoured; or an array of the network's channels, shape
            (height, width, channels), 0 to 255.
        input: What the network takes; with order BGR the channels come out reversed.

    Returns:
        Pixels, shape (height, width, channels), 0 to 255.

    Raises:
        ImageError: The picture does not have the network's channels.
    """
    planes = _planes(picture, input)
    width, height, left, top = _resized_and_offset(planes[0].size, input)
    if planes[0].size != (width, height):
        planes = [plane.resize((width, height), Image.Resampling.BILINEAR) for plane in planes]
    box = (left, top, left + input.width, top + input.height)
    seen = [np.asarray(plane.crop(box), dtype=np.uint8).reshape(input.height, input.width, -1) for plane in planes]
    pixels = np.concatenate(seen, axis=2)
    return np.ascontiguousarray(pixels[:, :, ::-1] if input.order == "BGR" else pixels)


def _planes(picture: Image.Image | NDArray[np.uint8], input: InputCard) -> list[Image.Image]:
    """The picture upright in one piece, an array as one grey picture a channel."""
    if isinstance(picture, Image.Image):
        mode = PICTURE_MODES.get(input.channels)
        if mode is None:
            raise ImageError(
                f"a picture has 1, 3 or 4 channels; the model takes {input.channels}: give arrays (.npy) of the shape "
                "(height, width, channels)"
            )
        return [ImageOps.exif_transpose(picture).convert(mode)]
    if picture.shape[2] != input.channels:
        raise ImageError(f"an array of {picture.shape[2]} channels; the model takes {input.channels}")
    return [Image.fromarray(np.ascontiguousarray(picture[:, :, channel])) for channel in range(input.channels)]


def source_box(picture_size: tuple[int, int], input: InputCard, box: Box) -> Box:
    """Find in the original picture what a box of the network's pixels shows.

    Args:
        picture_size: Width and height of the upright original.
        input: The card by which the picture was preprocessed.
        box: Left, top, right, bottom in the network's pixels; it may reach over the edges.

    Returns:
        Left, top, right, bottom in the original's pixels, not clipped.
    """
    width, height, left, top = _resized_and_offset(picture_size, input)
    across, down = picture_size[0] / width, picture_size[1] / height
    return ((box[0] + left) * across, (box[1] + top) * down, (box[2] + left) * across, (box[3] + top) * down)


def to_unit(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Scale pixels 0..255, shape (n, height, width, channels), to float32 0..1, shape (n, channels, height, width)."""
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255))


def _resized_and_offset(size: tuple[int, int], input: InputCard) -> tuple[int, int, int, int]:
    """Width and height after resizing, left and top of the crop."""
    if input.crop is None:
        return input.width, input.height, 0, 0
    width, height = size
    if input.resize is not None:
        width, height = _with_shorter_side(width, height, input.resize)
    if width < input.width or height < input.height:
        scale = max(input.width / width, input.height / height)
        width, height = max(input.width, round(width * scale)), max(input.height, round(height * scale))
    # round to even at halves, as torchvision's center_crop
    return width, height, round((width - input.width) / 2), round((height - input.height) / 2)


def _with_shorter_side(width: int, height: int, side: int) -> tuple[int, int]:
    if width <= height:
        return side, int(side * height / width)
    return int(side * width / height), side
