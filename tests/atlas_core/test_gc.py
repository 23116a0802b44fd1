from __future__ import annotations

import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from atlas_core import registry
from atlas_core.advance import COLLECT_GARBAGE, DROP_SAMPLES, advance, clear_up, end_job, repair, submit, sweep
from atlas_core.build import plan as plan_of_spec
from atlas_core.errors import MissingInputError
from atlas_core.gc import Swept, collect_garbage, drop_samples
from atlas_core.icon_plan import plan_icons
from atlas_core.icons import Classes
from atlas_core.ledger import Ledger, connect
from atlas_core.manifest import manifest_of, verify
from atlas_core.plan import Plan, lacking
from atlas_core.runtime import Runtime
from atlas_core.stages import run_chunk
from atlas_core.store import Store, open_store
from tests.atlas_core.conftest import planned, run_all
from tests.atlas_core.stages.test_selections import selection_of
from tests.tiny import LAYER

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


@pytest.mark.parametrize("damage", ["blob", "record", "bytes"])
def test_a_lost_or_damaged_input_is_made_again(
    make: Callable[..., Plan], store: Store, ledger: Ledger, tmp_path: Path, damage: str
) -> None:
    plan = make()
    expected = manifest_of(plan, store)["digest"]
    cells, publish = plan.cells_of(LAYER), plan.chunks[-1]
    record = store.get_record("cells", cells.key)
    assert record is not None
    sha256 = record["blobs"]["level-3"]
    if damage == "blob":
        store.delete_blob(sha256)
    elif damage == "bytes":
        (tmp_path / "store" / "blobs" / sha256).write_bytes(b"x" * (store.blob_size(sha256) or 0))
    else:
        store.delete_record("cells", cells.key)
    (render,) = plan.find("render", step=None)
    (level,) = plan.find("publish", step="level")
    for chunk in (render, level, publish):
        store.delete_record(chunk.stage, chunk.key)
    ledger.restart(plan.id)
    ledger.mark_done(list(plan.by_key))
    runtime = Runtime(store)
    with pytest.raises(MissingInputError, match="what cells made is gone") as caught:
        run_chunk(plan, render, runtime)
    assert caught.value.chunks == (cells.key,)
    assert store.get_record("cells", cells.key) is None
    repair(plan.id, caught.value.chunks, ledger)
    assert ledger.states([cells.key])[0].state == "waiting"
    for chunk in lacking(plan, {chunk.key for chunk in plan.chunks} - {cells.key, render.key, level.key, publish.key}):
        run_chunk(plan, chunk, runtime)
    assert manifest_of(plan, store)["digest"] == expected


def attributions(plan: Plan, store: Store) -> list[bool]:
    return [store.has_record("attribute", chunk.key) for chunk in plan.find("attribute")]


def test_attributions_of_samples_are_dropped_at_the_end_and_made_again_where_they_are_needed(
    make: Callable[..., Plan], store: Store, ledger: Ledger, tiny_cards: tuple[Path, Path]
) -> None:
    one = make()
    sent: list[tuple[str, list[str], str]] = []
    (record, *_) = [store.get_record("attribute", chunk.key) for chunk in one.find("attribute")]
    assert record is not None
    swept = drop_samples(one.id, store, ledger)
    assert swept.records == len(one.find("attribute")) == swept.blobs
    assert not any(attributions(one, store))
    assert store.blob_size(record["blobs"]["attributions"]) is None
    assert_whole(one, store)
    assert ledger.states([one.find("attribute")[0].key])[0].state == "waiting"

    # The same samples in icons of another recipe do not need them; in other cells they do.
    pure = planned(store, *tiny_cards, levels=[3], allow_sparse=True, recipe="pure")
    submit(pure, None, store, ledger, lambda *message: sent.append(message))
    assert [pure.by_key[arguments[1]].stage for _, arguments, _ in sent] == ["render", "render"]
    finer = make(levels=[4], keep="samples")
    assert all(attributions(finer, store))
    assert drop_samples(finer.id, store, ledger) == Swept()
    assert drop_samples(one.id, store, ledger) == Swept()
    assert all(attributions(finer, store))


def test_the_end_of_a_job_has_its_samples_dropped_unless_they_are_kept(
    make: Callable[..., Plan], store: Store, ledger: Ledger
) -> None:
    sent: list[str] = []
    for keep, expected in (("atlas", [DROP_SAMPLES]), ("samples", [])):  # of the recipe fast: no previews
        plan = make(keep=keep)
        registry.update(store, "jobs", plan.id, state="running")
        advance(plan.id, store, ledger, lambda task, arguments, queue: sent.append(task))
        assert sent == expected
        sent.clear()


@pytest.mark.parametrize("state", ["running", "cancelled"])
def test_icons_of_a_class_hold_no_attributions_that_their_atlas_is_done_with(
    make: Callable[..., Plan], store: Store, ledger: Ledger, state: str
) -> None:
    made = make()
    icons = plan_icons(made, Classes(kind="classes", layer=LAYER, recipe="fast", classes=[0]))
    assert icons.find("attribute")
    registry.add_job(store, icons)
    registry.update(store, "jobs", icons.id, state=state)
    registry.update(store, "jobs", made.id, state="running")
    drop_samples(made.id, store, ledger)
    collect_garbage(store, ledger, grace=A_DAY)
    assert all(attributions(made, store))
    registry.update(store, "jobs", made.id, state="succeeded")
    drop_samples(made.id, store, ledger)
    assert not any(attributions(made, store))
    for chunk in icons.own:  # which need none
        run_chunk(icons, chunk, Runtime(store))


def test_previews_go_when_their_atlas_has_succeeded_also_where_samples_are_kept(
    make: Callable[..., Plan], store: Store, ledger: Ledger, tiny_cards: tuple[Path, Path]
) -> None:
    made = make(recipe="vivid", keep="samples")
    (preview,), (own,) = made.find("preview"), made.tiles(LAYER, 3)
    record = store.get_record("preview", preview.key)
    assert record is not None
    swept = drop_samples(made.id, store, ledger)
    assert (swept.records, swept.blobs) == (1, 1)
    assert store.blob_size(record["blobs"]["tile"]) is None
    assert_whole(made, store)
    assert all(attributions(made, store))

    # Another atlas with the same tile needs no preview of it; without the tile it does.
    assert preview.key not in {chunk.key for chunk in lacking(made, {own.key})}
    twin = planned(store, *tiny_cards, levels=[3, 4], allow_sparse=True, recipe="vivid", keep="samples")
    sent: list[str] = []
    submit(twin, None, store, ledger, lambda _, arguments, queue: sent.append(arguments[1]))
    assert preview.key not in sent
    assert store.get_record("preview", preview.key) is None


def test_a_dropped_preview_takes_no_tile_with_it_that_looks_the_same(
    make: Callable[..., Plan], store: Store, ledger: Ledger
) -> None:
    fast, vivid = make(recipe="fast"), make(recipe="vivid")
    assert drop_samples(vivid.id, store, ledger).blobs == 2  # a preview and attributions
    assert_whole(fast, store)
    assert_whole(vivid, store)


def test_many_dropped_atlases_are_cleared_up_once(ledger: Ledger) -> None:
    sent: list[str] = []
    for _ in range(3):
        clear_up(ledger, lambda task, arguments, queue: sent.append(task))
    assert sent == [COLLECT_GARBAGE]


def test_garbage_is_collected_once_a_day_without_being_asked(store: Store, redis_server: str) -> None:
    sent: list[str] = []
    time = [0.0]
    with connect(redis_server) as client:
        client.flushall()
        ledger = Ledger(client, clock=lambda: time[0])
        for time[0] in (1e9, 1e9 + 60, 1e9 + 86_000, 1e9 + 86_500):
            sweep(store, ledger, lambda task, arguments, queue: sent.append(task))
    assert sent == [COLLECT_GARBAGE] * 2


def test_samples_in_common_with_the_same_pictures_elsewhere_stay_until_both_are_made(
    make: Callable[..., Plan], store: Store, ledger: Ledger, tiny_cards: tuple[Path, Path], tmp_path: Path
) -> None:
    model, archive = tiny_cards
    card = json.loads(archive.read_text())
    with zipfile.ZipFile(archive.parent / card["source"]) as images:
        images.extractall(tmp_path / "pictures")
    folder = tmp_path / "dataset.json"
    folder.write_text(json.dumps({**card, "source": "pictures"}))
    made = make()
    other = planned(store, model, folder, levels=[3, 4], allow_sparse=True)
    assert other.dataset.id != made.dataset.id
    assert {chunk.key for chunk in other.find("attribute")} == {chunk.key for chunk in made.find("attribute")}
    submit(other, None, store, ledger, quiet)
    assert drop_samples(made.id, store, ledger) == Swept()
    assert all(attributions(other, store))


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


def test_a_selection_needs_no_dropped_attributions_drops_its_own_and_goes_without_its_atlas(
    make: Callable[..., Plan], store: Store, ledger: Ledger
) -> None:
    whole = make()
    drop_samples(whole.id, store, ledger)
    assert not any(store.has_record("attribute", chunk.key) for chunk in whole.find("attribute"))
    runtime = Runtime(store)
    plan = selection_of(runtime, whole, kind="class", label=1, recipe="none")
    submit(plan, None, store, ledger, quiet)
    done = {chunk.key for chunk in plan.chunks if store.has_record(chunk.stage, chunk.key)}
    left = lacking(plan, done)
    assert {chunk.key for chunk in left} == {chunk.key for chunk in plan.own}
    for chunk in left:
        run_chunk(plan, chunk, runtime)
    collect_garbage(store, ledger, grace=AT_ONCE)  # while it is under way it loses nothing
    ledger.mark_done([chunk.key for chunk in plan.own])
    assert advance(plan.id, store, ledger, quiet, full=True)["state"] == "succeeded"
    drop_samples(plan.id, store, ledger)
    assert not any(store.has_record("attribute", chunk.key) for chunk in plan.find("attribute"))
    assert_whole(plan, store)
    drop(plan, store, ledger)
    collect_garbage(store, ledger, grace=A_DAY)
    assert not any(store.has_record(chunk.stage, chunk.key) for chunk in plan.own)
    assert_whole(whole, store)


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
