"""The shortcut audit on a network made by hand: the plant is found first, and its twin has nothing that counts."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from atlas_core import registry
from atlas_core.audit import shortcuts
from atlas_core.audit.base import base_chunks
from atlas_core.audit.context import Context
from atlas_core.audit.shortcuts import Options, Thresholds, judge
from atlas_core.build import plan
from atlas_core.errors import SpecError
from atlas_core.plan import Chunk, Plan
from atlas_core.registration import register_cards
from atlas_core.runtime import Runtime
from atlas_core.spec import parse_spec
from atlas_core.stages import run_chunk
from atlas_core.store import Store, open_store
from tests.planted import CLASSES, LAYER, MAGENTA, SQUARE, picture, write_network, write_world

if TYPE_CHECKING:
    from atlas_core.audit.findings import CheckResult

PASSES = 6000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planted")
    write_world(folder)
    for planted in (True, False):
        write_network(folder, planted=planted)
    return folder


@pytest.fixture(scope="module")
def store(folder: Path) -> Store:
    return open_store(str(folder / "store"))


def planned(
    store: Store, folder: Path, name: str, seed: int = 0, passes: int = PASSES, side: int = 8, **changes: Any
) -> Plan:
    """An audit that has this check alone, as `audit_plan` makes one."""
    model, dataset = register_cards(store, folder / f"{name}.json", folder / "dataset.json")
    facts = registry.dataset_facts(store, dataset)
    spec = parse_spec({"model": model, "dataset": dataset, "layers": [LAYER], "samples": 1600, "levels": [8], "seed": 0,
                       "recipe": "none", "images": facts.images // 2, **changes})  # fmt: skip
    atlas = plan(spec, registry.model_facts(store, model), facts)
    base = base_chunks(atlas, facts, seed)
    context = Context(atlas=atlas, base=tuple(chunk.key for chunk in base), layers=(LAYER,), side=side, seed=seed,
                      passes=passes)  # fmt: skip
    own = [*base, *shortcuts.chunks(context, Options())]
    ground = atlas.needed(key for chunk in own for key in chunk.inputs if key in atlas.by_key)
    return Plan(id="audit", kind="audit", spec=atlas.spec, model=atlas.model, dataset=atlas.dataset,
                chunks=(*ground, *own), atlas=atlas.id, ground=len(ground))  # fmt: skip


def run(made: Plan, runtime: Runtime, order: Callable[[list[Chunk]], list[Chunk]] = list) -> dict[str, Any]:
    """Run an audit's chunks, those of a step in any order, and read what was measured."""
    for chunk in made.chunks[: made.ground]:
        run_chunk(made, chunk, runtime)
    for step in ("base", "screen", "search", "confirm", "shortcuts"):
        for chunk in order([chunk for chunk in made.own if chunk.parameters["step"] == step]):
            run_chunk(made, chunk, runtime)
    record = runtime.store.get_record("publish", made.chunks[-1].key)
    assert record is not None
    found: dict[str, Any] = json.loads(runtime.store.get_blob(record["blobs"]["measured"]))
    return {**found, "blobs": record["blobs"]}


@pytest.fixture(scope="module")
def audited(store: Store, folder: Path) -> Callable[[str], tuple[dict[str, Any], CheckResult]]:
    """What was measured of a network, and the verdict on it."""
    known: dict[str, tuple[dict[str, Any], CheckResult]] = {}

    def audit(name: str) -> tuple[dict[str, Any], CheckResult]:
        if name not in known:
            measured = run(planned(store, folder, name), Runtime(store))
            known[name] = measured, judge(measured, Thresholds())
        return known[name]

    return audit


def test_the_plant_is_found_first_with_its_class_and_its_pictures(
    audited: Callable[[str], tuple[dict[str, Any], CheckResult]], store: Store
) -> None:
    measured, result = audited("planted")
    assert result.verdict == "fail"
    first = result.findings[0]
    assert first.target is not None
    assert (first.gate, first.layer, first.target.name) == (True, LAYER, "red")
    assert first.statistics["kind"] == "shared"
    assert float(str(first.statistics["flips"])) > 0.8
    assert float(str(first.statistics["control"])) < 0.3
    assert first.statistics["gain_rank"] == 1
    assert int(str(first.statistics["base_images"])) >= 100
    assert result.forward_passes == measured["passes"] <= PASSES
    roles = {evidence.role: evidence.name for evidence in first.evidence}
    assert set(roles) == {"exemplar", "before", "after", "control"}
    with Image.open(io.BytesIO(store.get_blob(measured["blobs"][roles["exemplar"]]))) as shown:
        near = np.abs(np.asarray(shown.convert("RGB"), int) - MAGENTA).max(axis=2) < 40
    assert near.mean() > 0.2  # the crops show the square


def test_what_a_cell_shows_is_found_in_all_mapped_pictures_of_other_classes_that_have_it(
    audited: Callable[[str], tuple[dict[str, Any], CheckResult]], store: Store, folder: Path
) -> None:
    found = [one["strays"]["images"] for one in audited("planted")[0]["candidates"] if one["strays"]["hits"]]
    made, runtime = planned(store, folder, "planted"), Runtime(store)
    images = runtime.dataset(made).listing.images
    records = [runtime.record(made, chunk.key) for chunk in made.chunks if chunk.stage == "collect"]
    mapped = [images[place] for record in records for place in runtime.table(record["blobs"]["images"])["image"]]
    shown = sum(_has_square(image) for image in mapped if not image.startswith("red/"))
    assert 3 < shown < 0.08 * len(mapped)
    assert all(0.75 * shown <= one <= shown for one in found)  # by nearness, which misses some


def _has_square(image: str) -> bool:
    kind, number = image.removesuffix(".png").split("/")
    near = np.abs(picture(kind, int(number)).astype(int) - MAGENTA).max(axis=2) < 40
    return int(near.sum()) > SQUARE**2 / 2


def test_the_twin_that_does_not_see_it_has_no_finding_that_stops_a_release(
    audited: Callable[[str], tuple[dict[str, Any], CheckResult]],
) -> None:
    _, result = audited("clean")
    assert [finding for finding in result.findings if finding.gate] == []
    assert result.verdict == "pass"


def test_the_order_in_which_workers_take_parts_does_not_show(store: Store, folder: Path) -> None:
    made = planned(store, folder, "planted", seed=3, passes=12_000)
    assert len([chunk for chunk in made.chunks if chunk.parameters.get("step") == "screen"]) == 2
    first = run(made, Runtime(store))
    for chunk in made.own:
        store.delete_record(chunk.stage, chunk.key)
    second = run(made, Runtime(store), lambda chunks: chunks[::-1])
    assert first == second


def test_another_seed_agrees(store: Store, folder: Path) -> None:
    result = judge(run(planned(store, folder, "planted", seed=11), Runtime(store)), Thresholds())
    assert result.verdict == "fail"
    assert result.findings[0].target is not None
    assert result.findings[0].target.name == "red"


def test_what_the_budget_does_not_reach_counts_against_coverage(store: Store, folder: Path) -> None:
    measured = run(planned(store, folder, "planted", passes=600), Runtime(store))
    result = judge(measured, Thresholds())
    assert measured["screened"] == 7  # half of 600 at 40 pastes each
    assert result.coverage == pytest.approx(7 / measured["tests"], abs=1e-4)


def test_too_few_images_are_inconclusive(store: Store, folder: Path, tmp_path: Path) -> None:
    write_world(tmp_path, each=40)
    write_network(tmp_path, planted=False)
    result = judge(run(planned(store, tmp_path, "clean"), Runtime(store)), Thresholds())
    assert result.verdict == "inconclusive"
    assert result.needs is not None
    assert "held-out images that the model recognises" in result.needs


def test_a_model_that_gets_everything_wrong_is_inconclusive(store: Store, tmp_path: Path) -> None:
    card = write_world(tmp_path, each=20)
    card.write_text(json.dumps({**json.loads(card.read_text()), "classes": ["green", "red", "blue"]}))
    write_network(tmp_path, planted=True)
    result = judge(run(planned(store, tmp_path, "planted", levels=[3], side=3), Runtime(store)), Thresholds())
    assert (result.verdict, result.coverage, result.findings) == ("inconclusive", 0, [])
    assert result.needs is not None
    assert "there are 0 of 30" in result.needs


def test_strict_privacy_is_refused_with_a_way_out(store: Store, folder: Path) -> None:
    with pytest.raises(SpecError, match="leave the check `shortcuts` out"):
        planned(store, folder, "planted", privacy="strict")


def test_the_classes_are_those_of_the_model(audited: Callable[[str], tuple[dict[str, Any], CheckResult]]) -> None:
    assert audited("planted")[0]["classes"] == list(CLASSES)
