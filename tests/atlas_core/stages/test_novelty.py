"""Novelty as an atlas has it: learnt while it is made, told with every projection."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from atlas_core import registry
from atlas_core.novelty import Novelty
from atlas_core.pooling import COPIES, ITSELF
from atlas_core.project import project_image
from atlas_core.runtime import Runtime
from atlas_core.spoiled import KINDS
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


def test_images_can_be_placed_before_anything_is_known_of_novelty(placing: tuple[Plan, Runtime]) -> None:
    made, runtime = placing
    whole = project_image(made, runtime, picture("disc", 1001))
    (novelty,) = made.find("publish", step="novelty")
    record = runtime.store.get_record("publish", novelty.key)
    assert record is not None
    runtime.store.delete_record("publish", novelty.key)
    other = Runtime(runtime.store)
    early = project_image(made, other, picture("disc", 1001))
    assert early["novelty"] is None
    assert "not complete" in early["novelty_reason"]
    assert early["layers"] == whole["layers"]
    runtime.store.put_record("publish", novelty.key, record)
    assert project_image(made, other, picture("disc", 1001)) == whole


def test_nothing_that_is_collected_is_of_a_copy_and_every_kind_of_copies_is_made(placing: tuple[Plan, Runtime]) -> None:
    made, runtime = placing

    def kept(stage: str, name: str, **which: str) -> list[np.ndarray]:
        records = [runtime.record(made, chunk.key) for chunk in made.find(stage, **which)]
        return [runtime.table(record["blobs"][name])["kind"] for record in records]

    assert set(np.concatenate(kept("collect", "novelty")).tolist()) == {ITSELF}
    copies = np.concatenate(kept("publish", "copies", step="copies"))
    assert len(copies) == IMAGES * min(len(KINDS), COPIES // IMAGES)
    assert set(copies.tolist()) == set(range(len(KINDS)))


def test_of_few_images_nothing_is_said_and_why(tiny_atlas: TinyAtlas) -> None:
    answer = project_image(tiny_atlas.plan, tiny_atlas.runtime, picture("disc", 77))
    assert answer["novelty"] is None
    assert answer["novelty_reason"] == "novelty needs an atlas of 100 images or more that can be read; this one has 60"
    assert tiny_atlas.manifest["novelty"]["reason"] == answer["novelty_reason"]
