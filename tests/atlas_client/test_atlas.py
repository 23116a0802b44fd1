from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from atlas_client.atlas import Atlas
from atlas_client.errors import BadInputError, ConflictError
from tests.corners import COLOURS, ICON, LAYERS, corner_cells, level_cells, level_poster, level_tiles, manifest

if TYPE_CHECKING:
    from tests.atlas_client.conftest import Answers


def _close(pixel: object, colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(np.array(pixel)[:3].astype(int) - colour).max() <= 12)


def _serve(server: Answers) -> str:
    """The hand-made atlas by the routes of the service."""
    server.add("GET /v1/atlases/c0ffee", body={"id": "c0ffee", "state": "succeeded", "manifest": manifest()})
    for layer in ("features.5", "stage%2F2"):
        for z, side in enumerate((4, 12)):
            level = f"GET /v1/atlases/c0ffee/layers/{layer}/levels/{z}"
            server.add(f"{level}/cells", body={"items": level_cells(side), "next_page_token": None})
            server.add(f"{level}/poster", body=level_poster(side))
            for (x, y), data in level_tiles(side).items():
                server.add(f"{level}/tiles/{x}/{y}", body=data)
    return f"{server.url}/?atlas=c0ffee"


@pytest.fixture(params=["folder", "service"])
def atlas(request: pytest.FixtureRequest, corners: Path, server: Answers) -> Iterator[Atlas]:
    with Atlas.open(corners if request.param == "folder" else _serve(server)) as atlas:
        yield atlas


def test_what_it_holds(atlas: Atlas) -> None:
    assert atlas.layers == list(LAYERS)
    assert atlas.levels("stage/2") == [4, 12]
    assert "features.5 4, 12" in repr(atlas)


@pytest.mark.parametrize("side", [4, 12])
def test_each_corner_is_found_at_that_corner(atlas: Atlas, side: int) -> None:
    poster = atlas.poster("stage/2", side)
    assert poster.size == (side * ICON, side * ICON)
    near, far = ICON // 2, side * ICON - ICON // 2
    places = {
        "top left": (near, near),
        "top right": (far, near),
        "bottom left": (near, far),
        "bottom right": (far, far),
    }
    for corner, (column, row) in corner_cells(side).items():
        assert _close(poster.getpixel(places[corner]), COLOURS[corner]), corner
        icon = atlas.icon("stage/2", side, column, row)
        assert icon.size == (ICON, ICON)
        assert icon.mode == "RGB"
        assert _close(icon.getpixel((ICON // 2, ICON // 2)), COLOURS[corner]), corner
    assert poster.getpixel((side * ICON // 2, side * ICON // 2)) == (255, 255, 255)


def test_cells_are_columns(atlas: Atlas) -> None:
    cells = atlas.cells("features.5", 12)
    assert cells["column"].tolist() == [0, 11, 0, 11]
    assert cells["row"].tolist() == [0, 0, 11, 11]
    assert cells["count"].tolist() == [10, 20, 30, 40]
    assert cells["images"].dtype == np.int64
    assert cells["whitened_cosine"].tolist() == [0.5] * 4
    assert cells["start_correlation"].tolist() == [0.4] * 4
    assert cells["marks"].tolist() == [[], ["grain"], [], []]
    assert cells["top_class"].tolist() == ["teapot"] * 4
    assert cells["top_attribution"].tolist() == [3.5] * 4
    assert cells["classes"][0][1]["name"] == "heron"
    assert cells["exemplars"][3][0]["image"] == "teapot/11-11.png"
    assert {len(column) for column in cells.values()} == {4}


def test_what_is_not_there(atlas: Atlas) -> None:
    with pytest.raises(BadInputError, match=r"no layer 'stage'; it has features\.5, stage/2"):
        atlas.levels("stage")
    with pytest.raises(BadInputError, match="no level of 5 cells a side; it has 4, 12"):
        atlas.cells("stage/2", 5)
    with pytest.raises(BadInputError, match="is empty"):
        atlas.icon("stage/2", 12, 5, 5)
    with pytest.raises(BadInputError, match="outside of a level of 12"):
        atlas.icon("stage/2", 12, 12, 0)


def test_in_a_notebook(atlas: Atlas) -> None:
    with Image.open(io.BytesIO(atlas._repr_png_())) as picture:
        assert picture.size == (192, 192)
        assert _close(picture.convert("RGB").getpixel((8, 184)), COLOURS["bottom left"])
    text = atlas._repr_html_()
    assert (
        "corner-net · features.5 · corner-world · 100 samples · 12 cells a side · icons seeded from data (recipe vivid)"
        in text
    )
    assert "data:image/png;base64," in text


def test_what_is_said_of_icons(atlas: Atlas) -> None:
    atlas.manifest |= {"seeded_from_data": False, "spec": {**atlas.manifest["spec"], "recipe": "pure"}}
    assert atlas.said_of_icons == "icons pure (recipe pure)"
    atlas.manifest["spec"]["recipe"] = "none"
    assert atlas.said_of_icons == "no icons"


@pytest.mark.parametrize("classes", [[], None])  # none, and none yet
def test_icons_without_measures_are_nan(corners: Path, monkeypatch: pytest.MonkeyPatch, classes: Any) -> None:
    atlas = Atlas.open(corners)
    bare = {**level_cells(4)[0], "icon": None, "classes": classes}
    monkeypatch.setattr(atlas._source, "cells", lambda layer, side: [bare])
    cells = atlas.cells("features.5", 4)
    assert np.isnan(cells["contrast"]).all()
    assert np.isnan(cells["top_attribution"]).all()
    assert cells["top_class"].tolist() == [None]


def test_an_atlas_that_is_not_published(server: Answers) -> None:
    server.add("GET /v1/atlases/a", body={"id": "a", "state": "running", "manifest": None})
    with pytest.raises(ConflictError, match="is running and not published yet"):
        Atlas.open(f"{server.url}/v1/atlases/a")


def test_samples_are_searched_in_a_service(corners: Path) -> None:
    with Atlas.open(corners) as atlas, pytest.raises(BadInputError, match="open it by its URL"):
        atlas.samples("features.5")
