from typing import Any

import numpy as np

from atlas_core.search import SampleTable
from tests.atlas_core.conftest import TinyAtlas
from tests.tiny import CLASSES, LAYER


def _table(atlas: TinyAtlas, chunk: Any, name: str) -> dict[str, Any]:
    return atlas.runtime.table(atlas.runtime.record(atlas.plan, chunk.key)["blobs"][name])


def test_the_table_says_of_every_sample_where_it_is_from_and_where_it_lies(tiny_atlas: TinyAtlas) -> None:
    plan = tiny_atlas.plan
    found = SampleTable.from_tables(_table(tiny_atlas, plan.samples_of(LAYER), "samples"))
    shards = plan.find("collect")
    read = [_table(tiny_atlas, chunk, f"layer {LAYER}") for chunk in shards]
    layout = _table(tiny_atlas, plan.layout_of(LAYER), "layout")["layout"]
    assert np.diff(found.shards).tolist() == [len(shard["image"]) for shard in read]
    assert found.layout[found.place].tolist() == layout.tolist()
    for column in ("image", "row", "column"):
        expected = np.concatenate([shard[column] for shard in read])
        assert getattr(found, column)[found.place].tolist() == expected.tolist()


def test_the_table_knows_the_label_and_the_prediction_of_each_image(tiny_atlas: TinyAtlas) -> None:
    plan = tiny_atlas.plan
    found = SampleTable.from_tables(_table(tiny_atlas, plan.samples_of(LAYER), "samples"))
    images = tiny_atlas.runtime.dataset(plan).listing.images
    kinds = [images[image].split("/")[0] for image in found.image]
    assert [CLASSES[label] for label in found.label] == kinds
    predicted: dict[int, int] = {}
    for chunk in plan.find("collect"):
        table = _table(tiny_atlas, chunk, "images")
        predicted |= dict(zip(table["image"].tolist(), table["logits"].argmax(axis=1).tolist(), strict=True))
    assert found.predicted.tolist() == [predicted[image] for image in found.image.tolist()]
