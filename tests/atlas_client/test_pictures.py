from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from atlas_client.errors import BadInputError
from atlas_client.pictures import media_type, picture_bytes

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (PNG, "image/png"),
        (b"RIFF\x0a\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"GIF89a", "application/octet-stream"),
    ],
)
def test_media_type(data: bytes, kind: str) -> None:
    assert media_type(data) == kind


def test_pictures_travel_as_png() -> None:
    assert picture_bytes(Image.new("RGB", (2, 2))).startswith(PNG)


def test_bytes_and_files_travel_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert picture_bytes(tmp_path / "x") == picture_bytes(str(tmp_path / "x")) == picture_bytes(b"abc") == b"abc"
    with pytest.raises(BadInputError, match=r"cannot read .*gone: No such file"):
        picture_bytes(tmp_path / "gone")
