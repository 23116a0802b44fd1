"""An atlas of more samples than landmarks: some are laid out, the others placed among them by chunks of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from atlas_core import build, mapping, registry, tables
from atlas_core.build import plan
from atlas_core.layout.twins import twins
from atlas_core.runtime import Runtime
from atlas_core.spec import parse_spec
from atlas_core.stages import run_chunk
from atlas_core.store import open_store
from tests.atlas_core.conftest import TinyAtlas, planned, run_all
from tests.atlas_core.stages.test_selections import selection_of
from tests.tiny import LAYER, REQUEST

if TYPE_CHECKING:
    from atlas_core.plan import Plan

OTHER = "features.4"
LANDMARKS = 100
CHANGES: dict[str, Any] = {"layout": {"landmarks": LANDMARKS}, "layers": [LAYER, OTHER], "levels": [3]}


@pytest.fixture(scope="module", autouse=True)
def small_chunks() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mapping, "PLACED_SAMPLES", 60)
        patch.setattr(build, "SHARD_IMAGES", 8)
        yield


@pytest.fixture(scope="module")
def made(tiny_atlas: TinyAtlas) -> Plan:
    made = planned(tiny_atlas.store, tiny_atlas.model, tiny_atlas.dataset, **CHANGES)
    run_all(made, tiny_atlas.runtime)
    return made


def _record(made: Plan, runtime: Runtime, step: str, layer: str = LAYER) -> dict[str, Any]:
    return runtime.record(made, made.find("layout", layer=layer, step=step)[0].key)


def test_placement_is_shared_out_and_joined(tiny_atlas: TinyAtlas, made: Plan) -> None:
    runtime = tiny_atlas.runtime
    shards = made.find("collect")
    placed = made.find("layout", layer=LAYER, step="place")
    assert len(placed) == REQUEST["samples"] // 60
    assert [key for chunk in placed for key in chunk.inputs[2:]] == [chunk.key for chunk in shards]
    joined = runtime.table(runtime.record(made, made.layout_of(LAYER).key)["blobs"]["layout"])
    samples = tables.concatenate([
        {name: runtime.table(runtime.record(made, chunk.key)["blobs"][f"layer {LAYER}"])[name]
         for name in ("image", "point")} for chunk in shards
    ])  # fmt: skip
    np.testing.assert_array_equal(joined["image"], samples["image"])
    np.testing.assert_array_equal(joined["point"], samples["point"])


def test_landmarks_keep_their_points_and_every_image_has_its_share(tiny_atlas: TinyAtlas, made: Plan) -> None:
    runtime = tiny_atlas.runtime
    laid = runtime.table(_record(made, runtime, "optimise")["blobs"]["layout"])
    joined = runtime.table(_record(made, runtime, "join")["blobs"]["layout"])
    assert len(laid["points"]) == LANDMARKS
    _, each = np.unique(laid["image"], return_counts=True)
    assert len(each) == 60
    assert each.max() <= 2
    own = twins(laid["image"], laid["point"], joined["image"], joined["point"])
    np.testing.assert_array_equal(joined["points"][own], laid["points"])
    np.testing.assert_array_equal(joined["layout"][own], laid["layout"])
    low, high = laid["points"].min(axis=0), laid["points"].max(axis=0)
    assert ((joined["points"] >= low - 2) & (joined["points"] <= high + 2)).all()  # they repel each other, too


def test_the_manifest_says_how_many_landmarks_there_are(tiny_atlas: TinyAtlas, made: Plan) -> None:
    record = tiny_atlas.runtime.record(made, made.chunks[-1].key)
    manifest = json.loads(tiny_atlas.store.get_blob(record["blobs"]["manifest"]))
    layout = manifest["layers"][LAYER]["layout"]
    assert layout["landmarks"] == LANDMARKS
    assert layout["measured_among"] == manifest["layers"][LAYER]["samples"]
    assert 0.5 < layout["trustworthiness"] <= 1
    assert manifest["layers"][OTHER]["twins"]["samples"] > 50  # of the landmarks
    assert "landmarks" not in tiny_atlas.manifest["layers"][LAYER]["layout"]


def test_any_worker_makes_the_same_bytes(tiny_atlas: TinyAtlas, made: Plan, tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    again = planned(store, tiny_atlas.model, tiny_atlas.dataset, **CHANGES)
    for chunk in again.chunks:
        if chunk.stage in ("collect", "layout"):
            run_chunk(again, chunk, Runtime(store))
    assert [chunk.key for chunk in again.chunks] == [chunk.key for chunk in made.chunks]
    for layer in (LAYER, OTHER):
        one, two = (
            held.get_record("layout", made.layout_of(layer).key) or {} for held in (tiny_atlas.store, store)
        )  # fmt: skip
        assert one["blobs"] == two["blobs"]


def test_others_are_laid_out_against_an_anchor_with_landmarks(tiny_atlas: TinyAtlas, made: Plan) -> None:
    registry.add_job(tiny_atlas.store, made)
    registry.update(tiny_atlas.store, "jobs", made.id, state="succeeded", digest="-")
    spec = parse_spec({**made.spec.model_dump(), "layers": [LAYER], "seed": made.spec.seed, "anchor": made.id})
    against = plan(spec, made.model, made.dataset, registry.anchor_facts(tiny_atlas.store, made.id))
    run_all(against, tiny_atlas.runtime, lambda stage: stage in ("collect", "layout"))
    found = _record(against, tiny_atlas.runtime, "twins")["info"]
    assert found["samples"] == LANDMARKS
    assert found["distance"] < 0.1  # of the very samples of the anchor
    assert 0 < found["noise_floor"] < 0.1
    joined = tiny_atlas.runtime.table(_record(against, tiny_atlas.runtime, "join")["blobs"]["layout"])
    before = tiny_atlas.runtime.table(_record(made, tiny_atlas.runtime, "join")["blobs"]["layout"])
    np.testing.assert_array_equal(joined["window"], before["window"])


def test_a_selection_of_very_many_samples_has_landmarks_of_its_own(tiny_atlas: TinyAtlas, made: Plan) -> None:
    plan = selection_of(tiny_atlas.runtime, made, kind="region", box=(0, 0, 1, 1), layer=OTHER, recipe="none", side=3)
    run_all(plan, tiny_atlas.runtime)
    near = tiny_atlas.runtime.record(plan, plan.find("layout", step="neighbours")[0].key)
    assert len(tiny_atlas.runtime.table(near["blobs"]["landmarks"])["image"]) == LANDMARKS
    laid = tiny_atlas.runtime.table(tiny_atlas.runtime.record(plan, plan.layout_of(OTHER).key)["blobs"]["layout"])
    whole = tiny_atlas.runtime.table(tiny_atlas.runtime.record(made, made.layout_of(OTHER).key)["blobs"]["layout"])
    for name in ("image", "point"):
        np.testing.assert_array_equal(laid[name], whole[name])
