"""The sheet of before and after: the same cells in every row, real patches from where they say, names beside rows."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from atlas_client.atlas import Atlas
from atlas_core.cards import resolve_dataset_card
from atlas_core.datasets.dataset import open_dataset
from atlas_core.errors import InputError
from atlas_core.registration import load_card
from benchmarks.before_after import CELLS, GAP, NAMES, PAPER, SHOWN, compose, real_patches, shared_cells
from tests.tiny import LAYER, write_cards

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo-atlas"


def test_cells_lie_evenly_over_the_level() -> None:
    cells = shared_cells({"one": Atlas.open(DEMO), "two": Atlas.open(DEMO)}, "features.7", 10)
    places = [(cell["row"], cell["column"]) for cell in cells]
    assert len(set(places)) == CELLS
    assert places == sorted(places)
    every = Atlas.open(DEMO).cells("features.7", 10)
    assert places[0] == (every["row"][0], every["column"][0])
    assert places[-1] == (every["row"][-1], every["column"][-1])


def test_atlases_with_other_cells_are_refused(tmp_path: Path) -> None:
    shutil.copytree(DEMO, tmp_path / "other")
    file = tmp_path / "other" / "features.7" / "10" / "cells.json"
    cells = json.loads(file.read_text())
    cells[3]["exemplars"][0]["row"] += 1
    file.write_text(json.dumps(cells))
    with pytest.raises(InputError, match=r"'then' has other cells at features\.7, side 10, than 'now'"):
        shared_cells({"now": Atlas.open(DEMO), "then": Atlas.open(tmp_path / "other")}, "features.7", 10)


def test_a_real_patch_is_what_the_receptive_field_saw(tmp_path: Path) -> None:
    card, listing = write_cards(tmp_path)
    model = load_card(card)
    with open_dataset(resolve_dataset_card(listing), lambda sha256: io.BytesIO()) as dataset:
        name = dataset.listing.images[0]
        (patch,) = real_patches([{"exemplar": {"image": name, "row": 3, "column": 4}}], model, dataset, LAYER)
        pixels = np.asarray(Image.open(io.BytesIO(dataset.read(name))).convert("RGB")).astype(np.float64)
    assert patch.size == (32, 32)  # .75 of the receptive field is less than the smallest canvas
    # the field's centre is at 7.5 + 8 * (row, column) = (31.5, 39.5), so the window begins half way into a pixel
    seen = sum(pixels[15 + down : 47 + down, 23 + right : 55 + right] for down in (0, 1) for right in (0, 1)) / 4
    np.testing.assert_allclose(np.asarray(patch), seen, atol=0.51)


def test_rows_stand_under_each_other_in_blocks() -> None:
    red, blue = (Image.new("RGB", (5, 5), colour) for colour in ("red", "blue"))
    sheet = np.asarray(compose({"above": [red, blue, red], "below": [blue, blue, red]}, across=2))
    step = SHOWN + GAP

    def at(column: int, line: int, below: int = 0) -> tuple[int, ...]:
        return tuple(sheet[below + line * step + SHOWN // 2, NAMES + column * step + SHOWN // 2].tolist())

    assert (at(0, 0), at(1, 0), at(0, 1), at(1, 1)) == ((255, 0, 0), (0, 0, 255), (0, 0, 255), (0, 0, 255))
    block = sheet.shape[0] - 2 * step
    assert (at(0, 0, block), at(0, 1, block), at(1, 0, block)) == ((255, 0, 0), (255, 0, 0), PAPER)
    assert (sheet[:SHOWN, : NAMES - 5] != 255).any()  # the name
