"""Two models on the tiny atlas's samples, in this process: what changed is said, and what did not is not."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from atlas_core import tables
from atlas_core.stages.compared import Compared
from atlas_core.stages.step import Step
from atlas_core.stages.version_cells import looked_at, told_cells
from atlas_core.statistics import Together, adjusted
from atlas_core.versions.changes import changes, halves
from atlas_core.versions.plan import plan_versions, resolve
from atlas_core.versions.request import VersionsRequest
from tests.atlas_core.conftest import TinyAtlas, planned as with_changes, run_all
from tests.atlas_core.versions.damaged import damaged_model
from tests.tiny import CLASSES, LAYER

if TYPE_CHECKING:
    from pathlib import Path

    from atlas_core.facts import ModelFacts
    from atlas_core.plan import Plan


def planned(atlas: TinyAtlas, model: ModelFacts, **options: Any) -> Plan:
    request = resolve(VersionsRequest(atlas=atlas.plan.id, other=model.id, **options), atlas.plan, model)
    return plan_versions(atlas.plan, request, model)


def described(atlas: TinyAtlas, plan: Plan) -> dict[str, Any]:
    run_all(plan, atlas.runtime)
    record = atlas.store.get_record("publish", plan.chunks[-1].key)
    assert record is not None
    found: dict[str, Any] = json.loads(atlas.store.get_blob(record["blobs"]["description"]))
    assert record["info"]["digest"] == found["digest"]
    return found


@pytest.fixture(scope="module")
def itself(tiny_atlas: TinyAtlas) -> dict[str, Any]:
    return described(tiny_atlas, planned(tiny_atlas, tiny_atlas.plan.model))


@pytest.fixture(scope="module")
def said(tiny_atlas: TinyAtlas) -> np.ndarray:
    """The class that the tiny model takes each image for."""
    records = [tiny_atlas.runtime.record(tiny_atlas.plan, chunk.key) for chunk in tiny_atlas.plan.find("collect")]
    parts = [tiny_atlas.runtime.table(record["blobs"]["images"]) for record in records]
    return np.concatenate([part["logits"].argmax(axis=1) for part in parts])


@pytest.fixture(scope="module")
def damaged(
    tiny_atlas: TinyAtlas, said: np.ndarray, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Plan, dict[str, Any]]:
    """The copy that never says what the tiny model says most."""
    model = damaged_model(tiny_atlas, tmp_path_factory.mktemp("damaged"), int(np.bincount(said).argmax()))
    plan = planned(tiny_atlas, model)
    return plan, described(tiny_atlas, plan)


def test_a_model_and_itself_differ_by_nothing(itself: dict[str, Any]) -> None:
    (layer,) = itself["layers"]
    assert itself["findings"] == []
    assert itself["agreement"]["share"] == 1
    assert itself["accuracy"]["overall"]["change"] == 0
    assert layer["likeness"]["cka"]["value"] == layer["likeness"]["neighbours"]["value"] == pytest.approx(1)
    assert layer["cells"]["numbers"] == {"born": 0, "lost": 0, "moved": 0}
    assert layer["map"]["twins"]["distance"] < 0.1
    assert layer["map"]["retrieval"]["share"] > 0.2  # 2 of 155 samples are 1 %, and retrieved by chance
    assert all(one["changes"] == [] for one in layer["neighbourhoods"])
    assert all(one["nearest"]["old"] == one["nearest"]["new"] for one in layer["neighbourhoods"])


def test_a_damaged_class_is_named_and_shown(
    tiny_atlas: TinyAtlas, damaged: tuple[Plan, dict[str, Any]], said: np.ndarray
) -> None:
    plan, found = damaged
    name = CLASSES[int(np.bincount(said).argmax())]
    assert found["accuracy"]["damaged"] == [name]
    one = next(one for one in found["accuracy"]["classes"] if one["name"] == name)
    assert (one["new"], one["won"], one["verdict"]) == (0, 0, "damaged")
    assert one["q"] < 0.05
    assert len(one["examples"]) == min(8, one["lost"])
    assert all(example["image"].startswith(name) and example["now"] in CLASSES for example in one["examples"])
    record = tiny_atlas.runtime.record(plan, plan.chunks[-1].key)
    with Image.open(io.BytesIO(tiny_atlas.store.get_blob(record["blobs"][one["evidence"]]))) as picture:
        assert picture.size == (len(one["examples"]) * 100 - 4, 96)
    assert any(told["kind"] == "damaged" and name in told["text"] for told in found["findings"])
    (layer,) = found["layers"]
    assert layer["likeness"]["cka"]["value"] == pytest.approx(1)  # its features are the same
    assert layer["cells"]["numbers"] == {"born": 0, "lost": 0, "moved": 0}


def test_a_summary_can_be_quoted(tiny_atlas: TinyAtlas, damaged: tuple[Plan, dict[str, Any]]) -> None:
    plan, found = damaged
    record = tiny_atlas.store.get_record("publish", plan.chunks[-1].key)
    assert record is not None
    text = tiny_atlas.store.get_blob(record["blobs"]["summary"]).decode()
    assert text.startswith("**damaged against tiny** on 60 images of shapes: ")
    assert f"Damaged: {found['accuracy']['damaged'][0]}." in text
    assert len(text.splitlines()) <= 15
    assert record["info"]["summary"]["damaged"] == found["accuracy"]["damaged"]


def test_the_picture_shows_both_halves(tiny_atlas: TinyAtlas, damaged: tuple[Plan, dict[str, Any]]) -> None:
    _, found = damaged
    (layer,) = found["layers"]
    with Image.open(io.BytesIO(tiny_atlas.store.get_blob(layer["picture"]["sha256"]))) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    colourful = np.ptp(pixels, axis=2) > 40
    middle = pixels.shape[1] // 2
    assert colourful[:, :middle].sum() > 100
    assert colourful[:, middle:].sum() > 100


def test_the_points_of_both_halves_are_kept(tiny_atlas: TinyAtlas, damaged: tuple[Plan, dict[str, Any]]) -> None:
    plan, _ = damaged
    record = tiny_atlas.runtime.record(plan, plan.find("publish", step="version")[0].key)
    points = tables.unpack(tiny_atlas.store.get_blob(record["blobs"]["points"]))
    assert points["old"].shape == points["new"].shape == (len(points["old image"]), 2)
    assert points["old image"].tolist() == points["new image"].tolist()
    assert points["old"].min() >= 0
    assert points["new"].max() <= 1


def test_cells_that_changed_come_with_their_classes_and_patches(
    tiny_atlas: TinyAtlas, damaged: tuple[Plan, dict[str, Any]], tmp_path: Path
) -> None:
    """On a map made by hand, whose third class has gone from one corner to another."""
    plan, _ = damaged
    (chunk,) = plan.find("publish", step="version")
    both = Compared(Step(plan, chunk, tiny_atlas.runtime, lambda done, total: None, tmp_path))
    image = both.old.samples["image"]
    kind = both.label[image]
    corners = np.array([[0.1, 0.1], [0.9, 0.9], [0.1, 0.9]], np.float32)
    new = corners[kind] * 1.0
    new[kind == 2] = (0.9, 0.1)
    both.halves = halves(corners[kind], image, new, image, both.twin)
    both.found = changes(*both.halves, np.zeros(len(image)), both.side)
    looked, p = looked_at(both)
    told, _ = told_cells(looked, Together(p), both.alpha)
    assert told["numbers"] == {"born": 0, "lost": 0, "moved": 1}
    (one,) = told["moved"]
    last = both.side - 1
    assert ((one["column"], one["row"]), one["from"]) == ((last, last), {"column": 0, "row": 0})
    assert (one["images"], one["others"], one["astray"]) == (20, 0, 20)
    assert one["classes"] == [{"name": CLASSES[2], "share": 1.0}]
    assert len(one["exemplars"]) == 4
    where = set(zip(image.tolist(), both.old.places["row"].tolist(), both.old.places["column"].tolist(), strict=True))
    listed = tiny_atlas.runtime.dataset(plan).listing.images
    for patch in one["exemplars"]:
        assert patch["image"].startswith(CLASSES[2])
        assert (listed.index(patch["image"]), patch["row"], patch["column"]) in where
        assert (patch["of"], patch["layer"]) == ("new", LAYER)


def test_two_layers_of_one_model(tiny_atlas: TinyAtlas) -> None:
    request = VersionsRequest(atlas=tiny_atlas.plan.id, layers=[LAYER], other_layers=["features.7"])
    model = tiny_atlas.plan.model
    found = described(tiny_atlas, plan_versions(tiny_atlas.plan, resolve(request, tiny_atlas.plan, model), model))
    (layer,) = found["layers"]
    assert (layer["layer"], layer["other"]) == (LAYER, "features.7")
    assert found["accuracy"]["overall"]["change"] == 0
    assert 0.05 < layer["likeness"]["cka"]["value"] < 0.999
    assert layer["likeness"]["neighbours"]["value"] < 0.9


def test_q_is_adjusted_for_everything_that_was_looked_at(
    tiny_atlas: TinyAtlas, damaged: tuple[Plan, dict[str, Any]]
) -> None:
    plan, found = damaged
    (chunk,) = plan.find("publish", step="version")
    at_layer = tiny_atlas.runtime.table(tiny_atlas.runtime.record(plan, chunk.key)["blobs"]["p"])["p"]
    overall, classes = found["accuracy"]["overall"], found["accuracy"]["classes"]
    p = np.array([overall["p"], *(one["p"] for one in classes), *at_layer])
    assert len(p) > 1 + len(CLASSES)  # cells and neighbours, too
    q = adjusted(p)
    assert [one["q"] for one in (overall, *classes)] == pytest.approx(q[: 1 + len(classes)].tolist(), rel=1e-3)


def test_the_same_request_gives_the_same_bytes(tiny_atlas: TinyAtlas, damaged: tuple[Plan, dict[str, Any]]) -> None:
    plan, found = damaged
    for chunk in (*plan.find("layout", step="coupled"), *plan.find("publish", step="version"), plan.chunks[-1]):
        tiny_atlas.store.delete_record(chunk.stage, chunk.key)
    assert described(tiny_atlas, plan) == found


def test_strict_privacy_keeps_no_name_and_no_picture(
    tiny_atlas: TinyAtlas, damaged: tuple[Plan, dict[str, Any]]
) -> None:
    plan, _ = damaged
    atlas = with_changes(tiny_atlas.store, tiny_atlas.model, tiny_atlas.dataset, privacy="strict", recipe="none")
    model = plan.seen_as("new").model
    request = resolve(VersionsRequest(atlas=atlas.id, other=model.id), atlas, model)
    made = plan_versions(atlas, request, model)
    found = described(tiny_atlas, made)
    assert found["accuracy"]["damaged"]
    record = tiny_atlas.runtime.record(made, made.chunks[-1].key)
    assert [name for name in record["blobs"] if name.startswith("evidence")] == ["evidence-0"]  # points of a map
    assert ".png" not in json.dumps(found)


def test_of_very_many_samples_the_landmarks_are_compared(tiny_atlas: TinyAtlas) -> None:
    atlas = with_changes(tiny_atlas.store, tiny_atlas.model, tiny_atlas.dataset, layout={"landmarks": 100})
    request = resolve(VersionsRequest(atlas=atlas.id, other=atlas.model.id), atlas, atlas.model)
    made = plan_versions(atlas, request, atlas.model)
    found = described(tiny_atlas, made)
    assert (found["layers"][0]["samples"], found["findings"]) == (100, [])
    (chunk,) = made.find("publish", step="version")
    points = tiny_atlas.runtime.table(tiny_atlas.runtime.record(made, chunk.key)["blobs"]["points"])
    assert points["old"].shape == (100, 2)
