from __future__ import annotations

from pathlib import Path

import pytest

from atlas_client.errors import BadInputError
from atlas_client.place import Place, place_of


@pytest.mark.parametrize(
    ("text", "url", "name"),
    [
        ("http://h:8000/?atlas=ab12", "http://h:8000", "ab12"),
        ("https://h/maps/?atlas=ab12&layer=x", "https://h/maps", "ab12"),
        ("http://h:8000/v1/atlases/ab12", "http://h:8000", "ab12"),
        ("http://h/maps/v1/atlases/pan%40prod/events", "http://h/maps", "pan@prod"),
    ],
)
def test_urls(text: str, url: str, name: str) -> None:
    assert place_of(text) == Place(url=url, id=name)


def test_folder_and_id(corners: Path) -> None:
    assert place_of(corners) == Place(folder=corners)
    assert place_of("ab12", "http://h") == Place(url="http://h", id="ab12")


@pytest.mark.parametrize(
    ("text", "says"),
    [("http://h:8000/", "names no atlas"), ("ab12", "no folder ab12"), ("no/such", "no folder no/such")],
)
def test_neither(text: str, says: str) -> None:
    with pytest.raises(BadInputError, match=says):
        place_of(text)


def test_folder_without_manifest(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"holds no manifest\.json"):
        place_of(tmp_path, "http://h")
