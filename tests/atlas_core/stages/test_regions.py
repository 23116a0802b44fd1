"""Held-out images land on the map, and every region tells what the model makes of those in it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from atlas_core import registry
from atlas_core.audit.base import base_chunks
from atlas_core.audit.context import Context
from atlas_core.audit.regions import Options, Thresholds, chunks, judge
from atlas_core.binning import assign_cells
from atlas_core.build import plan
from atlas_core.errors import SpecError
from atlas_core.plan import Other, Plan
from atlas_core.registration import register_cards
from atlas_core.stages import run_chunk
from tests.tiny import LAYER, write_dataset

if TYPE_CHECKING:
    from atlas_core.tables import Table
    from tests.atlas_core.conftest import TinyAtlas

SIDE, LEAST, EACH = 3, 12, 40


@pytest.fixture(scope="module")
def other(tiny_atlas: TinyAtlas, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Held-out images: another dataset, of the same kinds."""
    return register_cards(tiny_atlas.store, tiny_atlas.model, write_dataset(tmp_path_factory.mktemp("o"), EACH))[1]


def audited(atlas: TinyAtlas, dataset: str, *, against_itself: bool = False) -> Plan:
    """The plan of a check of regions and of what it stands on."""
    made = plan(atlas.plan.spec.model_copy(update={"levels": [SIDE]}), atlas.plan.model, atlas.plan.dataset)
    facts = registry.dataset_facts(atlas.store, dataset)
    base = base_chunks(made, facts, 0)
    keys = [chunk.key for chunk in base]
    context = Context(made, tuple(keys), (LAYER,), SIDE, 0, 1000)
    if against_itself:
        context = Context(made, tuple(keys), (LAYER,), SIDE, 0, 1000, baseline=context)
    own = chunks(context, Options(least=LEAST))
    others = (Other(name="base", spec=made.spec, model=made.model, dataset=facts, keys=keys),)
    whole = made.model_copy(update={"chunks": (*made.chunks, *base, *own), "others": others, "kind": "audit"})
    return whole.model_copy(update={"chunks": whole.needed([own[-1].key])})


def measured(atlas: TinyAtlas, made: Plan) -> tuple[dict[str, Any], dict[str, str]]:
    for chunk in made.chunks:
        run_chunk(made, chunk, atlas.runtime)
    blobs = atlas.runtime.record(made, made.chunks[-1].key)["blobs"]
    return json.loads(atlas.store.get_blob(blobs["measured"])), blobs


def table(atlas: TinyAtlas, made: Plan, step: str, blob: str) -> Table:
    (chunk,) = made.find("publish", step=step)
    return atlas.runtime.table(atlas.runtime.record(made, chunk.key)["blobs"][blob])


def test_a_region_counts_each_of_its_images_once(tiny_atlas: TinyAtlas, other: str) -> None:
    made = audited(tiny_atlas, other)
    found, _ = measured(tiny_atlas, made)
    base, landed = table(tiny_atlas, made, "base", "base"), table(tiny_atlas, made, "landed", f"layer {LAYER}")
    wrong = dict(zip(base["image"].tolist(), (base["logits"].argmax(axis=1) != base["label"]).tolist(), strict=True))
    cells = assign_cells(landed["points"], SIDE)
    assert len(set(landed["image"].tolist())) == 3 * EACH == found["whole"]["images"]
    assert found["whole"]["wrong"] == sum(wrong.values())
    kinds = set()
    for one in found["regions"]:
        reach = 0 if one["cells"] == 1 else 1
        inside = (np.abs(cells - [one["column"], one["row"]]) <= reach).all(axis=1)
        images = set(landed["image"][inside].tolist())
        assert one["images"] == len(images) >= LEAST
        assert sorted(one["wrong_images"]) == sorted(image for image in images if wrong[image])
        assert one["wrong"] == len(one["wrong_images"]) >= sum(pair["images"] for pair in one["confused"])
        assert one["direction"]
        kinds.add(one["cells"])
    assert kinds == {1, 9}
    assert found["whole"]["covered"] == found["whole"]["asked"] == found["passes"] == 3 * EACH


def test_sheets_show_the_wrong_images_of_the_worst(tiny_atlas: TinyAtlas, other: str) -> None:
    found, blobs = measured(tiny_atlas, audited(tiny_atlas, other))
    shown = [entry["name"] for one in found["regions"] for entry in one["evidence"]]
    assert shown
    assert sorted(shown) == sorted(name for name in blobs if name != "measured")
    sheet = Image.open(io.BytesIO(tiny_atlas.store.get_blob(blobs[shown[0]])))
    assert sheet.width > 96


def test_against_itself_nothing_is_worse(tiny_atlas: TinyAtlas, other: str) -> None:
    found, _ = measured(tiny_atlas, audited(tiny_atlas, other, against_itself=True))
    assert all((one["paired"], one["lost"], one["won"]) == (True, 0, 0) for one in found["regions"])
    result = judge(found, Thresholds(worse=0))
    assert not [one for one in result.findings if one.statistics["kind"] == "worse"]


def test_a_dataset_without_labels_is_refused(tiny_atlas: TinyAtlas, tmp_path: Path) -> None:
    unlabelled = tiny_atlas.plan.dataset.model_copy(update={"classes": None, "name": "bare"})
    made = tiny_atlas.plan.model_copy(update={"dataset": unlabelled})
    with pytest.raises(SpecError, match="'bare' have no labels"):
        chunks(Context(made, (), (LAYER,), SIDE, 0, 1000), Options())
