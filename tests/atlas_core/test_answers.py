"""What a folder holds beside its artifacts is what its cells and samples tell."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from atlas_core import tables
from atlas_core.manifest import artifact, verify
from tests.tiny import CLASSES, LAYER, REQUEST

if TYPE_CHECKING:
    from tests.atlas_core.conftest import TinyAtlas


def test_what_every_cell_adds_to_every_class_lies_beside_it(tiny_atlas: TinyAtlas) -> None:
    for side in REQUEST["levels"]:
        path = f"{LAYER}/{side}/attribution.safetensors"
        data = (tiny_atlas.directory / path).read_bytes()
        assert tiny_atlas.manifest["beside"][path] == artifact(data)
        attribution = tables.unpack(data)["attribution"]
        cells = json.loads((tiny_atlas.directory / LAYER / str(side) / "cells.json").read_text())
        assert attribution.shape == (len(CLASSES), len(cells))
        for cell, values in zip(cells, attribution.T, strict=True):
            for one in cell["classes"]:
                assert float(values[one["index"]]) == pytest.approx(one["attribution"], rel=2e-3, abs=1e-6)


def test_names_are_of_classes_and_regions(tiny_atlas: TinyAtlas) -> None:
    path = f"{LAYER}/names.json"
    assert (path in tiny_atlas.manifest["beside"]) == (tiny_atlas.directory / path).is_file()
    named = json.loads((tiny_atlas.directory / path).read_text()) if path in tiny_atlas.manifest["beside"] else []
    for one in named:
        assert one["name"] == CLASSES[one["classes"][0]]
        assert one["images"] >= 5
        assert one["bits"] >= 0.5


def test_they_are_outside_of_the_digest(tiny_atlas: TinyAtlas) -> None:
    assert verify(tiny_atlas.manifest)
    assert verify({**tiny_atlas.manifest, "beside": {}})
