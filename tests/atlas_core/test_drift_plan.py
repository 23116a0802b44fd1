"""From a request to compare a dataset with an atlas to chunks that nothing else has to make again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from atlas_core import registry
from atlas_core.build import plan
from atlas_core.costs.quantities import ModelCost
from atlas_core.drift_plan import DriftRequest, plan_drift, points_of, resolve
from atlas_core.errors import SpecError, UnknownLayerError
from atlas_core.estimate import Estimate
from atlas_core.plan import Plan, lacking
from atlas_core.registration import register_cards
from tests.tiny import LAYER, write_dataset

if TYPE_CHECKING:
    from tests.atlas_core.conftest import TinyAtlas


@pytest.fixture(scope="module")
def other(tiny_atlas: TinyAtlas, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Id of another dataset of 75 pictures of the same kinds, 60 of which are the atlas's own."""
    card = write_dataset(tmp_path_factory.mktemp("other"), each=25)
    return register_cards(tiny_atlas.store, tiny_atlas.model, card)[1]


def planned(atlas: TinyAtlas, dataset: str, **options: Any) -> Plan:
    facts = registry.dataset_facts(atlas.store, dataset)
    request = resolve(DriftRequest(dataset=dataset, **options), atlas.plan, facts)
    return plan_drift(atlas.plan, request, facts)


def test_what_is_left_out_is_filled_in(tiny_atlas: TinyAtlas, other: str) -> None:
    facts = registry.dataset_facts(tiny_atlas.store, other)
    found = resolve(DriftRequest(dataset="an alias"), tiny_atlas.plan, facts)
    assert found.model_dump() == {
        "dataset": other, "layers": [LAYER], "images": 2000, "permutations": 999, "alpha": 0.05, "detect": 0.2,
        "seed": 0, "series": None,
    }  # fmt: skip


def test_what_cannot_be_compared_is_refused(tiny_atlas: TinyAtlas, other: str) -> None:
    facts = registry.dataset_facts(tiny_atlas.store, other)
    with pytest.raises(UnknownLayerError, match=f"no layer 'none'; it has {LAYER}") as error:
        resolve(DriftRequest(dataset=other, layers=[LAYER, "none"]), tiny_atlas.plan, facts)
    assert error.value.pointer == "/layers/1"
    with pytest.raises(SpecError, match="has 19 images, of which nothing can be said"):
        resolve(DriftRequest(dataset=other), tiny_atlas.plan, facts.model_copy(update={"images": 19}))
    with pytest.raises(ValidationError, match=r"with 99 permutations p is never under 0\.01"):
        DriftRequest(dataset=other, permutations=99, alpha=0.001)
    with pytest.raises(ValidationError):
        DriftRequest(dataset=other, series="with spaces")


def test_its_own_chunks_collect_the_dataset_place_both_and_compare(tiny_atlas: TinyAtlas, other: str) -> None:
    made = planned(tiny_atlas, other)
    assert (made.kind, made.atlas, made.spec) == ("drift", tiny_atlas.plan.id, tiny_atlas.plan.spec)
    steps = [(chunk.stage, chunk.parameters.get("step"), chunk.parameters.get("of")) for chunk in made.own]
    collected = [chunk for chunk in made.own if chunk.stage == "collect"]
    assert steps[len(collected) :] == [("publish", "landings", "atlas"), ("publish", "landings", "dataset"),
                                       ("publish", "drift", None)]  # fmt: skip
    assert [chunk.key for chunk in collected] == made.others[0].keys
    assert lacking(made, {chunk.key for chunk in tiny_atlas.plan.chunks}) == made.own
    assert all(Estimate(made, ModelCost()).cost(chunk).seconds > 0 for chunk in made.own)
    assert points_of(tiny_atlas.plan) == 4  # of 240 samples of 60 images
    assert {chunk.parameters["samples"] for chunk in collected} == {75 * 4}


def test_a_chunk_sees_the_dataset_that_it_is_about(tiny_atlas: TinyAtlas, other: str) -> None:
    made = planned(tiny_atlas, other)
    seen = {chunk.key: made.seen_by(chunk).dataset.id for chunk in made.chunks}
    assert {seen[key] for key in made.others[0].keys} == {other}
    assert {name for key, name in seen.items() if key not in made.others[0].keys} == {tiny_atlas.plan.dataset.id}
    assert tiny_atlas.plan.seen_by(tiny_atlas.plan.chunks[0]) is tiny_atlas.plan


def test_what_was_collected_for_an_atlas_serves_again(tiny_atlas: TinyAtlas, other: str) -> None:
    spec = tiny_atlas.plan.spec.model_copy(update={"dataset": other, "samples": 300})
    atlas = plan(spec, tiny_atlas.plan.model, registry.dataset_facts(tiny_atlas.store, other))
    made = planned(tiny_atlas, other)
    assert made.others[0].keys == [chunk.key for chunk in atlas.find("collect")]


def test_a_series_and_a_seed_are_jobs_of_their_own_and_compute_only_what_is_new(
    tiny_atlas: TinyAtlas, other: str
) -> None:
    made = planned(tiny_atlas, other)
    named = planned(tiny_atlas, other, series="week")
    seeded = planned(tiny_atlas, other, seed=1)
    assert len({made.id, named.id, seeded.id}) == 3
    assert made.chunks == named.chunks
    assert made.chunks[:-1] == seeded.chunks[:-1]
    assert made.chunks[-1].key != seeded.chunks[-1].key


def test_fewer_images_are_the_first_by_hashed_id(tiny_atlas: TinyAtlas, other: str) -> None:
    (chunk, *_) = [chunk for chunk in planned(tiny_atlas, other, images=30).own if chunk.stage == "collect"]
    assert (chunk.parameters["images"], chunk.parameters["samples"]) == (30, 120)


def test_an_atlas_compared_with_its_own_dataset_has_no_chunk_twice(tiny_atlas: TinyAtlas) -> None:
    made = planned(tiny_atlas, tiny_atlas.plan.dataset.id)
    keys = [chunk.key for chunk in made.chunks]
    assert len(keys) == len(set(keys))
    assert set(made.others[0].keys) <= set(keys[: made.ground])


def test_a_plan_is_read_as_it_was_written(tiny_atlas: TinyAtlas, other: str) -> None:
    made = planned(tiny_atlas, other)
    read = Plan.model_validate(made.model_dump(mode="json"))
    assert read.model_dump() == made.model_dump()
    assert [chunk.key for chunk in read.own] == [chunk.key for chunk in made.own]
