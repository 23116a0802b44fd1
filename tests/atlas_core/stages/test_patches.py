"""The patch test on a network made by hand: the square turns discs red, and the test finds it by itself."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from atlas_core import registry
from atlas_core.audit.patches import PatchRequest, plan_patches, resolve
from atlas_core.build import plan
from atlas_core.errors import InputError, NotFoundError, SpecError, UnknownLayerError
from atlas_core.registration import register_cards
from atlas_core.runtime import Runtime
from atlas_core.spec import parse_spec
from atlas_core.stages import run_chunk
from atlas_core.store import Store, open_store
from tests.planted import CLASSES, LAYER, MAGENTA, write_network, write_world

if TYPE_CHECKING:
    from atlas_core.plan import Plan

CELLS = {"kind": "cells", "cells": [{"column": 0, "row": 4}]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("patches")
    write_world(folder, each=150)
    write_network(folder, planted=True)
    return folder


@pytest.fixture(scope="module")
def store(folder: Path) -> Store:
    return open_store(str(folder / "store"))


def atlas_of(store: Store, folder: Path, **changes: Any) -> Plan:
    model, dataset = register_cards(store, folder / "planted.json", folder / "dataset.json")
    facts = registry.dataset_facts(store, dataset)
    spec = parse_spec({"model": model, "dataset": dataset, "layers": [LAYER], "samples": 1200, "levels": [6], "seed": 0,
                       "recipe": "none", **changes})  # fmt: skip
    return plan(spec, registry.model_facts(store, model), facts)


@pytest.fixture(scope="module")
def atlas(store: Store, folder: Path) -> Plan:
    """Of 225 of the 450 images; the others are base images."""
    made = atlas_of(store, folder, images=225)
    runtime = Runtime(store)
    for chunk in made.needed([made.classes_of(LAYER).key]):
        run_chunk(made, chunk, runtime)
    return made


def cells_of(atlas: Plan, store: Store) -> list[dict[str, Any]]:
    record = store.get_record("cells", atlas.classes_of(LAYER).key)
    assert record is not None
    found: list[dict[str, Any]] = json.loads(store.get_blob(record["blobs"]["cells-6"]))
    return found


def asked(atlas: Plan, store: Store, **request: Any) -> tuple[Plan, dict[str, Any], dict[str, str]]:
    """Plan and run a test; gives the plan, the description and the blobs."""
    body = PatchRequest.model_validate({"target": "red", **request})
    made = plan_patches(atlas, resolve(body, atlas, None, lambda layer, side: cells_of(atlas, store)), None)
    runtime = Runtime(store)
    for chunk in made.chunks:
        run_chunk(made, chunk, runtime)
    record = store.get_record("publish", made.chunks[-1].key)
    assert record is not None
    return made, json.loads(store.get_blob(record["blobs"]["description"])), record["blobs"]


def square(store: Store) -> str:
    data = io.BytesIO()
    Image.new("RGB", (40, 40), MAGENTA).save(data, "PNG")
    return store.put_blob(data.getvalue())


def test_a_picture_of_ones_own_is_tested_beside_crops_and_noise(atlas: Plan, store: Store) -> None:
    patches = {"kind": "images", "images": [square(store)]}
    made, found, blobs = asked(atlas, store, patches=patches, sizes=[0.25], random=True, rivals=3)
    assert made.kind == "patches"
    assert (found["held_out"], found["target"]) == (True, {"index": 2, "name": "red"})
    assert found["base_images"] >= 100
    (patch,) = found["patches"]
    (size,) = patch["sizes"]
    assert size["fixed"]["share"] > 0.9
    assert size["random"]["share"] > 0.9
    assert size["corners"]["share"] >= size["fixed"]["share"]
    assert size["gain_rank"] == 1
    assert size["probability"]["fixed"] > 0.9
    assert patch["rivals"]["n"] == 3
    assert found["controls"]["noise"]["sizes"][0]["corners"]["share"] < 0.2
    assert found["controls"]["crops"]["sizes"][0]["corners"]["share"] < 0.7
    assert found["verdict"] == "flips"
    assert found["forward_passes"] > found["base_images"] * 5
    with Image.open(io.BytesIO(store.get_blob(blobs["sheet"]))) as picture:
        assert picture.width > 4 * 160


def test_the_test_finds_the_square_by_itself(atlas: Plan, store: Store) -> None:
    _, found, _ = asked(atlas, store, base="green", patches={"kind": "search", "count": 2}, sizes=[0.25])
    assert found["base"] == {"index": 1, "name": "green"}
    first = found["patches"][0]
    # The article's locomotive: the crop is from a picture that is neither of the base class nor of the target.
    assert first["source"]["exemplar"]["image"].startswith("blue/")
    assert first["sizes"][0]["fixed"]["share"] > 0.7
    with Image.open(io.BytesIO(store.get_blob(first["picture"]))) as picture:
        near = np.abs(np.asarray(picture.convert("RGB"), int) - MAGENTA).max(axis=2) < 40
    assert near.mean() > 0.2
    assert found["verdict"] == "inconclusive"  # fewer than 100 green images are held out and recognised
    assert "recognised base images or more" in found["needs"]


def test_cells_give_several_exemplars_each(atlas: Plan, store: Store) -> None:
    cell = {name: cells_of(atlas, store)[0][name] for name in ("column", "row")}
    patches = {"kind": "cells", "cells": [cell], "each": 2}
    _, found, _ = asked(atlas, store, patches=patches, sizes=[0.2, 0.4], images=20)
    assert len(found["patches"]) == 2
    assert [size["pixels"] for size in found["patches"][0]["sizes"]] == [6, 13]
    assert found["patches"][0]["source"]["exemplar"] != found["patches"][1]["source"]["exemplar"]
    assert found["base_images"] == 20


def test_the_same_request_is_the_same_job_and_the_same_bytes(atlas: Plan, store: Store) -> None:
    options: dict[str, Any] = {"patches": {"kind": "search", "count": 1}, "sizes": [0.25], "images": 30}
    made, found, _ = asked(atlas, store, **options)
    for chunk in made.own:
        store.delete_record(chunk.stage, chunk.key)
    again, second, _ = asked(atlas, store, **options)
    assert (again.id, second["digest"]) == (made.id, found["digest"])
    assert asked(atlas, store, **options, seed=4)[0].id != made.id


def test_the_atlass_own_dataset_by_name_is_no_other_one(atlas: Plan) -> None:
    plain, named = (PatchRequest.model_validate({"target": "red", "patches": {"kind": "images", "images": ["a" * 64]},
                                                 "dataset": name}) for name in (None, atlas.dataset.id))  # fmt: skip
    made = [plan_patches(atlas, resolve(one, atlas, facts, lambda layer, side: []), facts)
            for one, facts in ((plain, None), (named, atlas.dataset))]  # fmt: skip
    assert made[0] == made[1]
    assert made[1].others == ()


def test_an_atlas_of_all_images_is_tested_on_its_own_and_says_so(store: Store, folder: Path) -> None:
    whole = atlas_of(store, folder)
    runtime = Runtime(store)
    for chunk in whole.needed([whole.classes_of(LAYER).key]):
        run_chunk(whole, chunk, runtime)
    patches = {"kind": "images", "images": [square(store)]}
    _, found, _ = asked(whole, store, patches=patches, sizes=[0.25], images=120)
    assert (found["held_out"], found["base_images"]) == (False, 120)
    assert found["verdict"] == "flips"


@pytest.mark.parametrize(
    ("request_", "error", "said"),
    [
        ({"target": "purple"}, NotFoundError, "no class 'purple'"),
        ({"base": 2}, InputError, "nothing could flip"),
        ({"patches": {**CELLS, "z": 3}}, NotFoundError, "no level 3"),
        ({"patches": {**CELLS, "layer": "none"}}, UnknownLayerError, "no layer 'none'"),
        ({"patches": {**CELLS, "cells": [{"column": 99, "row": 0}]}}, NotFoundError, "empty or outside"),
        ({"patches": {**CELLS, "icons": True}}, InputError, "has no icons"),
    ],
)
def test_what_cannot_be_tested_is_refused(
    atlas: Plan, store: Store, request_: dict[str, Any], error: type[Exception], said: str
) -> None:
    body = PatchRequest.model_validate({"target": "red", **request_})
    with pytest.raises(error, match=said):
        resolve(body, atlas, None, lambda layer, side: cells_of(atlas, store))


def test_privacy_and_labels_are_needed(atlas: Plan) -> None:
    strict = atlas.model_copy(update={"spec": atlas.spec.model_copy(update={"privacy": "strict"})})
    with pytest.raises(SpecError, match="keeps no picture"):
        resolve(PatchRequest(target="red"), strict, None, lambda layer, side: [])
    unlabelled = atlas.model_copy(update={"dataset": atlas.dataset.model_copy(update={"class_counts": None})})
    with pytest.raises(SpecError, match="has no labels"):
        resolve(PatchRequest(target="red"), unlabelled, None, lambda layer, side: [])
    assert len(CLASSES) == 3
