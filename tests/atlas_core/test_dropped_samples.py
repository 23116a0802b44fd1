from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from atlas_core import registry
from atlas_core.advance import DROP_SAMPLES, advance, submit
from atlas_core.gc import Swept, collect_garbage, drop_samples
from atlas_core.icon_plan import plan_icons
from atlas_core.icons import Classes
from atlas_core.plan import Plan, lacking
from atlas_core.runtime import Runtime
from atlas_core.stages import run_chunk
from tests.atlas_core.conftest import planned
from tests.atlas_core.stages.test_selections import selection_of
from tests.atlas_core.test_gc import A_DAY, AT_ONCE, assert_whole, attributions, drop, ledger, make, quiet, store
from tests.tiny import LAYER

if TYPE_CHECKING:
    from atlas_core.ledger import Ledger
    from atlas_core.store import Store

__all__ = ["ledger", "make", "store"]  # fixtures


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
