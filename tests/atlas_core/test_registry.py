import pytest

from atlas_core import registry
from atlas_core.build import plan
from atlas_core.cards import DatasetCard, LayerInfo, ModelCard
from atlas_core.errors import ConflictError, InputError, NotFoundError
from atlas_core.facts import DatasetFacts, ModelFacts
from atlas_core.plan import Plan
from atlas_core.spec import parse_spec
from atlas_core.store import Store, open_store

CARD = ModelCard.model_validate({
    "name": "m", "format": "onnx", "source": "sha256:00",
    "input": {"channels": 1, "height": 32, "width": 32, "mean": [0.5], "std": [0.5]},
})  # fmt: skip
DATASET = DatasetCard(name="d", source="sha256:11", classes=["a"])


@pytest.fixture
def store() -> Store:
    return open_store("memory://")


def _plan() -> Plan:
    model = ModelFacts(id="model", card=CARD, layers=[LayerInfo(name="a", shape=(4, 9, 9))], classes=2)
    dataset = DatasetFacts(id="dataset", digest="x", name="d", listing="", images=50, classes=None)
    return plan(
        parse_spec({"model": "m", "dataset": "d", "layers": ["a"], "samples": 200, "levels": [4]}), model, dataset
    )


def test_the_same_model_is_entered_once(store: Store) -> None:
    first = registry.add_model(store, CARD)
    assert first["state"] == "inspecting"
    assert registry.add_model(store, CARD.model_copy(update={"name": "again"})) == first
    assert [model["id"] for model in registry.documents(store, "models")] == [CARD.id]


def test_a_refused_model_may_try_again_and_another_dataset_measures_anew(store: Store) -> None:
    registry.add_model(store, CARD)
    registry.update(store, "models", CARD.id, state="refused", reasons=["no"])
    assert registry.add_model(store, CARD)["state"] == "inspecting"
    registry.update(store, "models", CARD.id, state="ready")
    assert registry.add_model(store, CARD)["state"] == "ready"
    assert registry.add_model(store, CARD, "dataset")["state"] == "inspecting"


def test_facts_are_had_of_what_is_ready_only(store: Store) -> None:
    with pytest.raises(NotFoundError, match="no model"):
        registry.model_facts(store, "none")
    registry.add_model(store, CARD)
    with pytest.raises(ConflictError, match="still being inspected"):
        registry.model_facts(store, CARD.id)
    registry.update(store, "models", CARD.id, state="refused", reasons=["a pickle", "too large"])
    with pytest.raises(InputError, match="a pickle; too large"):
        registry.model_facts(store, CARD.id)
    layer = LayerInfo(name="a", shape=(4, 9, 9))
    registry.update(store, "models", CARD.id, state="ready", layers=[layer.model_dump()], classes=2)
    assert registry.model_facts(store, CARD.id).layer("a") == layer


def test_a_dataset_is_what_it_holds_and_not_where_it_lies(store: Store) -> None:
    here = registry.add_dataset(store, DATASET, "content")
    moved = registry.add_dataset(store, DATASET.model_copy(update={"source": "file:///elsewhere"}), "content")
    other = registry.add_dataset(store, DATASET.model_copy(update={"prefix": "train"}), "content")
    assert here["id"] == moved["id"] != other["id"]
    assert registry.document(store, "datasets", here["id"])["card"]["source"] == "file:///elsewhere"


def test_a_finished_job_stays_and_a_failed_one_starts_its_next_attempt(store: Store) -> None:
    planned = _plan()
    assert registry.add_job(store, planned, "mine")["attempt"] == 1
    assert registry.add_job(store, planned)["name"] == "mine"
    assert registry.plan_of(store, planned.id) == planned
    registry.update(store, "jobs", planned.id, state="failed", error={"detail": "broken"})
    again = registry.add_job(store, planned)
    assert (again["attempt"], again["state"], again["error"]) == (2, "queued", None)
    registry.update(store, "jobs", planned.id, state="succeeded")
    assert registry.add_job(store, planned)["state"] == "succeeded"


def test_an_unknown_atlas_is_not_found(store: Store) -> None:
    with pytest.raises(NotFoundError, match="no atlas 'none'"):
        registry.plan_of(store, "none")


def test_a_plan_of_another_version_says_what_to_do(store: Store) -> None:
    planned = _plan()
    store.append_document("plans", planned.id, planned.model_dump(mode="json") | {"compared": None})
    with pytest.raises(ConflictError, match=r"planned by another version.*; delete it and ask for it again"):
        registry.plan_of(store, planned.id)


def test_a_model_that_cannot_be_converted_says_so_in_its_facts(store: Store) -> None:
    registry.add_model(store, CARD)
    registry.update(store, "models", CARD.id, state="ready", convertible=False, reasons=["Einsum of opset 17"])
    assert registry.model_facts(store, CARD.id).unconvertible == ["Einsum of opset 17"]
    registry.update(store, "models", CARD.id, convertible=True, reasons=[])
    assert registry.model_facts(store, CARD.id).unconvertible == []


def test_a_plan_is_kept_once_and_a_changed_one_anew(store: Store) -> None:
    planned = _plan()
    registry.put_plan(store, planned)
    registry.put_plan(store, planned)
    assert store.document_versions("plans", planned.id) == [0]
    changed = planned.model_copy(update={"chunks": planned.chunks[:1]})
    registry.put_plan(store, changed)
    assert registry.plan_of(store, planned.id) == changed
