"""Decoding: three formats, nothing else, no broken files."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from atlas_core.datasets.decode import decode
from atlas_core.errors import ImageError


def encoded(picture: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_three_formats_are_known_by_their_signature(kind: str) -> None:
    picture = decode(encoded(Image.new("RGB", (6, 4), (200, 30, 60)), kind))

    assert (picture.mode, picture.size) == ("RGB", (6, 4))
    assert np.abs(np.asarray(picture)[2, 3].astype(int) - (200, 30, 60)).max() <= 6


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF"])
def test_other_formats_are_refused(kind: str) -> None:
    with pytest.raises(ImageError, match="no JPEG, PNG or WebP"):
        decode(encoded(Image.new("RGB", (6, 4)), kind))


def test_bytes_that_are_no_picture_are_refused() -> None:
    with pytest.raises(ImageError, match="no JPEG"):
        decode(b"hello")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_truncated_files_are_refused(kind: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    data = encoded(noise, kind)

    with pytest.raises(ImageError):
        decode(data[: len(data) // 2])


def test_large_pictures_are_refused_before_they_are_decoded() -> None:
    data = encoded(Image.new("RGB", (100, 50)), "PNG")

    assert decode(data, max_pixels=5000).size == (100, 50)
    with pytest.raises(ImageError, match="100 x 50 pixels"):
        decode(data, max_pixels=4999)


def test_sixteen_bit_greys_keep_their_range() -> None:
    grey = Image.fromarray(np.array([[0, 32768, 65535]], dtype=np.uint16))

    assert np.asarray(decode(encoded(grey, "PNG")))[0, :, 1].tolist() == [0, 128, 255]


def test_a_transparent_palette_gives_its_colours() -> None:
    picture = Image.new("P", (2, 2), 1)
    picture.putpalette([0, 0, 0, 10, 20, 30])
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", transparency=b"\x00\x80")

    assert decode(buffer.getvalue()).getpixel((1, 1)) == (10, 20, 30)


def test_an_orientation_is_kept_for_preprocessing() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.new("RGB", (6, 4)).save(buffer, "JPEG", exif=exif)

    assert decode(buffer.getvalue()).getexif()[0x0112] == 6


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow goes on after it
@pytest.mark.parametrize("broken", [b"Exif\0\0garbage!", b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_broken_orientation_does_not_break_the_picture(kind: str, broken: bytes) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (6, 4)).save(buffer, kind, exif=broken)

    picture = decode(buffer.getvalue())

    assert picture.size == (6, 4)
    assert dict(picture.getexif()) == {}
