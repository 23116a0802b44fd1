"""Novelty as an atlas has it: learnt while it is made, told with every projection."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from atlas_core import registry
from atlas_core.novelty import Novelty
from atlas_core.project import project_image
from atlas_core.runtime import Runtime
from atlas_core.store import open_store
from tests.atlas_core.conftest import TinyAtlas, planned, run_all
from tests.tiny import CLASSES, LAYER, picture, write_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from atlas_core.plan import Plan

IMAGES = 120


@pytest.fixture(scope="module")
def placing(tiny_cards: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Runtime]:
    """An atlas of 120 pictures as far as images can be placed on it."""
    folder = tmp_path_factory.mktemp("novelty")
    store = open_store(str(folder / "store"))
    made = planned(store, tiny_cards[0], write_dataset(folder, IMAGES // len(CLASSES)), levels=[3], recipe="none",
                   attribution="none")  # fmt: skip
    registry.add_job(store, made)
    runtime = Runtime(store)
    run_all(made, runtime)
    return made, runtime


def test_novelty_does_not_depend_on_the_layers_and_positions_asked_for(placing: tuple[Plan, Runtime]) -> None:
    whole = project_image(*placing, picture("disc", 1001))
    part = project_image(*placing, picture("disc", 1001), [LAYER], "all")
    assert part["novelty"] == whole["novelty"]


def test_the_manifest_says_what_novelty_rests_on(placing: tuple[Plan, Runtime]) -> None:
    made, runtime = placing
    record = runtime.record(made, made.chunks[-1].key)
    manifest = json.loads(runtime.store.get_blob(record["blobs"]["manifest"]))
    found = manifest["novelty"]
    assert found["n"] == IMAGES
    assert found["reason"] is None
    assert all(0 <= value <= 1 for value in found["seen"].values())
    known = runtime.novelty(made)
    assert isinstance(known, Novelty)
    assert known.n == IMAGES
    assert runtime.store.blob_size(found["novelty"]) is not None


def test_of_few_images_nothing_is_said_and_why(tiny_atlas: TinyAtlas) -> None:
    answer = project_image(tiny_atlas.plan, tiny_atlas.runtime, picture("disc", 77))
    assert answer["novelty"] is None
    assert answer["novelty_reason"] == "novelty needs an atlas of 100 images or more that can be read; this one has 60"
    assert tiny_atlas.manifest["novelty"]["reason"] == answer["novelty_reason"]
