"""From bytes to a picture, and nothing but pictures."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image, UnidentifiedImageError

from atlas_core.errors import ImageError

FORMATS = ("JPEG", "PNG", "WEBP")
MAX_PIXELS = 64_000_000
BROKEN = (OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, struct.error, zlib.error)


def decode(data: bytes, max_pixels: int = MAX_PIXELS, *, alpha: bool = False) -> Image.Image:
    """Decode a JPEG, PNG or WebP, known by its signature; of an animation the first frame.

    Transparency is dropped where it is not asked for; an EXIF orientation is kept in the picture's info for
    `preprocess` to honour.

    Args:
        data: The file's bytes.
        max_pixels: Larger pictures are refused before they are decoded.
        alpha: Keep transparency as a fourth channel.

    Returns:
        The picture, mode RGB, or RGBA where that is asked for.

    Raises:
        ImageError: No such picture, too many pixels, or a truncated or broken file.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            if picture.width * picture.height > max_pixels:
                raise ImageError(f"{picture.width} x {picture.height} pixels are more than the {max_pixels} taken")
            picture.load()
            _drop_broken_exif(picture)
            return _rgb(picture, alpha=alpha)
    except UnidentifiedImageError:
        raise ImageError("no JPEG, PNG or WebP picture, and no .npy array") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageError(f"more than the {max_pixels} pixels taken") from None
    except BROKEN as error:
        raise ImageError(f"a truncated or broken picture: {error}") from None


def _drop_broken_exif(picture: Image.Image) -> None:
    try:
        Image.Exif().load(picture.info.get("exif", b""))
    except BROKEN:
        picture.info.pop("exif", None)


def _rgb(picture: Image.Image, *, alpha: bool) -> Image.Image:
    mode = "RGBA" if alpha else "RGB"
    if picture.mode.startswith("I"):  # 16 bit greys, which Pillow would clip at 255
        grey = np.asarray(picture).astype(np.uint32) >> 8
        return Image.fromarray(grey.astype(np.uint8)).convert(mode)
    if picture.mode == "P" and "transparency" in picture.info:
        picture = picture.convert("RGBA")
    return picture.convert(mode)
