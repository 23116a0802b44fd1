from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from atlas_core.reports.pictures import KEPT, THUMBNAIL_WIDEST, WIDEST, Picture, embedded


def png(width: int, height: int) -> bytes:
    """Noise, which no format makes small."""
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def held(picture: Picture) -> bytes:
    return base64.b64decode(picture.address.split(",")[1])


def test_a_little_picture_stays_as_it_is() -> None:
    data = png(96, 96)
    made = embedded(data)
    assert (made.address[:15], held(made), made.width, made.height) == ("data:image/png;", data, 96, 96)


def test_a_large_one_is_as_wide_as_a_page_shows_it() -> None:
    data = png(1800, 100)
    assert len(data) > KEPT
    made, row = embedded(data), embedded(data, thumbnail=True)
    assert (made.width, made.height, row.width, row.height) == (WIDEST, 89, THUMBNAIL_WIDEST, 33)
    assert len(held(made)) < len(data) / 2
    with Image.open(io.BytesIO(held(made))) as opened:
        assert (opened.format, opened.size) == ("WEBP", (WIDEST, 89))
    assert embedded(png(300, 300)).width == 300


def test_several_beside_each_other_are_wide_and_few_pixels_are_seen() -> None:
    one, eight, photograph = Picture("", 96, 96), Picture("", 8 * 24, 24), Picture("", 224, 224)
    assert [each.is_wide for each in (one, eight, photograph)] == [False, True, False]
    assert [each.is_small for each in (one, eight, photograph)] == [True, True, False]
