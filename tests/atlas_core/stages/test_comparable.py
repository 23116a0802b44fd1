"""Layers and versions on comparable maps: the predecessor's start, the anchor's fixed points, and what twins say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from atlas_core import registry, tables
from atlas_core.build import plan
from atlas_core.errors import ConflictError, SpecError
from atlas_core.layout.plane import unit_square, window
from atlas_core.layout.twins import procrustes, twin_distance, twins
from atlas_core.spec import parse_spec
from tests.atlas_core.conftest import TinyAtlas, planned, run_all
from tests.tiny import LAYER, REQUEST

if TYPE_CHECKING:
    from atlas_core.plan import Plan
    from atlas_core.runtime import Runtime

OTHER = "features.4"


def _layout(made: Plan, runtime: Runtime, layer: str = LAYER) -> tables.Table:
    (chunk,) = made.find("layout", layer=layer, step="optimise")
    return runtime.table(runtime.record(made, chunk.key)["blobs"]["layout"])


def _twins(made: Plan, runtime: Runtime, layer: str = LAYER) -> dict[str, Any]:
    (chunk,) = made.find("layout", layer=layer, step="twins")
    info: dict[str, Any] = runtime.record(made, chunk.key)["info"]
    return info


@pytest.fixture(scope="module")
def tuned(tiny_atlas: TinyAtlas, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Card of the tiny model with weights a little changed, as fine-tuning changes them."""
    folder = tmp_path_factory.mktemp("tuned")
    weights = load_file(tiny_atlas.model.parent / "weights.safetensors")
    torch.manual_seed(1)
    changed = {name: value + 0.05 * value.std() * torch.randn_like(value) for name, value in weights.items()}
    save_file(changed, folder / "weights.safetensors")
    return Path(shutil.copy(tiny_atlas.model, folder / "model.json"))


@pytest.fixture(scope="module")
def published(tiny_atlas: TinyAtlas) -> str:
    registry.update(tiny_atlas.store, "jobs", tiny_atlas.plan.id, state="succeeded", digest="-")
    return tiny_atlas.plan.id


def anchored(atlas: TinyAtlas, model: Path, anchor: str, **changes: Any) -> Plan:
    mine = planned(atlas.store, model, atlas.dataset, **changes)
    spec = parse_spec({**mine.spec.model_dump(), "anchor": anchor})
    return plan(spec, mine.model, mine.dataset, registry.anchor_facts(atlas.store, anchor))


def to_layout(stage: str) -> bool:
    return stage in ("collect", "layout")


def test_the_distance_to_the_layer_before_stands_beside_that_of_layouts_made_separately(
    tiny_atlas: TinyAtlas,
) -> None:
    made = planned(tiny_atlas.store, tiny_atlas.model, tiny_atlas.dataset, layers=[LAYER, OTHER])
    run_all(made, tiny_atlas.runtime, to_layout)
    found = _twins(made, tiny_atlas.runtime, OTHER)

    first, second = _layout(made, tiny_atlas.runtime), _layout(made, tiny_atlas.runtime, OTHER)
    twin = twins(second["image"], second["point"], first["image"], first["point"])
    kept = twin >= 0
    apart = twin_distance(second["layout"][kept], first["layout"][twin[kept]])
    assert found["distance"] == pytest.approx(apart, abs=1e-4)
    assert found["with"] == {"layer": LAYER}
    assert found["samples"] == kept.sum()
    assert 0 < found["noise_floor"] < found["separate"]

    alone = planned(tiny_atlas.store, tiny_atlas.model, tiny_atlas.dataset, layers=[OTHER])
    run_all(alone, tiny_atlas.runtime, to_layout)
    separate, theirs = _layout(alone, tiny_atlas.runtime, OTHER)["layout"][kept], first["layout"][twin[kept]]
    assert found["separate"] == pytest.approx(twin_distance(separate, theirs), abs=1e-4)
    assert found["separate_aligned"] == pytest.approx(twin_distance(procrustes(separate, theirs), theirs), abs=1e-4)
    assert made.find("layout", layer=LAYER, step="twins") == []


def test_a_changed_copy_is_laid_out_in_its_anchors_window_beside_its_twins(
    tiny_atlas: TinyAtlas, tuned: Path, published: str
) -> None:
    before = _layout(tiny_atlas.plan, tiny_atlas.runtime)
    held = {name: value.tobytes() for name, value in before.items()}
    made = anchored(tiny_atlas, tuned, published)
    run_all(made, tiny_atlas.runtime, to_layout)
    found, own = _twins(made, tiny_atlas.runtime), _layout(made, tiny_atlas.runtime)

    assert {name: value.tobytes() for name, value in before.items()} == held
    assert own["window"].tolist() == window(before["points"]).tolist()
    np.testing.assert_array_equal(own["layout"], unit_square(own["points"], own["window"])[0])
    assert found["with"] == {"atlas": published}
    assert found["samples"] == len(before["points"])
    assert found["distance"] < found["separate_aligned"]
    assert 0 < found["noise_floor"] < 0.1


def test_new_images_of_the_same_model_are_tied_by_their_neighbours(tiny_atlas: TinyAtlas, published: str) -> None:
    made = anchored(tiny_atlas, tiny_atlas.model, published, seed=REQUEST["seed"] + 1)
    run_all(made, tiny_atlas.runtime, to_layout)
    before, own = _layout(tiny_atlas.plan, tiny_atlas.runtime), _layout(made, tiny_atlas.runtime)
    found = _twins(made, tiny_atlas.runtime)
    assert found["samples"] == 0  # another seed, other points: no twins
    assert "distance" not in found
    same = np.array([np.median(before["layout"][before["image"] == image], axis=0) for image in own["image"]])
    random = np.random.default_rng(0).permutation(len(same))
    assert twin_distance(own["layout"], same) < 0.6 * twin_distance(own["layout"], same[random])


def test_an_anchor_that_does_not_fit_is_refused(tiny_atlas: TinyAtlas, tuned: Path, published: str) -> None:
    with pytest.raises(SpecError, match=rf"no layer 'features.4'; it has {LAYER}"):
        anchored(tiny_atlas, tiny_atlas.model, published, layers=[OTHER])
    with pytest.raises(SpecError, match="its dataset and its seed 3"):
        anchored(tiny_atlas, tuned, published, seed=4)
    with pytest.raises(SpecError, match="batch"):
        anchored(tiny_atlas, tiny_atlas.model, published, layout={"optimiser": "umap"})
    unfinished = planned(tiny_atlas.store, tiny_atlas.model, tiny_atlas.dataset, samples=200, levels=[3])
    registry.add_job(tiny_atlas.store, unfinished)
    with pytest.raises(ConflictError, match="succeeded"):
        registry.anchor_facts(tiny_atlas.store, unfinished.id)


def test_the_manifest_says_how_far_twins_lie_apart(tiny_atlas: TinyAtlas, tuned: Path, published: str) -> None:
    made = anchored(tiny_atlas, tuned, published, attribution="none", levels=[3])
    run_all(made, tiny_atlas.runtime)
    record = tiny_atlas.runtime.record(made, made.chunks[-1].key)
    manifest = json.loads(tiny_atlas.store.get_blob(record["blobs"]["manifest"]))
    assert manifest["layers"][LAYER]["twins"] == _twins(made, tiny_atlas.runtime)
    assert manifest["spec"]["anchor"] == published
