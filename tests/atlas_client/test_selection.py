from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atlas_client.atlas import Atlas
from atlas_client.selection import MAP, MARGIN, TITLE, draw_selection, title_of
from tests.landed import LAYER

NOTHING: dict[str, Any] = {
    "kind": "samples", "box": None, "polygon": None, "cells": None, "speaks_for": None, "label": None,
    "predicted": None, "wrong": False, "right": False,
}  # fmt: skip
SELECTED = {"layer": LAYER, "side": 4, "samples": 900, "images": 40}


def opened(corners: Path, **asked: Any) -> Atlas:
    atlas = Atlas.open(corners)
    atlas.manifest["model"]["classes"] = ["pan", "wok"]
    atlas.manifest["dataset"]["classes"] = ["pans", "woks"]
    atlas.manifest["selected"] = {**SELECTED, **asked}
    return atlas


@pytest.mark.parametrize(
    ("asked", "title"),
    [
        ({"kind": "class", "label": 1, "by": "rank"}, "wok, by rank"),
        ({"kind": "class", "label": 7, "by": "magnitude"}, "class 7, by magnitude"),
        ({"kind": "errors", "label": None}, "Images that the model gets wrong"),
        ({"kind": "errors", "label": 0}, "Images of pans that the model gets wrong"),
        ({"kind": "region", "box": [0.1, 0.2, 0.5, 1], "cells": None}, "The region 0.1, 0.2 to 0.5, 1"),
        ({"kind": "region", "box": None, "cells": [{}, {}]}, "2 cells of a map"),
        ({"kind": "region", "box": None, "cells": None, "polygon": [[0, 0]] * 5}, "A region of 5 corners"),
        (NOTHING | {"speaks_for": 0, "wrong": True}, "Samples for pan and that the model gets wrong"),
        (NOTHING | {"label": 1, "predicted": 0}, "Samples labelled woks and taken for pan"),
        (NOTHING | {"right": True, "cells": [{}]}, "Samples that the model gets right and of 1 cells of a map"),
    ],
)
def test_it_says_what_was_selected(corners: Path, asked: dict[str, Any], title: str) -> None:
    assert title_of(opened(corners, **asked)) == title


def test_it_shows_the_map(corners: Path) -> None:
    picture = draw_selection(opened(corners, kind="errors", label=None))
    red = np.asarray(picture).astype(int)[MARGIN + TITLE + 100, MARGIN + 100]
    assert red[0] > red[1] + 80  # the icon at the top left is red
    assert picture.width == 2 * MARGIN + MAP
