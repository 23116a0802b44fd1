"""Done-when 5 of issue 6: ResNet-20 against itself, a fine-tuned copy, and one with one class's weights damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from atlas_core import registry, tables
from atlas_core.build import plan
from atlas_core.layout.coupled import joined
from atlas_core.layout.graph import graph
from atlas_core.layout.neighbours import neighbours
from atlas_core.layout.optimise import optimise
from atlas_core.layout.plane import jittered, start_points, unit_square
from atlas_core.registration import register_cards
from atlas_core.runtime import Runtime
from atlas_core.spec import parse_spec
from atlas_core.statistics import Together
from atlas_core.store import Store, open_store
from atlas_core.versions.changes import changes, halves, kinds
from atlas_core.versions.paired import compared as paired
from atlas_core.versions.plan import plan_versions, resolve
from atlas_core.versions.request import VersionsRequest
from tests.atlas_core.conftest import run_all
from tests.proof import copies

if TYPE_CHECKING:
    from atlas_core.plan import Plan
    from tests.proof.conftest import Report

pytestmark = pytest.mark.proof
LAYER = "/layer3/layer3.2/Relu_1_output_0"
CAT, FROG, TRUCK = 3, 6, 9


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return open_store(str(tmp_path_factory.mktemp("versions")))


@pytest.fixture(scope="module")
def old(shared: Path, store: Store) -> Plan:
    """Of an atlas of 8,000 samples of the 2,000 test pictures."""
    cards = shared / "cifar10"
    model, dataset = register_cards(store, cards / "model.json", cards / "dataset-test.json")
    spec = parse_spec({"model": model, "dataset": dataset, "layers": [LAYER], "samples": 8000, "recipe": "none",
                       "attribution": "none"})  # fmt: skip
    return plan(spec, registry.model_facts(store, model), registry.dataset_facts(store, dataset))


def compared(store: Store, old: Plan, shared: Path, card: Path, report: Report, what: str) -> dict[str, Any]:
    model, _ = register_cards(store, card, shared / "cifar10" / "dataset-test.json")
    facts = registry.model_facts(store, model)
    made = plan_versions(old, resolve(VersionsRequest(atlas=old.id, other=model), old, facts), facts)
    runtime = Runtime(store)
    run_all(made, runtime)
    record = runtime.record(made, made.chunks[-1].key)
    found: dict[str, Any] = json.loads(store.get_blob(record["blobs"]["description"]))
    layer, accuracy = found["layers"][0], found["accuracy"]
    report(
        f"ResNet-20 against {what}", findings=[one["text"] for one in found["findings"]],
        accuracy=[accuracy["overall"][name] for name in ("old", "new", "p")], damaged=accuracy["damaged"],
        improved=accuracy["improved"], agreement=found["agreement"]["share"],
        cka=layer["likeness"]["cka"], neighbours=layer["likeness"]["neighbours"], **layer["map"]["twins"],
        retrieval=layer["map"]["retrieval"], astray=layer["cells"]["astray"], cells=layer["cells"]["numbers"],
    )  # fmt: skip
    return found


def test_itself_differs_by_nothing(store: Store, old: Plan, shared: Path, report: Report) -> None:
    found = compared(store, old, shared, shared / "cifar10" / "model.json", report, "itself")
    layer = found["layers"][0]
    assert found["findings"] == []
    assert layer["likeness"]["cka"]["value"] == layer["likeness"]["neighbours"]["value"] == 1
    assert layer["map"]["twins"]["distance"] < 1.5 * layer["map"]["twins"]["floor"]
    assert layer["map"]["retrieval"]["share"] > 0.99


def test_a_fine_tuned_copy_differs_by_little(store: Store, old: Plan, shared: Path, work: Path, report: Report) -> None:
    card, losses = copies.tuned(shared / "cifar10", work / "gently", steps=60, rate=2e-6)
    report("ResNet-20, trained on gently", losses=losses)
    found = compared(store, old, shared, card, report, "a gently fine-tuned copy")
    layer = found["layers"][0]
    assert layer["cells"]["numbers"] == {"born": 0, "lost": 0, "moved": 0}
    assert all(one["changes"] == [] for one in layer["neighbourhoods"])
    assert layer["likeness"]["cka"]["value"] > 0.97
    assert layer["likeness"]["neighbours"]["high"] < 1
    assert all(abs(one["change"]) < 0.1 for one in found["accuracy"]["classes"])


def test_classes_that_a_usual_rate_changes_have_changed_on_other_pictures_too(
    store: Store, old: Plan, shared: Path, work: Path, report: Report
) -> None:
    """A rate ten times as high still looks gentle, and moves several classes: the truth, as fresh pictures show."""
    cards = shared / "cifar10"
    card, _ = copies.tuned(cards, work / "usually", steps=60, rate=2e-5)
    found = compared(store, old, shared, card, report, "a copy fine-tuned at a usual rate")
    before, after, labels = copies.told_of_unseen(cards, card, 3000, steps=60)
    told = [one for one in found["accuracy"]["classes"] if one["verdict"] is not None]
    fresh = [paired((before == labels)[mine], (after == labels)[mine])
             for one in told for mine in [labels == one["index"]]]  # fmt: skip
    changes = {one["name"]: (round(one["change"], 3), round(again.change, 3), f"{again.p:.2g}")
               for one, again in zip(told, fresh, strict=True)}  # fmt: skip
    report("classes changed by a usual rate: on the test pictures, on fresh ones", **changes)
    assert len(told) > 3
    assert all(one["change"] * again.change > 0 for one, again in zip(told, fresh, strict=True))
    assert sum(again.p < 0.05 for again in fresh) >= len(told) - 1


def test_one_trained_on_for_longer_differs_by_more(
    store: Store, old: Plan, shared: Path, tuned: Path, report: Report
) -> None:
    found = compared(store, old, shared, tuned, report, "one trained on a thousand times as fast")
    layer = found["layers"][0]
    assert layer["likeness"]["neighbours"]["value"] < 0.7
    assert layer["cells"]["astray"]["share"] > 10 * layer["cells"]["astray"]["floor"]
    assert found["accuracy"]["damaged"]


def test_a_damaged_class_is_named(store: Store, old: Plan, shared: Path, work: Path, report: Report) -> None:
    card = copies.damaged(shared / "cifar10", work / "damaged", CAT)
    found = compared(store, old, shared, card, report, "one with the weights of cat damaged")
    assert found["accuracy"]["damaged"] == ["cat"]
    assert found["accuracy"]["classes"][0]["name"] == "cat"
    layer = found["layers"][0]
    assert layer["likeness"]["cka"]["value"] == 1  # before the last layer nothing is damaged
    assert layer["cells"]["numbers"] == {"born": 0, "lost": 0, "moved": 0}


def test_a_class_that_came_to_look_like_another_is_found_beside_it(store: Store, old: Plan, report: Report) -> None:
    """Frogs whose activations are shifted by what tells trucks from frogs: no other sample changes."""
    runtime = Runtime(store)
    run_all(old, runtime, lambda stage: stage == "collect")
    shards = [runtime.record(old, chunk.key)["blobs"] for chunk in old.find("collect")]
    samples = tables.concatenate([{name: runtime.table(blobs[f"layer {LAYER}"])[name]
                                   for name in ("activations", "image")} for blobs in shards])  # fmt: skip
    label = runtime.dataset(old).listing.labels[samples["image"]]
    own = samples["activations"].astype(np.float32)
    shift = own[label == TRUCK].mean(axis=0) - own[label == FROG].mean(axis=0)
    changed = np.where((label == FROG)[:, None], np.maximum(own + shift, 0), own)
    first, second = (graph(neighbours(one, samples["image"])) for one in (own, changed))
    twin, start = np.arange(len(own)), start_points(own)
    maps = []
    for other, seed in ((second, 0), (first, 1)):
        both = np.concatenate([start, jittered(start, seed)])
        points = optimise(joined(first, other, twin), both, seed=seed)
        layout, _ = unit_square(points)
        maps.append((layout[: len(own)], layout[len(own) :]))
    halved = halves(maps[0][0], samples["image"], maps[0][1], samples["image"], twin)
    looked = changes(*halved, np.hypot(*(maps[1][0] - maps[1][1]).T), 20)
    found = kinds(looked.arrived, looked.left, Together(looked.p).q, 0.05)
    here = [label[change.samples] for change in (*found.born, *found.moved)]
    astray = halved[0].distance > looked.reach
    report("frogs that look as trucks do", born=len(found.born), lost=len(found.lost), moved=len(found.moved),
           frogs_astray=float(astray[label == FROG].mean()), others=float(astray[label != FROG].mean()))  # fmt: skip
    assert here
    assert all((kinds == FROG).mean() > 0.8 for kinds in here)
    assert astray[label == FROG].mean() > 0.2 > 20 * astray[label != FROG].mean()
