"""What goes with a class is found where the network goes by it, by its kind, and not where the network does not."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from PIL import Image

from atlas_core import registry
from atlas_core.audit.base import base_chunks
from atlas_core.audit.context import Context
from atlas_core.audit.properties import Options, Thresholds, chunks, judge
from atlas_core.audit.traits import COLOUR, SHARPNESS, TRAITS
from atlas_core.build import plan
from atlas_core.plan import Other, Plan
from atlas_core.registration import register_cards
from atlas_core.runtime import Runtime
from atlas_core.spec import parse_spec
from atlas_core.stages import run_chunk
from atlas_core.stages.giving import Trial
from atlas_core.stages.step import Step
from atlas_core.store import Store, open_store
from tests.planted import LAYER
from tests.propertied import write_network, write_world

if TYPE_CHECKING:
    from atlas_core.audit.findings import CheckResult

PASSES = 6000


class World(NamedTuple):
    """Where both networks and both datasets are registered."""

    store: Store
    networks: dict[str, str]
    dataset: str
    base: str


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("propertied")
    store = open_store(str(folder / ".store"))
    cards = {name: write_network(folder, planted=name == "planted") for name in ("planted", "clean")}
    seen, plain = write_world(folder / "seen", planted=True), write_world(folder / "plain", planted=False, first=1000)
    networks = {name: register_cards(store, card, seen)[0] for name, card in cards.items()}
    return World(store, networks, *(register_cards(store, cards["clean"], card)[1] for card in (seen, plain)))


def audited(world: World, network: str, **changes: Any) -> Plan:
    """The plan of a check of properties and of what it stands on."""
    model = registry.model_facts(world.store, world.networks[network])
    dataset, plain = (registry.dataset_facts(world.store, one) for one in (world.dataset, world.base))
    asked = {"model": model.id, "dataset": dataset.id, "layers": [LAYER], "samples": 720, "levels": [4],
             "recipe": "none"}  # fmt: skip
    atlas = plan(parse_spec(asked), model, dataset)
    base = base_chunks(atlas, plain, 0)
    keys = [chunk.key for chunk in base]
    given = {"side": 4, "seed": 0, "passes": PASSES, **changes}
    own = chunks(Context(atlas, tuple(keys), (LAYER,), **given), Options())
    other = Other(name="base", spec=atlas.spec, model=model, dataset=plain, keys=keys)
    whole = atlas.model_copy(update={"chunks": (*atlas.chunks, *base, *own), "others": (other,), "kind": "audit"})
    return whole.model_copy(update={"chunks": whole.needed([own[-1].key])})


def checked(world: World, made: Plan) -> tuple[CheckResult, dict[str, Any], dict[str, str]]:
    """What the check says, what it measured, and its blobs."""
    runtime = Runtime(world.store)
    for chunk in made.chunks:
        run_chunk(made, chunk, runtime)
    blobs = runtime.record(made, made.chunks[-1].key)["blobs"]
    measured = json.loads(world.store.get_blob(blobs["measured"]))
    return judge(measured, Thresholds()), measured, blobs


def test_each_kind_is_found_with_its_class_and_evidence(world: World) -> None:
    result, measured, blobs = checked(world, audited(world, "planted"))
    assert result.verdict == "fail"
    found = {(str(one.target and one.target.name), str(one.statistics["property"])) for one in result.findings}
    assert found == {("blue", "colour"), ("green", "texture"), ("red", "bottom right corner")}
    for finding in result.findings:
        assert finding.gate
        assert finding.direction
        assert finding.layer == LAYER
        interval, flips = finding.statistics["flips_interval"], finding.statistics["flips"]
        assert isinstance(interval, tuple)
        assert isinstance(flips, float)
        assert interval[0] < flips <= interval[1]
        assert {entry.role for entry in finding.evidence} == {"exemplar", "before", "after"}
        for entry in finding.evidence:
            assert Image.open(io.BytesIO(world.store.get_blob(blobs[str(entry.name)]))).format == "PNG"
    assert measured["base"]["images"] == 120
    assert result.coverage == 1
    assert 0 < result.forward_passes <= PASSES


def test_what_a_network_does_not_go_by_is_no_finding_though_it_goes_with_the_class(world: World) -> None:
    result, measured, _ = checked(world, audited(world, "clean"))
    assert (result.verdict, result.findings) == ("pass", [])
    strongest = {(one["class"], one["property"]) for one in measured["associations"] if one["separation"] > 0.9}
    assert {("red", "bottom right corner"), ("blue", "colour")} <= strongest


def test_the_same_seed_measures_the_same_in_one_part_or_many(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    _, first, _ = checked(world, audited(world, "planted"))
    monkeypatch.setattr("atlas_core.audit.context.PASSES_A_PART", 500)
    made = audited(world, "planted")
    assert len(made.find("publish", step="give")) == 3  # 39 pairs of 40 passes
    _, second, _ = checked(world, made)
    assert second == first


def test_a_budget_too_small_for_all_counts_against_coverage(world: World) -> None:
    result, measured, _ = checked(world, audited(world, "planted", passes=400))
    assert measured["passes"] <= 400 + 2 * Options().confirm
    assert 0 < result.coverage < 1


def test_strict_privacy_keeps_no_pictures(world: World) -> None:
    made = audited(world, "planted")
    strict = made.spec.model_copy(update={"privacy": "strict"})
    made = made.model_copy(update={"spec": strict})
    store, last = world.store, made.chunks[-1]
    for chunk in made.chunks:
        if chunk.parameters.get("step") in ("give again", "properties"):
            store.delete_record(chunk.stage, chunk.key)
    result, _, blobs = checked(world, made)
    assert set(blobs) == {"measured"}
    assert result.verdict == "fail"
    assert all(not one.evidence for one in result.findings)
    store.delete_record(last.stage, last.key)


def test_files_that_tell_classes_apart_are_told(world: World) -> None:
    _, measured, _ = checked(world, audited(world, "clean"))
    first = measured["files"][0]
    assert (first["name"], first["property"]) == ("green", "bytes a pixel")  # waves compress worst
    assert first["separation"] > 0.75


def test_the_same_picture_given_the_same_is_one_trial(world: World) -> None:
    made = audited(world, "planted")
    runtime = Runtime(world.store)
    part = next(chunk for chunk in made.chunks if chunk.parameters.get("step") == "give")
    for chunk in made.needed(part.inputs):
        run_chunk(made, chunk, runtime)
    trial = Trial(Step(made, part, runtime, lambda done, total: None, Path()))
    bases = trial.bench.bases(trial.bench.halves()[0])
    others = int((bases.label != 0).sum())
    for trait in TRAITS:
        most = len(trial.recipients(bases, 0, TRAITS.index(trait), 10_000))
        assert most == others * (1 if trait in (COLOUR, SHARPNESS) else 2)
