"""From a request for an audit to chunks: half of the images mapped, the other half tested on, one verdict."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from atlas_core import registry
from atlas_core.audit.audit_plan import atlas_of, layers_of, plan_audit, resolve
from atlas_core.audit.checks import CHECKS
from atlas_core.audit.parties import AuditRequest, Parties, find_parties
from atlas_core.audit.policy import PolicyError, default_policy, parse_policy
from atlas_core.cards import DatasetCard, LayerInfo, ModelCard
from atlas_core.costs.quantities import ModelCost
from atlas_core.errors import CardError, SpecError
from atlas_core.estimate import Estimate
from atlas_core.facts import DatasetFacts, ModelFacts
from atlas_core.store import open_store

if TYPE_CHECKING:
    from atlas_core.plan import Plan

TODAY = date(2026, 5, 1)
CARD = ModelCard.model_validate({
    "name": "m", "format": "onnx", "source": "sha256:00", "labels": ["pan", "wok"],
    "input": {"channels": 3, "height": 64, "width": 64, "mean": [0.5] * 3, "std": [0.5] * 3},
})  # fmt: skip
LAYERS = [LayerInfo(name=f"block.{number}", shape=(8, 16, 16), block=True) for number in range(9)]
ODD = [LayerInfo(name="tail", shape=(8, 2, 2), block=True), LayerInfo(name="conv", shape=(8, 30, 30))]
MODEL = ModelFacts(id="model", card=CARD, layers=[*LAYERS, *ODD], classes=2)


def dataset(name: str, images: int = 600) -> DatasetFacts:
    counts = {"pan": images // 2, "wok": images - images // 2}
    return DatasetFacts(id=name, digest=f"digest of {name}", name=name, listing="", images=images,
                        classes=["pan", "wok"], class_counts=counts)  # fmt: skip


def parties(**changes: Any) -> Parties:
    found = {"model": MODEL, "dataset": dataset("all"), "base": None, "baseline": None, "drift": None,
             "forward_seconds": 0.01}  # fmt: skip
    return Parties(**{**found, **changes})


def planned(text: str | None = None, *, request: Any = None, **changes: Any) -> Plan:
    found = parties(**changes)
    asked = AuditRequest(model="by alias", dataset="all", policy=text, **(request or {}))
    return plan_audit(resolve(asked, found, TODAY), found)


def test_what_is_left_out_is_filled_in() -> None:
    found = resolve(AuditRequest(model="an alias", dataset="another"), parties(), TODAY)
    assert found.request.model_dump() == {
        "model": "model", "dataset": "all", "base": None, "baseline": None, "drift": None, "policy": default_policy(),
        "policy_name": "default-policy.toml", "seed": 0, "max_minutes": 10.0,
    }  # fmt: skip
    given = AuditRequest(model="an alias", dataset="another", policy="[audit]\nseed = 4\nmax_minutes = 3\n", seed=5)
    found = resolve(given, parties(), TODAY)
    assert (found.request.seed, found.request.max_minutes, found.request.policy_name) == (5, 3.0, "policy.toml")


def test_its_id_changes_with_the_policy_and_when_an_acceptance_expires() -> None:
    accepted = '[[accepted]]\ncheck = "shortcuts"\nclass = "wok"\nid = "x"\nreason = "known"\nexpires = 2026-05-01\n'
    request, found = AuditRequest(model="model", dataset="all", policy=accepted), parties()
    first = resolve(request, found, TODAY)
    assert first.expired == ()
    assert resolve(request, found, date(2026, 4, 1)).id == first.id
    late = resolve(request, found, date(2026, 5, 2))
    assert late.expired == (0,)
    assert len({first.id, late.id, resolve(request.model_copy(update={"policy": ""}), found, TODAY).id}) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[audit]\nlayers = ["block.5", "blok.5"]\n', "line 2: the model 'm' has no layer 'blok.5'; the nearest are"),
        ('[[accepted]]\ncheck = "shortcuts"\nreason = "x"\nid = "x"\nclass = "wokk"\n',
         "line 5: the model 'm' has no class 'wokk'; did you mean 'wok'?"),
        ('[[accepted]]\ncheck = "shortcuts"\nreason = "x"\nid = "x"\nlayer = "none"\n', "line 5: the model 'm' has no"),
    ],
)  # fmt: skip
def test_a_layer_or_class_that_the_model_lacks_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(PolicyError, match="line") as caught:
        resolve(AuditRequest(model="model", dataset="all", policy=text), parties(), TODAY)
    assert message in caught.value.detail


def test_the_last_blocks_of_the_two_coarsest_grids_are_looked_at_by_default() -> None:
    policy = parse_policy("")
    sides = [30, 30, 15, 15, 15, 7, 7]
    stages = [LayerInfo(name=f"stage.{number}", shape=(8, side, side), block=True) for number, side in enumerate(sides)]
    assert layers_of(policy, MODEL.model_copy(update={"layers": [*stages, *ODD]})) == ["stage.4", "stage.6"]
    there_and_back = MODEL.model_copy(update={"layers": [stages[0], stages[2], stages[5], stages[1]]})
    assert layers_of(policy, there_and_back) == ["stage.5", "stage.1"]  # the last block is the last, whatever its grid


def test_of_a_network_with_one_grid_two_depths_are_looked_at_by_default() -> None:
    policy = parse_policy("")
    assert layers_of(policy, MODEL) == ["block.5", "block.8"]
    one = MODEL.model_copy(update={"layers": [LAYERS[0], *ODD]})
    assert layers_of(policy, one) == ["block.0"]
    assert layers_of(policy, MODEL.model_copy(update={"layers": ODD})) == ["conv"]
    with pytest.raises(SpecError, match="no layer of the model 'm' has positions inside a border"):
        layers_of(policy, MODEL.model_copy(update={"layers": ODD[:1]}))
    assert layers_of(parse_policy('[audit]\nlayers = ["conv"]\n'), MODEL) == ["conv"]


def test_half_of_the_images_are_mapped_and_the_others_tested_on() -> None:
    made = planned("[audit]\nsamples = 20000\nside = 20\n")
    assert (made.kind, made.spec.images, made.spec.levels) == ("audit", 300, [20])
    looks = made.find("publish", step="base")
    assert [(chunk.parameters["start"], chunk.parameters["stop"]) for chunk in looks] == [(0, 300)]
    assert made.chunks[-1].parameters["step"] == "audit"
    seen: set[str] = set()
    for chunk in made.chunks:  # inputs come before what needs them
        assert seen.issuperset(chunk.inputs)
        seen.add(chunk.key)
    assert all(chunk.stage != "render" for chunk in made.chunks)  # no check looks at icons
    ground = {chunk.key for chunk in made.chunks[: made.ground]}
    asked = resolve(AuditRequest(model="m", dataset="all"), parties(), TODAY)
    assert ground <= atlas_of(asked, parties(), MODEL).by_key.keys()
    estimate = Estimate(made, ModelCost(0.01))
    assert sum(estimate.cost(chunk).seconds for chunk in made.own) > 3


def test_few_samples_make_a_coarser_map() -> None:
    assert planned("[audit]\nsamples = 660\nside = 20\n").spec.levels == [10]


def test_another_dataset_of_base_images_leaves_all_of_the_first_to_the_map() -> None:
    made = planned(base=dataset("held out", 700))
    assert made.spec.images is None
    base = made.other("base")
    assert base is not None
    looks = made.find("publish", step="base")
    assert [chunk.key for chunk in looks] == base.keys
    assert [chunk.parameters["stop"] for chunk in looks] == [500, 700]
    assert {made.seen_by(chunk).dataset.id for chunk in looks} == {"held out"}
    assert looks[0].key != planned().find("publish", step="base")[0].key


def test_a_baseline_is_audited_alike_on_chunks_of_its_own() -> None:
    old = MODEL.model_copy(update={"id": "old"})
    made = planned(baseline=old)
    baseline = made.other("baseline")
    assert baseline is not None
    alone = planned()
    seen = made.seen_by(made.by_key[baseline.keys[-1]])
    assert (seen.model.id, seen.spec.images) == ("old", 300)
    assert {chunk.key for chunk in seen.chunks} == set(baseline.keys)  # its layouts and cells are not the other's
    assert len(seen.find("publish", step="base")) == len(alone.find("publish", step="base"))
    told = made.chunks[-1].parameters["measured"]
    assert len(told) == 2
    assert set(told[1]["checks"].values()) <= set(baseline.keys)
    assert not set(told[0]["checks"].values()) & set(baseline.keys)


def test_of_too_few_images_nothing_is_measured() -> None:
    made = planned(dataset=dataset("few", 199))
    assert made.atlas is None
    (last,) = made.chunks
    assert last.parameters["hindrance"] == (
        "the dataset 'few' has 199 images; an audit takes 200 or more, half of them to look for faults in and half to "
        "test on")  # fmt: skip
    assert len(planned(dataset=dataset("enough", 200)).chunks) > 5
    few = planned(base=dataset("few", 99)).chunks[-1].parameters["hindrance"]
    assert few == "the dataset 'few' has 99 images; an audit takes 100 or more of each"


def test_minutes_become_forward_passes_shared_among_the_checks() -> None:
    made = planned("[audit]\nmax_minutes = 2\n")
    whole = sum(check.share for name, check in CHECKS.items())
    (last,) = made.find("publish", step="shortcuts")
    assert last.parameters["passes"] == int(2 * 60 / 0.01 * CHECKS["shortcuts"].share / whole)
    only = planned('[audit]\nmax_minutes = 2\nchecks = ["shortcuts"]\n').find("publish", step="shortcuts")
    assert only[0].parameters["passes"] == 12_000
    given = '[audit]\npasses = 5000\nchecks = ["shortcuts"]\n'
    assert planned(given).find("publish", step="shortcuts")[0].parameters["passes"] == 5000
    minutes = planned(given, request={"max_minutes": 1})
    assert minutes.find("publish", step="shortcuts")[0].parameters["passes"] == 6000


def test_thresholds_are_no_part_of_what_is_measured() -> None:
    first, second = planned("[shortcuts]\nmargin = 0.1\n"), planned("[shortcuts]\nmargin = 0.3\n")
    judging = ("audit", "remedy", "remedies")  # remedies are tried for what fails
    keys = [[chunk.key for chunk in one.chunks if chunk.parameters.get("step") not in judging]
            for one in (first, second)]  # fmt: skip
    assert keys[0] == keys[1]
    assert first.chunks[-1].key != second.chunks[-1].key


def test_what_an_audit_cannot_do_without_is_refused() -> None:
    store = open_store("memory://")
    model = registry.add_model(store, CARD)["id"]
    registry.update(store, "models", model, state="ready", layers=[], classes=2, convertible=True,
                    cost={"forward_seconds": 0.25})  # fmt: skip
    silent = registry.add_model(store, CARD.model_copy(update={"output": "features"}))["id"]
    registry.update(store, "models", silent, state="ready", layers=[], classes=None, convertible=True)
    facts = {"state": "ready", "digest": "d", "listing": "l", "images": 300, "classes": ["pan", "wok"]}
    labelled, unlabelled, wide = (
        registry.add_dataset(store, DatasetCard(name=name, source="sha256:00"), name)["id"]
        for name in ("labelled", "unlabelled", "wide")
    )
    registry.update(store, "datasets", labelled, **facts, class_counts={"pan": 300})
    registry.update(store, "datasets", unlabelled, **{**facts, "classes": None, "digest": "u"})
    registry.update(store, "datasets", wide, **{**facts, "classes": list("abc")}, class_counts={"a": 300})
    found = find_parties(store, AuditRequest(model=model, dataset=labelled, base=labelled))
    assert (found.forward_seconds, found.mapped, found.tested, found.base) == (0.25, 150, 150, None)
    for request, kind, message, pointer in (
        ({"model": "none"}, CardError, "no model 'none'", "/model"),
        ({"baseline": "none"}, CardError, "no model 'none'", "/baseline"),
        ({"base": "none"}, CardError, "no dataset 'none'", "/base"),
        ({"model": silent}, SpecError, "has no logits", "/model"),
        ({"dataset": unlabelled}, SpecError, "'unlabelled' has no labels", "/dataset"),
        ({"base": unlabelled}, SpecError, "'unlabelled' has no labels", "/base"),
        ({"dataset": wide}, SpecError, "has 3 classes, the model 'm' tells 2", "/dataset"),
    ):
        with pytest.raises(kind, match=message) as caught:
            find_parties(store, AuditRequest(**{"model": model, "dataset": labelled, **request}))
        assert caught.value.pointer == pointer
