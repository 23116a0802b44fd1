"""The planted network's magenta is muted: flips fall, accuracy stays, and the repaired model is handed out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from atlas_core import registry
from atlas_core.audit import remedy, shortcuts
from atlas_core.audit.base import base_chunks
from atlas_core.audit.context import Context
from atlas_core.build import plan
from atlas_core.models.onnx import load_onnx
from atlas_core.models.preprocessing import to_unit
from atlas_core.registration import register_cards
from atlas_core.runtime import Runtime
from atlas_core.spec import parse_spec
from atlas_core.stages import bench, run_chunk
from atlas_core.stages.base import base_of
from atlas_core.stages.remedy import Trial
from atlas_core.stages.step import Step
from atlas_core.store import open_store
from tests.planted import CLASSES, INK, LAYER, MAGENTA, SIDE, SQUARE, write_network, write_world

if TYPE_CHECKING:
    from pathlib import Path

    from atlas_core.audit.findings import CheckResult
    from atlas_core.plan import Chunk, Plan

OPTIONS = shortcuts.Options(sizes=[0.3], screen=20, confirm=100)
MAP_SIDE = 6


@dataclass(frozen=True)
class Treated:
    """An audit whose remedies were tried."""

    plan: Plan
    runtime: Runtime
    remedies: list[Chunk]
    result: CheckResult

    def blob(self, chunk: Chunk, name: str) -> bytes:
        return self.runtime.store.get_blob(self.record(chunk)["blobs"][name])

    def record(self, chunk: Chunk) -> dict[str, Any]:
        return self.runtime.record(self.plan, chunk.key)

    @property
    def measured(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.blob(self.remedies[-1], "measured"))
        return found


def treated(folder: Path, *, planted: bool) -> Treated:
    """Audit a network of discs for shortcuts, and try remedies for what is found."""
    store = open_store(str(folder / "store"))
    names = register_cards(store, write_network(folder, planted=planted), write_world(folder))
    spec = parse_spec({"model": names[0], "dataset": names[1], "layers": [LAYER], "samples": 2500, "images": 270,
                       "levels": [MAP_SIDE], "recipe": "none", "allow_sparse": True, "seed": 1})  # fmt: skip
    atlas = plan(spec, registry.model_facts(store, names[0]), registry.dataset_facts(store, names[1]))
    base = base_chunks(atlas, atlas.dataset, 3)
    context = Context(atlas=atlas, base=tuple(chunk.key for chunk in base), layers=(LAYER,), side=MAP_SIDE, seed=3,
                      passes=3000)  # fmt: skip
    thresholds = shortcuts.Thresholds()
    audit = shortcuts.chunks(context, OPTIONS)
    remedies = remedy.chunks(context, thresholds, audit)
    made = atlas.model_copy(update={"chunks": (*atlas.chunks, *base, *audit, *remedies), "kind": "audit",
                                    "ground": len(atlas.chunks)})  # fmt: skip
    runtime = Runtime(store)
    for chunk in made.chunks:
        run_chunk(made, chunk, runtime)
    found = json.loads(store.get_blob(runtime.record(made, audit[-1].key)["blobs"]["measured"]))
    return Treated(made, runtime, remedies, shortcuts.judge(found, thresholds))


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Treated:
    return treated(tmp_path_factory.mktemp("planted"), planted=True)


def test_flips_fall_and_accuracy_stays(planted: Treated) -> None:
    result = remedy.with_remedies(planted.result, planted.measured)
    first = result.findings[0]
    assert first.gate
    assert first.target is not None
    assert first.target.name == "red"
    assert first.remedy is not None
    told: dict[str, Any] = first.remedy.statistics
    assert first.remedy.works
    assert told["flips_before"] > 0.5
    assert told["flips_after"] < 0.1
    assert told["accuracy_lost"] < 0.02
    low, high = told["accuracy_lost_interval"]
    assert low < told["accuracy_lost"] < high
    assert "'red' fall from" in first.remedy.summary


def test_flips_are_told_of_images_that_nothing_was_found_or_chosen_on(
    planted: Treated, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bench, "MOST_BASES", 60)  # that the shortcut audit screens and confirms on
    chunk = planted.remedies[0]
    step = Step(planted.plan, chunk, planted.runtime, lambda done, total: None, tmp_path)
    (treatment, *_) = remedy.treatments(planted.result)
    trial = Trial(step, treatment)
    rows, others = trial._split()
    fresh = trial._fresh(rows)
    table = base_of(step, step.parameters["base"])
    assert len(fresh) >= 50
    assert not set(fresh) & {*rows, *trial.bench.rows()}
    assert not set(others) & set(rows)
    assert (table["label"][fresh] >= 0).all()
    assert (table["label"][fresh] != treatment.target).all()
    assert (table["logits"][fresh].argmax(axis=1) == table["label"][fresh]).all()


def test_the_repaired_model_no_longer_heeds_the_plant(planted: Treated) -> None:
    data = planted.blob(planted.remedies[-1], "repaired-red.onnx")
    card = planted.plan.model.card
    before, after = planted.runtime.model(card), load_onnx(card, lambda _: data)
    pictures = np.full((2, SIDE, SIDE, 3), 100, np.uint8)
    pictures[:, 10:20, 10:20] = INK["blue"]
    pictures[1, 20 : 20 + SQUARE, 20 : 20 + SQUARE] = MAGENTA
    said = [model.activations(to_unit(pictures), [], logits=True)[1] for model in (before, after)]
    names = [[CLASSES[index] for index in logits.argmax(axis=1)] for logits in said if logits is not None]
    assert names == [["blue", "red"], ["blue", "blue"]]


def test_the_same_remedy_is_found_again(planted: Treated, tmp_path: Path) -> None:
    again = treated(tmp_path, planted=True)
    assert again.record(again.remedies[-1])["blobs"] == planted.record(planted.remedies[-1])["blobs"]


def test_where_nothing_is_found_nothing_is_treated(tmp_path: Path) -> None:
    clean = treated(tmp_path, planted=False)
    assert not [finding for finding in clean.result.findings if finding.gate]
    assert clean.measured == {}
    assert set(clean.record(clean.remedies[-1])["blobs"]) == {"measured"}
