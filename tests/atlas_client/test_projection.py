from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from atlas_client.atlas import Atlas
from atlas_client.client import Client
from atlas_client.errors import BadInputError
from atlas_client.projection import Projection
from tests.corners import level_cells, level_poster, level_tiles, manifest
from tests.landed import LAYER, answer, image

if TYPE_CHECKING:
    from tests.atlas_client.conftest import Answers


def test_an_answer_is_a_dictionary_and_columns() -> None:
    found = Projection(answer())
    assert json.loads(json.dumps(found)) == answer()
    assert found.layers == [LAYER, "stage/2"]
    assert found.classes == [("heron", 0.75), ("tractor", 0.25)]
    assert found.typical_share(LAYER) == 0.6667
    columns = found.columns()
    assert columns["x"].tolist() == [0.1, 0.12, 0.9]
    assert columns["row"].tolist() == [0, 0, 1]
    assert columns["ambiguous"].tolist() == [False, True, False]
    assert {len(column) for column in found.columns("stage/2").values()} == {0}


def test_the_heat_map_has_the_share_of_positions_in_each_cell_with_the_top_row_first() -> None:
    found = Projection(answer())
    heat = found.to_heatmap(LAYER, 4)
    expected = np.zeros((4, 4))
    expected[0, 0], expected[3, 3] = 2 / 3, 1 / 3
    np.testing.assert_allclose(heat, expected)
    assert found.to_heatmap().shape == (12, 12)
    assert found.sides() == [4, 12]


@pytest.mark.parametrize(("layer", "side"), [("other", 4), (LAYER, 5)])
def test_what_is_not_there_is_named(layer: str, side: int) -> None:
    with pytest.raises(
        BadInputError, match=r"no layer 'other'; it has features.5, stage/2|of 5 cells a side; there are 4, 12"
    ):
        Projection(answer()).to_heatmap(layer, side)


def test_it_draws_itself_on_its_atlas(corners: Path) -> None:
    found = Projection(answer(), image(), "green.png", lambda: Atlas.open(corners))
    with Image.open(io.BytesIO(found.to_png(LAYER, 4))) as picture:
        assert picture.info["Description"] == "icons seeded from data (recipe vivid)"
        assert picture.size == found.picture(LAYER, 4).size
    shown = found._repr_png_()
    assert shown is not None
    assert shown.startswith(b"\x89PNG")


def test_without_an_atlas_there_is_nothing_to_draw() -> None:
    assert Projection(answer())._repr_png_() is None
    with pytest.raises(BadInputError, match=r"Client\.project"):
        Projection(answer()).picture()


def test_a_client_gives_what_it_draws_by(server: Answers, tmp_path: Path) -> None:
    server.add("POST /v1/atlases/c0ffee/projections", body=answer())
    server.add("GET /v1/atlases/c0ffee", body={"id": "c0ffee", "state": "succeeded", "manifest": manifest()})
    level = f"GET /v1/atlases/c0ffee/layers/{LAYER}/levels/1"
    server.add(f"{level}/cells", body={"items": level_cells(12), "next_page_token": None})
    server.add(f"{level}/poster", body=level_poster(12))
    for (x, y), data in level_tiles(12).items():
        server.add(f"{level}/tiles/{x}/{y}", body=data)
    file = tmp_path / "green.png"
    file.write_bytes(image())
    with Client(server.url) as client:
        found = client.project("c0ffee", file)
        assert (found.name, found.image) == ("green.png", image())
        assert found == answer()
        assert found.picture(LAYER).width > found.picture(LAYER).height
        assert client.project("c0ffee", image()).name == ""
