"""Done-when 3 of issue 6: the article's three patches on SqueezeNet and photographs, as an illustration."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atlas_core import registry
from atlas_core.audit.patches import PatchRequest, plan_patches, resolve
from atlas_core.build import plan
from atlas_core.registration import register_cards
from atlas_core.runtime import Runtime
from atlas_core.spec import parse_spec
from atlas_core.stages import run_chunk
from atlas_core.store import open_store

if TYPE_CHECKING:
    from atlas_core.plan import Plan
    from atlas_core.store import Store
    from tests.proof.conftest import Report

pytestmark = pytest.mark.proof
PAIRS = {"steam locomotive": (820, 983), "baseball": (429, 2), "carbonara": (959, 909)}
"""The class whose photograph is the patch, and the article's target: scuba diver, great white shark, wok."""
IMAGES, RIVALS, SIZE = 60, 50, 0.4


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return open_store(str(tmp_path_factory.mktemp("patches")))


@pytest.fixture(scope="module")
def atlas(shared: Path, store: Store) -> Plan:
    """Of half of the photographs, one a class; no map is needed for pictures of one's own."""
    return half_of(shared, store)


def half_of(shared: Path, store: Store) -> Plan:
    model, dataset = register_cards(store, shared / "imagenet" / "model.json", shared / "imagenet" / "dataset.json")
    facts = registry.dataset_facts(store, dataset)
    spec = parse_spec({"model": model, "dataset": dataset, "layers": ["features.12"], "samples": 600, "recipe": "none",
                       "attribution": "none", "images": facts.images // 2, "allow_sparse": True,
                       "levels": [4]})  # fmt: skip
    return plan(spec, registry.model_facts(store, model), facts)


def photograph(shared: Path, index: int) -> bytes:
    """The photograph of a class."""
    with zipfile.ZipFile(shared / "imagenet" / "images.zip") as archive:
        name = next(name for name in archive.namelist() if name.endswith(f"/{index:04d}.jpg"))
        return archive.read(name)


def on_others(atlas: Plan, store: Store, picture: bytes, target: int, images: int, rivals: int) -> dict[str, Any]:
    """Paste a picture on images of all other classes."""
    patches = {"kind": "images", "images": [store.put_blob(picture)]}
    request = PatchRequest.model_validate({"target": target, "patches": patches, "sizes": [SIZE], "images": images,
                                           "rivals": rivals})  # fmt: skip
    made = plan_patches(atlas, resolve(request, atlas, None, lambda layer, side: []), None)
    runtime = Runtime(store)
    for chunk in made.chunks:
        run_chunk(made, chunk, runtime)
    record = runtime.record(made, made.chunks[-1].key)
    found: dict[str, Any] = json.loads(store.get_blob(record["blobs"]["description"]))
    return found


@pytest.mark.parametrize("name", PAIRS)
def test_the_articles_patches_raise_their_targets(
    name: str, atlas: Plan, store: Store, shared: Path, report: Report
) -> None:
    patch, target = PAIRS[name]
    found = on_others(atlas, store, photograph(shared, patch), target, IMAGES, RIVALS)
    (one,) = found["patches"]
    size = one["sizes"][0]
    told = {"gain": size["gain"], "interval": size["gain_interval"], "rank": size["gain_rank"],
            "fixed": size["fixed"]["share"], "corners": size["corners"]["share"]}  # fmt: skip
    report(f"{name} pasted on others", target=found["target"]["name"], base_images=found["base_images"], **told,
           among=one["rivals"], verdict=found["verdict"])  # fmt: skip
    low, high = size["gain_interval"]
    assert low <= size["gain"] <= high
    assert 1 <= size["gain_rank"] <= 1000
    assert one["rivals"]["n"] == RIVALS
    # One picture a class is no control: whatever was measured, nothing is concluded.
    assert found["verdict"] == "inconclusive"
    assert found["needs"]
