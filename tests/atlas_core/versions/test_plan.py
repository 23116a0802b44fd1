"""What is asked of two models becomes chunks: what was collected before serves again, and each sees its own model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from atlas_core import build
from atlas_core.costs.quantities import ModelCost
from atlas_core.errors import SpecError, UnknownLayerError
from atlas_core.estimate import Estimate
from atlas_core.plan import Plan, lacking
from atlas_core.versions.plan import plan_versions, resolve
from atlas_core.versions.request import VersionsRequest
from tests.atlas_core.versions.damaged import damaged_model
from tests.tiny import LAYER

if TYPE_CHECKING:
    from atlas_core.facts import ModelFacts
    from tests.atlas_core.conftest import TinyAtlas

DEEPER = "features.7"


@pytest.fixture(scope="module")
def other(tiny_atlas: TinyAtlas, tmp_path_factory: pytest.TempPathFactory) -> ModelFacts:
    return damaged_model(tiny_atlas, tmp_path_factory.mktemp("other"), 0)


def planned(atlas: TinyAtlas, model: ModelFacts, **options: Any) -> Plan:
    request = resolve(VersionsRequest(atlas=atlas.plan.id, other="an alias", **options), atlas.plan, model)
    return plan_versions(atlas.plan, request, model)


def steps(chunks: Any) -> list[tuple[str, str | None]]:
    return [(chunk.stage, chunk.parameters.get("step")) for chunk in chunks]


def test_its_own_chunks_collect_the_new_model_lay_both_out_and_tell(tiny_atlas: TinyAtlas, other: ModelFacts) -> None:
    made = planned(tiny_atlas, other)
    assert (made.kind, made.atlas, made.spec) == ("comparison", tiny_atlas.plan.id, tiny_atlas.plan.spec)
    own = [step for step in steps(made.own) if step[0] != "collect"]
    assert own == [("layout", "neighbours"), ("layout", "coupled"), ("layout", "coupled"), ("publish", "version"),
                   ("publish", "versions")]  # fmt: skip
    assert lacking(made, {chunk.key for chunk in tiny_atlas.plan.chunks}) == made.own
    assert made.request is not None
    assert {name: made.request[name] for name in ("other", "layers", "other_layers")} == {
        "other": other.id, "layers": [LAYER], "other_layers": [LAYER]}  # fmt: skip
    assert all(Estimate(made, ModelCost()).cost(chunk).seconds > 0 for chunk in made.own)


def test_a_chunk_sees_the_model_that_it_is_about(tiny_atlas: TinyAtlas, other: ModelFacts) -> None:
    made = planned(tiny_atlas, other)
    seen = {chunk.key: made.seen_by(chunk).model.id for chunk in made.chunks}
    mine = [chunk for chunk in made.own if chunk.stage == "collect" or chunk.parameters.get("step") == "neighbours"]
    assert {seen[chunk.key] for chunk in mine} == {other.id}
    assert {name for key, name in seen.items() if key not in {chunk.key for chunk in mine}} == {
        tiny_atlas.plan.model.id
    }


def test_what_was_collected_for_an_atlas_of_the_new_model_serves_again(
    tiny_atlas: TinyAtlas, other: ModelFacts
) -> None:
    spec = tiny_atlas.plan.spec.model_copy(update={"model": other.id})
    atlas = build.plan(spec, other, tiny_atlas.plan.dataset)
    keys = {chunk.key for chunk in atlas.chunks}
    shared = [chunk for chunk in planned(tiny_atlas, other).own if chunk.key in keys]
    assert steps(shared)[-1] == ("layout", "neighbours")
    assert [chunk for chunk in shared if chunk.stage == "collect"] == atlas.find("collect")


def test_a_model_beside_itself_is_collected_once(tiny_atlas: TinyAtlas) -> None:
    made = planned(tiny_atlas, tiny_atlas.plan.model)
    assert steps(made.own) == [("layout", "coupled"), ("layout", "coupled"), ("publish", "version"),
                               ("publish", "versions")]  # fmt: skip
    assert [chunk.parameters["seed"] for chunk in made.find("layout", step="coupled")] == [3, 4]


def test_two_layers_of_one_model_stand_beside_each_other(tiny_atlas: TinyAtlas) -> None:
    request = VersionsRequest(atlas=tiny_atlas.plan.id, layers=[LAYER], other_layers=[DEEPER])
    model = tiny_atlas.plan.model
    made = plan_versions(tiny_atlas.plan, resolve(request, tiny_atlas.plan, model), model)
    near = made.find("layout", step="neighbours")
    assert [chunk.parameters["layer"] for chunk in near] == [LAYER, DEEPER]
    (told,) = made.find("publish", step="version")
    assert (told.parameters["layer"], told.parameters["other"]) == (LAYER, DEEPER)


def test_without_an_atlas_everything_is_its_own(tiny_atlas: TinyAtlas, other: ModelFacts) -> None:
    old = tiny_atlas.plan
    request = VersionsRequest(model="a", dataset="b", layers=[LAYER], samples=240, seed=3, other="c")
    sampled = build.plan(request.sampled.model_copy(update={"model": old.model.id, "dataset": old.dataset.id}),
                         old.model, old.dataset)  # fmt: skip
    made = plan_versions(sampled, resolve(request, sampled, other), other)
    assert (made.atlas, made.ground) == (None, 0)
    assert made.own == list(made.chunks)
    assert made.find("collect")[: len(old.find("collect"))] == old.find("collect")
    assert made.request is not None
    assert (made.request["model"], made.request["dataset"]) == (old.model.id, old.dataset.id)


def test_what_cannot_be_compared_is_refused(tiny_atlas: TinyAtlas, other: ModelFacts) -> None:
    atlas = tiny_atlas.plan.id
    with pytest.raises(UnknownLayerError, match=f"no layer 'none'; it has {LAYER}") as error:
        planned(tiny_atlas, other, layers=["none"])
    assert error.value.pointer == "/layers/0"
    with pytest.raises(UnknownLayerError, match="has no layer 'none'"):
        planned(tiny_atlas, other, other_layers=["none"])
    with pytest.raises(SpecError, match="1 layers are compared with 2"):
        planned(tiny_atlas, other, other_layers=[LAYER, DEEPER])
    for wrong, said in (
        ({"other": "b"}, "model, dataset, layers is missing"),
        ({"atlas": atlas, "samples": 500, "other": "b"}, "leave out samples"),
        ({"atlas": atlas}, "name the `other` model"),
        ({"atlas": atlas, "layers": ["a"], "other_layers": ["b", "c"]}, "as many of both"),
        ({"atlas": atlas, "other": "b", "weight": 0}, "greater than or equal"),
    ):
        with pytest.raises(ValidationError, match=said):
            VersionsRequest(**wrong)


def test_a_plan_is_read_as_it_was_written_and_named_by_what_it_asks(tiny_atlas: TinyAtlas, other: ModelFacts) -> None:
    made = planned(tiny_atlas, other)
    assert Plan.model_validate(made.model_dump(mode="json")) == made
    heavier = planned(tiny_atlas, other, weight=2.0)
    assert made.id != heavier.id
    assert made.find("layout", step="neighbours") == heavier.find("layout", step="neighbours")
    assert planned(tiny_atlas, other, layers=[LAYER]).id == made.id
