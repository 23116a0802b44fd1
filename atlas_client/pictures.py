"""Pictures as bytes, ready to be sent."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TypeAlias

from PIL import Image

from atlas_client.errors import BadInputError

SIGNATURES = (
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
)

Picture: TypeAlias = "str | Path | bytes | Image.Image"


def media_type(data: bytes) -> str:
    """Media type of an image by its first bytes."""
    return next((kind for pattern, kind in SIGNATURES if pattern.match(data)), "application/octet-stream")


def picture_bytes(image: Picture) -> bytes:
    """The bytes to send for an image.

    Raises:
        BadInputError: The file cannot be read.
    """
    if isinstance(image, bytes):
        return image
    if isinstance(image, Image.Image):
        data = io.BytesIO()
        image.save(data, "PNG")
        return data.getvalue()
    try:
        return Path(image).read_bytes()
    except OSError as error:
        raise BadInputError(f"cannot read {image}: {error.strerror}") from None
