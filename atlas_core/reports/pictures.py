"""Pictures inside a page: as they are where that is little, else as large as a page shows them."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image

WIDE, LARGE = 1.8, 400
SMALL = 128
"""Pictures of fewer pixels a side are enlarged in whole pixels and not smoothed."""
KEPT, THUMBNAIL_KEPT = 96 * 1024, 12 * 1024
"""Bytes up to which a picture stays as it is."""
WIDEST, THUMBNAIL_WIDEST = 1600, 600
QUALITY = 85


@dataclass(frozen=True)
class Picture:
    """A picture inside the page.

    Args:
        address: Data URI.
        width: In pixels.
        height: In pixels.
    """

    address: str
    width: int
    height: int

    @property
    def is_wide(self) -> bool:
        """Whether it is several pictures beside each other, or a map, and wants all the room there is."""
        return self.width > WIDE * self.height or self.width > LARGE

    @property
    def is_small(self) -> bool:
        """Whether its pixels are to be seen."""
        return min(self.width, self.height) < SMALL


class Embedded:
    """Pictures of a page by name, each made when it is first shown.

    Args:
        files: PNG files by name.
        thumbnail: Whether they are for rows of tables.
    """

    def __init__(self, files: Mapping[str, bytes], *, thumbnail: bool = False) -> None:
        """Keep the files."""
        self._files, self._thumbnail = files, thumbnail
        self._made: dict[str, Picture] = {}

    def get(self, name: str | None) -> Picture | None:
        """A picture; None where none was kept."""
        if name is None or name not in self._files:
            return None
        if name not in self._made:
            self._made[name] = embedded(self._files[name], thumbnail=self._thumbnail)
        return self._made[name]


def embedded(png: bytes, *, thumbnail: bool = False) -> Picture:
    """A picture for a page, or for a row of a table in it.

    Args:
        png: A PNG file.
        thumbnail: Whether it is for a row.
    """
    kept, widest = (THUMBNAIL_KEPT, THUMBNAIL_WIDEST) if thumbnail else (KEPT, WIDEST)
    with Image.open(io.BytesIO(png)) as opened:
        if len(png) <= kept:
            return Picture(_address(png, "png"), *opened.size)
        picture = opened.convert("RGB")
    if picture.width > widest:
        picture = picture.resize(
            (widest, max(1, round(picture.height * widest / picture.width))), Image.Resampling.LANCZOS
        )
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=QUALITY)
    return Picture(_address(file.getvalue(), "webp"), *picture.size)


def _address(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
