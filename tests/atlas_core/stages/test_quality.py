"""How right the tiny model is, cell by cell, and what is told where nobody knows."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.binning import assign_cells
from atlas_core.quality import Quality
from tests.atlas_core.conftest import TinyAtlas, planned, run_all
from tests.tiny import CLASSES, LAYER, REQUEST, picture

if TYPE_CHECKING:
    from atlas_core.plan import Plan


def quality_record(atlas: TinyAtlas, plan: Plan) -> dict[str, Any]:
    return atlas.runtime.record(plan, plan.quality_of(LAYER).key)


def test_every_cell_tells_the_errors_of_the_images_in_it(tiny_atlas: TinyAtlas) -> None:
    plan, runtime = tiny_atlas.plan, tiny_atlas.runtime
    images = [runtime.table(runtime.record(plan, chunk.key)["blobs"]["images"]) for chunk in plan.find("collect")]
    place, label = (np.concatenate([table[name] for table in images]) for name in ("image", "label"))
    predicted = np.concatenate([table["logits"].argmax(axis=1) for table in images])
    wrong = dict(zip(place.tolist(), (predicted != label).tolist(), strict=True))
    layout = runtime.table(runtime.record(plan, plan.layout_of(LAYER).key)["blobs"]["layout"])
    record = quality_record(tiny_atlas, plan)
    for side in REQUEST["levels"]:
        found = Quality.from_tables(runtime.table(record["blobs"][f"quality-{side}"]))
        cells = json.loads((tiny_atlas.directory / LAYER / str(side) / "cells.json").read_bytes())
        assert len(found.images) == len(cells)
        for number, cell in enumerate(cells):
            inside = (assign_cells(layout["layout"], side) == [cell["column"], cell["row"]]).all(axis=1)
            own = sorted(set(layout["image"][inside].tolist()))
            assert found.image[found.start[number] : found.start[number + 1]].tolist() == own
            assert found.images[number] == cell["images"] == len(own)
            assert found.wrong[number] == sum(wrong[image] for image in own)
    assert record["info"]["images"] == 60
    assert record["info"]["error"] == round(float(np.mean(list(wrong.values()))), 5)


def test_it_is_published_with_the_atlas(tiny_atlas: TinyAtlas) -> None:
    record = quality_record(tiny_atlas, tiny_atlas.plan)
    assert tiny_atlas.manifest["layers"][LAYER]["quality"] == record["info"]
    for side in REQUEST["levels"]:
        entry = tiny_atlas.manifest["artifacts"][f"{LAYER}/{side}/quality.safetensors"]
        assert entry["sha256"] == record["blobs"][f"quality-{side}"]


def test_without_labels_there_is_a_reason_and_no_table(tiny_atlas: TinyAtlas, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for number in range(20):
            archive.writestr(f"{number}.png", picture(CLASSES[number % 3], number))
    card = tmp_path / "dataset.json"
    card.write_text(json.dumps({"name": "bare", "source": "images.zip"}))
    plan = planned(tiny_atlas.store, tiny_atlas.model, card, samples=100, levels=[3], recipe="none")
    run_all(plan, tiny_atlas.runtime)
    record = quality_record(tiny_atlas, plan)
    assert record["blobs"] == {}
    assert record["info"] == {"reason": "the images of 'bare' have no labels"}
