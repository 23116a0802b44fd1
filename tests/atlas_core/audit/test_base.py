"""Base images are those that the atlas did not sample, and the model has looked at each of them once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atlas_core import registry, tables
from atlas_core.audit import base
from atlas_core.audit.base import base_chunks, held_out
from atlas_core.build import plan
from atlas_core.models.preprocessing import read_pixels, to_unit
from atlas_core.plan import Other, Plan
from atlas_core.registration import register_cards
from atlas_core.runtime import Runtime
from atlas_core.stages import run_chunk
from tests.tiny import write_dataset

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.atlas_core.conftest import TinyAtlas


def audited(atlas: TinyAtlas, dataset: str | None = None) -> Plan:
    """A plan of an atlas of 40 of the 60 images, with the chunks that look at the others, or at another dataset."""
    spec = atlas.plan.spec.model_copy(update={"images": 40, "levels": [3]})
    made = plan(spec, atlas.plan.model, atlas.plan.dataset)
    facts = registry.dataset_facts(atlas.store, dataset or made.dataset.id)
    chunks = base_chunks(made, facts, 7)
    other = Other(name="base", spec=spec, model=made.model, dataset=facts, keys=[chunk.key for chunk in chunks])
    return made.model_copy(update={"chunks": (*made.chunks, *chunks), "ground": len(made.chunks), "kind": "audit",
                                   "others": () if dataset is None else (other,)})  # fmt: skip


def looked_at(atlas: TinyAtlas, made: Plan) -> tables.Table:
    runtime, parts = Runtime(atlas.store), []
    for chunk in made.own:
        run_chunk(made, chunk, runtime)
        parts.append(runtime.table(runtime.record(made, chunk.key)["blobs"]["base"]))
    return tables.concatenate(parts)


def test_base_images_are_those_that_the_atlas_did_not_sample(
    tiny_atlas: TinyAtlas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "A_CHUNK", 12)
    made = audited(tiny_atlas)
    runtime = Runtime(tiny_atlas.store)
    sampled = runtime.sampled(made)[0]
    held = held_out(runtime, made, 7)
    assert (len(sampled), len(held), len(made.own)) == (40, 20, 2)
    assert set(held.tolist()) | set(sampled.tolist()) == set(range(60))
    assert held_out(runtime, made, 8).tolist() != held.tolist()
    assert held_out(runtime, made, 7, most=5).tolist() == held[:5].tolist()
    found = looked_at(tiny_atlas, made)
    assert found["image"].tolist() == held.tolist()
    dataset = runtime.dataset(made)
    assert found["label"].tolist() == dataset.listing.labels[held].tolist()
    card = made.model.card
    pixels = read_pixels(dataset.read(dataset.listing.images[held[3]]), card.input)
    logits = runtime.model(card).activations(to_unit(pixels[None]), [], logits=True)[1]
    assert logits is not None
    np.testing.assert_allclose(found["logits"][3], logits[0], rtol=1e-4, atol=1e-5)


def test_of_another_dataset_all_are_base_images(tiny_atlas: TinyAtlas, tmp_path: Path) -> None:
    other = register_cards(tiny_atlas.store, tiny_atlas.model, write_dataset(tmp_path, each=4))[1]
    made = audited(tiny_atlas, other)
    found = looked_at(tiny_atlas, made)
    assert sorted(found["image"].tolist()) == list(range(12))


def test_atlases_that_sample_otherwise_leave_other_base_images(tiny_atlas: TinyAtlas) -> None:
    made = audited(tiny_atlas)
    for changes in ({"seed": made.spec.seed + 1}, {"samples": 30}, {"images": 41}):
        other = made.model_copy(update={"spec": made.spec.model_copy(update=changes)})
        runtime = Runtime(tiny_atlas.store)
        assert set(held_out(runtime, other, 7).tolist()) != set(held_out(runtime, made, 7).tolist())
        keys = {chunk.key for plan in (made, other) for chunk in base_chunks(plan, plan.dataset, 7)}
        assert len(keys) == 2


def test_an_atlas_of_all_images_leaves_none(tiny_atlas: TinyAtlas) -> None:
    assert base_chunks(tiny_atlas.plan, tiny_atlas.plan.dataset, 0) == []
    assert held_out(Runtime(tiny_atlas.store), tiny_atlas.plan, 0).tolist() == []
