from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atlas_core import registry
from atlas_core.advance import COLLECT_GARBAGE, advance, clear_up, end_job, submit
from atlas_core.build import plan as plan_of_spec
from atlas_core.gc import Swept, collect_garbage
from atlas_core.ledger import Ledger
from atlas_core.manifest import manifest_of, verify
from atlas_core.redis_client import connect
from atlas_core.runtime import Runtime
from atlas_core.store import Store, open_store
from tests.atlas_core.conftest import planned, run_all
from tests.tiny import LAYER

if TYPE_CHECKING:
    from atlas_core.plan import Plan

AT_ONCE = timedelta(0)
A_DAY = timedelta(hours=24)


def quiet(task: str, arguments: list[str], queue: str) -> None:
    """Nobody takes anything from these queues."""


@pytest.fixture
def ledger(redis_server: str) -> Iterator[Ledger]:
    with connect(redis_server) as client:
        client.flushall()
        yield Ledger(client)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def make(store: Store, ledger: Ledger, tiny_cards: tuple[Path, Path]) -> Callable[..., Plan]:
    runtime = Runtime(store)

    def made(**changes: Any) -> Plan:
        """An atlas that has succeeded, as workers leave it."""
        plan = planned(store, *tiny_cards, **{"levels": [3], "allow_sparse": True, **changes})
        submit(plan, None, store, ledger, quiet)
        run_all(plan, runtime)
        ledger.mark_done(list(plan.by_key))
        assert advance(plan.id, store, ledger, quiet, full=True)["state"] == "succeeded"
        return plan

    return made


def drop(plan: Plan, store: Store, ledger: Ledger) -> None:
    end_job(plan.id, store, ledger, state="cancelled")
    registry.update(store, "jobs", plan.id, deleted=True)


def attributions(plan: Plan, store: Store) -> list[bool]:
    return [store.has_record("attribute", chunk.key) for chunk in plan.find("attribute")]


def assert_whole(plan: Plan, store: Store) -> None:
    """Every artifact of an atlas is there with the bytes of its digest, and the manifest says what it said."""
    manifest = manifest_of(plan, store)
    assert verify(manifest)
    for entry in manifest["artifacts"].values():
        assert len(store.get_blob(entry["sha256"])) == entry["bytes"]
    for layer in manifest["layers"].values():
        assert store.get_blob(layer["index"])


def test_what_two_atlases_share_stays_until_both_are_dropped(
    make: Callable[..., Plan], store: Store, ledger: Ledger, tiny_cards: tuple[Path, Path]
) -> None:
    before = {blob.sha256 for blob in store.list_blobs()}
    one, two = make(), make(recipe="pure")
    assert {chunk.key for chunk in one.find("collect")} == {chunk.key for chunk in two.find("collect")}
    registered = {*before, one.dataset.listing, str(one.model.card.weights).removeprefix("sha256:")}

    drop(one, store, ledger)
    told = collect_garbage(store, ledger, grace=A_DAY, dry_run=True)
    counts = sum(1 for _ in store.list_records()), sum(1 for _ in store.list_blobs())
    assert told.records > 0 < told.bytes
    swept = collect_garbage(store, ledger, grace=A_DAY)
    assert swept == told
    assert (sum(1 for _ in store.list_records()), sum(1 for _ in store.list_blobs())) == (
        counts[0] - swept.records, counts[1] - swept.blobs
    )  # fmt: skip
    assert store.get_record("publish", one.chunks[-1].key) is None
    assert_whole(two, store)
    assert store.get_document("jobs", one.id) is None
    assert store.get_document("plans", one.id) is None

    drop(two, store, ledger)
    collect_garbage(store, ledger, grace=AT_ONCE)
    assert list(store.list_records()) == []
    assert {blob.sha256 for blob in store.list_blobs()} <= registered
    assert store.get_documents("models")
    assert collect_garbage(store, ledger, grace=AT_ONCE) == Swept()


def test_nothing_of_a_deleted_datasets_images_is_left(make: Callable[..., Plan], store: Store, ledger: Ledger) -> None:
    plan = make()
    weights = str(plan.model.card.weights).removeprefix("sha256:")
    assert len(list(store.list_blobs())) > 10
    drop(plan, store, ledger)
    store.delete_document("datasets", plan.dataset.id)
    collect_garbage(store, ledger, grace=AT_ONCE)
    assert [blob.sha256 for blob in store.list_blobs()] == [weights]
    assert list(store.list_records()) == []
    assert set(store.document_kinds()) - {"rates"} == {"models"}  # rates say how fast chunks went, of nobody's images


def test_a_dropped_atlas_that_is_asked_for_again_is_made_again(
    make: Callable[..., Plan], store: Store, ledger: Ledger
) -> None:
    plan = make()
    digest = manifest_of(plan, store)["digest"]
    drop(plan, store, ledger)
    job = submit(plan, None, store, ledger, quiet)
    assert (job["state"], job["attempt"]) == ("succeeded", 2)
    assert not registry.document(store, "jobs", plan.id).get("deleted")
    collect_garbage(store, ledger, grace=AT_ONCE)
    assert_whole(plan, store)

    drop(plan, store, ledger)
    collect_garbage(store, ledger, grace=A_DAY)
    assert submit(plan, None, store, ledger, quiet)["state"] == "queued"
    run_all(plan, Runtime(store))
    assert manifest_of(plan, store)["digest"] == digest


def test_what_is_young_and_refers_to_nothing_yet_has_its_grace(store: Store, ledger: Ledger, tmp_path: Path) -> None:
    upload = store.put_blob(b"uploaded just now")
    part = tmp_path / "part"
    part.write_bytes(b"begin")
    store.uploads.put_part("0" * 64, 0, 100, part)
    named = store.put_blob(b"weights")
    store.append_document("models", "m", {"id": "m", "card": {"weights": f"sha256:{named}"}})
    store.put_record("collect", "orphan", {"blobs": {"a": store.put_blob(b"of a chunk at work")}})
    assert collect_garbage(store, ledger, grace=A_DAY) == Swept()
    swept = collect_garbage(store, ledger, grace=AT_ONCE)
    assert swept == Swept(records=1, blobs=2, uploads=1, bytes=len(b"uploaded just nowof a chunk at workbegin"))
    assert store.blob_size(upload) is None
    assert store.get_blob(named) == b"weights"


def test_a_job_that_gets_under_way_during_the_sweep_loses_nothing_that_it_counts_on(
    make: Callable[..., Plan], store: Store, ledger: Ledger, tiny_cards: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    one = make()
    drop(one, store, ledger)
    other = planned(store, *tiny_cards, levels=[3], allow_sparse=True, recipe="pure")
    listed = store.list_records

    def then_submitted() -> Any:
        monkeypatch.setattr(store, "list_records", listed)
        found = list(listed())
        submit(other, None, store, ledger, quiet)
        return iter(found)

    monkeypatch.setattr(store, "list_records", then_submitted)
    collect_garbage(store, ledger, grace=AT_ONCE)
    counted = {key for key, found in zip(other.by_key, ledger.states(list(other.by_key)), strict=True)
               if found.state == "done"}  # fmt: skip
    assert {chunk.key for chunk in other.find("collect")} <= counted
    for key in counted:
        record = store.get_record(other.by_key[key].stage, key)
        assert record is not None
        assert all(store.blob_size(sha256) is not None for sha256 in record["blobs"].values())


def test_a_job_waits_while_records_are_deleted(ledger: Ledger) -> None:
    ledger.activate("job")
    ledger.activate("models/m")
    went_on = threading.Event()

    def enter() -> None:
        ledger.undisturbed()
        went_on.set()

    waiting = threading.Thread(target=enter)
    with ledger.deleting() as under_way:
        assert under_way == {"job"}
        with ledger.deleting():
            waiting.start()
        assert not went_on.wait(0.3)
    waiting.join(10)
    assert went_on.is_set()


def test_a_chunk_that_finishes_while_its_blob_is_deleted_is_done_again(
    store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = store.put_blob(b"the same bytes as those of another chunk")
    delete = store.delete_blob

    def and_finished(name: str) -> None:
        store.put_record("collect", "late", {"blobs": {"images": sha256}})
        ledger.mark_done(["late"])
        delete(name)

    monkeypatch.setattr(store, "delete_blob", and_finished)
    collect_garbage(store, ledger, grace=AT_ONCE)
    assert store.get_record("collect", "late") is None
    assert ledger.states(["late"])[0].state == "waiting"


def test_many_dropped_atlases_are_cleared_up_once(ledger: Ledger) -> None:
    sent: list[str] = []
    for _ in range(3):
        clear_up(ledger, lambda task, arguments, queue: sent.append(task))
    assert sent == [COLLECT_GARBAGE]


def test_an_anchor_that_was_dropped_stays_as_long_as_what_stands_on_it(
    make: Callable[..., Plan], store: Store, ledger: Ledger
) -> None:
    one = make()
    facts = registry.anchor_facts(store, one.id)
    spec = one.spec.model_copy(update={"anchor": one.id, "samples": 200, "levels": [3]})
    anchored = plan_of_spec(spec, one.model, one.dataset, facts)
    submit(anchored, None, store, ledger, quiet)
    drop(one, store, ledger)
    collect_garbage(store, ledger, grace=AT_ONCE)
    layer = facts.layers[LAYER]
    assert all(store.has_record("collect", key) for key in facts.collected)
    assert store.has_record("layout", layer.layout)
    assert not store.has_record("publish", one.chunks[-1].key)


def test_an_audit_under_way_holds_the_attributions_of_its_baseline(
    make: Callable[..., Plan], store: Store, ledger: Ledger
) -> None:
    made = make()  # stands for the baseline's atlas, which has no job of its own
    audit = made.model_copy(update={"id": "audit", "kind": "audit", "atlas": "another", "request": {}})
    registry.add_job(store, audit)
    registry.update(store, "jobs", made.id, deleted=True)
    for state, held in (("running", True), ("failed", False)):
        registry.update(store, "jobs", audit.id, state=state)
        collect_garbage(store, ledger, grace=A_DAY)
        assert all(attributions(made, store)) is held
