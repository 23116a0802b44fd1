"""Selections and comparisons of the tiny atlas, made in this process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from atlas_core import registry
from atlas_core.class_index import ClassIndex
from atlas_core.costs.quantities import ModelCost
from atlas_core.errors import ConflictError, InputError, SpecError, UnknownLayerError
from atlas_core.estimate import Estimate
from atlas_core.manifest import manifest_of, verify
from atlas_core.runtime import Runtime
from atlas_core.search import SampleTable
from atlas_core.selection_plan import plan_selection, resolve, sized
from atlas_core.selections import PARSED, samples_of
from tests.atlas_core.conftest import TinyAtlas, planned as planned_atlas, run_all
from tests.tiny import LAYER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.plan import Plan


def table_of(atlas: TinyAtlas, plan: Plan, stage: str, name: str, **parameters: Any) -> list[dict[str, NDArray[Any]]]:
    """A table of every record of a stage."""
    return tables_of(atlas.runtime, plan, stage, name, **parameters)


def tables_of(runtime: Runtime, plan: Plan, stage: str, name: str, **parameters: Any) -> list[dict[str, NDArray[Any]]]:
    records = [runtime.record(plan, chunk.key) for chunk in plan.find(stage, **parameters)]
    return [runtime.table(record["blobs"][name]) for record in records if name in record["blobs"]]


def selection_of(runtime: Runtime, whole: Plan, **request: Any) -> Plan:
    """The plan of a selection of an atlas."""
    resolved = resolve(PARSED.validate_python(request), whole)
    where = {"layer": resolved.layer}
    (samples,) = tables_of(runtime, whole, "publish", "samples", step="samples", **where)
    indexes = tables_of(runtime, whole, "cells", "index", step="classes", **where)
    index = ClassIndex.from_tables(indexes[0]) if indexes else None
    return plan_selection(whole, resolved, sized(resolved, whole, SampleTable.from_tables(samples), index))


def planned(atlas: TinyAtlas, **request: Any) -> Plan:
    return selection_of(atlas.runtime, atlas.plan, **request)


def made(atlas: TinyAtlas, **request: Any) -> Plan:
    plan = planned(atlas, **request)
    run_all(plan, atlas.runtime)
    return plan


def attributions(atlas: TinyAtlas, plan: Plan) -> NDArray[np.float16]:
    return np.concatenate([table["attributions"] for table in table_of(atlas, plan, "attribute", "attributions")])


def samples(atlas: TinyAtlas, plan: Plan) -> dict[str, NDArray[Any]]:
    """All that was collected of an atlas, or gathered of a selection."""
    shards = table_of(atlas, plan, "collect", f"layer {LAYER}")
    return {name: np.concatenate([shard[name] for shard in shards]) for name in shards[0]}


def layout(atlas: TinyAtlas, plan: Plan) -> dict[str, NDArray[Any]]:
    return atlas.runtime.table(atlas.runtime.record(plan, plan.layout_of(LAYER).key)["blobs"]["layout"])


def check_is_map_of(atlas: TinyAtlas, plan: Plan, chosen: NDArray[np.intp]) -> None:
    """A selection's records hold the chosen samples, as the atlas has them, once each, and its layout lays them out."""
    whole, own = samples(atlas, atlas.plan), samples(atlas, plan)
    for name, values in own.items():
        np.testing.assert_array_equal(values, whole[name][chosen])
    laid = layout(atlas, plan)
    assert laid["image"].tolist() == own["image"].tolist()
    assert laid["point"].tolist() == own["point"].tolist()
    assert len(set(zip(own["image"].tolist(), own["point"].tolist(), strict=True))) == len(chosen)
    manifest = manifest_of(plan, atlas.store)
    assert verify(manifest)
    assert manifest["layers"][LAYER]["samples"] == len(chosen) == plan.request["samples"]  # type: ignore[index]
    assert manifest["selected"]["atlas"] == atlas.plan.id


def test_by_magnitude_are_the_strongest_positive_samples_of_the_class(tiny_atlas: TinyAtlas) -> None:
    plan = made(tiny_atlas, kind="class", label="square", by="magnitude", recipe="none")
    own = attributions(tiny_atlas, tiny_atlas.plan)[:, 1]
    check_is_map_of(tiny_atlas, plan, np.flatnonzero(own > 0))  # of fewer than 2,000 all
    np.testing.assert_allclose(attributions(tiny_atlas, plan)[:, 1], own[own > 0], atol=2e-3)


def test_by_rank_are_those_that_add_to_no_class_more(tiny_atlas: TinyAtlas) -> None:
    strongest = attributions(tiny_atlas, tiny_atlas.plan).argmax(axis=1)
    label = int(np.bincount(strongest).argmax())
    plan = made(tiny_atlas, kind="class", label=label, by="rank", recipe="none")
    check_is_map_of(tiny_atlas, plan, np.flatnonzero(strongest == label))


def test_a_rectangle_and_the_cells_that_it_covers_are_one_region(tiny_atlas: TinyAtlas) -> None:
    whole = layout(tiny_atlas, tiny_atlas.plan)["layout"]
    plan = made(tiny_atlas, kind="region", box=(0, 0, 2 / 3, 1), recipe="none")
    check_is_map_of(tiny_atlas, plan, np.flatnonzero(whole[:, 0] < np.float32(2 / 3)))
    cells = [{"column": column, "row": row} for column in (1, 0) for row in range(3)]
    same = made(tiny_atlas, kind="region", cells=cells, z=0, recipe="none")
    check_is_map_of(tiny_atlas, same, np.flatnonzero(whole[:, 0] < np.float32(2 / 3)))


def test_errors_are_the_samples_of_images_that_the_network_got_wrong(tiny_atlas: TinyAtlas) -> None:
    images = table_of(tiny_atlas, tiny_atlas.plan, "collect", "images")
    image, label, logits = (np.concatenate([table[name] for table in images]) for name in ("image", "label", "logits"))
    wrong = image[label != logits.argmax(axis=1)]
    plan = made(tiny_atlas, kind="errors", recipe="none")
    check_is_map_of(tiny_atlas, plan, np.flatnonzero(np.isin(samples(tiny_atlas, tiny_atlas.plan)["image"], wrong)))
    assert plan.request is not None
    assert plan.request["images"] == len(wrong)


def test_a_polygon_is_a_region_too(tiny_atlas: TinyAtlas) -> None:
    whole = layout(tiny_atlas, tiny_atlas.plan)["layout"].astype(float)
    plan = made(tiny_atlas, kind="region", polygon=[(0, 0), (1, 0), (0, 1)], recipe="none")
    check_is_map_of(tiny_atlas, plan, np.flatnonzero(whole.sum(axis=1) < 1))


def test_samples_by_several_things_are_those_of_which_all_holds(tiny_atlas: TinyAtlas) -> None:
    whole, own = layout(tiny_atlas, tiny_atlas.plan)["layout"], attributions(tiny_atlas, tiny_atlas.plan)
    images = table_of(tiny_atlas, tiny_atlas.plan, "collect", "images")
    image, label, logits = (np.concatenate([table[name] for table in images]) for name in ("image", "label", "logits"))
    owner = np.searchsorted(image, samples(tiny_atlas, tiny_atlas.plan)["image"])
    predicted = logits.argmax(axis=1)[owner]
    left = whole[:, 0] < np.float32(0.6)
    for asked, chosen in (
        ({"box": (0, 0, 0.6, 1), "speaks_for": "square"}, left & (own[:, 1] > 0)),
        ({"speaks_for": 1, "by": "rank"}, own.argmax(axis=1) == 1),
        ({"box": (0, 0, 0.6, 1), "wrong": True}, left & (label[owner] != predicted)),
        ({"label": 2}, label[owner] == 2),
        ({"polygon": [(0, 0), (0.6, 0), (0.6, 1), (0, 1)], "right": True}, left & (label[owner] == predicted)),
        ({"cells": [{"column": 0, "row": row} for row in range(3)], "predicted": int(predicted[0])},
         (whole[:, 0] < np.float32(1 / 3)) & (predicted == predicted[0])),
    ):  # fmt: skip
        request = resolve(PARSED.validate_python({"kind": "samples", **asked}), tiny_atlas.plan)
        (table,) = table_of(tiny_atlas, tiny_atlas.plan, "publish", "samples", step="samples")
        (index,) = table_of(tiny_atlas, tiny_atlas.plan, "cells", "index", step="classes")
        found = samples_of(request, SampleTable.from_tables(table), ClassIndex.from_tables(index), [3])
        assert found.tolist() == np.flatnonzero(chosen).tolist(), asked
    plan = made(tiny_atlas, kind="samples", box=(0, 0, 0.9, 1), speaks_for="square", recipe="none")
    check_is_map_of(tiny_atlas, plan, np.flatnonzero((whole[:, 0] < np.float32(0.9)) & (own[:, 1] > 0)))


def test_icons_are_whitened_as_the_atlas_s_are_and_drawn_by_the_recipe(tiny_atlas: TinyAtlas) -> None:
    plan = made(tiny_atlas, kind="class", label=1, side=2)
    (whole,), (own,) = (table_of(tiny_atlas, one, "cells", "whitening", step=None) for one in (tiny_atlas.plan, plan))
    for name, values in whole.items():
        np.testing.assert_array_equal(values, own[name])
    level = manifest_of(plan, tiny_atlas.store)["layers"][LAYER]["levels"][0]
    assert level["side"] == 2
    assert level["icons"]["whitened_cosine"]
    (record,) = [tiny_atlas.runtime.record(plan, chunk.key) for chunk in plan.find("publish", step="level")]
    cells = json.loads(tiny_atlas.store.get_blob(record["blobs"]["cells"]))
    assert all(cell["icon"] and cell["classes"] for cell in cells)


def test_another_process_makes_the_same_bytes(tiny_atlas: TinyAtlas) -> None:
    plan = made(tiny_atlas, kind="class", label=2, side=2)
    before = manifest_of(plan, tiny_atlas.store)["digest"]
    for chunk in plan.own:
        tiny_atlas.store.delete_record(chunk.stage, chunk.key)
    run_all(plan, Runtime(tiny_atlas.store))
    assert manifest_of(plan, tiny_atlas.store)["digest"] == before


def test_a_comparison_lies_along_the_difference_of_the_attributions(tiny_atlas: TinyAtlas) -> None:
    plan = made(tiny_atlas, kind="classes", classes=(0, "stripes"), recipe="none")
    whole = attributions(tiny_atlas, tiny_atlas.plan)
    chosen = np.flatnonzero((whole[:, 0] > 0) | (whole[:, 2] > 0))
    check_is_map_of(tiny_atlas, plan, chosen)
    own = attributions(tiny_atlas, plan).astype(float)
    difference = own[:, 2] - own[:, 0]
    scale = np.percentile(np.abs(difference), 99)
    laid = layout(tiny_atlas, plan)["layout"]
    np.testing.assert_allclose(laid[:, 0] * 2 - 1, np.clip(difference / scale, -1, 1), atol=1e-6)
    assert laid[:, 1].min() >= 0
    assert np.ptp(laid[:, 1]) > 0.9
    told = manifest_of(plan, tiny_atlas.store)["layers"][LAYER]["layout"]
    assert told["scale"] == pytest.approx(scale, rel=1e-4)
    assert told["classes"] == [0, 2]
    assert told["clamped"] == (np.abs(difference) >= scale).sum()
    assert told["trustworthiness"] > 0.6


@pytest.mark.parametrize(
    ("request_", "error", "said"),
    [
        ({"kind": "class", "label": "circle"}, InputError, "no class 'circle'; give an index from 0 to 2, or a name"),
        ({"kind": "class", "label": 3}, InputError, "no class 3"),
        ({"kind": "class", "label": 0, "layer": "features.99"}, UnknownLayerError, "it has features.5"),
        ({"kind": "errors", "label": "circle"}, InputError, "no class 'circle'"),
        ({"kind": "classes", "classes": (1, "square")}, InputError, "another one"),
        ({"kind": "region", "cells": [{"column": 3, "row": 0}]}, InputError, "3-0 lies outside of a level of 3"),
        ({"kind": "region", "cells": [{"column": 0, "row": 0}], "z": 2}, InputError, "no level 2; it has 0 to 1"),
        ({"kind": "region", "box": (0, 0, 0.05, 0.05)}, InputError, r"a map takes 20 images or more; select a larger"),
        ({"kind": "samples", "box": (0, 0, 0.05, 0.05)}, InputError, "leave some of the conditions out"),
        ({"kind": "samples", "predicted": "circle"}, InputError, "no class 'circle'"),
        ({"kind": "samples", "cells": [{"column": 3, "row": 0}], "label": 0}, InputError, "3-0 lies outside"),
        ({"kind": "samples"}, ValueError, "these are all samples, of which there is the atlas itself"),
        ({"kind": "samples", "wrong": True, "right": True}, ValueError, "no image is both"),
        ({"kind": "samples", "box": (0, 0, 1, 1), "polygon": [(0, 0), (1, 0), (0, 1)]}, ValueError, "give one of them"),
        ({"kind": "class", "label": 0, "side": 40}, SpecError, "40 cells a side take 10,560 samples"),
    ],
)
def test_what_cannot_be_made_is_refused_with_the_remedy(
    tiny_atlas: TinyAtlas, request_: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        planned(tiny_atlas, **request_)


def test_a_class_of_few_images_is_refused_by_their_number(tiny_atlas: TinyAtlas) -> None:
    (table,) = table_of(tiny_atlas, tiny_atlas.plan, "publish", "samples", step="samples")
    (index,) = table_of(tiny_atlas, tiny_atlas.plan, "cells", "index", step="classes")
    label = table["label"].copy()
    label[(label == 1) & (table["image"] % 2 == 0)] = 0
    relabelled = SampleTable.from_tables({**table, "label": label})
    resolved = resolve(PARSED.validate_python({"kind": "class", "label": 1}), tiny_atlas.plan)
    with pytest.raises(InputError, match="has 10 images of the class 'square', and what is said of a class takes 20"):
        sized(resolved, tiny_atlas.plan, relabelled, ClassIndex.from_tables(index))


def test_with_strict_privacy_no_picture_is_gathered(tiny_atlas: TinyAtlas) -> None:
    changes = {"privacy": "strict", "recipe": "none", "levels": [3]}
    whole = planned_atlas(tiny_atlas.store, tiny_atlas.model, tiny_atlas.dataset, **changes)
    run_all(whole, tiny_atlas.runtime)
    with pytest.raises(SpecError, match="of which privacy `strict` keeps none; ask for `pure`"):
        selection_of(tiny_atlas.runtime, whole, kind="class", label=1, recipe="vivid")
    plan = selection_of(tiny_atlas.runtime, whole, kind="class", label=1)
    run_all(plan, tiny_atlas.runtime)
    (shard,) = tables_of(tiny_atlas.runtime, plan, "collect", f"layer {LAYER}")
    assert "contrast" in shard
    assert "thumbnails" not in shard
    (record,) = [tiny_atlas.runtime.record(plan, chunk.key) for chunk in plan.find("publish", step="level")]
    cells = json.loads(tiny_atlas.store.get_blob(record["blobs"]["cells"]))
    assert [cell["exemplars"] for cell in cells] == [[]] * len(cells)


def test_an_atlas_without_an_index_of_classes_says_so(tiny_atlas: TinyAtlas) -> None:
    (table,) = table_of(tiny_atlas, tiny_atlas.plan, "publish", "samples", step="samples")
    resolved = resolve(PARSED.validate_python({"kind": "class", "label": 1}), tiny_atlas.plan)
    with pytest.raises(ConflictError, match="made by an earlier version, which kept no index of classes"):
        sized(resolved, tiny_atlas.plan, SampleTable.from_tables(table), None)


def test_every_chunk_of_a_selection_and_of_a_comparison_has_an_estimate(tiny_atlas: TinyAtlas) -> None:
    for request in ({"kind": "class", "label": 1}, {"kind": "classes", "classes": (0, 1)}):
        plan = planned(tiny_atlas, **request)
        estimate = Estimate(plan, ModelCost())
        assert all(estimate.cost(chunk).seconds > 0 for chunk in plan.chunks)
        (gathered,) = [estimate.cost(chunk) for chunk in plan.find("collect")]
        (whole,) = [estimate.cost(chunk) for chunk in tiny_atlas.plan.find("collect")]
        assert gathered.bytes < whole.bytes


def test_the_same_request_is_the_same_job_and_side_or_recipe_share_what_was_gathered(tiny_atlas: TinyAtlas) -> None:
    first, again = (planned(tiny_atlas, kind="class", label=name, recipe="none") for name in ("square", 1))
    other = planned(tiny_atlas, kind="class", label=1, recipe="pure", side=2)
    assert first.id == again.id != other.id
    assert [chunk.key for chunk in first.find("collect")] == [chunk.key for chunk in other.find("collect")]
    assert registry.add_job(tiny_atlas.store, first)["kind"] == "selection"
